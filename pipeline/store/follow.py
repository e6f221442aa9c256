"""Following a log: what is there, then each event as it is committed, without hole or double."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from pipeline.base.clock import Clock
from pipeline.model.events import Event

Fetch = Callable[[int], Awaitable[list[Event]]]
"""Committed events with ``seq`` above the argument, in order; as many as it likes."""


class Signal(Protocol):
    """Tells when it is worth looking again."""

    def newest(self, meeting: str) -> int:
        """A mark to be taken before looking."""
        ...

    async def newer(self, meeting: str, than: int) -> bool:
        """Wait until something may have come since the mark; False when nothing ever will."""
        ...


class Polling:
    """The signal of another process's store: look again after ``every_s``."""

    def __init__(self, clock: Clock, every_s: float = 0.2) -> None:
        self._clock = clock
        self._every_s = every_s

    def newest(self, meeting: str) -> int:  # noqa: ARG002 - every poll looks at the log itself
        return 0

    async def newer(self, meeting: str, than: int) -> bool:  # noqa: ARG002
        await self._clock.sleep(self._every_s)
        return True


class Follow:
    """An asynchronous iterator over a log.

    It is not a generator on purpose: a cancelled ``anext`` (a time-out around it, say) loses
    nothing, the next one goes on with the same event. It ends when the store is closed.
    """

    def __init__(self, meeting: str, after: int, fetch: Fetch, signal: Signal) -> None:
        self._meeting = meeting
        self._after = after
        self._fetch = fetch
        self._signal = signal
        self._ready: deque[Event] = deque()

    def __aiter__(self) -> Follow:
        return self

    async def __anext__(self) -> Event:
        while not self._ready:
            mark = self._signal.newest(self._meeting)
            fetched = await self._fetch(self._after)
            if fetched:
                self._ready.extend(fetched)
            elif not await self._signal.newer(self._meeting, mark):
                raise StopAsyncIteration
        event = self._ready.popleft()
        self._after = event.seq
        return event
