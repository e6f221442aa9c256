"""A process that receives streams with our whole client: real sockets, decoding, state machines,
and the hand-over into a queue that is drained, as a meeting does it."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Final

from pipeline.base import log
from pipeline.base.channel import Channel, Closed
from pipeline.base.clock import Clock, MeetingClock, SystemClock
from pipeline.base.secret import Secret
from pipeline.evaluate.bench.child import Parent, serve_client
from pipeline.evaluate.bench.plan import Target
from pipeline.evaluate.bench.window import measured, run_loop
from pipeline.meeting.audio_intake import AUDIO
from pipeline.model.gaps import GapMeter
from pipeline.rtms import outputs as out
from pipeline.rtms.credentials import Credentials
from pipeline.rtms.enums import MediaType
from pipeline.rtms.products import Announcement
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.stream import RtmsStream

_FIRST_AUDIO_S: Final = 60.0
_BATCH: Final = 64


class _Meeting:
    """What a meeting does with audio on the receiving task (``StreamRun.put``) and behind the
    queue (``AudioIntake``), up to the point where samples would be looked at."""

    def __init__(self, clock: Clock, phase_ms: float, arrivals: list[float] | None) -> None:
        self._clock = MeetingClock(clock)
        self._meter = GapMeter()
        self._audio: Channel[out.AudioReceived] = Channel("audio", AUDIO)
        self._phase_ms = phase_ms
        self._arrivals = arrivals
        self.messages = 0
        self.first = asyncio.Event()
        self.over: out.StreamOver | None = None

    def put(self, output: out.Output) -> None:
        """Take what the stream tells."""
        if isinstance(output, out.AudioReceived):
            if self._arrivals is not None:
                at = time.monotonic() * 1000
                self._arrivals.append(at - output.timestamp_ms - self._phase_ms)
            self._clock.observe(output.timestamp_ms)
            if self._meter.open:
                self._meter.seen("all", output.timestamp_ms)
                self._meter.seen("audio", output.timestamp_ms)
            if self._audio.offer(output):
                self.messages += 1
        elif isinstance(output, out.StreamOver):
            self.over = output
            self._audio.close()
            self.first.set()

    async def drain(self) -> None:
        """Take everything out again."""
        try:
            while True:
                batch = [await self._audio.get()]
                while len(self._audio) and len(batch) < _BATCH:
                    batch.append(await self._audio.get())
                self.first.set()
        except Closed:
            return


async def _receive(parent: Parent) -> None:
    plan = parent.plan
    clock = SystemClock()
    settings = RtmsSettings(allow_loopback=True, ca_file=plan.ca_file, send_rate_ms=20)
    credentials = Credentials(plan.client_id, Secret(plan.client_secret))
    arrivals: list[float] | None = [] if plan.delays else None

    def stream(target: Target, sink: _Meeting) -> RtmsStream:
        return RtmsStream(
            Announcement(
                "meeting", target.zoom_id, target.stream, target.signaling_url, clock.now_ms()
            ),
            sink,
            credentials=credentials,
            settings=settings,
            media=MediaType.AUDIO,
            clock=clock,
            rng=random.Random(1),  # noqa: S311 - not a secret
        )

    tasks = []
    meetings = []
    for target in plan.targets:
        meeting = _Meeting(clock, target.phase_ms, arrivals)
        meetings.append(meeting)
        tasks.append(asyncio.create_task(meeting.drain()))
        tasks.append(asyncio.create_task(stream(target, meeting).run()))
        await asyncio.sleep(0.005)  # webhooks do not come all at once either
    async with asyncio.timeout(_FIRST_AUDIO_S):
        for meeting in meetings:
            await meeting.first.wait()
            if meeting.over is not None:
                raise ConnectionError(meeting.over.detail)

    parent.steady()

    def count() -> float:
        return sum(meeting.messages for meeting in meetings)

    await asyncio.to_thread(parent.report, await measured(plan, count, arrivals))


if __name__ == "__main__":
    log.set_up(level="warning")
    serve_client(lambda parent: run_loop(_receive(parent)))
