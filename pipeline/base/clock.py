"""Time as an input: machine clocks that can be replaced, and the meeting's own clock."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """The machine's time. Everything that waits or stamps takes one of these."""

    def now_ms(self) -> int:
        """Wall clock, Unix milliseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds of this clock."""
        ...


class SystemClock:
    """The real clock of the machine."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that moves only when told to. For tests and for virtual-time replays."""

    def __init__(self, start_ms: int = 1_790_000_000_000) -> None:
        self._start_ms = start_ms
        self._elapsed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now_ms(self) -> int:
        return self._start_ms + round(self._elapsed * 1000)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move on, waking sleepers in order and letting woken tasks run in between."""
        target = self._elapsed + seconds
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            due, _, future = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, due)
            if not future.done():
                future.set_result(None)
            await self._settle()
        self._elapsed = target
        await self._settle()

    @staticmethod
    async def _settle() -> None:
        for _ in range(10):
            await asyncio.sleep(0)


_MOST_AHEAD_MS = 24 * 3_600_000


class MeetingClock:
    """Meeting time: the highest timestamp seen, running on by machine time x speed.

    Muted streams send nothing, so without running on, a meeting would stand still whenever
    nobody speaks. ``speed`` is 1 for live meetings and N for a tape played N times faster;
    timestamps on the wire are the tape's own at any speed.
    """

    def __init__(self, clock: Clock, speed: float = 1.0) -> None:
        self._clock = clock
        self._speed = speed
        self._seen_ms: int | None = None
        self._seen_at = 0.0

    def observe(self, timestamp_ms: int) -> None:
        """Take note of a timestamp that arrived; older ones than the clock's change nothing, nor
        does one a day ahead: a single broken message must not move the meeting by years."""
        now = self.now_ms()
        if now is None or now < timestamp_ms < now + _MOST_AHEAD_MS:
            self._seen_ms = timestamp_ms
            self._seen_at = self._clock.monotonic()

    def now_ms(self) -> int | None:
        """Meeting time in Unix milliseconds, or None before the first timestamp."""
        if self._seen_ms is None:
            return None
        ran_on = (self._clock.monotonic() - self._seen_at) * self._speed
        return self._seen_ms + int(ran_on * 1000)
