"""Where each kind of media was read up to, across connections that come and go."""

from __future__ import annotations

from typing import Final

from pipeline.emulator.connection import Connection
from pipeline.emulator.lane import Lane
from pipeline.emulator.params import bits
from pipeline.rtms.enums import MEDIA_URL_KEY, MediaType

_BUFFERED: Final = (MediaType.AUDIO, MediaType.TRANSCRIPT, MediaType.CHAT)
"""Kept for a client that is not there; video is not (reference section 12.1)."""


class Delivery:
    """One stream's places in its lanes."""

    def __init__(self) -> None:
        self._places: dict[MediaType, int] = {}  # in the lane the media was last read from
        self._lanes: dict[MediaType, Lane] = {}
        self._until = dict.fromkeys(_BUFFERED, -1)  # delivered up to this time, for new lanes
        self._dropping = MediaType.NONE

    def skip(self, now: int) -> None:
        """Nothing said up to now is wanted (``buffer_data`` false)."""
        self._until = dict.fromkeys(_BUFFERED, now)

    def drop(self, media: MediaType) -> None:
        """What is sent until this media is attached again is gone."""
        self._dropping |= bits(media)

    def attach(self, connection: Connection, media: MediaType, lane: Lane) -> None:
        """A connection carries a single media from now on, from where the last one stopped."""
        connection.lanes[media] = lane
        if media not in _BUFFERED or media & self._dropping:
            self._places[media] = lane.end
        elif self._lanes.get(media) is not lane:  # never connected, or in another format
            self._places[media] = lane.place_after(self._until[media])
        self._lanes[media] = lane
        self._dropping &= ~media

    def collect(self, connection: Connection) -> list[tuple[str, bytes]]:
        """What the connection has not been sent yet, in order, with the name of its media."""
        rows = []
        for media, lane in connection.lanes.items():
            if self._places[media] == lane.end:
                continue
            found = lane.since(self._places[media])
            self._places[media] = lane.end
            if found and media in self._until:
                self._until[media] = found[-1].at
            name = MEDIA_URL_KEY[media]
            rows += [(row.at, name, row.payload) for row in found]
        rows.sort(key=lambda row: row[0])  # stable: lanes in the order of media
        return [(name, payload) for _, name, payload in rows]
