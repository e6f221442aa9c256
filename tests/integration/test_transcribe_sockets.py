"""Stream engines over real sockets, against scripted servers with the faults of real ones."""

from __future__ import annotations

import asyncio
import itertools
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
import soxr

from pipeline.audio.packet import encode_l16
from pipeline.base.clock import Clock, SystemClock
from pipeline.base.errors import EngineError
from pipeline.base.secret import Secret
from pipeline.transcribe.as_segments import StreamAsSegments
from pipeline.transcribe.deepgram import Deepgram
from pipeline.transcribe.engine import Heard, Hints, Pcm, SpeechStream, Transcription
from pipeline.transcribe.fake_deepgram import FakeDeepgram
from pipeline.transcribe.fake_realtime import FakeRealtime
from pipeline.transcribe.fake_sockets import (
    Closes,
    Deaf,
    Drops,
    Endless,
    FakeSockets,
    Mixes,
    Refuses,
    Reports,
    Says,
    Silent,
    Tells,
    Turn,
)
from pipeline.transcribe.realtime import OpenAiRealtime, RealtimeDialogue
from pipeline.transcribe.settings import SttSettings, TranscribeSettings
from pipeline.transcribe.socket_errors import closed
from pipeline.transcribe.socket_stream import KEEP_ALIVE_S, SocketEngine, SocketStream
from pipeline.transcribe.websocket import Socket, within
from tests.idle_clock import IdleClock, run

KEY = "sk-a-key-nobody-may-see"
TEXT = "Hello there, this is a test."
PEM = Path(__file__).with_name("test_rtms_localhost.pem")
T0 = 1_790_000_000_000

Kind = tuple[type[FakeSockets], type[SocketEngine]]
REALTIME: Kind = (FakeRealtime, OpenAiRealtime)
DEEPGRAM: Kind = (FakeDeepgram, Deepgram)
both = pytest.mark.parametrize("kind", [REALTIME, DEEPGRAM], ids=["realtime", "deepgram"])


def tone(seconds: float = 2.0) -> Pcm:
    at = np.arange(round(seconds * 16_000)) / 16_000
    return (0.3 * np.sin(2 * np.pi * 300 * at)).astype(np.float32)


def stt(base_url: str, **changes: Any) -> SttSettings:
    return SttSettings(base_url=base_url, api_key=Secret(KEY), **changes)


@asynccontextmanager
async def engine_at(
    kind: Kind,
    base_url: str,
    *,
    clock: Clock | None = None,
    transcribe: TranscribeSettings | None = None,
    **changes: Any,
) -> AsyncIterator[SocketEngine]:
    engine = kind[1](
        stt(base_url, **changes),
        transcribe or TranscribeSettings(),
        clock=clock or SystemClock(),
    )
    try:
        yield engine
    finally:
        await engine.close()


async def failure(
    kind: Kind, turn: Turn, *, clock: Clock | None = None, seconds: float = 2.0, **changes: Any
) -> EngineError:
    """How a segment fails when the server does that."""
    async with (
        kind[0]([turn]) as server,
        engine_at(kind, server.base_url, clock=clock, **changes) as engine,
    ):
        with pytest.raises(EngineError) as caught:
            await StreamAsSegments(engine).transcribe(tone(seconds))
        assert len(server.calls) == 1
        return caught.value


async def all_heard(stream: SpeechStream) -> list[Heard]:
    return [heard async for heard in stream.heard()]


# -- what it is for -----------------------------------------------------------------------------


@both
async def test_a_segment_is_sent_whole_and_its_words_come_back(kind: Kind) -> None:
    pcm = tone(3.3)
    async with kind[0]([Says(TEXT)]) as server, engine_at(kind, server.base_url) as engine:
        heard = await StreamAsSegments(engine).transcribe(pcm, Hints(language="en"))
        await server.calls[0].closed.wait()

    assert heard.text == TEXT
    assert heard.language == "en"
    assert heard.engine == engine.capabilities.name
    assert heard.doubt is None
    expected = pcm if kind is DEEPGRAM else soxr.resample(pcm, 16_000, 24_000, quality="HQ")
    assert server.calls[0].samples.tobytes() == encode_l16(expected)


