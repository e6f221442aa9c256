"""What the recording hears, at the rate that was announced."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.audio.open_speech import Tap
from pipeline.audio.packet import Samples

_Voice = Callable[[int, Samples], None]


class Tapping:
    """Holds everything back until it is known that the announced rate is the real one; hands it on
    then, or forgets it and converts what comes again."""

    def __init__(self, tap: Tap, told: int) -> None:
        self._tap = tap
        self._told = told
        self._rate = told
        self._held: list[tuple[str | None, int, Samples]] | None = []

    def voice(self, participant: str | None) -> _Voice:
        """The tap of one voice."""
        if self._rate != self._told:
            return _Converter(participant, self._rate, self._told, self._tap)

        def take(at: int, samples: Samples) -> None:
            if self._held is not None:
                self._held.append((participant, at, samples))
            else:
                self._tap(participant, at, samples)

        return take

    def sure(self) -> None:
        """The announced rate is right, or taken for it."""
        held, self._held = self._held, None
        for participant, at, samples in held or ():
            self._tap(participant, at, samples)

    def really(self, rate: int) -> None:
        """It is not; what was held back comes again, from voices made after this."""
        self._held = None
        self._rate = rate


class _Converter:
    """One voice at another rate than announced. Pieces that follow each other are one run of the
    resampler; what it still holds at the end of a run (2 ms) is left out."""

    def __init__(self, participant: str | None, rate: int, told: int, tap: Tap) -> None:
        self._participant = participant
        self._rate = rate
        self._told = told
        self._tap = tap
        self._next: int | None = None
        self._out = 0

    def __call__(self, at: int, samples: Samples) -> None:
        import soxr  # only needed where rates differ

        if at != self._next:
            self._stream = soxr.ResampleStream(
                self._rate, self._told, 1, dtype="float32", quality="HQ"
            )
            self._out = at * self._told // self._rate
        self._next = at + len(samples)
        made = np.asarray(self._stream.resample_chunk(samples), np.float32)
        if len(made):
            self._tap(self._participant, self._out, made)
        self._out += len(made)
