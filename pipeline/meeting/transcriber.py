"""Segments to utterances: each exactly once, committed in order for each speaker.

A segment is in the log before it comes here and its audio is on disk; the utterance and the
``segment_closed`` that settles it are one commit, and only then is the audio deleted (a doubtful
one's is kept until the doubt is resolved). So a process killed at any moment transcribes what is
pending after its restart, and nothing twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import structlog

from pipeline.audio.spool import discard, load
from pipeline.base import metrics
from pipeline.base.backoff import Backoff
from pipeline.base.clock import Clock
from pipeline.base.errors import EngineError, StorageError
from pipeline.meeting import batch as batches
from pipeline.meeting.naming import PLAIN, Naming
from pipeline.meeting.recorder import Recorder
from pipeline.meeting.settled import lost, said
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.model.speech import Segment
from pipeline.transcribe.engine import SAMPLE_RATE, Transcription
from pipeline.transcribe.guards import frame, hardly_speech, suspicion
from pipeline.transcribe.load import Load, Ticket
from pipeline.transcribe.pool import DecodePool

log = structlog.get_logger()

WAITING = 4_096
"""Segments between log and engine, 1 KB each: over two hours of two people who never stop, not
decoded. Overflow rule: the reader of the log waits, audio is on disk."""

KEEPS = frozenset(
    {
        "hangs",
        "load",
        "missing_extra",
        "settings",
        "auth",
        "not_found",
        "no_model",
        "quota",
        "tls",
        "closing",  # the process is about to end
    }
)
"""Kinds of errors that say nothing about the segment: a restart, a key, an installation helps."""

RETRY = Backoff(base=2.0, factor=2.0, cap=60.0, attempts=8)
"""Two to four minutes of trying in all before a segment is given up."""

LONGEST_WAIT_S = 300.0
"""So long a server may ask to be left alone; then it is asked again."""

_LOOK_S = 1.0
"""Machine time between two looks at how late words are, while some are waited for."""


@dataclass(frozen=True)
class _Kept:
    """Not settled: the segment and its audio are left to another process."""

    why: EngineError


_Outcome = Transcription | EngineError | StorageError | _Kept


@dataclass(eq=False)
class _Waiting:
    segment: Segment
    since: float
    ticket: Ticket


@dataclass(eq=False)
class _Voice:
    """One speaker's segments: those that wait, and the last one under way."""

    waiting: deque[_Waiting] = field(default_factory=deque)
    under_way: int = 0
    last: asyncio.Task[None] | None = None


