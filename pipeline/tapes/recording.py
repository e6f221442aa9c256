"""Records a live stream to a tape: frames in on the receiving task, a thread of its own writes.

Queue ``tape``: at most ``LIMIT`` bytes of frames wait; a frame that finds it full is left out,
counted and marked on the tape. Nothing here ever slows or breaks the meeting.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

import msgspec
import structlog

from pipeline.base import metrics
from pipeline.base.clock import Clock
from pipeline.base.errors import RtmsNotesError, StorageError
from pipeline.model.events import Product
from pipeline.tapes.header import LIVE_VERSION, TapeHeader
from pipeline.tapes.intake import Intake, Sender
from pipeline.tapes.writer import TapeWriter

LIMIT: Final = 64 << 20
"""Bytes that may wait for the writing thread."""
FLUSH_S: Final = 1.0
"""At most so much is missing on the tape of a killed process."""
_BATCH_S: Final = 0.2
_LEVEL: Final = 3  # zstandard's: audio is packed already
_FRAME_COST: Final = 256  # bytes of overhead that a waiting frame counts with

_log = structlog.get_logger(__name__)


class Recorded(msgspec.Struct, frozen=True):
    """What became of a recording. ``missing`` frames came and are not on it."""

    path: Path
    lines: int
    bytes: int
    missing: int
    error: str | None


class _Lost(msgspec.Struct, frozen=True):
    socket: str
    close: Literal["abrupt", "frame"]


class _Overflow(msgspec.Struct, frozen=True):
    frames: int


class TapeRecorder:
    """One stream's. ``take`` is a tap: call it for every frame, from one thread.

    Raises StorageError when the file cannot be made; what fails later is logged once, kept in
    ``error`` and ends the recording only.
    """

    def __init__(
        self,
        path: Path,
        *,
        product: Product,
        id: str,  # noqa: A002 - as in the header
        stream: str,
        start_ms: int,
        clock: Clock,
        title: str = "",
        zone: str = "UTC",
        secrets: Iterable[str] = (),
        limit: int = LIMIT,
    ) -> None:
        self.path = _free(path)
        self.error: str | None = None
        header = TapeHeader(
            version=LIVE_VERSION,
            product=product,
            id=id,
            stream=stream,
            title=title,
            zone=zone,
            start_ms=start_ms,
        )
        self._clock = clock
        self._limit = limit
        self._intake = Intake(start_ms=start_ms, secrets=secrets)
        self._writer = TapeWriter(self.path, header, level=_LEVEL, live=True)
        self._writer.flush()
        self._waiting: deque[tuple[str, Sender, bytes] | _Lost | _Overflow | threading.Event] = (
            deque()
        )
        self._put = 0  # bytes taken in, by the receiving thread alone
        self._done = 0  # bytes written, by the worker alone
        self._refused = 0  # frames since the queue was full
        self._depth = 0  # as the gauge has it
        self._closed = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="tape", daemon=True)
        self._thread.start()

    def take(self, socket: str, sender: Sender, frame: bytes | bytearray | str) -> None:
        """A frame as it was on the wire. Cheap; never blocks, never raises."""
        if self._closed or self.error is not None:
            return
        data = frame.encode("utf-8", "replace") if isinstance(frame, str) else bytes(frame)
        cost = len(data) + _FRAME_COST
        if self._put - self._done + cost > self._limit:
            self._refused += 1
            metrics.QUEUE_REFUSED.labels("tape").inc()
            return
        if self._refused:
            self._waiting.append(_Overflow(self._refused))
            self._refused = 0
        self._put += cost
        self._waiting.append((socket, sender, data))
        if not self._wake.is_set():
            self._wake.set()

    def lost(self, socket: str, close: Literal["abrupt", "frame"] = "abrupt") -> None:
        """A socket is gone that nobody asked to close: ``signaling`` or a media key."""
        if not self._closed:
            self._waiting.append(_Lost(socket, close))
            self._wake.set()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until everything taken so far can be read from the file; False when it took longer
        or the recording has failed."""
        if self._closed:
            return self.error is None
        done = threading.Event()
        self._waiting.append(done)
        self._wake.set()
        return done.wait(timeout_s) and self.error is None

    def close(self, timeout_s: float = 30.0) -> Recorded:
        """Write the rest and the end mark. Blocks; safe to call twice."""
        if not self._closed:
            self._closed = True
            if self._refused:
                self._waiting.append(_Overflow(self._refused))
                self._refused = 0
            self._closing.set()
            self._wake.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive() and self.error is None:
            self._fail(f"not written within {timeout_s:g} s")
        try:
            size = self.path.stat().st_size
        except OSError:
            size = 0
        return Recorded(self.path, self._writer.lines, size, self._intake.missing, self.error)

    # -- the thread ---------------------------------------------------------------------

    def _work(self) -> None:
        flushed = self._clock.monotonic()
        dirty = False
        try:
            while True:
                self._wake.wait(FLUSH_S if dirty else None)
                self._wake.clear()
                ending = self._closing.is_set()
                dirty = self._take_in() or dirty
                now = self._clock.monotonic()
                if dirty and not ending and now - flushed >= FLUSH_S:
                    self._flush()
                    flushed, dirty = now, False
                if ending:
                    break
                self._closing.wait(_BATCH_S)
            for line in self._intake.finish():
                self._writer.write(line)
            self._writer.finish()
        except RtmsNotesError as error:
            self._fail(str(error))
        except BaseException as error:
            self._fail(f"{type(error).__name__}: {error}")
            raise
        finally:
            if self.error is not None:
                self._writer.abandon()
            self._release()

    def _take_in(self) -> bool:
        """Everything that waits, to the file's buffer."""
        self._measure(len(self._waiting))
        some = bool(self._waiting)
        while self._waiting:
            item = self._waiting.popleft()
            if isinstance(item, tuple):
                socket, sender, frame = item
                self._intake.take(socket, sender, frame)
                self._done += len(frame) + _FRAME_COST
            elif isinstance(item, _Lost):
                self._intake.lost(item.socket, item.close)
            elif isinstance(item, _Overflow):
                self._intake.miss(item.frames, "overflow")
            else:
                self._flush()
                item.set()
            self._write()
        return some

    def _write(self) -> None:
        for line in self._intake.ready():
            self._writer.write(line)

    def _flush(self) -> None:
        for line in self._intake.ready(everything=True):
            self._writer.write(line)
        self._writer.flush()

    def _measure(self, depth: int) -> None:
        metrics.QUEUE_DEPTH.labels("tape").inc(depth - self._depth)
        self._depth = depth

    def _fail(self, why: str) -> None:
        self.error = why
        _log.error("tape.failed", path=str(self.path), error=why)

    def _release(self) -> None:
        """Nobody waits for a thread that is gone, and nothing is kept for it."""
        while self._waiting:
            item = self._waiting.popleft()
            if isinstance(item, threading.Event):
                item.set()
        self._measure(0)


def _free(path: Path) -> Path:
    """A name nobody has yet: what was recorded once is never written over."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {path.parent}: {error.strerror}") from error
    stem = path.name.removesuffix(".rtms.zst")
    number = 1
    free = path
    while free.exists():
        number += 1
        free = path.with_name(f"{stem}-{number}.rtms.zst")
    return free
