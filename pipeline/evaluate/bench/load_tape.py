"""A tape for load: one participant who never stops talking, so that every meeting gets exactly one
audio message each interval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.tapes.build import build
from pipeline.tapes.script import Actor, Script, Turn
from pipeline.tapes.writer import TapeWriter

_RATE = 16_000


def write_load_tape(path: Path, seconds: float) -> None:
    """Write it; ``seconds`` of talk."""
    script = Script(
        title="load",
        zone="UTC",
        start="2026-10-05T09:00:00",
        participants=(Actor(id="ada", user_id=16_778_240, name="Ada Lovelace"),),
        turns=(Turn(who="ada", say="and so on", gap=0.0),),
    )
    header, lines = build(script, {0: _voice(seconds)})
    with TapeWriter(path, header, level=1) as tape:
        for line in lines:
            tape.write(line)


def _voice(seconds: float) -> NDArray[np.int16]:
    """Noise that rises and falls four times a second, as syllables do; never silent."""
    rng = np.random.default_rng(3)
    size = round(seconds * _RATE)
    rise = 0.55 + 0.45 * np.sin(np.arange(size) * (2 * np.pi * 4 / _RATE))
    voice: NDArray[np.int16] = (rng.standard_normal(size) * rise * 3_000).astype(np.int16)
    return voice
