from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audio.packet import encode_l16, mono


def test_full_scale_is_one() -> None:
    pcm = np.array([[-32_768], [32_767], [1]], np.int16)
    assert mono(pcm).tolist() == [-1.0, 32_767 / 32_768, 1 / 32_768]


def test_stereo_is_mixed_down() -> None:
    pcm = np.array([[100, 300], [-50, 50]], np.int16)
    assert (mono(pcm) * 32_768).tolist() == [200.0, 0.0]


@given(st.lists(st.integers(-32_768, 32_767)))
def test_encode_is_the_inverse_of_mono(values: list[int]) -> None:
    pcm = np.array(values, "<i2").astype(np.int16).reshape(-1, 1)
    assert encode_l16(mono(pcm)) == np.array(values, "<i2").tobytes()


def test_what_is_too_loud_is_clipped_not_wrapped() -> None:
    data = encode_l16(np.array([1.5, -1.5], np.float32))
    assert np.frombuffer(data, "<i2").tolist() == [32_767, -32_768]
