"""Which frames of a shared screen are worth keeping. Pure: small gray images in, decisions out."""

from __future__ import annotations

from typing import Final, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
"""A frame scaled down to ``WIDTH`` x ``HEIGHT`` cells of gray: shape (HEIGHT, WIDTH)."""

WIDTH: Final = 64
HEIGHT: Final = 36

_DIFFERENT: Final = 14
"""Levels of 255 by which a cell differs: above what a codec does to a still screen (measured with
x264 and JPEG at their worst settings: at most 6), below a line of text on white (25 and more)."""

_SETTLED_MS: Final = 1_000
"""A new screen without a newer frame for so long stands."""

Frame = TypeVar("Frame")

Verdict = Literal["keep", "wait", "same"]


def change(one: Gray, two: Gray) -> float:
    """Share of cells that look different, 0..1."""
    return float((np.abs(one.astype(np.int16) - two) > _DIFFERENT).mean())


class Picker(Generic[Frame]):
    """Looks at frames of one screen in the order of their time.

    The first frame is kept at once. A later one is kept when it differs markedly from the last
    that was kept, has settled (it looks like the frame before it, or nothing newer came), and
    ``every_ms`` have passed since something was kept. While a screen never settles (a film), one
    is kept every ``2 * every_ms``. ``waiting`` is the frame that may still be kept.
    """

    def __init__(self, *, every_ms: int, threshold: float) -> None:
        self._every_ms = every_ms
        self._threshold = threshold
        self._kept: Gray | None = None
        self._kept_ms = 0
        self._before: Gray | None = None
        self._changed_ms: int | None = None
        self._waiting: tuple[int, Gray, Frame] | None = None

    @property
    def waiting(self) -> tuple[int, Frame] | None:
        """Time and frame of what may still be kept."""
        return None if self._waiting is None else (self._waiting[0], self._waiting[2])

    def look(self, at_ms: int, gray: Gray, frame: Frame) -> Verdict:
        """Judge a frame. After ``keep`` the caller keeps it and calls ``kept``."""
        before, self._before = self._before, gray
        if self._kept is None:
            self._waiting = (at_ms, gray, frame)
            return "keep"
        if change(self._kept, gray) < self._threshold:
            self._waiting = self._changed_ms = None
            return "same"
        self._waiting = (at_ms, gray, frame)
        self._kept_ms = min(self._kept_ms, at_ms)  # where the peer's clock leapt back
        if self._changed_ms is None or self._changed_ms > at_ms:
            self._changed_ms = at_ms
        settled = before is not None and change(before, gray) < self._threshold
        restless = at_ms - self._changed_ms >= 2 * self._every_ms
        ready = at_ms - self._kept_ms >= self._every_ms
        return "keep" if ready and (settled or restless) else "wait"

    def due(self, now_ms: int) -> bool:
        """Whether what waits must be kept now, because nothing newer came."""
        if self._waiting is None:
            return False
        at_ms = self._waiting[0]
        return now_ms - self._kept_ms >= self._every_ms and now_ms - at_ms >= _SETTLED_MS

    def kept(self, now_ms: int) -> None:
        """What waited is kept now."""
        assert self._waiting is not None
        at_ms, self._kept, _ = self._waiting
        self._kept_ms = max(at_ms, now_ms)
        self._waiting = self._changed_ms = None

    def restart(self) -> None:
        """Another screen: its first frame is kept, whatever it looks like."""
        self._kept = self._before = self._waiting = self._changed_ms = None
