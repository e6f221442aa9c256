"""Delays between tries, as values."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Exponential delays in seconds: ``base``, ``base*factor``, ... up to ``cap``.

    ``attempts`` bounds the number of delays (None: for ever). ``jitter`` in 0..1 takes off up
    to that share of a delay, drawn from ``rng``. ``scale`` multiplies every delay; replays at
    N times speed use 1/N.
    """

    base: float
    factor: float = 2.0
    cap: float = 30.0
    attempts: int | None = None
    jitter: float = 0.0
    scale: float = 1.0

    def delays(self, rng: random.Random | None = None) -> Iterator[float]:
        """The delays in order. Start a new iterator after a success."""
        delay = self.base
        count = 0
        while self.attempts is None or count < self.attempts:
            cut = self.jitter * rng.random() if rng is not None else 0.0
            yield delay * (1.0 - cut) * self.scale
            delay = min(delay * self.factor, self.cap)
            count += 1


ZOOM_RECONNECT = Backoff(base=3.0, factor=2.0, cap=30.0)
"""3, 6, 12, 24, 30 s: Zoom's failover page (reference section 15)."""

ZOOM_DUPLICATE = Backoff(base=1.5, factor=2.0, attempts=3)
"""1.5, 3, 6 s after status 8 on a first connect (reference section 13)."""
