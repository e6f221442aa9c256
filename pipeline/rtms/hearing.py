"""When a stream's connections were heard, and where Zoom's clock stands. Pure."""

from __future__ import annotations

from typing import Final

from pipeline.rtms.moments import unix_ms

KEEP_ALIVE_EVERY_S: Final = 10.0
"""Zoom's, on every socket (section 9)."""

_TRAVEL_MS: Final = 2_000

_LEAST_S: Final = 2.0
"""Of this machine: less silence than that says nothing, at any speed of a replay."""


class Hearing:
    """Times are monotonic seconds of this machine, ``speed`` of Zoom's pass in one;
    ``keepalive`` is the silence after which a connection counts as lost."""

    def __init__(self, *, keepalive: float, speed: float) -> None:
        self._speed = speed
        self._usual = min(keepalive / 2, max(_LEAST_S, 2 * KEEP_ALIVE_EVERY_S / speed))
        self._heard: dict[str, float] = {}
        self._told: tuple[int, float] | None = None

    def heard(self, socket: str, at: float) -> None:
        """A connection was heard last at a time."""
        self._heard[socket] = at

    def clock(self, timestamp: object, now: float) -> None:
        """Zoom's time in a keep-alive, as it came."""
        zoom_ms = unix_ms(timestamp) if type(timestamp) is int else None
        if zoom_ms is not None:
            self._told = (zoom_ms, now)

    def silent_ms(self, socket: str, now: float) -> int:
        """How long, in Zoom's time, a connection was not heard, if longer than it ever is when all
        is well; 0 else."""
        silence = now - self._heard.get(socket, now)
        return round(silence * 1000 * self._speed) if silence >= self._usual else 0

    def was_before(self, at_ms: int | None, moment: float | None) -> bool | None:
        """Whether a time of Zoom's clock is before a moment of ours (or hardly after: keep-alives
        travel too); None when that cannot be told. Measured by Zoom's own keep-alives: its clock
        need not agree with this machine's."""
        if at_ms is None or moment is None or self._told is None:
            return None
        zoom_ms, at = self._told
        return at_ms < zoom_ms - (at - moment) * 1000 * self._speed + _TRAVEL_MS
