"""Everything that happens to the images of one stream, off the loop. Not thread-safe."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from pipeline.base import metrics
from pipeline.base.errors import StorageError
from pipeline.meeting.images.folder import ImageFolder
from pipeline.meeting.images.news import Item, News, Who
from pipeline.meeting.images.picture import UnusableImage
from pipeline.meeting.images.saver import Saver
from pipeline.meeting.images.screens import Screens
from pipeline.meeting.settings import MeetingSettings
from pipeline.meeting.words import sound
from pipeline.model.happening import ImageMedia
from pipeline.rtms import outputs as out

log = structlog.get_logger()


class Keeper:
    """Keyframes of the shared screen and saved files of both media. ``left``: so many keyframes
    may still be kept of this meeting.

    Images that cannot be used are counted, and the first of a kind is logged.
    """

    def __init__(
        self, folder: ImageFolder, settings: MeetingSettings, left: int, now_ms: int
    ) -> None:
        self._formats: dict[ImageMedia, out.ImageFormat] = {}
        self._now_ms = now_ms
        self._sharer = Who()
        self._reported: set[str] = set()
        self._screens = Screens("deskshare", folder, settings, left) if settings.keyframes else None
        self._savers: dict[ImageMedia, Saver] = {}
        if settings.save_video:
            self._savers["video"] = Saver("video", folder, settings)
        if settings.save_share:
            self._savers["deskshare"] = Saver("deskshare", folder, settings)

    @property
    def trouble(self) -> StorageError | None:
        """The last refusal of the disk, None once everything could be written."""
        stages: list[Screens | Saver] = [*self._savers.values()]
        if self._screens is not None:
            stages.append(self._screens)
        return next((stage.trouble for stage in stages if stage.trouble is not None), None)

    def work(self, items: Iterable[tuple[bool, Item]]) -> list[News]:
        """Take items in order; True beside an image: others of its media were dropped before."""
        news: list[News] = []
        for skipped, item in items:
            match item:
                case out.ImageReceived():
                    if skipped:
                        news += self._skipped(item.media)
                    news += self._image(item)
                case out.ImageFormat(media=media):
                    if self._formats.get(media, item) != item:
                        news += self._skipped(media)
                    self._formats[media] = item
                case out.SharingStarted(user_id=user_id, user_name=name):
                    news += self._restart()
                    self._sharer = _who(user_id, name)
                case out.SharingStopped():
                    news += self._restart()
                    self._sharer = Who()
                case now_ms:
                    self._now_ms = max(self._now_ms, now_ms)
                    if self._screens is not None:
                        news += self._screens.tick(self._now_ms)
        return news

    def finish(self) -> list[News]:
        """The stream is over."""
        news = self._restart()
        for saver in self._savers.values():
            news += saver.close()
        return news

    def _image(self, image: out.ImageReceived) -> list[News]:
        told = self._formats.get(image.media)
        codec, fps = ("JPG", 1) if told is None else (told.codec.upper(), told.fps)
        who = _who(image.user_id, image.user_name)
        if image.media == "deskshare" and who == Who():
            who = self._sharer
        news: list[News] = []
        saver = self._savers.get(image.media)
        used = saver is not None
        try:
            if saver is not None:
                news += saver.take(codec, fps, image.timestamp_ms, who, image.data)
        except UnusableImage as error:
            self._unusable(error)
            used = False
        try:
            if self._screens is not None and image.media == "deskshare":
                news += self._screens.take(codec, image.timestamp_ms, who, image.data)
        except UnusableImage as error:
            self._unusable(error)
        else:
            metrics.IMAGES.labels("saved" if used else "looked_at").inc()
        return news

    def _restart(self) -> list[News]:
        if self._screens is None:
            return []
        try:
            return [*self._screens.restart(self._now_ms)]
        except UnusableImage as error:
            self._unusable(error)
            return []

    def _skipped(self, media: ImageMedia) -> list[News]:
        saver = self._savers.get(media)
        if media == "deskshare" and self._screens is not None:
            self._screens.skipped()
        return [] if saver is None else [*saver.skipped()]

    def _unusable(self, error: UnusableImage) -> None:
        metrics.IMAGES.labels(error.kind).inc()
        if error.kind not in self._reported:
            self._reported.add(error.kind)
            log.warning("images.unusable", kind=error.kind, error=str(error))


def _who(user_id: int | None, name: str | None) -> Who:
    return Who(None if user_id is None else str(user_id), sound(name) if name else None)
