"""Audio of segments on disk, from its first second until its words are committed.

A segment is two files: ``<start ms>-<id>.json`` tells whose it is and where it begins, then
``<start ms>-<id>.pcm`` holds signed 16-bit little-endian mono at 16 kHz. The first is complete and
durable before the second exists, so a kill at any moment leaves audio that is known; the name alone
still gives the time. A segment that was cut in two leaves both parts before the first is shortened;
``recover`` undoes the overlap.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec
import numpy as np
import structlog

from pipeline.audio.packet import Samples
from pipeline.base.errors import StorageError
from pipeline.base.ids import Ids
from pipeline.model.speech import Attribution

log = structlog.get_logger()

PER_MS = 16
"""Samples a millisecond."""

_NAME = re.compile(r"(\d{1,14})-[0-9a-z]{1,32}\.pcm", re.ASCII)
_REST = re.compile(r"\d{1,14}-[0-9a-z]{1,32}\.(json|tmp)", re.ASCII)
_KINDS = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "read_only",
    errno.EACCES: "forbidden",
    errno.EPERM: "forbidden",
    errno.EIO: "io",
    errno.ENOENT: "missing",
}
_RETRYABLE = ("disk_full", "io")


class SpokenSegment(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's speech whose audio is durable: ``samples`` of them in ``file`` of the spool. The
    rest is as in ``model.speech.Segment``."""

    participant: str | None
    speaker: str | None
    start_ms: int
    end_ms: int
    file: str
    samples: int
    attribution: Attribution = "stream"
    speaker_confidence: float | None = None
    speech_ms: int | None = None
    level_db: float | None = None
    joined: bool = False


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a segment when it begins. ``at``: samples since the epoch at 16 kHz.

    ``continues`` is the file of the segment it was cut from, whose end it may still share;
    ``joined``: in the midst of what somebody said.
    """

    at: int
    participant: str | None = None
    speaker: str | None = None
    continues: str | None = None
    joined: bool = False


class OpenSegment:
    """A segment being written. Everything may be repeated after a StorageError; nothing is lost.

    All samples stay in memory as well (384 KB of the longest), for who listens meanwhile.
    """

    def __init__(self, folder: Path, head: Head, ids: Ids) -> None:
        self.head = head
        self.file = f"{head.at // PER_MS:013d}-{ids.new()}.pcm"
        self._path = folder / self.file
        self._pcm = bytearray()
        self._durable = 0  # bytes
        self._on_disk = 0  # bytes; more than are durable once some were patched
        self._handle: int | None = None
        self.patches = 0
        """How often samples were replaced."""

    @property
    def length(self) -> int:
        """Samples."""
        return len(self._pcm) // 2

    @property
    def pending(self) -> int:
        """Samples that are only in memory."""
        return (len(self._pcm) - self._durable) // 2

    def append(self, pcm: bytes) -> None:
        """Take more samples (16-bit)."""
        self._pcm += pcm

    def patch(self, start: int, pcm: bytes) -> None:
        """Put samples in the place of those from ``start`` on, as far as there are some."""
        room = max(0, len(self._pcm) - 2 * start)
        self.patches += 1
        self._pcm[2 * start : 2 * start + len(pcm)] = pcm[:room]
        self._durable = min(self._durable, 2 * start)

    def heard(self, since: int = 0) -> Samples:
        """The samples from ``since`` on, in -1..1."""
        with memoryview(self._pcm) as view, view[2 * since :] as rest:
            return decode_pcm(rest)

    def sync(self) -> None:
        """Make everything durable. Raises StorageError."""
        if len(self._pcm) <= self._durable:
            return
        with _typed(f"spooling {self.file}"):
            handle = self._open()
            os.lseek(handle, self._durable, os.SEEK_SET)
            with memoryview(self._pcm) as view:
                done = self._durable
                while done < len(view):
                    with view[done:] as rest:
                        written = os.write(handle, rest)
                    done += written
                    self._on_disk = max(self._on_disk, done)
            # What a failed fsync leaves in the page cache may be dropped: only a success counts,
            # and a retry writes it all again.
            os.fsync(handle)
        self._durable = len(self._pcm)

    def finish(self, length: int) -> SpokenSegment:
        """Keep the first ``length`` samples, durable. Raises StorageError."""
        del self._pcm[2 * length :]
        self.sync()
        if self._on_disk > len(self._pcm):
            with _typed(f"spooling {self.file}"):
                handle = self._open()
                os.ftruncate(handle, len(self._pcm))
                os.fsync(handle)
            self._durable = self._on_disk = len(self._pcm)
        self.abandon()
        return _segment(self.file, self.head, self.length)

    def abandon(self) -> None:
        """Let go of the file and leave it as it is."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _open(self) -> int:
        if self._handle is None:
            self._put_head()
            flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
            handle = os.open(self._path, flags, 0o600)
            try:
                _sync_folder(self._path.parent)
            except OSError:
                os.close(handle)
                raise
            self._handle = handle
        return self._handle

    def _put_head(self) -> None:
        temporary = self._path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            temporary.chmod(0o600)
            file.write(msgspec.json.encode(self.head))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path.with_suffix(".json"))


