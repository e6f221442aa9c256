"""Any rate to 16 kHz, chunk by chunk, to the bit what it would be in one piece."""

from __future__ import annotations

import numpy as np

from pipeline.audio.packet import Samples

RATE = 16_000
"""Hz of everything behind the resampler."""


class Resampler:
    """A run of mono samples at ``rate`` to 16 kHz; passes them through when that is the rate.

    soxr HQ: chunked equals one-shot exactly, no length error, about 1.1 CPU-s an audio hour;
    a resampler made anew for each chunk clicks at -30 dB (reference speech, section 5).
    """

    def __init__(self, rate: int) -> None:
        self._stream = None
        if rate != RATE:
            import soxr  # only needed where rates differ

            self._stream = soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="HQ")

    def push(self, samples: Samples) -> Samples:
        """What can be given out by now; the filter keeps some milliseconds back."""
        if self._stream is None:
            return samples
        return np.asarray(self._stream.resample_chunk(samples), np.float32)

    def finish(self) -> Samples:
        """The rest of the run. The next push begins a new one."""
        if self._stream is None:
            return np.zeros(0, np.float32)
        rest = np.asarray(
            self._stream.resample_chunk(np.zeros(0, np.float32), last=True), np.float32
        )
        self._stream.clear()
        return rest
