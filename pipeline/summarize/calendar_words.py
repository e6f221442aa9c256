"""Spoken dates ("next Tuesday", "the second of December") as calendar days, relative to a day.

Pure calendar arithmetic over English wording; which of the dates in a sentence is its deadline
is decided in ``due.py``. Where English speakers disagree the answer is None, never a guess.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, timedelta

import msgspec

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth"
    " fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_CARDINALS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty"
).split()
_FRIDAY = 4
_WORKDAYS = 5
_MONTHS_IN_YEAR = 12
_MONTHS_IN_QUARTER = 3
_FARTHEST_DAYS = 300
"""A day and month without a year that lies farther ahead was meant to be past, or misheard."""

_DAY = "|".join(WEEKDAYS)
_MONTH = "|".join((*MONTHS, "jan|feb|apr|jun|jul|aug|sept|sep|oct|nov|dec"))
_DAY_WORD = (
    r"(?:twenty|thirty)[-\s](?:"
    + "|".join(_ORDINALS[:9])
    + r")|thirtieth|"
    + "|".join(reversed(_ORDINALS))
)
_DAY_NUMBER = rf"(?:\d{{1,2}}(?:st|nd|rd|th)|{_DAY_WORD})"
_DAY_ANY = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?|{_DAY_WORD})"
_COUNT = r"(?:an?|\d{1,3}|" + "|".join(reversed(_CARDINALS)) + r")"
_PART = r"(?: (?:at )?(?:morning|afternoon|evening|night|noon|lunch(?:time)?))?"


class Mention(msgspec.Struct, frozen=True):
    """A date named in a text at ``text[start:end]``; ``day`` is None when it could be several."""

    start: int
    end: int
    day: date | None


_Resolver = Callable[[re.Match[str], date], date | None]


def mentions(text: str, today: date) -> list[Mention]:
    """Every date named in a text, left to right, never overlapping; past words ("last Friday",
    "two weeks ago") and possessives ("Friday's meeting") are not mentioned dates. "The day
    after" counts from the date named before it."""
    taken: list[Mention] = []
    for pattern, resolver in _RULES:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(start < other.end and other.start < end for other in taken):
                continue
            day = None if _UNSURE_BEFORE.search(text[:start]) else resolver(match, today)
            taken.append(Mention(start, end, day))
    found = sorted((m for m in taken if not _is_no_date(text, m)), key=lambda m: m.start)
    return _with_day_after(text, found)


def _with_day_after(text: str, found: list[Mention]) -> list[Mention]:
    for match in _DAY_AFTER.finditer(text):
        before = [m for m in found if m.end <= match.start()]
        if before and all(m.end <= match.start() or m.start >= match.end() for m in found):
            day = before[-1].day + timedelta(days=1) if before[-1].day else None
            found = [*before[:-1], Mention(*match.span(), day), *found[len(before) :]]
    return found


_UNSURE_BEFORE = re.compile(
    r"\b(?:around|about|roughly|approximately|sometime|some\s+time|mid|early|late|not\s+before"
    r"|not\s+until|after|beginning\s+of|start\s+of|middle\s+of)[\s-]*(?:on\s+|the\s+)?$",
    re.IGNORECASE,
)
_PAST_BEFORE = re.compile(
    r"\b(?:last|since|previous|past|as\s+of|every|each|most|of\s+last)\s+(?:the\s+)?$",
    re.IGNORECASE,
)
_AFTER_THAT = re.compile(r"^(?:['’]s\b|\s+ago\b|\s+before\s+last\b)", re.IGNORECASE)


def _is_no_date(text: str, mention: Mention) -> bool:
    before = text[: mention.start]
    if _PAST_BEFORE.search(before) or _AFTER_THAT.search(text[mention.end :]):
        return True
    ordinal = _BARE_ORDINAL.fullmatch(text[mention.start : mention.end])
    counted = _COUNTED.search(text) if ordinal else None
    return bool(counted and ordinal and _number(counted["count"]) == _number(ordinal["day"]))


