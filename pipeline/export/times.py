"""Meeting time as people read it, in the meeting's zone."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class Times:
    """Formats Unix milliseconds. ``start_ms`` is the meeting's start: other days show their date.

    An unknown zone falls back to UTC, and ``zone`` says so.
    """

    def __init__(self, zone: str, start_ms: int) -> None:
        self.zone = zone
        self._tz: tzinfo
        try:
            self._tz = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self._tz, self.zone = UTC, "UTC"
        self._day = self.at(start_ms).date()

    def at(self, ms: int) -> datetime:
        """The moment in the meeting's zone. Times no calendar has become the nearest it has."""
        return datetime.fromtimestamp(min(max(ms, 0), 253_370_764_800_000) / 1000, self._tz)

    def clock(self, ms: int) -> str:
        """``10:02:05``; with the date in front on another day than the meeting's first."""
        at = self.at(ms)
        clock = at.strftime("%H:%M:%S")
        return clock if at.date() == self._day else f"{at.date().isoformat()} {clock}"

    def iso(self, ms: int) -> str:
        """``2026-11-24T10:00:00+00:00``, to the second."""
        return self.at(ms).isoformat(timespec="seconds")

    def day(self, ms: int) -> str:
        """``Tuesday, 24 November 2026``."""
        at = self.at(ms)
        return f"{_DAYS[at.weekday()]}, {at.day} {_MONTHS[at.month - 1]} {at.year}"


def weekday(iso_date: str) -> str:
    """``Thu`` for ``2026-11-26``; empty when it is no date."""
    try:
        return _DAYS[datetime.fromisoformat(iso_date).weekday()][:3]
    except ValueError:
        return ""


def lasting(ms: int) -> str:
    """``9 s``, ``4 min``, ``1 h 20 min``: a length for people."""
    seconds = max(0, round(ms / 1000))
    if seconds < 120:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
