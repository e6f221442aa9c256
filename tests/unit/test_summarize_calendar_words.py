from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.summarize.calendar_words import (
    coming,
    end_of_month,
    mentions,
    monday,
    next_named,
    on_or_after,
)

TUESDAY = date(2026, 3, 3)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("on Friday", date(2026, 3, 6)),
        ("on Tuesday", date(2026, 3, 10)),
        ("the day after tomorrow", date(2026, 3, 5)),
        ("in two weeks", date(2026, 3, 17)),
        ("a week from Friday", date(2026, 3, 13)),
        ("the second of April", date(2026, 4, 2)),
        ("April 2nd", date(2026, 4, 2)),
        ("March the fourth", date(2026, 3, 4)),
        ("the twenty-third", date(2026, 3, 23)),
        ("31 of January 2027", date(2027, 1, 31)),
        ("2026-12-24", date(2026, 12, 24)),
        ("25/12", date(2026, 12, 25)),
        ("end of the week", date(2026, 3, 6)),
        ("end of Q2", date(2026, 6, 30)),
        ("end of the year", date(2026, 12, 31)),
        ("today", TUESDAY),
    ],
)
def test_a_spoken_date_is_a_day(text: str, day: date) -> None:
    (found,) = mentions(text, TUESDAY)
    assert found.day == day
    assert text[found.start : found.end].strip() in text


@pytest.mark.parametrize(
    "text", ["next week", "04/05", "around Friday", "mid-April", "in a few days"]
)
def test_what_could_be_several_days_is_none(text: str) -> None:
    found = mentions(text, TUESDAY)
    assert found
    assert all(m.day is None for m in found)


@pytest.mark.parametrize(
    "text",
    ["last Friday", "two weeks ago", "Friday's meeting", "every Monday", "the second may be"],
)
def test_the_past_and_the_possessive_are_no_dates(text: str) -> None:
    assert [m for m in mentions(text, TUESDAY) if m.day] == []


DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))


@given(DAYS, st.integers(0, 6))
def test_the_coming_weekday_is_within_a_week(today: date, weekday: int) -> None:
    day = coming(weekday, today)
    assert day.weekday() == weekday
    assert 1 <= (day - today).days <= 7


@given(DAYS, st.integers(0, 6))
def test_next_is_next_weeks_or_nobody_knows(today: date, weekday: int) -> None:
    day = next_named(weekday, today)
    assert day is None or (monday(day) - monday(today)).days == 7


@given(DAYS, st.integers(1, 31), st.one_of(st.none(), st.integers(1, 12)))
def test_on_or_after_is_the_first_such_day(today: date, day: int, month: int | None) -> None:
    found = on_or_after(today, day, month)
    if found is None:
        assert month is not None
        assert day > 28
        return
    assert found >= today
    assert found.day == day
    assert month in (None, found.month)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("right after this call", [TUESDAY]),
        ("straight after this.", [TUESDAY]),
        ("after this we eat", []),
        ("I am sending it now", [TUESDAY]),
        ("I like it now", []),
        ("before the weekend", [date(2026, 3, 6)]),
        ("the weekend was wet", []),
        ("this week", [date(2026, 3, 6)]),
        ("next week", [None]),
        ("by mid April", [None]),
        ("It closes on the tenth of March. You get it the day after.", [date(2026, 3, 11)]),
        ("You get it the day after.", []),
        ("It closes on the tenth of March. The day after that it rained.", [date(2026, 3, 10)]),
        ("Eleven of the fourteen came, and the fourteenth, sorry, did not.", []),
        ("Eleven of the twelve came by the fourteenth.", [date(2026, 3, 14)]),
    ],
)
def test_dates_told_from_the_call_the_week_or_another_date(
    text: str, days: list[date | None]
) -> None:
    assert [m.day for m in mentions(text, TUESDAY)] == days


def test_this_week_is_not_certain_on_a_weekend() -> None:
    saturday = date(2026, 3, 7)
    assert [m.day for m in mentions("this week", saturday)] == [None]
    assert [m.day for m in mentions("before the weekend", saturday)] == [None]


@given(DAYS)
def test_months_end_on_their_last_day(day: date) -> None:
    last = end_of_month(day.year, day.month)
    assert (last + timedelta(days=1)).day == 1


@given(st.text(max_size=60), DAYS)
def test_mentions_never_overlap(text: str, today: date) -> None:
    found = mentions(text, today)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
