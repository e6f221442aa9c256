"""Speed, measured against a floor taken in the same run: figures of a machine alone say little.

Each bench runs value and floor alternately, several times, and reports medians. Nothing here is a
test; the figures the design asks for stand beside the names.
"""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp
import msgspec
import numpy as np
from aiohttp import web

from pipeline.audio.chain import AudioChain
from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import LoudnessVad
from pipeline.base.clock import MeetingClock, SystemClock
from pipeline.base.errors import BadInput
from pipeline.base.ids import RandomIds
from pipeline.meeting.recorder import Recorder
from pipeline.meeting.stream_run import StreamRun
from pipeline.model.events import MeetingOpened
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out
from pipeline.rtms.messages import AudioData, decode
from pipeline.rtms.products import Announcement
from pipeline.store.store import Store
from pipeline.web.app import page_app


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured thing. ``ratio`` is floor divided by value where less is better, so that above
    1 means better than the floor; None where there is no floor. ``spread``: (max - min) / median of
    the runs."""

    name: str
    value: float
    unit: str
    floor: float | None
    ratio: float | None
    runs: int
    spread: float
    note: str


_Bench = Callable[[], Awaitable[Figure]]

_RUNS = 7
_MESSAGES = 5_000


def _figure(
    name: str, values: list[float], unit: str, floors: list[float] | None, note: str
) -> Figure:
    value = statistics.median(values)
    floor = statistics.median(floors) if floors else None
    return Figure(
        name=name,
        value=round(value, 4),
        unit=unit,
        floor=None if floor is None else round(floor, 4),
        ratio=None if floor is None else round(floor / value, 2),
        runs=len(values),
        spread=round((max(values) - min(values)) / value, 2),
        note=note,
    )


def _audio_message(milliseconds: int = 20) -> bytes:
    samples = (np.random.default_rng(1).standard_normal(16 * milliseconds) * 3_000).astype("<i2")
    content = {
        "user_id": 16_778_240,
        "user_name": "Ada Lovelace",
        "data": base64.b64encode(samples.tobytes()).decode(),
        "length": 32 * milliseconds,
        "timestamp": 1_790_000_012_345,
    }
    return json.dumps({"msg_type": 14, "content": content}).encode()


def _per_message(work: Callable[[], object], times: int = _MESSAGES) -> float:
    """Microseconds of processor time of one call."""
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times * 1e6


async def _decode() -> Figure:
    frame = _audio_message()

    def ours() -> object:
        message = decode(frame)
        assert isinstance(message, AudioData)
        return np.frombuffer(message.content.data, "<i2")

    def standard() -> object:
        message = json.loads(frame)
        return np.frombuffer(base64.b64decode(message["content"]["data"]), "<i2")

    values, floors = [], []
    for _ in range(_RUNS):
        floors.append(_per_message(standard))
        values.append(_per_message(ours))
    note = "a 20 ms audio message; floor: json + base64; wanted: 4 times faster"
    return _figure("decode", values, "us", floors, note)


async def _hand_over() -> Figure:
    """What the receiving task does with a decoded message: nothing but putting it in a queue."""
    frame = _audio_message()
    output = out.AudioReceived(7, "Ada", 1_790_000_012_345, bytes(640))
    values, floors = [], []
    for _ in range(_RUNS):
        with tempfile.TemporaryDirectory() as folder:
            receiver = _receiver(Path(folder))
            floors.append(_per_message(lambda: decode(frame)))
            values.append(_per_message(lambda sink=receiver: sink.put(output)))  # type: ignore[misc]
    note = "from decoded to queued; floor: decoding the same message"
    return _figure("hand_over", values, "us", floors, note)


class _NoStream:
    """Stands where Zoom's sockets would be; the bench plays them."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    async def run(self) -> None:
        await self._over.wait()

    def stopped(self, _reason: int | None) -> None:
        self._over.set()


def _receiver(spool: Path, store: Store | None = None, meeting: str = "m") -> StreamRun:
    from pipeline.store.memory import MemoryLog

    clock = SystemClock()
    state = MeetingState(meeting)

    async def ignore(_error: object) -> None:
        pass

    return StreamRun(
        Announcement("meeting", "Z", "S", "wss://zoom.us/s", clock.now_ms()),
        meeting_log=MemoryLog(meeting) if store is None else store.log(meeting),
        state=state,
        recorder=Recorder(state, "native"),
        clock=MeetingClock(clock),
        machine=clock,
        speed=1.0,
        spool=spool,
        audio=AudioSettings(),
        open_stream=lambda _announcement, _sink: _NoStream(),  # type: ignore[arg-type, return-value]
        on_engine=ignore,
    )


