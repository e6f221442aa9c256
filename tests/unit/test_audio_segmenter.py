from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audio.segmenter import Closed, Cue, Grown, Opened, Segmenter
from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import WINDOW

AT = 1_000_000


def windows(probabilities: list[float], loud: list[float] | None = None) -> list[np.ndarray]:
    """Windows whose samples tell their position; ``loud`` scales each."""
    found = []
    for index in range(len(probabilities)):
        start = index * WINDOW + 1
        found.append(np.arange(start, start + WINDOW, dtype=np.float32))
        if loud is not None:
            found[-1] = np.full(WINDOW, loud[index], np.float32)
    return found


def segments(
    probabilities: list[float],
    loud: list[float] | None = None,
    settings: AudioSettings | None = None,
) -> list[tuple[int, np.ndarray]]:
    segmenter = Segmenter(settings or AudioSettings())
    segmenter.begin(AT)
    cues: list[Cue] = []
    for samples, probability in zip(windows(probabilities, loud), probabilities, strict=True):
        cues += segmenter.push(samples, probability)
    return built(cues + segmenter.end())


def built(cues: list[Cue]) -> list[tuple[int, np.ndarray]]:
    found: list[tuple[int, np.ndarray]] = []
    position, held = 0, None
    for cue in cues:
        match cue:
            case Opened(at, samples):
                assert held is None
                position, held = at - AT, samples
            case Grown(samples):
                assert held is not None
                held = np.concatenate((held, samples))
            case Closed(length):
                assert held is not None
                assert 0 < length <= len(held)
                found.append((position, held[:length]))
                held = None
    assert held is None
    return found


def in_windows(found: list[tuple[int, np.ndarray]]) -> list[tuple[int, int]]:
    return [(at // WINDOW, (at + len(samples)) // WINDOW) for at, samples in found]


SETTINGS = AudioSettings(pre_roll_ms=256, post_roll_ms=192, hangover_ms=500)  # 8, 6, 16 windows


def test_speech_gets_pre_roll_and_post_roll() -> None:
    found = segments([0.0] * 30 + [0.9] * 20 + [0.0] * 40, settings=SETTINGS)
    assert in_windows(found) == [(22, 56)]
    at, samples = found[0]
    assert samples[0] == at + 1
    assert np.array_equal(np.diff(samples), np.ones(len(samples) - 1))


def test_silence_and_doubt_make_no_segment() -> None:
    assert segments([0.0] * 500) == []
    assert segments([0.49] * 500) == []


def test_a_click_makes_no_segment() -> None:
    assert segments([0.0] * 20 + [0.9] * 3 + [0.0] * 60) == []
    assert len(segments([0.0] * 20 + [0.9] * 4 + [0.0] * 60)) == 1


def test_hysteresis_keeps_a_segment_open_in_doubt() -> None:
    found = segments([0.9] * 10 + [0.4] * 40 + [0.9] * 10 + [0.0] * 40, settings=SETTINGS)
    assert in_windows(found) == [(0, 66)]


def test_a_pause_shorter_than_the_hangover_is_part_of_the_segment() -> None:
    for pause, parts in ((15, 1), (17, 2)):
        said = [0.9] * 10 + [0.0] * pause + [0.9] * 10 + [0.0] * 30
        assert len(segments(said, settings=SETTINGS)) == parts


def test_a_shorter_pause_ends_a_long_segment() -> None:
    said = [0.9] * 120 + [0.0] * 10 + [0.9] * 70 + [0.0] * 10 + [0.9] * 10 + [0.0] * 30
    settings = AudioSettings(hangover_ms=500, long_s=6.0, long_hangover_ms=320)
    # the first pause is within 3.8 s, the second after 6.4 s
    assert [end for _, end in in_windows(segments(said, settings=settings))] == [206, 226]


def test_pre_roll_never_takes_what_the_segment_before_has() -> None:
    found = segments([0.9] * 10 + [0.0] * 16 + [0.9] * 10 + [0.0] * 30, settings=SETTINGS)
    assert in_windows(found) == [(0, 16), (18, 42)]


def test_a_run_that_ends_ends_its_segment() -> None:
    assert in_windows(segments([0.0] * 10 + [0.9] * 10, settings=SETTINGS)) == [(2, 20)]


def test_long_speech_is_cut_at_the_quietest_place() -> None:
    loud = [1.0] * 700
    loud[298:303] = [0.2] * 5
    loud[40:50] = [0.0] * 10  # in the first half: not looked at
    found = segments([0.9] * 700, loud, SETTINGS)
    assert in_windows(found)[0] == (0, 300)
    assert [start for start, _ in in_windows(found)[1:]] == [
        end for _, end in in_windows(found)[:-1]
    ]
    assert in_windows(found)[-1][1] == 700


def test_the_end_of_a_word_behind_a_cut_is_kept() -> None:
    loud = [1.0] * 400
    loud[371:374] = [0.0] * 3
    found = segments([0.9] * 376 + [0.0] * 24, loud, SETTINGS)
    assert in_windows(found) == [(0, 372), (372, 382)]


@given(
    st.lists(
        st.tuples(st.sampled_from([0.02, 0.4, 0.6, 0.95]), st.integers(1, 260)),
        min_size=1,
        max_size=14,
    )
)
def test_segments_are_exact_ordered_bounded_and_hold_all_speech(
    spans: list[tuple[float, int]],
) -> None:
    probabilities = [probability for probability, count in spans for _ in range(count)]
    found = segments(probabilities, settings=SETTINGS)
    end = 0
    for at, samples in found:
        assert at >= end
        end = at + len(samples)
        assert len(samples) <= 12 * 16_000
        assert np.array_equal(samples, np.arange(at + 1, end + 1, dtype=np.float32))
    covered = np.zeros(len(probabilities), bool)
    for first, last in in_windows(found):
        covered[first:last] = True
        assert any(p >= 0.35 for p in probabilities[first:last])
    # every stretch of clear speech that is long enough by itself is in a segment, whole
    index = 0
    for probability, count in spans:
        if probability >= 0.5 and count >= 4:
            assert covered[index : index + count].all()
        index += count
