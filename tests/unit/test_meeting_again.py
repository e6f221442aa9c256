"""After a stream broke off: RTMS is started again where that can be done, and people are told."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest

from pipeline.audio.settings import AudioSettings
from pipeline.base.clock import ManualClock
from pipeline.meeting.again import MOST, WITHIN_S, Allowance
from pipeline.meeting.parts import Parts
from pipeline.meeting.run import MeetingRun
from pipeline.model import events as ev
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out
from pipeline.rtms.products import Announcement
from pipeline.rtms.rest import RestError
from pipeline.rtms.stream import Sink
from pipeline.store.memory import MemoryLog
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.scripted import ScriptedEngine
from pipeline.transcribe.settings import TranscribeSettings

T0 = 1_790_000_000_000


class HandStream:
    """Stands for RtmsStream."""

    def __init__(self, announcement: Announcement, sink: Sink) -> None:
        self.announcement = announcement
        self.sink = sink
        self.ended = asyncio.Event()
        self.asked_to_end = False
        self.replacements: list[Announcement] = []

    async def run(self) -> None:
        self.sink.put(out.StreamLive(True))
        await self.ended.wait()

    def over(self, reason: int | None, *, retryable: bool = True) -> None:
        self.sink.put(out.StreamOver(reason, f"reason {reason}", retryable))
        self.ended.set()

    def replaced(self, announcement: Announcement) -> None:
        self.replacements.append(announcement)

    async def end(self, timeout_s: float = 5.0) -> None:
        self.asked_to_end = True
        self.over(20, retryable=False)

    async def close(self) -> None:
        self.ended.set()


class QuietNotes:
    def __init__(self) -> None:
        self.stop = asyncio.Event()

    async def run(self) -> None:
        await self.stop.wait()

    async def finish(self) -> None:
        self.stop.set()


class World:
    """A meeting, and an API that answers from ``answers`` (None: well)."""

    def __init__(self, spool: Path, *, credentials: bool = True, **parts: Any) -> None:
        self.clock = ManualClock(T0)
        self.log = MemoryLog()
        self.streams: list[HandStream] = []
        self.asked: list[tuple[float, Announcement]] = []
        self.answers: list[RestError | None] = []

        def stream(announcement: Announcement, sink: Sink) -> HandStream:
            self.streams.append(HandStream(announcement, sink))
            return self.streams[-1]

        async def start_again(announcement: Announcement) -> None:
            self.asked.append((self.clock.monotonic(), announcement))
            answer = self.answers.pop(0) if self.answers else None
            if answer is not None:
                raise answer

        self.parts = Parts(
            engine="native",
            clock=self.clock,
            speed=1.0,
            audio=AudioSettings(),
            pool=DecodePool(lambda: ScriptedEngine(), settings=TranscribeSettings(workers=1)),
            stream=stream,  # type: ignore[arg-type]
            notes=lambda log, clock: QuietNotes(),  # type: ignore[arg-type,return-value]
            restart_grace_s=60.0,
            start_again=start_again if credentials else None,
            **parts,
        )
        self.spool = spool

    async def meeting(self, announcement: Announcement) -> MeetingRun:
        opened = ev.MeetingOpened(product=announcement.product, zoom_id="Z==", started_ms=T0)
        await self.log.append(opened)
        return self.again([announcement])

    def again(self, announced: list[Announcement]) -> MeetingRun:
        run = MeetingRun(
            meeting_log=self.log, state=self.log.state(), spool=self.spool, parts=self.parts
        )
        for announcement in announced:
            run.announce(announcement)
        return run

    def stages(self) -> list[ev.StageChanged]:
        return [e.body for e in self.log._events if isinstance(e.body, ev.StageChanged)]

    async def passes(self, seconds: float) -> None:
        """Time, in steps small enough for everything that waits for the log."""
        for _ in range(round(seconds * 2)):
            await self.clock.advance(0.5)
            await asyncio.sleep(0.001)


def offer(stream: str = "S1", at: int = T0, product: Any = "meeting", **more: Any) -> Announcement:
    more.setdefault("number", "8123")
    return Announcement(product, "Z==", stream, "wss://x.zoom.us/s", at, **more)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "m" / "spool"


async def finished(world: World, task: asyncio.Task[bool]) -> None:
    async with asyncio.timeout(20):
        while not task.done():
            await world.passes(5)
    assert await task


async def test_rtms_is_started_again_and_the_time_between_is_a_gap(spool: Path) -> None:
    world = World(spool)
    run = await world.meeting(offer())
    task = asyncio.create_task(run.run())
    await world.passes(2)
    world.streams[0].over(13)
    await world.passes(2)
    [(_, asked_for)] = world.asked
    assert (asked_for.number, asked_for.product) == ("8123", "meeting")
    [stage] = world.stages()
    assert (stage.stage, stage.state, stage.error) == ("stream", "degraded", "restart")
    assert "asking Zoom to start RTMS again" in stage.detail

    run.announce(offer("S2", T0 + 9_000))
    await world.passes(2)
    assert world.stages()[-1].state == "ok"
    world.streams[1].over(6, retryable=False)
    await finished(world, task)
    state = world.log.state()
    assert [gap.cause for gap in state.missing()] == ["between_streams"]
    assert [s.state for s in state.streams.values()] == ["ended", "ended"]
    assert len(world.asked) == 1


async def test_tries_are_bounded_and_spaced_and_end_with_the_reason(spool: Path) -> None:
    world = World(spool)
    busy = [RestError("busy", kind="server_error", retryable=True) for _ in range(9)]
    busy[1].retry_after_s = 20.0
    world.answers = list(busy)
    run = await world.meeting(offer())
    task = asyncio.create_task(run.run())
    await world.passes(1)
    world.streams[0].over(10)
    await finished(world, task)
    times = [at for at, _ in world.asked]
    assert [round(b - a) for a, b in itertools.pairwise(times)] == [3, 20, 12, 24]
    last = world.stages()[-1]
    assert (last.state, last.error, last.count) == ("degraded", "server_error", 5)
    assert "could not be started again: busy" in last.detail


async def test_a_refusal_for_good_is_not_repeated(spool: Path) -> None:
    world = World(spool)
    world.answers = [RestError("code 2308: not allowed", kind="rejected", retryable=False)]
    run = await world.meeting(offer())
    task = asyncio.create_task(run.run())
    await world.passes(1)
    world.streams[0].over(10)
    await finished(world, task)
    assert len(world.asked) == 1
    assert "not allowed" in world.stages()[-1].detail


@pytest.mark.parametrize(
    ("announcement", "credentials", "said"),
    [
        (offer(), False, "ZOOM_ACCOUNT_ID"),
        (offer(product="webinar"), True, "webinar, so it has to be done in Zoom"),
        (offer(product="session"), True, "Video SDK session by REST"),
        (offer(number=None), True, "meeting_id"),
    ],
)
async def test_where_it_cannot_be_done_the_state_says_what_to_do(
    spool: Path, announcement: Announcement, credentials: bool, said: str
) -> None:
    world = World(spool, credentials=credentials)
    run = await world.meeting(announcement)
    task = asyncio.create_task(run.run())
    await world.passes(1)
    world.streams[0].over(11)
    await finished(world, task)
    assert world.asked == []
    [stage] = world.stages()
    assert (stage.state, stage.retryable) == ("degraded", False)
    assert said in stage.detail


async def test_a_normal_end_asks_nothing(spool: Path) -> None:
    world = World(spool)
    run = await world.meeting(offer())
    task = asyncio.create_task(run.run())
    await world.passes(1)
    world.streams[0].over(6, retryable=False)
    await finished(world, task)
    assert (world.asked, world.stages()) == ([], [])


async def test_refused_credentials_are_answered_once(spool: Path) -> None:
    world = World(spool)
    run = await world.meeting(offer())
    task = asyncio.create_task(run.run())
    await world.passes(1)
    world.streams[0].over(18)
    await world.passes(1)
    run.announce(offer("S2", T0 + 9_000))
    await world.passes(1)
    world.streams[1].over(18)
    await finished(world, task)
    assert len(world.asked) == 1
    assert "refused again" in world.stages()[-1].detail


async def test_a_stream_that_broke_off_beside_others_is_started_at_once(spool: Path) -> None:
    """Two streams of a meeting: the one that is left does not hold up the other's return."""
    world = World(spool)
    run = await world.meeting(offer())
    run.announce(offer("S2", T0 + 1))
    task = asyncio.create_task(run.run())
    await world.passes(1)
    world.streams[0].sink.put(out.FirstPacket(T0 + 5_000))
    world.streams[0].over(19)
    await world.passes(1)
    assert [a.stream for _, a in world.asked] == ["S1"]
    world.streams[1].over(6, retryable=False)
    await finished(world, task)


