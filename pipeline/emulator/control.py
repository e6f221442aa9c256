"""The control address: what the fake Zoom is doing, and what it is told to do. Loopback only.

A web page must not be able to command it: the Host must be ours, and what is posted must be JSON,
which a page of another origin may not send without asking first (and nobody answers).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import msgspec
from aiohttp import web

from pipeline.base.errors import RtmsNotesError
from pipeline.emulator.listening import listening_sockets
from pipeline.emulator.schedule import Scheduled
from pipeline.rtms.enums import StopReason

MAX_BODY: Final = 1 << 20
_OURS: Final = ("127.0.0.1", "localhost")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Commanded(Protocol):
    """Who is controlled."""

    def state(self) -> dict[str, Any]: ...

    def faults(self) -> list[dict[str, Any]]: ...

    def fault(self, fault: object) -> list[Scheduled]: ...

    def stop(self, reason: StopReason = ...) -> None: ...


class Control:
    """``GET /``, ``GET /faults``, ``POST /faults``, ``POST /stop`` (docs/emulator.md)."""

    def __init__(self, commanded: Commanded) -> None:
        self._commanded = commanded
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        app = web.Application(middlewares=[_guarded], client_max_size=MAX_BODY)
        app.router.add_get("/", self._state)
        # The URL ends in a slash, and people write CONTROL_URL/faults.
        app.router.add_get("/{_:/?}faults", self._faults)
        app.router.add_post("/{_:/?}faults", self._fault)
        app.router.add_post("/{_:/?}stop", self._stop)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        (listening,) = listening_sockets("127.0.0.1", 0)
        await web.SockSite(self._runner, listening).start()
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _state(self, _: web.Request) -> web.Response:
        return _json(self._commanded.state())

    async def _faults(self, _: web.Request) -> web.Response:
        return _json(self._commanded.faults())

    async def _fault(self, request: web.Request) -> web.Response:
        added = self._commanded.fault(await _body(request))
        return _json([one.describe() for one in added])

    async def _stop(self, request: web.Request) -> web.Response:
        asked = await _body(request)
        if not isinstance(asked, dict) or not set(asked) <= {"reason"}:
            raise _Bad('not an object like {"reason": 6}')
        number = asked.get("reason", int(StopReason.EXIT_SIGNAL))
        known = {int(reason) for reason in StopReason}
        if type(number) is not int or number not in known:
            raise _Bad(f"reason = {number!r}: allowed are {min(known)} to {max(known)}")
        self._commanded.stop(StopReason(number))
        return _json({"reason": number, "name": StopReason(number).name})


class _Bad(Exception):
    """The request cannot be understood."""


@web.middleware
async def _guarded(request: web.Request, handler: _Handler) -> web.StreamResponse:
    if request.host.rsplit(":", 1)[0] not in _OURS:
        raise web.HTTPForbidden  # a web page that reached us by a name of its own
    if request.method == "POST" and request.content_type != "application/json":
        return _refused(415, "send JSON, with the header Content-Type: application/json")
    try:
        return await handler(request)
    except (_Bad, RtmsNotesError) as error:
        return _refused(400, str(error))


async def _body(request: web.Request) -> object:
    try:
        return msgspec.json.decode(await request.read())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Bad(f"not JSON: {error}") from None


def _json(value: Mapping[str, Any] | list[dict[str, Any]]) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def _refused(status: int, reason: str) -> web.Response:
    return web.Response(status=status, text=f"{reason}\n")
