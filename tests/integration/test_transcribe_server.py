"""The transcription server over HTTP: the openai SDK, plain requests, faults, and real speech."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib.util
import os
import threading
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import numpy as np
import openai
import pytest

from pipeline.audio.packet import Samples
from pipeline.audio.vad import LoudnessVad
from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import Capabilities, HeardWord, Transcription
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.scripted import ScriptedEngine
from pipeline.transcribe.settings import TranscribeSettings
from pipeline.transcribe.upload import ServerLimits
from tests.integration.test_transcribe_speech import TEXT, errors, words
from tests.media_makers import encode
from tests.transcription_server import bursts, transcription_server, wav_bytes

TWO = ((1.0, 2.0), (4.0, 5.5))
"""Seconds in which somebody speaks, in seven."""


def engine(*answers: Any, **able: Any) -> ScriptedEngine:
    made = ScriptedEngine(answers)
    made.capabilities = Capabilities(name="scripted", languages=("en",), **able)
    return made


def client(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=0)


@pytest.fixture
def two(tmp_path: Path) -> bytes:
    return wav_bytes(tmp_path, bursts(*TWO, seconds=7.0))


async def test_json_by_the_sdk(two: bytes) -> None:
    scripted = engine("Hello there.", "Good bye.", terms=True, most_terms=50)
    async with transcription_server(scripted, vad=LoudnessVad) as url, client(url) as sdk:
        said = await sdk.audio.transcriptions.create(
            file=("talk.wav", two),
            model="whisper-1",
            language="en",
            prompt="Kubeflow, Anna Schmidt",
        )
    assert said.text == "Hello there. Good bye."
    assert len(scripted.heard) == 2
    assert sum(map(len, scripted.heard)) < 4 * 16_000  # speech, not all seven seconds
    assert scripted.hints[0].language == "en"
    assert scripted.hints[0].terms == ("Kubeflow", "Anna Schmidt")


async def test_verbose_json_has_segments_and_words(two: bytes) -> None:
    heard = Transcription(
        "Hello there.",
        language="en",
        confidence=0.5,
        words=(HeardWord("Hello", 380, 600), HeardWord("there.", 600, 900)),
    )
    made = engine(heard, Transcription("You", doubt="hardly any speech"), word_times=True)
    async with transcription_server(made, vad=LoudnessVad) as url, client(url) as sdk:
        said = await sdk.audio.transcriptions.create(
            file=("talk.wav", two),
            model="scripted",
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
    assert (said.language, said.duration) == ("en", 7.0)
    assert said.segments is not None
    assert said.words is not None
    first, second = said.segments
    assert 0.0 <= first.start < 1.0 < 2.0 <= first.end < 2.6
    assert 3.0 < second.start < 4.0 < 5.5 <= second.end < 6.0
    assert first.avg_logprob == pytest.approx(np.log(0.5), abs=1e-3)
    assert second.avg_logprob == -2.0  # doubtful: below what clients take for failed
    assert [w.word for w in said.words] == ["Hello", "there."]
    assert said.words[0].start == pytest.approx(first.start + 0.38, abs=0.002)


async def test_stream_by_the_sdk(two: bytes) -> None:
    async with (
        transcription_server(engine("Hello there.", "Good bye."), vad=LoudnessVad) as url,
        client(url) as sdk,
    ):
        stream = await sdk.audio.transcriptions.create(
            file=("talk.wav", two), model="scripted", stream=True
        )
        events = [event async for event in stream]
    assert [e.type for e in events] == [
        "transcript.text.delta",
        "transcript.text.delta",
        "transcript.text.done",
    ]
    assert "".join(e.delta for e in events[:-1]) == events[-1].text == "Hello there. Good bye."  # type: ignore[union-attr]


async def test_subtitles_and_text(two: bytes) -> None:
    found: dict[str, str] = {}
    for form in ("text", "srt", "vtt"):
        made = engine("Is 1 < 2 --> yes?", "Good\nbye.")
        async with transcription_server(made, vad=LoudnessVad) as url:
            found[form] = (await post(url, two, response_format=form))[1]
    assert found["text"] == "Is 1 < 2 --> yes? Good bye.\n"
    assert found["srt"].startswith("1\n00:00:00,")
    assert found["srt"].count("-->") == 2
    assert "\nGood bye.\n\n" in found["srt"]
    assert found["vtt"].startswith("WEBVTT\n\n00:00:00.")
    assert found["vtt"].count("-->") == 2
    assert "Is 1 &lt; 2 --&gt; yes?" in found["vtt"]


async def test_silence_never_reaches_the_engine(tmp_path: Path) -> None:
    silent = ScriptedEngine(otherwise="You")
    async with transcription_server(silent) as url:  # the real VAD
        status, text = await post(url, wav_bytes(tmp_path, np.zeros(160_000, np.float32)))
    assert status == 200
    assert '"text":""' in text
    assert silent.heard == []


async def test_models_are_listed() -> None:
    async with transcription_server(engine()) as url, client(url) as sdk:
        assert [m.id async for m in sdk.models.list()] == ["scripted"]
        assert (await sdk.models.retrieve("scripted")).owned_by == "rtms-notes"
        with pytest.raises(openai.NotFoundError):
            await sdk.models.retrieve("gpt-9")


async def post(url: str, data: bytes | None, headers: Any = None, **fields: str) -> tuple[int, str]:
    async with httpx2.AsyncClient() as http:
        answer = await http.post(
            f"{url}/audio/transcriptions",
            files={} if data is None else {"file": ("a.wav", data)},
            data={"model": "scripted", **fields},
            headers=headers,
        )
        return answer.status_code, answer.text


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"model": "gpt-9"}, 404, "model_not_found"),
        ({"model": ""}, 400, "name a model"),
        ({"response_format": "yaml"}, 400, "response_format"),
        ({"language": "de"}, 400, "only hears en"),
        ({"language": "!!"}, 400, "language must be a tag"),
        ({"stream": "perhaps"}, 400, "stream must be true or false"),
        ({"timestamp_granularities[]": "word"}, 400, "need response_format verbose_json"),
        (
            {"timestamp_granularities[]": "word", "response_format": "verbose_json"},
            400,
            "does not tell the times of words",
        ),
        ({"include[]": "logprobs"}, 400, "include is not supported"),
        ({"prompt": "x" * 20_000}, 400, "prompt is too long"),
    ],
)
async def test_what_cannot_be_met_is_refused(
    two: bytes, fields: dict[str, str], status: int, says: str
) -> None:
    made = engine("Hello.")
    async with transcription_server(made, vad=LoudnessVad) as url:
        got, text = await post(url, two, **fields)
    assert (got, says in text) == (status, True), text
    assert '"error":{"message":' in text.replace(" ", "")
    assert made.heard == []


async def test_files_that_are_no_audio() -> None:
    async with transcription_server(engine()) as url:
        for data, says in (
            (b"not audio at all, just text\n" * 50, "the file: cannot be read as audio or video"),
            (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "the file: cannot be read"),
            (b"", "send a file"),
            (None, "multipart"),
        ):
            status, text = await post(url, data)
            assert (status, says in text) == (400, True), text


async def test_bodies_that_are_no_form() -> None:
    async with transcription_server(engine()) as url, aiohttp.ClientSession() as http:
        path = f"{url}/audio/transcriptions"
        form = {"Content-Type": "multipart/form-data; boundary=xyz"}
        for headers, body in (
            ({}, b"hello"),
            ({"Content-Type": "application/json"}, b"{}"),
            ({"Content-Type": "multipart/form-data"}, b"--x--"),
            (form, b"--xyz\r\nbroken"),
            (form, b"--abc\r\n\r\n--abc--"),
            (form, b"--xyz\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--xyz--\r\n"),
        ):
            async with http.post(path, data=body, headers=headers) as answer:
                assert answer.status == 400, await answer.text()
                assert "error" in await answer.json()
        async with http.get(f"{url}/nothing") as answer:
            assert answer.status == 404
            assert (await answer.json())["error"]["code"] == "unknown_url"


async def test_size_and_length_are_bounded(tmp_path: Path, two: bytes) -> None:
    small = ServerLimits(upload_bytes=100_000)
    async with transcription_server(engine(), limits=small) as url:
        assert (await post(url, two))[0] == 413
    # a bomb: ten minutes of silence are a few bytes as FLAC
    path = encode(tmp_path / "bomb.flac", np.zeros(600 * 16_000, np.float32), "flac", 16_000)
    short = ServerLimits(audio_s=60.0)
    async with transcription_server(engine(), limits=short, vad=LoudnessVad) as url:
        status, text = await post(url, path.read_bytes())
        assert (status, "audio_too_long" in text) == (400, True), text


async def test_an_upload_that_stands_still_is_cut() -> None:
    async with transcription_server(engine(), limits=ServerLimits(stalled_s=0.05)) as url:

        async def slow() -> Any:
            yield b'--xyz\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc'
            await asyncio.Event().wait()

        async with aiohttp.ClientSession() as http:
            answer = await http.post(
                f"{url}/audio/transcriptions",
                data=slow(),
                headers={"Content-Type": "multipart/form-data; boundary=xyz"},
            )
            assert answer.status == 408


async def test_pages_and_strangers_are_refused(two: bytes) -> None:
    made = engine("Hello.")
    async with transcription_server(made, vad=LoudnessVad) as url:
        assert (await post(url, two, {"Host": "evil.example"}))[0] == 403
        assert (await post(url, two, {"Origin": "https://evil.example"}))[0] == 403
    assert made.heard == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (EngineError("it broke", kind="crash"), 500),
        (EngineError("too busy", kind="http_429", retryable=True, retry_after_s=7), 503),
    ],
)
async def test_engine_failures_have_a_status(two: bytes, error: EngineError, status: int) -> None:
    made = ScriptedEngine(otherwise=error)
    async with transcription_server(made, vad=LoudnessVad) as url, httpx2.AsyncClient() as http:
        answer = await http.post(
            f"{url}/audio/transcriptions",
            files={"file": ("a.wav", two)},
            data={"model": "scripted", "stream": "true"},
        )
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == error.kind
    assert answer.headers.get("Retry-After") == ("7" if error.retryable else None)


async def test_a_failure_amid_a_stream_is_an_event(two: bytes) -> None:
    made = engine("Hello.", EngineError("it broke", kind="crash"))
    async with transcription_server(made, vad=LoudnessVad) as url, client(url) as sdk:
        stream = await sdk.audio.transcriptions.create(
            file=("talk.wav", two), model="scripted", stream=True
        )
        assert (await anext(stream)).type == "transcript.text.delta"
        with pytest.raises(openai.APIError, match="it broke"):
            await anext(stream)


async def test_more_requests_than_allowed_are_told_to_come_back(two: bytes) -> None:
    release, begun = asyncio.Event(), asyncio.Event()

    class Held(ScriptedEngine):
        async def transcribe(self, *args: Any) -> Transcription:
            begun.set()
            await release.wait()
            return await super().transcribe(*args)

    held = Held(otherwise="Hello.")
    limits = ServerLimits(requests=1)
    async with transcription_server(held, limits=limits, vad=LoudnessVad) as url:
        first = asyncio.create_task(post(url, two))
        await begun.wait()
        status, text = await post(url, two)
        release.set()
        assert (await first)[0] == 200
        assert (await post(url, two))[0] == 200  # its place is free again
    assert (status, "rate_limit_exceeded" in text) == (429, True), text


async def test_a_client_that_leaves_stops_the_work(tmp_path: Path) -> None:
    """A long file of a client that is gone must not keep the pool busy."""
    left = asyncio.Event()
    begun = asyncio.Event()

    class Slow(ScriptedEngine):
        async def transcribe(self, *args: Any) -> Transcription:
            begun.set()
            await left.wait()
            return await super().transcribe(*args)

    slow = Slow(otherwise="word")
    spans = [(float(s), s + 1.0) for s in range(0, 120, 3)]
    data = wav_bytes(tmp_path, bursts(*spans, seconds=120.0))
    async with transcription_server(slow, vad=LoudnessVad) as url:
        asking = asyncio.create_task(post(url, data))
        await begun.wait()
        asking.cancel()
        await asyncio.wait({asking})
        left.set()
        # another request is answered, after what the first had begun
        assert (await post(url, wav_bytes(tmp_path, bursts((0.5, 1.5), seconds=3.0))))[0] == 200
    assert len(slow.heard) < 12


async def test_a_client_that_leaves_stops_the_reading_of_silence(tmp_path: Path) -> None:
    begun, left = threading.Event(), threading.Event()

    class Counting(LoudnessVad):
        windows = 0

        def probability(self, window: Samples) -> float:
            Counting.windows += 1
            begun.set()
            assert left.wait(20)
            return super().probability(window)

    silence = encode(tmp_path / "a.flac", np.zeros(600 * 16_000, np.float32), "flac", 16_000)
    limits = ServerLimits(requests=1)
    async with transcription_server(engine(), limits=limits, vad=Counting) as url:
        asking = asyncio.create_task(post(url, silence.read_bytes()))
        await asyncio.to_thread(begun.wait, 20)
        asking.cancel()
        await asyncio.wait({asking})
        await asyncio.sleep(0.2)  # it is noticed on the loop
        left.set()
        async with asyncio.timeout(60):
            while (await post(url, b"no audio"))[0] == 429:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert Counting.windows < 9_000  # of 18,750


async def test_all_requests_together_have_one_turn(
    two: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many of them at once must not take a meeting's share of the pool."""
    turns: list[str] = []
    real = DecodePool.transcribe

    async def noted(self: DecodePool, meeting: str, *args: Any, **named: Any) -> Transcription:
        turns.append(meeting)
        return await real(self, meeting, *args, **named)

    monkeypatch.setattr(DecodePool, "transcribe", noted)
    made = ScriptedEngine(otherwise="Hello.")
    async with transcription_server(made, vad=LoudnessVad) as url:
        answers = await asyncio.gather(*(post(url, two) for _ in range(3)))
    assert [status for status, _ in answers] == [200, 200, 200]
    assert len(turns) == 6
    assert len(set(turns)) == 1