async def test_deepgram_words_have_times_and_confidence() -> None:
    async with (
        FakeDeepgram([Says(TEXT)]) as server,
        engine_at(DEEPGRAM, server.base_url) as engine,
    ):
        heard = await StreamAsSegments(engine).transcribe(tone(2.0))

    assert " ".join(word.text for word in heard.words) == TEXT
    assert heard.words[0].start_ms == 0
    assert heard.words[-1].end_ms == 2000
    assert heard.confidence == 0.9
    starts = [word.start_ms for word in heard.words]
    assert starts == sorted(starts)


async def test_deepgram_is_asked_by_parameters_and_token() -> None:
    hints = Hints(terms=("Zoë Q&A", "Kubeflow"), language="en-GB")
    async with (
        FakeDeepgram([Says(TEXT)]) as server,
        engine_at(DEEPGRAM, server.base_url) as engine,
    ):
        await StreamAsSegments(engine).transcribe(tone(), hints)

    call = server.calls[0]
    assert urlsplit(call.path).path == "/v1/listen"
    assert parse_qsl(urlsplit(call.path).query) == [
        ("encoding", "linear16"),
        ("sample_rate", "16000"),
        ("channels", "1"),
        ("model", "nova-3"),
        ("interim_results", "true"),
        ("punctuate", "true"),
        ("endpointing", "false"),
        ("language", "en-GB"),
        ("keyterm", "Zoë Q&A"),
        ("keyterm", "Kubeflow"),
    ]
    assert call.headers["authorization"] == f"Token {KEY}"
    assert [message["type"] for message in call.messages] == ["Finalize", "CloseStream"]


async def test_realtime_is_asked_by_a_session_and_bearer() -> None:
    hints = Hints(terms=("Zoë", "Kubeflow"), language="en-GB")
    async with (
        FakeRealtime([Says(TEXT)]) as server,
        engine_at(REALTIME, server.base_url) as engine,
    ):
        await StreamAsSegments(engine).transcribe(tone(), hints)

    call = server.calls[0]
    assert call.path == "/v1/realtime?intent=transcription"
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.messages[0]["session"]["audio"]["input"]["transcription"] == {
        "model": "gpt-live-transcribe",
        "languages": ["en"],
        "keywords": ["Zoë", "Kubeflow"],
    }
    kinds = [message["type"] for message in call.messages]
    assert kinds[0] == "session.update"
    assert set(kinds[1:-1]) == {"input_audio_buffer.append"}
    assert kinds[-1] == "input_audio_buffer.commit"


@both
async def test_the_settings_language_counts_when_no_hint_tells_one(kind: Kind) -> None:
    settings = TranscribeSettings(language="de")
    async with (
        kind[0]([Says("Guten Tag")]) as server,
        engine_at(kind, server.base_url, transcribe=settings) as engine,
    ):
        heard = await StreamAsSegments(engine).transcribe(tone())

    assert heard.language == "de"


@both
async def test_a_detected_language_is_told(kind: Kind) -> None:
    async with (
        kind[0]([Says("Guten Tag", languages=("de",))]) as server,
        engine_at(kind, server.base_url) as engine,
    ):
        heard = await StreamAsSegments(engine).transcribe(tone())

    assert heard.language == "de"


@both
async def test_without_a_key_no_authorization_is_sent(kind: Kind) -> None:
    async with kind[0]([Says(TEXT)]) as server:
        engine = kind[1](SttSettings(base_url=server.base_url), TranscribeSettings())
        await StreamAsSegments(engine).transcribe(tone())
        await engine.close()

    assert "authorization" not in server.calls[0].headers


@both
async def test_words_come_while_audio_is_sent_and_committed_ones_stay(kind: Kind) -> None:
    async with kind[0]([Says(TEXT)]) as server, engine_at(kind, server.base_url) as engine:
        stream = await engine.open()
        listening = asyncio.ensure_future(all_heard(stream))
        early: list[Heard] = []
        for at in range(0, 32_000, 4_000):
            await stream.send(tone()[at : at + 4_000])
        async for heard in stream.heard():  # another listener sees the newest
            early.append(heard)
            if heard.committed or heard.tentative:
                break
        assert not listening.done()
        await stream.finish()
        told = await listening
        await stream.close()

    assert early
    for before, after in itertools.pairwise(told):
        assert after.committed.startswith(before.committed)
    assert [heard.final is not None for heard in told] == [False] * (len(told) - 1) + [True]
    assert told[-1].committed == TEXT
    assert told[-1].tentative == ""


