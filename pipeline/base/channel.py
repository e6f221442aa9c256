"""Bounded, named, measured queues between stages."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from pipeline.base import metrics

T = TypeVar("T")


class Closed(Exception):
    """The channel was closed and is empty."""


class Channel(Generic[T]):
    """A FIFO between one producer side and one consumer of the same event loop.

    ``offer`` never waits: on a full channel it counts and returns False, and the caller applies
    its overflow rule (written beside the channel where it is made). ``put`` waits for room.
    """

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.limit = limit
        self._items: deque[T] = deque()
        self._closed = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._depth = metrics.QUEUE_DEPTH.labels(name)
        self._refused = metrics.QUEUE_REFUSED.labels(name)

    def __len__(self) -> int:
        return len(self._items)

    def offer(self, item: T) -> bool:
        """Put without waiting; False (and counted) when full or closed."""
        if self._closed or len(self._items) >= self.limit:
            self._refused.inc()
            return False
        self._push(item)
        return True

    async def put(self, item: T) -> None:
        """Put, waiting while full. Raises Closed after ``close()``."""
        while len(self._items) >= self.limit and not self._closed:
            self._writable.clear()
            await self._writable.wait()
        if self._closed:
            raise Closed(self.name)
        self._push(item)

    async def room(self, most: int) -> None:
        """Wait until fewer than ``most`` items are inside, or it is closed."""
        while len(self._items) >= most and not self._closed:
            self._writable.clear()
            await self._writable.wait()

    async def get(self) -> T:
        """The oldest item. Raises Closed when closed and empty."""
        while not self._items:
            if self._closed:
                raise Closed(self.name)
            self._readable.clear()
            await self._readable.wait()
        item = self._items.popleft()
        self._depth.set(len(self._items))
        self._writable.set()
        return item

    def close(self) -> None:
        """No more items; what is inside is still delivered."""
        self._closed = True
        self._readable.set()
        self._writable.set()

    def _push(self, item: T) -> None:
        self._items.append(item)
        self._depth.set(len(self._items))
        self._readable.set()

    def __aiter__(self) -> Channel[T]:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.get()
        except Closed:
            raise StopAsyncIteration from None
