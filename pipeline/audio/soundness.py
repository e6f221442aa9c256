"""Is there anything in somebody's audio, and is it whole? Pure."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipeline.audio.packet import Samples

_ZERO_SAMPLES: Final = 10 * 16_000
"""Digital silence for so long is no pause: a microphone has noise, and who is muted sends
nothing."""

_FULL: Final = 32_700 / 32_768
_CLIPPED_SHARE: Final = 0.005
"""Share of samples at full scale, in a segment: whole speech has one peak in seconds. Clipping
speech by 12 dB gives 5-10 %."""


class ZeroWatch:
    """Told all audio of one voice."""

    def __init__(self) -> None:
        self._zeros = 0

    def saw(self, samples: Samples) -> bool:
        """Whether so much has been nothing but zeros in a row by now; told once for each row."""
        if samples.any():
            self._zeros = 0
            return False
        before, self._zeros = self._zeros, self._zeros + len(samples)
        return before < _ZERO_SAMPLES <= self._zeros


def is_clipped(samples: Samples) -> bool:
    """Whether a segment's loud parts were cut off."""
    if not len(samples):
        return False
    return int(np.count_nonzero(np.abs(samples) >= _FULL)) >= _CLIPPED_SHARE * len(samples)


def level_db(samples: Samples) -> float:
    """Loudness: RMS in dB of full scale (a square wave has 0), at least -96."""
    power = float(np.mean(np.square(samples))) if len(samples) else 0.0
    return max(-96.0, round(10 * float(np.log10(max(power, 1e-10))), 1))
