"""Names to engines: what is refused, what is opened, and that nothing leaves unasked."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from pipeline.base.clock import SystemClock
from pipeline.base.errors import ConfigError, EngineError
from pipeline.base.secret import Secret
from pipeline.config import load
from pipeline.openai_client.fake_faults import Fails
from pipeline.transcribe import choose
from pipeline.transcribe.choose import (
    Opened,
    check_engines,
    chosen,
    open_engine,
    open_stream_engine,
    partial_engine,
    workers_for,
)
from pipeline.transcribe.fake_http import FakeTranscriptions, Hears
from pipeline.transcribe.scripted import ScriptedEngine
from pipeline.transcribe.settings import REMOTE, EngineName, SttSettings, TranscribeSettings

NAMES = get_args(EngineName)
DEFAULTS = TranscribeSettings()
SERVER = SttSettings(base_url="https://speech.example/v1", api_key=Secret("sk-1"), model="m")


def test_stt_names_the_engine_or_leaves_it_to_the_settings() -> None:
    whisper = TranscribeSettings(engine="whisper")
    assert [chosen(name, whisper) for name in NAMES] == list(NAMES)
    assert (chosen("both", whisper), chosen("native", whisper)) == ("whisper", "whisper")
    assert chosen("both", DEFAULTS) == "local"


@pytest.mark.parametrize(
    ("name", "partials", "found"),
    [
        ("local", "same", "local"),
        ("deepgram", "same", "deepgram"),
        ("whisper", "same", None),
        ("openai", "same", None),
        ("whisper", "local", "local"),
        ("local", "openai-realtime", "openai-realtime"),
        ("local", "off", None),
        ("whisper", "whisper", "whisper"),
    ],
)
def test_who_gives_partials(name: Any, partials: Any, found: str | None) -> None:
    assert partial_engine(name, TranscribeSettings(partials=partials)) == found


@pytest.mark.parametrize(
    ("name", "transcribe", "stt", "says"),
    [
        ("openai", {}, {}, "--stt openai needs RTMS_NOTES_STT_BASE_URL"),
        ("openai-realtime", {}, {}, "--stt openai-realtime needs RTMS_NOTES_STT_BASE_URL"),
        ("deepgram", {}, {}, "such as https://api.deepgram.com/v1"),
        ("openai", {}, {"base_url": "wss://x.example/v1"}, "needs an http"),
        ("openai", {}, {"base_url": "http://x/v1/audio/transcriptions"}, "must end before /audio"),
        ("deepgram", {}, {"base_url": "https://x/v1/listen/"}, "must end before /listen"),
        ("openai", {}, {"base_url": "http://x/v1", "stream": True, "word_times": True}, "exclude"),
        ("whisper", {}, {}, "needs RTMS_NOTES_TRANSCRIBE_WHISPER_MODEL"),
        ("local", {"language": "de-DE"}, {}, "English only"),
        ("local", {"language": "english"}, {}, "no language tag; use one like en"),
        ("whisper", {"language": "the usual"}, {}, "no language tag"),
        ("local", {"fallback": "local"}, {}, "is the engine itself"),
        ("local", {"fallback": "openai"}, {}, "transcribe.fallback openai needs"),
        ("local", {"partials": "deepgram"}, {}, "transcribe.partials deepgram needs"),
        ("local", {"fallback": "whisper"}, {}, "transcribe.fallback whisper needs"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_one_line(
    name: Any, transcribe: dict[str, Any], stt: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_engines(name, TranscribeSettings(**transcribe), SttSettings(**stt))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_that_can_work_pass() -> None:
    check_engines("local", TranscribeSettings(language="en-GB"), SttSettings())
    for name in REMOTE:
        check_engines(name, DEFAULTS, SERVER)
    check_engines("openai", DEFAULTS, SttSettings(base_url="http://localhost:8089/v1"))


@pytest.mark.parametrize("name", REMOTE)
async def test_a_remote_engine_is_retried_and_says_that_it_is_remote(name: Any) -> None:
    engine = open_engine(name, DEFAULTS, SERVER, clock=SystemClock(), rng=random.Random(1))
    assert (engine.capabilities.name, engine.capabilities.remote) == (name, True)
    assert not engine.capabilities.streaming, "whole segments are given to it"
    assert type(engine).__name__ == "Patient"
    await engine.close()


@pytest.mark.parametrize("name", choose.STREAMING)
async def test_a_stream_engine_can_be_had_as_it_is(name: Any) -> None:
    engine = open_stream_engine(name, DEFAULTS, SERVER, clock=SystemClock())
    assert (engine.capabilities.name, engine.capabilities.streaming) == (name, True)
    await engine.close()


def test_what_is_no_stream_engine_is_refused() -> None:
    with pytest.raises(ConfigError, match="whole segments"):
        open_stream_engine("local", DEFAULTS, SERVER, clock=SystemClock())


@pytest.mark.parametrize("name", REMOTE)
def test_no_address_no_engine_whatever_the_shell_says(
    name: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-shell")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.openai.com/v1")
    monkeypatch.setenv("DEEPGRAM_API_KEY", "shell")
    with pytest.raises(EngineError) as caught:
        open_engine(name, DEFAULTS, SttSettings(), clock=SystemClock())
    assert (caught.value.kind, caught.value.retryable) == ("settings", False)


def test_an_address_alone_chooses_no_remote_engine(tmp_path: Path) -> None:
    empty = tmp_path / "none.toml"
    empty.touch()
    environ = {
        "RTMS_NOTES_CONFIG": str(empty),
        "RTMS_NOTES_STT_BASE_URL": "https://speech.example/v1",
        "RTMS_NOTES_STT_API_KEY": "sk-1",
    }
    for stt in ("native", "both", "local"):
        settings = load(environ=environ, flags={"general.stt": stt}).settings
        name = chosen(settings.general.stt, settings.transcribe)
        assert name == "local"
        assert partial_engine(name, settings.transcribe) == "local"
        assert settings.transcribe.fallback == ""


def test_a_server_is_asked_as_often_at_once_as_it_may_be() -> None:
    stt = SttSettings(base_url="http://localhost/v1", parallel_calls=7)
    assert workers_for("openai", DEFAULTS, stt).workers == 7
    assert workers_for("local", DEFAULTS, stt) is DEFAULTS


def test_an_engine_not_chosen_is_not_imported() -> None:
    code = """
