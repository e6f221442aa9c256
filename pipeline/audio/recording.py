"""Everybody's audio kept on request: one working file per voice, written by position.

A working file holds signed 16-bit little-endian mono at the stream's rate and is sparse: what was
not heard takes no room and reads as silence, and audio that comes late lands in its place. Three
files belong together: ``<start ms>-<id>.pcm``, its head ``.json`` and ``.spans``, a line of two
positions for each stretch heard. Written samples survive a kill at once and a power cut after the
next ``sync``; ``recording_files`` makes FLAC or Opus of them once the stream is over.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from pipeline.audio.packet import Samples, encode_l16
from pipeline.audio.recording_disk import put, sync_folder, typed
from pipeline.audio.recording_spans import Spans

log = structlog.get_logger()

LEAD_S = 120
"""Room before the first packet of a voice: what was buffered by Zoom is at most a minute old."""

LONGEST_HOLE_S = 6 * 3600
"""A longer silence begins another file: a clock that jumped must not fill the disk."""

Codec = Literal["flac", "opus"]

_NAME = re.compile(r"\d{1,14}-[0-9a-z]{1,32}\.pcm", re.ASCII)
_LINE = re.compile(r"(\d{1,20}) (\d{1,20})")


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Whose audio a working file holds. ``origin``: position of its first byte; positions are
    samples since the Unix epoch at ``rate``. ``participant`` None: mixed."""

    id: str
    stream: str
    rate: int
    origin: int
    codec: Codec
    participant: str | None = None


class Track:
    """The working file of one voice. ``write`` is called by one thread, which waits for no other;
    ``sync`` and ``close`` by any.

    Everything may be repeated after a StorageError.
    """

    def __init__(self, folder: Path, head: Head, name: str, told: Spans | None = None) -> None:
        self.head = head
        self.name = name
        self.spans = Spans(told or ())
        self._folder = folder
        self._lock = threading.Lock()
        self._syncing = threading.Lock()  # nobody closes a file that is being synced
        self._handle: int | None = None
        self._written = False  # since the last sync
        self._told = Spans(told or ())  # stretches that are in the file of spans
        self._made = told is not None

    @classmethod
    def begin(
        cls,
        folder: Path,
        *,
        id: str,  # noqa: A002
        stream: str,
        participant: str | None,
        rate: int,
        at: int,
        codec: Codec,
    ) -> Track:
        """A new file for a voice whose first sample is at ``at``. Touches no disk yet."""
        origin = max(0, at - LEAD_S * rate)
        head = Head(
            id=id, stream=stream, rate=rate, origin=origin, codec=codec, participant=participant
        )
        return cls(folder, head, f"{at * 1000 // rate:013d}-{id}")

    @property
    def first(self) -> int:
        """Position of the first sample heard; the origin while there is none."""
        return self.spans.first if self.spans else self.head.origin

    @property
    def end(self) -> int:
        """Position after the last sample heard."""
        return self.spans.end if self.spans else self.head.origin

    def fits(self, at: int) -> bool:
        """Whether a sample at ``at`` belongs into this file."""
        return self.head.origin <= at <= self.end + LONGEST_HOLE_S * self.head.rate

    def write(self, at: int, samples: Samples) -> None:
        """Put samples in their place. Raises StorageError; they are then not kept."""
        data = memoryview(encode_l16(samples))
        with self._lock, typed(f"recording {self.name}"):
            handle = self._open()
            offset = 2 * (at - self.head.origin)
            while data:
                done = os.pwrite(handle, data, offset)
                data, offset = data[done:], offset + done
            end = at + len(samples)
            if not self.spans or at != self.spans.end:  # known even if a kill comes now
                self._note([*list(self.spans)[-1:], (at, end)])
            self.spans.add(at, end)
            self._written = True

    def sync(self) -> None:
        """Make durable what was written. A voice that wrote nothing since the last time lets go of
        its file: people who are muted hold none. Raises StorageError."""
        with self._syncing:
            self._sync()

    def _sync(self) -> None:
        with self._lock:
            written, self._written = self._written, False
            handle = self._handle
            if not written and handle is not None:
                os.close(handle)
                self._handle = None
            if not written or handle is None:
                return
            news = self.spans.beyond(self._told)
        try:
            with typed(f"recording {self.name}"):
                os.fdatasync(handle)
                self._note(news, durable=True)
        except BaseException:
            self._written = True
            raise
        for start, end in news:
            self._told.add(start, end)

    def read(self, at: int, count: int) -> bytes:
        """``count`` samples from ``at`` as they are in the file; silence where nothing was heard.
        Raises StorageError."""
        before = min(count, max(0, self.head.origin - at))
        with self._lock, typed(f"reading {self.name}"):
            handle = self._open()
            wanted = 2 * (count - before)
            offset = 2 * (at + before - self.head.origin)
            parts = [bytes(2 * before)]
            while wanted:
                part = os.pread(handle, wanted, offset)
                if not part:
                    break
                parts.append(part)
                wanted, offset = wanted - len(part), offset + len(part)
        return b"".join(parts) + bytes(wanted)

    def close(self) -> None:
        """Let go of the file, once no ``sync`` needs it."""
        with self._syncing, self._lock:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None

    def discard(self) -> None:
        """Delete the working files: what they held is kept in another form."""
        self.close()
        for suffix in (".pcm", ".spans", ".json"):  # the head last: without it nothing is found
            path = self._folder / f"{self.name}{suffix}"
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("recording.discard_refused", file=path.name, error=error.strerror)

    def _note(self, spans: list[tuple[int, int]], *, durable: bool = False) -> None:
        """Add to the file of spans."""
        # A line of its own, whatever a power cut left of the one before.
        text = "\n" + "".join(f"{start} {end}\n" for start, end in spans)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        handle = os.open(self._folder / f"{self.name}.spans", flags, 0o600)
        try:
            os.write(handle, text.encode())
            if durable:
                os.fdatasync(handle)
        finally:
            os.close(handle)

    def _open(self) -> int:
        if self._handle is None:
            if not self._made:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                put(self._folder / f"{self.name}.json", msgspec.json.encode(self.head))
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
            self._handle = os.open(self._folder / f"{self.name}.pcm", flags, 0o600)
            if not self._made:
                sync_folder(self._folder)
                self._made = True
        return self._handle


def leftovers(folder: Path) -> list[Track]:
    """Working files that an earlier process left, by start. Raises StorageError."""
    with typed(f"reading {folder}"):
        names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    found = (_track(folder, name) for name in names if _NAME.fullmatch(name))
    return [track for track in found if track is not None]


def _track(folder: Path, file: str) -> Track | None:
    path = folder / file
    try:
        head = msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=Head)
        length = path.stat().st_size // 2
    except (OSError, msgspec.DecodeError) as error:
        log.warning("recording.head_lost", file=file, error=str(error))
        return None
    lines = _told(path.with_suffix(".spans"))
    told = Spans()
    for start, end in lines:
        told.add(start, end)
    track = Track(folder, head, path.stem, told)
    # What was written after the last sync follows what was told then, or where a hole ended.
    reached = max((end for _, end in lines), default=head.origin + LEAD_S * head.rate)
    track.spans.add(reached, head.origin + length)
    return track


def _told(path: Path) -> list[tuple[int, int]]:
    """Stretches heard, from the file of spans; a torn last line is not one."""
    try:
        lines = path.read_text("ascii", "replace").split("\n")[:-1]
    except OSError:
        return []
    return [(int(match[1]), int(match[2])) for match in map(_LINE.fullmatch, lines) if match]
