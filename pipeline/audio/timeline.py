"""Packets with timestamps to a continuous run of samples. Pure.

Positions are samples since the Unix epoch at the stream's own rate, so a millisecond is a whole
number of them and nothing is ever rounded.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from typing import Literal, NamedTuple

import numpy as np

from pipeline.audio.packet import Samples
from pipeline.audio.settings import AudioSettings

SAME = 0.75
"""Share of a packet that must be known already for it to count as a repetition."""

_RECENT = 8
"""Packets whose shortest length bounds the jitter."""

_INTERVALS = 256
"""Stretches of audio remembered; beyond, the oldest is forgotten (Zoom replays at most 60 s)."""


class Block(NamedTuple):
    """Samples from position ``at``. ``fresh``: they do not continue the block before."""

    at: int
    samples: Samples
    fresh: bool


class Coverage:
    """Which positions have been heard, so that nothing is heard twice."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int]] = []

    def add(self, start: int, end: int) -> None:
        """Take note of ``start <= position < end``."""
        if self._spans and self._spans[-1][0] <= start <= self._spans[-1][1]:
            self._spans[-1] = (self._spans[-1][0], max(self._spans[-1][1], end))
            return
        insort(self._spans, (start, end))
        merged: list[tuple[int, int]] = []
        for span in self._spans:
            if merged and span[0] <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], span[1]))
            else:
                merged.append(span)
        self._spans = merged[-_INTERVALS:]

    def share(self, start: int, end: int) -> float:
        """How much of ``start <= position < end`` has been heard, 0..1."""
        known = sum(
            max(0, min(end, right) - max(start, left)) for left, right in reversed(self._spans)
        )
        return known / (end - start)


Place = Literal["ahead", "known", "behind"]


class Timeline:
    """One run after another of a participant's samples, in the order of their timestamps.

    ``coverage`` is shared by all timelines of one participant.
    """

    def __init__(self, rate: int, settings: AudioSettings, coverage: Coverage) -> None:
        self._jitter = settings.jitter_ms * rate // 1000
        self._reorder = settings.reorder_ms * rate // 1000
        self._bridge = settings.bridge_ms * rate // 1000
        self._coverage = coverage
        self._next: int | None = None
        self._held: list[tuple[int, int, Samples]] = []  # (position, tie-breaker, samples)
        self._count = 0
        self._recent: deque[int] = deque(maxlen=_RECENT)

    @property
    def end(self) -> int | None:
        """Position after the last sample taken, held ones included; None before the first."""
        if self._held:
            at, _, samples = self._held[-1]
            return at + len(samples)
        return self._next

    @property
    def waiting(self) -> bool:
        """Whether packets are held for one that is missing before them."""
        return bool(self._held)

    def place(self, at: int, length: int) -> Place:
        """Where a packet belongs: ``ahead`` can be pushed, ``known`` has been heard or is held,
        ``behind`` is older than what was heard last and is news all the same."""
        if self._coverage.share(at, at + length) >= SAME:
            return "known"
        for held_at, _, held in self._held:
            common = min(at + length, held_at + len(held)) - max(at, held_at)
            if common >= SAME * length:
                return "known"
        if self._next is None or at >= self._next - self._tolerance(length):
            return "ahead"
        return "ahead" if self._next - at < length else "behind"

    def push(self, at: int, samples: Samples) -> list[Block]:
        """Take a packet that is ``ahead``; what is continuous by now."""
        self._count += 1
        insort(self._held, (at, self._count, samples), key=lambda held: held[:2])
        self._recent.append(len(samples))
        return self._release(None)

    def settle(self, now: int) -> list[Block]:
        """Stop waiting for what is missing before packets that ended ``reorder_ms`` before now."""
        return self._release(now)

    def finish(self) -> list[Block]:
        """Everything held; the next packet starts a fresh run wherever it is."""
        last = self._held[-1][0] if self._held else 0
        blocks = self._release(last + 2**62)
        self._next = None
        self._recent.clear()
        return blocks

    def _release(self, now: int | None) -> list[Block]:
        blocks: list[Block] = []
        while self._held:
            at, _, samples = self._held[0]
            if self._next is not None and at - self._next <= self._tolerance(len(samples)):
                blocks += self._join(at, samples)
            elif self._is_due(at, samples, now):
                blocks += self._leap(at, samples)
            else:
                break
            del self._held[0]
        return blocks

    def _is_due(self, at: int, samples: Samples, now: int | None) -> bool:
        if now is not None and now - (at + len(samples)) >= self._reorder:
            return True
        return self._held[-1][0] - at >= self._reorder

    def _join(self, at: int, samples: Samples) -> list[Block]:
        assert self._next is not None
        if self._next - at > self._tolerance(len(samples)):
            samples = samples[self._next - at :]
        return self._emit(self._next, samples, fresh=False)

    def _leap(self, at: int, samples: Samples) -> list[Block]:
        if self._next is None or at - self._next > self._bridge:
            return self._emit(at, samples, fresh=True)
        silence = np.zeros(at - self._next, np.float32)
        return self._emit(self._next, np.concatenate((silence, samples)), fresh=False)

    def _emit(self, at: int, samples: Samples, *, fresh: bool) -> list[Block]:
        if not len(samples):
            return []
        self._next = at + len(samples)
        self._coverage.add(at, self._next)
        return [Block(at, samples, fresh)]

    def _tolerance(self, length: int) -> int:
        shortest = min(self._recent, default=length)
        return min(self._jitter, int(SAME * min(shortest, length)))
