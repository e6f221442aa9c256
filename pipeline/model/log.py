"""How a stage sees its meeting's log: append, read, follow. Implemented by the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from pipeline.model.events import Body, Event


class MeetingLog(Protocol):
    """The append-only log of one meeting."""

    @property
    def meeting(self) -> str:
        """Our id of the meeting."""
        ...

    async def append(self, *bodies: Body) -> list[Event]:
        """Commit bodies in this order, all or none; returns once they are durable.

        Raises StorageError when the disk refuses; nothing of the call is then committed.
        """
        ...

    async def events(self, after: int = 0) -> list[Event]:
        """All committed events with ``seq`` above ``after``, in order."""
        ...

    def follow(self, after: int = 0) -> AsyncIterator[Event]:
        """Committed events with ``seq`` above ``after``, then each new one as it is committed."""
        ...
