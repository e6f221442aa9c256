"""Killing a process while segments are pending, and what must be there afterwards.

Run as a program it is the victim: ``transcribe_kill.py HOME SEED`` runs the meeting of the home
with a scripted engine, makes more audio all the time, and prints the number of each segment whose
audio is durable. ``transcribe_kill.py HOME end`` makes no more and runs the meeting to its end.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from pipeline.audio.settings import AudioSettings
from pipeline.audio.spool import PER_MS, Head, OpenSegment, SpokenSegment
from pipeline.base import log as logging
from pipeline.base.clock import MeetingClock, SystemClock
from pipeline.base.errors import EngineError
from pipeline.base.ids import RandomIds
from pipeline.meeting.audio_intake import spooled
from pipeline.meeting.parts import Parts
from pipeline.meeting.run import MeetingRun
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out
from pipeline.rtms.products import Announcement
from pipeline.rtms.stream import Sink
from pipeline.store.reader import Reader
from pipeline.store.store import Store, StoredLog
from pipeline.store.verify import verify
from pipeline.transcribe.engine import Pcm
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.scripted import Answer, ScriptedEngine
from pipeline.transcribe.settings import TranscribeSettings

T0 = 1_790_000_000_000
STEP_MS = 2_000
LENGTH_MS = 1_000
VOICES = 3


def run_rounds(home: Path, rounds: int, rng: random.Random) -> int:
    """Kill the victim ``rounds`` times, let it finish, and check; how many segments there were."""
    durable: set[int] = set()
    for _ in range(rounds):
        with _victim_of(home, str(rng.randrange(10**6))) as victim:
            assert victim.stdout is not None
            for _ in range(rng.randint(1, 60)):
                line = victim.stdout.readline()
                assert line, "the victim ended by itself"
                durable.add(int(line))
            time.sleep(rng.random() * 0.05)  # anywhere between two lines
            victim.send_signal(signal.SIGKILL)
            durable |= {int(line) for line in victim.stdout if line.endswith("\n")}
        assert victim.returncode == -signal.SIGKILL
    with _victim_of(home, "end") as last:
        last.communicate(timeout=100)
    assert last.returncode == 0
    _check(home, durable)
    return len(durable)


def _victim_of(home: Path, word: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, str(home), word]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _check(home: Path, durable: set[int]) -> None:
    assert verify(home) == []
    with closing(Reader.open(home)) as reader:
        [view] = reader.meetings()
        events = reader.events(view.id)
    assert view.state == "finished"
    state = MeetingState.replay(view.id, events)
    assert state.pending == []
    closed = [e.body for e in events if isinstance(e.body, ev.SegmentClosed)]
    assert sorted(c.segment for c in closed) == sorted(state.segments), "twice, or not at all"
    assert {c.outcome for c in closed} <= {"text", "merged"}
    said = [e.body.utterance for e in events if isinstance(e.body, ev.UtteranceSaid)]
    assert all(u.revision == 1 for u in said)
    for voice in range(VOICES):
        mine = [int(w[4:]) for u in said if u.participant == str(voice) for w in u.text.split()]
        words = list(dict.fromkeys(mine))  # a doubtful one repeats itself
        assert words == sorted(words), "words of one speaker are out of order"
        assert all(n % VOICES == voice for n in words)
    heard = [n for u in said for n in dict.fromkeys(int(w[4:]) for w in u.text.split())]
    assert len(heard) == len(set(heard)) == len(state.segments), "words are there twice"
    assert durable <= set(heard), f"lost: {sorted(durable - set(heard))[:5]}"
    doubtful = {n for n in heard if _is_odd(n)}
    [meeting] = (home / "meetings").iterdir()
    left = {_number(int(f.name.split("-")[0])) for f in (meeting / "spool").glob("*.pcm")}
    merged_with = {
        _number(state.segments[c.segment].start_ms)
        for c in closed
        if c.segment in state.doubts or c.detail in state.doubts
    }
    assert doubtful <= left == merged_with, "audio of doubtful words, and no other, is kept"


def _is_odd(number: int) -> bool:
    return number % 29 == 0


def _number(at_ms: int) -> int:
    return (at_ms - T0) // STEP_MS


# -- the victim ---------------------------------------------------------------------------------


class _Stream:
    """Stands for RtmsStream: alive until it is told to end."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.running = asyncio.Event()
        self.ended = asyncio.Event()

    async def run(self) -> None:
        self.running.set()
        self.sink.put(out.StreamLive(True))
        await self.ended.wait()

    def over(self) -> None:
        self.sink.put(out.StreamOver(6, "", False))
        self.ended.set()

    def interrupted(self, at_ms: int | None = None) -> None: ...

    async def close(self) -> None:
        self.ended.set()