async def _page() -> Figure:
    """From a transcript message being decoded to its line being read by a page's stream."""
    count, pause_s = 200, 0.02
    clock = SystemClock()
    lags: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder), clock=clock, ids=RandomIds())
        log = await store.create(
            MeetingOpened(product="meeting", zoom_id="Z", started_ms=clock.now_ms())
        )
        runner = web.AppRunner(page_app(reader=store.reader, health=dict), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/m/{log.meeting}/events"
        receiver = _receiver(store.spool(log.meeting), store, log.meeting)
        receiving = asyncio.create_task(receiver.run())
        sent: dict[str, float] = {}
        ready = asyncio.Event()

        async def read() -> None:
            async with aiohttp.ClientSession() as session, session.get(url) as response:
                ready.set()
                async for line in response.content:
                    for mark in [m for m in sent if m.encode() in line]:
                        lags[mark] = time.perf_counter() - sent.pop(mark)
                        if len(lags) == count:
                            return

        reading = asyncio.create_task(read())
        await ready.wait()
        for n in range(count):
            at = clock.now_ms()
            sent[f"word-{n:04d}-"] = time.perf_counter()
            receiver.put(
                out.TranscriptReceived(7, "Ada", at - 900, at, at, f"word-{n:04d}-", "en", "new")
            )
            await asyncio.sleep(pause_s)
        await asyncio.wait_for(reading, 10)
        receiver.stopped(6)
        await receiving
        await runner.cleanup()
        await store.close()
    ordered = sorted(lag * 1000 for lag in lags.values())
    value = ordered[int(len(ordered) * 0.99)]
    return Figure(
        name="transcript_to_page",
        value=round(value, 2),
        unit="ms p99",
        floor=100.0,
        ratio=round(100.0 / value, 2),
        runs=len(ordered),
        spread=round((ordered[-1] - ordered[0]) / value, 2),
        note=f"p50 {statistics.median(ordered):.1f} ms; floor: the 100 ms allowed",
    )


async def _help() -> Figure:
    values, floors = [], []
    for _ in range(5):
        floors.append(await asyncio.to_thread(_seconds, [sys.executable, "-c", "pass"]))
        command = [sys.executable, "-m", "pipeline.cli", "--help"]
        values.append(await asyncio.to_thread(_seconds, command))
    note = "rtms-notes --help; floor: python -c pass; wanted: under 0.4 s"
    return _figure("help", values, "s", floors, note)


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words
    return time.perf_counter() - started


async def _chain() -> Figure:
    """Share of a core that one speaking participant costs, VAD included, against one whose VAD is
    a loudness gate: what is left is the price of knowing speech from noise."""
    rng = np.random.default_rng(2)
    seconds = 20
    packets = [(rng.standard_normal(1_600) * 2_000).astype("<i2").tobytes() for _ in range(50)]

    def share(make: Callable[[Path], AudioChain]) -> float:
        with tempfile.TemporaryDirectory() as folder:
            chain = make(Path(folder))
            started = time.process_time()
            for n in range(seconds * 10):
                chain.push("7", "Ada", 1_790_000_000_000 + n * 100, packets[n % len(packets)])
            chain.flush()
            return (time.process_time() - started) / seconds * 100

    values, floors = [], []
    for _ in range(3):
        floors.append(
            await asyncio.to_thread(
                share,
                lambda spool: AudioChain(spool=spool, settings=AudioSettings(), vad=LoudnessVad),
            )
        )
        values.append(
            await asyncio.to_thread(
                share, lambda spool: AudioChain(spool=spool, settings=AudioSettings())
            )
        )
    note = "of a core, one participant who sends all the time; floor: loudness instead of Silero"
    return _figure("audio_chain", values, "%", floors, note)


BENCHES: Mapping[str, _Bench] = {
    "decode": _decode,
    "hand_over": _hand_over,
    "transcript_to_page": _page,
    "audio_chain": _chain,
    "help": _help,
}


def select(names: list[str]) -> list[str]:
    """The benches wanted; all without names. Raises BadInput for one that does not exist."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise BadInput(f"no bench {unknown[0]!r}; there are {', '.join(BENCHES)}")
    return names or list(BENCHES)
