"""A listener that strangers cannot wear out: few connections, none of them silent for long.

aiohttp takes any number of connections; each costs a file descriptor, and a process without one
left can neither answer Zoom nor write its store. It also logs what it cannot parse, with the bytes
that were sent; here that is one line without them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

import msgspec
import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError

from pipeline.base import metrics
from pipeline.base.clock import Clock
from pipeline.base.seldom import Seldom

log = structlog.get_logger()

_BACKLOG = 128


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a listener puts up with. Seconds of the machine."""

    connections: int  # open at once; above, the longest silent one has to go, or the new one
    head_s: float = 10.0  # to the end of the first request's head
    keepalive_s: float = 15.0  # to the end of each further request's head
    stalled_s: float = 60.0  # a client that does not take what we send


class Listener:
    """Makes the protocol of each connection to an aiohttp server, within ``limits``.

    ``name`` is told in metrics and in the log. ``on_bad_http`` is called for each request that is
    not HTTP.
    """

    def __init__(self, name: str, server: web.Server, limits: Limits, clock: Clock) -> None:
        self.limits = limits
        self._name = name
        self._server = server
        self._seldom = Seldom(clock)
        self._open: set[_Connection] = set()
        self._silent: dict[object, _Connection] = {}  # by aiohttp's handler; the oldest first
        make_request = server.request_factory

        def request_factory(message: Any, payload: Any, protocol: Any, *rest: Any) -> Any:
            silent = self._silent.pop(protocol, None)
            if silent is not None:
                silent.has_asked()
            return make_request(message, payload, protocol, *rest)

        server.request_factory = request_factory

    def __len__(self) -> int:
        return len(self._open)

    def __call__(self) -> asyncio.Protocol:
        return _Connection(self)

    def admit(self, connection: _Connection) -> web.RequestHandler | None:
        """aiohttp's handler of a new connection, or None when there is no room for it."""
        if len(self._open) >= self.limits.connections:
            if not self._silent:
                self.refused("full")
                return None
            next(iter(self._silent.values())).cut("full")
        handler = self._server()
        self._open.add(connection)
        self._silent[handler] = connection
        return handler

    def gone(self, connection: _Connection, handler: object) -> None:
        """The connection is closed, or about to be."""
        self._open.discard(connection)
        self._silent.pop(handler, None)

    def refused(self, reason: str) -> None:
        """Count it; tell at most once a second."""
        metrics.HTTP_REFUSED.labels(self._name, reason).inc()
        if count := self._seldom.due(reason):
            log.warning("http.refused", listener=self._name, reason=reason, count=count)


class _Connection(asyncio.Protocol):
    """Passes everything on to aiohttp's handler, and watches the time."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._handler: web.RequestHandler | None = None
        self._timer: asyncio.TimerHandle | None = None

    def has_asked(self) -> None:
        """The head of the first request is complete."""
        self._stop_timer()

    def cut(self, reason: str) -> None:
        """End it at once."""
        self._listener.refused(reason)
        self._listener.gone(self, self._handler)
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._handler = self._listener.admit(self)
        if self._handler is None:
            self._transport.abort()
            return
        self._start_timer(self._listener.limits.head_s, "no_request")
        self._handler.connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_timer()
        if self._handler is not None:
            self._listener.gone(self, self._handler)
            self._handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._handler is not None:
            self._handler.data_received(data)

    def eof_received(self) -> None:
        if self._handler is not None:
            self._handler.eof_received()

    def pause_writing(self) -> None:
        self._start_timer(self._listener.limits.stalled_s, "stalled")
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._stop_timer()
        if self._handler is not None:
            self._handler.resume_writing()

    def _start_timer(self, seconds: float, reason: str) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.cut, reason)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Complaints(logging.Handler):
    """What aiohttp says of one listener: bad requests counted, faults of ours told whole."""

    def __init__(self, name: str, on_bad_http: Callable[[], None]) -> None:
        super().__init__()
        self.listener: Listener | None = None
        self._name = name
        self._on_bad_http = on_bad_http

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            self._on_bad_http()
            if self.listener is not None:
                self.listener.refused("bad_http")
        elif record.levelno >= logging.WARNING:
            log.error("http.fault", listener=self._name, what=record.msg, exc_info=error)


async def start_listening(
    application: web.Application,
    host: str,
    port: int,
    *,
    name: str,
    limits: Limits,
    clock: Clock,
    on_bad_http: Callable[[], None] = lambda: None,
) -> tuple[int, Callable[[], Any], Listener]:
    """Serve ``application``: the port, what ends it (to be awaited), and the listener.

    Raises OSError when the address cannot be listened on.
    """
    complaints = _Complaints(name, on_bad_http)
    # One of its own at debug level: aiohttp tells the most common bad request only there.
    logger = logging.Logger(f"aiohttp.server.{name}", logging.DEBUG)  # noqa: LOG001
    logger.addHandler(complaints)
    runner = web.AppRunner(
        application,
        access_log=None,
        shutdown_timeout=1.0,
        keepalive_timeout=limits.keepalive_s,
        logger=logger,
    )
    await runner.setup()
    assert runner.server is not None
    listener = complaints.listener = Listener(name, runner.server, limits, clock)
    try:
        server = await asyncio.get_running_loop().create_server(
            listener, host, port, backlog=_BACKLOG
        )
    except OSError:
        await runner.cleanup()
        raise

    async def stop() -> None:
        server.close()
        await runner.cleanup()

    return server.sockets[0].getsockname()[1], stop, listener
