"""The websockets of one stream."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.emulator.connection import Connection
from pipeline.emulator.handshake import conflict
from pipeline.emulator.params import Refused
from pipeline.emulator.playback import Playback
from pipeline.rtms.enums import MediaType


class Connections:
    """By number. ``signaling`` and ``media`` are those whose handshake was accepted."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self._open: dict[int, Connection] = {}
        self.signaling: Connection | None = None
        self.media: list[Connection] = []

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._open.values()))

    def open(self, number: int, path: MediaType | None) -> None:
        """A websocket was opened."""
        self._open[number] = Connection(number, path)

    def get(self, number: int) -> Connection | None:
        """None when it is gone, or never was."""
        return self._open.get(number)

    def accept(self, connection: Connection) -> None:
        """Its handshake was good."""
        connection.greeted = True
        if connection.path is None:
            self.signaling = connection
        else:
            self.media.append(connection)

    def live(self) -> list[Connection]:
        """Media first, then signaling."""
        return [*self.media, *([self.signaling] if self.signaling else [])]

    def remove(self, connection: Connection) -> None:
        """It is gone, or about to be closed."""
        self._open.pop(connection.number, None)
        if connection is self.signaling:
            self.signaling = None
        elif connection in self.media:
            self.media.remove(connection)
        if connection.audio is not None:
            self._playback.unused(connection.audio)
            connection.audio = None

    def in_the_way(self, media: MediaType) -> list[tuple[Connection, Refused]]:
        """Live media connections that exclude another for ``media``, and why."""
        found = [(other, conflict(media, other.media)) for other in self.media]
        return [(other, why) for other, why in found if why is not None]
