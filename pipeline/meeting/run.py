"""One meeting: its streams, its transcriber and its notes in one task group.

Built from the log and able to start at any point of it: a new meeting, one that a killed process
left, one whose streams are over but whose last segments or final notes are not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import structlog

from pipeline.audio.spool import discard, recover
from pipeline.base import metrics
from pipeline.base.clock import MeetingClock
from pipeline.base.errors import EngineError, StorageError
from pipeline.meeting import heartbeat
from pipeline.meeting.heartbeat import Heartbeat
from pipeline.meeting.parts import Parts
from pipeline.meeting.patient_log import PatientLog
from pipeline.meeting.recorder import Recorder
from pipeline.meeting.stream_run import StreamRun, spooled
from pipeline.meeting.transcriber import Transcriber
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.model.state import MeetingState
from pipeline.rtms.enums import RESTART_REASONS
from pipeline.rtms.products import Announcement
from pipeline.summarize.notes import NotesStage

log = structlog.get_logger()

_BEAT_S = 1.0


class MeetingRun:
    """Receives, transcribes and notes one meeting until everything about it is done.

    ``state`` is the meeting so far, the replay of ``meeting_log``. Call ``announce`` for new
    streams, or ``resume`` once for those the log says are still open, then ``run``.
    """

    def __init__(
        self, *, meeting_log: MeetingLog, state: MeetingState, spool: Path, parts: Parts
    ) -> None:
        self._state = state
        self._parts = parts
        self._spool = spool
        self.trouble: StorageError | None = None
        self._log = PatientLog(
            meeting_log, parts.clock, self._on_storage, retry=parts.storage_retry
        )
        self._recorder = Recorder(state, parts.engine)
        self._clock = MeetingClock(parts.clock, parts.speed)
        self._streams: dict[str, StreamRun] = {}
        self._announced: deque[StreamRun] = deque()  # Zoom has a few streams a meeting at most
        self._news = asyncio.Event()
        self._last_ended_ms = max(
            (s.at_ms for s in state.streams.values() if s.state == "ended"), default=None
        )
        self._had_streams = False
        self._resumed: set[str] = set()
        self._begun: list[StreamRun] = []
        self._restart_expected = False
        self._accepting = True
        self._closing = asyncio.Event()
        self._refusals = 0
        health = state.stages.get("transcribe")
        self._engine_failures = health.count if health is not None else 0
        self._engine_well = health is None or health.state == "ok"

    @property
    def meeting(self) -> str:
        """Our id."""
        return self._log.meeting

    @property
    def zoom_id(self) -> str:
        """Zoom's id of the meeting."""
        return self._opened.zoom_id

    @property
    def now_ms(self) -> int | None:
        """Meeting time."""
        return self._clock.now_ms()

    @property
    def speaker(self) -> str | None:
        """Who speaks now, by Zoom's word."""
        return next((s.speaker for s in self._streams.values() if s.speaker), None)

    @property
    def accepting(self) -> bool:
        """Whether another stream can still join this run."""
        return self._accepting

    # -- what Zoom's webhooks say -------------------------------------------------------------

    def announce(self, announcement: Announcement) -> None:
        """A stream of this meeting: new, or known with other addresses (failover)."""
        known = self._streams.get(announcement.stream)
        if known is None:
            self._open(announcement)
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
        for stream in self._state.streams.values():
            if stream.state != "ended":
                announcement = Announcement(
                    product=self._opened.product,
                    zoom_id=self._opened.zoom_id,
                    stream=stream.id,
                    server_urls=stream.server_urls,
                    announced_ms=stream.announced_ms,
                    title=self._opened.title,
                )
                self._resumed.add(stream.id)
                self._open(announcement, lost_ms=beat.meeting_ms)
        ended = list(self._state.streams.values())[-1:]
        if not self._streams and self._state.ended is None and ended:
            self._restart_expected = ended[0].reason in RESTART_REASONS

    def interrupted(self, stream: str) -> None:
        """Zoom lost our connection to a stream."""
        known = self._streams.get(stream)
        if known is not None:
            known.interrupted()

    def stopped(self, stream: str, reason: int | None) -> None:
        """A stream is over."""
        known = self._streams.get(stream)
        if known is not None:
            known.stopped(reason)

    def give_way(self) -> None:
        """A stream was announced while the end is worked out (not ``accepting``): stop, as for a
        shutdown. The next run takes up pending words and notes from the log."""
        self._closing.set()

    async def close(self) -> None:
        """Stop receiving and make durable what was heard; the meeting stays live in the log."""
        self._closing.set()
        self._news.set()
        await asyncio.gather(*(stream.close() for stream in self._streams.values()))

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
        )
        self._had_streams = True
        self._streams[stream.id] = stream
        self._announced.append(stream)
        self._news.set()

    @property
    def _opened(self) -> ev.MeetingOpened:
        assert self._state.opened is not None, "the log begins with meeting_opened"
        return self._state.opened

    # -- running --------------------------------------------------------------------------------

    async def run(self) -> bool:
        """Until the meeting is finished (True), or left for another run to go on from its log
        (False): it was closed, gave way, or holds audio that only another process can transcribe.

        Raises StorageError when the store refuses for good.
        """
        metrics.ACTIVE_MEETINGS.inc()
        try:
            return await self._run()
        finally:
            metrics.ACTIVE_MEETINGS.dec()

    async def _run(self) -> bool:
        await self._adopt_spool()
        notes = self._parts.notes(self._log, self._clock)
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(self._beat())
            noting = group.create_task(self._supervised(notes.run()))
            transcribing = group.create_task(self._transcribe())
            await self._receive()
            self._accepting = False
            tasks: list[asyncio.Task[Any]] = [beating, noting, transcribing]
            finished = False
            if not self._closing.is_set():
                finishing = group.create_task(self._finish(notes, noting, transcribing))
                stopping = group.create_task(self._closing.wait())
                await asyncio.wait({finishing, stopping}, return_when=asyncio.FIRST_COMPLETED)
                finished = finishing.done() and finishing.result()
                tasks += [finishing, stopping]
            for task in tasks:
                task.cancel()
            if not finished:
                return False
        await asyncio.to_thread(heartbeat.remove, self._spool)
        return True

    async def _finish(
        self, notes: NotesStage, noting: asyncio.Task[bool], transcribing: asyncio.Task[int]
    ) -> bool:
        """The last words and the final notes; broken off by ``close`` and ``give_way``. False when
        audio is left that only another process can transcribe."""
        await self._log.append(ev.MeetingEnded(at_ms=self._ended_ms()))
        kept = await transcribing
        if not await self._supervised(notes.finish()):
            await self._log.append(*await self._unread())
        await noting
        if kept:
            log.error("meeting.audio_kept", meeting=self.meeting, segments=kept)
            return False
        await self._log.append(ev.MeetingFinished(at_ms=self._now()))
        return True

    async def _receive(self) -> None:
        """Until every stream is over and no other is expected, or the run is closed."""
        async with asyncio.TaskGroup() as group:
            running: set[asyncio.Task[None]] = set()
            while not self._closing.is_set():
                if not running and not await self._next_stream(self._patience()):
                    return
                while self._announced:
                    stream = self._announced.popleft()
                    running.add(group.create_task(self._one_stream(stream)))
                self._news.clear()
                news = asyncio.ensure_future(self._news.wait())
                done, _ = await asyncio.wait({news, *running}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                running -= done

    def _patience(self) -> float:
        """Seconds to wait for another stream: some, after an end that asks for RTMS to be started
        again, or when the process died during such a wait."""
        expected, self._restart_expected = self._restart_expected, False
        return self._parts.restart_grace_s / self._parts.speed if expected else 0.0

    async def _next_stream(self, patience_s: float) -> bool:
        """Whether another stream is announced within so many seconds of machine time."""
        if not self._announced and patience_s > 0:
            self._news.clear()
            news = asyncio.ensure_future(self._news.wait())
            patience = asyncio.ensure_future(self._parts.clock.sleep(patience_s))
            await asyncio.wait({news, patience}, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            patience.cancel()
        return bool(self._announced)

    async def _one_stream(self, stream: StreamRun) -> None:
        opening = self._opening(stream.announcement)
        self._begun.append(stream)
        await self._log.append(*opening)
        over = await stream.run()
        self._begun.remove(stream)
        if over is not None:
            self._streams.pop(stream.id, None)
            self._last_ended_ms = max(self._last_ended_ms or 0, stream.over_ms or self._now())
            self._restart_expected = over.retryable
            if stream.successor is not None:
                self._open(stream.successor)

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
            )
        ]
        ends = [s.over_ms for s in self._begun]
        alone = None not in ends
        last_ended_ms = max(
            (at_ms for at_ms in (self._last_ended_ms, *ends) if at_ms is not None), default=None
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

    async def _adopt_spool(self) -> None:
        """Take in segments that were durable when the process died but not yet in the log, and
        delete audio whose text is."""
        segments = self._state.segments.values()
        for segment in segments:
            if segment.id in self._state.outcomes:
                discard(self._spool, segment.file)
        known = {segment.file for segment in segments}
        stream = next(reversed(self._state.streams), "")
        for found in await asyncio.to_thread(recover, self._spool, known):
            for event in await self._log.append(*spooled(self._recorder, stream, found)):
                self._state.apply(event)
        self._recorder.inherit(self._state.pending)

    async def _transcribe(self) -> int:
        """Every segment of the log that is not settled, then each new one: the log is the queue.
        How many had to be left."""
        transcriber = Transcriber(
            meeting_log=self._log,
            recorder=self._recorder,
            pool=self._parts.pool,
            spool=self._spool,
            clock=self._parts.clock,
            on_state=self._on_engine,
            speed=self._parts.speed,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(transcriber.run())
            for segment in self._state.pending:
                await transcriber.put(segment)
            async for event in self._log.follow(self._state.last_seq):
                if isinstance(event.body, ev.SegmentSpooled):
                    await transcriber.put(event.body.segment)
                elif isinstance(event.body, ev.MeetingEnded):
                    break
            transcriber.close()
        return transcriber.kept

    async def _beat(self) -> None:
        while True:
            now = self._clock.now_ms()
            if now is not None:
                heartbeat.write(self._spool, Heartbeat(now, self._parts.clock.now_ms()))
            if self._refusals and self.trouble is None:
                detail = (
                    f"the disk refused {self._refusals} writes; all were repeated, none is lost"
                )
                refusals, self._refusals = self._refusals, 0
                await self._log.append(
                    ev.StageChanged(
                        stage="store",
                        state="ok",
                        at_ms=self._now(),
                        detail=detail,
                        count=refusals,
                    )
                )
            await self._parts.clock.sleep(_BEAT_S / max(1.0, self._parts.speed))

    async def _supervised(self, work: Coroutine[Any, Any, None]) -> bool:
        """Whether ``work`` of the notes went well. A fault in it must not end the receiving: it
        is logged with its trace and shown in the meeting's state."""
        try:
            await work
        except Exception as error:
            log.exception("notes.failed", meeting=self.meeting)
            await self._log.append(
                ev.StageChanged(
                    stage="summarize",
                    state="failed",
                    at_ms=self._now(),
                    error=type(error).__name__,
                    detail="the notes stopped because of a fault in this program (see its log)",
                )
            )
            return False
        return True

    async def _unread(self) -> list[ev.Body]:
        """A gap over the words that the notes have not read."""
        state = MeetingState.replay(self.meeting, await self._log.events())
        unread = [
            (u.start_ms, u.end_ms)
            for u in state.transcript()
            if state.seqs.get(u.id, 0) > state.covered_seq
        ]
        if not unread:
            return []
        return self._recorder.gap(
            from_ms=min(start for start, _ in unread),
            to_ms=max(end for _, end in unread),
            media="notes",
            cause="summary_skipped",
        )

    async def _on_engine(self, error: EngineError | None) -> None:
        """The engine failed, or transcribed a segment; written when that is news."""
        if error is not None:
            self._engine_failures += 1
        if (error is None) == self._engine_well:
            return
        self._engine_well = error is None
        await self._log.append(
            ev.StageChanged(
                stage="transcribe",
                state="ok" if error is None else "degraded",
                at_ms=self._now(),
                error="" if error is None else error.kind,
                detail="" if error is None else str(error),
                retryable=error is not None and error.retryable,
                count=self._engine_failures,
            )
        )

    def _on_storage(self, error: StorageError | None) -> None:
        self.trouble = error
        self._refusals += error is not None

    def _now(self) -> int:
        now = self._clock.now_ms()
        return self._opened.started_ms if now is None else now

    def _ended_ms(self) -> int:
        """When the meeting ended: it may have before this process was started."""
        if self._state.ended is not None and not self._had_streams:
            return self._state.ended.at_ms
        return self._last_ended_ms or self._now()


def _last_sign(state: MeetingState) -> Heartbeat:
    """The newest meeting time that the log knows of, where no heartbeat was left."""
    times = [u.end_ms for u in state.utterances.values()]
    times += [m.at_ms for m in state.messages.values()]
    times += [s.end_ms for s in state.segments.values()]
    times += [s.at_ms for s in state.streams.values()]
    newest = max(times, default=state.view().started_ms)
    return Heartbeat(newest, newest)
