"""Recordings of a meeting: told in the log, made files at its end, listed, and never in its way."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.audio.recording import Track
from pipeline.audio.recording_index import decoded
from pipeline.audio.settings import AudioSettings
from pipeline.base.backoff import Backoff
from pipeline.base.clock import Clock, ManualClock
from pipeline.base.ids import RandomIds
from pipeline.meeting.recording import INDEX, SYNC_S, Recordings
from pipeline.model import events as ev
from pipeline.model.speech import Recording, Segment, Utterance
from pipeline.rtms import outputs as out
from pipeline.store.memory import MemoryLog
from tests.unit.test_meeting_run import World, begin

T0 = 1_790_000_000_000
AT = T0 * 16
NAMES = {"7": "../../Ada", "8": "Bob"}
NO_RETRY = Backoff(base=1.0, attempts=0)
LOSSLESS = AudioSettings(record="flac")


async def opened() -> MemoryLog:
    log = MemoryLog()
    await log.append(
        ev.MeetingOpened(product="meeting", zoom_id="Z==", started_ms=T0, engine="local")
    )
    return log


def recordings(
    folder: Path,
    log: MemoryLog,
    *,
    settings: AudioSettings = LOSSLESS,
    clock: Clock | None = None,
    retry: Backoff = NO_RETRY,
) -> Recordings:
    return Recordings(
        folder,
        settings=settings,
        meeting_log=log,
        state=log.state(),
        clock=clock or ManualClock(T0),
        now=lambda: T0,
        name_of=NAMES.get,
        ids=RandomIds(),
        retry=retry,
    )


def speech(count: int, level: float = 0.25) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.full(count, level, np.float32)


def length(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(frame.samples for frame in container.decode(audio=0))


def kept(log: MemoryLog) -> dict[str | None, Recording]:
    return {None if r.mixed else r.participant: r for r in log.state().recordings.values()}


async def test_files_of_everybody_end_where_the_stream_does(tmp_path: Path) -> None:
    log = await opened()
    folder = tmp_path / "recordings"
    making = recordings(folder, log)
    feed = making.open("S1")
    assert feed is not None
    feed.format(16_000)
    feed.tap("7", AT, speech(1_600))
    feed.tap("8", AT + 16_000, speech(1_600))
    feed.tap("7", AT + 32_000, speech(333))
    await feed.finish()
    await log.append(
        ev.SegmentSpooled(
            segment=Segment(
                id="s1",
                stream="S1",
                start_ms=T0 + 2_000,
                end_ms=T0 + 2_020,
                file="x",
                samples=320,
                participant="7",
            )
        ),
        ev.UtteranceSaid(
            utterance=Utterance(
                id="u1",
                stream="S1",
                source="local",
                start_ms=T0 + 1_000,
                end_ms=T0 + 1_100,
                text="hello",
                participant="8",
            )
        ),
    )
    await making.finish()
    found = kept(log)
    ada, bob, mixed = found["7"], found["8"], found[None]
    assert (ada.samples, bob.samples, mixed.samples) == (32_333, 16_333, 32_333)
    assert [r.from_ms for r in (ada, bob, mixed)] == [T0, T0 + 1_000, T0]
    assert {r.state for r in found.values()} == {"complete"}
    assert (ada.speaker, bob.speaker, mixed.speaker) == ("../../Ada", "Bob", None)
    assert {path.name for path in folder.iterdir()} == {INDEX, *(r.file for r in found.values())}
    for recording in found.values():
        assert length(folder / recording.file) == recording.samples
        assert "Ada" not in recording.file
    index = decoded((folder / INDEX).read_bytes())
    tracks = {None if t.recording.mixed else t.recording.participant: t for t in index.tracks}
    assert tracks["7"].holes == ((1_600, 32_000),)
    assert tracks["8"].holes == ((1_600, 16_333),)
    assert tracks[None].holes == ((1_600, 16_000), (17_600, 32_000))
    (segment,) = tracks["7"].segments
    assert (segment.id, segment.first, segment.end) == ("s1", 32_000, 32_320)
    assert tracks["7"].utterances == ()
    assert [(p.id, p.first, p.end) for p in tracks["8"].utterances] == [("u1", 0, 1_600)]
    assert [(p.id, p.first) for p in tracks[None].utterances] == [("u1", 16_000)]


async def test_mixed_audio_has_one_file(tmp_path: Path) -> None:
    log = await opened()
    making = recordings(tmp_path / "r", log, settings=AudioSettings(record="opus"))
    feed = making.open("S1")
    assert feed is not None
    feed.format(32_000)
    feed.tap(None, T0 * 32, speech(3_200))
    await making.finish()
    (one,) = log.state().recordings.values()
    assert (one.mixed, one.participant, one.codec) == (True, None, "opus")
    assert (one.sample_rate, one.samples) == (48_000, 4_800)
    assert length(tmp_path / "r" / one.file) == 4_800


async def test_nothing_is_kept_unless_asked(tmp_path: Path) -> None:
    log = await opened()
    making = recordings(tmp_path / "r", log, settings=AudioSettings())
    assert making.open("S1") is None
    await making.run()
    await making.finish()
    assert not (tmp_path / "r").exists()
    assert len(await log.events()) == 1


async def test_while_it_runs_it_is_told_and_durable_each_second(tmp_path: Path) -> None:
    log, clock = await opened(), ManualClock(T0)
    making = recordings(tmp_path / "r", log, clock=clock)
    feed = making.open("S1")
    assert feed is not None
    feed.tap("7", AT, speech(160))
    running = asyncio.create_task(making.run())
    waiting = asyncio.create_task(anext(log.follow(1)))
    await clock.advance(SYNC_S)
    event = await waiting
    assert isinstance(event.body, ev.RecordingKept)
    told = event.body.recording
    assert (told.state, told.participant, told.from_ms) == ("open", "7", T0)
    (spans,) = (tmp_path / "r").glob("*.spans")
    assert spans.read_text().split()[2:] == [str(AT), str(AT + 160)]
    feed.tap("7", AT + 160, speech(160))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert spans.read_text().split()[-1] == str(AT + 320)


async def test_the_next_process_goes_on_in_the_same_files(tmp_path: Path) -> None:
    log = await opened()
    for start in (0, 16_000, 40_000):  # three processes, each killed
        feed = recordings(tmp_path / "r", log).open("S1")
        assert feed is not None
        feed.tap("7", AT + start, speech(8_000))
    # The last one only finds a meeting that is over, and recording is switched off by now.
    await recordings(tmp_path / "r", log, settings=AudioSettings()).finish()
    assert kept(log)["7"].samples == 48_000
    index = decoded((tmp_path / "r" / INDEX).read_bytes())
    holes = {t.recording.mixed: t.holes for t in index.tracks}
    assert holes == dict.fromkeys((False, True), ((8_000, 16_000), (24_000, 40_000)))
    assert not list((tmp_path / "r").glob("*.pcm"))


async def test_killed_between_log_and_deletion_it_is_not_recorded_twice(tmp_path: Path) -> None:
    log = await opened()
    folder = tmp_path / "r"
    making = recordings(folder, log)
    feed = making.open("S1")
    assert feed is not None
    feed.tap("7", AT, speech(800))
    await feed.finish()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    await making.finish()
    for name, data in before.items():  # as if nothing had been deleted
        (folder / name).write_bytes(data)
    count = len(await log.events())
    await recordings(folder, log).finish()
    assert len(await log.events()) == count
    assert not list(folder.glob("*.pcm"))
    assert decoded((folder / INDEX).read_bytes()).tracks[0].holes == ()


async def test_a_full_disk_is_a_stage_that_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, clock = await opened(), ManualClock(T0)
    making = recordings(tmp_path / "r", log, clock=clock)
    feed = making.open("S1")
    assert feed is not None
    feed.tap("7", AT, speech(1_600))
    real = os.pwrite

    def full(handle: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    feed.tap("7", AT + 1_600, speech(16_000))
    await making._sync()
    health = log.state().stages["recording"]
    assert (health.state, health.error, health.retryable) == ("degraded", "disk_full", True)
    monkeypatch.setattr(os, "pwrite", real)
    feed.tap("7", AT + 17_600, speech(1_600))
    await making.finish()
    health = log.state().stages["recording"]
    assert (health.state, health.detail) == (
        "ok",
        "1.0 s of audio are silence in the recordings",
    )
    assert kept(log)["7"].samples == 19_200


async def test_a_disk_that_refuses_the_files_leaves_the_audio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, clock = await opened(), ManualClock(T0)
    making = recordings(tmp_path / "r", log, clock=clock, retry=Backoff(base=1.0, attempts=1))
    feed = making.open("S1")
    assert feed is not None
    feed.tap("7", AT, speech(1_600))
    await feed.finish()
    real = os.fsync
    tries = []

    def full(handle: int) -> None:
        tries.append(handle)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    finishing = asyncio.create_task(making.finish())
    while len(tries) < 2:
        await clock.advance(1.0)
        await asyncio.sleep(0.001)
    await finishing
    health = log.state().stages["recording"]
    assert (health.state, health.error) == ("failed", "disk_full")
    assert [p.suffix for p in sorted((tmp_path / "r").iterdir())] == [".json", ".pcm", ".spans"]
    monkeypatch.setattr(os, "fsync", real)
    await recordings(tmp_path / "r", log).finish()
    assert kept(log)["7"].samples == 1_600


class RecordedWorld(World):
    def parts(self):  # type: ignore[no-untyped-def]
        return replace(super().parts(), audio=LOSSLESS)


@pytest.mark.parametrize("stt", ["native", "both"])
async def test_a_meeting_is_recorded_whatever_hears_it(tmp_path: Path, stt: str) -> None:
    world = RecordedWorld(tmp_path / "spool", await opened())
    (tmp_path / "spool").mkdir()
    world.hears = stt
    _, task, stream = await begin(world)
    stream.sink.put(out.AudioFormat("L16", 16_000, 1, True, 100))
    rng = np.random.default_rng(1)
    sent = [(rng.standard_normal(1_600) * 300).astype("<i2").tobytes() for _ in range(30)]
    for n, data in enumerate(sent):
        if n not in (10, 11, 12, 25):
            stream.sink.put(out.AudioReceived(7, "Ada", T0 + n * 100, data))
    stream.over()
    assert await task
    assert [e.kind for e in await world.log.events()][-1] == "meeting_finished"
    found = kept(world.log)
    assert (found["7"].samples, found[None].samples) == (48_000, 48_000)
    with av.open(str(tmp_path / "recordings" / found["7"].file)) as container:
        heard = np.concatenate([f.to_ndarray().reshape(-1) for f in container.decode(audio=0)])
    for n, data in enumerate(sent):
        part = heard[n * 1_600 : (n + 1) * 1_600]
        missing = n in (10, 11, 12, 25)
        assert np.array_equal(part, np.zeros(1_600) if missing else np.frombuffer(data, "<i2"))
    index = decoded((tmp_path / "recordings" / INDEX).read_bytes())
    assert index.tracks[0].holes == ((16_000, 20_800), (40_000, 41_600))


VICTIM = """
import sys
import threading
from dataclasses import replace
from pathlib import Path
import numpy as np
from pipeline.audio.recording_stream import StreamTracks
from pipeline.base.ids import RandomIds

