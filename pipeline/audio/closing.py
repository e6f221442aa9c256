"""Complete segments on their way to the disk; while it refuses, they wait in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from pipeline.audio.soundness import level_db
from pipeline.audio.spool import PER_MS, OpenSegment, SpokenSegment, discard
from pipeline.base.errors import StorageError
from pipeline.model.speech import Attribution

log = structlog.get_logger()


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """Audio that came and could not be kept (the disk refused for too long) or decoded."""

    participant: str | None
    start_ms: int
    end_ms: int
    cause: Literal["disk_full", "unusable_audio"] = "disk_full"


class ClosedSegment(msgspec.Struct, kw_only=True):
    """A complete segment that is not durable yet: its first ``length`` samples. While it is not
    ``named``, news of who spoke in it may still come."""

    segment: OpenSegment
    length: int
    participant: str | None
    speaker: str | None
    attribution: Attribution
    speaker_confidence: float | None
    speech_ms: int
    joined: bool
    named: bool = True

    @property
    def file(self) -> str:
        """Its name in the spool."""
        return self.segment.file

    @property
    def end(self) -> int:
        """Position after its last sample, at 16 kHz."""
        return self.segment.head.at + self.length

    def finish(self) -> SpokenSegment:
        """Make it durable. Raises StorageError."""
        level = level_db(self.segment.heard()[: self.length])
        kept = self.segment.finish(self.length)
        return msgspec.structs.replace(
            kept,
            participant=self.participant,
            speaker=self.speaker,
            attribution=self.attribution,
            speaker_confidence=self.speaker_confidence,
            speech_ms=self.speech_ms,
            level_db=level,
            joined=self.joined,
        )


class Closing:
    """Writes segments in the order they were closed. ``opened`` gives those still being spoken,
    which may wait for the disk as well; ``most`` bounds what waits (samples)."""

    def __init__(self, spool: Path, most: int, opened: Callable[[], Iterable[OpenSegment]]) -> None:
        self._spool = spool
        self._most = most
        self._opened = opened
        self._waiting: deque[ClosedSegment] = deque()
        self._reported: str | None = None
        self.trouble: StorageError | None = None
        """The last refusal of the disk, None once everything could be written."""
        self.lost: list[Lost] = []
        """What had to be given up; taken by the chain."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, closed: ClosedSegment) -> None:
        """A segment is complete."""
        self._waiting.append(closed)

    def drop(self) -> None:
        """Forget what waits: it was misheard and will come again."""
        for closed in self._waiting:
            closed.segment.abandon()
            discard(self._spool, closed.file)
        self._waiting.clear()

    def sync(self, segment: OpenSegment) -> None:
        """Make an open segment durable; after a refusal only ``retry`` tries again."""
        if self.trouble is None:
            try:
                segment.sync()
            except StorageError as error:
                self._refused(error)

    def collect(self) -> list[SpokenSegment]:
        """Finish what is complete, in order."""
        done: list[SpokenSegment] = []
        while self._waiting and self._waiting[0].named and self.trouble is None:
            try:
                done.append(self._waiting[0].finish())
            except StorageError as error:
                self._refused(error)
            else:
                self._waiting.popleft()
        if self.trouble is not None:
            self._bound()
        return done

    def retry(self) -> None:
        """Try again what the disk refused."""
        if self.trouble is None:
            return
        refused, self.trouble = self.trouble, None
        for segment in self._unwritten():
            self.sync(segment)
        if self.trouble is None:
            self._reported = None
            log.info("spool.writes_again", after=refused.kind)

    def _refused(self, error: StorageError) -> None:
        if self._reported != error.kind:
            self._reported = error.kind
            log.error("spool.refused", kind=error.kind, error=str(error))
        self.trouble = error

    def _bound(self) -> None:
        """Give up the oldest complete segments beyond what memory may hold."""
        while len(self._waiting) > 1 and self._in_memory() > self._most:
            closing = self._waiting.popleft()
            closing.segment.abandon()
            discard(self._spool, closing.file)
            self.lost.append(
                Lost(
                    participant=closing.participant,
                    start_ms=closing.segment.head.at // PER_MS,
                    end_ms=closing.end // PER_MS,
                )
            )
            log.error("spool.lost", samples=closing.length)

    def _in_memory(self) -> int:
        return sum(segment.pending for segment in self._unwritten())

    def _unwritten(self) -> list[OpenSegment]:
        return [*(closed.segment for closed in self._waiting), *self._opened()]
