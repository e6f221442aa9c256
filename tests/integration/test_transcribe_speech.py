"""The real engine on real speech: recordings inside its own wheel."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soxr

from pipeline.audio.chain import AudioChain
from pipeline.audio.settings import AudioSettings
from pipeline.audio.spool import SpokenSegment, load
from pipeline.transcribe.local import LocalEngine
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.settings import TranscribeSettings

T0 = 1_790_000_000_000
TEXT = (
    "it was the best of times it was the worst of times it was the age of wisdom"
    " it was the age of foolishness it was the epoch of belief it was the epoch of incredulity"
    " it was the season of light it was the season of darkness it was the spring of hope"
    " it was the winter of despair we had everything before us we had nothing before us"
)

missing = importlib.util.find_spec("moonshine_voice") is None
pytestmark = pytest.mark.skipif(
    missing and not os.environ.get("CI"), reason="the extra 'local' is not installed"
)


def speech(name: str, seconds: float) -> np.ndarray:
    """A recording of the wheel: mono 16 kHz float32."""
    found = importlib.util.find_spec("moonshine_voice")
    assert found is not None
    assert found.origin is not None
    with wave.open(str(Path(found.origin).parent / "assets" / name)) as file:
        assert (file.getsampwidth(), file.getnchannels()) == (2, 1)
        rate = file.getframerate()
        data = file.readframes(int(seconds * rate))
    samples = np.frombuffer(data, "<i2").astype(np.float32) / 32_768
    return np.asarray(soxr.resample(samples, rate, 16_000), np.float32)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def errors(reference: list[str], heard: list[str]) -> int:
    """Word edit distance."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(reference, start=1):
        previous, row = row, [i]
        for j, other in enumerate(heard, start=1):
            row.append(min(row[-1] + 1, previous[j] + 1, previous[j - 1] + (word != other)))
    return row[-1]


def spoken(spool: Path, samples: np.ndarray) -> list[SpokenSegment]:
    chain = AudioChain(spool=spool, settings=AudioSettings())
    values = np.clip(np.rint(samples * 32_768), -32_768, 32_767).astype("<i2")
    found: list[SpokenSegment] = []
    for start in range(0, len(values), 1600):
        packet = values[start : start + 1600].tobytes()
        found += chain.push("7", "Reader", T0 + start // 16, packet)
    return found + chain.flush()


async def test_read_speech_through_chain_and_pool_is_understood(tmp_path: Path) -> None:
    found = spoken(tmp_path, speech("two_cities.wav", 24.2))
    assert all(s.end_ms - s.start_ms <= 12_000 for s in found)
    settings = TranscribeSettings(workers=2)
    pool = DecodePool(lambda: LocalEngine.open(settings), settings=settings)
    try:
        heard = await asyncio.gather(*(pool.transcribe("m", load(tmp_path, s.file)) for s in found))
    finally:
        await pool.close()
    reference = TEXT.split()
    assert errors(reference, words(" ".join(h.text for h in heard))) <= 0.12 * len(reference)
    assert {h.language for h in heard} == {"en"}
    assert {h.confidence for h in heard} == {None}


async def test_short_answers_come_one_by_one_with_their_times(tmp_path: Path) -> None:
    found = spoken(tmp_path, speech("beckett.wav", 9.9))
    engine = LocalEngine.open(TranscribeSettings())
    texts = [(await engine.transcribe(load(tmp_path, s.file))).text for s in found]
    await engine.close()
    assert len(found) == 6
    heard = [words(text) for text in texts]
    assert (heard[0], heard[1], heard[2]) == (
        ["ever", "tried"],
        ["ever", "failed"],
        ["no", "matter"],
    )


async def test_noise_and_silence_yield_no_word(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    length = 16_000 * 20
    white = rng.standard_normal(length)
    spectrum = np.fft.rfft(white) / np.sqrt(np.maximum(1, np.arange(length // 2 + 1)))
    pink = np.fft.irfft(spectrum, length)
    for sound in (np.zeros(length), 0.05 * white, 0.1 * pink / pink.std()):
        assert spoken(tmp_path, sound.astype(np.float32)) == []
    engine = LocalEngine.open(TranscribeSettings())
    assert (await engine.transcribe(np.zeros(32_000, np.float32))).text == ""
    await engine.close()


async def test_the_event_loop_goes_on_while_it_decodes() -> None:
    engine = LocalEngine.open(TranscribeSettings())
    decode = asyncio.create_task(engine.transcribe(speech("two_cities.wav", 8.0)))
    turns = 0
    while not decode.done():
        await asyncio.sleep(0)
        turns += 1
    await engine.close()
    assert turns > 100
    assert "best of times" in decode.result().text


def test_workers_that_start_together_all_get_their_model() -> None:
    code = """
import threading
from pipeline.transcribe.local import LocalEngine
from pipeline.transcribe.settings import TranscribeSettings

ready, opened = threading.Barrier(3), []

def open_one():
    ready.wait()
    opened.append(LocalEngine.open(TranscribeSettings()))

threads = [threading.Thread(target=open_one) for _ in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(opened))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("3", "")
