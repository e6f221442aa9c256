"""One stream of a meeting: what Zoom sends becomes events, its audio becomes spooled segments.

Receiving only hands over (``put``); everything else happens in tasks behind bounded queues. Audio
has a task of its own, because the chain may take long after a reconnection delivered a minute of
buffered audio, and words must not wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Literal

import structlog

from pipeline.audio.chain import AudioChain
from pipeline.audio.packet import UnusableAudio
from pipeline.audio.settings import AudioSettings
from pipeline.audio.spool import SpokenSegment
from pipeline.base.channel import Channel, Closed
from pipeline.base.clock import Clock, MeetingClock
from pipeline.base.errors import EngineError
from pipeline.meeting.native import NativeTranscript
from pipeline.meeting.patient_log import RETRY
from pipeline.meeting.recorder import UNSURE_MS, Recorder, sound
from pipeline.model import events as ev
from pipeline.model.gaps import REPLAY_SIGN_MS, GapMeter, Hole
from pipeline.model.log import MeetingLog
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out
from pipeline.rtms.products import Announcement
from pipeline.rtms.stream import RtmsStream, Sink

log = structlog.get_logger()

INBOX = 10_000
"""Words, people and states waiting for the log. Overflow rule: refused, measured as a gap."""

AUDIO = 20_000
"""Packets waiting for the audio chain: over eight minutes of four voices at 100 ms. The chain only
waits for the disk, so this fills when the disk stands still. Overflow rule: refused, measured as
a gap."""

_BATCH = 64
_TICK_S = 0.2


class _Mark(Enum):
    """Things that happen to a queue, in their place among what is in it."""

    BREAK = "the connection was lost here"
    TICK = "look at the time"


_Heard = out.AudioReceived | out.AudioFormat | _Mark
_Told = tuple[int, out.Output | Announcement | _Mark]


class StreamRun:
    """Receives one stream until it is over; a ``Sink`` for its ``RtmsStream``.

    ``lost_ms`` is set when the stream goes on after this process was down: meeting time at which
    it last heard anything.
    """

    def __init__(
        self,
        announcement: Announcement,
        *,
        meeting_log: MeetingLog,
        state: MeetingState,
        recorder: Recorder,
        clock: MeetingClock,
        machine: Clock,
        speed: float,
        spool: Path,
        audio: AudioSettings,
        open_stream: Callable[[Announcement, Sink], RtmsStream],
        on_engine: Callable[[EngineError | None], Awaitable[None]],
        lost_ms: int | None = None,
    ) -> None:
        self.announcement = announcement
        self.speaker: str | None = None
        self._speaking: str | None = None
        self._log = meeting_log
        self._recorder = recorder
        self._clock = clock
        self._machine = machine
        self._speed = speed
        self._spool = spool
        self._audio_settings = audio
        self._on_engine = on_engine
        self._native = NativeTranscript(recorder, announcement.stream, state.utterances.values())
        self._meter = GapMeter(sign_ms=round(REPLAY_SIGN_MS * max(1.0, speed)))
        self._holes: list[Hole] = []
        self._refused: dict[tuple[str, str], tuple[int, int]] = {}
        self._chain: AudioChain | None = None
        self._inbox: Channel[_Told] = Channel("stream", INBOX)
        self._audio: Channel[_Heard] = Channel("audio", AUDIO)
        self._heard_ms = 0
        self._heard_at = 0.0
        self._over: out.StreamOver | None = None
        self._was_live = False
        self.over_ms: int | None = None
        """Meeting time at which the stream was over, while what it brought is still taken in."""
        self.successor: Announcement | None = None
        """The stream was announced anew after it was over."""
        self._stream = open_stream(announcement, self)
        if lost_ms is not None:
            self._meter.lost("all", lost_ms, "process_down", unsure_ms=UNSURE_MS)

    @property
    def id(self) -> str:
        """Zoom's stream id."""
        return self.announcement.stream

    # -- the receiving task: hand over, nothing else ----------------------------------------

    def put(self, output: out.Output) -> None:
        """Take what the stream tells; never waits."""
        if isinstance(output, out.AudioReceived):
            self._saw("audio", output.timestamp_ms)
            if not self._audio.offer(output):
                self._refuse("audio", "overload", output.timestamp_ms)
            return
        match output:
            case out.TranscriptReceived(end_ms=end_ms, timestamp_ms=sent_ms):
                at_ms = max(end_ms, sent_ms)  # words come after they were said
                self._saw("transcript", at_ms)
            case out.ChatReceived(at_ms=at_ms):
                self._saw("chat", at_ms)
            case (
                out.PeopleJoined(at_ms=at_ms)
                | out.PeopleLeft(at_ms=at_ms)
                | out.SpeakerChanged(at_ms=at_ms)
                | out.FirstPacket(at_ms=at_ms)
            ):
                self._clock.observe(at_ms)
            case out.AudioFormat():
                at_ms = self._now()
                self._audio.offer(output)
            case out.ConnectionLost(media=media, cause=cause):
                at_ms = self._now()
                self._meter.lost(media, at_ms, cause)
                self._audio.offer(_Mark.BREAK)
            case out.ConnectionBack(media=media):
                at_ms = self._now()
                self._meter.back(media, at_ms)
            case out.StreamLive():
                at_ms = self._now()
                self._was_live = True
                self._meter.back("all", at_ms)  # process_down; other losses are told back by name
            case out.StreamOver():
                at_ms = self.over_ms = self._now()
                self._over = output
            case _:
                at_ms = self._now()
        if not self._inbox.offer((at_ms, output)):
            self._refuse("transcript", "overload", at_ms)

    def _saw(self, media: str, at_ms: int) -> None:
        self._clock.observe(at_ms)
        if self._meter.open:
            self._holes += self._meter.seen("all", at_ms) + self._meter.seen(media, at_ms)

    def _refuse(self, media: str, cause: str, at_ms: int) -> None:
        """Something could not be taken in; the next tick makes a gap of it."""
        first, last = self._refused.get((media, cause), (at_ms, at_ms))
        self._refused[media, cause] = (min(first, at_ms), max(last, at_ms))

    def _now(self) -> int:
        now = self._clock.now_ms()
        return self.announcement.announced_ms if now is None else now

    # -- from outside -----------------------------------------------------------------------

    def interrupted(self) -> None:
        """Zoom's webhook says that the connection is gone."""
        self._stream.interrupted()

    def replaced(self, announcement: Announcement) -> None:
        """The stream was announced anew with other addresses."""
        self.announcement = announcement
        self._inbox.offer((self._now(), announcement))
        self._stream.replaced(announcement)

    def stopped(self, reason: int | None) -> None:
        """Zoom's webhook says that the stream is over."""
        self._stream.stopped(reason)

    async def close(self) -> None:
        """The service shuts down; Zoom keeps the stream for a reconnection."""
        await self._stream.close()

    async def run(self) -> out.StreamOver | None:
        """Receive until the stream is over (how it ended) or closed (None).

        Everything received is in the log, and all audio durable, when it returns.
        """
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(self._tick())
            group.create_task(self._receive(ticking))
            group.create_task(self._take())
            group.create_task(self._listen())
        if self._over is not None and self.over_ms is not None:
            at_ms = self.over_ms
            await self._log.append(
                *self._recorder.holes(self._holes + self._meter.end(at_ms), self.id),
                *self._not_taken(),
                *self._never_received(self._over, at_ms),
                ev.StreamEnded(
                    stream=self.id,
                    at_ms=at_ms,
                    reason=self._over.reason,
                    detail=self._over.detail,
                ),
            )
        return self._over

    def _never_received(self, over: out.StreamOver, at_ms: int) -> list[ev.Body]:
        """A stream that never came about is a gap from its announcement on: nothing was heard."""
        if self._was_live or self._meter.open:
            return []
        log.warning("stream.never_received", stream=self.id, reason=over.reason, detail=over.detail)
        return self._recorder.gap(
            from_ms=self.announcement.announced_ms,
            to_ms=max(at_ms, self.announcement.announced_ms + 1),
            media="all",
            cause="not_connected",
            detail=f"the stream was never received: {over.detail}",
            stream=self.id,
        )

    # -- tasks ------------------------------------------------------------------------------

    async def _receive(self, ticking: asyncio.Task[None]) -> None:
        try:
            await self._stream.run()
        finally:
            ticking.cancel()
            self._inbox.close()
            self._audio.close()

    async def _tick(self) -> None:
        """Muted streams send nothing: time itself must end what fell silent."""
        while True:
            await self._machine.sleep(max(0.05, _TICK_S / max(1.0, self._speed)))
            if not len(self._audio):
                self._audio.offer(_Mark.TICK)
            if not len(self._inbox):
                self._inbox.offer((self._now(), _Mark.TICK))

    async def _take(self) -> None:
        async for at_ms, output in self._inbox:
            bodies = self._bodies(output, at_ms)
            holes, self._holes = self._holes, []
            bodies += self._recorder.holes(holes, self.id)
            if bodies:
                await self._log.append(*bodies)

    def _bodies(self, output: out.Output | Announcement | _Mark, at_ms: int) -> list[ev.Body]:
        """What goes into the log for one thing the stream told."""
        match output:
            case _Mark():
                self._holes += self._meter.tick(at_ms)
                return self._not_taken()
            case Announcement(server_urls=urls, announced_ms=announced_ms):
                return [
                    ev.StreamOpened(
                        stream=self.id,
                        server_urls=urls,
                        announced_ms=announced_ms,
                        cause="failover",
                    )
                ]
            case out.TranscriptReceived():
                return self._native.take(output)
            case out.ChatReceived():
                return self._recorder.typed(self.id, output)
            case out.PeopleJoined(people=people):
                return self._recorder.joined(people, at_ms)
            case out.PeopleLeft(participants=participants):
                if self._speaking in participants:
                    self.speaker = None
                return self._recorder.left(participants, at_ms)
            case out.SpeakerChanged(user_id=user_id, user_name=name):
                self._speaking = str(user_id)
                self.speaker = name or self._recorder.name_of(self._speaking)
                return []
            case out.StreamLive():
                return [self._changed("live", at_ms)]
            case out.ConnectionLost(media=media, detail=detail):
                what = "connection lost" if media == "all" else f"connection for {media} lost"
                return [self._changed("interrupted", at_ms, f"{what}: {detail}")]
            case out.ConnectionBack():
                return [] if self._meter.away else [self._changed("live", at_ms)]
            case out.StreamPaused():
                return [self._changed("paused", at_ms)]
            case out.StreamResumed():
                return [self._changed("live", at_ms)]
            case out.ProtocolFault(socket=socket, reason=reason, detail=detail):
                log.warning(
                    "stream.protocol_fault",
                    stream=self.id,
                    socket=socket,
                    reason=reason,
                    detail=detail,
                )
                return []
            case _:
                return []

    def _changed(
        self, state: Literal["live", "interrupted", "paused"], at_ms: int, detail: str = ""
    ) -> ev.StreamChanged:
        return ev.StreamChanged(stream=self.id, state=state, at_ms=at_ms, detail=detail)

    def _not_taken(self) -> list[ev.Body]:
        refused, self._refused = self._refused, {}
        return [
            body
            for (media, cause), (first, last) in refused.items()
            for body in self._recorder.gap(
                from_ms=first, to_ms=last + 1, media=media, cause=cause, stream=self.id
            )
        ]

    async def _listen(self) -> None:
        while (batch := await self._batch()) is not None:
            for kind, group in groupby(batch, key=type):
                if kind is out.AudioReceived:
                    await self._hear([p for p in group if isinstance(p, out.AudioReceived)])
                    continue
                for mark in group:
                    await self._mark(mark)
        await self._flush()

    async def _batch(self) -> list[_Heard] | None:
        """What is waiting, at most ``_BATCH`` of it; None when there will be nothing more."""
        try:
            batch = [await self._audio.get()]
            while len(self._audio) and len(batch) < _BATCH:
                batch.append(await self._audio.get())
        except Closed:
            return None
        return batch

    async def _hear(self, packets: list[out.AudioReceived]) -> None:
        if self._chain is None:
            for packet in packets:
                self._refuse("audio", "unusable_audio", packet.timestamp_ms)
            return
        try:
            spoken = await asyncio.to_thread(_push_all, self._chain, packets)
        except EngineError as error:
            log.exception("stream.no_vad", stream=self.id)
            await self._on_engine(error)
            self._chain = None
            await self._hear(packets)
            return
        self._heard_ms = packets[-1].timestamp_ms
        self._heard_at = self._machine.monotonic()
        await self._commit(spoken)

    async def _mark(self, mark: _Heard) -> None:
        if isinstance(mark, out.AudioFormat):
            await self._flush()
            await self._make_chain(mark)
        elif self._chain is None:
            return
        elif mark is _Mark.BREAK:
            await self._commit(await asyncio.to_thread(self._chain.break_off))
        elif self._heard_ms:
            ran_on = (self._machine.monotonic() - self._heard_at) * self._speed
            now = self._heard_ms + int(ran_on * 1000)
            await self._commit(await asyncio.to_thread(self._chain.tick, now))

    async def _make_chain(self, told: out.AudioFormat) -> None:
        try:
            self._chain = AudioChain(
                spool=self._spool,
                settings=self._audio_settings,
                codec=told.codec,
                sample_rate=told.sample_rate,
                channels=told.channels,
            )
        except UnusableAudio as error:
            log.exception("stream.unusable_audio", stream=self.id)
            await self._on_engine(EngineError(str(error), kind=error.kind))

    async def _flush(self) -> None:
        if self._chain is None:
            return
        await self._commit(await asyncio.to_thread(self._chain.flush))
        for delay in RETRY.delays():
            if not self._chain.pending:
                break
            await self._machine.sleep(delay)
            await self._commit(await asyncio.to_thread(self._chain.tick, self._now()))
        self._chain = None

    async def _commit(self, spoken: list[SpokenSegment]) -> None:
        assert self._chain is not None
        for segment in spoken:
            await self._log.append(*spooled(self._recorder, self.id, segment))
        for lost in self._chain.lost():
            await self._log.append(
                *self._recorder.gap(
                    from_ms=lost.start_ms,
                    to_ms=lost.end_ms,
                    media="audio",
                    cause="disk_full",
                    stream=self.id,
                    participant=lost.participant,
                )
            )


def spooled(recorder: Recorder, stream: str, segment: SpokenSegment) -> list[ev.Body]:
    """The event that makes a durable segment part of the meeting."""
    _, bodies = recorder.spooled(
        stream=stream,
        participant=segment.participant,
        speaker=segment.speaker,
        start_ms=segment.start_ms,
        end_ms=segment.end_ms,
        file=segment.file,
        samples=segment.samples,
    )
    return bodies


def _push_all(chain: AudioChain, packets: list[out.AudioReceived]) -> list[SpokenSegment]:
    return [
        segment
        for packet in packets
        for segment in chain.push(
            None if packet.user_id is None else str(packet.user_id),
            sound(packet.user_name) if packet.user_name else None,
            packet.timestamp_ms,
            packet.data,
        )
    ]
