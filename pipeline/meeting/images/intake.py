"""Images from the receiving task to the disk and the log: a queue and a thread of their own.

Audio and words never wait for a picture: the queue is bounded in images and in bytes, and what
does not fit is dropped, counted and becomes a gap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from pipeline.base import metrics
from pipeline.base.channel import Channel, Closed
from pipeline.base.errors import StorageError
from pipeline.base.ids import Ids, RandomIds
from pipeline.meeting.images.folder import ImageFolder
from pipeline.meeting.images.news import Item, News, PictureKept
from pipeline.meeting.recorder import Recorder
from pipeline.meeting.settings import MeetingSettings
from pipeline.model import events as ev
from pipeline.model.happening import ImageMedia
from pipeline.rtms import outputs as out

if TYPE_CHECKING:
    from pipeline.meeting.images.keeper import Keeper

log = structlog.get_logger()

IMAGES = 128
BYTES = 48 << 20
"""Images waiting for their thread: five seconds of H.264 at 25 a second, or eight of the largest
PNGs. Overflow rule: the new image is dropped and becomes part of a gap."""

QUIET_MS = 5_000
"""Dropped images so far apart are two gaps."""

_BATCH = 16

Commit = Callable[[list[ev.Body]], Awaitable[None]]


class _Dropped(msgspec.Struct):
    first_ms: int
    last_ms: int
    count: int


class ImageIntake:
    """The images of one stream. ``put`` and ``tick`` never wait; ``run`` until ``close``."""

    def __init__(
        self,
        *,
        stream: str,
        folder: Path,
        settings: MeetingSettings,
        recorder: Recorder,
        commit: Commit,
        ids: Ids | None = None,
    ) -> None:
        self._stream = stream
        self._settings = settings
        self._recorder = recorder
        self._commit = commit
        self._folder = ImageFolder(folder, ids or RandomIds())
        self._waiting: Channel[tuple[bool, Item]] = Channel("images", IMAGES)
        self._bytes = 0
        share = settings.save_share or settings.keyframes
        self._wanted: dict[ImageMedia, bool] = {"video": settings.save_video, "deskshare": share}
        self._dropped: dict[ImageMedia, _Dropped] = {}
        self._skips: set[ImageMedia] = set()
        self._keeper: Keeper | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._kept_back: list[tuple[bool, Item]] = []
        self._broken = False
        self._told: str | None = None
        self._failures = 0
        self._at_ms = 0

    def wants(self, media: ImageMedia) -> bool:
        """Whether anything is kept of it."""
        return self._wanted[media] and not self._broken

    def put(self, item: Item) -> None:
        """Take an image, or what concerns images, in its place among them."""
        if not isinstance(item, out.ImageReceived):
            self._waiting.offer((False, item))
            return
        media = item.media
        if not self.wants(media):
            return
        size = len(item.data)
        if self._bytes + size > BYTES or not self._waiting.offer((media in self._skips, item)):
            self._drop(media, item.timestamp_ms)
            return
        self._skips.discard(media)
        self._bytes += size
        self._at_ms = self._at_ms or item.timestamp_ms

    def tick(self, now_ms: int) -> None:
        """Time passes."""
        self._at_ms = now_ms
        if not len(self._waiting):
            self._waiting.offer((False, now_ms))

    def break_off(self) -> None:
        """The connection was lost: images are missing."""
        self._skips |= {"video", "deskshare"}

    def close(self) -> None:
        """Nothing more comes."""
        self._waiting.close()

    async def run(self) -> None:
        """Keep what is worth it until closed; everything kept is in the log when it returns."""
        try:
            while (batch := await self._batch()) is not None:
                await self._work(batch)
            if self._keeper is not None:
                await self._report(await self._off_loop(self._keeper.finish))
            await self._tell_dropped(None)
        finally:
            if self._thread is not None:
                self._thread.shutdown(wait=False, cancel_futures=True)

    async def _batch(self) -> list[tuple[bool, Item]] | None:
        try:
            batch = [await self._waiting.get()]
            while len(self._waiting) and len(batch) < _BATCH:
                batch.append(await self._waiting.get())
        except Closed:
            return None
        return batch

    async def _work(self, batch: list[tuple[bool, Item]]) -> None:
        if self._keeper is None and not self._broken:
            self._kept_back += [pair for pair in batch if not isinstance(pair[1], int)]
            shown = (out.ImageReceived, out.ImageFormat)
            if any(isinstance(item, shown) for _, item in batch):
                batch, self._kept_back = self._kept_back, []
                await self._off_loop(self._make)
            else:  # who shares, before anything is seen of it: the newest says all
                self._kept_back = self._kept_back[-1:]
        if (keeper := self._keeper) is not None:
            news = await self._off_loop(lambda: keeper.work(batch))
            await self._report(news)
        self._bytes -= sum(
            len(item.data) for _, item in batch if isinstance(item, out.ImageReceived)
        )
        await self._tell_dropped(self._at_ms)

    async def _report(self, news: list[News]) -> None:
        bodies: list[ev.Body] = []
        for found in news:
            if isinstance(found, PictureKept):
                bodies += self._recorder.beside.picture(self._stream, found)
            elif isinstance(found, out.ProtocolFault):
                bodies += self._recorder.beside.fault(self._stream, found, self._at_ms)
            else:
                bodies += self._recorder.beside.clip(self._stream, found)
        bodies += self._health()
        if bodies:
            await self._commit(bodies)

    def _health(self) -> list[ev.Body]:
        """A failed disk, and that it works again; written when that is news."""
        if self._keeper is None:
            return []
        trouble: StorageError | None = self._keeper.trouble
        kind = None if trouble is None else trouble.kind
        if kind == self._told:
            return []
        self._told = kind
        self._failures += trouble is not None
        return [
            ev.StageChanged(
                stage="images",
                state="ok" if trouble is None else "degraded",
                at_ms=self._at_ms,
                error=kind or "",
                detail="" if trouble is None else str(trouble),
                retryable=trouble is not None and trouble.retryable,
                count=self._failures,
            )
        ]

    def _drop(self, media: ImageMedia, at_ms: int) -> None:
        metrics.IMAGES.labels("dropped").inc()
        self._skips.add(media)
        known = self._dropped.get(media)
        if known is None:
            self._dropped[media] = _Dropped(at_ms, at_ms, 1)
        else:
            known.first_ms, known.last_ms = min(known.first_ms, at_ms), max(known.last_ms, at_ms)
            known.count += 1

    async def _tell_dropped(self, now_ms: int | None) -> None:
        bodies: list[ev.Body] = []
        for media, lost in list(self._dropped.items()):
            if now_ms is not None and now_ms - lost.last_ms < QUIET_MS:
                continue
            del self._dropped[media]
            bodies += self._recorder.gap(
                from_ms=lost.first_ms,
                to_ms=lost.last_ms + 1,
                media=media,
                cause="images_dropped",
                detail=f"{lost.count} images came faster than they could be kept",
                stream=self._stream,
            )
        if bodies:
            await self._commit(bodies)

    def _make(self) -> list[News]:
        from pipeline.meeting.images.keeper import Keeper  # loads FFmpeg

        left = self._settings.max_keyframes - self._recorder.beside.pictures
        self._keeper = Keeper(self._folder, self._settings, left, self._at_ms)
        return []

    async def _off_loop(self, work: Callable[[], list[News]]) -> list[News]:
        """Run it on the thread of images. A fault in it must not end the receiving: it is logged
        with its trace and shown in the meeting's state, and no image is looked at any more."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "images")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except Exception as error:
            log.exception("images.failed", stream=self._stream)
            self._keeper, self._broken = None, True
            changed = ev.StageChanged(
                stage="images",
                state="failed",
                at_ms=self._at_ms,
                error=type(error).__name__,
                detail="pictures are no longer kept because of a fault in this program (its log)",
            )
            await self._commit([changed])
            return []
