from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audio.resample import RATE, Resampler


def noise(length: int) -> np.ndarray:
    return np.random.default_rng(7).uniform(-0.5, 0.5, length).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([8_000, 32_000, 48_000]),
    st.lists(st.integers(0, 5_000), min_size=1, max_size=8),
)
def test_chunked_equals_one_shot_to_the_bit(rate: int, lengths: list[int]) -> None:
    whole = noise(sum(lengths))
    resampler = Resampler(rate)
    parts, start = [], 0
    for length in lengths:
        parts.append(resampler.push(whole[start : start + length]))
        start += length
    chunked = np.concatenate([*parts, resampler.finish()])
    once = soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="HQ")
    assert np.array_equal(chunked, once.resample_chunk(whole, last=True))
    assert abs(len(chunked) - len(whole) * RATE / rate) <= 1


@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_runs_do_not_touch_one_another(rate: int) -> None:
    resampler = Resampler(rate)
    resampler.push(noise(rate))
    resampler.finish()
    second = np.concatenate([resampler.push(noise(rate)), resampler.finish()])
    fresh = Resampler(rate)
    assert np.array_equal(second, np.concatenate([fresh.push(noise(rate)), fresh.finish()]))


def test_the_same_rate_passes_through() -> None:
    samples = noise(160)
    resampler = Resampler(RATE)
    assert resampler.push(samples) is samples
    assert len(resampler.finish()) == 0


def test_a_click_stays_where_it_was() -> None:
    samples = np.zeros(48_000, np.float32)
    samples[24_000] = 1.0
    resampler = Resampler(48_000)
    out = np.concatenate([resampler.push(samples), resampler.finish()])
    assert int(np.argmax(np.abs(out))) == 8_000
