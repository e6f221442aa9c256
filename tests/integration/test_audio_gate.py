"""The cheap gate changes nothing about speech: real recordings, with it and without it."""

from __future__ import annotations

import importlib.util
import os
import wave
from pathlib import Path

import numpy as np
import pytest
import soxr

from pipeline.audio.chain import AudioChain
from pipeline.audio.gate import Gate, OpenGate, WebrtcGate
from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import SileroVad

T0 = 1_790_000_000_000
CLIPS = ("two_cities.wav", "beckett.wav", "endgame_nagg_nell.wav", "clone-test.wav")

missing = importlib.util.find_spec("moonshine_voice") is None
pytestmark = pytest.mark.skipif(
    missing and not os.environ.get("CI"), reason="the extra 'local' is not installed"
)


def speech(name: str) -> np.ndarray:
    """Up to 50 s of a recording of the wheel: mono 16 kHz."""
    found = importlib.util.find_spec("moonshine_voice")
    assert found is not None
    assert found.origin is not None
    with wave.open(str(Path(found.origin).parent / "assets" / name)) as file:
        rate = file.getframerate()
        data = file.readframes(50 * rate)
    samples = np.frombuffer(data, "<i2").astype(np.float32) / 32_768
    return np.asarray(soxr.resample(samples, rate, 16_000), np.float32)


def pink(length: int, level_db: float) -> np.ndarray:
    spectrum = np.fft.rfft(np.random.default_rng(4).standard_normal(length))
    wave_ = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(length // 2 + 1))), length)
    return np.asarray(wave_ / np.sqrt(np.mean(wave_**2)) * 10 ** (level_db / 20), np.float32)


class CountingVad(SileroVad):
    """The real one; counts what it is asked."""

    asked = 0

    def probability(self, window: np.ndarray) -> float:
        type(self).asked += 1
        return super().probability(window)


def spans(spool: Path, samples: np.ndarray, gate: type[Gate]) -> list[tuple[int, int]]:
    spool.mkdir()
    chain = AudioChain(spool=spool, settings=AudioSettings(), gate=gate, vad=CountingVad)
    values = np.clip(np.rint(samples * 32_768), -32_768, 32_767).astype("<i2")
    CountingVad.asked = 0
    found = [
        segment
        for i in range(0, len(values), 320)
        for segment in chain.push("7", "Reader", T0 + i // 16, values[i : i + 320].tobytes())
    ]
    return [(s.start_ms - T0, s.end_ms - T0) for s in [*found, *chain.flush()]]


@pytest.mark.parametrize("gain_db", [0, -15])
@pytest.mark.parametrize("name", CLIPS)
def test_speech_is_cut_the_same(tmp_path: Path, name: str, gain_db: int) -> None:
    samples = speech(name) * np.float32(10 ** (gain_db / 20))
    samples = samples + pink(len(samples), -65 + gain_db)
    whole = spans(tmp_path / "open", samples, OpenGate)
    assert whole
    assert spans(tmp_path / "gate", samples, WebrtcGate) == whole


@pytest.mark.parametrize("noise_db", [None, -60])
@pytest.mark.parametrize("name", CLIPS)
def test_speech_after_long_silence_loses_nothing(
    tmp_path: Path, name: str, noise_db: int | None
) -> None:
    """Pieces of three seconds, begun and cut off anywhere, four seconds apart: the worst case."""
    samples = speech(name)
    silence = np.zeros(4 * 16_000, np.float32)
    pieces = [samples[i : i + 48_000] for i in range(0, len(samples), 48_000)]
    parted = np.concatenate([part for piece in pieces for part in (silence, piece)])
    if noise_db is not None:
        parted = parted + pink(len(parted), noise_db)
    whole = spans(tmp_path / "open", parted, OpenGate)
    asked = CountingVad.asked
    gated = spans(tmp_path / "gate", parted, WebrtcGate)
    assert CountingVad.asked < 0.85 * asked
    # A detector that has just begun hears speech sooner than one that heard long silence: there may
    # be more, in the pieces, and never less.
    for start, end in whole:
        common = sum(max(0, min(end, b) - max(start, a)) for a, b in gated)
        assert end - start - common <= 96
    for start, end in gated:
        begins = [7_000 * n + 4_000 for n in range(len(pieces))]
        assert any(start < at + 3_000 and at < end for at in begins)


@pytest.mark.parametrize("level_db", [None, -65, -50])
def test_silence_and_noise_hardly_wake_the_detector(tmp_path: Path, level_db: int | None) -> None:
    length = 60 * 16_000
    noise = np.zeros(length, np.float32) if level_db is None else pink(length, level_db)
    assert spans(tmp_path / "gate", noise, WebrtcGate) == []
    assert CountingVad.asked < 0.1 * length / 512
