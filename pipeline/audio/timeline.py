"""Packets with timestamps to a continuous run of samples, decoded in the order of time. Pure.

Positions are samples since the Unix epoch at the stream's own rate, so a millisecond is a whole
number of them and nothing is ever rounded.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

import numpy as np

from pipeline.audio.packet import Samples
from pipeline.audio.settings import AudioSettings

SAME = 0.75
"""Share of a packet that must be known already for it to count as a repetition."""

_RECENT = 8
"""Packets whose shortest length bounds the jitter."""

_INTERVALS = 256
"""Stretches of audio remembered; beyond, the oldest is forgotten (Zoom replays at most 60 s)."""

_FILLS = 8
"""Holes remembered, in which late packets can still be put."""

_FIRST_MS = 100
"""How long the first packet of a run waits for one before it: the longest usual packet."""

Packet = TypeVar("Packet")
Taken = TypeVar("Taken", contravariant=True)


class Unpack(Protocol[Taken]):
    """Gives the samples of a packet; none when it cannot be decoded (the giver tells that)."""

    def __call__(self, at: int, packet: Taken, /) -> Samples: ...


class Block(NamedTuple):
    """Samples from position ``at``. ``fresh``: they do not continue the block before.
    ``missing``: so many are missing before them; when not fresh, silence stands for those at the
    beginning of ``samples``."""

    at: int
    samples: Samples
    fresh: bool
    missing: int = 0


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
        if not self._spans or start >= self._spans[-1][1]:
            return 0.0
        known = sum(
            max(0, min(end, right) - max(start, left)) for left, right in reversed(self._spans)
        )
        return known / (end - start)


Place = Literal["ahead", "known", "hole", "behind"]


class _Held(NamedTuple, Generic[Packet]):
    at: int
    order: int  # breaks ties: packets are not compared
    length: int
    packet: Packet


class Timeline(Generic[Packet]):
    """One run after another of a participant's samples, in the order of their timestamps.

    ``coverage`` is shared by all timelines of one participant. Packets wait for missing ones as
    long as ``reorder_ms``, and longer (to ``reorder_most_ms``) after some came later than that.
    """

    def __init__(
        self, rate: int, settings: AudioSettings, coverage: Coverage, unpack: Unpack[Packet]
    ) -> None:
        self._jitter = settings.jitter_ms * rate // 1000
        self._least = settings.reorder_ms * rate // 1000
        self._most = settings.reorder_most_ms * rate // 1000
        self._reorder = self._least
        self._first = min(self._least, _FIRST_MS * rate // 1000)
        self._bridge = settings.bridge_ms * rate // 1000
        self._coverage = coverage
        self._unpack = unpack
        self._next: int | None = None
        self._gone = 0  # what lies before this position will not come
        self._held: list[_Held[Packet]] = []
        self._count = 0
        self._recent: deque[int] = deque(maxlen=_RECENT)
        self._shortest = 0
        self._fills: deque[tuple[int, int]] = deque(maxlen=_FILLS)

    @property
    def end(self) -> int | None:
        """Position after the last sample taken, held ones included; None before the first."""
        if self._held:
            return self._held[-1].at + self._held[-1].length
        return self._next

    @property
    def waiting(self) -> bool:
        """Whether packets are held for one that is missing before them."""
        return bool(self._held)

    def place(self, at: int, length: int) -> Place:
        """Where a packet belongs: ``ahead`` can be pushed, ``known`` has been heard or is held,
        ``hole`` comes too late for its place, where silence stands; ``behind`` is older than what
        was heard last and is news all the same."""
        if self._next is not None and not self._held and at >= self._next:
            return "ahead" if self._coverage.share(at, at + length) < SAME else "known"
        if self._coverage.share(at, at + length) >= SAME:
            return "known"
        for held in self._held:
            common = min(at + length, held.at + held.length) - max(at, held.at)
            if common >= SAME * length:
                return "known"
        if self._next is None or at >= self._next - self._tolerance(length):
            return "ahead"
        if any(
            min(end, at + length) - max(start, at) >= SAME * length for start, end in self._fills
        ):
            return "hole"
        return "ahead" if self._next - at < length else "behind"

    def late(self, at: int) -> None:
        """A packet came too late for its place: wait longer from now on, if that can help."""
        lateness = (self.end or at) - at
        if lateness <= self._most:
            self._reorder = max(self._reorder, lateness)

    def fill(self, at: int, samples: Samples) -> None:
        """A packet was put in its ``hole``."""
        self._coverage.add(at, at + len(samples))

    def push(self, at: int, length: int, packet: Packet) -> list[Block]:
        """Take a packet that is ``ahead``; what is continuous by now."""
        self._recent.append(length)
        self._shortest = min(self._recent)
        if self._next is not None and not self._held and at - self._next <= self._tolerance(length):
            return self._join(at, length, packet)
        self._count += 1
        insort(self._held, _Held(at, self._count, length, packet))
        return self._release(None)

    def settle(self, now: int) -> list[Block]:
        """Stop waiting for what is missing before packets that ended ``reorder_ms`` before now."""
        return self._release(now) if self._held else []

    def finish(self) -> list[Block]:
        """Everything held; the next packet starts a fresh run wherever it is."""
        last = self._held[-1].at if self._held else 0
        blocks = self._release(last + 2**62)
        self._next = None
        self._recent.clear()
        self._fills.clear()
        return blocks

    def _release(self, now: int | None) -> list[Block]:
        blocks: list[Block] = []
        while self._held:
            at, _, length, packet = self._held[0]
            if self._next is not None and at - self._next <= self._tolerance(length):
                blocks += self._join(at, length, packet)
            elif self._is_due(at, length, now):
                blocks += self._leap(at, length, packet)
            else:
                break
            del self._held[0]
        return blocks

    def _is_due(self, at: int, length: int, now: int | None) -> bool:
        if at <= self._gone:
            return True
        wait = self._first if self._next is None else self._reorder
        if now is not None and now - (at + length) >= wait:
            return True
        return self._held[-1].at - at >= wait

    def _join(self, at: int, length: int, packet: Packet) -> list[Block]:
        assert self._next is not None
        samples = self._unpacked(at, length, packet)
        if self._next - at > self._tolerance(length):
            samples = samples[self._next - at :]
        if not len(samples):
            return []
        return [self._emit(Block(self._next, samples, fresh=False))]

    def _leap(self, at: int, length: int, packet: Packet) -> list[Block]:
        samples = self._unpacked(at, length, packet)
        if not len(samples):
            return []
        if self._next is None:
            return [self._emit(Block(at, samples, fresh=True))]
        missing = at - self._next
        self._reorder -= (self._reorder - self._least) // 4  # waited in vain
        if missing > self._bridge:
            return [self._emit(Block(at, samples, fresh=True, missing=missing))]
        self._fills.append((self._next, at))
        silence = np.zeros(missing, np.float32)
        block = Block(self._next, np.concatenate((silence, samples)), fresh=False, missing=missing)
        return [self._emit(block)]

    def _unpacked(self, at: int, length: int, packet: Packet) -> Samples:
        samples = self._unpack(at, packet)
        if not len(samples):
            self._gone = at + length + self._tolerance(length)
        return samples

    def _emit(self, block: Block) -> Block:
        self._next = block.at + len(block.samples)
        heard = block.at if block.fresh else block.at + block.missing
        self._coverage.add(heard, self._next)
        return block

    def _tolerance(self, length: int) -> int:
        return min(self._jitter, int(SAME * min(self._shortest or length, length)))