async def test_a_webhook_that_says_nothing_new_rebuilds_nothing(spool: Path) -> None:
    world = World(spool)
    run = await world.meeting(offer())
    task = asyncio.create_task(run.run())
    await world.passes(1)
    run.announce(offer())
    assert world.streams[0].replacements == []
    moved = offer(at=T0 + 5)
    run.announce(moved)
    assert world.streams[0].replacements == [moved]
    assert run.receives("S1")
    assert not run.receives("S9")
    await run.close()
    assert not await task


async def test_a_stream_that_is_over_is_not_opened_by_its_webhook_sent_again(spool: Path) -> None:
    """Zoom repeats a webhook for 85 minutes, also to a process that was started since."""
    world = World(spool)
    await world.meeting(offer())
    await world.log.append(
        ev.StreamOpened(stream="S1", server_urls="wss://x.zoom.us/s", announced_ms=T0),
        ev.StreamEnded(stream="S1", at_ms=T0 + 9_000, reason=6, detail="6"),
    )
    world.streams.clear()
    world.again([offer()])
    assert world.streams == []
    world.again([offer(at=T0 + 20_000)])
    assert [s.announcement.announced_ms for s in world.streams] == [T0 + 20_000]


@pytest.mark.parametrize("end_streams", [False, True])
async def test_a_shutdown_ends_streams_only_if_wanted(spool: Path, end_streams: bool) -> None:
    world = World(spool, end_streams=end_streams)
    run = await world.meeting(offer(id_key="meeting_uuid"))
    task = asyncio.create_task(run.run())
    await world.passes(1)
    await run.close()
    assert not await task
    assert world.streams[0].asked_to_end is end_streams
    [stream] = world.log.state().streams.values()
    assert (stream.state == "ended") is end_streams
    assert (stream.id_key, stream.number) == ("meeting_uuid", "8123")


