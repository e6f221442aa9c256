from __future__ import annotations

import numpy as np
import pytest

from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import WINDOW, LoudnessVad, ScriptedVad, SileroVad, Vad


@pytest.mark.parametrize("kind", ["zeros", "white", "pink", "hum"])
def test_silero_finds_no_speech_in_silence_and_noise(kind: str) -> None:
    rng = np.random.default_rng(3)
    length = 16_000 * 4
    white = rng.standard_normal(length)
    spectrum = np.fft.rfft(white) / np.sqrt(np.maximum(1, np.arange(length // 2 + 1)))
    pink = np.fft.irfft(spectrum, length)
    sound = {
        "zeros": np.zeros(length),
        "white": 0.05 * white,
        "pink": 0.1 * pink / pink.std(),
        "hum": 0.1 * np.sin(2 * np.pi * 50 * np.arange(length) / 16_000),
    }[kind].astype(np.float32)
    vad: Vad = SileroVad()
    found = [vad.probability(w) for w in sound.reshape(-1, WINDOW)]
    assert max(found) < AudioSettings().vad_start


def test_reset_makes_runs_independent() -> None:
    sound = np.random.default_rng(5).uniform(-0.2, 0.2, (20, WINDOW)).astype(np.float32)
    vad = SileroVad()
    first = [vad.probability(w) for w in sound]
    again = [vad.probability(w) for w in sound]
    vad.reset()
    assert [vad.probability(w) for w in sound] == first
    assert again != first


def test_read_only_windows_are_fine() -> None:
    window = np.zeros(WINDOW, np.float32)
    window.setflags(write=False)
    assert 0.0 <= SileroVad().probability(window) < 0.5


def test_fakes_do_as_told() -> None:
    window = np.zeros(WINDOW, np.float32)
    scripted = ScriptedVad([0.1, 0.9])
    assert [scripted.probability(window) for _ in range(3)] == [0.1, 0.9, 0.9]
    assert LoudnessVad().probability(window) < 0.1
    assert LoudnessVad().probability(window + 0.5) > 0.9


@pytest.mark.parametrize(
    "wrong",
    [
        {"vad_start": 0.3},
        {"hangover_ms": 200},
        {"post_roll_ms": 900},
        {"max_segment_s": 60.0},
        {"bridge_ms": 600},
        {"reorder_most_ms": 100},
        {"reorder_most_ms": 2_000},
        {"stall_ms": 500},
        {"gate_ms": 320},
        {"long_s": 13.0},
        {"long_hangover_ms": 700},
        {"min_speaker_confidence": 0.2},
        {"speaker_lag_ms": -1},
        {"idle_ms": 100},
        {"memory_s": 1.0},
        {"min_speech_ms": 0},
        {"pre_roll_ms": -1},
    ],
)
def test_settings_that_contradict_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        AudioSettings(**wrong)
