"""What faults do to webhooks: lost, late, twice, in another order, in another form. Pure."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from typing import Final, NamedTuple, assert_never

from pipeline.emulator.actions import Notify
from pipeline.emulator.faults import (
    DeadUrl,
    DuplicateWebhook,
    LateWebhook,
    LoseWebhook,
    NestedWebhooks,
    ReorderWebhooks,
    WebhookFault,
)
from pipeline.emulator.schedule import NEVER

HELD_MS: Final = 60_000
"""How long a webhook waits for the one it is to come after."""


class Hook(NamedTuple):
    """A webhook to be sent now. ``nested``: its form, None when the settings decide;
    ``dead_first``: with a dead URL before the good one."""

    notify: Notify
    nested: bool = False
    dead_first: bool = False


class Hooks:
    """One stream's webhooks on their way out. Times are ms of the tape."""

    def __init__(self) -> None:
        self._twice: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._late: dict[str, int] = {}
        self._behind: set[str] = set()
        self._held: list[tuple[int, int, Notify]] = []  # until the next one passes, or this time
        self._waiting: list[tuple[int, int, Notify]] = []
        self._order = itertools.count()
        self._last: dict[str, Notify] = {}
        self._nested_until = 0
        self._dead = False

    def begin(self, fault: WebhookFault, now: int) -> list[Hook]:
        """A fault begins; what it sends at once."""
        match fault:
            case DuplicateWebhook():
                last = self._last.get(fault.event)
                if last is None:
                    self._twice[fault.event] += fault.times
                    return []
                return [self._hook(last, now)] * fault.times
            case LoseWebhook():
                self._lost[fault.event] += fault.times
            case LateWebhook():
                self._late[fault.event] = round(fault.late * 1000)
            case ReorderWebhooks():
                self._behind.add(fault.event)
            case NestedWebhooks():
                length = fault.length
                self._nested_until = NEVER if length is None else now + round(length * 1000)
            case DeadUrl():
                self._dead = True
            case _:
                assert_never(fault)
        return []

    def passes(self, notify: Notify, now: int, *, dead_first: bool = False) -> list[Hook]:
        """A webhook of the stream; what is sent now."""
        what = notify.what
        if self._lost[what] > 0:
            self._lost[what] -= 1
            return []
        late = self._late.pop(what, None)
        if late is not None:
            heapq.heappush(self._waiting, (now + late, next(self._order), notify))
            return []
        if what in self._behind:
            self._behind.discard(what)
            heapq.heappush(self._held, (now + HELD_MS, next(self._order), notify))
            return []
        self._last[what] = notify
        times = 1 + self._twice.pop(what, 0)
        out = [self._hook(notify, now, dead_first=dead_first)] * times
        return out + self._release(self._held, NEVER, now)

    def release(self, now: int) -> list[Hook]:
        """Those that waited long enough."""
        return self._release(self._waiting, now, now) + self._release(self._held, now, now)

    def finish(self, now: int) -> list[Hook]:
        """No other webhook will come: those that waited for one are sent."""
        return self._release(self._held, NEVER, now)

    def next_at(self) -> int:
        """When one of those that wait is due."""
        return min(
            self._waiting[0][0] if self._waiting else NEVER,
            self._held[0][0] if self._held else NEVER,
        )

    def _release(self, heap: list[tuple[int, int, Notify]], until: int, now: int) -> list[Hook]:
        out = []
        while heap and heap[0][0] <= until:
            _, _, notify = heapq.heappop(heap)
            self._last[notify.what] = notify
            out.append(self._hook(notify, now))
        return out

    def _hook(self, notify: Notify, now: int, *, dead_first: bool = False) -> Hook:
        return Hook(notify, now < self._nested_until, dead_first or self._dead)