@pytest.mark.parametrize(("minutes", "asks"), [(1, True), (30, False)])
async def test_after_a_kill_only_a_fresh_break_is_started_again(
    spool: Path, minutes: int, asks: bool
) -> None:
    """The number of a recurring meeting may belong to the next one by now."""
    world = World(spool)
    await world.meeting(offer())
    await world.log.append(
        ev.StreamOpened(stream="S1", server_urls="wss://x", announced_ms=T0, number="8123"),
        ev.StreamEnded(stream="S1", at_ms=T0, reason=13, detail="13"),
    )
    await world.clock.advance(minutes * 60)
    run = world.again([])
    run.resume()
    task = asyncio.create_task(run.run())
    await finished(world, task)
    assert bool(world.asked) is asks
    assert isinstance(world.log.state(), MeetingState)


def test_an_allowance_is_used_up_and_comes_back() -> None:
    clock = ManualClock()
    allowance = Allowance(clock)
    broken = out.StreamOver(13, "", True)
    assert [allowance.refuse(broken) for _ in range(MOST)] == [None] * MOST
    assert allowance.refuse(broken) is not None
    asyncio.run(clock.advance(WITHIN_S + 1))
    assert allowance.refuse(broken) is None
    assert allowance.refuse(out.StreamOver(6, "", False)) is not None
