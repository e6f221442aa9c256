"""What a bench reports, and the statistics behind it. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from pipeline.base.errors import BadInput


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured thing. ``ratio`` is floor divided by value where less is better, so that above
    1 means better than the floor; None where there is no floor. ``spread``: (max - min) / median of
    the runs."""

    name: str
    value: float
    unit: str
    floor: float | None
    ratio: float | None
    runs: int
    spread: float
    note: str


class Unmeasured(BadInput):
    """This machine lacks what the bench needs; the message says what."""


Progress = Callable[[str], None]
"""Told in a few words what is being done."""

Bench = Callable[[Progress], Awaitable[Sequence[Figure]]]


def figure(
    name: str,
    values: Sequence[float],
    unit: str,
    floors: Sequence[float] | None,
    note: str,
) -> Figure:
    """Medians of the runs, rounded for reading. ``values`` and ``floors`` must not be empty."""
    value = statistics.median(values)
    floor = statistics.median(floors) if floors else None
    return Figure(
        name=name,
        value=readable(value),
        unit=unit,
        floor=None if floor is None else readable(floor),
        ratio=None if floor is None or not value else readable(floor / value, 3),
        runs=len(values),
        spread=spread(values),
        note=note,
    )


def spread(values: Sequence[float]) -> float:
    """(max - min) / median; 0 where the median is 0."""
    median = statistics.median(values)
    return round((max(values) - min(values)) / median, 2) if median else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` (0..1) of the values do not exceed (nearest rank).

    Raises ValueError when there are none.
    """
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def readable(value: float, digits: int = 4) -> float:
    """Rounded to so many significant digits."""
    return float(f"{value:.{digits}g}")
