"""The control address: what the fake Zoom is doing, as JSON. Loopback only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from pipeline.emulator.listener import listening_sockets


class Control:
    """``GET /`` tells the state. Commands come with the faults."""

    def __init__(self, state: Callable[[], Mapping[str, Any]]) -> None:
        self._state = state
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        app = web.Application()
        app.router.add_get("/", self._get)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        (listening,) = listening_sockets("127.0.0.1", 0)
        await web.SockSite(self._runner, listening).start()
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _get(self, request: web.Request) -> web.Response:
        if request.host.rsplit(":", 1)[0] not in ("127.0.0.1", "localhost"):
            raise web.HTTPForbidden  # a web page that reached us by a name of its own
        return web.Response(
            body=msgspec.json.encode(self._state()), content_type="application/json"
        )