async def test_a_disk_that_takes_no_upload_is_told(
    two: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.SpooledTemporaryFile.write", full)
    async with transcription_server(engine()) as url:
        status, text = await post(url, two)
    assert (status, "cannot be kept" in text) == (507, True), text


async def test_a_client_that_does_not_read_frees_its_place(two: bytes) -> None:
    made = ScriptedEngine(otherwise="x" * 8_000_000)  # more than sockets hold
    limits = ServerLimits(requests=1, stalled_s=0.3)
    async with transcription_server(made, limits=limits, vad=LoudnessVad) as url:
        host = url.split("/")[2]
        asked = httpx2.Request(
            "POST",
            f"{url}/audio/transcriptions",
            files={"file": ("a.wav", two)},
            data={"model": "scripted", "stream": "true"},
        )
        body = asked.read()
        head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: {host}\r\n"
        head += f"Content-Type: {asked.headers['Content-Type']}\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        name, port = host.split(":")
        reader, writer = await asyncio.open_connection(name, int(port), limit=1024)
        try:
            writer.write(head.encode() + body)
            await reader.readexactly(9)
            async with asyncio.timeout(20):
                while (await post(url, two, response_format="text"))[0] == 429:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                rest = await reader.read(-1)  # until it is closed
            assert not rest.endswith(b"0\r\n\r\n")  # cut off, not ended
        finally:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@pytest.mark.skipif(
    importlib.util.find_spec("moonshine_voice") is None and not os.environ.get("CI"),
    reason="the extra 'local' is not installed",
)
async def test_real_speech_by_the_sdk(tmp_path: Path) -> None:
    """The real engine behind real HTTP: a recording of the wheel as mp3, whole and streamed."""
    from pipeline.transcribe.local import LocalEngine
    from tests.integration.test_transcribe_speech import speech

    sound = speech("two_cities.wav", 44.0)
    path = encode(tmp_path / "two_cities.mp3", sound, "libmp3lame", 16_000)
    local = LocalEngine.open(TranscribeSettings())
    async with transcription_server(local) as url, client(url) as sdk:
        said = await sdk.audio.transcriptions.create(
            file=path, model="local", response_format="verbose_json"
        )
        stream = await sdk.audio.transcriptions.create(file=path, model="local", stream=True)
        events = [event async for event in stream]
    reference = words(TEXT)
    heard = words(said.text)
    assert errors(reference, heard[: len(reference)]) <= 0.1 * len(reference), said.text
    assert said.segments is not None
    assert max(s.end - s.start for s in said.segments) <= 12.1
    assert events[-1].text == said.text  # type: ignore[union-attr]
