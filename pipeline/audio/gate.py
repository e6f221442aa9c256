"""Could this be speech at all? A cheap answer, so that the detector need not run on silence."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from pipeline.audio.packet import Samples, encode_l16

_FRAME = 480
"""Samples webrtcvad looks at: 30 ms, its longest frame, of each window of 32 ms."""

_RISE = 2.0
"""So many times the energy of the background (3 dB) is a maybe whatever it sounds like: webrtcvad
alone misses quiet speech (below about -55 dB of full scale) in noise."""

_FLOOR = 1e-8
"""Energy (-80 dB) below which nothing is louder than anything."""

_ATTACK = 0.1
"""How fast the background is learnt where it is quieter: in ten windows, so that no single one
counts."""

_FORGET = 1.002
"""Rise of the background a window while nothing is quieter: 2.7 dB in ten seconds."""


class Gate(Protocol):
    """Looks at one window of one voice after another."""

    def maybe(self, window: Samples) -> bool:
        """Whether it may be speech. Wrongly yes costs time, wrongly no costs words."""
        ...


class WebrtcGate:
    """webrtcvad in its least strict mode, or a rise over the background; 6 us a window.

    It opens on 0.3 % of windows of stationary noise (white and pink, -75 to -45 dB; a minute each),
    all of them in the first seconds, and on nearly all of music, where the detector then runs all
    the time.
    """

    def __init__(self) -> None:
        import webrtcvad  # 1 ms, only where audio is heard

        self._vad = webrtcvad.Vad(0)
        self._floor = 1.0

    def maybe(self, window: Samples) -> bool:
        frame = window[:_FRAME]
        edges = np.diff(frame)  # without the rumble, which rises and falls by itself
        energy = float(np.dot(edges, edges)) / _FRAME
        if energy < self._floor:
            self._floor += _ATTACK * (energy - self._floor)
        else:
            self._floor *= _FORGET
        self._floor = max(_FLOOR, self._floor)
        if energy > _RISE * self._floor:
            return True
        if energy <= _FLOOR or len(frame) < _FRAME:
            return False
        return bool(self._vad.is_speech(encode_l16(frame), 16_000))


class OpenGate:
    """Everything may be speech: the detector looks at all of it."""

    def maybe(self, window: Samples) -> bool:  # noqa: ARG002
        return True
