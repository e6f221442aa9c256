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
from pipeline.meeting.doubts import settled
from pipeline.meeting.heartbeat import Heartbeat
from pipeline.meeting.naming import MeetingNaming
from pipeline.meeting.parts import Parts
from pipeline.meeting.patient_log import PatientLog
from pipeline.meeting.recorder import Recorder
from pipeline.meeting.recording import Recordings
from pipeline.meeting.streams import Streams
from pipeline.meeting.transcribe_health import TranscribeHealth
from pipeline.meeting.transcriber import Transcriber
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.model.state import MeetingState
from pipeline.rtms.products import Announcement
from pipeline.summarize.notes import NotesStage
from pipeline.transcribe.load import Load

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
        self._naming = MeetingNaming(
            parts.vocabulary,
            parts.pool.settings,
            people=lambda: self._recorder.people,
            at_ms=self._opened.started_ms,
        )
        self._transcribing = TranscribeHealth(
            state.stages.get("transcribe"), parts.pool.settings, self._now
        )
        self._recordings = Recordings(
            spool.parent / "recordings",
            settings=parts.audio,
            meeting_log=self._log,
            state=state,
            clock=parts.clock,
            now=self._clock.now_ms,
            name_of=self._recorder.name_of,
        )
        partials = parts.partials
        self._partials = None if partials is None else partials(self.meeting, self._naming.hints)
        self._streams = Streams(
            meeting_log=self._log,
            state=state,
            recorder=self._recorder,
            clock=self._clock,
            spool=spool,
            parts=parts,
            on_engine=self._on_engine,
            recording=self._recordings.open,
            partials=self._partials,
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
            recording = group.create_task(self._recordings.run())
            noting = group.create_task(self._supervised(notes.run()))
            transcribing = group.create_task(self._transcribe())
            showing = None
            if self._partials is not None:
                showing = group.create_task(self._partials.run(self._log, self._state.last_seq))
            await self._streams.run()
            self._accepting = False
            tasks: list[asyncio.Task[Any]] = [beating, recording, noting, transcribing]
            tasks += [showing] if showing is not None else []
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
        await self._recordings.finish()
        if kept:
            log.error("meeting.audio_kept", meeting=self.meeting, segments=kept)
            return False
        await self._log.append(ev.MeetingFinished(at_ms=self._now()))
        return True

    async def _adopt_spool(self) -> None:
        """Take in segments that were durable when the process died but not yet in the log, and
        delete audio whose text is, without a doubt."""
        for segment in settled(self._state):
            discard(self._spool, segment.file)
        known = {segment.file for segment in self._state.segments.values()}
        stream = next(reversed(self._state.streams), "")
        for found in await asyncio.to_thread(recover, self._spool, known):
            if self._opened.product == "file":  # it is read again, so that no word is cut in two
                discard(self._spool, found.file)
                continue
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
            on_load=self._on_load if self._is_live else None,
            naming=self._naming,
            merges=self._is_live,
            speed=self._parts.speed,
            ready=None if self._partials is None else self._partials.ready,
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
            await transcriber.close()
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
        news = self._transcribing.engine(error)
        if news:
            await self._log.append(*news)

    async def _on_load(self, load: Load) -> None:
        """How far words are behind; written when that is news."""
        news = self._transcribing.load(load)
        if news:
            await self._log.append(*news)

    @property
    def _is_live(self) -> bool:
        """Whether somebody waits for the words: not in replays and files, which are as fast as they
        can be, and whose words must be the same each time."""
        return self._parts.speed == 1.0 and self._opened.product != "file"

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
