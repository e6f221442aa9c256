"""H.264 as it comes in messages (Annex B): which frames can be started from, and how large. Pure.

Reference section 12.2; NAL units and the sequence parameter set by ITU-T H.264, 7.3.
"""

from __future__ import annotations

import re

import msgspec

_START = re.compile(rb"\x00\x00\x01")
_IDR, _SPS = 5, 7
_MOST_UNITS = 4_096
_HIGH = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""Profiles whose parameter sets tell chroma and scaling."""


class Unit(msgspec.Struct, frozen=True):
    """What one message holds. ``key``: decoding can start here (an IDR picture with its parameter
    set); ``size``: width and height, where a parameter set tells them."""

    key: bool
    size: tuple[int, int] | None


def read(data: bytes) -> Unit | None:
    """The units of one message; None when there is none."""
    starts = [match.end() for match in _START.finditer(data)][:_MOST_UNITS]
    if not starts:
        return None
    kinds = set()
    size = None
    for at, end in zip(starts, [*starts[1:], len(data)], strict=True):
        if at >= len(data):
            continue
        kind = data[at] & 31
        kinds.add(kind)
        if kind == _SPS:
            size = _size(data[at + 1 : end]) or size
    return Unit(key=_IDR in kinds and _SPS in kinds, size=size)


class _Bits:
    """Bits of a parameter set, most significant first. Raises IndexError at the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def one(self) -> int:
        byte = self._data[self._at >> 3]
        bit = byte >> (7 - (self._at & 7)) & 1
        self._at += 1
        return bit

    def fixed(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self.one()
        return value

    def unsigned(self) -> int:
        """Exp-Golomb."""
        zeros = 0
        while not self.one():
            zeros += 1
            if zeros > 32:
                raise IndexError
        return (1 << zeros) - 1 + self.fixed(zeros)

    def signed(self) -> int:
        value = self.unsigned()
        return (value + 1) // 2 if value & 1 else -(value // 2)


def _size(sps: bytes) -> tuple[int, int] | None:
    """Width and height in pixels after cropping; None when it cannot be read."""
    bits = _Bits(sps[:256].replace(b"\x00\x00\x03", b"\x00\x00"))
    try:
        return _read_size(bits)
    except IndexError:
        return None


def _read_size(bits: _Bits) -> tuple[int, int] | None:
    profile = bits.fixed(8)
    bits.fixed(16)
    bits.unsigned()
    chroma, separate = 1, 0
    if profile in _HIGH:
        chroma = bits.unsigned()
        separate = bits.one() if chroma == 3 else 0
        bits.unsigned()
        bits.unsigned()
        bits.one()
        if bits.one():
            for index in range(12 if chroma == 3 else 8):
                if bits.one():
                    _skip_scaling(bits, 16 if index < 6 else 64)
    bits.unsigned()
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.one()
        bits.signed()
        bits.signed()
        count = bits.unsigned()
        if count > 255:
            return None
        for _ in range(count):
            bits.signed()
    bits.unsigned()
    bits.one()
    width = (bits.unsigned() + 1) * 16
    rows = bits.unsigned() + 1
    frames_only = bits.one()
    height = (2 - frames_only) * rows * 16
    if not frames_only:
        bits.one()
    bits.one()
    if bits.one():
        wide, high = (1, 1) if separate else {0: (1, 1), 1: (2, 2), 2: (2, 1)}.get(chroma, (1, 1))
        width -= (bits.unsigned() + bits.unsigned()) * wide
        height -= (bits.unsigned() + bits.unsigned()) * high * (2 - frames_only)
    return (width, height) if 0 < width <= 16_384 and 0 < height <= 16_384 else None


def _skip_scaling(bits: _Bits, count: int) -> None:
    last, following = 8, 8
    for _ in range(count):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last
