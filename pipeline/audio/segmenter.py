"""Windows with a probability of speech to segments. Pure.

Every sample is in at most one segment, and segments are exact: a segment that begins at position p
holds the samples p, p+1, ... of its run and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.audio.packet import Samples
from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import WINDOW

_WINDOW_MS = WINDOW // 16

_QUIET_MS = 160
"""Span whose energy is compared when a long segment is cut: shorter than most words, longer than
the closure of a stop consonant (about 100 ms), which sounds like a pause and is none."""


_MID_SPEECH = 3
"""Windows (96 ms): shorter than a pause between words that could end an utterance."""

_LEAST_PART = 8
"""Windows (256 ms): less is not split off, the shortest word has about 200 ms."""


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
    """The open segment is complete: its first ``length`` samples; what came after is not in it.
    ``speech``: where in it (from, to; samples since its beginning) speech was heard."""

    length: int
    speech: tuple[tuple[int, int], ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Patched:
    """What stood for missing audio from ``start`` on (samples since the segment's beginning) is
    replaced by the audio, which came late."""

    start: int
    samples: Samples


Cue = Opened | Grown | Closed | Patched


@dataclass(frozen=True, slots=True)
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
        self._long = int(settings.long_s * 1000) // _WINDOW_MS
        self._long_hangover = _windows(settings.long_hangover_ms)
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

    @property
    def end_at(self) -> int:
        """Position after the last window."""
        return self._at + _length(self._kept)

    @property
    def speaking(self) -> bool:
        """Whether a segment is open, or would be with a little more speech."""
        return self._speaking

    @property
    def mid_speech(self) -> bool:
        """Whether the newest window or one just before it was speech."""
        return self._speaking and len(self._kept) - 1 - self._last < _MID_SPEECH

    def speech(self) -> list[tuple[int, int]]:
        """Where speech was heard in what is open so far, as in ``Closed``."""
        return _spans(self._kept, self._stop) if self._opened else []

    def skip(self, count: int) -> None:
        """So many samples follow that nobody needs; nothing may be kept of those before."""
        self._at += count

    def hand_back(self) -> list[Samples]:
        """The windows kept as pre-roll, to be pushed again; not while ``speaking``."""
        windows = [window.samples for window in self._kept]
        self._kept.clear()
        return windows

    def push(self, samples: Samples, probability: float) -> list[Cue]:
        """The next window: at most ``WINDOW`` samples, fewer only as the last of a run."""
        self._kept.append(_Window(samples, probability, _energy(samples)))
        if not self._speaking:
            if probability < self._start:
                self._forget(len(self._kept) - self._pre_roll)
                return []
            self._speaking = True
        if probability >= self._stop:
            self._last = len(self._kept) - 1
            self._speech += probability >= self._start
        cues = self._grow(samples)
        long = len(self._kept) >= self._long
        silence = len(self._kept) - 1 - self._last
        if silence >= (self._long_hangover if long else self._hangover):
            return cues + self._close()
        if len(self._kept) >= self._most:
            return cues + self._cut()
        return cues

    def split(self, first: int, last: int) -> list[Cue]:
        """Cut the open segment at the quietest place between two positions, where somebody else
        has begun to speak. Nothing happens where that would leave next to nothing of a side, or
        no speech before it."""
        windows = len(self._kept)
        heard = (n for n, window in enumerate(self._kept) if window.probability >= self._stop)
        start = max(next(heard, windows) + _LEAST_PART, (first - self._at) // WINDOW)
        end = min(windows - _LEAST_PART, (last - self._at) // WINDOW + 1)
        if not self._opened or start >= end:
            return []
        return self._cut_at(self._quietest(start, end))

    def patch(self, at: int, samples: Samples) -> list[Cue] | None:
        """Put audio where silence stood for it; None when no segment has that place."""
        if not self._speaking or at < self._at:
            return None
        place = self._at
        for index, window in enumerate(self._kept):
            end = place + len(window.samples)
            if place < at + len(samples) and at < end:
                first, last = max(place, at), min(end, at + len(samples))
                whole = window.samples.copy()
                whole[first - place : last - place] = samples[first - at : last - at]
                self._kept[index] = _Window(whole, window.probability, _energy(whole))
            place = end
        return [Patched(at - self._at, samples)] if self._opened else []

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
            cues.append(self._closed(end))
            self._forget(end)
        self._rest()
        self._forget(len(self._kept) - self._pre_roll)
        return cues

    def _cut(self) -> list[Cue]:
        """Split at the quietest place of the last third (natural WER 5.7 %, of the last half 5.9);
        what follows is a segment of its own."""
        if not self._opened:  # hardly any speech in the longest segment there is
            self._rest()
            self._forget(len(self._kept) - self._pre_roll)
            return []
        return self._cut_at(self._quietest(self._most * 2 // 3, len(self._kept)))

    def _cut_at(self, place: int) -> list[Cue]:
        cues: list[Cue] = [self._closed(place)]
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

    def _closed(self, end: int) -> Closed:
        windows = self._kept[:end]
        return Closed(_length(windows), tuple(_spans(windows, self._stop)))

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


def _energy(samples: Samples) -> float:
    return float(np.dot(samples, samples)) / max(1, len(samples))


def _spans(windows: list[_Window], stop: float) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    at = 0
    for window in windows:
        end = at + len(window.samples)
        if window.probability >= stop:
            if spans and spans[-1][1] == at:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((at, end))
        at = end
    return spans


def _windows(milliseconds: int) -> int:
    return -(-milliseconds // _WINDOW_MS)


def _length(windows: list[_Window]) -> int:
    return sum(len(window.samples) for window in windows)


def _join(windows: list[_Window]) -> Samples:
    return np.concatenate([window.samples for window in windows])
