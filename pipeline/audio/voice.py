"""One participant's sound on its way from packets to segments."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.audio.packet import Samples
from pipeline.audio.resample import RATE, Resampler
from pipeline.audio.segmenter import Cue, Segmenter
from pipeline.audio.settings import AudioSettings
from pipeline.audio.timeline import Block, Coverage, Place, Timeline
from pipeline.audio.vad import WINDOW, Vad


class Voice:
    """Timeline, resampler, VAD and segmenter in a row. Positions at 16 kHz leave it.

    ``lend`` gives a VAD for a run and ``give_back`` takes it again: somebody who is silent needs
    none, and the next run starts with a fresh state anyway.
    """

    def __init__(
        self,
        rate: int,
        settings: AudioSettings,
        coverage: Coverage,
        lend: Callable[[], Vad],
        give_back: Callable[[Vad], None],
    ) -> None:
        self._rate = rate
        self._timeline = Timeline(rate, settings, coverage)
        self._resampler = Resampler(rate)
        self._segmenter = Segmenter(settings)
        self._lend = lend
        self._give_back = give_back
        self._vad: Vad | None = None
        self._rest = np.zeros(0, np.float32)

    @property
    def end(self) -> int | None:
        """Position after the newest sample at the stream's rate; None before the first."""
        return self._timeline.end

    @property
    def running(self) -> bool:
        """Whether a run is open, or packets wait for one that is missing."""
        return self._vad is not None or self._timeline.waiting

    def place(self, at: int, length: int) -> Place:
        """See ``Timeline.place``; positions at the stream's rate."""
        return self._timeline.place(at, length)

    def push(self, at: int, samples: Samples) -> list[Cue]:
        """Take a packet that is ``ahead``."""
        return self._hear(self._timeline.push(at, samples))

    def settle(self, now: int) -> list[Cue]:
        """Stop waiting for packets that are missing by ``now`` (position at the stream's rate)."""
        return self._hear(self._timeline.settle(now))

    def finish(self) -> list[Cue]:
        """End the run and what is open in it."""
        return self._hear(self._timeline.finish()) + self._end_run()

    def _hear(self, blocks: list[Block]) -> list[Cue]:
        cues: list[Cue] = []
        for block in blocks:
            if block.fresh or self._vad is None:
                cues += self._end_run()
                self._vad = self._lend()
                self._segmenter.begin(block.at * RATE // self._rate)
            cues += self._judge(self._resampler.push(block.samples), self._vad)
        return cues

    def _judge(self, samples: Samples, vad: Vad) -> list[Cue]:
        """Re-block to windows and decide on each."""
        cues: list[Cue] = []
        samples = np.concatenate((self._rest, samples)) if len(self._rest) else samples
        whole = len(samples) - len(samples) % WINDOW
        for start in range(0, whole, WINDOW):
            window = samples[start : start + WINDOW]
            cues += self._segmenter.push(window, vad.probability(window))
        self._rest = samples[whole:].copy()
        return cues

    def _end_run(self) -> list[Cue]:
        if self._vad is None:
            return []
        cues = self._judge(self._resampler.finish(), self._vad)
        if len(self._rest):
            padded = np.zeros(WINDOW, np.float32)
            padded[: len(self._rest)] = self._rest
            cues += self._segmenter.push(self._rest, self._vad.probability(padded))
            self._rest = np.zeros(0, np.float32)
        cues += self._segmenter.end()
        self._give_back(self._vad)
        self._vad = None
        return cues
