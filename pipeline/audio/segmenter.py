"""Windows with a probability of speech to segments. Pure.

Every sample is in at most one segment, and segments are exact: a segment that begins at position p
holds the samples p, p+1, ... of its run and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.audio.packet import Samples
from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import WINDOW

_WINDOW_MS = WINDOW // 16

_QUIET_MS = 160
"""Span whose energy is compared when a long segment is cut: shorter than most words, longer than
the closure of a stop consonant (about 100 ms), which sounds like a pause and is none."""


@dataclass(frozen=True)
class Opened:
    """A segment begins at position ``at`` (samples since the epoch at 16 kHz)."""

    at: int
    samples: Samples


@dataclass(frozen=True)
class Grown:
    """More of the open segment."""

    samples: Samples


@dataclass(frozen=True)
class Closed:
    """The open segment is complete: its first ``length`` samples; what came after is not in it."""

    length: int


Cue = Opened | Grown | Closed


@dataclass(frozen=True)
class _Window:
    samples: Samples
    probability: float
    energy: float


class Segmenter:
    """Hysteresis, pre-roll, hangover, least speech and greatest length over one run at a time."""

    def __init__(self, settings: AudioSettings) -> None:
        self._start = settings.vad_start
        self._stop = settings.vad_stop
        self._hangover = _windows(settings.hangover_ms)
        self._pre_roll = _windows(settings.pre_roll_ms)
        self._post_roll = _windows(settings.post_roll_ms)
        self._least = _windows(settings.min_speech_ms)
        self._most = int(settings.max_segment_s * 1000) // _WINDOW_MS
        half = _windows(_QUIET_MS) // 2
        self._weights = 1.0 - np.abs(np.arange(-half, half + 1)) / (half + 1)
        self.begin(0)

    def begin(self, at: int) -> None:
        """A new run starts at position ``at``. The one before must have been ended."""
        self._at = at  # position of the first window kept
        self._kept: list[_Window] = []
        self._speaking = False
        self._opened = False  # the open segment was told
        self._speech = 0  # windows that are speech beyond doubt
        self._last = -1  # index of the last window that counts as speech

    def push(self, samples: Samples, probability: float) -> list[Cue]:
        """The next window: at most ``WINDOW`` samples, fewer only as the last of a run."""
        energy = float(np.dot(samples, samples)) / max(1, len(samples))
        self._kept.append(_Window(samples, probability, energy))
        if not self._speaking:
            if probability < self._start:
                self._forget(len(self._kept) - self._pre_roll)
                return []
            self._speaking = True
        if probability >= self._stop:
            self._last = len(self._kept) - 1
            self._speech += probability >= self._start
        cues = self._grow(samples)
        if len(self._kept) - 1 - self._last >= self._hangover:
            return cues + self._close()
        if len(self._kept) >= self._most:
            return cues + self._cut()
        return cues

    def end(self) -> list[Cue]:
        """The run is over; the open segment ends with it. Call ``begin`` next."""
        return self._close()

    def _grow(self, samples: Samples) -> list[Cue]:
        if self._opened:
            return [Grown(samples)]
        if self._speech < self._least:
            return []
        self._opened = True
        return [Opened(self._at, _join(self._kept))]

    def _close(self) -> list[Cue]:
        """End what is open after its last speech; the silence behind it may be pre-roll."""
        cues: list[Cue] = []
        if self._opened:
            end = min(len(self._kept), self._last + 1 + self._post_roll)
            cues.append(Closed(_length(self._kept[:end])))
            self._forget(end)
        self._rest()
        self._forget(len(self._kept) - self._pre_roll)
        return cues

    def _cut(self) -> list[Cue]:
        """Split at the quietest place of the second half; what follows is a segment of its own."""
        if not self._opened:  # hardly any speech in the longest segment there is
            self._rest()
            self._forget(len(self._kept) - self._pre_roll)
            return []
        place = self._quietest(self._most // 2, len(self._kept))
        cues: list[Cue] = [Closed(_length(self._kept[:place]))]
        last = self._last - place
        self._forget(place)
        self._rest()
        if last < 0:
            self._forget(len(self._kept) - self._pre_roll)
            return cues
        # The words go on: no least speech is asked of the rest, or the end of a word is lost.
        self._speaking = self._opened = True
        self._last = last
        self._speech = self._least
        return [*cues, Opened(self._at, _join(self._kept))]

    def _quietest(self, first: int, end: int) -> int:
        """The index in ``first <= index < end`` around which the least is heard,
        the nearer the more it counts."""
        energies = np.array([window.energy for window in self._kept])
        around = np.convolve(energies, self._weights, mode="same")
        return first + int(np.argmin(around[first:end]))

    def _rest(self) -> None:
        self._speaking = self._opened = False
        self._speech = 0
        self._last = -1

    def _forget(self, count: int) -> None:
        if count > 0:
            self._at += _length(self._kept[:count])
            del self._kept[:count]


def _windows(milliseconds: int) -> int:
    return -(-milliseconds // _WINDOW_MS)


def _length(windows: list[_Window]) -> int:
    return sum(len(window.samples) for window in windows)


def _join(windows: list[_Window]) -> Samples:
    return np.concatenate([window.samples for window in windows])
