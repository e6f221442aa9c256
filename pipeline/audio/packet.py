"""Bytes of one packet to mono samples, and what can be wrong with them."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.base import metrics
from pipeline.base.errors import OutsideError

Samples = NDArray[np.float32]
"""Mono samples in -1..1."""

RATES = (8_000, 16_000, 32_000, 48_000)
"""Hz Zoom can be asked for (reference section 7.1)."""

LONGEST_MS = 1_000
"""``send_rate`` is clamped to 1000 ms (reference section 7.1)."""

Fault = Literal["empty", "odd_bytes", "too_long", "bad_time", "repeated", "late"]
"""Why a packet was not used as it came. ``too_long`` ones are used: their samples are good."""

LAST_TIME_MS = 1 << 42
"""Year 2109: beyond it, or below zero, is no time of a meeting."""


class UnusableAudio(OutsideError):
    """Codec, rate or channels that this build cannot decode."""

    source: ClassVar[str] = "audio"


def count(fault: Fault) -> None:
    """Count a fault; the meeting goes on."""
    metrics.AUDIO_FAULTS.labels(fault).inc()


def check_format(codec: str, sample_rate: int, channels: int) -> None:
    """Raises UnusableAudio (``kind`` codec, rate or channels) for what cannot be decoded."""
    if codec.upper() != "L16":
        raise UnusableAudio(f"audio codec {codec[:20]!r} is not supported, only L16", kind="codec")
    if sample_rate not in RATES:
        raise UnusableAudio(f"sample rate {sample_rate} is not one of {RATES}", kind="rate")
    if channels not in (1, 2):
        raise UnusableAudio(f"{channels} channels: only 1 or 2 are supported", kind="channels")


def decode_l16(data: bytes, channels: int) -> tuple[Samples, Fault | None]:
    """Signed 16-bit little-endian, interleaved (reference section 12.1), mixed down to mono.

    Bytes beyond the last whole frame are left out and reported as ``odd_bytes``.
    """
    frame = 2 * channels
    whole = len(data) - len(data) % frame
    fault: Fault | None = None if whole == len(data) else "odd_bytes"
    if whole == 0:
        return np.zeros(0, np.float32), fault or "empty"
    values = np.frombuffer(data, "<i2", whole // 2).astype(np.float32)
    if channels == 2:
        values = values.reshape(-1, 2).mean(axis=1, dtype=np.float32)
    return values * np.float32(1 / 32_768), fault


def encode_l16(samples: Samples) -> bytes:
    """The inverse for mono samples; exact for samples that came from ``decode_l16``."""
    scaled = np.rint(samples * np.float32(32_768))
    data: bytes = np.clip(scaled, -32_768, 32_767).astype("<i2").tobytes()
    return data