def load(spool: Path, file: str) -> Samples:
    """A segment's audio: mono 16 kHz float32 in -1..1.

    Raises StorageError (``kind`` name, missing, forbidden, io, ...).
    """
    path = _path(spool, file)
    with _typed(f"reading {file}"):
        data = path.read_bytes()
    return decode_pcm(data)


def decode_pcm(data: bytes | memoryview) -> Samples:
    """16-bit samples as float32 in -1..1; half a sample at the end is left out."""
    values = np.frombuffer(data, "<i2", len(data) // 2)
    return values.astype(np.float32) * np.float32(1 / 32_768)


def discard(spool: Path, file: str) -> None:
    """Delete a segment's audio; that it is gone already is fine.

    What the file system refuses is logged: the meeting goes on. Raises StorageError (``kind``
    name) for what is no file of a spool.
    """
    path = _path(spool, file)
    for part in (path, path.with_suffix(".json"), path.with_suffix(".tmp")):
        try:
            part.unlink(missing_ok=True)
        except OSError as error:
            log.warning("spool.discard_refused", file=part.name, error=error.strerror)


def recover(spool: Path, known: Collection[str]) -> list[SpokenSegment]:
    """Segments a killed process left behind, by start: open ones as far as they were durable and
    finished ones whose event was not committed. ``known``: files of committed segments.

    Call it before a chain of the same spool is made. Raises StorageError.
    """
    with _typed(f"reading {spool}"):
        names = sorted(entry.name for entry in spool.iterdir()) if spool.is_dir() else []
    found: list[tuple[Head, str]] = []
    cuts: dict[str, int] = {}
    for name in names:
        if _NAME.fullmatch(name):
            head = _head(spool / name)
            if head.continues is not None:
                cuts[head.continues] = head.at
            if name not in known:
                found.append((head, name))
        elif _REST.fullmatch(name) and name.rsplit(".", 1)[0] + ".pcm" not in names:
            discard(spool, name.rsplit(".", 1)[0] + ".pcm")
    found.sort(key=lambda pair: (pair[0].at, pair[1]))
    segments = [_settled(spool / name, head, cuts.get(name)) for head, name in found]
    return [segment for segment in segments if segment is not None]


def _settled(path: Path, head: Head, cut: int | None) -> SpokenSegment | None:
    """A left-over made final: whole samples, without those that the segment cut from it holds."""
    with _typed(f"recovering {path.name}"):
        length = path.stat().st_size // 2
        if cut is not None:
            length = min(length, cut - head.at)
        if length <= 0:
            discard(path.parent, path.name)
            return None
        with path.open("r+b") as file:
            file.truncate(2 * length)
            os.fsync(file.fileno())
    return _segment(path.name, head, length)


def _head(path: Path) -> Head:
    """The head of a segment; without a readable one, the time its name tells, speaker unknown."""
    try:
        return msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=Head)
    except (OSError, msgspec.DecodeError) as error:
        log.warning("spool.head_lost", file=path.name, error=str(error))
        match = _NAME.fullmatch(path.name)
        assert match is not None
        return Head(at=int(match[1]) * PER_MS)


def _segment(file: str, head: Head, length: int) -> SpokenSegment:
    return SpokenSegment(
        participant=head.participant,
        speaker=head.speaker,
        start_ms=_milliseconds(head.at),
        end_ms=_milliseconds(head.at + length),
        file=file,
        samples=length,
        attribution="unknown" if head.participant is head.speaker is None else "stream",
        joined=head.joined,
    )


def _milliseconds(position: int) -> int:
    return (position + PER_MS // 2) // PER_MS


def _path(spool: Path, file: str) -> Path:
    if not _NAME.fullmatch(file):
        raise StorageError(f"{file[:80]!r} is not a file of a spool", kind="name")
    return spool / file


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # folders cannot be synced there; NTFS journals names
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _typed(what: str) -> Iterator[None]:
    """OSError as StorageError."""
    try:
        yield
    except OSError as error:
        kind = _KINDS.get(error.errno or 0, "failed")
        raise StorageError(
            f"{what}: {error.strerror or error}", kind=kind, retryable=kind in _RETRYABLE
        ) from error
