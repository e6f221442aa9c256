"""One stream of a meeting: what Zoom sends becomes events, its audio becomes spooled segments.

Receiving only hands over (``put``); everything else happens in tasks behind bounded queues: words
and states here, audio and images in intakes of their own, so that words wait for neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from pathlib import Path
from typing import Literal

import structlog

from pipeline.audio.settings import AudioSettings
from pipeline.base import metrics
from pipeline.base.channel import Channel
from pipeline.base.clock import Clock, MeetingClock
from pipeline.base.errors import EngineError
from pipeline.meeting.audio_intake import AudioIntake, PartialFeed, RecordingFeed
from pipeline.meeting.images.intake import ImageIntake
from pipeline.meeting.native import NativeTranscript
from pipeline.meeting.recorder import UNSURE_MS, Recorder
from pipeline.meeting.settings import MeetingSettings
from pipeline.meeting.source import OpenStream
from pipeline.meeting.unread import Unreads
from pipeline.model import events as ev
from pipeline.model.gaps import REPLAY_SIGN_MS, GapMeter, Hole
from pipeline.model.happening import ImageMedia
from pipeline.model.log import MeetingLog
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out
from pipeline.rtms.products import Announcement

log = structlog.get_logger()

INBOX = 10_000
"""Words, people and states waiting for the log. Overflow rule: refused, measured as a gap."""

SLACK_MS = 50
"""What meeting time is worth at the moment of a loss: it runs on by the machine's clock."""

LONGEST_PACKET_MS = 100
"""Of audio, before it is told (``send_rate`` is 100 by default)."""

IMAGES_FLOW_MS = 5_000
"""Images that came so shortly before a loss would have gone on: a screen is sent once a second."""

_DEFAULTS = MeetingSettings()
_TICK_S = 0.2


class _Mark(Enum):
    """Things that happen to a queue, in their place among what is in it."""

    TICK = "look at the time"


_Told = tuple[int, out.Output | Announcement | _Mark]


