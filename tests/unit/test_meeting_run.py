"""One meeting with a stream that is played by hand: everything but Zoom's sockets is real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio.settings import AudioSettings
from pipeline.base.clock import ManualClock, MeetingClock, SystemClock
from pipeline.base.errors import EngineError
from pipeline.meeting.heartbeat import Heartbeat, write
from pipeline.meeting.parts import Parts
from pipeline.meeting.recorder import Engine
from pipeline.meeting.run import MeetingRun
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.rtms import outputs as out
from pipeline.rtms.products import Announcement
from pipeline.rtms.stream import Sink
from pipeline.store.memory import MemoryLog
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.scripted import ScriptedEngine
from pipeline.transcribe.settings import TranscribeSettings

T0 = 1_790_000_000_000


class HandStream:
    """Stands for RtmsStream: the test tells what Zoom does."""

    def __init__(self, announcement: Announcement, sink: Sink) -> None:
        self.announcement = announcement
        self.sink = sink
        self.running = asyncio.Event()
        self.ended = asyncio.Event()
        self.calls: list[object] = []

    async def run(self) -> None:
        self.running.set()
        await self.ended.wait()

    def over(self, reason: int | None = 6, *, retryable: bool = False) -> None:
        self.sink.put(out.StreamOver(reason, "", retryable))
        self.ended.set()

    def interrupted(self, at_ms: int | None = None) -> None:
        self.calls.append("interrupted")

    def replaced(self, announcement: Announcement) -> None:
        self.calls.append(announcement)

    def stopped(self, reason: int | None) -> None:
        self.calls.append(("stopped", reason))

    async def close(self) -> None:
        self.ended.set()

    async def end(self) -> None:
        self.over(20)


class QuietNotes:
    """A notes stage that notes nothing, or fails when told to."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.stop = asyncio.Event()

    async def run(self) -> None:
        await self.stop.wait()

    async def finish(self) -> None:
        self.stop.set()
        if self.fault is not None:
            raise self.fault


class World:
    def __init__(self, spool: Path, log: MemoryLog | None = None) -> None:
        self.log = log or MemoryLog()
        self.spool = spool
        self.streams: list[HandStream] = []
        self.engine = ScriptedEngine(otherwise="some words")
        self.notes_fault: Exception | None = None
        self.hears: Engine = "both"
        self.grace_s = 0.0
        self.clock: SystemClock | ManualClock = SystemClock()

    def parts(self) -> Parts:
        def stream(announcement: Announcement, sink: Sink) -> HandStream:
            self.streams.append(HandStream(announcement, sink))
            return self.streams[-1]

        def notes(log: MeetingLog, clock: MeetingClock) -> QuietNotes:
            return QuietNotes(self.notes_fault)

        return Parts(
            engine=self.hears,
            clock=self.clock,
            speed=1.0,
            audio=AudioSettings(),
            pool=DecodePool(lambda: self.engine, settings=TranscribeSettings(workers=1)),
            stream=stream,  # type: ignore[arg-type]
            notes=notes,  # type: ignore[arg-type]
            restart_grace_s=self.grace_s,
        )

    def meeting(self) -> MeetingRun:
        return MeetingRun(
            meeting_log=self.log, state=self.log.state(), spool=self.spool, parts=self.parts()
        )

    async def until(self, wanted: Callable[[ev.Body], bool], after: int = 0) -> ev.Event:
        async with asyncio.timeout(20):
            async for event in self.log.follow(after):
                if wanted(event.body):
                    return event
        raise AssertionError("the log ended")


def offer(stream: str = "S1", at: int = T0) -> Announcement:
    return Announcement("meeting", "Z==", stream, "wss://x.zoom.us/s", at)


def said(text: str, start: int, who: int = 7) -> out.TranscriptReceived:
    return out.TranscriptReceived(
        who, "Ada", T0 + start, T0 + start + 900, T0 + start + 1_000, text, "en", "new"
    )


@pytest.fixture
async def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    await made.log.append(
        ev.MeetingOpened(product="meeting", zoom_id="Z==", started_ms=T0, engine="both")
    )
    return made


def kinds(log: MemoryLog) -> list[str]:
    return [event.kind for event in log._events]


async def begin(world: World) -> tuple[MeetingRun, asyncio.Task[bool], HandStream]:
    run = world.meeting()
    run.announce(offer())
    task = asyncio.create_task(run.run())
    await world.until(lambda b: isinstance(b, ev.StreamOpened))
    stream = world.streams[0]
    await stream.running.wait()
    stream.sink.put(out.StreamLive(True))
    return run, task, stream


