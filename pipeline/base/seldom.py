"""Saying a thing at most once in a while, however often it happens."""

from __future__ import annotations

from pipeline.base.clock import Clock


class Seldom:
    """For log lines that outsiders can cause: one in ``every_s`` seconds for each key.

    Keys are words of ours (an outcome, a reason), never something received: they are kept.
    """

    def __init__(self, clock: Clock, every_s: float = 1.0) -> None:
        self._clock = clock
        self._every_s = every_s
        self._quiet_until: dict[str, float] = {}
        self._count: dict[str, int] = {}

    def due(self, key: str) -> int:
        """Note that it happened once more: how often since it was last told, this time included,
        when it is to be told now; otherwise 0."""
        count = self._count.get(key, 0) + 1
        now = self._clock.monotonic()
        if now < self._quiet_until.get(key, now):
            self._count[key] = count
            return 0
        self._count[key] = 0
        self._quiet_until[key] = now + self._every_s
        return count
