"""Streams that are served together: each group lags its own fixed time behind the tape.

Real meetings are not in step. With hundreds of streams on one tape, serving them in one burst
would make the last ones late by the length of the burst, and their clients would all wake at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from pipeline.emulator.playback import Due
from pipeline.emulator.station import Station

INTERVAL_MS: Final = 20
"""The shortest interval between packets: no lag is longer."""


class Group:
    """``lag``: ms behind the tape. Times are ms of the tape."""

    def __init__(self, lag: int) -> None:
        self.lag = lag
        self.stations: list[Station] = []
        self._due: list[Due] = []
        self._times: deque[int] = deque()  # when something of the tape is to be served
        self._own = 0  # when one of the streams has something to do

    def hand(self, due: Sequence[Due], at: int) -> None:
        """The tape has come to ``at``."""
        self._due += due
        self._times.append(at + self.lag)

    def next_at(self) -> int:
        """When to serve again. What is due on the tape goes first: serving for another reason
        would send it before its lag is over, and that other reason can wait for 20 ms."""
        return self._times[0] if self._times else self._own

    def serve(self, now: int) -> int | None:
        """Serve every stream; the time this was planned for, if it is something of the tape."""
        planned = None
        while self._times and self._times[0] <= now:
            at = self._times.popleft()
            planned = at if planned is None else planned
        due, self._due = self._due, []
        for station in self.stations:
            station.serve(now, due)
        self.plan(now)
        return planned

    def touched(self, station: Station, now: int) -> None:
        """Something happened to one of the streams: it may have to be served earlier."""
        self._own = min(self._own, station.next_at(now))

    def plan(self, now: int) -> None:
        """Ask the streams when they have something to do."""
        self._own = min(station.next_at(now) for station in self.stations)


def lag_of(index: int, streams: int, *, spread: bool) -> int:
    """Of the stream at this place: spread evenly over the interval, whole ms."""
    return index * INTERVAL_MS // streams if spread else 0


def grouped(stations: Sequence[Station]) -> list[Group]:
    """Streams of one lag together, in order of it."""
    groups: dict[int, Group] = {}
    for station in stations:
        groups.setdefault(station.lag, Group(station.lag)).stations.append(station)
    return list(groups.values())