def voice(stream: HandStream, seconds: float, start: int = 0, who: int = 7) -> None:
    """Noise loud enough for nobody: speech itself needs flite; see the integration tests."""
    rng = np.random.default_rng(1)
    for n in range(round(seconds * 10)):
        pcm = (rng.standard_normal(1_600) * 300).astype("<i2").tobytes()
        stream.sink.put(out.AudioReceived(who, "Ada", T0 + start + n * 100, pcm))


async def test_words_chat_people_and_the_end_are_in_the_log_in_order(world: World) -> None:
    run, task, stream = await begin(world)
    stream.sink.put(out.PeopleJoined((("7", "Ada"), ("8", "Bob")), T0))
    stream.sink.put(said("hello", 1_000))
    stream.sink.put(out.ChatReceived("z", 8, "Bob", T0 + 2_500, "hi", "new"))
    stream.sink.put(out.SpeakerChanged(7, "Ada", T0 + 2_600))
    stream.sink.put(out.PeopleLeft(("8",), T0 + 2_700))
    await world.until(lambda b: isinstance(b, ev.ParticipantLeft))
    assert run.speaker == "Ada"
    stream.over()
    assert await task is True
    state = world.log.state()
    assert [u.text for u in state.transcript()] == ["hello"]
    assert [m.text for m in state.chat()] == ["hi"]
    assert {p.name for p in state.participants.values()} == {"Ada", "Bob"}
    assert kinds(world.log)[-3:] == ["stream_ended", "meeting_ended", "meeting_finished"]
    assert state.missing() == []
    assert list(world.spool.iterdir()) == []


@pytest.mark.parametrize(("engine", "missing"), [("both", ["unusable_audio"]), ("native", [])])
async def test_audio_that_is_only_recorded_is_not_transcribed(
    world: World, engine: Engine, missing: list[str]
) -> None:
    world.hears = engine
    _, task, stream = await begin(world)
    voice(stream, 1.0)  # in a format that was never told
    stream.over()
    assert await task
    assert [gap.cause for gap in world.log.state().missing()] == missing


async def test_a_lost_connection_is_a_gap_of_its_length(world: World) -> None:
    _, task, stream = await begin(world)
    stream.sink.put(said("before", 1_000))
    stream.sink.put(out.ConnectionLost("all", "media_lost", "closed"))
    lost = await world.until(lambda b: isinstance(b, ev.StreamChanged) and b.state == "interrupted")
    stream.sink.put(out.FirstPacket(T0 + 30_000))  # time goes on
    stream.sink.put(out.ConnectionBack("all"))
    stream.sink.put(said("after", 32_000))
    gap = await world.until(lambda b: isinstance(b, ev.GapFound))
    assert isinstance(gap.body, ev.GapFound)
    assert isinstance(lost.body, ev.StreamChanged)
    assert gap.body.gap.from_ms == lost.body.at_ms
    assert gap.body.gap.to_ms - T0 >= 30_000
    stream.over()
    assert await task


async def test_a_pause_is_a_gap_that_says_what_it_is(world: World) -> None:
    _, task, stream = await begin(world)
    stream.sink.put(said("before", 1_000))
    stream.sink.put(out.StreamPaused())
    stream.sink.put(out.ConnectionLost("all", "media_lost", "closed"))
    stream.sink.put(out.ConnectionBack("all"))
    stream.sink.put(out.FirstPacket(T0 + 30_000))  # time goes on
    stream.sink.put(out.StreamResumed())
    stream.sink.put(said("after", 32_000))
    stream.over()
    assert await task
    state = world.log.state()
    [gap] = state.missing()
    assert (gap.media, gap.cause) == ("all", "paused")
    assert gap.detail == "paused by somebody in the meeting; nothing was sent"
    assert gap.to_ms - T0 >= 30_000
    [paused, *_] = [
        e.body.at_ms
        for e in await world.log.events()
        if isinstance(e.body, ev.StreamChanged) and e.body.state == "paused"
    ]
    assert gap.from_ms == paused


async def test_a_pause_that_outlasts_this_process_is_a_gap_until_it_was_down(world: World) -> None:
    run, task, stream = await begin(world)
    stream.sink.put(said("before", 1_000))
    stream.sink.put(out.StreamPaused())
    stream.sink.put(out.FirstPacket(T0 + 30_000))
    await world.until(lambda b: isinstance(b, ev.StreamChanged) and b.state == "paused")
    await run.close()
    assert await task is False
    write(world.spool, Heartbeat(T0 + 40_000, world.clock.now_ms()))
    second = world.meeting()
    second.resume()
    task = asyncio.create_task(second.run())
    await world.until(lambda b: isinstance(b, ev.StreamOpened) and b.cause == "resume")
    world.streams[-1].over()
    assert await task
    found = [gap for gap in world.log.state().missing() if gap.cause == "paused"]
    assert [gap.to_ms for gap in found] == [T0 + 40_000]


