"""Few combinations in which every two values of different dimensions still meet."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

Row = tuple[Any, ...]


def pairwise(*dimensions: Sequence[Any]) -> list[Row]:
    """Rows with one value of each dimension, so that every pair of values of any two dimensions
    stands in at least one row. Greedy: each row takes in as many missing pairs as it can. The same
    dimensions give the same rows.
    """
    missing = {
        (a, i, b, j)
        for a, b in itertools.combinations(range(len(dimensions)), 2)
        for i in range(len(dimensions[a]))
        for j in range(len(dimensions[b]))
    }
    rows: list[Row] = []
    while missing:
        row: dict[int, int] = {}
        a, i, b, j = min(missing)
        row[a], row[b] = i, j
        for place in sorted(set(range(len(dimensions))) - {a, b}):
            row[place] = max(
                range(len(dimensions[place])),
                key=lambda value, place=place: (_gain(missing, row, place, value), -value),
            )
        missing -= {
            (a, row[a], b, row[b]) for a, b in itertools.combinations(range(len(dimensions)), 2)
        }
        rows.append(tuple(dimensions[place][row[place]] for place in range(len(dimensions))))
    return rows


def _gain(missing: set[tuple[int, int, int, int]], row: dict[int, int], place: int, at: int) -> int:
    """How many missing pairs this value would make with those the row already has."""
    pairs = (
        (other, value, place, at) if other < place else (place, at, other, value)
        for other, value in row.items()
    )
    return sum(pair in missing for pair in pairs)
