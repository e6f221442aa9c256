"""G.711 A-law (PCMA) by two tables, made from the rule of the recommendation."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_TOGGLE = 0x55
"""Every other bit travels inverted."""


def _magnitude(code: int) -> int:
    """The middle of the interval that seven bits (segment, step) stand for, 16-bit scale."""
    segment, step = code >> 4, code & 15
    value = (step << 4) + 8
    return value if segment == 0 else (value + 256) << (segment - 1)


@cache
def _decoded() -> NDArray[np.int16]:
    """Sample of each of the 256 codes."""
    table = np.zeros(256, np.int16)
    for byte in range(256):
        code = byte ^ _TOGGLE
        table[byte] = _magnitude(code & 0x7F) * (1 if code & 0x80 else -1)
    return table


@cache
def _encoded() -> NDArray[np.uint8]:
    """Code of each sample, indexed by the sample as uint16."""
    middles = np.array([_magnitude(code) for code in range(128)])
    # An interval begins where the one below ends: half its step below its middle.
    steps = np.array([16 if code < 32 else 16 << ((code >> 4) - 1) for code in range(128)])
    samples = np.arange(-32_768, 32_768)
    size = np.where(
        samples < 0, -samples - 1, samples
    )  # -1 mirrors 0, as the recommendation has it
    codes = np.searchsorted(middles - steps // 2, size, side="right") - 1
    table = np.zeros(65_536, np.uint8)
    table[samples & 0xFFFF] = (codes | np.where(samples < 0, 0, 0x80)) ^ _TOGGLE
    return table


def decode(data: bytes) -> NDArray[np.int16]:
    """Samples of the codes, one a byte; every byte is a code."""
    return _decoded()[np.frombuffer(data, np.uint8)]


def encode(samples: NDArray[np.int16]) -> bytes:
    """Codes of the samples. ``decode`` gives a sample of the same interval back."""
    data: bytes = _encoded()[samples.astype(np.int16).view(np.uint16)].tobytes()
    return data
