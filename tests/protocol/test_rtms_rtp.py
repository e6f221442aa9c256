"""RTP headers come off; what is no packet passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rtms.rtp import payload


def packet(
    data: bytes, *, kind: int, sources: int = 0, extension: bytes = b"", padding: int = 0
) -> bytes:
    first = 0x80 | sources | (0x10 if extension else 0) | (0x20 if padding else 0)
    head = (
        bytes([first, kind])
        + b"\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03"
        + b"\x01\x02\x03\x04" * sources
    )
    if extension:
        head += b"\xbe\xde" + (len(extension) // 4).to_bytes(2, "big") + extension
    return head + data + (b"\x00" * (padding - 1) + bytes([padding]) if padding else b"")


@pytest.mark.parametrize(("codec", "kind"), [("G711", 8), ("G722", 9)])
@given(
    data=st.binary(min_size=160, max_size=160),
    sources=st.integers(0, 15),
    words=st.integers(0, 4),
    padding=st.integers(0, 8),
)
def test_packets_of_a_known_size(
    codec: str, kind: int, data: bytes, sources: int, words: int, padding: int
) -> None:
    whole = packet(
        data, kind=kind, sources=sources, extension=b"\x10\xff\x00\x00" * words, padding=padding
    )
    if len(whole) % 160:
        assert payload(codec, whole) == data
    assert payload(codec, data) == data, "bare"


@given(data=st.binary(min_size=1, max_size=400), kind=st.integers(96, 127), mark=st.booleans())
def test_opus_packets(data: bytes, kind: int, mark: bool) -> None:
    assert payload("OPUS", packet(data, kind=kind | (0x80 if mark else 0))) == data


@given(toc=st.sampled_from([0x78, 0x7C, 0xF8, 0xFC, 0x48, 0x0B]), rest=st.binary(max_size=400))
def test_bare_opus_of_20_ms_passes(toc: int, rest: bytes) -> None:
    data = bytes([toc]) + rest
    assert payload("OPUS", data) == data


@given(st.sampled_from(["OPUS", "G711", "G722"]), st.binary(max_size=64))
def test_nothing_raises_and_nothing_is_made_up(codec: str, data: bytes) -> None:
    assert payload(codec, data) in data