async def test_messages_that_could_not_be_read_are_a_gap(world: World) -> None:
    world.hears = "native"
    _, task, stream = await begin(world)
    stream.sink.put(said("before", 1_000))
    for n in range(20):
        stream.sink.put(out.FirstPacket(T0 + 5_000 + n * 100))
        if n < 5:
            stream.sink.put(out.ProtocolFault("all", "bad_json", "malformed"))
        stream.sink.put(out.Unread("transcript"))
    stream.sink.put(out.Unread("deskshare"))  # the next image shows it
    stream.over()
    assert await task
    [gap] = world.log.state().missing()
    assert (gap.media, gap.cause, gap.from_ms) == ("transcript", "unreadable", T0 + 1_900)
    assert 0 <= gap.to_ms - (T0 + 6_900) < 1_000
    assert gap.detail == "20 messages from Zoom could not be read; words may be missing"


async def test_a_hole_in_somebodys_audio_is_right_to_the_packet(world: World) -> None:
    _, task, stream = await begin(world)
    stream.sink.put(out.AudioFormat("L16", 16_000, 1, True, 100))
    for ms in range(0, 3_000, 100):
        if 1_000 <= ms < 1_500:
            stream.sink.put(out.Unread("audio"))
        else:
            pcm = np.zeros(1_600, dtype="<i2").tobytes()
            stream.sink.put(out.AudioReceived(7, "Ada", T0 + ms, pcm))
    stream.over()
    assert await task
    [gap] = world.log.state().missing()
    assert (gap.media, gap.cause, gap.participant) == ("audio", "unreadable", "7")
    assert (gap.from_ms, gap.to_ms) == (T0 + 1_000, T0 + 1_500)


async def test_a_clock_that_is_an_hour_ahead_for_a_while_is_told_and_does_not_move_the_end(
    world: World,
) -> None:
    hour = 3_600_000
    _, task, stream = await begin(world)
    stream.sink.put(said("one", 1_000))
    stream.sink.put(said("two", hour + 3_000))
    stream.sink.put(said("three", hour + 5_000))
    stream.sink.put(said("four", 11_000))
    stream.over()
    assert await task
    state = world.log.state()
    assert state.ended is not None
    assert 0 <= state.ended.at_ms - (T0 + 12_000) < 5_000
    assert [u.text for u in state.transcript()] == ["one", "four", "two", "three"]
    [fault] = state.faults.values()
    assert (fault.reason, fault.count) == ("clock_jump", 1)


async def test_a_repeated_start_is_a_failover_and_webhooks_reach_their_stream(
    world: World,
) -> None:
    run, task, stream = await begin(world)
    again = offer(at=T0 + 5)
    run.announce(again)
    run.interrupted("S1")
    run.stopped("S1", 6)
    run.stopped("nobody", 6)
    assert stream.calls == [again, "interrupted", ("stopped", 6)]
    stream.over()
    assert await task
    causes = [e.body.cause for e in await world.log.events() if isinstance(e.body, ev.StreamOpened)]
    assert causes == ["webhook", "failover"]


async def test_a_stream_that_follows_one_is_the_same_meeting_with_a_gap_between(
    world: World,
) -> None:
    world.grace_s = 30
    run, task, stream = await begin(world)
    stream.sink.put(said("one", 1_000))
    stream.over(13, retryable=True)
    ended = await world.until(lambda b: isinstance(b, ev.StreamEnded))
    run.announce(offer("S2", T0 + 60_000))
    await world.until(
        lambda b: isinstance(b, ev.StreamOpened) and b.stream == "S2", after=ended.seq
    )
    second = world.streams[1]
    second.sink.put(out.StreamLive(True))
    second.sink.put(said("two", 61_000))
    second.over()
    assert await task
    [gap] = world.log.state().missing()
    assert (gap.cause, gap.to_ms) == ("between_streams", T0 + 60_000)
    assert [u.text for u in world.log.state().transcript()] == ["one", "two"]


