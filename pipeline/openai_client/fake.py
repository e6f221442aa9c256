"""A scripted OpenAI-compatible server on loopback, with the faults of real ones: for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from pipeline.openai_client.fake_faults import Fault, play_fault


@dataclass(frozen=True)
class Says:
    """A completion. ``content`` is text, or a value that is sent as JSON text."""

    content: Any = ""
    finish_reason: str = "stop"
    refusal: str | None = None
    tokens_in: int = 100
    tokens_cached: int = 0
    tokens_out: int = 20


Turn = Says | Fault
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
        if isinstance(turn, Says):
            return web.json_response(_completion(turn, body))
        return await play_fault(turn, request, self._closing)


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
