from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.base.errors import EngineError
from pipeline.transcribe.local import LocalEngine
from pipeline.transcribe.native_thread import MOST_STUCK, NativeThread
from pipeline.transcribe.settings import TranscribeSettings

SPEECH = np.full(16_000, 0.1, np.float32)


class FakeNative:
    """Stands in for the native transcriber."""

    def __init__(self, answer: Callable[[], str]) -> None:
        self._answer = answer
        self.threads: list[str] = []
        self.lengths: list[int] = []
        self.freed = threading.Event()

    def transcribe_without_streaming(self, samples: list[float], rate: int) -> SimpleNamespace:
        assert rate == 16_000
        self.threads.append(threading.current_thread().name)
        self.lengths.append(len(samples))
        line = SimpleNamespace(text=self._answer())
        return SimpleNamespace(lines=[line, SimpleNamespace(text="  Yes. ")])

    def close(self) -> None:
        self.freed.set()


async def test_lines_are_joined_and_decoded_on_its_own_thread() -> None:
    native = FakeNative(lambda: " Good,, morning. ")
    engine = LocalEngine(native, (ValueError,))
    heard = await engine.transcribe(SPEECH)
    assert (heard.text, heard.language, heard.confidence) == ("Good, morning. Yes.", "en", None)
    assert heard.engine == "local"
    assert native.threads == ["stt-local"]
    await engine.close()
    assert native.freed.wait(10)
    await engine.close()
    with pytest.raises(EngineError) as caught:
        await engine.transcribe(SPEECH)
    assert caught.value.kind == "closed"


async def test_what_holds_no_word_is_not_given_to_the_model() -> None:
    native = FakeNative(lambda: "You")
    engine = LocalEngine(native, (ValueError,))
    for nothing in (np.zeros(0), np.zeros(16_000), np.full(1_000, 0.1)):
        assert (await engine.transcribe(nothing.astype(np.float32))).text == ""
    assert native.threads == []
    await engine.close()


async def test_audio_that_breaks_off_in_sound_is_given_an_end() -> None:
    native = FakeNative(lambda: "No.")
    engine = LocalEngine(native, (ValueError,))
    fading = SPEECH.copy()
    fading[-800:] *= 0.1
    for pcm in (SPEECH, fading):
        await engine.transcribe(pcm)
    assert native.lengths == [20_000, 16_000]
    await engine.close()


async def test_a_failing_decode_is_typed_and_the_next_one_works() -> None:
    answers = iter([True, False])

    def answer() -> str:
        if next(answers):
            raise ValueError("bad handle")
        return "Good."

    engine = LocalEngine(FakeNative(answer), (ValueError,))
    with pytest.raises(EngineError) as caught:
        await engine.transcribe(SPEECH)
    assert (caught.value.kind, caught.value.retryable) == ("decode", True)
    assert (await engine.transcribe(SPEECH)).text == "Good. Yes."
    await engine.close()


async def test_close_does_not_wait_for_a_decode_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(NativeThread, "_stuck", [])
    go_on, natives = threading.Event(), []
    started = threading.Semaphore(0)

    def hang() -> str:
        started.release()
        go_on.wait(60)
        return "Too late."

    for _ in range(MOST_STUCK):
        natives.append(FakeNative(hang))
        engine = LocalEngine(natives[-1], (ValueError,))
        task = asyncio.create_task(engine.transcribe(SPEECH))
        await asyncio.to_thread(started.acquire)
        task.cancel()
        await engine.close()
        assert not natives[-1].freed.is_set()
    with pytest.raises(EngineError) as caught:
        LocalEngine.open(TranscribeSettings())
    assert caught.value.kind == "hangs"
    go_on.set()
    assert all(native.freed.wait(10) for native in natives)


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moonshine_voice", None)
    monkeypatch.setitem(sys.modules, "moonshine_voice.errors", None)
    with pytest.raises(EngineError) as caught:
        LocalEngine.open(TranscribeSettings())
    assert caught.value.kind == "missing_extra"
    assert "pip install 'rtms-notes[local]'" in str(caught.value)
