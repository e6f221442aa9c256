"""What one person says in a row is one paragraph."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.model.speech import Gap, Utterance
from pipeline.model.turns import PAUSE_MS, continuing, goes_on

FIRST = Utterance(
    id="u1",
    stream="s",
    source="local",
    start_ms=1_000,
    end_ms=2_000,
    text="one",
    participant="1",
    speaker="Anna",
)


def after(pause_ms: int = 500, **fields: Any) -> Utterance:
    start = FIRST.end_ms + pause_ms
    later = msgspec.structs.replace(FIRST, id="u2", start_ms=start, end_ms=start + 900, text="two")
    return msgspec.structs.replace(later, **fields)


def test_a_short_pause_goes_on_and_a_long_one_begins_anew() -> None:
    assert goes_on(FIRST, after(0))
    assert goes_on(FIRST, after(-300))  # heard to overlap itself by a little
    assert goes_on(FIRST, after(PAUSE_MS))
    assert not goes_on(FIRST, after(PAUSE_MS + 1))


@pytest.mark.parametrize(
    "other",
    [
        {"speaker": "Ben", "participant": "2"},
        {"participant": "2"},  # two people of one name
        {"attribution": "active_speaker"},  # less certain than the line before it
        {"role": "fill"},
        {"speaker": None, "participant": None, "attribution": "unknown"},
    ],
)
def test_another_voice_or_another_certainty_is_another_paragraph(other: dict[str, Any]) -> None:
    assert not goes_on(FIRST, after(**other))


def test_two_unknown_speakers_may_be_two_people() -> None:
    unknown: dict[str, Any] = {"speaker": None, "participant": None, "attribution": "unknown"}
    assert not goes_on(msgspec.structs.replace(FIRST, **unknown), after(**unknown))


def test_whatever_stands_between_ends_the_paragraph() -> None:
    gap = Gap(id="g1", from_ms=2_100, to_ms=2_200, media="all", cause="media_lost")
    third = after(2_000, id="u3")
    assert continuing([FIRST, after(), third]) == {"u2", "u3"}
    assert continuing([FIRST, gap, after(), third]) == {"u3"}
    assert continuing([]) == frozenset()
