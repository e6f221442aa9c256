"""Words that are being said right now. They are never stored and promise nothing.

Each is bound to the file of the segment it becomes: once that segment is settled in the log, its
words stand there and the partial must not be shown any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from pipeline.model.speech import Attribution

Partials = tuple["Partial", ...]


class Partial(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard so far of a segment that is open, or whose final words are still awaited.

    ``file`` is the segment's, relative to the meeting's spool; ``start_ms`` is meeting time.
    ``committed`` words do not change before the final ones, ``tentative`` ones may; both end
    without white space.
    """

    file: str
    stream: str
    start_ms: int
    participant: str | None = None
    speaker: str | None = None
    attribution: Attribution = "stream"
    speaker_confidence: float | None = None
    committed: str = ""
    tentative: str = ""


class LiveWords:
    """The partials of all meetings of this process, in one event loop.

    Nothing queues per reader: a slow one finds the newest when it looks again.
    """

    def __init__(self) -> None:
        self._current: dict[str, dict[str, Partial]] = {}
        self._watches: dict[str, set[Watch]] = {}

    def put(self, meeting: str, partial: Partial) -> None:
        """New words of an open segment, in place of earlier ones of the same file."""
        files = self._current.setdefault(meeting, {})
        if files.get(partial.file) != partial:
            files[partial.file] = partial
            self._tell(meeting)

    def drop(self, meeting: str, file: str) -> None:
        """The segment is settled, or will never be."""
        files = self._current.get(meeting, {})
        if files.pop(file, None) is not None:
            self._tell(meeting)
        if not files:
            self._current.pop(meeting, None)

    def forget(self, meeting: str) -> None:
        """The meeting is not being received any more."""
        if self._current.pop(meeting, None):
            self._tell(meeting)

    def current(self, meeting: str) -> Partials:
        """What is being said, by start."""
        files = self._current.get(meeting, {})
        return tuple(sorted(files.values(), key=lambda p: (p.start_ms, p.file)))

    def watched(self, meeting: str) -> bool:
        """Whether anybody looks: words that nobody sees need not be heard twice."""
        return bool(self._watches.get(meeting))

    @contextmanager
    def watch(self, meeting: str) -> Iterator[Watch]:
        """Look at a meeting's partials for a while."""
        watch = Watch(self, meeting)
        watches = self._watches.setdefault(meeting, set())
        watches.add(watch)
        try:
            yield watch
        finally:
            watches.discard(watch)
            if not watches:
                self._watches.pop(meeting, None)

    def _tell(self, meeting: str) -> None:
        for watch in self._watches.get(meeting, ()):
            watch.changed.set()


class Watch:
    """Gives all partials of a meeting each time they changed, at first those that are there.

    Not a generator on purpose: a cancelled ``anext`` loses nothing.
    """

    def __init__(self, live: LiveWords, meeting: str) -> None:
        self._live = live
        self._meeting = meeting
        self.changed = asyncio.Event()
        if live.current(meeting):
            self.changed.set()

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> Partials:
        await self.changed.wait()
        self.changed.clear()
        return self._live.current(self._meeting)