@both
async def test_nobody_needs_to_listen_for_the_audio_to_be_taken(kind: Kind) -> None:
    async with (
        kind[0]([Says(" ".join([TEXT] * 400))]) as server,
        engine_at(kind, server.base_url, max_answer_bytes=10**9) as engine,
    ):
        stream = await engine.open()
        for _ in range(200):
            await stream.send(tone(0.1))
        await stream.finish()
        told = await all_heard(stream)
        await stream.close()

    assert told[-1].final is not None
    assert len(told[-1].committed.split()) == 400 * 6


async def test_deepgram_need_not_answer_finalize() -> None:
    async with (
        FakeDeepgram([Says(TEXT)], answers=False) as server,
        engine_at(DEEPGRAM, server.base_url) as engine,
    ):
        heard = await StreamAsSegments(engine).transcribe(tone())

    assert heard.text == TEXT


@both
async def test_nothing_said_is_an_empty_text(kind: Kind) -> None:
    async with kind[0]([Says("")]) as server, engine_at(kind, server.base_url) as engine:
        heard = await StreamAsSegments(engine).transcribe(tone())

    assert heard == Transcription("", engine=engine.capabilities.name)


@both
async def test_silence_and_clicks_are_not_sent(kind: Kind) -> None:
    async with kind[0]() as server, engine_at(kind, server.base_url) as engine:
        segments = StreamAsSegments(engine)
        assert (await segments.transcribe(np.zeros(32_000, np.float32))).text == ""
        assert (await segments.transcribe(tone(0.05))).text == ""

    assert server.calls == []


async def test_a_short_stretch_is_padded_to_what_realtime_takes() -> None:
    async with (
        FakeRealtime([Says("Hm.")]) as server,
        engine_at(REALTIME, server.base_url) as engine,
    ):
        stream = await engine.open()
        await stream.send(tone(0.04))
        await stream.finish()
        told = await all_heard(stream)
        await stream.close()

    assert told[-1].committed == "Hm."


@both
def test_capabilities_are_those_of_a_remote_stream_and_of_a_segment_engine(kind: Kind) -> None:
    engine = kind[1](stt("https://localhost"), TranscribeSettings())
    whole = StreamAsSegments(engine).capabilities

    assert (engine.capabilities.streaming, engine.capabilities.partials) == (True, True)
    assert (whole.streaming, whole.partials, whole.remote) == (False, False, True)
    assert whole.name == engine.capabilities.name
    assert whole.word_times is (kind is DEEPGRAM)
    assert whole.most_terms > 0


# -- faults -------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("status", "expected", "retryable"),
    [
        (200, "upgrade", False),
        (302, "redirected", False),
        (400, "bad_request", False),
        (401, "auth", False),
        (402, "quota", False),
        (403, "auth", False),
        (404, "not_found", False),
        (429, "rate_limited", True),
        (500, "server", True),
        (503, "server", True),
        (504, "timeout", True),
    ],
)
async def test_a_refused_handshake_is_typed(
    kind: Kind, status: int, expected: str, retryable: bool
) -> None:
    error = await failure(kind, Refuses(status, f'{{"error": {{"message": "{KEY}"}}}}'))

    assert (error.kind, error.retryable) == (expected, retryable)
    assert str(status) in str(error)
    assert KEY not in str(error)


@both
async def test_retry_after_is_handed_on(kind: Kind) -> None:
    error = await failure(kind, Refuses(429, headers={"Retry-After": "7"}))

    assert error.retry_after_s == 7


@both
async def test_a_redirect_is_not_followed(kind: Kind) -> None:
    async with kind[0]([Says(TEXT)]) as elsewhere:
        there = elsewhere.base_url.replace("http:", "ws:") + "/listen"
        error = await failure(kind, Refuses(307, headers={"Location": there}))

        assert error.kind == "redirected"
        assert elsewhere.calls == []


@both
@pytest.mark.parametrize(
    ("code", "expected", "retryable"),
    [
        (1000, "closed", True),
        (1008, "bad_request", False),
        (1011, "server", True),
        (3000, "auth", False),
        (4000, "closed", True),
    ],
)
@pytest.mark.parametrize("at_end", [True, False], ids=["at the end", "in between"])
async def test_a_close_is_typed(
    kind: Kind, code: int, expected: str, retryable: bool, at_end: bool
) -> None:
    error = await failure(kind, Closes(code, f"NET-0001 {KEY}", at_end=at_end))

    assert (error.kind, error.retryable) == (expected, retryable)
    assert KEY not in str(error)


