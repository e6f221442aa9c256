"""What was sent on one kind of media lately, for connections to read at their own place."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import NamedTuple


class Sent(NamedTuple):
    """A wire message and its meeting time (ms from the start) of sending."""

    at: int
    payload: bytes


class Lane:
    """A window over an endless row of messages; places are counted from the first ever."""

    def __init__(self) -> None:
        self._rows: deque[Sent] = deque()
        self._first = 0

    @property
    def end(self) -> int:
        """The place after the newest message."""
        return self._first + len(self._rows)

    def append(self, at: int, payload: bytes) -> None:
        self._rows.append(Sent(at, payload))

    def trim(self, before: int) -> None:
        """Forget what was sent before this time."""
        while self._rows and self._rows[0].at < before:
            self._rows.popleft()
            self._first += 1

    def place_after(self, at: int) -> int:
        """The place of the first message sent later than ``at``."""
        for number, row in enumerate(self._rows):
            if row.at > at:
                return self._first + number
        return self.end

    def since(self, place: int) -> list[Sent]:
        """All messages from ``place`` on that are still here."""
        skip = max(0, place - self._first)
        return list(islice(self._rows, skip, None))
