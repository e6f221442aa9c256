"""What the audio of a participant costs, and how well speakers of mixed audio are told."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.audio.chain import AudioChain
from pipeline.audio.gate import Gate, OpenGate, WebrtcGate
from pipeline.audio.packet import Samples
from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import LoudnessVad, SileroVad, Vad
from pipeline.evaluate.bench.figure import Figure, Progress, figure
from pipeline.evaluate.speakers import KIND, LATE, Judged, Zoom, judged, meeting, news, score

_RUNS: Final = 3
_SECONDS: Final = 20
_WARM_UP_S: Final = 5
_MS: Final = 20
_MEETINGS: Final = 8
_MINUTES: Final = 15
_THRESHOLDS: Final = (0.0, 0.7, 0.8, 0.85, 0.9, 0.95)


class _Talking(SileroVad):
    """Asks Silero and hears speech whatever it says: the dearest that a participant can be."""

    def probability(self, window: Samples) -> float:
        return max(0.9, super().probability(window))


def _share(values: np.ndarray, vad: Callable[[], Vad], gate: Callable[[], Gate]) -> float:
    """CPU time of one participant's audio in packets of 20 ms, in per cent of a core."""
    step = 16 * _MS
    packets = [values[i : i + step].tobytes() for i in range(0, len(values), step)]
    started = 0.0
    with tempfile.TemporaryDirectory() as folder:
        chain = AudioChain(spool=Path(folder), settings=AudioSettings(), vad=vad, gate=gate)
        for n, data in enumerate(packets):
            if n == _WARM_UP_S * 1000 // _MS:  # the detector is loaded, the gate knows the room
                started = time.process_time()
            chain.push("7", "Ada", 1_790_000_000_000 + n * _MS, data)
        chain.flush()
        return (time.process_time() - started) / _SECONDS * 100


def _noise(level_db: float) -> np.ndarray:
    values = np.random.default_rng(2).standard_normal((_WARM_UP_S + _SECONDS) * 16_000)
    return np.asarray(values * 10 ** (level_db / 20) * 32_768, "<i2")


async def chain(_: Progress) -> Sequence[Figure]:
    """Share of a core that a participant costs who speaks without a pause, segments on disk and
    all, against one whose VAD is a loudness gate; and one who is silent in a quiet room, against
    the same without the gate."""
    loud, quiet = _noise(-20), _noise(-60)

    async def measure(
        values: np.ndarray, vad: Callable[[], Vad], gate: Callable[[], Gate]
    ) -> list[float]:
        return [await asyncio.to_thread(_share, values, vad, gate) for _run in range(_RUNS)]

    return [
        figure(
            "audio_chain",
            await measure(loud, _Talking, OpenGate),
            "%",
            await measure(loud, LoudnessVad, OpenGate),
            "of a core, one participant who speaks all the time, packets of 20 ms; floor: loudness"
            " instead of Silero",
        ),
        figure(
            "audio_chain_silent",
            await measure(quiet, SileroVad, WebrtcGate),
            "%",
            await measure(quiet, SileroVad, OpenGate),
            "of a core, one participant who sends the noise of a quiet room; floor: Silero listens"
            " all the time",
        ),
    ]


async def mixed_speakers(_: Progress) -> Sequence[Figure]:
    """Share of the speech of simulated meetings in mixed audio that has the name of somebody else,
    told up to 1.4 and up to 2.5 s late; against naming everybody, however doubtful. With it, what
    other thresholds make of the same verdicts."""
    return [
        await _wrong_names("mixed_speakers", LATE),
        await _wrong_names("mixed_speakers_kind", KIND),
    ]


async def _wrong_names(name: str, zoom: Zoom) -> Figure:
    settings = AudioSettings()

    def run(seed: int) -> list[Judged]:
        turns = meeting(seed, _MINUTES)
        return judged(turns, news(turns, seed, zoom), settings)

    runs = [await asyncio.to_thread(run, seed) for seed in range(_MEETINGS)]
    together = [one for found in runs for one in found]
    curve = ((least, score(together, least)) for least in _THRESHOLDS)
    told = ", ".join(
        f"{least}: {of.wrong:.1%} and {1 - of.named:.0%} unknown" for least, of in curve
    )
    return figure(
        name,
        [score(found, settings.min_speaker_confidence).wrong * 100 for found in runs],
        "%",
        [score(found, 0.0).wrong * 100 for found in runs],
        f"of named speech is somebody else's, {_MEETINGS} simulated meetings of {_MINUTES} min,"
        f" active speaker told {zoom.lag_ms[0]}-{zoom.lag_ms[1]} ms late; floor: without a"
        f" threshold. By min_speaker_confidence: {told}",
    )
