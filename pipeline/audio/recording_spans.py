"""Which stretches of a voice were heard. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator


class Spans:
    """Stretches ``start <= position < end``, in order, none touching another."""

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._spans: list[tuple[int, int]] = list(spans)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._spans)

    def __bool__(self) -> bool:
        return bool(self._spans)

    @property
    def first(self) -> int:
        """Where the first one begins. Raises IndexError when there is none."""
        return self._spans[0][0]

    @property
    def end(self) -> int:
        """Where the last one ends. Raises IndexError when there is none."""
        return self._spans[-1][1]

    def add(self, start: int, end: int) -> None:
        """One more stretch; what it touches becomes one with it."""
        if start >= end:
            return
        spans = self._spans
        if spans and spans[-1][0] <= start <= spans[-1][1]:  # nearly always
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
            return
        left = bisect_left(spans, start, key=lambda span: span[1])
        right = left
        while right < len(spans) and spans[right][0] <= end:
            start, end = min(start, spans[right][0]), max(end, spans[right][1])
            right += 1
        spans[left:right] = [(start, end)]

    def beyond(self, other: Spans) -> list[tuple[int, int]]:
        """The stretches that are not the same in ``other``."""
        known = set(other)
        return [span for span in self._spans if span not in known]

    def holes(self, start: int, end: int) -> list[tuple[int, int]]:
        """What is missing of ``start <= position < end``."""
        missing: list[tuple[int, int]] = []
        at = start
        for left, right in self._spans:
            if left >= end:
                break
            if left > at:
                missing.append((at, left))
            at = max(at, right)
        return [*missing, (at, end)] if at < end else missing
