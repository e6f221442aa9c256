"""Connections that are awaited: a client to come at all, lost ones to come back (sections 2.5, 9,
15 of the reference)."""

from __future__ import annotations

from pipeline.emulator.keepalive import NEVER
from pipeline.emulator.params import overlap, shown
from pipeline.rtms.enums import MediaType, StopReason


class Losses:
    """Times are ms from the start. True when media is lost whose client is there."""

    def __init__(self, until: int, reason: StopReason) -> None:
        """Nobody is there yet; see ``await_client``."""
        self._client: tuple[int, StopReason] | None = (until, reason)
        self._until: dict[MediaType, tuple[int, StopReason]] = {}
        self._barred: dict[MediaType, int] = {}

    def __bool__(self) -> bool:
        return bool(self._until)

    def add(self, media: MediaType, until: int, reason: StopReason) -> None:
        """Lost; the stream ends with this reason unless it is back before ``until``."""
        self._until[media] = (until, reason)

    def back(self, media: MediaType) -> bool:
        """A connection carries these again. True when with it nothing is lost any more."""
        found = [lost for lost in self._until if overlap(lost, media)]
        for lost in found:
            del self._until[lost]
        return bool(found) and not self._until

    def await_client(self, until: int, reason: StopReason) -> None:
        """The client itself is gone, whatever of it was lost before."""
        self._until.clear()
        self._client = (until, reason)

    def client_came(self) -> None:
        """It begins anew."""
        self._until.clear()
        self._client = None

    def expired(self, now: int) -> StopReason | None:
        """The stop reason of what did not come in time."""
        return next((reason for until, reason in self._awaited() if now >= until), None)

    def next_at(self) -> int:
        """When the first window closes."""
        return min((until for until, _ in self._awaited()), default=NEVER)

    def bar(self, media: MediaType, until: int) -> None:
        """The URLs of this media are out of order until then."""
        self._barred[media] = until

    def refuses(self, path: MediaType, now: int) -> bool:
        """Whether this media URL is out of order."""
        return any(now < until and overlap(path, media) for media, until in self._barred.items())

    def names(self) -> list[str]:
        """What is lost, for people."""
        return sorted(shown(media) for media in self._until)

    def _awaited(self) -> list[tuple[int, StopReason]]:
        return [*self._until.values(), *([self._client] if self._client else [])]
