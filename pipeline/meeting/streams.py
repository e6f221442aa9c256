"""The streams of one meeting: one after another, or several at a time (a contact center's)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from pipeline.base.clock import MeetingClock
from pipeline.base.errors import EngineError
from pipeline.meeting import heartbeat
from pipeline.meeting.again import Again
from pipeline.meeting.audio_intake import PartialFeed, RecordingFeed
from pipeline.meeting.heartbeat import Heartbeat
from pipeline.meeting.parts import Parts
from pipeline.meeting.recorder import Recorder
from pipeline.meeting.stream_run import StreamRun
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.model.state import MeetingState
from pipeline.model.view import StreamView
from pipeline.rtms.ending import forgotten
from pipeline.rtms.enums import RESTART_REASONS
from pipeline.rtms.outputs import StreamOver
from pipeline.rtms.products import Announcement

log = structlog.get_logger()

_STILL_ON_MS: Final = 300_000
"""A stream that broke off so long before this process was started is not started again: its
meeting's number may belong to the next meeting by now."""


class Streams:
    """Opens, feeds and ends the streams of a meeting; ``run`` returns when there are no more.

    ``recording`` opens the recording of a stream, None for none; ``partials`` is for all of them.
    ``had_any``: a stream was opened by this process. ``last_ended_ms``: meeting time.
    """

    def __init__(
        self,
        *,
        meeting_log: MeetingLog,
        state: MeetingState,
        recorder: Recorder,
        clock: MeetingClock,
        spool: Path,
        parts: Parts,
        on_engine: Callable[[EngineError | None], Awaitable[None]],
        partials: PartialFeed | None = None,
        recording: Callable[[str], RecordingFeed | None] = lambda _: None,
    ) -> None:
        self.had_any = False
        self.last_ended_ms = max(
            (s.at_ms for s in state.streams.values() if s.state == "ended"), default=None
        )
        self._log = meeting_log
        self._state = state
        self._recorder = recorder
        self._clock = clock
        self._spool = spool
        self._parts = parts
        self._on_engine = on_engine
        self._partials = partials
        self._recording = recording
        self._streams: dict[str, StreamRun] = {}
        self._announced: deque[StreamRun] = deque()  # Zoom has a few streams a meeting at most
        self._news = asyncio.Event()
        self._resumed: set[str] = set()
        self._cut_off: set[str] = set()  # by this process being down, not long ago
        self._begun: list[StreamRun] = []
        self._broken: tuple[Announcement, StreamOver] | None = None
        self._closing = False
        self._again = Again(meeting_log=meeting_log, state=state, parts=parts, now=self._now)

    @property
    def speaker(self) -> str | None:
        """Who speaks now, by Zoom's word."""
        return next((s.speaker for s in self._streams.values() if s.speaker), None)

    # -- what Zoom's webhooks say -------------------------------------------------------------

    def announce(self, announcement: Announcement) -> None:
        """A stream of this meeting: new, or known with other addresses (failover)."""
        known = self._streams.get(announcement.stream)
        if known is None and not is_past(self._state, announcement):
            self._open(announcement)
        elif known is None or _same(known.announcement, announcement):
            log.info("meeting.announced_twice", meeting=self._log.meeting)  # a webhook sent again
        elif known.over_ms is not None:
            known.successor = announcement  # once its end is in the log
        else:
            known.replaced(announcement)

    def resume(self) -> None:
        """Connect again the streams that the log says are open: this process was down."""
        beat = heartbeat.read(self._spool)
        if beat is None:
            beat = _last_sign(self._state)
        self._clock.observe(beat.now_ms(self._parts.clock, self._parts.speed))
        short = abs(self._parts.clock.now_ms() - beat.machine_ms) < _STILL_ON_MS
        for stream in self._state.streams.values():
            if stream.state != "ended":
                self._resumed.add(stream.id)
                if short:
                    self._cut_off.add(stream.id)
                self._open(self._announcement(stream), lost_ms=beat.meeting_ms)
        ended = next(reversed(self._state.streams.values()), None)
        if ended is None or self._streams or self._state.ended is not None:
            return
        recent = abs(self._parts.clock.now_ms() - ended.at_ms) < _STILL_ON_MS
        if ended.reason in RESTART_REASONS and recent:
            over = StreamOver(ended.reason, ended.detail, True)
            self._broken = (self._announcement(ended), over)

    def receives(self, stream: str) -> bool:
        """Whether this is a stream of this run."""
        return stream in self._streams

    def interrupted(self, stream: str, at_ms: int | None = None) -> None:
        """Zoom lost our connection to a stream, at this time of its clock."""
        known = self._streams.get(stream)
        if known is not None:
            known.interrupted(at_ms)

    def stopped(self, stream: str, reason: int | None) -> None:
        """A stream is over."""
        known = self._streams.get(stream)
        if known is not None:
            known.stopped(reason)

    async def close(self) -> None:
        """Let go of the streams. Zoom keeps them for a reconnection, unless the settings want them
        ended."""
        self._closing = True
        self._news.set()
        streams = list(self._streams.values())
        if self._parts.end_streams:
            await asyncio.gather(*(stream.end() for stream in streams))
        await asyncio.gather(*(stream.close() for stream in streams))

    # -- running --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until every stream is over and no other is expected, or until ``close``."""
        async with asyncio.TaskGroup() as group:
            running: set[asyncio.Task[None]] = set()
            waiting: asyncio.Task[None] | None = None
            while not self._closing:
                self._news.clear()
                if self._announced and waiting is not None:
                    waiting.cancel()
                    waiting = None
                while self._announced:
                    running.add(group.create_task(self._one_stream(self._announced.popleft())))
                if self._broken is not None:
                    broken, self._broken = self._broken, None
                    if waiting is not None:
                        waiting.cancel()
                    waiting = group.create_task(self._again.wait(*broken))
                if not running and (waiting is None or waiting.done()):
                    return
                news = asyncio.ensure_future(self._news.wait())
                others = {waiting} if waiting is not None and not waiting.done() else set()
                done, _ = await asyncio.wait(
                    {news, *running, *others}, return_when=asyncio.FIRST_COMPLETED
                )
                news.cancel()
                running -= done
            if waiting is not None:
                waiting.cancel()
        for stream in self._announced:  # at a shutdown: the next process takes them up
            await self._log.append(*self._opening(stream.announcement))

    async def _one_stream(self, stream: StreamRun) -> None:
        opening = self._opening(stream.announcement)
        self._begun.append(stream)
        await self._log.append(*opening)
        await self._again.came()
        over = await stream.run()
        self._begun.remove(stream)
        if over is not None:
            if over.forgotten and stream.id in self._cut_off:
                over = forgotten(True, over.detail)
            self._streams.pop(stream.id, None)
            self.last_ended_ms = max(self.last_ended_ms or 0, stream.over_ms or self._now())
            if stream.successor is not None:
                self._open(stream.successor)
            elif over.retryable and not self._followed(stream.over_ms):
                self._broken = (stream.announcement, over)

    def _followed(self, over_ms: int | None) -> bool:
        """Whether another stream was announced since one was over."""
        return over_ms is not None and any(
            other.announcement.announced_ms >= over_ms for other in self._streams.values()
        )

    def _opening(self, announcement: Announcement) -> list[ev.Body]:
        resumed = announcement.stream in self._resumed
        self._resumed.discard(announcement.stream)
        known = self._state.streams.get(announcement.stream)
        if not resumed and known is not None and known.state == "connecting":
            return []  # committed together with the meeting
        bodies: list[ev.Body] = [
            ev.StreamOpened(
                stream=announcement.stream,
                server_urls=announcement.server_urls,
                announced_ms=announcement.announced_ms,
                cause="resume" if resumed else "webhook",
                id_key=announcement.id_key or "",
                number=announcement.number or "",
            )
        ]
        ends = [s.over_ms for s in self._begun]
        alone = None not in ends
        last_ended_ms = max(
            (at_ms for at_ms in (self.last_ended_ms, *ends) if at_ms is not None), default=None
        )
        if last_ended_ms is not None and alone and not resumed:
            away_to = announcement.announced_ms
            if away_to > last_ended_ms:
                bodies += self._recorder.gap(
                    from_ms=last_ended_ms,
                    to_ms=away_to,
                    media="all",
                    cause="between_streams",
                    stream=announcement.stream,
                )
        return bodies

    def _open(self, announcement: Announcement, lost_ms: int | None = None) -> None:
        stream = StreamRun(
            announcement,
            meeting_log=self._log,
            state=self._state,
            recorder=self._recorder,
            clock=self._clock,
            machine=self._parts.clock,
            speed=self._parts.speed,
            spool=self._spool,
            audio=self._parts.audio,
            open_stream=self._parts.stream,
            on_engine=self._on_engine,
            lost_ms=lost_ms,
            images=self._spool.parent / "images",
            meeting=self._parts.meeting,
            hears=self._parts.engine != "native",
            partials=self._partials,
            recording=self._recording(announcement.stream),
        )
        self.had_any = True
        self._streams[stream.id] = stream
        self._announced.append(stream)
        self._news.set()

    def _announcement(self, stream: StreamView) -> Announcement:
        """As Zoom made it, from the log."""
        opened = self._state.opened
        assert opened is not None, "the log begins with meeting_opened"
        return Announcement(
            product=opened.product,
            zoom_id=opened.zoom_id,
            stream=stream.id,
            server_urls=stream.server_urls,
            announced_ms=stream.announced_ms,
            title=opened.title,
            id_key=stream.id_key or None,
            number=stream.number or None,
        )

    def _now(self) -> int:
        now = self._clock.now_ms()
        return self._state.view().started_ms if now is None else now


def is_past(state: MeetingState, announcement: Announcement) -> bool:
    """Whether a stream that is over was announced in the same words: a webhook that was sent again,
    to a process that does not remember it (section 2.5)."""
    stream = state.streams.get(announcement.stream)
    return (
        stream is not None
        and stream.state == "ended"
        and (stream.server_urls, stream.announced_ms)
        == (announcement.server_urls, announcement.announced_ms)
    )


def _same(one: Announcement, other: Announcement) -> bool:
    """Whether a webhook says nothing new (reference section 2.2)."""
    return (one.server_urls, one.announced_ms) == (other.server_urls, other.announced_ms)


def _last_sign(state: MeetingState) -> Heartbeat:
    """The newest meeting time that the log knows of, where no heartbeat was left."""
    times = [u.end_ms for u in state.utterances.values()]
    times += [m.at_ms for m in state.messages.values()]
    times += [s.end_ms for s in state.segments.values()]
    times += [s.at_ms for s in state.streams.values()]
    newest = max(times, default=state.view().started_ms)
    return Heartbeat(newest, newest)
