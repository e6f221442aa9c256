"""A meeting's log that waits out a full disk instead of losing what was said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import structlog

from pipeline.base.backoff import Backoff
from pipeline.base.clock import Clock
from pipeline.base.errors import StorageError
from pipeline.model.events import Body, Event
from pipeline.model.log import MeetingLog

RETRY = Backoff(base=0.5, factor=2.0, cap=10.0)

log = structlog.get_logger()


class PatientLog:
    """Repeats a refused append while the error says that it can help; appends keep their order.

    The caller waits, so its bounded queue fills, and what arrives meanwhile follows the overflow
    rule of that queue. ``on_trouble`` is told each error, and None once writing works again.
    """

    def __init__(
        self,
        inner: MeetingLog,
        clock: Clock,
        on_trouble: Callable[[StorageError | None], None],
        retry: Backoff = RETRY,
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._on_trouble = on_trouble
        self._retry = retry
        self._turn = asyncio.Lock()

    @property
    def meeting(self) -> str:
        return self._inner.meeting

    async def append(self, *bodies: Body) -> list[Event]:
        async with self._turn:
            delays = self._retry.delays()
            troubled = False
            while True:
                try:
                    events = await _to_its_end(self._inner.append(*bodies))
                except StorageError as error:
                    delay = next(delays, None) if error.retryable else None
                    if delay is None:
                        raise
                    troubled = True
                    self._report(error)
                    await self._clock.sleep(delay)
                else:
                    if troubled:
                        self._on_trouble(None)
                    return events

    async def events(self, after: int = 0) -> list[Event]:
        return await self._inner.events(after)

    def follow(self, after: int = 0) -> AsyncIterator[Event]:
        return self._inner.follow(after)

    def _report(self, error: StorageError) -> None:
        log.error("store.append_refused", meeting=self.meeting, kind=error.kind, error=str(error))
        self._on_trouble(error)


async def _to_its_end(append: Coroutine[Any, Any, list[Event]]) -> list[Event]:
    """A cancelled append is committed all the same: leave only when it is, so that whoever goes
    on from the log sees it."""
    task = asyncio.ensure_future(append)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
