"""The HTTP engine against a real server on loopback, with the faults of real ones."""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
import logging
import os
import socket
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
import structlog

from pipeline.audio.vad import LoudnessVad
from pipeline.base.backoff import Backoff
from pipeline.base.clock import SystemClock
from pipeline.base.errors import ConfigError, EngineError
from pipeline.base.secret import Secret
from pipeline.openai_client.fake_faults import Drops, Endless, Fails, Hangs, Raw
from pipeline.transcribe.engine import Capabilities, HeardWord, Hints, Transcription
from pipeline.transcribe.fake_http import FakeTranscriptions, Hears, Streams, Turn
from pipeline.transcribe.local import LocalEngine
from pipeline.transcribe.openai_http import MOST_BYTES, OpenAiHttp
from pipeline.transcribe.patient import Patient
from pipeline.transcribe.scripted import ScriptedEngine
from pipeline.transcribe.settings import SttSettings, TranscribeSettings
from tests.transcription_server import bursts, transcription_server

SPEECH = np.full(32_000, 0.1, np.float32)
KEY = "sk-not-to-be-seen"


class RecordingClock(SystemClock):
    """Does not wait, and remembers how long it should have."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def engine(server: FakeTranscriptions, language: str = "", **stt: Any) -> OpenAiHttp:
    settings = SttSettings(base_url=server.base_url, api_key=Secret(KEY), **stt)
    return OpenAiHttp(settings, TranscribeSettings(language=language), clock=SystemClock())


@pytest.fixture
async def server() -> AsyncIterator[FakeTranscriptions]:
    async with FakeTranscriptions(key=KEY) as running:
        yield running


async def failure(server: FakeTranscriptions, turn: Turn, **stt: Any) -> EngineError:
    """What one request fails with; nothing in it, nor in a log, tells the key."""
    server.turns.append(turn)
    hearing = engine(server, **stt)
    with structlog.testing.capture_logs() as logged, pytest.raises(EngineError) as caught:
        await hearing.transcribe(SPEECH, Hints(terms=("Project Blue Heron",)))
    await hearing.close()
    told = f"{caught.value} {caught.value.__cause__!r} {logged}"
    assert KEY not in told
    assert "Blue Heron" not in told
    return caught.value


async def test_a_segment_goes_out_as_one_form_and_its_words_come_back(
    server: FakeTranscriptions, caplog: pytest.LogCaptureFixture
) -> None:
    server.turns.append(Hears(" So  it\u0007 begins. "))
    hearing = engine(server)
    with caplog.at_level(logging.DEBUG):
        hints = Hints(terms=("Anna", "Kube\nflow"), language="en-US", key="m1/s7")
        found = await hearing.transcribe(SPEECH, hints)
    await hearing.close()
    assert found == Transcription("So it begins.", language="en", engine="openai")
    [heard] = server.heard
    assert (heard.samples, heard.sample_rate, heard.file_name) == (32_000, 16_000, "segment.wav")
    assert heard.fields == {
        "model": ["fake-hearing"],
        "response_format": ["json"],
        "language": ["en"],
        "prompt": ["Anna, Kube flow"],
    }
    assert heard.headers["idempotency-key"] == "m1/s7"
    assert heard.headers["authorization"] == f"Bearer {KEY}"
    assert not {name for name in heard.headers if name.startswith(("x-", "openai", "cookie"))}
    assert KEY not in caplog.text


async def test_word_times_and_confidence_are_kept_where_they_can_be_true(
    server: FakeTranscriptions,
) -> None:
    words = (("So", 0.1, 0.3), ("it", 0.3, 0.42), (" ", 0.5, 0.5), ("begins.", 0.42, 7.0))
    server.turns += [
        Hears("So it begins.", words=words, logprob=-0.5),
        Hears("Yes.", words=(("Yes.", 0.4, 0.2),), language="klingon", logprob=5.0),
        Hears("", words=words),
    ]
    hearing = engine(server, word_times=True)
    assert hearing.capabilities.word_times
    assert hearing.capabilities.detects_language
    found = await hearing.transcribe(SPEECH)
    assert found.words == (
        HeardWord("So", 100, 300),
        HeardWord("it", 300, 420),
        HeardWord("begins.", 420, 2_000),
    )
    assert (found.language, found.confidence) == ("en", 0.607)
    assert server.heard[0].fields["timestamp_granularities[]"] == ["word", "segment"]
    impossible = await hearing.transcribe(SPEECH)
    assert impossible == Transcription("Yes.", None, 1.0, engine="openai")
    assert await hearing.transcribe(SPEECH) == Transcription("", engine="openai")
    await hearing.close()


async def test_a_streamed_answer_is_its_last_event(server: FakeTranscriptions) -> None:
    server.turns += [Hears("One two three."), Raw(b'{"text": "Whole."}')]
    hearing = engine(server, stream=True, language="de")
    assert (await hearing.transcribe(SPEECH)).text == "One two three."
    assert (await hearing.transcribe(SPEECH)).text == "Whole.", "a server that cannot stream"
    await hearing.close()
    assert [heard.one("stream") for heard in server.heard] == ["true", "true"]
    assert [heard.one("language") for heard in server.heard] == ["de", "de"]


async def test_the_newer_models_are_given_lists(server: FakeTranscriptions) -> None:
    answer = b'{"text": "Oui.", "languages": [{"code": "fr"}]}'
    server.turns.append(Raw(answer))
    hearing = engine(server, model="gpt-transcribe")
    found = await hearing.transcribe(SPEECH, Hints(terms=("Anna", "Ben"), language="en"))
    await hearing.close()
    assert (found.text, found.language) == ("Oui.", "fr")
    [heard] = server.heard
    assert (heard.fields["keywords[]"], heard.fields["languages[]"]) == (["Anna", "Ben"], ["en"])
    assert not heard.fields.keys() & {"prompt", "language"}


async def test_a_prompt_holds_the_first_terms_that_fit(server: FakeTranscriptions) -> None:
    hearing = engine(server)
    await hearing.transcribe(
        SPEECH, Hints(terms=tuple(f"Term{n:03} " + "x" * 40 for n in range(90)))
    )
    await hearing.close()
    prompt = server.heard[0].one("prompt")
    assert prompt.startswith("Term000")
    assert 500 < len(prompt) <= 600


async def test_what_holds_no_word_or_too_much_is_not_sent(server: FakeTranscriptions) -> None:
    hearing = engine(server)
    for nothing in (np.zeros(0, np.float32), np.zeros(16_000, np.float32), SPEECH[:1_000]):
        assert (await hearing.transcribe(nothing)).text == ""
    with pytest.raises(EngineError) as caught:
        await hearing.transcribe(np.full(MOST_BYTES // 2, 0.1, np.float32))
    assert (caught.value.kind, caught.value.retryable) == ("audio_too_long", False)
    assert server.heard == []
    await hearing.close()
    with pytest.raises(EngineError) as caught:
        await hearing.transcribe(SPEECH)
    assert caught.value.kind == "closed"


@pytest.mark.parametrize(
    ("turn", "kind", "retryable"),
    [
        (Fails(401, KEY), "auth", False),
        (Fails(403), "auth", False),
        (Fails(404, "no such model"), "not_found", False),
        (Fails(413), "audio_too_long", False),
        (Fails(429), "rate_limited", True),
        (Fails(429, code="insufficient_quota"), "quota", False),
        (Fails(400, "prompt Project Blue Heron is refused"), "bad_request", False),
        (Fails(500), "server", True),
        (Fails(503), "server", True),
        (Fails(307, headers={"location": "http://127.0.0.1:1/steal"}), "redirected", False),
        (Raw(b'{"text": "Half a'), "server", True),
        (Raw(b"<html>busy</html>", "text/html"), "server", True),
        (Raw(b'{"text": "\xff\xfe"}'), "server", True),
        (Raw(b""), "server", True),
        (Raw(b'{"txt": "Yes."}'), "bad_answer", False),
        (Raw(b'["Yes."]'), "bad_answer", False),
        (Raw(b'{"text": 7}'), "bad_answer", False),
        (Raw(b"[" * 100_000), "bad_answer", False),
        (Raw(b'{"text": "' + b"so it goes " * 200 + b'"}'), "bad_answer", False),
        (Endless(), "too_long", False),
        (Endless(b"x" * 65_536), "too_long", False),
        (Drops(), "connect", True),
        (Hangs(), "timeout", True),
    ],
    ids=lambda value: str(value)[:30] if not isinstance(value, bool) else None,
)
async def test_faults_are_typed(
    server: FakeTranscriptions, turn: Turn, kind: str, retryable: bool
) -> None:
    error = await failure(server, turn, read_timeout_s=0.3, max_answer_bytes=200_000)
    assert (error.kind, error.retryable) == (kind, retryable)
    assert "\n" not in str(error)


DONE = b'{"type": "transcript.text.done", "text": "All."}'
DELTA = b'{"type": "transcript.text.delta", "delta": "Al"}'


@pytest.mark.parametrize(
    ("events", "kind", "retryable"),
    [
        ((DELTA,), "connect", True),
        ((DELTA, b"[DONE]", DONE), "connect", True),
        ((DELTA, b'{"type": "transcript.text'), "server", True),
        ((DELTA, b'{"error": {"message": "overloaded"}}'), "server", True),
        ((DELTA, b'{"type": "error", "message": "no"}'), "server", True),
        ((b"[1]",), "bad_answer", False),
        ((b'{"type": "transcript.text.done"}',), "bad_answer", False),
        ((b'{"type": "x", "delta": "' + b"y" * 300_000 + b'"}', DONE), "too_long", False),
    ],
)
async def test_a_stream_that_does_not_end_as_it_should_is_no_answer(
    server: FakeTranscriptions, events: tuple[bytes, ...], kind: str, retryable: bool
) -> None:
    error = await failure(server, Streams(events), stream=True, max_answer_bytes=200_000)
    assert (error.kind, error.retryable) == (kind, retryable)


async def test_a_packed_answer_is_measured_unpacked() -> None:
    async def bomb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = gzip.compress(b" " * 50_000_000)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n"
        await reader.readuntil(b"--\r\n")  # the end of the form
        writer.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(bomb, "127.0.0.1", 0, limit=1_000_000)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        stt = SttSettings(base_url=f"http://127.0.0.1:{port}/v1", model="m", read_timeout_s=5)
        hearing = OpenAiHttp(stt, TranscribeSettings(), clock=SystemClock())
        with pytest.raises(EngineError) as caught:
            await hearing.transcribe(SPEECH)
        await hearing.close()
    assert caught.value.kind == "too_long"


async def test_nobody_at_the_address_is_told_with_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    stt = SttSettings(base_url=f"http://127.0.0.1:{port}/v1", model="m")
    hearing = OpenAiHttp(stt, TranscribeSettings(), clock=SystemClock())
    with pytest.raises(EngineError) as caught:
        await hearing.transcribe(SPEECH)
    await hearing.close()
    assert (caught.value.kind, caught.value.retryable) == ("connect", True)
    assert "RTMS_NOTES_STT_BASE_URL" in str(caught.value)


async def test_an_address_of_a_host_alone_means_its_v1(server: FakeTranscriptions) -> None:
    for ending in ("", "/", "/v1/"):
        address = server.base_url.removesuffix("/v1") + ending
        stt = SttSettings(base_url=address, api_key=Secret(KEY))
        hearing = OpenAiHttp(stt, TranscribeSettings(), clock=SystemClock())
        assert (await hearing.transcribe(SPEECH)).text == "Yes."
        await hearing.close()


async def test_an_authority_that_is_none_is_told_at_once(tmp_path: Any) -> None:
    stt = SttSettings(base_url="https://x.example/v1", ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match=r"stt\.ca_file"):
        OpenAiHttp(stt, TranscribeSettings(), clock=SystemClock())


async def test_without_a_model_named_the_only_one_is_used(server: FakeTranscriptions) -> None:
    server.models = ("a", "b")
    error = await failure(server, Hears("Never."))
    assert (error.kind, "RTMS_NOTES_STT_MODEL" in str(error)) == ("no_model", True)
    assert server.heard == []


# -- trying again ---------------------------------------------------------------------------


def patient(server: FakeTranscriptions, clock: RecordingClock, cap: float = 20.0) -> Patient:
    return Patient(engine(server), backoff=Backoff(base=0.5, cap=cap, attempts=2), clock=clock)


async def test_what_can_pass_is_tried_again_with_the_same_key(server: FakeTranscriptions) -> None:
    server.turns += [Fails(500), Fails(429, headers={"retry-after": "7"}), Hears("Third.")]
    clock = RecordingClock()
    hearing = patient(server, clock)
    assert (await hearing.transcribe(SPEECH, Hints(key="m1/s1"))).text == "Third."
    assert hearing.capabilities.remote
    await hearing.close()
    assert clock.slept == [0.5, 7.0]
    assert [heard.headers["idempotency-key"] for heard in server.heard] == ["m1/s1"] * 3


async def test_tries_are_bounded_and_what_cannot_pass_is_not_repeated(
    server: FakeTranscriptions,
) -> None:
    clock = RecordingClock()
    for turns, kind, asked in (
        ([Fails(500)] * 3, "server", 3),
        ([Fails(404)], "not_found", 1),
        ([Fails(503), Raw(b"{}")], "bad_answer", 2),
    ):
        server.heard.clear()
        server.turns = list(turns)
        hearing = patient(server, clock)
        with pytest.raises(EngineError) as caught:
            await hearing.transcribe(SPEECH)
        await hearing.close()
        assert (caught.value.kind, len(server.heard)) == (kind, asked)


async def test_a_long_retry_after_is_handed_on(server: FakeTranscriptions) -> None:
    server.turns.append(Fails(429, headers={"retry-after": "90"}))
    clock = RecordingClock()
    hearing = patient(server, clock)
    with pytest.raises(EngineError) as caught:
        await hearing.transcribe(SPEECH)
    await hearing.close()
    assert (caught.value.retry_after_s, clock.slept) == (90.0, [])


# -- a real server ----------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"stream": True}, {"word_times": True}])
async def test_our_own_server_is_understood(options: dict[str, Any]) -> None:
    said = Transcription("Good morning.", "en", words=(HeardWord("Good", 100, 400),))
    behind = ScriptedEngine(otherwise=said)
    behind.capabilities = Capabilities(name="scripted", languages=("en",), word_times=True)
    async with transcription_server(behind, vad=LoudnessVad) as base_url:
        stt = SttSettings(base_url=base_url, model="whisper-1", **options)
        hearing = OpenAiHttp(stt, TranscribeSettings(), clock=SystemClock())
        found = await hearing.transcribe(bursts((0.5, 1.5), seconds=2.0))
        await hearing.close()
    assert (found.text, found.engine) == ("Good morning.", "openai")
    assert len(behind.heard) == 1
    assert bool(found.words) == ("word_times" in options)


@pytest.mark.skipif(
    importlib.util.find_spec("moonshine_voice") is None and not os.environ.get("CI"),
    reason="the extra 'local' is not installed",
)
async def test_real_speech_goes_over_http_to_the_local_engine_behind_our_server() -> None:
    speech = recording("two_cities.wav", 6.0)
    local = LocalEngine.open(TranscribeSettings())
    here = await local.transcribe(speech)
    async with transcription_server(local) as base_url:
        stt = SttSettings(base_url=base_url, model="whisper-1")
        hearing = OpenAiHttp(stt, TranscribeSettings(), clock=SystemClock())
        listed = await hearing.models()
        found = await hearing.transcribe(speech)
        await hearing.close()
    assert "local" in listed
    assert "best of times" in here.text
    assert "best of times" in found.text
    assert "worst of times" in found.text


def recording(name: str, seconds: float) -> np.ndarray:
    """The beginning of a recording in the local engine's wheel: mono 16 kHz float32."""
    found = importlib.util.find_spec("moonshine_voice")
    assert found is not None
    assert found.origin is not None
    with wave.open(str(Path(found.origin).parent / "assets" / name)) as file:
        rate = file.getframerate()
        data = file.readframes(int(seconds * rate))
    samples = np.frombuffer(data, "<i2").astype(np.float32) / 32_768
    return np.asarray(soxr.resample(samples, rate, 16_000), np.float32)
