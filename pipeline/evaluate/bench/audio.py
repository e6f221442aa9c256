"""What the audio of one speaking participant costs."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipeline.audio.chain import AudioChain
from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import LoudnessVad
from pipeline.evaluate.bench.figure import Figure, Progress, figure

_RUNS = 3
_SECONDS = 20


async def chain(_: Progress) -> Sequence[Figure]:
    """Share of a core that one speaking participant costs, VAD included, against one whose VAD is
    a loudness gate: what is left is the price of knowing speech from noise."""
    rng = np.random.default_rng(2)
    packets = [(rng.standard_normal(1_600) * 2_000).astype("<i2").tobytes() for _ in range(50)]

    def share(make: Callable[[Path], AudioChain]) -> float:
        with tempfile.TemporaryDirectory() as folder:
            made = make(Path(folder))
            started = time.process_time()
            for n in range(_SECONDS * 10):
                made.push("7", "Ada", 1_790_000_000_000 + n * 100, packets[n % len(packets)])
            made.flush()
            return (time.process_time() - started) / _SECONDS * 100

    def loudness(spool: Path) -> AudioChain:
        return AudioChain(spool=spool, settings=AudioSettings(), vad=LoudnessVad)

    def silero(spool: Path) -> AudioChain:
        return AudioChain(spool=spool, settings=AudioSettings())

    values, floors = [], []
    for _run in range(_RUNS):
        floors.append(await asyncio.to_thread(share, loudness))
        values.append(await asyncio.to_thread(share, silero))
    note = "of a core, one participant who sends all the time; floor: loudness instead of Silero"
    return [figure("audio_chain", values, "%", floors, note)]
