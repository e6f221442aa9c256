"""Where each kind of media was read up to, across connections that come and go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, Final

from pipeline.emulator.connection import Connection
from pipeline.emulator.lane import Lane, Sent
from pipeline.emulator.params import bits
from pipeline.emulator.playback import Playback
from pipeline.emulator.rendering import AudioFormat
from pipeline.emulator.video import Video
from pipeline.rtms.enums import MEDIA_URL_KEY, MediaType

BUFFERED: Final = MediaType.AUDIO | MediaType.TRANSCRIPT | MediaType.CHAT
"""Kept for a client that is not there; video is not (reference section 12.1)."""

Wanted = Callable[[Sent], bool]


class Feed:
    """One stream's place in one lane, or in the lanes that followed each other."""

    def __init__(self, media: MediaType) -> None:
        self.media = media
        self.name = MEDIA_URL_KEY[media]
        self.lane: Lane | None = None
        self.place = 0
        self.until = -1
        """Delivered up to this time (ms from the start), for a lane in another format."""
        self.wanted: Wanted | None = None
        """Which rows are for this client; None: all."""


class Delivery:
    """One stream's feeds. ``replay`` off: what was sent while nobody was there is gone."""

    def __init__(self, *, replay: bool = True) -> None:
        self.replay = replay
        self._feeds: dict[tuple[MediaType, bool], Feed] = {}
        self._skipped = -1
        self._dropping = MediaType.NONE
        self._holes: list[tuple[int, int | None]] = []

    def skip(self, now: int) -> None:
        """Nothing said up to now is wanted (``buffer_data`` false)."""
        self._skipped = max(self._skipped, now)

    def drop(self, media: MediaType) -> None:
        """What is sent until this media is attached again is gone."""
        self._dropping |= bits(media)

    def pause(self, now: int) -> None:
        """What is sent from now on is for nobody, whoever connects later."""
        if not self.paused:
            self._holes.append((now, None))

    def resume(self, now: int, forget_before: int) -> None:
        """Deliver again. Holes that ended before ``forget_before`` are in no lane any more."""
        if self.paused:
            self._holes[-1] = (self._holes[-1][0], now)
        self._holes = [hole for hole in self._holes if hole[1] is None or hole[1] >= forget_before]

    @property
    def paused(self) -> bool:
        """Whether media is held back now."""
        return bool(self._holes) and self._holes[-1][1] is None

    def carry(
        self,
        connection: Connection,
        media: MediaType,
        params: Mapping[str, Any],
        playback: Playback,
        video: Video,
    ) -> None:
        """A connection carries a single media from now on, from where the last one stopped.
        ``params``: the effective ones of this media."""
        lane = playback.lanes[media]
        if media is MediaType.AUDIO:
            connection.audio = AudioFormat.of(params)
            self._attach(connection, media, playback.audio(connection.audio))
            self._attach(connection, media, lane, extra=True)  # its metadata
        elif media is MediaType.VIDEO:
            video.start(params["data_opt"])
            self._attach(connection, media, lane, wanted=video.wanted)
        else:
            self._attach(connection, media, lane)
        self._dropping &= ~media

    def _attach(
        self,
        connection: Connection,
        media: MediaType,
        lane: Lane,
        *,
        extra: bool = False,
        wanted: Wanted | None = None,
    ) -> None:
        feed = self._feeds.setdefault((media, extra), Feed(media))
        feed.wanted = wanted
        if not media & BUFFERED or media & self._dropping or not self.replay:
            feed.place = lane.end
        elif feed.lane is not lane:  # never connected, or in another format
            feed.place = lane.place_after(max(feed.until, self._skipped))
        feed.lane = lane
        connection.feeds.append(feed)

    def begin(self, connection: Connection) -> None:
        """Media may flow: images that came while it could not are not kept."""
        for feed in connection.feeds:
            if feed.lane is not None and not feed.media & BUFFERED:
                feed.place = feed.lane.end

    def collect(self, connection: Connection) -> list[tuple[int, str, bytes]]:
        """What the connection has not been sent yet: when, the name of its media, the message."""
        found: list[tuple[int, str, bytes]] = []
        filled = 0
        for feed in connection.feeds:
            lane = feed.lane
            if lane is None or feed.place == lane.end:
                continue
            rows = lane.since(feed.place)
            feed.place = lane.end
            if not rows:
                continue
            feed.until = rows[-1].at
            if self._holes:
                rows = [row for row in rows if not self._in_hole(row.at)]
            wanted = feed.wanted
            if wanted is not None:
                rows = [row for row in rows if wanted(row)]
            name = feed.name
            found += [(row.at, name, row.payload) for row in rows]
            filled += 1
        if filled > 1:
            found.sort(key=itemgetter(0))  # stable: lanes in the order of media
        return found

    def _in_hole(self, at: int) -> bool:
        return any(start < at and (end is None or at <= end) for start, end in self._holes)
