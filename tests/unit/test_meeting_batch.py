from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.meeting.batch import fits, speaker_confidence, speech_ms, words_at
from pipeline.model.speech import Segment, Word
from pipeline.transcribe.engine import HeardWord

T0 = 1_790_000_000_000


def piece(start_ms: int, seconds: float = 2.0, **other: object) -> Segment:
    known: dict[str, object] = {"participant": "7", "speaker": "Ada", **other}
    return Segment(
        id="s1",
        stream=str(known.pop("stream", "S")),
        start_ms=T0 + start_ms,
        end_ms=T0 + start_ms + round(seconds * 1000),
        file=f"{T0 + start_ms}-a.pcm",
        samples=round(seconds * 16_000),
        **known,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("after", "together"),
    [
        (piece(2_000), True),
        (piece(1_999), True),  # ends are rounded to a millisecond
        (piece(4_000), True),
        (piece(4_100), False),
        (piece(1_500), False),  # somebody else's, or out of order
        (piece(2_500, 10.0), True),
        (piece(2_500, 10.1), False),
        (piece(2_500, participant="8"), False),
        (piece(2_500, stream="T"), False),
        (piece(2_500, attribution="active_speaker"), False),
        (piece(2_500, speaker="Grace"), False),
    ],
)
def test_what_belongs_together(after: Segment, together: bool) -> None:
    assert fits([piece(0)], after) is together


def test_the_whole_batch_has_a_length() -> None:
    assert fits([piece(0, 5.0), piece(5_500, 5.0)], piece(11_000, 2.0))
    assert not fits([piece(0, 5.0), piece(5_500, 5.0)], piece(11_000, 2.1))


def test_words_stand_where_they_were_said() -> None:
    batch = [piece(0, 2.0), piece(3_500, 1.0)]
    heard = [
        HeardWord("one", 0, 1_000),
        HeardWord("two", 1_000, 2_000, 0.5),  # ends where the first one ends, not after the pause
        HeardWord("three", 2_000, 2_500),
        HeardWord("four", 2_900, 9_000),
        HeardWord("\ud800", -50, -10),
    ]
    assert words_at(batch, heard) == (
        Word("one", T0, T0 + 1_000),
        Word("two", T0 + 1_000, T0 + 2_000, 0.5),
        Word("three", T0 + 3_500, T0 + 4_000),
        Word("four", T0 + 4_400, T0 + 4_500),
        Word("?", T0, T0),
    )


@given(
    st.lists(st.tuples(st.integers(-5_000, 50_000), st.integers(-5_000, 50_000)), max_size=20),
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(100, 5_000)), min_size=1, max_size=4),
)
def test_any_times_end_up_inside(
    times: list[tuple[int, int]], parts: list[tuple[int, int]]
) -> None:
    batch, at = [], 0
    for pause, length in parts:
        batch.append(piece(at + pause, length / 1000))
        at += pause + length
    for word in words_at(batch, [HeardWord("w", start, end) for start, end in times]):
        assert batch[0].start_ms <= word.start_ms <= word.end_ms <= batch[-1].end_ms


def test_what_is_known_of_some_is_known_of_none_or_the_least() -> None:
    assert speech_ms([piece(0, speech_ms=900), piece(2_000, speech_ms=300)]) == 1_200
    assert speech_ms([piece(0, speech_ms=900), piece(2_000)]) is None
    assert speaker_confidence([piece(0), piece(2_000)]) is None
    unsure = [piece(0, speaker_confidence=0.9), piece(2_000, speaker_confidence=0.7)]
    assert speaker_confidence(unsure) == 0.7