async def test_closing_leaves_the_meeting_live_and_the_next_process_goes_on(world: World) -> None:
    run, task, stream = await begin(world)
    stream.sink.put(said("one", 1_000))
    await world.until(lambda b: isinstance(b, ev.UtteranceSaid))
    await run.close()
    assert await task is False
    assert "meeting_ended" not in kinds(world.log)

    write(world.spool, Heartbeat(T0 + 4_000, SystemClock().now_ms() - 2_000))
    second = world.meeting()
    second.resume()
    task = asyncio.create_task(second.run())
    await world.until(lambda b: isinstance(b, ev.StreamOpened) and b.cause == "resume")
    [_, resumed] = world.streams
    assert resumed.announcement.server_urls == "wss://x.zoom.us/s"
    await resumed.running.wait()
    resumed.sink.put(out.StreamLive(True))
    resumed.sink.put(said("two", 60_000))
    resumed.sink.put(said("one", 1_000))  # sent again: known
    resumed.over()
    assert await task is True
    state = world.log.state()
    assert [u.text for u in state.transcript()] == ["one", "two"]
    assert [g.cause for g in state.missing()] == ["process_down"]
    assert state.missing()[0].from_ms == T0 + 4_000


async def test_segments_that_a_killed_process_left_are_transcribed_once(world: World) -> None:
    segment = _spool_segment(world.spool)
    await world.log.append(
        ev.StreamOpened(stream="S1", server_urls="wss://x.zoom.us/s", announced_ms=T0),
        ev.SegmentSpooled(segment=segment),
        ev.StreamEnded(stream="S1", at_ms=T0 + 5_000, reason=6),
        ev.MeetingEnded(at_ms=T0 + 5_000),
    )
    run = world.meeting()
    run.resume()
    assert await run.run() is True
    state = world.log.state()
    [words] = state.utterances.values()
    assert (words.text, words.segment, words.source) == ("some words", "s1", "local")
    assert state.pending == []
    assert state.ended is not None
    assert state.ended.at_ms == T0 + 5_000
    assert list(world.spool.iterdir()) == []


async def test_audio_that_another_process_may_transcribe_is_kept_for_it(world: World) -> None:
    segment = _spool_segment(world.spool)
    world.engine = ScriptedEngine(otherwise=EngineError("no", kind="missing_extra"))
    await world.log.append(ev.SegmentSpooled(segment=segment), ev.MeetingEnded(at_ms=T0 + 5_000))
    run = world.meeting()
    run.resume()
    assert await run.run() is False
    state = world.log.state()
    assert [s.id for s in state.pending] == ["s1"]
    assert state.stages["transcribe"].error == "missing_extra"
    assert state.finished is None
    assert (world.spool / segment.file).exists()

    world.engine = ScriptedEngine(otherwise="some words")
    run = world.meeting()
    run.resume()
    assert await run.run() is True
    assert [u.text for u in world.log.state().transcript()] == []  # native is the primary here
    assert [u.text for u in world.log.state().utterances.values()] == ["some words"]


async def test_audio_of_doubtful_words_outlives_a_restart(world: World) -> None:
    segment = _spool_segment(world.spool)
    world.engine = ScriptedEngine(otherwise="no " * 30)
    await world.log.append(ev.SegmentSpooled(segment=segment), ev.MeetingEnded(at_ms=T0 + 5_000))
    run = world.meeting()
    run.resume()
    assert await run.run() is True
    assert world.log.state().doubts == {"s1": "loop"}
    assert (world.spool / segment.file).exists()
    again = world.meeting()
    again.resume()
    await again.run()
    assert (world.spool / segment.file).exists()
    await world.log.append(ev.DoubtResolved(segment="s1", how="accepted", at_ms=T0))
    last = world.meeting()
    last.resume()
    await last.run()
    assert not (world.spool / segment.file).exists()


async def test_an_engine_that_fails_for_good_leaves_a_gap_and_says_so(world: World) -> None:
    segment = _spool_segment(world.spool)
    world.engine = ScriptedEngine(otherwise=EngineError("no", kind="decode"))
    await world.log.append(
        ev.SegmentSpooled(segment=segment),
        ev.MeetingEnded(at_ms=T0 + 5_000),
    )
    run = world.meeting()
    run.resume()
    assert await run.run() is True
    state = world.log.state()
    assert [(g.cause, g.media) for g in state.missing()] == [("stt_failed", "audio")]
    assert state.stages["transcribe"].state == "degraded"
    assert state.stages["transcribe"].error == "decode"


