"""Mono samples, and what can be wrong with the packets they come from."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.base import metrics
from pipeline.base.errors import OutsideError

Samples = NDArray[np.float32]
"""Mono samples in -1..1."""

LONGEST_MS = 1_000
"""``send_rate`` is clamped to 1000 ms (reference section 7.1)."""

USUAL_MS = 20
"""What a packet lasts that does not tell (section 7.1)."""

Fault = Literal[
    "empty",
    "odd_bytes",
    "too_long",
    "bad_time",
    "repeated",
    "late",
    "undecodable",
    "missing",
    "wrong_rate",
    "all_zero",
    "clipped",
]
"""Why audio was not used as it came, or is not as it should be. ``too_long`` packets are used:
their samples are good; ``late`` ones are put in their place or heard on their own; ``missing``
ones never came, in the midst of speech (a mute is not counted); ``all_zero`` and ``clipped`` count
stretches of one voice."""

LAST_TIME_MS = 1 << 42
"""Year 2109: beyond it, or below zero, is no time of a meeting."""


class UnusableAudio(OutsideError):
    """Codec, rate or channels that cannot be decoded, or (kind ``packet``) bytes that cannot."""

    source: ClassVar[str] = "audio"


def count(fault: Fault) -> None:
    """Count a fault; the meeting goes on."""
    metrics.AUDIO_FAULTS.labels(fault).inc()


def mono(pcm: NDArray[np.int16]) -> Samples:
    """Samples of shape (frames, channels), mixed down."""
    values = pcm.astype(np.float32)
    flat = values[:, 0] if pcm.shape[1] == 1 else values.mean(axis=1, dtype=np.float32)
    return flat * np.float32(1 / 32_768)


def encode_l16(samples: Samples) -> bytes:
    """Mono samples as signed 16-bit little-endian; exact for those that ``mono`` made of one
    channel."""
    scaled = np.rint(samples * np.float32(32_768))
    data: bytes = np.clip(scaled, -32_768, 32_767).astype("<i2").tobytes()
    return data
