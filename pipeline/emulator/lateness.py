"""How late messages were handed to the sockets: counts by bucket, cheap enough for every one."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Final

BOUNDS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 1000)
"""Upper bounds of the buckets, ms of machine time; one more bucket has none."""


class Lateness:
    """Behind the tape's clock, in ms of machine time."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_MS) + 1)
        self._worst = 0.0

    def add(self, late_ms: float, messages: int) -> None:
        """So many messages were so late."""
        self._counts[bisect_left(BOUNDS_MS, late_ms)] += messages
        self._worst = max(self._worst, late_ms)

    def describe(self) -> dict[str, Any]:
        """``lateness_ms``: the worst, and the bound that 99 of 100 messages kept; ``late``: how
        many messages by upper bound."""
        names = [*map(str, BOUNDS_MS), "more"]
        return {
            "lateness_ms": {"worst": round(self._worst, 3), "p99": self._p99()},
            "late": dict(zip(names, self._counts, strict=True)),
        }

    def _p99(self) -> float:
        total = sum(self._counts)
        seen = 0
        for bound, count in zip(BOUNDS_MS, self._counts, strict=False):
            seen += count
            if total and seen >= total * 0.99:
                return min(float(bound), round(self._worst, 3))
        return round(self._worst, 3)
