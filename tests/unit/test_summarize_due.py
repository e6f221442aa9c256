from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.summarize.due import due_words, is_deadline, resolve_due

SAID_MS = round(datetime(2026, 3, 3, 12, tzinfo=UTC).timestamp() * 1000)  # a Tuesday


@pytest.mark.parametrize(
    ("text", "date", "words"),
    [
        ("I print it by Friday", "2026-03-06", "by Friday"),
        ("I print it by tomorrow, because we open", "2026-03-04", "by tomorrow"),
        ("I print it before the first of April", "2026-04-01", "before the first of April"),
        ("I print it on Wednesday", "2026-03-04", "on Wednesday"),
        ("by Friday, no, by Monday", "2026-03-09", "by Monday"),
        ("I print it by the end of the month", "2026-03-31", "by the end of the month"),
        ("I print it tonight", "2026-03-03", "tonight"),
        ("before noon", "2026-03-03", "before noon"),
    ],
)
def test_a_deadline_is_a_day_and_the_words_that_name_it(text: str, date: str, words: str) -> None:
    due = resolve_due(text, SAID_MS, "UTC")
    assert due is not None
    assert (due.date, due.words) == (date, words)


@pytest.mark.parametrize(
    "text",
    [
        "I print it",
        "I print it next week",
        "on Monday or on Tuesday",
        "I printed it last Friday",
        "since Friday it is broken",
        "in about two weeks or so, around Friday",
    ],
)
def test_no_day_is_no_due_date(text: str) -> None:
    assert resolve_due(text, SAID_MS, "UTC") is None


def test_the_day_is_the_meetings() -> None:
    late = round(datetime(2026, 3, 3, 23, 30, tzinfo=UTC).timestamp() * 1000)
    berlin, new_york = (
        resolve_due("tomorrow", late, zone) for zone in ("Europe/Berlin", "America/New_York")
    )
    assert berlin is not None
    assert new_york is not None
    assert (berlin.date, new_york.date) == ("2026-03-05", "2026-03-04")
    with pytest.raises(ZoneInfoNotFoundError):
        resolve_due("tomorrow", late, "Mars/Base")


def test_words_are_kept_where_no_day_follows() -> None:
    assert due_words("I print it next week") == "next week"
    assert due_words("I print it") is None
    assert is_deadline("by Friday")
    assert not is_deadline("on Friday")


@given(
    st.sampled_from(["monday", "friday", "the 4th", "tomorrow", "the end of the month"]),
    st.integers(0, 3 * 10**6),
)
def test_a_due_date_is_never_in_the_past(named: str, minutes: int) -> None:
    said = SAID_MS + minutes * 60_000
    due = resolve_due(f"I print it by {named}", said, "UTC")
    assert due is not None
    assert due.date >= datetime.fromtimestamp(said / 1000, UTC).date().isoformat()
    assert due.words.startswith("by ")