class _Notes:
    async def run(self) -> None: ...

    async def finish(self) -> None: ...


def _script(rng: random.Random) -> ScriptedEngine:
    def answer(pcm: Pcm) -> Answer:
        if rng.random() < 0.05:
            return EngineError("busy", kind="busy", retryable=True)
        values = np.rint(pcm * 32_768).astype(int).tolist()
        numbers = [n for n in dict.fromkeys(values) if n]
        times = 9 if any(_is_odd(n) for n in numbers) else 1
        return " ".join([f"word{n}" for n in numbers for _ in range(times)])

    return ScriptedEngine(answer, delay_s=0.01, rtf=0.002)


async def _meeting(store: Store) -> tuple[StoredLog, MeetingState]:
    for meeting in store.unfinished():
        log = store.log(meeting)
        return log, MeetingState.replay(meeting, await log.events())
    log = await store.create(ev.MeetingOpened(product="meeting", zoom_id="Z", started_ms=T0))
    return log, MeetingState.replay(log.meeting, await log.events())


async def _main(home: Path, word: str) -> None:
    rng = random.Random(word)
    clock = SystemClock()
    store = Store.open(home, clock=clock, ids=RandomIds())
    log, state = await _meeting(store)
    spool = store.spool(log.meeting)
    streams: list[_Stream] = []

    def stream(_: Announcement, sink: Sink) -> _Stream:
        streams.append(_Stream(sink))
        if word == "end":
            streams[-1].over()
        return streams[-1]

    def notes(_: MeetingLog, __: MeetingClock) -> _Notes:
        return _Notes()

    settings = TranscribeSettings(
        workers=2, retry_wait_s=0.0, shed_after_s=0.03, merge_after_s=0.03, defer_after_s=0.2
    )
    pool = DecodePool(lambda: _script(rng), settings=settings, clock=clock)
    parts = Parts(
        engine="local",
        clock=clock,
        speed=1.0,
        audio=AudioSettings(),
        pool=pool,
        stream=stream,  # type: ignore[arg-type]
        notes=notes,  # type: ignore[arg-type]
        restart_grace_s=0.0,
    )
    last = max((_number(int(f.name.split("-")[0])) for f in spool.glob("*-*")), default=0)
    last = max([last, *(_number(s.start_ms) for s in state.segments.values())])
    if word != "end":
        for last in range(last + 1, last + 4):  # noqa: B020 - durable, not in the log
            _spoken(spool, last)
    run = MeetingRun(meeting_log=log, state=state, spool=spool, parts=parts)
    if state.streams:
        run.resume()
    else:
        run.announce(Announcement("meeting", "Z", "S", "wss://x.zoom.us/s", T0))
    running = asyncio.create_task(run.run())
    if word != "end":
        while not streams:  # noqa: ASYNC110 - what was left is taken in before it is made
            await asyncio.sleep(0.001)
        await streams[0].running.wait()
    while word != "end":
        await asyncio.sleep(rng.random() * 0.01)
        last += 1
        spoken = await asyncio.to_thread(_spoken, spool, last)
        await log.append(*spooled(run._recorder, "S", spoken))
    assert await running
    await pool.close()
    await store.close()


def _spoken(spool: Path, number: int) -> SpokenSegment:
    """Audio full of its number; it is told when it is durable."""
    at = (T0 + number * STEP_MS) * PER_MS
    segment = OpenSegment(spool, Head(at=at, participant=str(number % VOICES)), RandomIds())
    for _ in range(4):
        segment.append(np.full(LENGTH_MS * PER_MS // 4, number, "<i2").tobytes())
        segment.sync()
    spoken = segment.finish(LENGTH_MS * PER_MS)
    print(number, flush=True)
    return spoken


if __name__ == "__main__":
    logging.set_up(level="error")  # stdout is for numbers
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2]))
