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


JUMP_MS = 5 * 60_000
"""A timestamp further away from meeting time than this is a jump: replays are a minute old."""

PERSISTS_MS = 30_000
"""A jump is believed when timestamps have agreed with it for so long, in meeting time."""


class MeetingClock:
    """Meeting time: the highest timestamp seen, running on by machine time x speed.

    Muted streams send nothing, so without running on, a meeting would stand still whenever
    nobody speaks. ``speed`` is 1 for live meetings and N for a tape played N times faster;
    timestamps on the wire are the tape's own at any speed. A clock that is wrong for a while must
    not move the meeting: a jump, ahead or back, counts only when it persists.
    """

    def __init__(self, clock: Clock, speed: float = 1.0) -> None:
        self._clock = clock
        self._speed = speed
        self._seen_ms: int | None = None
        self._seen_at = 0.0
        self._jump: tuple[int, float] | None = None  # its first timestamp, and when that came

    def observe(self, timestamp_ms: int) -> int:
        """Take note of a timestamp that arrived; ones that are a little older than the clock change
        nothing. When a jump ahead begins with this one, or a jump back is believed, by how much it
        is off (ms): times that are stated here are doubtful. Else 0."""
        now = self.now_ms()
        if now is None or now < timestamp_ms <= now + JUMP_MS:
            self._set(timestamp_ms)
            return 0
        if now - JUMP_MS <= timestamp_ms <= now:
            self._jump = None
            return 0
        return self._jumped(timestamp_ms, now)

    def _jumped(self, timestamp_ms: int, now: int) -> int:
        at = self._clock.monotonic()
        if self._jump is not None:
            first_ms, since = self._jump
            passed_ms = (at - since) * self._speed * 1000
            if abs(first_ms + passed_ms - timestamp_ms) <= JUMP_MS:
                if passed_ms < PERSISTS_MS:
                    return 0
                self._set(timestamp_ms)
                return min(0, timestamp_ms - now)
        self._jump = (timestamp_ms, at)
        return max(0, timestamp_ms - now)

    def _set(self, timestamp_ms: int) -> None:
        self._seen_ms = timestamp_ms
        self._seen_at = self._clock.monotonic()
        self._jump = None

    def now_ms(self) -> int | None:
        """Meeting time in Unix milliseconds, or None before the first timestamp."""
        if self._seen_ms is None:
            return None
        ran_on = (self._clock.monotonic() - self._seen_at) * self._speed
        return self._seen_ms + int(ran_on * 1000)
