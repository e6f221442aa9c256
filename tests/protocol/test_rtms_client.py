"""The whole client under any order of happenings: sockets' shell, recovery, machines, gaps, log.

A ``MeetingRun`` with a real ``RtmsStream`` receives from a Zoom in memory while connections are
lost, refused, replaced, and media is doubled, reordered, held up and comes late. Always: at most
one live connection a socket, a gapless log, every loss accounted for to the packet.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import structlog
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from pipeline.audio.chain import AudioChain
from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import ScriptedVad
from pipeline.base.clock import MeetingClock
from pipeline.base.secret import Secret
from pipeline.meeting import audio_intake
from pipeline.meeting.parts import Parts
from pipeline.meeting.run import MeetingRun
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.rtms import outputs as out
from pipeline.rtms.credentials import Credentials
from pipeline.rtms.enums import MediaType
from pipeline.rtms.products import Announcement
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.stream import RtmsStream, Sink
from pipeline.store.memory import MemoryLog
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.scripted import ScriptedEngine
from pipeline.transcribe.settings import TranscribeSettings
from tests.idle_clock import Steps
from tests.memory_zoom import EVERY_MS, START_MS, STREAM, WORDS_EVERY, ZOOM_ID, MemoryZoom, Told

TOLERANCE_MS = {"audio": EVERY_MS, "transcript": EVERY_MS * WORDS_EVERY}
URL = "ws://localhost:1/signaling"


class _Quiet:
    """Notes nothing."""

    def __init__(self, log: MeetingLog, clock: MeetingClock) -> None:
        self._stop = asyncio.Event()

    async def run(self) -> None:
        await self._stop.wait()

    async def finish(self) -> None:
        self._stop.set()


class _Kept:
    """A sink that keeps what it passes on."""

    def __init__(self, kept: list[out.Output], sink: Sink) -> None:
        self._kept = kept
        self._sink = sink

    def put(self, output: out.Output) -> None:
        self._kept.append(output)
        self._sink.put(output)


class Client(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = Steps(START_MS)
        self.spool = tempfile.TemporaryDirectory()
        self.quiet = mock.patch.object(
            audio_intake,
            "AudioChain",
            functools.partial(AudioChain, vad=lambda: ScriptedVad([0.0])),
        )
        self.quiet.start()
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        self.log = MemoryLog()
        self.outputs: list[out.Output] = []
        self.seq = 0

    @initialize(layout=st.sampled_from(["all", "split"]))
    def connect(self, layout: Any) -> None:
        self.zoom = MemoryZoom(self.steps.clock, layout)
        self.layout = layout
        self.steps.spawn(self.zoom.speak())
        self.steps.spawn(self.zoom.ping())
        opened = ev.MeetingOpened(
            product="meeting", zoom_id=ZOOM_ID, started_ms=START_MS, engine="native"
        )
        self.steps.spawn(self.log.append(opened))
        self.steps.settle()
        self.meeting = MeetingRun(
            meeting_log=self.log,
            state=self.log.state(),
            spool=Path(self.spool.name),
            parts=self.parts(),
        )
        self.meeting.announce(self.announcement(START_MS))
        self.running = self.steps.spawn(self.meeting.run())
        self.steps.settle()

    def announcement(self, at_ms: int) -> Announcement:
        return Announcement("meeting", ZOOM_ID, STREAM, URL, at_ms)

    def parts(self) -> Parts:
        def stream(announcement: Announcement, sink: Sink) -> RtmsStream:
            return RtmsStream(
                announcement,
                _Kept(self.outputs, sink),
                credentials=Credentials("cid", Secret("csec")),
                settings=RtmsSettings(allow_loopback=True, layout=self.layout),
                media=MediaType.AUDIO | MediaType.TRANSCRIPT,
                clock=self.steps.clock,
                rng=random.Random(1),
                connect=self.zoom.connect,
                resolver=lambda host, port: ["127.0.0.1"],
            )

        return Parts(
            engine="native",
            clock=self.steps.clock,
            speed=1.0,
            audio=AudioSettings(),
            pool=DecodePool(lambda: ScriptedEngine(), settings=TranscribeSettings(workers=1)),
            stream=stream,
            notes=_Quiet,  # type: ignore[arg-type]
            restart_grace_s=0.0,
        )

    @property
    def going_on(self) -> bool:
        return not self.zoom.over and not self.running.done()

    # -- what happens --------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.0, 2.0, 3.5, 8.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        self.steps.advance(seconds)

    @precondition(lambda self: self.going_on and self.media_up())
    @rule(
        data=st.data(),
        why=st.sampled_from(["dropped", "closed with 1001"]),
        told=st.sampled_from(["not", "some", "which"]),
    )
    def media_drops(self, data: Any, why: str, told: Told) -> None:
        path = data.draw(st.sampled_from(self.media_up()))
        self.steps.do(lambda: self.zoom.drop(path, why, told=told))

    @precondition(lambda self: self.going_on and "signaling" in self.zoom.live)
    @rule(why=st.sampled_from(["dropped", "closed with 1001"]), webhook=st.booleans())
    def signaling_drops(self, why: str, webhook: bool) -> None:
        self.steps.do(lambda: self.zoom.lose_everything(why))
        if webhook:
            self.steps.do(lambda: self.meeting.interrupted(STREAM))

    @precondition(lambda self: self.going_on)
    @rule()
    def server_fails_over(self) -> None:
        self.steps.do(lambda: self.zoom.lose_everything("dropped"))
        again = self.announcement(START_MS + round(self.steps.now * 1000))
        self.steps.do(lambda: self.meeting.announce(again))

    @precondition(lambda self: self.going_on and self.zoom.whole)
    @rule(keep=st.booleans())
    def next_losses_are_kept_or_not(self, keep: bool) -> None:
        self.zoom.keep = keep

    @precondition(lambda self: self.going_on)
    @rule(what=st.lists(st.sampled_from([None, 8, 45]), min_size=1, max_size=3))
    def next_dials_fail(self, what: list[int | None]) -> None:
        self.zoom.refuse.extend(what)

    @rule(count=st.integers(1, 3))
    def media_is_doubled(self, count: int) -> None:
        self.zoom.twice = count

    @rule()
    def media_is_reordered(self) -> None:
        self.zoom.held_back = 2

    @rule(stalled=st.booleans())
    def media_is_held_up(self, stalled: bool) -> None:
        if stalled:
            self.zoom.stalled = True
        else:
            self.steps.do(self.zoom.release)

    @precondition(lambda self: self.going_on and self.zoom.whole and self.steps.now > 5)
    @rule(webhook=st.sampled_from(["none", "before", "after"]), late=st.booleans())
    def zoom_ends_the_stream(self, webhook: str, late: bool) -> None:
        """In-band, with media still under way if ``late``, and by webhook."""
        self.zoom.stalled = late
        self.steps.advance(0.35)
        if not self.zoom.whole:
            return
        self.zoom.over = True
        if webhook == "before":
            self.steps.do(lambda: self.meeting.stopped(STREAM, 6))
        self.steps.do(lambda: self.zoom.say({"msg_type": 8, "state": 4, "reason": 6}))
        self.steps.advance(0.2)
        self.steps.do(self.zoom.release)
        self.steps.do(lambda: self.zoom.lose_everything("closed with 1000"))
        if webhook == "after":
            self.steps.do(lambda: self.meeting.stopped(STREAM, 6))

    def media_up(self) -> list[str]:
        return sorted(path for path, wire in self.zoom.live.items() if wire.carries)

    # -- what always holds ---------------------------------------------------------------------

    @invariant()
    def one_live_connection(self) -> None:
        if hasattr(self, "zoom"):
            assert self.zoom.doubles == []

    @invariant()
    def the_log_is_gapless(self) -> None:
        for event in self.log._events[self.seq :]:
            self.seq += 1
            assert event.seq == self.seq

    def teardown(self) -> None:
        try:
            if hasattr(self, "zoom"):
                self.end()
                self.everything_is_accounted_for()
        finally:
            self.steps.close()
            self.quiet.stop()
            structlog.reset_defaults()
            self.spool.cleanup()

    def end(self) -> None:
        """Zoom lets the client back in, and then ends the stream."""
        self.zoom.refuse.clear()
        self.steps.do(self.zoom.release)
        self.steps.advance(80)
        if self.going_on:
            assert self.zoom.whole, "not back after 80 s in which nothing stood in the way"
            self.zoom.over = True
            self.steps.do(lambda: self.zoom.say({"msg_type": 8, "state": 4, "reason": 6}))
        self.steps.advance(10)
        assert self.running.done()

    def everything_is_accounted_for(self) -> None:
        state = self.log.state()
        last = self.outputs[-1]
        assert isinstance(last, out.StreamOver)
        [stream] = state.streams.values()
        heard = Counter(o.timestamp_ms for o in self.outputs if isinstance(o, out.AudioReceived))
        words = {u.text for u in state.transcript()}
        produced = self.zoom.produced
        missing = {
            "audio": [at for at in produced["audio"] if at not in heard],
            "transcript": [at for at in produced["transcript"] if f"words {at}" not in words],
        }
        gaps = [e.body.gap for e in self.log._events if isinstance(e.body, ev.GapFound)]
        lost = [
            (e.body.at_ms, e.body.at_ms + EVERY_MS)  # our clock goes by packets, and their start
            for e in self.log._events
            if isinstance(e.body, ev.StreamChanged) and e.body.state == "interrupted"
        ]
        for media, times in missing.items():
            slack = TOLERANCE_MS[media]
            spans = [(g.from_ms, g.to_ms) for g in gaps if g.media in ("all", media)]
            spans += lost  # what was on its way is lost even if the rest is sent again
            spans.append((stream.at_ms, 1 << 62))  # over is over
            for at in times:
                assert any(a - slack <= at and at + EVERY_MS <= b + slack for a, b in spans), (
                    f"{media} of {at - START_MS} is missing, gaps are "
                    f"{[(a - START_MS, b - START_MS) for a, b in spans]}"
                )
        for gap in gaps:  # words are too rare to prove that they were sent again
            inside = [at for at in missing["audio"] if gap.from_ms - EVERY_MS <= at <= gap.to_ms]
            if gap.media in ("all", "audio") and gap.to_ms - gap.from_ms > EVERY_MS:
                assert inside, f"nothing is missing in the gap {gap.from_ms - START_MS}.."


TestClient = Client.TestCase
TestClient.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
