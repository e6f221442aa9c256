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

    Images that cannot be used are counted; the first of a kind is logged and told. Images and news
    of who shares come on sockets of their own: either may be here before the other.
    """

    def __init__(
        self, folder: ImageFolder, settings: MeetingSettings, left: int, now_ms: int
    ) -> None:
        self._formats: dict[ImageMedia, out.ImageFormat] = {}
        self._now_ms = now_ms
        self._sharer = Who()
        self._newest: tuple[Who, int] | None = None  # image of the screen shared now, its time
        self._stopped_ms: int | None = None
        self._reported: set[tuple[ImageMedia, str]] = set()
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
                case out.SharingStarted(user_id=user_id, user_name=name, at_ms=at_ms):
                    self._sharer, self._stopped_ms = _who(user_id, name), None
                    if not self._is_shown(self._sharer, at_ms):
                        news += self._restart()
                case out.SharingStopped(at_ms=at_ms):
                    news += self._restart()
                    self._sharer, self._stopped_ms = Who(), at_ms
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
            news += self._unusable(image.media, error)
            used = False
        try:
            if image.media == "deskshare":
                news += self._look(codec, image.timestamp_ms, who, image.data)
        except UnusableImage as error:
            news += self._unusable(image.media, error)
        else:
            metrics.IMAGES.labels("saved" if used else "looked_at").inc()
        return news

    def _look(self, codec: str, at_ms: int, who: Who, data: bytes) -> list[News]:
        if self._screens is None or (self._stopped_ms is not None and at_ms < self._stopped_ms):
            return []
        self._newest = (who, at_ms)
        return [*self._screens.take(codec, at_ms, who, data)]

    def _is_shown(self, sharer: Who, at_ms: int) -> bool:
        """Whether an image of the screen that is shared from then on has come already."""
        if self._newest is None:
            return False
        who, image_ms = self._newest
        return image_ms >= at_ms or (who.participant is not None and not who.differs(sharer))

    def _restart(self) -> list[News]:
        self._newest = None
        if self._screens is None:
            return []
        try:
            return [*self._screens.restart(self._now_ms)]
        except UnusableImage as error:
            return self._unusable("deskshare", error)

    def _skipped(self, media: ImageMedia) -> list[News]:
        saver = self._savers.get(media)
        if media == "deskshare" and self._screens is not None:
            self._screens.skipped()
        return [] if saver is None else [*saver.skipped()]

    def _unusable(self, media: ImageMedia, error: UnusableImage) -> list[News]:
        metrics.IMAGES.labels(error.kind).inc()
        if (media, error.kind) in self._reported:
            return []
        self._reported.add((media, error.kind))
        log.warning("images.unusable", media=media, kind=error.kind, error=str(error))
        if error.kind == "no_keyframe":  # as at every beginning
            return []
        return [out.ProtocolFault(media, f"image_{error.kind}", f"{error} was not used")]


def _who(user_id: int | None, name: str | None) -> Who:
    return Who(None if user_id is None else str(user_id), sound(name) if name else None)
