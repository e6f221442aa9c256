"""Audio of any length to stretches of speech that an engine can take."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from pipeline.audio.packet import Samples
from pipeline.audio.segmenter import Closed, Cue, Grown, Opened, Segmenter
from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import WINDOW, Vad
from pipeline.transcribe.engine import SAMPLE_RATE

_PER_MS = SAMPLE_RATE // 1000


class Spoken(NamedTuple):
    """Speech that begins at sample ``at``; the VAD took ``speech_ms`` of it for speech."""

    at: int
    pcm: Samples
    speech_ms: int


def spoken(pieces: Iterable[Samples], vad: Vad, settings: AudioSettings) -> Iterator[Spoken]:
    """The stretches of speech in mono audio at 16 kHz, in order, none longer than
    ``max_segment_s``: as a meeting's, but in memory."""
    segmenter = Segmenter(settings)
    segmenter.begin(0)
    making = _Making()
    for window in _windows(pieces):
        whole = window
        if len(window) < WINDOW:
            whole = np.zeros(WINDOW, np.float32)
            whole[: len(window)] = window
        probability = vad.probability(whole)
        making.judged(len(window), probability >= settings.vad_start)
        yield from making.take(segmenter.push(window, probability))
    yield from making.take(segmenter.end())


class _Making:
    """The open stretch, and which windows were speech."""

    def __init__(self) -> None:
        self._at = 0
        self._parts: list[Samples] = []
        self._end = 0  # of what was judged
        self._speech: deque[tuple[int, int]] = deque()  # windows of it that are speech

    def judged(self, length: int, is_speech: bool) -> None:
        if is_speech:
            self._speech.append((self._end, self._end + length))
        self._end += length

    def take(self, cues: list[Cue]) -> Iterator[Spoken]:
        for cue in cues:
            match cue:
                case Opened():
                    self._at, self._parts = cue.at, [cue.samples]
                case Grown():
                    self._parts.append(cue.samples)
                case Closed():
                    yield Spoken(
                        self._at,
                        np.concatenate(self._parts)[: cue.length],
                        self._speech_ms(self._at, self._at + cue.length),
                    )

    def _speech_ms(self, start: int, end: int) -> int:
        while self._speech and self._speech[0][1] <= start:
            self._speech.popleft()
        found = sum(max(0, min(end, b) - max(start, a)) for a, b in self._speech)
        return found // _PER_MS


def _windows(pieces: Iterable[Samples]) -> Iterator[Samples]:
    """Cut anew; only the last is shorter than ``WINDOW``."""
    rest = np.zeros(0, np.float32)
    for piece in pieces:
        rest = np.concatenate((rest, piece)) if len(rest) else piece
        whole = len(rest) - len(rest) % WINDOW
        for start in range(0, whole, WINDOW):
            yield rest[start : start + WINDOW]
        rest = rest[whole:]
    if len(rest):
        yield rest
