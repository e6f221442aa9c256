"""The order of a page's lines while they come and go, and which of them go on with the one before.

Kept up to date line by line: a page of thousands of lines must not be sorted anew for each word.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from pipeline.export.timeline import Entry, order
from pipeline.model.turns import goes_on

_Key = tuple[int, int, int, str]


class Paragraphs:
    """``put`` and ``take`` lines; ``going_on`` are the ids that go on with the line before them."""

    def __init__(self) -> None:
        self._keys: list[_Key] = []
        self._entries: dict[_Key, Entry] = {}
        self._by_id: dict[str, _Key] = {}
        self.going_on: set[str] = set()

    def put(self, entry: Entry) -> Iterable[str]:
        """A new line, or another form of a known one. Returns the ids of other lines that now
        begin anew or go on where they did not."""
        known, key = self._by_id.get(entry.id), order(entry)
        changed: list[str] = []
        if known is not None and known != key:
            changed += self.take(entry.id)
        if key not in self._entries:
            insort(self._keys, key)
        self._entries[key] = entry
        self._by_id[entry.id] = key
        place = bisect_left(self._keys, key)
        self._judge(place)
        return [*changed, *self._judge(place + 1)]

    def take(self, ref: str) -> Iterable[str]:
        """A line that is not shown any more; returns as ``put``."""
        key = self._by_id.pop(ref, None)
        if key is None:
            return []
        place = bisect_left(self._keys, key)
        del self._keys[place], self._entries[key]
        self.going_on.discard(ref)
        return self._judge(place)

    def before(self, start_ms: int) -> Entry | None:
        """The last line that began by then."""
        place = bisect_left(self._keys, (start_ms + 1, -1, 0, ""))
        return self._entries[self._keys[place - 1]] if place else None

    def _judge(self, place: int) -> list[str]:
        """Whether the line at a place goes on; its id if that is news."""
        if not 0 <= place < len(self._keys):
            return []
        entry = self._entries[self._keys[place]]
        before = self._entries[self._keys[place - 1]] if place else None
        is_on = goes_on(before, entry)
        if is_on == (entry.id in self.going_on):
            return []
        (self.going_on.add if is_on else self.going_on.discard)(entry.id)
        return [entry.id]
