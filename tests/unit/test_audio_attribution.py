from __future__ import annotations

import pytest

from pipeline.audio.attribution import EARLY_MS, NOBODY, ActiveSpeakers, Lags, Span, Verdict
from pipeline.audio.settings import AudioSettings
from pipeline.evaluate.speakers import HARSH, KIND, LATE, Turn, Zoom, judged, meeting, news, score

T0 = 1_790_000_000_000


class Meeting:
    """News, then the speech of segments, in ms since the beginning of a meeting."""

    def __init__(self, *told: tuple[int, str], lag_ms: int = 2_500) -> None:
        self.speakers = ActiveSpeakers(lag_ms)
        for at_ms, who in told:
            self.speakers.told(T0 + at_ms, who, f"name of {who}")

    def heard(self, *speech: Span) -> Meeting:
        self.speakers.heard(_at(speech))
        return self

    def cuts(self, now_ms: int, *speech: Span) -> list[Span]:
        found = self.speakers.cuts(T0 + now_ms, _at(speech))
        return [(first - T0, last - T0) for first, last in found]

    def judge(self, *speech: Span) -> Verdict:
        return self.speakers.judge(_at(speech))


def _at(speech: tuple[Span, ...]) -> list[Span]:
    return [(T0 + start, T0 + end) for start, end in speech]


def learned(lag_ms: int, count: int = 20) -> Meeting:
    """A meeting in which who speaks was told so late, ``count`` times; 20 s for each."""
    found = Meeting()
    for turn in range(count):
        start = turn * 20_000
        found.speakers.told(T0 + start + lag_ms, str(turn % 2), None)
        found.heard((start, start + 15_000))
        found.cuts(start + lag_ms + EARLY_MS)
    return found


def test_nobody_is_named_before_anybody_was_told() -> None:
    assert Meeting().judge((0, 5_000)) == NOBODY
    assert Meeting((9_000, "1")).judge((0, 5_000)).participant is None
    assert Meeting((0, "1")).judge() == NOBODY


def test_who_was_told_shortly_after_a_pause_spoke_since_the_pause() -> None:
    found = Meeting((0, "1"), (6_000, "2")).heard((1_000, 4_000), (5_000, 9_000))
    found.cuts(9_000)
    verdict = found.judge((5_000, 9_000))
    assert verdict.participant == "2"
    assert verdict.speaker == "name of 2"
    assert verdict.confidence > 0.85
    before = found.judge((1_000, 4_000))
    assert (before.participant, before.confidence) == ("1", pytest.approx(1.0, abs=0.06))


def test_who_spoke_before_a_pause_may_be_told_after_it() -> None:
    found = Meeting((0, "1"), (6_000, "2"))
    found.heard((1_000, 3_900), (4_200, 5_000), (5_600, 9_000))
    found.cuts(9_000)
    assert found.judge((4_200, 5_000)).confidence < 0.85


def test_in_one_breath_nobody_knows_when_the_other_began() -> None:
    found = Meeting((0, "1"), (6_000, "2")).heard((1_000, 7_000))
    found.cuts(7_000)
    assert found.judge((4_000, 7_000)).confidence < 0.85
    before = found.judge((1_000, 4_500))
    assert before.participant == "1"
    assert before.confidence > 0.9


def test_a_short_word_that_nobody_was_told_of_is_nobodys() -> None:
    told = Meeting((0, "1"))
    assert told.judge((20_000, 20_400)).confidence < 0.7
    assert told.judge((20_000, 22_000)).confidence == 1.0


def test_a_short_word_that_the_news_were_of_is_theirs() -> None:
    found = learned(300)
    found.speakers.told(T0 + 430_300, "9", "Nina")
    found.heard((430_000, 430_600))
    found.cuts(431_000)
    verdict = found.judge((430_000, 430_600))
    assert verdict.speaker == "Nina"
    assert verdict.confidence > 0.9


def test_an_open_segment_is_cut_in_the_pause_before_the_news() -> None:
    found = Meeting((0, "1"), (6_000, "2"))
    assert found.cuts(6_000 + EARLY_MS - 1, (1_000, 5_000), (5_200, 6_300)) == []
    assert found.cuts(6_000 + EARLY_MS, (1_000, 5_000), (5_200, 6_400)) == [(5_000, 5_200)]
    assert found.cuts(9_000, (1_000, 5_000), (5_200, 6_400)) == []


