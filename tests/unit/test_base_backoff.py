from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.backoff import ZOOM_DUPLICATE, ZOOM_RECONNECT, Backoff


def first(backoff: Backoff, count: int) -> list[float]:
    return list(itertools.islice(backoff.delays(), count))


def test_zooms_own_schedules() -> None:
    assert first(ZOOM_RECONNECT, 6) == [3, 6, 12, 24, 30, 30]
    assert first(ZOOM_DUPLICATE, 9) == [1.5, 3, 6]


def test_a_new_iterator_starts_anew() -> None:
    backoff = Backoff(base=1)
    assert first(backoff, 3) == first(backoff, 3) == [1, 2, 4]


def test_scale_is_for_replays_faster_than_life() -> None:
    assert first(Backoff(base=3, cap=12, scale=0.25), 4) == [0.75, 1.5, 3, 3]


@given(
    st.floats(0.01, 10),
    st.floats(1, 4),
    st.floats(10, 60),
    st.floats(0, 1),
    st.integers(0, 20),
    st.integers(0, 9),
)
def test_jitter_only_shortens_and_attempts_bound(
    base: float, factor: float, cap: float, jitter: float, attempts: int, seed: int
) -> None:
    plain = Backoff(base=base, factor=factor, cap=cap, attempts=attempts)
    jittered = Backoff(base=base, factor=factor, cap=cap, attempts=attempts, jitter=jitter)
    whole = list(plain.delays())
    cut = list(jittered.delays(random.Random(seed)))
    assert len(whole) == len(cut) == attempts
    for delay, shorter in zip(whole, cut, strict=True):
        assert delay * (1 - jitter) - 1e-9 <= shorter <= delay <= cap + 1e-9
    assert list(jittered.delays()) == whole  # without randomness nothing is cut