feed = StreamTracks("S1", Path(sys.argv[1]), "flac", ids=RandomIds(), now=lambda: None)
for number in range(10**9):
    at = 1_790_000_000_000 * 16 + number * 320
    feed.tap("7", at, np.full(320, (number % 100 + 1) / 1000, np.float32))
    if number % 50 == 0:
        feed.sync()
    print(number, flush=True)
"""


def kill_at(number: int, folder: Path) -> int:
    """Kill the victim when it told so much; the last that it told."""
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(folder)], stdout=subprocess.PIPE, text=True
    ) as victim:
        assert victim.stdout is not None
        told = [int(victim.stdout.readline()) for _ in range(number)]
        victim.kill()
        return max(told + [int(line) for line in victim.stdout.read().splitlines()])


async def test_kill_9_while_it_is_written_loses_nothing_that_was_tapped(tmp_path: Path) -> None:
    log = await opened()
    last = await asyncio.to_thread(kill_at, 333, tmp_path / "r")
    await recordings(tmp_path / "r", log).finish()
    one = kept(log)["7"]
    assert (last + 1) * 320 <= one.samples <= (last + 2) * 320  # one more may not have been told
    with av.open(str(tmp_path / "r" / one.file)) as container:
        heard = np.concatenate([f.to_ndarray().reshape(-1) for f in container.decode(audio=0)])
    values = heard[::320][: last + 1] / 32_768
    assert np.allclose(values, [(n % 100 + 1) / 1000 for n in range(last + 1)], atol=1e-4)


async def test_broken_off_while_files_are_made_it_goes_on_in_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await opened()
    making = recordings(tmp_path / "r", log)
    feed = making.open("S1")
    assert feed is not None
    feed.tap("7", AT, speech(16_000 * 20))
    begun = threading.Event()
    read = Track.read

    def slow(track: Track, at: int, count: int) -> bytes:
        begun.set()
        making._stop.wait(10)
        return read(track, at, count)

    monkeypatch.setattr(Track, "read", slow)
    finishing = asyncio.create_task(making.finish())
    assert await asyncio.to_thread(begun.wait, 10)
    finishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finishing
    assert {p.suffix for p in (tmp_path / "r").iterdir()} == {".json", ".pcm", ".spans"}
    monkeypatch.setattr(Track, "read", read)
    await recordings(tmp_path / "r", log).finish()
    assert kept(log)["7"].samples == 16_000 * 20


async def test_a_restart_in_the_middle_is_a_hole_in_one_file(tmp_path: Path) -> None:
    world = RecordedWorld(tmp_path / "spool", await opened())
    (tmp_path / "spool").mkdir()
    loud = np.full(1_600, 5_000, "<i2").tobytes()
    first, task, stream = await begin(world)
    stream.sink.put(out.AudioFormat("L16", 16_000, 1, True, 100))
    for n in range(10):
        stream.sink.put(out.AudioReceived(7, "Ada", T0 + n * 100, loud))
    await first.close()
    assert await task is False
    assert not list((tmp_path / "recordings").glob("*.flac"))

    second = world.meeting()
    second.resume()
    task = asyncio.create_task(second.run())
    await world.until(lambda b: isinstance(b, ev.StreamOpened) and b.cause == "resume")
    stream = world.streams[1]
    await stream.running.wait()
    stream.sink.put(out.StreamLive(True))
    stream.sink.put(out.AudioFormat("L16", 16_000, 1, True, 100))
    for n in range(45, 50):
        stream.sink.put(out.AudioReceived(7, "Ada", T0 + n * 100, loud))
    stream.over()
    assert await task is True
    assert kept(world.log)["7"].samples == 80_000
    index = decoded((tmp_path / "recordings" / INDEX).read_bytes())
    assert {track.holes for track in index.tracks} == {((16_000, 72_000),)}


async def test_a_voice_with_a_wrong_time_does_not_stretch_the_mix(tmp_path: Path) -> None:
    log = await opened()
    making = recordings(tmp_path / "r", log)
    feed = making.open("S1")
    assert feed is not None
    feed.tap("7", AT, speech(1_600))
    feed.tap("8", AT - 16_000 * 3_600 * 24 * 365, speech(1_600))  # a year ago
    await making.finish()
    found = kept(log)
    assert (found["7"].samples, found[None].samples) == (1_600, 1_600)
    assert found["8"].samples == 1_600 + 6 * 3_600 * 16_000
