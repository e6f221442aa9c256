"""How real HTTP servers of models fail, played by the scripted ones of the tests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web


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
    content_type: str = "application/json"


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

    first: bytes = b'{"choices": ['


Fault = Fails | Raw | Hangs | Endless | Drops


async def play_fault(
    fault: Fault, request: web.Request, closing: asyncio.Event
) -> web.StreamResponse:
    """The answer to a request; what would not end does when ``closing`` is set."""
    match fault:
        case Fails(status=status, message=message, code=code, headers=headers):
            error = {"message": message, "type": "error", "code": code, "param": None}
            return web.json_response({"error": error}, status=status, headers=headers)
        case Raw(body=raw, content_type=content_type):
            return web.Response(body=raw, content_type=content_type)
        case Hangs():
            await closing.wait()
            return web.Response(status=503)
        case Drops(first=first):
            response = web.StreamResponse(headers={"content-length": "1000"})
            await response.prepare(request)
            await response.write(first)
            if request.transport is not None:
                request.transport.abort()
            return response
        case Endless(piece=piece):
            return await _stream(request, piece, closing)


async def _stream(request: web.Request, piece: bytes, closing: asyncio.Event) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type = "application/json"
    await response.prepare(request)
    try:
        while not closing.is_set():
            await response.write(piece)
            await asyncio.sleep(0)
    except ConnectionError:  # the client has had enough
        pass
    return response
