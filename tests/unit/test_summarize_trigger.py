"""When to write: floor, ceiling, cues, silence; never when nothing was said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.summarize.settings import SummarizeSettings
from pipeline.summarize.trigger import Pace, Waiting, due, sounds_like_a_cue

PACE = Pace.of_model(SummarizeSettings())
EXTRACTION = Pace.of_extraction(SummarizeSettings())


def waiting(words: int, first_s: float, last_s: float, *, cue: bool = False) -> Waiting:
    return Waiting(
        words=words, first_ms=round(first_s * 1000), last_ms=round(last_s * 1000), has_cue=cue
    )


@pytest.mark.parametrize(
    ("lines", "now_s", "written_s", "reason"),
    [
        (waiting(0, 0, 0), 1000, None, None),
        (waiting(59, 10, 10), 12, 0, None),
        (waiting(60, 10, 10), 12, 0, "words"),
        (waiting(60, 4, 5), 5, 0, None),  # the floor
        (waiting(10, 10, 11), 15.9, 0, None),
        (waiting(10, 10, 11), 16, 0, "silence"),
        (waiting(3, 10, 11), 54, 0, None),  # too few to be worth it
        (waiting(3, 10, 11), 55, 0, "ceiling"),
        (waiting(3, 10, 10, cue=True), 10, 5, None),
        (waiting(3, 10, 10, cue=True), 11, 5, "cue"),
        (waiting(3, 10, 10, cue=True), 11, None, None),
        (waiting(3, 10, 10, cue=True), 16, None, "cue"),
    ],
)
def test_a_model_is_asked(
    lines: Waiting, now_s: float, written_s: float | None, reason: str | None
) -> None:
    written = None if written_s is None else round(written_s * 1000)
    assert due(PACE, lines, now_ms=round(now_s * 1000), written_ms=written) == reason


@given(
    words=st.integers(0, 500),
    first=st.integers(0, 100_000),
    rest=st.integers(0, 100_000),
    since=st.integers(0, 200_000),
    written=st.none() | st.integers(0, 200_000),
    cue=st.booleans(),
)
def test_floor_ceiling_and_nothing_said_hold_always(
    words: int, first: int, rest: int, since: int, written: int | None, cue: bool
) -> None:
    lines = Waiting(words=words, first_ms=first, last_ms=first + rest, has_cue=cue)
    now = first + rest + since
    reason = due(PACE, lines, now_ms=now, written_ms=written)
    if words == 0 or (written is not None and now - written < PACE.floor_ms):
        assert reason is None
    elif now - first >= PACE.ceiling_ms:
        assert reason is not None


def test_extraction_follows_every_line_after_its_floor() -> None:
    assert due(EXTRACTION, waiting(1, 0, 0), now_ms=0, written_ms=None) is not None
    assert due(EXTRACTION, waiting(1, 2, 2), now_ms=2_000, written_ms=1_000) is None
    assert due(EXTRACTION, waiting(1, 2, 2), now_ms=2_500, written_ms=1_000) is not None


@pytest.mark.parametrize(
    "text",
    [
        "Okay, then it is decided.",
        "I'll send it by Friday.",
        "I will call the school and book the oven by Thursday.",
        "Could you look at it until tomorrow?",
        "Wait, Tom, forget the tins.",
        "That's an action item.",
        "Then let us go with the school oven.",
        "Take that off the list.",
    ],
)
def test_cues_are_heard(text: str) -> None:
    assert sounds_like_a_cue(text)


@pytest.mark.parametrize("text", ["Good morning.", "How many did we sell?", "I will be honest."])
def test_other_talk_is_no_cue(text: str) -> None:
    assert not sounds_like_a_cue(text)


@pytest.mark.parametrize(
    "fields",
    [{"floor_s": -1.0}, {"every_words": 0}, {"ceiling_s": 1.0}, {"model_retry_s": 0.0}],
)
def test_settings_that_cannot_be_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        SummarizeSettings(**fields)  # type: ignore[arg-type]
