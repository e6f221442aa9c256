"""When faults begin: those of the script, and those that are sent while it runs. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.emulator.faults import AnyFault

NEVER = 1 << 62
"""A time that does not come."""


class Scheduled(msgspec.Struct):
    """A fault in the list, counted from 1; times in ms of the tape."""

    number: int
    at: int
    fault: AnyFault
    begun_at: int | None = None
    problem: str | None = None
    """Why it could not be done."""

    def describe(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "number": self.number,
            "state": "failed" if self.problem else "waiting" if self.begun_at is None else "begun",
            "begun_at": None if self.begun_at is None else self.begun_at / 1000,
            "problem": self.problem,
            "fault": msgspec.to_builtins(self.fault),
        }


class Schedule:
    """All faults of one emulator."""

    def __init__(self, faults: Iterable[AnyFault] = ()) -> None:
        self.all: list[Scheduled] = []
        self._waiting: list[tuple[int, int]] = []
        for fault in faults:
            self.add(fault, 0)

    def add(self, fault: AnyFault, now: int) -> Scheduled:
        """A fault without ``at`` is due at once."""
        at = now if fault.at is None else round(fault.at * 1000)
        found = Scheduled(len(self.all) + 1, at, fault)
        self.all.append(found)
        heapq.heappush(self._waiting, (at, found.number))
        return found

    def due(self, now: int) -> list[Scheduled]:
        """Those that begin by ``now``, in order of time, then of the list."""
        found = []
        while self._waiting and self._waiting[0][0] <= now:
            one = self.all[heapq.heappop(self._waiting)[1] - 1]
            one.begun_at = now
            found.append(one)
        return found

    def next_at(self) -> int:
        """When the next one begins, or NEVER."""
        return self._waiting[0][0] if self._waiting else NEVER