def test_of_two_pauses_both_are_cut_and_only_what_is_between_them_is_not_sure() -> None:
    found = Meeting((0, "1"), (6_000, "2"))
    speech = ((1_000, 4_000), (4_300, 5_000), (5_200, 8_000))
    assert found.cuts(7_000, *speech) == [(4_000, 4_300), (5_000, 5_200)]
    first, between, last = (found.judge(span) for span in speech)
    assert (first.participant, last.participant) == ("1", "2")
    assert first.confidence > 0.85
    assert last.confidence > 0.85
    assert between.confidence < 0.85


def test_without_a_pause_it_is_cut_near_the_likeliest_place() -> None:
    found = learned(300)
    found.speakers.told(T0 + 430_000, "9", None)
    ((first, last),) = found.cuts(430_500, (424_000, 430_500))
    assert first < 429_700 < last
    assert last - first <= 600


def test_the_lag_of_a_meeting_is_learned() -> None:
    """Of two pauses before news, the one is meant that is as far back as usual."""
    speech = ((500_000, 503_800), (504_100, 505_200), (505_400, 508_000))
    between = {}
    for lag_ms in (200, 1_500):
        found = learned(lag_ms)
        found.speakers.told(T0 + 505_600, "9", None)
        found.heard(*speech)
        found.cuts(508_000)
        between[lag_ms] = found.judge(speech[1])
        assert between[lag_ms].confidence > 0.85
    assert between[200].participant == "1"
    assert between[1_500].participant == "9"


def test_news_may_come_before_the_first_word() -> None:
    found = Meeting((0, "1"), (5_800, "2")).heard((1_000, 4_000), (6_000, 9_000))
    found.cuts(9_000)
    assert found.judge((6_000, 9_000)).participant == "2"
    assert found.judge((1_000, 4_000)).participant == "1"


def test_old_news_and_the_same_again_are_none() -> None:
    speakers = ActiveSpeakers(2_500)
    assert speakers.told(T0 + 5_000, "1", "Anna")
    assert not speakers.told(T0 + 4_000, "2", None)
    assert not speakers.told(T0 + 6_000, "1", "Anna B.")
    assert speakers.told(T0 + 7_000, "2", None)
    assert speakers.judge([(T0 + 5_100, T0 + 6_900)]).speaker == "Anna B."


def test_finals_wait_for_news_as_long_as_they_usually_take() -> None:
    span = (T0 + 500_000, T0 + 503_000)
    prompt, late = (learned(lag_ms).speakers.due_ms([span]) for lag_ms in (200, 1_500))
    assert prompt <= span[1] + 600  # the silence that ends a segment: no wait at all
    assert span[1] + 1_500 <= late <= span[1] + 2_000
    assert ActiveSpeakers(2_500).due_ms([]) == 0


def test_a_lag_out_of_bounds_is_impossible_and_what_is_learned_is_likelier() -> None:
    lags = Lags(2_000)
    assert lags.likelihood(2_101) == lags.likelihood(-EARLY_MS - 100) == 0.0
    assert lags.likelihood(300) == lags.likelihood(1_800) > 0.0
    lags.learn([(300, 1.0)])
    lags.learn([(700, 0.0)])
    assert lags.likelihood(300) > 5 * lags.likelihood(1_800)


@pytest.mark.parametrize(
    ("zoom", "named", "wrong"),
    [(Zoom((300, 300)), 0.92, 0.02), (KIND, 0.9, 0.03), (LATE, 0.75, 0.04), (HARSH, 0.75, 0.17)],
)
@pytest.mark.parametrize("seed", [11, 12])
def test_simulated_meetings(seed: int, zoom: Zoom, named: float, wrong: float) -> None:
    settings = AudioSettings()
    turns = meeting(seed, 20)
    found = judged(turns, news(turns, seed, zoom), settings)
    told = score(found, settings.min_speaker_confidence)
    assert told.named >= named
    assert told.wrong <= wrong
    anyhow = score(found, 0.0)
    assert anyhow.wrong > told.wrong
    assert anyhow.named > 0.99


def test_turns_with_pauses_between_them_are_all_named_right() -> None:
    turns = [Turn(n * 5_000, n * 5_000 + 4_000, str(n % 3)) for n in range(1, 60)]
    told = [(turn.start_ms + 300, turn.who) for turn in turns]
    found = score(judged(turns, told, AudioSettings()), AudioSettings().min_speaker_confidence)
    assert found.named > 0.97
    assert found.wrong < 0.005
