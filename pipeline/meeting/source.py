"""Where a stream's audio, words and states come from: Zoom's sockets, or files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pipeline.model.gaps import Hole
from pipeline.rtms.products import Announcement
from pipeline.rtms.stream import Sink


class StreamSink(Sink, Protocol):
    """A sink for sources that are not bound to real time, and know what they could not read."""

    async def room(self) -> None:
        """Wait until most of what was put is taken in."""
        ...

    def missing(self, hole: Hole) -> None:
        """Something could not be read."""
        ...


class Source(Protocol):
    """One stream, from its beginning to its end. ``RtmsStream`` is one, ``FileStream`` another."""

    async def run(self) -> None:
        """Put what comes until the stream is over (``StreamOver`` is the last) or closed."""
        ...

    def interrupted(self, at_ms: int | None = None) -> None:
        """Outside it is known that the connection is gone."""
        ...

    def replaced(self, announcement: Announcement) -> None:
        """The stream was announced anew."""
        ...

    def stopped(self, reason: int | None) -> None:
        """Outside it is known that the stream is over."""
        ...

    async def end(self) -> None:
        """Have it ended for good."""
        ...

    async def close(self) -> None:
        """Let go of it; it can be taken up again."""
        ...


OpenStream = Callable[[Announcement, StreamSink], Source]