@both
async def test_a_cut_connection_is_typed(kind: Kind) -> None:
    error = await failure(kind, Drops())

    assert (error.kind, error.retryable) == ("closed", True)


HALF = ('{"type": "Resul', "", "null", b"\xff\xfe\x00")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        *itertools.product([REALTIME, DEEPGRAM], HALF),
        (REALTIME, '{"type":"conversation.item.input_audio_transcription.completed"}'),
        (DEEPGRAM, '{"type":"Results","is_final":true}'),
    ],
)
async def test_half_and_wrong_json_is_typed(kind: Kind, message: str | bytes) -> None:
    error = await failure(kind, Tells(message))

    assert (error.kind, error.retryable) == ("bad_output", True)


@both
@pytest.mark.parametrize("how", ["id", "time"])
async def test_words_for_another_segment_are_refused(kind: Kind, how: str) -> None:
    error = await failure(kind, Mixes("Words of somebody else.", how))

    assert (error.kind, error.retryable) == ("wrong_segment", True)
    assert "somebody" not in str(error)


@both
@pytest.mark.parametrize(
    ("code", "expected", "retryable"),
    [
        ("invalid_api_key", "auth", False),
        ("rate_limit_exceeded", "rate_limited", True),
        ("internal_server_error", "server", True),
        ("unknown_parameter", "bad_request", False),
    ],
)
async def test_an_error_message_is_typed(
    kind: Kind, code: str, expected: str, retryable: bool
) -> None:
    error = await failure(kind, Reports(code, repeats=KEY))

    assert (error.kind, error.retryable) == (expected, retryable)
    assert code in str(error)
    assert KEY not in str(error)


@both
def test_a_server_that_never_answers_times_out(kind: Kind) -> None:
    async def main(clock: IdleClock) -> tuple[EngineError, float]:
        return await failure(kind, Silent(), clock=clock, read_timeout_s=20), clock.monotonic()

    error, seconds = run(main, start_ms=T0)

    assert (error.kind, error.retryable) == ("timeout", True)
    assert 20 <= seconds < 20 + 2 * KEEP_ALIVE_S


@both
def test_a_server_that_does_not_read_times_out(kind: Kind) -> None:
    async def main(clock: IdleClock) -> tuple[EngineError, float]:
        # More than sockets and the library keep for a peer that does not read.
        error = await failure(kind, Deaf(), clock=clock, seconds=600)
        return error, clock.monotonic()

    error, seconds = run(main, start_ms=T0)

    assert (error.kind, error.retryable) == ("timeout", True)
    assert "takes no more" in str(error)
    assert seconds < 60


@both
async def test_messages_without_end_are_cut_off(kind: Kind) -> None:
    error = await failure(kind, Endless(), max_answer_bytes=20_000)

    assert (error.kind, error.retryable) == ("too_long", False)


@both
async def test_one_message_that_is_too_long_is_cut_off(kind: Kind) -> None:
    error = await failure(kind, Tells(" " * 30_000), max_answer_bytes=20_000)

    assert (error.kind, error.retryable) == ("too_long", False)
    assert "is too long" in str(error)  # the message was never read as a whole


@both
async def test_nobody_at_the_address(kind: Kind) -> None:
    async with kind[0]() as server:
        base_url = server.base_url
    async with engine_at(kind, base_url) as engine:
        with pytest.raises(EngineError) as caught:
            await engine.open()

    assert (caught.value.kind, caught.value.retryable) == ("connect", True)
    assert urlsplit(base_url).netloc in str(caught.value)


