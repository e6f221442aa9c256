"""Video or screen share as files: when one ends and the next begins."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

import msgspec
import structlog

from pipeline.base.errors import StorageError
from pipeline.meeting.images import annexb, picture
from pipeline.meeting.images.clips import Matroska, Stills, Writer
from pipeline.meeting.images.folder import ImageFolder
from pipeline.meeting.images.news import ClipNews, Who
from pipeline.meeting.images.picture import UnusableImage
from pipeline.meeting.settings import MeetingSettings
from pipeline.model.happening import ImageMedia

log = structlog.get_logger()

RETRY_MS = 10_000
"""Meeting time after a refusal before another file is begun."""

_BACK_MS = 1_000
"""Frames this much older than the last one begin another file."""


class _Shape(msgspec.Struct, frozen=True):
    """What one file holds throughout."""

    kind: Literal["jpg", "png", "h264"]
    width: int
    height: int
    who: Who


class Saver:
    """Not thread-safe. Raises UnusableImage for what cannot be saved; refusals of the disk are
    kept in ``trouble`` (None once writing works again) and another file is begun later.

    Another file begins where the size or the person changes, H.264 only at a key frame: what comes
    of another person before one is in no file.
    """

    def __init__(self, media: ImageMedia, folder: ImageFolder, settings: MeetingSettings) -> None:
        self._media = media
        self._folder = folder
        self._max_bytes = settings.max_image_mb << 20
        self._max_pixels = settings.max_pixels
        self._budget = int(settings.max_saved_gb * (1 << 30))
        self._used: int | None = None
        self._fps = 25
        self._writer: Writer | None = None
        self._shape: _Shape | None = None
        self._from_ms = self._last_ms = 0
        self._refused_ms: int | None = None
        self.trouble: StorageError | None = None

    def take(self, codec: str, fps: int, at_ms: int, who: Who, data: bytes) -> list[ClipNews]:
        """One message's image."""
        if len(data) > self._max_bytes:
            raise UnusableImage(f"an image of {len(data)} bytes", kind="too_large")
        self._fps = fps
        shape, key = self._moving(who, data) if codec == "H264" else (self._still(who, data), True)
        if shape is None:
            raise UnusableImage("H.264 that does not begin with a key frame", kind="no_keyframe")
        news: list[ClipNews] = []
        if self._writer is not None and self._ends(shape, at_ms):
            news += self.close()
            if not key:  # from here on it cannot be played
                return news
        if self._writer is None:
            news += self._begin(shape, at_ms)
        return news + self._add(at_ms, data, key=key)

    def skipped(self) -> list[ClipNews]:
        """Images are missing: H.264 goes on in another file, from a key frame."""
        return self.close() if self._shape is not None and self._shape.kind == "h264" else []

    def close(self) -> list[ClipNews]:
        """Complete what is being written."""
        writer, self._writer = self._writer, None
        if writer is None:
            return []
        try:
            writer.close()
        except StorageError as error:
            self._refused(error, self._last_ms)
        return [self._news(writer, to_ms=self._last_ms, frames=writer.frames)]

    def _still(self, who: Who, data: bytes) -> _Shape:
        found = picture.read(data, max_bytes=self._max_bytes, max_pixels=self._max_pixels)
        return _Shape(found.kind, found.width, found.height, who)

    def _moving(self, who: Who, data: bytes) -> tuple[_Shape | None, bool]:
        unit = annexb.read(data)
        if unit is None:
            raise UnusableImage(f"{len(data)} bytes are no H.264", kind="not_an_image")
        if unit.key and unit.size is not None:
            picture.check_pixels(*unit.size, self._max_pixels)
            return _Shape("h264", *unit.size, who), True
        known = self._shape if self._writer is not None else None
        if known is None or known.kind != "h264":
            return None, False
        return (msgspec.structs.replace(known, who=who) if who.differs(known.who) else known), False

    def _ends(self, shape: _Shape, at_ms: int) -> bool:
        return shape != self._shape or at_ms < self._last_ms - _BACK_MS

    def _begin(self, shape: _Shape, at_ms: int) -> list[ClipNews]:
        if self._refused_ms is not None and 0 <= at_ms - self._refused_ms < RETRY_MS:
            return []
        try:
            self._check_budget()
            name = self._folder.name(self._media, at_ms)
            if shape.kind == "h264":
                self._writer = Matroska(
                    self._folder,
                    name,
                    start_ms=at_ms,
                    width=shape.width,
                    height=shape.height,
                    fps=self._fps,
                )
            else:
                self._writer = Stills(self._folder, name, shape.kind)
        except StorageError as error:
            self._refused(error, at_ms)
            return []
        self._shape, self._from_ms, self._last_ms = shape, at_ms, at_ms
        return [self._news(self._writer)]

    def _add(self, at_ms: int, data: bytes, *, key: bool) -> list[ClipNews]:
        if self._writer is None:
            return []
        try:
            self._writer.add(at_ms, data, key=key)
        except StorageError as error:
            self._refused(error, at_ms)
            news = self.close()
            self._refused(error, at_ms)  # the first refusal says why, closing only repeats it
            return news
        self._last_ms = max(self._last_ms, at_ms)
        self._used = (self._used or 0) + len(data)
        if self.trouble is not None:
            log.info("images.saves_again", media=self._media)
        self.trouble = self._refused_ms = None
        return self.close() if self._used > self._budget else []

    def _check_budget(self) -> None:
        if self._used is None:
            with suppress(OSError):
                self._used = self._folder.size()
        if (self._used or 0) > self._budget:
            raise StorageError(
                f"saved video and share take {self._budget >> 30} GB; saving has ended"
                " (meeting.max_saved_gb)",
                kind="budget",
            )

    def _refused(self, error: StorageError, at_ms: int) -> None:
        if self.trouble is None or self.trouble.kind != error.kind:
            log.error("images.save_refused", media=self._media, kind=error.kind, error=str(error))
        self.trouble, self._refused_ms = error, at_ms

    def _news(self, writer: Writer, *, to_ms: int = 0, frames: int = 0) -> ClipNews:
        shape = self._shape
        assert shape is not None
        return ClipNews(
            media=self._media,
            codec=shape.kind.upper(),
            file=writer.file,
            from_ms=self._from_ms,
            width=shape.width,
            height=shape.height,
            who=shape.who,
            to_ms=to_ms,
            frames=frames,
        )