async def test_a_fault_in_the_notes_ends_nothing_and_names_what_they_did_not_read(
    world: World,
) -> None:
    world.notes_fault = RuntimeError("bug")
    _, task, stream = await begin(world)
    stream.sink.put(said("hello", 1_000))
    stream.over()
    assert await task is True
    state = world.log.state()
    assert state.stages["summarize"].state == "failed"
    [gap] = state.missing()
    assert (gap.media, gap.cause) == ("notes", "summary_skipped")
    assert (gap.from_ms, gap.to_ms) == (T0 + 1_000, T0 + 1_900)


async def test_audio_without_speech_makes_no_segment(world: World) -> None:
    _, task, stream = await begin(world)
    stream.sink.put(out.AudioFormat("L16", 16_000, 1, True, 100))
    voice(stream, 3)
    stream.over()
    assert await task is True
    assert world.log.state().segments == {}
    assert world.engine.heard == []


def _spool_segment(spool: Path) -> ev.Segment:
    from pipeline.audio.spool import Head, OpenSegment
    from pipeline.base.ids import SequentialIds

    opened = OpenSegment(
        spool, Head(at=T0 * 16, participant="7", speaker="Ada", continues=None), SequentialIds()
    )
    opened.append(np.zeros(16_000, "<i2").tobytes())
    done = opened.finish(16_000)
    return ev.Segment(
        id="s1",
        stream="S1",
        start_ms=done.start_ms,
        end_ms=done.end_ms,
        file=done.file,
        samples=done.samples,
        participant="7",
        speaker="Ada",
    )


async def test_a_process_killed_before_the_stream_was_opened_leaves_a_meeting_that_ends(
    world: World,
) -> None:
    run = world.meeting()
    run.resume()
    assert await run.run() is True
    assert kinds(world.log) == ["meeting_opened", "meeting_ended", "meeting_finished"]


async def test_a_stream_announced_during_the_end_is_taken_up_by_the_next_run(world: World) -> None:
    run, task, stream = await begin(world)
    world.engine = ScriptedEngine()
    stream.over()
    await world.until(lambda b: isinstance(b, ev.StreamEnded))
    run.give_way()
    assert await task in (True, False)
    second = world.meeting()
    if world.log.state().finished is None:
        second.resume()
    second.announce(offer("S2", T0 + 60_000))
    task = asyncio.create_task(second.run())
    await world.until(lambda b: isinstance(b, ev.StreamOpened) and b.stream == "S2")
    world.streams[-1].sink.put(out.StreamLive(True))
    world.streams[-1].over()
    assert await task is True


async def test_a_stream_that_never_came_about_is_a_gap_with_its_reason(world: World) -> None:
    run = world.meeting()
    run.announce(offer())
    task = asyncio.create_task(run.run())
    await world.until(lambda b: isinstance(b, ev.StreamOpened))
    await world.streams[0].running.wait()
    world.streams[0].sink.put(out.StreamOver(None, "status 3 INVALID_SIGNATURE", False))
    world.streams[0].ended.set()
    assert await task
    [gap] = world.log.state().missing()
    assert (gap.cause, gap.media, gap.from_ms) == ("not_connected", "all", T0)
    assert "INVALID_SIGNATURE" in gap.detail


async def test_words_sent_after_a_return_do_not_hide_the_hole_before_it(world: World) -> None:
    _, task, stream = await begin(world)
    stream.sink.put(out.ConnectionLost("all", "media_lost", "closed"))
    await world.until(lambda b: isinstance(b, ev.StreamChanged) and b.state == "interrupted")
    stream.sink.put(out.FirstPacket(T0 + 30_000))  # time goes on
    stream.sink.put(out.ConnectionBack("all"))
    late = out.TranscriptReceived(
        7, "Ada", T0 + 27_000, T0 + 28_500, T0 + 30_200, "hi", "en", "new"
    )
    stream.sink.put(late)
    gap = await world.until(lambda b: isinstance(b, ev.GapFound))
    assert isinstance(gap.body, ev.GapFound)
    assert gap.body.gap.to_ms >= T0 + 30_000
    stream.over()
    assert await task


async def test_halves_of_characters_and_absurd_times_break_nothing(world: World) -> None:
    _, task, stream = await begin(world)
    stream.sink.put(said("one", 1_000))
    year = 365 * 86_400_000
    stream.sink.put(out.ChatReceived("z", 8, "Bo\ud800b", T0 + 10 * year, "h\udc00i", "new"))
    await world.until(lambda b: isinstance(b, ev.MessageSaid))
    stream.over()
    assert await task
    state = world.log.state()
    assert [(m.speaker, m.text) for m in state.chat()] == [("Bo?b", "h?i")]
    assert state.ended is not None
    assert state.ended.at_ms < T0 + year