@asynccontextmanager
async def raw_server(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]],
) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@both
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "upgrade"),
        (b"", "connect"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "upgrade"),
    ],
)
async def test_something_else_at_the_address(kind: Kind, answer: bytes, expected: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with raw_server(talk) as base_url, engine_at(kind, base_url) as engine:
        with pytest.raises(EngineError) as caught:
            await engine.open()

    assert caught.value.kind == expected


@both
def test_a_handshake_that_is_not_answered_times_out(kind: Kind) -> None:
    async def main(clock: IdleClock) -> tuple[EngineError, float]:
        gone = asyncio.Event()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(-1)  # until the client gives up
            gone.set()

        async with raw_server(talk) as base_url, engine_at(kind, base_url, clock=clock) as engine:
            with pytest.raises(EngineError) as caught:
                await engine.open()
            await gone.wait()
        return caught.value, clock.monotonic()

    error, seconds = run(main, start_ms=T0)

    assert (error.kind, error.retryable) == ("timeout", True)
    assert seconds == 5.0


@both
async def test_a_key_that_would_make_headers_is_not_sent(kind: Kind) -> None:
    async with kind[0]() as server:
        settings = SttSettings(base_url=server.base_url, api_key=Secret("a\r\nX: b"))
        with pytest.raises(EngineError) as caught:
            await kind[1](settings, TranscribeSettings()).open()

    assert caught.value.kind == "auth"
    assert server.calls == []


# -- around it ----------------------------------------------------------------------------------


@both
async def test_after_each_fault_the_next_segment_is_heard_and_told_once(kind: Kind) -> None:
    faults: list[Turn] = [Refuses(500), Drops(), Tells("{"), Closes(1011), Reports("internal")]
    script = [turn for fault in faults for turn in (fault, Says(TEXT))]
    async with kind[0](script) as server, engine_at(kind, server.base_url) as engine:
        segments = StreamAsSegments(engine)
        for _ in faults:
            with pytest.raises(EngineError):
                await segments.transcribe(tone())
            assert (await segments.transcribe(tone())).text == TEXT

    assert len(server.calls) == len(script)
    assert {len(call.samples) for call in server.calls[1::2]} == {
        32_000 if kind is DEEPGRAM else 48_000
    }


@both
async def test_the_key_is_in_no_log_however_much_is_logged(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with kind[0]([Says(TEXT)]) as server, engine_at(kind, server.base_url) as engine:
        await StreamAsSegments(engine).transcribe(tone())

    # What is left is the fake server's own.
    ours = [record for record in caplog.records if record.name != "websockets.server"]
    assert not [record for record in ours if KEY in record.getMessage()]
    assert not [record for record in ours if "sample_rate" in record.getMessage()]


@both
async def test_proxies_of_the_environment_are_not_used(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "WS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with kind[0]([Says(TEXT)]) as server, engine_at(kind, server.base_url) as engine:
        assert (await StreamAsSegments(engine).transcribe(tone())).text == TEXT


@both
async def test_more_streams_than_allowed_are_refused_and_room_comes_back(kind: Kind) -> None:
    async with (
        kind[0]() as server,
        engine_at(kind, server.base_url, parallel_calls=2) as engine,
    ):
        first, _second = await engine.open(), await engine.open()
        with pytest.raises(EngineError) as caught:
            await engine.open()
        assert (caught.value.kind, caught.value.retryable) == ("busy", True)
        await first.close()
        await engine.open()

    await asyncio.gather(*(call.closed.wait() for call in server.calls))
    assert len(server.calls) == 3


@both
async def test_opening_ones_count_too(kind: Kind) -> None:
    async with (
        kind[0]() as server,
        engine_at(kind, server.base_url, parallel_calls=2) as engine,
    ):
        found = await asyncio.gather(*(engine.open() for _ in range(5)), return_exceptions=True)

    failed = [error for error in found if isinstance(error, EngineError)]
    assert [error.kind for error in failed] == ["busy"] * 3


@both
async def test_a_failed_opening_gives_its_room_back(kind: Kind) -> None:
    async with (
        kind[0]([Refuses(500), Refuses(500)]) as server,
        engine_at(kind, server.base_url, parallel_calls=1) as engine,
    ):
        for _ in range(2):
            with pytest.raises(EngineError, match="500"):
                await engine.open()
        await engine.open()


@both
async def test_closing_the_engine_ends_its_streams(kind: Kind) -> None:
    async with kind[0]([Silent()]) as server, engine_at(kind, server.base_url) as engine:
        stream = await engine.open()
        listening = asyncio.ensure_future(all_heard(stream))
        await stream.send(tone(0.5))
        await engine.close()
        await engine.close()

        assert await listening == []
        await server.calls[0].closed.wait()
        with pytest.raises(EngineError) as caught:
            await stream.send(tone(0.5))
        assert caught.value.kind == "closed"
        with pytest.raises(EngineError) as caught:
            await engine.open()
        assert caught.value.kind == "closed"


@both
async def test_a_cancelled_segment_lets_go_of_its_connection(kind: Kind) -> None:
    async with kind[0]([Silent()]) as server, engine_at(kind, server.base_url) as engine:
        decode = asyncio.ensure_future(StreamAsSegments(engine).transcribe(tone()))
        await server.arrived.wait()
        decode.cancel()
        with pytest.raises(asyncio.CancelledError):
            await decode
        await server.calls[0].closed.wait()


@both
async def test_no_audio_is_taken_after_finish(kind: Kind) -> None:
    async with kind[0]([Says(TEXT)]) as server, engine_at(kind, server.base_url) as engine:
        stream = await engine.open()
        await stream.send(tone())
        await stream.finish()
        await stream.finish()  # harmless
        with pytest.raises(EngineError) as caught:
            await stream.send(tone())
        told = await all_heard(stream)

    assert caught.value.kind == "closed"
    assert told[-1].committed == TEXT


def test_deepgram_is_told_that_we_are_still_there() -> None:
    async def main(clock: IdleClock) -> tuple[list[str], str]:
        async with (
            FakeDeepgram([Says(TEXT)]) as server,
            engine_at(DEEPGRAM, server.base_url, clock=clock) as engine,
        ):
            stream = await engine.open()
            await stream.send(tone(1.0))
            await clock.sleep(3 * KEEP_ALIVE_S + 1)
            await stream.send(tone(1.0))
            await stream.finish()
            told = await all_heard(stream)
            await stream.close()
            kinds = [message["type"] for message in server.calls[0].messages]
        return kinds, told[-1].committed

    kinds, text = run(main, start_ms=T0)

    assert kinds[:2] == ["KeepAlive", "KeepAlive"]
    assert kinds[-2:] == ["Finalize", "CloseStream"]
    assert len(kinds) <= 5
    assert text == TEXT


class ClosingSocket:
    """The server told an error and closed; sending finds that out before reading does."""

    headers: Mapping[str, str] = {}

    def __init__(self) -> None:
        self._messages: asyncio.Queue[str] = asyncio.Queue()

    async def send(self, frame: str | bytes) -> None:
        self._messages.put_nowait('{"type":"error","error":{"code":"insufficient_quota"}}')
        raise closed(1000, "", sent=())

    async def receive(self) -> str:
        return await self._messages.get()

    async def close(self) -> None: ...


async def test_what_the_server_said_is_a_better_reason_than_that_it_closed() -> None:
    stream = SocketStream(
        cast("Socket", ClosingSocket()),
        RealtimeDialogue({"model": "m"}),
        stt("http://localhost"),
        SystemClock(),
    )
    with pytest.raises(EngineError) as caught:
        await stream.begin()
    await stream.close()

    assert caught.value.kind == "quota"


async def test_a_connection_that_opens_as_its_caller_is_cancelled_is_let_go() -> None:
    opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    dropped: list[int] = []
    waiting = asyncio.ensure_future(within(SystemClock(), 5, opened, late=dropped.append))
    await asyncio.sleep(0)
    opened.set_result(7)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0)

    assert dropped == [7]


# -- TLS ----------------------------------------------------------------------------------------


def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    return context


@both
async def test_tls_is_checked(kind: Kind) -> None:
    async with kind[0]([Says(TEXT)], tls=tls()) as server:
        async with engine_at(kind, server.base_url) as engine:
            with pytest.raises(EngineError) as caught:
                await engine.open()
        assert (caught.value.kind, caught.value.retryable) == ("tls", False)
        assert server.calls == []

        async with engine_at(kind, server.base_url, ca_file=str(PEM)) as engine:
            assert (await StreamAsSegments(engine).transcribe(tone())).text == TEXT


@both
async def test_tls_is_for_the_host_that_was_named(kind: Kind) -> None:
    async with kind[0](tls=tls()) as server:
        other = server.base_url.replace("localhost", "127.0.0.1")
        async with engine_at(kind, other, ca_file=str(PEM)) as engine:
            with pytest.raises(EngineError) as caught:
                await engine.open()

    assert caught.value.kind == "tls"


@both
async def test_a_broken_ca_file_is_named(kind: Kind, tmp_path: Path) -> None:
    for path in (tmp_path / "none.pem", tmp_path / "bad.pem"):
        if path.name == "bad.pem":
            path.write_text("no certificate")
        async with engine_at(kind, "https://localhost:1", ca_file=str(path)) as engine:
            with pytest.raises(EngineError) as caught:
                await engine.open()
        assert caught.value.kind == "tls"
        assert str(path) in str(caught.value)
