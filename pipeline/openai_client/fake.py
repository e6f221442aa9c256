"""A scripted OpenAI-compatible server on loopback, with the faults of real ones: for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Says:
    """A completion. ``content`` is text, or a value that is sent as JSON text."""

    content: Any = ""
    finish_reason: str = "stop"
    refusal: str | None = None
    tokens_in: int = 100
    tokens_cached: int = 0
    tokens_out: int = 20


@dataclass(frozen=True)
class Fails:
    """An HTTP status with an error body in OpenAI's form."""

    status: int
    message: str = "no"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Raw:
    """Any body, as it is, with status 200."""

    body: bytes


@dataclass(frozen=True)
class Hangs:
    """No answer until the server is closed."""


@dataclass(frozen=True)
class Endless:
    """A body that never ends."""

    piece: bytes = b" " * 1024


@dataclass(frozen=True)
class Drops:
    """The connection is closed in the middle of the answer."""


Turn = Says | Fails | Raw | Hangs | Endless | Drops
Script = Callable[[dict[str, Any]], Turn]

NO_CHANGE: dict[str, list[Any]] = {"add": [], "update": [], "close": [], "retract": [], "merge": []}


@dataclass(frozen=True)
class Asked:
    """A request as it came: headers in lower case, the decoded body."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """All messages in one text."""
        return "\n".join(m["content"] for m in self.body.get("messages", []))


class FakeLlm:
    """``async with FakeLlm([Says(...), Fails(429)]) as llm:`` serves at ``llm.base_url``.

    ``script`` is a list of turns, after which every question is answered with ``otherwise``, or a
    function of the request's body. ``asked`` holds every completion request.
    """

    def __init__(
        self,
        script: Iterable[Turn] | Script = (),
        *,
        otherwise: Turn | None = None,
        models: tuple[str, ...] = ("fake-1",),
    ) -> None:
        self._function = script if callable(script) else None
        self.turns: list[Turn] = [] if callable(script) else list(script)
        self.otherwise: Turn = otherwise or Says(NO_CHANGE)
        self.asked: list[Asked] = []
        self._models = models
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()
        self._arrived = asyncio.Condition()
        self.base_url = ""

    async def __aenter__(self) -> FakeLlm:
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._list)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def wait_asked(self, count: int) -> None:
        """Until so many questions have arrived."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.asked) >= count)

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": m} for m in self._models]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        headers = {name.lower(): value for name, value in request.headers.items()}
        async with self._arrived:
            self.asked.append(Asked(request.path, headers, body))
            self._arrived.notify_all()
        return await self._play(self._next(body), request, body)

    def _next(self, body: dict[str, Any]) -> Turn:
        if self._function is not None:
            return self._function(body)
        return self.turns.pop(0) if self.turns else self.otherwise

    async def _play(
        self, turn: Turn, request: web.Request, body: dict[str, Any]
    ) -> web.StreamResponse:
        match turn:
            case Says():
                return web.json_response(_completion(turn, body))
            case Fails(status=status, message=message, code=code, headers=headers):
                error = {"message": message, "type": "error", "code": code, "param": None}
                return web.json_response({"error": error}, status=status, headers=headers)
            case Raw(body=raw):
                return web.Response(body=raw, content_type="application/json")
            case Hangs():
                await self._closing.wait()
                return web.Response(status=503)
            case Drops():
                response = web.StreamResponse(headers={"content-length": "1000"})
                await response.prepare(request)
                await response.write(b'{"choices": [')
                if request.transport is not None:
                    request.transport.abort()
                return response
            case Endless(piece=piece):
                return await self._stream(request, piece)

    async def _stream(self, request: web.Request, piece: bytes) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_type = "application/json"
        await response.prepare(request)
        try:
            while not self._closing.is_set():
                await response.write(piece)
                await asyncio.sleep(0)
        except ConnectionError:  # the client has had enough
            pass
        return response


def _completion(turn: Says, body: dict[str, Any]) -> dict[str, Any]:
    content = turn.content if isinstance(turn.content, str) else json.dumps(turn.content)
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model", ""),
        "choices": [
            {
                "index": 0,
                "finish_reason": turn.finish_reason,
                "message": {"role": "assistant", "content": content, "refusal": turn.refusal},
            }
        ],
        "usage": {
            "prompt_tokens": turn.tokens_in,
            "completion_tokens": turn.tokens_out,
            "total_tokens": turn.tokens_in + turn.tokens_out,
            "prompt_tokens_details": {"cached_tokens": turn.tokens_cached},
        },
    }
