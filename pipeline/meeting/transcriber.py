"""Segments to utterances: each exactly once, committed in the order they were spooled.

A segment is in the log before it comes here and its audio is on disk; the utterance and the
``segment_closed`` that settles it are one commit, and only then is the audio deleted. So a process
killed at any moment transcribes what is pending after its restart, and nothing twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from pipeline.audio.spool import discard, load
from pipeline.base import metrics
from pipeline.base.backoff import Backoff
from pipeline.base.channel import Channel
from pipeline.base.clock import Clock
from pipeline.base.errors import EngineError, StorageError
from pipeline.meeting.recorder import Recorder
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.model.speech import Segment
from pipeline.transcribe.engine import Transcription
from pipeline.transcribe.pool import DecodePool

log = structlog.get_logger()

WAITING = 256
"""Segments between log and engine. Overflow rule: the reader of the log waits, audio is on disk."""

KEEPS = frozenset({"hangs", "load", "missing_extra"})

RETRY = Backoff(base=2.0, factor=2.0, cap=60.0, attempts=8)
"""Two to four minutes of trying in all before a segment is given up."""


class Transcriber:
    """Feeds the shared decode pool from one meeting's spool.

    ``on_state`` is told each error, and None when a segment went well. A failure that says it can
    help is repeated after ``retry``'s delays, while later segments wait in the log; only then is
    the segment given up and shown as a gap. What only a restart or an installation can mend
    (``KEEPS``) leaves segments pending and their audio in the spool; ``kept`` counts them.
    """

    def __init__(
        self,
        *,
        meeting_log: MeetingLog,
        recorder: Recorder,
        pool: DecodePool,
        spool: Path,
        clock: Clock,
        on_state: Callable[[EngineError | None], Awaitable[None]],
        speed: float = 1.0,
        retry: Backoff = RETRY,
    ) -> None:
        self._log = meeting_log
        self._recorder = recorder
        self._pool = pool
        self._spool = spool
        self._clock = clock
        self._on_state = on_state
        self._speed = speed
        self.kept = 0
        self._retry = retry
        self._waiting: Channel[tuple[Segment, float]] = Channel("segments", WAITING)
        self._in_flight = asyncio.Semaphore(pool.workers + 1)

    async def put(self, segment: Segment) -> None:
        """A segment that is in the log; waits while too many are pending."""
        await self._waiting.put((segment, self._clock.monotonic()))

    def close(self) -> None:
        """No more segments; ``run`` returns when all are settled."""
        self._waiting.close()

    async def run(self) -> None:
        """Transcribe until closed. Decoding overlaps, commits keep their order."""
        previous: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as group:
            async for segment, since in self._waiting:
                await self._in_flight.acquire()
                previous = group.create_task(self._one(segment, since, previous))

    async def _one(
        self, segment: Segment, since: float, previous: asyncio.Task[None] | None
    ) -> None:
        try:
            heard = await self._hear(segment)
            if previous is not None:
                await previous
            if isinstance(heard, EngineError) and heard.kind in KEEPS:
                self.kept += 1
                return
            await self._settle(segment, heard)
            metrics.STT_LAG.observe(self._clock.monotonic() - since)
        finally:
            self._in_flight.release()
        discard(self._spool, segment.file)

    async def _hear(self, segment: Segment) -> Transcription | EngineError | StorageError:
        try:
            pcm = await asyncio.to_thread(load, self._spool, segment.file)
        except StorageError as error:
            return error
        metrics.STT_SECONDS.inc(segment.samples / 16_000)
        delays = self._retry.delays()
        while True:
            try:
                return await self._pool.transcribe(self._log.meeting, pcm)
            except EngineError as error:
                metrics.STT_FAILURES.labels(error.kind).inc()
                await self._on_state(error)
                delay = next(delays, None) if error.retryable else None
                if delay is None:
                    return error
                await self._clock.sleep(delay / self._speed)

    async def _settle(
        self, segment: Segment, heard: Transcription | EngineError | StorageError
    ) -> None:
        if isinstance(heard, Transcription):
            await self._on_state(None)
            await self._log.append(*self._words(segment, heard))
            return
        log.warning(
            "transcribe.failed", meeting=self._log.meeting, segment=segment.id, kind=heard.kind
        )
        await self._log.append(
            *self._recorder.gap(
                from_ms=segment.start_ms,
                to_ms=segment.end_ms,
                media="audio",
                cause="stt_failed" if isinstance(heard, EngineError) else "spool_lost",
                stream=segment.stream,
                participant=segment.participant,
            ),
            ev.SegmentClosed(segment=segment.id, outcome="failed", detail=str(heard)),
        )

    def _words(self, segment: Segment, heard: Transcription) -> list[ev.Body]:
        text = heard.text.strip()
        if not text:
            return [ev.SegmentClosed(segment=segment.id, outcome="empty")]
        _, bodies = self._recorder.said(
            stream=segment.stream,
            source="local",
            participant=segment.participant,
            speaker=segment.speaker,
            start_ms=segment.start_ms,
            end_ms=segment.end_ms,
            text=text,
            language=heard.language,
            confidence=heard.confidence,
            segment=segment.id,
        )
        return [*bodies, ev.SegmentClosed(segment=segment.id, outcome="text")]
