"""What one connection's messages have to wait for: a stall, or bytes a second. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from pipeline.emulator.actions import Close, Send

TICK_MS: Final = 100
"""How often a trickling connection gives something out."""


class Piece(NamedTuple):
    """A part of a message: a fragment frame."""

    connection: int
    payload: bytes
    first: bool
    last: bool


class Gate:
    """A queue in front of one connection. Times are ms of the tape."""

    def __init__(self) -> None:
        self._rows: deque[Send | Close] = deque()
        self.waiting = 0
        """Bytes that wait."""
        self._sent = 0  # bytes of the first row that are out already
        self._next_tick = 0

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._rows)

    def put(self, row: Send | Close) -> None:
        """Behind what waits."""
        self._rows.append(row)
        if isinstance(row, Send):
            self.waiting += len(row.payload)

    def take(
        self, now: int, *, stalled: bool, bytes_per_s: int | None
    ) -> list[Send | Close | Piece]:
        """What may go out by now."""
        if stalled:
            return []
        budget = None
        if bytes_per_s is not None:
            if now < self._next_tick:
                return []
            self._next_tick = now + TICK_MS
            budget = max(1, bytes_per_s * TICK_MS // 1000)
        out: list[Send | Close | Piece] = []
        while self._rows and budget != 0:
            row = self._rows[0]
            if isinstance(row, Close):
                out.append(row)
                self._rows.popleft()
                continue
            rest = len(row.payload) - self._sent
            if budget is None or rest <= budget:
                out.append(self._rest(row))
                self._rows.popleft()
                self.waiting -= len(row.payload)
                self._sent = 0
                budget = None if budget is None else budget - rest
            else:
                part = row.payload[self._sent : self._sent + budget]
                out.append(Piece(row.connection, part, first=self._sent == 0, last=False))
                self._sent += budget
                budget = 0
        return out

    def next_at(self, now: int, *, stalled_until: int, trickles: bool) -> int:
        """When something may go out, given that something waits."""
        return max(now, stalled_until, self._next_tick if trickles else 0)

    def _rest(self, row: Send) -> Send | Piece:
        if self._sent == 0:
            return row
        return Piece(row.connection, row.payload[self._sent :], first=False, last=True)
