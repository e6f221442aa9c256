"""What was sent on one kind of media lately, for connections to read at their own place."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final, NamedTuple

_NEAR: Final = 64
"""Rows from the newest that a deque reaches faster by index than by walking from the oldest."""


class Sent(NamedTuple):
    """A wire message and its meeting time (ms from the start) of sending. The payload is shared
    by everybody it is sent to."""

    at: int
    payload: bytes
    user: int = 0
    """Whose image it is; 0 for everything else."""
    active: bool = True
    """An image the active speaker's watchers see."""


class Lane:
    """A window over an endless row of messages; places are counted from the first ever.

    ``end`` is the place after the newest message.
    """

    def __init__(self) -> None:
        self._rows: deque[Sent] = deque()
        self.end = 0

    def append(self, sent: Sent) -> None:
        self._rows.append(sent)
        self.end += 1

    def trim(self, before: int) -> None:
        """Forget what was sent before this time."""
        while self._rows and self._rows[0].at < before:
            self._rows.popleft()

    def place_after(self, at: int) -> int:
        """The place of the first message sent later than ``at``."""
        first = self.end - len(self._rows)
        for number, row in enumerate(self._rows):
            if row.at > at:
                return first + number
        return self.end

    def since(self, place: int) -> list[Sent]:
        """All messages from ``place`` on that are still here."""
        rows = self._rows
        wanted = min(self.end - place, len(rows))
        if wanted < _NEAR:
            return [rows[n] for n in range(-wanted, 0)]
        return list(islice(rows, len(rows) - wanted, None))
