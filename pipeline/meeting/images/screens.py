"""Keyframes of a shared screen: looked at, and the few that are worth it kept as pictures."""

from __future__ import annotations

import structlog
from av.video.frame import VideoFrame

from pipeline.base.errors import StorageError
from pipeline.meeting.images import frames
from pipeline.meeting.images.folder import ImageFolder
from pipeline.meeting.images.frames import Limits, Moving
from pipeline.meeting.images.news import PictureKept, Who
from pipeline.meeting.images.picker import Picker
from pipeline.meeting.settings import MeetingSettings
from pipeline.model.happening import ImageMedia

log = structlog.get_logger()

LOOK_MS = 500
"""Frames of one screen are compared at most this often; H.264 is decoded all the same."""

RETRY_MS = 10_000
"""Meeting time after a refusal of the disk before it is tried again."""


class Screens:
    """Not thread-safe. Raises UnusableImage for what cannot be decoded; refusals of the disk are
    kept in ``trouble`` and what was to be kept is tried again. ``left``: so many may still be
    kept."""

    def __init__(
        self, media: ImageMedia, folder: ImageFolder, settings: MeetingSettings, left: int
    ) -> None:
        self._media = media
        self._folder = folder
        self._limits = Limits(max_bytes=settings.max_image_mb << 20, max_pixels=settings.max_pixels)
        self._picker: Picker[tuple[VideoFrame, Who]] = Picker(
            every_ms=round(settings.keyframe_every_s * 1000), threshold=settings.keyframe_change
        )
        self._moving = Moving(self._limits)
        self._who = Who()
        self._looked_ms: int | None = None
        self._refused_ms: int | None = None
        self._most = settings.max_keyframes
        self.left = left
        self.trouble: StorageError | None = None if left > 0 else self._full()

    def take(self, codec: str, at_ms: int, who: Who, data: bytes) -> list[PictureKept]:
        """One message's image."""
        if self.left <= 0:
            return []
        if who.differs(self._who):  # another encoder's pictures: only a key frame can be read
            self._moving.restart()
        self._who = who
        due = self._looked_ms is None or not 0 <= at_ms - self._looked_ms < LOOK_MS
        if codec == "H264":
            frame = self._moving.frame(data)
        else:
            frame = frames.still(data, self._limits) if due else None
        if frame is None or not due:
            return []
        self._looked_ms = at_ms
        verdict = self._picker.look(at_ms, frames.gray(frame), (frame, who))
        return self._keep(at_ms) if verdict == "keep" else []

    def tick(self, now_ms: int) -> list[PictureKept]:
        """Time passes: what nothing newer came after stands."""
        return self._keep(now_ms) if self._picker.due(now_ms) else []

    def skipped(self) -> None:
        """Images are missing."""
        self._moving.restart()

    def restart(self, now_ms: int) -> list[PictureKept]:
        """Somebody else shares, or the stream is over: what waits is kept if it stood a while."""
        kept = self.tick(now_ms)
        self._picker.restart()
        self._looked_ms = None
        return kept

    def _keep(self, now_ms: int) -> list[PictureKept]:
        waiting = self._picker.waiting
        if waiting is None or self.left <= 0:
            return []
        if self._refused_ms is not None and 0 <= now_ms - self._refused_ms < RETRY_MS:
            return []
        at_ms, (frame, who) = waiting
        name = self._folder.name(self._media, at_ms)
        kept = PictureKept(
            media=self._media,
            at_ms=at_ms,
            file=f"{name}.jpg",
            thumb=f"{name}-small.jpg",
            width=frame.width,
            height=frame.height,
            who=who,
        )
        try:
            self._folder.write(kept.thumb, frames.jpeg(frame, frames.SMALL_WIDTH), durable=False)
            self._folder.write(kept.file, frames.jpeg(frame), durable=True)
        except StorageError as error:
            if self.trouble is None:
                log.exception("images.keep_refused", kind=error.kind)
            self.trouble, self._refused_ms = error, now_ms
            return []
        self.trouble = self._refused_ms = None
        self._picker.kept(now_ms)
        self.left -= 1
        if self.left <= 0:
            self.trouble = self._full()
        return [kept]

    def _full(self) -> StorageError:
        text = f"{self._most} pictures are kept of this meeting, no more (meeting.max_keyframes)"
        return StorageError(text, kind="budget")