import sys
from pipeline.transcribe import choose
heavy = {"openai", "httpx2", "websockets", "faster_whisper", "moonshine_voice", "aiohttp"}
print(sorted(heavy & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


# -- what wiring makes of it ------------------------------------------------------------------


async def test_the_engine_opened_first_is_handed_out_once_whoever_asks() -> None:
    first = ScriptedEngine()
    opened = Opened(first, ScriptedEngine)
    assert opened.capabilities is first.capabilities
    taken: list[Any] = []
    ready = threading.Barrier(4)

    def take() -> None:
        ready.wait(10)
        taken.append(opened())

    await asyncio.gather(*(asyncio.to_thread(take) for _ in range(4)))
    assert len(set(map(id, taken))) == 4
    assert taken.count(first) == 1
    await opened.close()
    assert not first.closed, "its worker closes it"
    unused = ScriptedEngine()
    await Opened(unused, ScriptedEngine).close()
    assert unused.closed


def settings(tmp_path: Path, **flags: Any) -> Any:
    empty = tmp_path / "none.toml"
    empty.touch()
    chosen_flags = {"general.home": str(tmp_path / "home"), **flags}
    return load(environ={"RTMS_NOTES_CONFIG": str(empty)}, flags=chosen_flags).settings


async def pool_of(stack: AsyncExitStack, chosen_settings: Any) -> Any:
    from pipeline.wiring import _pool

    pool, _ = await _pool(stack, chosen_settings, SystemClock(), random.Random(1))
    return pool


async def test_what_is_missing_is_told_before_a_meeting(tmp_path: Path) -> None:
    for flags, says in (
        ({"general.stt": "openai"}, "RTMS_NOTES_STT_BASE_URL"),
        (
            {"general.stt": "whisper", "transcribe.whisper_model": str(tmp_path / "none")},
            "no such folder",
        ),
        (
            {
                "general.stt": "openai",
                "stt.base_url": "http://localhost:1/v1",
                "transcribe.fallback": "whisper",
                "transcribe.whisper_model": str(tmp_path / "none"),
            },
            "no such folder",
        ),
    ):
        async with AsyncExitStack() as stack:
            with pytest.raises((ConfigError, EngineError)) as caught:
                await pool_of(stack, settings(tmp_path, **flags))
        assert says in str(caught.value)


async def test_the_pool_hears_with_the_chosen_engine_and_then_with_the_fallback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = ScriptedEngine(otherwise="By the second.")
    real = choose.open_engine

    def open_one(name: Any, *args: Any, **kwargs: Any) -> Any:
        return scripted if name == "local" else real(name, *args, **kwargs)

    monkeypatch.setattr("pipeline.wiring.open_engine", open_one)
    async with FakeTranscriptions([Hears("By the first."), Fails(404)]) as server:
        chosen_settings = settings(
            tmp_path,
            **{
                "general.stt": "openai",
                "stt.base_url": server.base_url,
                "transcribe.fallback": "local",
            },
        )
        async with AsyncExitStack() as stack:
            pool = await pool_of(stack, chosen_settings)
            assert pool.settings.workers == chosen_settings.stt.parallel_calls
            speech = np.sin(np.arange(32_000, dtype=np.float32))
            first = await pool.transcribe("m", speech)
            second = await pool.transcribe("m", speech)
    assert (first.text, first.engine) == ("By the first.", "openai")
    assert (second.text, second.engine) == ("By the second.", "scripted")
    assert scripted.closed
