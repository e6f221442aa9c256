from __future__ import annotations

import pytest

from pipeline.audio.attribution import NOBODY, ActiveSpeakers, Verdict
from pipeline.audio.settings import AudioSettings
from pipeline.evaluate.speakers import HARSH, KIND, LATE, Zoom, judged, meeting, news, score

T0 = 1_790_000_000_000


def speakers(*told: tuple[int, str]) -> ActiveSpeakers:
    found = ActiveSpeakers(2_000)
    for at_ms, who in told:
        found.told(T0 + at_ms, who, f"name of {who}")
    return found


def judge(found: ActiveSpeakers, start: int, end: int, *, fresh: bool = True) -> Verdict:
    return found.judge([(T0 + start, T0 + end)], fresh=fresh)


def test_nobody_is_named_before_anybody_was_told() -> None:
    assert judge(speakers(), 0, 5_000) == NOBODY
    assert judge(speakers((9_000, "1")), 0, 5_000).participant is None


def test_who_was_told_shortly_after_a_pause_spoke_since_the_pause() -> None:
    found = judge(speakers((0, "1"), (6_000, "2")), 5_000, 9_000)
    assert found == Verdict("2", "name of 2", 1.0)


def test_in_one_breath_nobody_knows_when_the_other_began() -> None:
    found = judge(speakers((0, "1"), (6_000, "2")), 4_000, 7_000, fresh=False)
    assert found.confidence < 0.85
    before = judge(speakers((0, "1"), (6_000, "2")), 1_000, 4_500, fresh=False)
    assert before.participant == "1"
    assert before.confidence > 0.9


def test_a_short_word_that_nobody_was_told_of_is_nobodys() -> None:
    told = speakers((0, "1"))
    assert judge(told, 20_000, 20_400).confidence < 0.7
    assert judge(told, 20_000, 22_000).confidence == 1.0


def test_a_turn_that_is_told_late_in_it_is_split_between_two() -> None:
    told = speakers((0, "1"), (10_000, "2"))
    found = judge(told, 2_000, 20_000)
    assert found.participant == "2"
    assert 0.4 < found.confidence < 0.85


def test_of_two_who_are_told_after_a_pause_neither_is_sure() -> None:
    told = speakers((0, "1"), (10_700, "2"), (11_900, "3"))
    found = judge(told, 10_000, 15_000)
    assert found.participant == "3"
    assert found.confidence < 0.95
    assert judge(told, 10_000, 11_600).confidence < 0.85


def test_who_a_segment_was_split_for_has_no_part_in_it() -> None:
    told = speakers((0, "1"), (6_300, "2"))
    spoken = [(T0 + 1_000, T0 + 6_000)]
    assert told.judge(spoken, fresh=True, until_ms=T0 + 6_300) == Verdict("1", "name of 1", 1.0)
    assert told.judge(spoken, fresh=True).confidence < 0.9


def test_old_news_and_the_same_again_are_none() -> None:
    found = speakers((5_000, "1"))
    assert not found.told(T0 + 4_000, "2", None)
    assert not found.told(T0 + 6_000, "1", "Anna B.")
    assert found.told(T0 + 7_000, "2", None)
    assert judge(found, 5_100, 6_900, fresh=False).speaker == "Anna B."


@pytest.mark.parametrize(
    ("zoom", "named", "wrong"), [(KIND, 0.88, 0.05), (LATE, 0.8, 0.08), (HARSH, 0.8, 0.2)]
)
def test_simulated_meetings(zoom: Zoom, named: float, wrong: float) -> None:
    settings = AudioSettings()
    turns = meeting(3, 20)
    found = judged(turns, news(turns, 3, zoom), settings)
    told = score(found, settings.min_speaker_confidence)
    assert told.named >= named
    assert told.wrong <= wrong
    anyhow = score(found, 0.0)
    assert anyhow.wrong > told.wrong
    assert anyhow.named == 1.0
