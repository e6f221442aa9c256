"""One participant's sound on its way from packets to segments."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.audio.gate import Gate
from pipeline.audio.packet import Samples
from pipeline.audio.resample import RATE, Resampler
from pipeline.audio.segmenter import Cue, Segmenter
from pipeline.audio.settings import AudioSettings
from pipeline.audio.soundness import ZeroWatch
from pipeline.audio.timeline import Block, Coverage, Place, Timeline
from pipeline.audio.vad import WINDOW, Vad

_PERHAPS = 0.15
"""Probability of speech that keeps the detector listening: a third of what opens a segment."""

_SHORT_HOLE_MS = 2_000
"""A hole in the midst of speech is a loss; nobody mutes within a word and is back so soon."""

Oddity = Literal["missing", "all_zero"]


@dataclass(frozen=True)
class Outside:
    """What the voices of a stream share. ``lend`` gives a detector for a while of sound, and
    ``give_back`` takes it again: somebody who is silent needs none."""

    settings: AudioSettings
    rate: int
    lend: Callable[[], Vad]
    give_back: Callable[[Vad], None]
    gate: Callable[[], Gate]


class Voice:
    """Timeline, resampler, gate, detector and segmenter in a row. Positions at 16 kHz leave it.

    ``unpack`` decodes a packet, ``tap`` gets what was heard (position at the stream's rate),
    ``odd`` is told what is not as it should be. ``hears`` False: all but the timeline is left out.
    """

    def __init__(
        self,
        outside: Outside,
        coverage: Coverage,
        unpack: Callable[[int, bytes], Samples],
        tap: Callable[[int, Samples], None] | None,
        odd: Callable[[Oddity], None],
        hears: bool = True,
    ) -> None:
        settings = outside.settings
        self._outside = outside
        self._rate = outside.rate
        self._timeline: Timeline[bytes] = Timeline(outside.rate, settings, coverage, unpack)
        self._resampler = Resampler(outside.rate)
        self._segmenter = Segmenter(settings)
        self._tap = tap
        self._odd = odd
        self._hears = hears
        self._gate = outside.gate()
        self._zeros = ZeroWatch()
        self._idle = max(1, settings.gate_ms * RATE // 1000 // WINDOW)
        self._back: deque[Samples] = deque()  # windows that only the gate has heard
        self._quiet = 0  # windows since anything might have been speech
        self._vad: Vad | None = None
        self._running = False
        self._rest = np.zeros(0, np.float32)

    @property
    def end(self) -> int | None:
        """Position after the newest sample at the stream's rate; None before the first."""
        return self._timeline.end

    @property
    def running(self) -> bool:
        """Whether a run is open, or packets wait for one that is missing."""
        return self._running or self._timeline.waiting

    @property
    def mid_speech(self) -> bool:
        """Whether what came last was speech."""
        return self._segmenter.mid_speech

    def speech(self) -> list[tuple[int, int]]:
        """See ``Segmenter.speech``."""
        return self._segmenter.speech()

    def place(self, at: int, length: int) -> Place:
        """See ``Timeline.place``; positions at the stream's rate."""
        return self._timeline.place(at, length)

    def late(self, at: int) -> None:
        """See ``Timeline.late``."""
        self._timeline.late(at)

    def push(self, at: int, length: int, data: bytes) -> list[Cue]:
        """Take a packet that is ``ahead``."""
        return self._hear(self._timeline.push(at, length, data))

    def fill(self, at: int, samples: Samples) -> list[Cue] | None:
        """Put a late packet in its hole; None when no segment has that place any more."""
        resampler = Resampler(self._rate)
        heard = np.concatenate((resampler.push(samples), resampler.finish()))
        start = at * RATE // self._rate
        cues = self._segmenter.patch(start, heard)
        if cues is None:
            return None
        into_rest = heard[max(0, self._segmenter.end_at - start) :][: len(self._rest)]
        self._rest[: len(into_rest)] = into_rest
        self._timeline.fill(at, samples)
        if self._tap is not None:
            self._tap(at, samples)
        return cues

    def split(self, first: int, last: int) -> list[Cue]:
        """See ``Segmenter.split``; positions at 16 kHz."""
        return self._segmenter.split(first, last)

    def settle(self, now: int) -> list[Cue]:
        """Stop waiting for packets that are missing by ``now`` (position at the stream's rate)."""
        return self._hear(self._timeline.settle(now))

    def finish(self) -> list[Cue]:
        """End the run and what is open in it."""
        return self._hear(self._timeline.finish()) + self._end_run()

    def _hear(self, blocks: list[Block]) -> list[Cue]:
        cues: list[Cue] = []
        for block in blocks:
            if block.missing:
                self._hole(block.missing)
            if block.fresh or not self._running:
                cues += self._end_run()
                self._running = True
                self._segmenter.begin(block.at * RATE // self._rate)
            if self._tap is not None:
                silence = 0 if block.fresh else block.missing
                self._tap(block.at + silence, block.samples[silence:])
            if self._hears:
                cues += self._judge(self._resampler.push(block.samples))
        return cues

    def _hole(self, missing: int) -> None:
        """Lost, or nothing was sent: who is silent sends nothing, who speaks does."""
        short = missing <= _SHORT_HOLE_MS * self._rate // 1000
        if short and self._segmenter.mid_speech:
            self._odd("missing")

    def _judge(self, samples: Samples) -> list[Cue]:
        """Re-block to windows and decide on each."""
        cues: list[Cue] = []
        samples = np.concatenate((self._rest, samples)) if len(self._rest) else samples
        whole = len(samples) - len(samples) % WINDOW
        for start in range(0, whole, WINDOW):
            cues += self._window(samples[start : start + WINDOW])
        self._rest = samples[whole:].copy()
        return cues

    def _window(self, window: Samples) -> list[Cue]:
        if self._zeros.saw(window):
            self._odd("all_zero")
        maybe = self._gate.maybe(window)
        if self._vad is None:
            return self._wake(window) if maybe else self._doze(window)
        probability = self._vad.probability(window)
        cues = self._segmenter.push(window, probability)
        if maybe or probability >= _PERHAPS or self._segmenter.speaking:
            self._quiet = 0
        else:
            self._quiet += 1
            if self._quiet >= self._idle:
                self._back.extend(self._segmenter.hand_back())
                self._let_go()
        return cues

    def _doze(self, window: Samples) -> list[Cue]:
        self._back.append(window)
        if len(self._back) > self._idle:
            self._segmenter.skip(len(self._back.popleft()))
        return []

    def _wake(self, window: Samples) -> list[Cue]:
        """Something may be speech: the detector hears what came before it, too."""
        self._vad = self._outside.lend()
        self._quiet = 0
        cues: list[Cue] = []
        for earlier in (*self._back, window):
            cues += self._segmenter.push(earlier, self._vad.probability(earlier))
        self._back.clear()
        return cues

    def _end_run(self) -> list[Cue]:
        if not self._running:
            return []
        self._running = False
        cues = self._judge(self._resampler.finish())
        if len(self._rest) and self._vad is not None:
            padded = np.zeros(WINDOW, np.float32)
            padded[: len(self._rest)] = self._rest
            cues += self._segmenter.push(self._rest, self._vad.probability(padded))
        self._rest = np.zeros(0, np.float32)
        cues += self._segmenter.end()
        self._back.clear()
        self._let_go()
        return cues

    def _let_go(self) -> None:
        if self._vad is not None:
            self._outside.give_back(self._vad)
        self._vad = None
