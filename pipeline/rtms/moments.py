"""Timestamps of the wire in one unit (reference section 17)."""

from __future__ import annotations

from typing import Final

_SECONDS_BELOW: Final = 100_000_000_000
_MILLISECONDS_BELOW: Final = 100_000_000_000_000
EARLIEST_MS: Final = 946_684_800_000
LATEST_MS: Final = 4_102_444_800_000
"""Years 2000 and 2100: what is outside is no time of a meeting, and would drag its clock along."""


def unix_ms(value: int) -> int | None:
    """Unix milliseconds of a timestamp in seconds, milliseconds or microseconds, told apart by
    size; None when it is none of these."""
    if value < _SECONDS_BELOW:
        value *= 1000
    elif value >= _MILLISECONDS_BELOW:
        value //= 1000
    return value if EARLIEST_MS <= value < LATEST_MS else None


class Timeline:
    """Reads the timestamps of one socket; what has none is placed at the latest one seen.

    ``start_ms``: where to begin, the time of the webhook.
    """

    def __init__(self, start_ms: int) -> None:
        self._latest = start_ms

    def read(self, value: int | None) -> int:
        """The time of a message, in Unix milliseconds."""
        if value is None:
            return self._latest
        if not EARLIEST_MS <= value < LATEST_MS:  # nearly always milliseconds already
            found = unix_ms(value)
            if found is None:
                return self._latest
            value = found
        if value > self._latest:
            self._latest = value
        return value
