"""A calendar file (.ics) as a source of names and words to expect. Its text is untrusted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import msgspec
import structlog

from pipeline.base.errors import BadInput

log = structlog.get_logger()

LONGEST_FILE = 4 * 1024 * 1024
MOST_EVENTS = 2_000
MOST_PEOPLE = 100
"""Of one event."""
LONGEST_TEXT = 200
_DAY_MS = 24 * 3_600_000


class CalendarEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One appointment. ``start_ms`` and ``end_ms``: Unix ms. ``repeats``: it has a rule, which is
    not worked out."""

    title: str
    people: tuple[str, ...]
    start_ms: int
    end_ms: int
    repeats: bool = False

    def concerns(self, at_ms: int) -> bool:
        """Whether a meeting at that time may be this one: the same day, give or take a day of
        zones; a repeated one on any later day."""
        if at_ms < self.start_ms - _DAY_MS:
            return False
        return self.repeats or at_ms <= self.end_ms + _DAY_MS


def read(path: Path) -> tuple[CalendarEvent, ...]:
    """Raises BadInput in one line for what is missing, too large or no calendar. An appointment
    that cannot be read is skipped and logged."""
    import icalendar  # 0.1 s: only when there is a calendar

    try:
        with path.open("rb") as file:
            data = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise BadInput(f"{path}: the calendar cannot be read ({error.strerror})") from error
    if len(data) > LONGEST_FILE:
        raise BadInput(f"{path}: a calendar may have {LONGEST_FILE >> 20} MB at most")
    try:
        calendars: list[Any] = icalendar.Calendar.from_ical(data, multiple=True)
    except (ValueError, IndexError, KeyError) as error:
        raise BadInput(f"{path}: not a calendar file (.ics)") from error
    if not calendars or any(calendar.name != "VCALENDAR" for calendar in calendars):
        raise BadInput(f"{path}: not a calendar file (.ics)")
    found: list[CalendarEvent] = []
    for event in (e for calendar in calendars for e in calendar.walk("VEVENT")):
        if len(found) >= MOST_EVENTS:
            log.warning("calendar.too_many", file=path.name, used=MOST_EVENTS)
            break
        try:
            found.append(_event(event))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            log.warning("calendar.event_unread", file=path.name, error=type(error).__name__)
    return tuple(found)


def _event(event: Any) -> CalendarEvent:
    start = event.decoded("DTSTART")
    end = event.decoded("DTEND") if "DTEND" in event else start
    return CalendarEvent(
        title=_text(event.get("SUMMARY", "")),
        people=tuple(dict.fromkeys(_people(event)))[:MOST_PEOPLE],
        start_ms=_ms(start),
        end_ms=max(_ms(start), _ms(end)),
        repeats="RRULE" in event or "RDATE" in event,
    )


def _people(event: Any) -> Iterator[str]:
    """Names of who is invited; an address is no name."""
    for key in ("ORGANIZER", "ATTENDEE"):
        values = event.get(key, [])
        for value in values if isinstance(values, list) else [values]:
            kind = str(value.params.get("CUTYPE", "INDIVIDUAL")).upper()
            name = _text(value.params.get("CN", ""))
            if name and "@" not in name and kind == "INDIVIDUAL":
                yield name


def _text(value: object) -> str:
    text = str(value)[:LONGEST_TEXT]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _ms(value: date | datetime) -> int:
    if not isinstance(value, datetime):
        value = datetime.combine(value, time(), UTC)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return int(value.timestamp() * 1000)
