"""How far final words are behind, by meeting."""

from __future__ import annotations

import itertools

import msgspec

from pipeline.base import metrics
from pipeline.base.clock import Clock


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What a meeting still waits for. ``lag_s``: age of its oldest final that is not settled, in
    machine seconds; ``audio_s``: seconds of audio in all ``segments`` that are not."""

    lag_s: float = 0.0
    audio_s: float = 0.0
    segments: int = 0


class Ticket:
    """One segment that waits for its words, from its end until they are settled."""

    def __init__(self, backlog: Backlog, meeting: str, number: int) -> None:
        self._backlog = backlog
        self._meeting = meeting
        self._number = number

    def settled(self) -> None:
        """It waits no more; can be repeated."""
        self._backlog._remove(self._meeting, self._number)


class Backlog:
    """Counts the segments of all meetings that wait."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count()
        self._waiting: dict[
            str, dict[int, tuple[float, float]]
        ] = {}  # (since, seconds), oldest 1st

    def add(self, meeting: str, seconds: float) -> Ticket:
        """A segment of so many seconds waits from now on."""
        number = next(self._numbers)
        self._waiting.setdefault(meeting, {})[number] = (self._clock.monotonic(), seconds)
        return Ticket(self, meeting, number)

    def of(self, meeting: str) -> Load:
        """What this meeting waits for now."""
        self._measure()
        waiting = self._waiting.get(meeting)
        if not waiting:
            return Load()
        return Load(
            lag_s=self._lag(waiting),
            audio_s=sum(seconds for _, seconds in waiting.values()),
            segments=len(waiting),
        )

    def lag_s(self, meeting: str) -> float:
        """Only the lag: cheap, whatever waits."""
        waiting = self._waiting.get(meeting)
        return self._lag(waiting) if waiting else 0.0

    def _lag(self, waiting: dict[int, tuple[float, float]]) -> float:
        since, _ = next(iter(waiting.values()))
        return self._clock.monotonic() - since

    def _remove(self, meeting: str, number: int) -> None:
        waiting = self._waiting.get(meeting, {})
        waiting.pop(number, None)
        if not waiting:
            self._waiting.pop(meeting, None)
        self._measure()

    def _measure(self) -> None:
        metrics.STT_BEHIND.set(max(map(self._lag, self._waiting.values()), default=0.0))
