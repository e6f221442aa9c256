from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audio.packet import UnusableAudio, check_format, decode_l16, encode_l16


def test_l16_is_little_endian() -> None:
    samples, fault = decode_l16(bytes([0x00, 0x80, 0xFF, 0x7F, 0x01, 0x00]), 1)
    assert fault is None
    assert samples.tolist() == [-1.0, 32_767 / 32_768, 1 / 32_768]


def test_stereo_is_mixed_down() -> None:
    data = np.array([100, 300, -50, 50], "<i2").tobytes()
    samples, fault = decode_l16(data, 2)
    assert fault is None
    assert (samples * 32_768).tolist() == [200.0, 0.0]


@pytest.mark.parametrize(
    ("data", "channels", "frames", "fault"),
    [
        (b"", 1, 0, "empty"),
        (b"\x01", 1, 0, "odd_bytes"),
        (b"\x01\x00\x02", 1, 1, "odd_bytes"),
        (b"\x01\x00\x02\x00\x03\x00", 2, 1, "odd_bytes"),
        (b"\x01\x00\x02\x00", 2, 1, None),
    ],
)
def test_broken_sizes_are_named_and_the_rest_is_used(
    data: bytes, channels: int, frames: int, fault: str | None
) -> None:
    samples, found = decode_l16(data, channels)
    assert (len(samples), found) == (frames, fault)


@given(st.lists(st.integers(-32_768, 32_767)))
def test_encode_is_the_inverse_of_decode(values: list[int]) -> None:
    data = np.array(values, "<i2").tobytes()
    assert encode_l16(decode_l16(data, 1)[0]) == data


def test_what_is_too_loud_is_clipped_not_wrapped() -> None:
    data = encode_l16(np.array([1.5, -1.5], np.float32))
    assert np.frombuffer(data, "<i2").tolist() == [32_767, -32_768]


@pytest.mark.parametrize(
    ("codec", "rate", "channels", "kind"),
    [("OPUS", 48_000, 1, "codec"), ("L16", 44_100, 1, "rate"), ("L16", 16_000, 3, "channels")],
)
def test_unknown_formats_are_refused_in_one_line(
    codec: str, rate: int, channels: int, kind: str
) -> None:
    with pytest.raises(UnusableAudio) as caught:
        check_format(codec, rate, channels)
    assert caught.value.kind == kind
    assert "\n" not in str(caught.value)