class StreamRun:
    """Receives one stream until it is over; a ``Sink`` for its ``RtmsStream``.

    ``lost_ms`` is set when the stream goes on after this process was down: meeting time at which
    it last heard anything. ``images``: the folder for pictures, None when there are to be none.
    ``hears``: audio is to be transcribed; else it is only recorded (``recording``), or tells the
    time.
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
        open_stream: OpenStream,
        on_engine: Callable[[EngineError | None], Awaitable[None]],
        lost_ms: int | None = None,
        images: Path | None = None,
        meeting: MeetingSettings = _DEFAULTS,
        hears: bool = True,
        partials: PartialFeed | None = None,
        recording: RecordingFeed | None = None,
    ) -> None:
        self.announcement = announcement
        self.speaker: str | None = None
        self._speaking: str | None = None
        self._log = meeting_log
        self._hears = hears or recording is not None
        self._recorder = recorder
        self._clock = clock
        self._machine = machine
        self._speed = speed
        self._native = NativeTranscript(recorder, announcement.stream, state.utterances.values())
        self._announced_ms = announcement.announced_ms
        self._made_at = machine.monotonic()
        self._slack_ms = round(SLACK_MS * max(1.0, speed))
        self._meter = GapMeter(
            sign_ms=round(REPLAY_SIGN_MS * max(1.0, speed)),
            continues_ms=LONGEST_PACKET_MS + self._slack_ms,
        )
        self._unread = Unreads(LONGEST_PACKET_MS)
        self._packet_ms = LONGEST_PACKET_MS
        self._holes: list[Hole] = []
        self._refused: dict[tuple[str, str], tuple[int, int]] = {}
        self._inbox: Channel[_Told] = Channel("stream", INBOX)
        self._audio = AudioIntake(
            stream=announcement.stream,
            spool=spool,
            settings=audio,
            recorder=recorder,
            meeting_log=meeting_log,
            machine=machine,
            speed=speed,
            now=self._now,
            refuse=lambda cause, at_ms: self._refuse("audio", cause, at_ms),
            on_engine=on_engine,
            partials=partials,
            recording=recording,
            hears=hears,
        )
        self._images = (
            None
            if images is None
            else ImageIntake(
                stream=announcement.stream,
                folder=images,
                settings=meeting,
                recorder=recorder,
                commit=self._append,
            )
        )
        self._over: out.StreamOver | None = None
        self._was_live = False
        self._jumped = False
        self.over_ms: int | None = None
        """Meeting time at which the stream was over, while what it brought is still taken in."""
        self.successor: Announcement | None = None
        """The stream was announced anew after it was over."""
        self._stream = open_stream(announcement, self)
        self._image_ms: dict[ImageMedia, int] = {}  # of media that came until now
        if lost_ms is not None:
            known = state.streams.get(announcement.stream)
            if known is not None and known.state == "paused":  # Zoom tells it again if it still is
                self._meter.paused(known.at_ms)
                self._holes += self._meter.resumed(lost_ms)
            self._meter.lost("all", lost_ms, "process_down", unsure_ms=UNSURE_MS)
            self._image_ms = dict.fromkeys(_shown(state, announcement.stream), lost_ms)
            self._lost_images("all", lost_ms, "process_down")

    @property
    def id(self) -> str:
        """Zoom's stream id."""
        return self.announcement.stream

    # -- the receiving task: hand over, nothing else ----------------------------------------

    def put(self, output: out.Output) -> None:
        """Take what the stream tells; never waits."""
        if isinstance(output, out.AudioReceived):
            self._saw("audio", output.timestamp_ms, self._packet_ms)
            participant = None if output.user_id is None else str(output.user_id)
            self._unread.heard(participant, output.timestamp_ms)
            if self._hears and not self._audio.put(output):
                self._refuse("audio", "overload", output.timestamp_ms)
            return
        if isinstance(output, out.ImageReceived):
            self._saw_image(output.media, output.timestamp_ms)
            if self._images is not None:
                self._images.put(output)
            return
        match output:
            case out.TranscriptReceived(end_ms=end_ms, timestamp_ms=sent_ms):
                at_ms = max(end_ms, sent_ms)  # words come after they were said
                self._saw("transcript", at_ms)
                self._unread.said(end_ms)
            case out.ChatReceived(at_ms=at_ms):
                self._saw("chat", at_ms)
            case (
                out.PeopleJoined(at_ms=at_ms)
                | out.PeopleLeft(at_ms=at_ms)
                | out.SpeakerChanged(at_ms=at_ms)
                | out.FirstPacket(at_ms=at_ms)
                | out.CamerasChanged(at_ms=at_ms)
                | out.ChatGroupChanged(at_ms=at_ms)
                | out.CallEvent(at_ms=at_ms)
                | out.SessionChanged(at_ms=at_ms)
            ):
                self._observe(at_ms)
                if isinstance(output, out.SpeakerChanged) and self._hears:
                    self._audio.speaker(output)
            case out.SharingStarted(at_ms=at_ms) | out.SharingStopped(at_ms=at_ms):
                self._observe(at_ms)
                if isinstance(output, out.SharingStopped):
                    self._image_ms.pop("deskshare", None)
                if self._images is not None:
                    self._images.put(output)
            case out.ImageFormat():
                if self._images is not None:
                    self._images.put(output)
                return
            case out.AudioFormat(send_rate_ms=send_rate_ms):
                at_ms = self._now()
                self._packet_ms = send_rate_ms
                self._meter.continues_ms = send_rate_ms + self._slack_ms
                self._unread.every_ms = send_rate_ms
                if self._hears:
                    self._audio.format(output)
            case out.ConnectionLost(media=media, cause=cause, silent_ms=silent_ms):
                at_ms = self._now()
                # What Zoom sent into a dead connection is gone, whatever it replays later.
                self._meter.lost(media, at_ms - silent_ms, cause, unsure_ms=silent_ms)
                self._lost_images(media, at_ms - silent_ms, cause)
                self._audio.break_off()
                if self._images is not None:
                    self._images.break_off()
            case out.ConnectionBack(media=media):
                at_ms = self._now()
                self._back(media, at_ms)
            case out.StreamLive():
                at_ms = self._now()
                self._was_live = True
                self._back("all", at_ms)  # process_down; other losses are told back by name
            case out.StreamPaused():
                at_ms = self._now()
                self._meter.paused(at_ms)
            case out.StreamResumed():
                at_ms = self._now()
                self._holes += self._meter.resumed(at_ms)
            case out.Unread(media=media):
                if media not in ("video", "deskshare"):  # another image comes soon
                    self._holes += self._unread.lost(media, self._now())
                return
            case out.StreamOver():
                at_ms = self.over_ms = self._now()
                self._over = output
            case _:
                at_ms = self._now()
        if not self._inbox.offer((at_ms, output)):
            self._refuse("transcript", "overload", at_ms)

    async def room(self) -> None:
        """Wait until most of what was put is taken in: for a source that could send faster than
        life."""
        await self._audio.room()

    def missing(self, hole: Hole) -> None:
        """The source knows of something that it could not read."""
        self._holes.append(hole)

    def _observe(self, at_ms: int) -> None:
        """A time that was stated. One that cannot be is told once; the words are kept with it."""
        off_ms = self._clock.observe(at_ms)
        if off_ms and not self._jumped:
            self._jumped = True
            metrics.PROTOCOL_ERRORS.labels("stream", "clock_jump").inc()
            detail = f"a timestamp is {off_ms / 1000:+,.0f} s from the meeting's time"
            fault = out.ProtocolFault("stream", "clock_jump", detail)
            self._inbox.offer((at_ms - off_ms, fault))

    def _saw(self, media: str, at_ms: int, lasts_ms: int = 0) -> None:
        self._observe(at_ms)
        if self._meter.open:
            for one in ("all", media):
                self._holes += self._meter.seen(one, at_ms, lasts_ms=lasts_ms)

    def _saw_image(self, media: ImageMedia, at_ms: int) -> None:
        """Images are never buffered by Zoom (reference section 12.1): they say nothing of the other
        media of a socket."""
        self._observe(at_ms)
        self._image_ms[media] = max(at_ms, self._image_ms.get(media, at_ms))
        away = self._meter.open
        if away and "all" not in away:  # else what is said of everything goes first
            self._holes += self._meter.seen(media, at_ms)

    def _lost_images(self, media: str, at_ms: int, cause: str) -> None:
        """Nor does a replay of words and audio bring them back: what was on a shared screen, or on
        video that is saved, is missing on its own."""
        for one, seen_ms in self._image_ms.items():
            wanted = self._images is not None and self._images.wants(one)
            if media == "all" and wanted and at_ms - seen_ms <= IMAGES_FLOW_MS:
                self._meter.lost(one, at_ms, cause)

    def _back(self, media: str, at_ms: int) -> None:
        self._meter.back(media, at_ms)
        if media == "all":
            self._meter.back("video", at_ms)
            self._meter.back("deskshare", at_ms)

    def _refuse(self, media: str, cause: str, at_ms: int) -> None:
        """Something could not be taken in; the next tick makes a gap of it."""
        first, last = self._refused.get((media, cause), (at_ms, at_ms))
        self._refused[media, cause] = (min(first, at_ms), max(last, at_ms))

    def _now(self) -> int:
        """Meeting time; it runs on from the announcement until the first timestamp is known."""
        now = self._clock.now_ms()
        if now is not None:
            return now
        ran_on = (self._machine.monotonic() - self._made_at) * self._speed
        return self._announced_ms + int(ran_on * 1000)

    # -- from outside -----------------------------------------------------------------------

    def interrupted(self, at_ms: int | None = None) -> None:
        """Zoom's webhook says that the connection is gone (since ``at_ms``, Unix ms)."""
        self._stream.interrupted(at_ms)

    def replaced(self, announcement: Announcement) -> None:
        """The stream was announced anew with other addresses."""
        self.announcement = announcement
        self._inbox.offer((self._now(), announcement))
        self._stream.replaced(announcement)

    def stopped(self, reason: int | None) -> None:
        """Zoom's webhook says that the stream is over."""
        self._stream.stopped(reason)

    async def close(self) -> None:
        """The service shuts down; Zoom keeps the stream for a reconnection, a file can be read
        again."""
        if self.announcement.product == "file":
            self._audio.forget_open()
        await self._stream.close()

    async def end(self) -> None:
        """Ask Zoom to end the stream; ``run`` then returns how it ended."""
        await self._stream.end()

    async def run(self) -> out.StreamOver | None:
        """Receive until the stream is over (how it ended) or closed (None).

        Everything received is in the log, and all audio durable, when it returns.
        """
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(self._tick())
            group.create_task(self._receive(ticking))
            group.create_task(self._take())
            group.create_task(self._audio.run())
            if self._images is not None:
                group.create_task(self._images.run())
        if self._over is not None and self.over_ms is not None:
            at_ms = self.over_ms
            never = self._never_received(self._over, at_ms)  # before the losses are closed
            await self._log.append(
                *self._recorder.holes(
                    self._holes + self._unread.end() + self._meter.end(at_ms), self.id
                ),
                *self._not_taken(),
                *never,
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
            detail=f"nothing was received: {over.detail}",
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
            if self._images is not None:
                self._images.close()

    async def _tick(self) -> None:
        """Muted streams send nothing: time itself must end what fell silent."""
        while True:
            await self._machine.sleep(max(0.05, _TICK_S / max(1.0, self._speed)))
            self._audio.tick()
            if not len(self._inbox):
                self._inbox.offer((self._now(), _Mark.TICK))
            if self._images is not None:
                self._images.tick(self._now())

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
                self._holes += self._meter.tick(at_ms) + self._unread.tick(at_ms)
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
            case out.ChatGroupChanged():
                return self._recorder.chat.groups(self.id, output)
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
            case _:
                return self._beside(output, at_ms)

    def _beside(self, output: out.Output, at_ms: int) -> list[ev.Body]:
        """What happened beside what was said."""
        beside = self._recorder.beside
        match output:
            case out.SharingStarted():
                return beside.sharing_started(self.id, output)
            case out.SharingStopped():
                return beside.sharing_stopped(self.id, at_ms)
            case out.CallEvent():
                return beside.call(self.id, output)
            case out.SessionChanged():
                return beside.session(self.id, output)
            case out.VideoSubscribed(user_id=user_id, status=status, reason=reason) if status:
                output = out.ProtocolFault(
                    socket="signaling",
                    reason="video_subscription",
                    detail=f"the video of {user_id} was refused with status {status}: {reason}",
                )
                return self._beside(output, at_ms)
            case out.ProtocolFault(socket=socket, reason=reason, detail=detail, sample=sample):
                log.warning(
                    "stream.protocol_fault",
                    stream=self.id,
                    socket=socket,
                    reason=reason,
                    detail=detail,
                    sample=sample.decode("utf-8", "replace"),
                )
                return beside.fault(self.id, output, at_ms)
            case _:
                return []

    def _changed(
        self, state: Literal["live", "interrupted", "paused"], at_ms: int, detail: str = ""
    ) -> ev.StreamChanged:
        return ev.StreamChanged(stream=self.id, state=state, at_ms=at_ms, detail=detail)

    async def _append(self, bodies: list[ev.Body]) -> None:
        await self._log.append(*bodies)

    def _not_taken(self) -> list[ev.Body]:
        refused, self._refused = self._refused, {}
        return [
            body
            for (media, cause), (first, last) in refused.items()
            for body in self._recorder.gap(
                from_ms=first, to_ms=last + 1, media=media, cause=cause, stream=self.id
            )
        ]


def _shown(state: MeetingState, stream: str) -> set[ImageMedia]:
    """What a stream showed when its log broke off."""
    shown: set[ImageMedia] = {
        clip.media for clip in state.clips.values() if clip.stream == stream and not clip.to_ms
    }
    last = next(
        (h for h in reversed(state.happened()) if h.stream == stream and h.kind != "call"), None
    )
    if last is not None and last.kind == "sharing_started":
        shown.add("deskshare")
    return shown
