"""An engine in a process of its own, which crashes, hangs and prints as native code does."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.base import metrics
from pipeline.base.errors import EngineError
from pipeline.transcribe.child_engine import ChildEngine
from pipeline.transcribe.engine import HeardWord, Hints
from pipeline.transcribe.settings import TranscribeSettings

SPEECH = np.full(190_000, 0.1, np.float32)
FATAL = np.full(16_000, 0.7, np.float32)
HANGS = np.full(16_000, 0.8, np.float32)
REFUSED = np.full(16_000, 0.9, np.float32)

SCRIPT = """
import os, signal, time
from pipeline.base.errors import EngineError
from pipeline.transcribe.child import serve
from pipeline.transcribe.engine import Capabilities, HeardWord, Transcription


class Native:
    capabilities = Capabilities(name="native-like", word_times=True)

    async def transcribe(self, pcm, hints):
        print("a library's chatter")
        loud = round(float(pcm[0]), 1)
        if loud == 0.7:
            os.kill(os.getpid(), signal.SIGSEGV)
        if loud == 0.8:
            time.sleep(600)
        if loud == 0.9:
            raise EngineError("not this one", kind="decode", retryable=True)
        text = f"{len(pcm)} {os.getpid()} {','.join(hints.terms)}"
        return Transcription(text, "en", words=(HeardWord("one", 1, 2, 0.5),), engine="native-like")


def open_engine(name, settings):
    if settings.language == "de":
        raise EngineError("knows no German", kind="language")
    if settings.language == "fr":
        os.abort()
    if settings.language == "it":
        time.sleep(600)
    return Native()


serve(open_engine)
"""


def opened(tmp_path: Path, language: str = "") -> ChildEngine:
    script = tmp_path / "child.py"
    script.write_text(SCRIPT)
    settings = TranscribeSettings(language=language)
    return ChildEngine("local", settings, (sys.executable, str(script)))


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_words_come_back_as_the_engine_said_them(tmp_path: Path) -> None:
    engine = await asyncio.to_thread(opened, tmp_path)
    assert engine.capabilities.name == "native-like"
    cpu_before = metrics.STT_CPU_SECONDS._value.get()
    heard = await engine.transcribe(SPEECH, Hints(terms=("Anna", "Ben")))
    assert metrics.STT_CPU_SECONDS._value.get() > cpu_before
    length, pid, terms = heard.text.split()
    assert (length, terms) == ("190000", "Anna,Ben")
    assert int(pid) != os.getpid()
    assert heard.words == (HeardWord("one", 1, 2, 0.5),)
    with pytest.raises(EngineError) as caught:
        await engine.transcribe(REFUSED)
    assert (caught.value.kind, caught.value.retryable) == ("decode", True)
    assert (await engine.transcribe(SPEECH)).text.split()[1] == pid
    await engine.close()
    assert not alive(int(pid))
    with pytest.raises(EngineError) as caught:
        await engine.transcribe(SPEECH)
    assert caught.value.kind == "closed"


async def test_a_crash_is_an_error_of_that_segment_only(tmp_path: Path) -> None:
    engine = await asyncio.to_thread(opened, tmp_path)
    first = (await engine.transcribe(SPEECH)).text
    for retryable in (True, False, False):
        with pytest.raises(EngineError) as caught:
            await engine.transcribe(FATAL)
        assert (caught.value.kind, caught.value.retryable) == ("crashed", retryable)
        assert "SIGSEGV" in str(caught.value)
    again = (await engine.transcribe(SPEECH)).text
    assert first.split()[0] == again.split()[0]
    assert first != again, "another process"
    with pytest.raises(EngineError) as caught:
        await engine.transcribe(FATAL)
    assert caught.value.retryable, "it crashed once in a row"
    await engine.close()


async def test_closing_ends_a_decode_that_hangs(tmp_path: Path) -> None:
    engine = await asyncio.to_thread(opened, tmp_path)
    pid = int((await engine.transcribe(SPEECH)).text.split()[1])
    hanging = asyncio.create_task(engine.transcribe(HANGS))
    await asyncio.sleep(0)
    await engine.close()
    with pytest.raises(EngineError) as caught:
        await hanging
    assert caught.value.kind in ("crashed", "closed")
    assert not alive(pid)


def test_what_opening_fails_with_is_told(tmp_path: Path) -> None:
    for language, kind in (("de", "language"), ("fr", "crashed")):
        with pytest.raises(EngineError) as caught:
            opened(tmp_path, language)
        assert caught.value.kind == kind


def test_it_does_not_outlive_a_service_that_is_killed(tmp_path: Path) -> None:
    opened_there = f"""
import asyncio, sys
import numpy as np
from pipeline.transcribe.child_engine import ChildEngine
from pipeline.transcribe.settings import TranscribeSettings

async def main():
    command = (sys.executable, {str(tmp_path / "c.py")!r})
    engine = ChildEngine("local", TranscribeSettings(), command)
    heard = await engine.transcribe(np.full(16_000, 0.1, np.float32))
    print(heard.text.split()[1], flush=True)
    await engine.transcribe(np.full(16_000, 0.8, np.float32))

asyncio.run(main())
"""
    (tmp_path / "c.py").write_text(SCRIPT)
    command = [sys.executable, "-c", opened_there]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        pid = int(service.stdout.readline())
        watched = os.pidfd_open(pid)
        service.send_signal(signal.SIGKILL)
    try:
        ended, _, _ = select.select([watched], [], [], 20)
        assert ended, "it still decodes for nobody"
    finally:
        os.close(watched)


@pytest.mark.skipif(
    importlib.util.find_spec("moonshine_voice") is None and not os.environ.get("CI"),
    reason="the extra 'local' is not installed",
)
async def test_the_local_engine_hears_the_same_there() -> None:
    from pipeline.transcribe.local import LocalEngine
    from tests.integration.test_transcribe_speech import speech

    clip = speech("two_cities.wav", 6.0)
    here = LocalEngine.open(TranscribeSettings())
    there = await asyncio.to_thread(ChildEngine, "local", TranscribeSettings())
    assert there.capabilities == here.capabilities
    assert await there.transcribe(clip) == await here.transcribe(clip)
    await there.close()
    await here.close()


def test_a_model_that_never_loads_is_given_up(tmp_path: Path) -> None:
    script = tmp_path / "engine.py"
    script.write_text(SCRIPT)
    with pytest.raises(EngineError, match="did not load within") as caught:
        ChildEngine(
            "native-like",
            TranscribeSettings(language="it"),
            (sys.executable, str(script)),
            load_s=0.05,
        )
    assert (caught.value.kind, caught.value.retryable) == ("load", True)