class Transcriber:
    """Feeds the shared decode pool from one meeting's spool.

    ``on_state`` is told each error, and None when a segment went well; ``on_load`` how late words
    are, while they are waited for. A failure that says it can help is repeated after ``retry``'s
    delays, while later segments of that speaker wait for their commit; only then is the segment
    given up and shown as a gap. Not so in an outage, when no other segment went well meanwhile:
    it is waited for as long as the meeting goes on. What then is left, and what only a restart, a
    key or an installation can mend (``KEEPS``), stays pending, its audio in the spool; ``kept``
    counts such segments.

    ``ready`` gives the final words of a segment that somebody heard already (a streaming engine),
    or None. ``merges``: when words are later than ``merge_after_s``, waiting segments of one voice
    are decoded in one go.
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
        on_load: Callable[[Load], Awaitable[None]] | None = None,
        ready: Callable[[Segment], Awaitable[Transcription | None]] | None = None,
        naming: Naming = PLAIN,
        merges: bool = False,
        speed: float = 1.0,
        retry: Backoff = RETRY,
    ) -> None:
        self._log = meeting_log
        self._recorder = recorder
        self._pool = pool
        self._spool = spool
        self._clock = clock
        self._on_state = on_state
        self._on_load = on_load
        self._ready = ready
        self._naming = naming
        self._merges = merges
        self._speed = max(1.0, speed)
        self._retry = retry
        self.kept = 0
        self._well_at = -1.0  # when a decode last gave words
        self._voices: dict[str, _Voice] = {}
        self._count = 0  # of segments that wait
        self._closed = False
        self._changed = asyncio.Condition()
        self._together = pool.workers + 1
        self._decoding = asyncio.Semaphore(self._together)
        self._depth = metrics.QUEUE_DEPTH.labels("segments")

    async def put(self, segment: Segment) -> None:
        """A segment that is in the log; waits while too many are pending."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._count < WAITING)
            ticket = self._pool.backlog.add(self._log.meeting, segment.samples / SAMPLE_RATE)
            voice = self._voices.setdefault(_voice_of(segment), _Voice())
            voice.waiting.append(_Waiting(segment, self._clock.monotonic(), ticket))
            self._counted(1)
            self._changed.notify_all()

    async def close(self) -> None:
        """No more segments; ``run`` returns when all are settled."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def run(self) -> None:
        """Transcribe until closed. Decoding overlaps; each speaker's commits keep their order."""
        try:
            async with asyncio.TaskGroup() as group:
                looking = group.create_task(self._look())
                while (voice := await self._next()) is not None:
                    taken = self._take(voice)
                    voice.under_way += 1
                    voice.last = group.create_task(self._one(taken, voice, voice.last))
                    voice.last.add_done_callback(partial(_count_no_more, taken))
                looking.cancel()
            await self._tell_load()
        finally:
            for left in self._voices.values():  # broken off: they wait in the log
                for item in left.waiting:
                    item.ticket.settled()

    # -- whose turn it is -----------------------------------------------------------------------

    async def _next(self) -> _Voice | None:
        """Whose segment is taken next; None when all are settled and there will be no more."""
        async with self._changed:
            while True:
                able = [
                    voice
                    for voice in self._voices.values()
                    if voice.waiting and voice.under_way < self._together
                ]
                if able:
                    return min(able, key=lambda voice: voice.waiting[0].since)
                if self._closed and not self._voices:
                    return None
                await self._changed.wait()

    def _take(self, voice: _Voice) -> list[_Waiting]:
        """Its next segment, and those after it that go with it when words are late."""
        taken = [voice.waiting.popleft()]
        late_s = self._pool.backlog.lag_s(self._log.meeting)
        if self._merges and late_s > self._pool.settings.merge_after_s:
            while voice.waiting and batches.fits(
                [item.segment for item in taken], voice.waiting[0].segment
            ):
                taken.append(voice.waiting.popleft())
            metrics.STT_MERGED.inc(len(taken) - 1)
        self._counted(-len(taken))
        return taken

    def _counted(self, more: int) -> None:
        self._count += more
        self._depth.set(self._count)

    async def _look(self) -> None:
        while True:
            await self._tell_load()
            await self._clock.sleep(_LOOK_S / self._speed)

    async def _tell_load(self) -> None:
        if self._on_load is not None:
            await self._on_load(self._pool.load(self._log.meeting))

    # -- one decode -----------------------------------------------------------------------------

    async def _one(
        self, taken: list[_Waiting], voice: _Voice, previous: asyncio.Task[None] | None
    ) -> None:
        try:
            found = await self._hear([item.segment for item in taken])
            if previous is not None:
                await previous
            for segments, heard in found:
                await self._settle(segments, heard)
            for item in taken:
                metrics.STT_LAG.observe(self._clock.monotonic() - item.since)
        finally:
            voice.under_way -= 1
            if not voice.under_way and not voice.waiting:
                self._voices.pop(_voice_of(taken[0].segment), None)
        async with self._changed:
            self._changed.notify_all()

    async def _hear(self, segments: list[Segment]) -> list[tuple[list[Segment], _Outcome]]:
        """The words of these segments together, or of each where that does not work."""
        if self._ready is not None and len(segments) == 1:
            heard = await self._ready(segments[0])
            if heard is not None and self._plausible(segments[0], heard):
                return [(segments, heard)]
        outcome = await self._decode(segments)
        if isinstance(outcome, Transcription | _Kept) or len(segments) == 1:
            return [(segments, outcome)]
        return [([segment], await self._decode([segment])) for segment in segments]

    async def _decode(self, segments: list[Segment]) -> _Outcome:
        metrics.STT_SECONDS.inc(sum(s.samples for s in segments) / SAMPLE_RATE)
        began, delays = self._clock.monotonic(), self._retry.delays()
        while True:
            try:
                async with self._decoding:
                    heard = await self._try(segments)
                self._well_at = self._clock.monotonic()
                return heard
            except StorageError as error:
                return error
            except EngineError as error:
                metrics.STT_FAILURES.labels(error.kind).inc()
                await self._on_state(error)
                outage = error.retryable and self._well_at < began
                delay = next(delays, None) if error.retryable else None
                if delay is None and outage and not self._closed:
                    delay = self._retry.cap
                if delay is None:
                    return _Kept(error) if outage or error.kind in KEEPS else error
                asked = min(error.retry_after_s or 0.0, LONGEST_WAIT_S)
                await self._clock.sleep(max(delay, asked) / self._speed)

    async def _try(self, segments: list[Segment]) -> Transcription:
        pieces = [await asyncio.to_thread(load, self._spool, s.file) for s in segments]
        first = segments[0]
        # The same for every try, and another one for other audio.
        key = f"{self._log.meeting}/{first.id}" + (f"-{segments[-1].id}" if segments[1:] else "")
        return await self._pool.transcribe(
            self._log.meeting,
            pieces[0] if len(pieces) == 1 else np.concatenate(pieces),
            self._naming.hints(self._pool.capabilities, key),
            speech_ms=batches.speech_ms(segments),
            voice=first.file,
            counted=True,
        )

    def _plausible(self, segment: Segment, heard: Transcription) -> bool:
        """Whether words that came without a guard can have been said."""
        known = self._pool.capabilities
        told = frame(
            segment.samples / SAMPLE_RATE, segment.speech_ms, self._naming.hints(known, ""), known
        )
        return suspicion(heard, told) is None and not hardly_speech(heard, segment.speech_ms)

    # -- what becomes of it ---------------------------------------------------------------------

    async def _settle(self, segments: list[Segment], heard: _Outcome) -> None:
        if isinstance(heard, _Kept):
            self.kept += len(segments)
            log.error(
                "transcribe.kept",
                meeting=self._log.meeting,
                segment=segments[0].id,
                kind=heard.why.kind,
                error=str(heard.why),
            )
            return
        if isinstance(heard, Transcription):
            await self._on_state(None)
            bodies = said(self._recorder, self._naming, segments, heard)
            await self._log.append(*bodies)
            doubtful = any(isinstance(body, ev.SegmentClosed) and body.doubt for body in bodies)
        else:
            log.warning(
                "transcribe.failed",
                meeting=self._log.meeting,
                segment=segments[0].id,
                kind=heard.kind,
            )
            await self._log.append(*lost(self._recorder, segments, heard))
            doubtful = False
        if not doubtful:
            for segment in segments:
                discard(self._spool, segment.file)


def _count_no_more(taken: list[_Waiting], _: asyncio.Task[None]) -> None:
    """When their task is over, even if it was cancelled before it began."""
    for item in taken:
        item.ticket.settled()


def _voice_of(segment: Segment) -> str:
    """Whose commits keep their order: a person's, or those of a stream where nobody is named."""
    if segment.participant is None:
        return f"stream {segment.stream}"
    return f"participant {segment.participant}"
