"""A scripted server with OpenAI's ``/v1/audio/transcriptions`` on loopback, and the faults of real
ones: for tests."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

from pipeline.openai_client.fake_faults import Fault, play_fault


@dataclass(frozen=True)
class Hears:
    """Words in the form that was asked for. ``words``: (text, start s, end s)."""

    text: str = ""
    language: str = "english"
    words: tuple[tuple[str, float, float], ...] = ()
    logprob: float = -0.2


@dataclass(frozen=True)
class Streams:
    """Server-sent events whose data is this, as it stands."""

    events: tuple[bytes, ...]


Turn = Hears | Streams | Fault


@dataclass(frozen=True)
class Heard:
    """A request as it came: headers in lower case, the form's fields, the file's length."""

    headers: dict[str, str]
    fields: dict[str, list[str]]
    file_name: str
    samples: int
    sample_rate: int

    def one(self, name: str) -> str:
        """The only value of a field; empty when it was not sent."""
        return self.fields[name][0] if name in self.fields else ""


@dataclass
class FakeTranscriptions:
    """``async with FakeTranscriptions([Hears("Yes."), Fails(429)]) as server:`` serves at
    ``server.base_url``.

    ``script`` is a list of turns, after which every request is answered with ``otherwise``, or a
    function of the request. ``heard`` holds every request; with ``key``, others are refused.
    """

    script: Iterable[Turn] | Callable[[Heard], Turn] = ()
    otherwise: Turn = Hears("Yes.")
    models: tuple[str, ...] = ("fake-hearing",)
    key: str = ""
    heard: list[Heard] = field(default_factory=list)
    base_url: str = ""

    def __post_init__(self) -> None:
        self.turns: list[Turn] = [] if callable(self.script) else list(self.script)
        self._closing = asyncio.Event()
        self._arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> FakeTranscriptions:
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_post("/v1/audio/transcriptions", self._transcribe)
        app.router.add_get("/v1/models", self._list)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def wait_heard(self, count: int) -> None:
        """Until so many requests have arrived."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.heard) >= count)

    def _refused(self, request: web.Request) -> web.Response | None:
        if not self.key or request.headers.get("authorization") == f"Bearer {self.key}":
            return None
        error = {"message": "Incorrect API key", "type": "error", "code": "invalid_api_key"}
        return web.json_response({"error": error}, status=401)

    async def _list(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request)) is not None:
            return refused
        return web.json_response({"object": "list", "data": [{"id": m} for m in self.models]})

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        heard = await _read(request)
        async with self._arrived:
            self.heard.append(heard)
            self._arrived.notify_all()
        if (refused := self._refused(request)) is not None:
            return refused
        match self._next(heard):
            case Hears() as turn:
                return await _say(turn, heard, request)
            case Streams(events=events):
                return await _send_events(events, request)
            case fault:
                return await play_fault(fault, request, self._closing)

    def _next(self, heard: Heard) -> Turn:
        if callable(self.script):
            return self.script(heard)
        return self.turns.pop(0) if self.turns else self.otherwise


async def _read(request: web.Request) -> Heard:
    form = await request.post()
    file = form["file"]
    if not isinstance(file, web.FileField):
        raise web.HTTPBadRequest(text="no file")
    with wave.open(io.BytesIO(file.file.read())) as sound:
        samples, rate = sound.getnframes(), sound.getframerate()
    fields: dict[str, list[str]] = {}
    for name, value in form.items():
        if isinstance(value, str):
            fields.setdefault(name, []).append(value)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Heard(headers, fields, file.filename, samples, rate)


async def _say(turn: Hears, heard: Heard, request: web.Request) -> web.StreamResponse:
    if heard.one("stream") == "true":
        deltas = [{"type": "transcript.text.delta", "delta": p} for p in turn.text.split(" ")]
        done = {"type": "transcript.text.done", "text": turn.text}
        return await _send_events([msgspec.json.encode(e) for e in (*deltas, done)], request)
    answer: dict[str, object] = {"text": turn.text}
    if heard.one("response_format") == "verbose_json":
        words = [{"word": text, "start": start, "end": end} for text, start, end in turn.words]
        seconds = heard.samples / heard.sample_rate
        part = {"id": 0, "start": 0.0, "end": seconds, "avg_logprob": turn.logprob}
        answer |= {"language": turn.language, "duration": seconds, "segments": [part]}
        answer |= {"words": words} if words else {}
    return web.json_response(answer)


async def _send_events(events: Iterable[bytes], request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type = "text/event-stream"
    await response.prepare(request)
    for event in events:
        await response.write(b"data: " + event + b"\n\n")
    await response.write_eof()
    return response
