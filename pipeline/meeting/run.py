"""One meeting: its streams, its transcriber and its notes in one task group.

Built from the log and able to start at any point of it: a new meeting, one that a killed process
left, one whose streams are over but whose last segments or final notes are not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import structlog

from pipeline.audio.spool import discard, recover
from pipeline.base import metrics
from pipeline.base.clock import MeetingClock
from pipeline.base.errors import EngineError, StorageError
from pipeline.meeting import heartbeat
from pipeline.meeting.audio_intake import spooled
from pipeline.meeting.heartbeat import Heartbeat
from pipeline.meeting.parts import Parts
from pipeline.meeting.patient_log import PatientLog
from pipeline.meeting.recorder import Recorder
from pipeline.meeting.streams import Streams
from pipeline.meeting.transcriber import Transcriber
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.model.state import MeetingState
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
        self._accepting = True
        self._closing = asyncio.Event()
        self._refusals = 0
        health = state.stages.get("transcribe")
        self._engine_failures = health.count if health is not None else 0
        self._engine_well = health is None or health.state == "ok"
        self._streams = Streams(
            meeting_log=self._log,
            state=state,
            recorder=self._recorder,
            clock=self._clock,
            spool=spool,
            parts=parts,
            on_engine=self._on_engine,
        )

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
        return self._streams.speaker

    @property
    def accepting(self) -> bool:
        """Whether another stream can still join this run."""
        return self._accepting

    # -- what Zoom's webhooks say -------------------------------------------------------------

    def announce(self, announcement: Announcement) -> None:
        """A stream of this meeting: new, or known with other addresses (failover)."""
        self._streams.announce(announcement)

    def resume(self) -> None:
        """Connect again the streams that the log says are open: this process was down."""
        self._streams.resume()

    def receives(self, stream: str) -> bool:
        """Whether this is a stream of this run."""
        return self._streams.receives(stream)

    def interrupted(self, stream: str, at_ms: int | None = None) -> None:
        """Zoom lost our connection to a stream, at this time of its clock."""
        self._streams.interrupted(stream, at_ms)

    def stopped(self, stream: str, reason: int | None) -> None:
        """A stream is over."""
        self._streams.stopped(stream, reason)

    def give_way(self) -> None:
        """A stream was announced while the end is worked out (not ``accepting``): stop, as for a
        shutdown. The next run takes up pending words and notes from the log."""
        self._closing.set()

    async def close(self) -> None:
        """Stop receiving and make durable what was heard; the meeting stays live in the log. Zoom
        keeps its streams for a reconnection, unless the settings want them ended."""
        self._closing.set()
        await self._streams.close()

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
            await self._streams.run()
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
        if self._state.ended is not None and not self._streams.had_any:
            return self._state.ended.at_ms
        return self._streams.last_ended_ms or self._now()
