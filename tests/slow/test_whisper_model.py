"""Real Whisper on real speech: the model's folder is in RTMS_NOTES_TEST_WHISPER_MODEL."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from pipeline.transcribe.engine import Hints
from pipeline.transcribe.settings import TranscribeSettings
from pipeline.transcribe.whisper import WhisperEngine
from tests.integration.test_transcribe_speech import TEXT, errors, speech, words

MODEL = os.environ.get("RTMS_NOTES_TEST_WHISPER_MODEL", "")
pytestmark = pytest.mark.skipif(not MODEL, reason="RTMS_NOTES_TEST_WHISPER_MODEL names no folder")


def opened(**settings: object) -> WhisperEngine:
    return WhisperEngine.open(TranscribeSettings(whisper_model=MODEL, **settings))  # type: ignore[arg-type]


async def test_read_speech_is_understood_with_times_that_fit() -> None:
    clip = speech("two_cities.wav", 24.2)
    hearing = opened(language="en")
    found = [await hearing.transcribe(part) for part in np.array_split(clip, 2)]
    again = await hearing.transcribe(np.array_split(clip, 2)[0])
    await hearing.close()
    reference = TEXT.split()
    assert errors(reference, words(" ".join(one.text for one in found))) <= 0.1 * len(reference)
    for one in found:
        times = [(word.start_ms, word.end_ms) for word in one.words]
        assert times == sorted(times)
        assert all(0 <= start <= end <= 12_100 for start, end in times)
        assert words(" ".join(word.text for word in one.words)) == words(one.text)
        assert one.confidence is not None
        assert one.confidence > 0.5
    assert again == found[0], "nothing is sampled: same audio, same words"


async def test_the_language_is_detected_or_obeyed() -> None:
    hearing = opened()
    known = hearing.capabilities
    detected = await hearing.transcribe(speech("two_cities.wav", 8.0))
    await hearing.close()
    assert known.detects_language
    assert detected.language == "en"


async def test_terms_do_not_become_words_that_were_not_said() -> None:
    hearing = opened(language="en")
    terms = ("Anna Blume", "Kubeflow", "Zoltan")
    found = await hearing.transcribe(speech("two_cities.wav", 6.0), Hints(terms=terms))
    await hearing.close()
    assert "best of times" in found.text
    assert not any(term in found.text for term in terms)


async def test_the_event_loop_goes_on_while_it_decodes() -> None:
    hearing = opened(language="en")
    decode = asyncio.create_task(hearing.transcribe(speech("two_cities.wav", 8.0)))
    turns = 0
    while not decode.done():
        await asyncio.sleep(0.01)
        turns += 1
    await hearing.close()
    assert turns > 20