def coming(weekday: int, today: date) -> date:
    """The next such weekday after ``today`` (0 is Monday); said on the day itself, in a week."""
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def next_named(weekday: int, today: date) -> date | None:
    """ "Next Tuesday": the one of next calendar week, if the coming one is that, too, or is
    tomorrow (which nobody calls "next"); else English speakers disagree and the answer is None.
    """
    first = coming(weekday, today)
    of_next_week = monday(today) + timedelta(days=7 + weekday)
    if first == of_next_week or (first - today).days <= 1:
        return of_next_week
    return None


def monday(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def end_of_week(today: date) -> date:
    """Friday of the week; at the weekend, of the week that follows."""
    if today.weekday() >= _WORKDAYS:
        today += timedelta(days=7)
    return monday(today) + timedelta(days=_FRIDAY)


def end_of_month(year: int, month: int) -> date:
    """Last day of a month; months above 12 run into later years."""
    year, month = year + (month - 1) // _MONTHS_IN_YEAR, (month - 1) % _MONTHS_IN_YEAR + 1
    return date(year, month, calendar.monthrange(year, month)[1])


def on_or_after(today: date, day: int, month: int | None = None) -> date | None:
    """First date from ``today`` with this day (and month); None if there is none (31 June)."""
    for ahead in range(_MONTHS_IN_YEAR * 8 + 1):
        first = end_of_month(today.year, today.month + ahead).replace(day=1)
        if month is not None and first.month != month:
            continue
        if day > end_of_month(first.year, first.month).day:
            continue
        if (found := first.replace(day=day)) >= today:
            return found
    return None


def _number(words: str) -> int:
    """1 to 31 out of "3", "3rd", "third", "three", "twenty-third", "a"."""
    words = " ".join(words.lower().replace("-", " ").split())
    if digits := re.match(r"\d+", words):
        return int(digits.group())
    if words in ("a", "an"):
        return 1
    tens, _, units = words.rpartition(" ")
    base = {"": 0, "twenty": 20, "thirty": 30}[tens]
    if units == "thirtieth":
        return 30
    table = _ORDINALS if units in _ORDINALS else _CARDINALS
    return base + table.index(units) + 1


def _month(name: str) -> int:
    return next(i for i, month in enumerate(MONTHS, 1) if month.startswith(name.lower()[:3]))


def _weekday(name: str) -> int:
    return WEEKDAYS.index(name.lower())


def _month_day(match: re.Match[str], today: date) -> date | None:
    day, month = _number(match["day"]), _month(match["month"])
    if year := match["year"]:
        return _checked(int(year), month, day)
    found = on_or_after(today, day, month)
    return found if found and (found - today).days <= _FARTHEST_DAYS else None


def _checked(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _numeric(match: re.Match[str], today: date) -> date | None:
    """12/02 is two different days on two sides of the Atlantic; 25/12 and 12/25 are one."""
    first, second = int(match["first"]), int(match["second"])
    if first != second and max(first, second) <= _MONTHS_IN_YEAR:
        return None
    day, month = max(first, second), min(first, second)
    if not 1 <= month <= _MONTHS_IN_YEAR:
        return None
    return on_or_after(today, day, month)


def _named_weekday(match: re.Match[str], today: date) -> date | None:
    weekday, which = _weekday(match["day"]), (match["which"] or "").lower()
    if "next" in which or match["nextweek"]:
        return (
            monday(today) + timedelta(days=7 + weekday)
            if match["nextweek"]
            else next_named(weekday, today)
        )
    if which == "this":
        return monday(today) + timedelta(days=weekday) if weekday >= today.weekday() else None
    if which == "following" or "following" in which:
        return None
    return coming(weekday, today)


def _in_span(match: re.Match[str], today: date) -> date | None:
    count, unit = _number(match["count"]), match["unit"].lower()
    if unit == "day":
        return today + timedelta(days=count)
    if unit == "week":
        return today + timedelta(weeks=count)
    if unit == "fortnight":
        return today + timedelta(weeks=2 * count)
    if unit == "month":
        last = end_of_month(today.year, today.month + count)
        return last.replace(day=min(today.day, last.day))
    return today  # minutes and hours


def _week_from(match: re.Match[str], today: date) -> date | None:
    anchor = match["anchor"].lower()
    if anchor in ("now", "today"):
        first = today
    elif anchor == "tomorrow":
        first = today + timedelta(days=1)
    else:
        first = coming(_weekday(anchor), today)
    return first + timedelta(weeks=_number(match["count"]))


def _end_of(match: re.Match[str], today: date) -> date | None:
    unit, is_next = match["unit"].lower(), (match["which"] or "").lower() == "next"
    if unit == "week":
        return end_of_week(today) + timedelta(days=7 * is_next)
    if unit == "month":
        return end_of_month(today.year, today.month + is_next)
    if unit == "quarter":
        quarter = (today.month - 1) // _MONTHS_IN_QUARTER + 1 + is_next
        return end_of_month(today.year, quarter * _MONTHS_IN_QUARTER)
    if unit == "year":
        return date(today.year + is_next, _MONTHS_IN_YEAR, 31)
    return today


def _end_of_named_month(match: re.Match[str], today: date) -> date | None:
    last = end_of_month(today.year, _month(match["month"]))
    return last if last >= today else end_of_month(today.year + 1, last.month)


def _end_of_named_quarter(match: re.Match[str], today: date) -> date | None:
    last = end_of_month(today.year, int(match["quarter"]) * _MONTHS_IN_QUARTER)
    return last if last >= today else end_of_month(today.year + 1, last.month)


_MONTH_NAME = rf"(?P<month>{_MONTH})\b\.?"
_YEAR = r"(?:,? (?P<year>20\d\d))?"
_WEEKDAY_BEFORE = rf"(?:(?:{_DAY}),? )?"
_SOON = (
    r"(?:(?:the )?end of (?:(?:(?:the )?day|business),? )?(?:on )?|first thing (?:on )?"
    r"|close of business (?:on )?|(?:eod|cob) (?:on )?)?"
)
_FREE_END = (
    r"(?=\s*(?:$|[.,;:!?)]|(?:and|but|so|at|then|or|if|please|because|when|morning|afternoon"
    r"|latest|is|works|instead|it|that|i|we|you|not|no|would|will|for|to)\b))"
)


_BARE_ORDINAL = re.compile(rf"the\s+(?P<day>{_DAY_NUMBER})", re.IGNORECASE)


def _rule(pattern: str, resolver: _Resolver) -> tuple[re.Pattern[str], _Resolver]:
    """A blank in ``pattern`` stands for any white space."""
    return re.compile(r"\b(?:" + pattern.replace(" ", r"\s+") + ")", re.IGNORECASE), resolver


_RULES = (
    _rule(
        r"(?P<year>20\d\d)-(?P<month>\d\d)-(?P<day>\d\d)\b",
        lambda m, _: _checked(int(m["year"]), int(m["month"]), int(m["day"])),
    ),
    _rule(
        rf"{_WEEKDAY_BEFORE}(?:the )?(?P<day>{_DAY_ANY}) of {_MONTH_NAME}{_YEAR}",
        _month_day,
    ),
    # Without "of", "may" and "march" are verbs more often than months ("the second may be").
    _rule(
        rf"{_WEEKDAY_BEFORE}(?:the )?(?P<day>{_DAY_ANY}) (?!may\b|march\b){_MONTH_NAME}{_YEAR}",
        _month_day,
    ),
    _rule(
        rf"{_WEEKDAY_BEFORE}{_MONTH_NAME} (?:the )?(?P<day>{_DAY_ANY})\b(?![:%]|\s+of\b){_YEAR}",
        _month_day,
    ),
    _rule(r"(?P<first>\d{1,2})/(?P<second>\d{1,2})\b(?!/)", _numeric),
    _rule(r"(?:the )?day after tomorrow\b", lambda _, today: today + timedelta(days=2)),
    _rule(
        rf"(?P<count>{_COUNT}) weeks? (?:from|after) (?P<anchor>now|today|tomorrow|{_DAY})\b",
        _week_from,
    ),
    _rule(
        rf"(?P<count>{_COUNT}) (?P<unit>minute|hour|day|month)s? from (?:now|today)\b",
        _in_span,
    ),
    _rule(
        rf"(?:in|within) (?:the next )?(?P<count>{_COUNT})"
        r" (?P<unit>minute|hour|day|week|fortnight|month)s?\b(?:['’]? time)?",
        _in_span,
    ),
    _rule(
        rf"{_SOON}tomorrow{_PART}\b",
        lambda _, today: today + timedelta(days=1),
    ),
    _rule(
        rf"{_SOON}(?:(?P<which>this coming|this|next|the coming|coming|the following|following) )?"
        rf"(?P<day>{_DAY})\b{_PART}(?P<nextweek>,? (?:of )?next week)?",
        _named_weekday,
    ),
    _rule(
        r"(?:the )?end of (?:(?:the )?(?P<which>this|next|the) )?"
        r"(?P<unit>day|week|month|quarter|year)\b",
        _end_of,
    ),
    _rule(rf"(?:the )?end of {_MONTH_NAME}", _end_of_named_month),
    _rule(r"(?:the )?end of q(?P<quarter>[1-4])\b", _end_of_named_quarter),
    _rule(
        r"(?:(?:later )?today|tonight|this (?:morning|afternoon|evening)|close of business"
        r"|end of business|eod|cob|right away|straight away"
        r"|(?:(?:right|straight|directly|immediately) )?after (?:this|the|our)"
        r" (?:meeting|call|session)|(?:right|straight|directly|immediately) after this"
        r"|after this(?=\s*(?:$|[.,;!?])))(?=\W|$)",
        lambda _, today: today,
    ),
    # Doing it now is doing it today; "I like it now" has no such verb before it.
    _rule(r"(?<=\wing\sit\s)(?:right )?now\b", lambda _, today: today),
    _rule(r"(?<=\wing\sthat\s)(?:right )?now\b", lambda _, today: today),
    _rule(r"(?<=\wing\sthem\s)(?:right )?now\b", lambda _, today: today),
    _rule(
        r"(?:(?<=before\s)|(?<=by\s)|(?<=until\s))(?:the|this) weekend\b",
        lambda _, today: None if today.weekday() >= _WORKDAYS else end_of_week(today),
    ),
    _rule(
        r"(?:later |some ?time |still )?this week\b",
        lambda _, today: None if today.weekday() >= _WORKDAYS else end_of_week(today),
    ),
    _rule(
        rf"(?:(?:mid|early|late|(?:the )?(?:beginning|start|middle) of)[-\s](?:next week|{_MONTH})"
        r"|(?:the )?(?:next|this|following|coming) (?:week|weekend|month|quarter|year)|mid-?week"
        r"|(?:in )?a (?:couple of|few) (?:days|weeks|months)|(?:the )?week after next)\b",
        lambda *_: None,
    ),
    _rule(
        rf"the (?P<day>{_DAY_NUMBER})\b{_FREE_END}",
        lambda m, today: on_or_after(today, _number(m["day"])),
    ),
)
_DAY_AFTER = re.compile(
    r"\b(?:the\s+)?(?:(?:very\s+)?next\s+day|day\s+after)\b(?=\s*(?:$|[.,;!?]))", re.IGNORECASE
)
_COUNTED = re.compile(
    rf"\bof\s+(?:(?:the|our|those|all)\s+)?(?P<count>{'|'.join(_CARDINALS)})\b", re.IGNORECASE
)
