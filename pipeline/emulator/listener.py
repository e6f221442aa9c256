"""The websocket shell: connections in, actions out. What they mean is decided elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http
import itertools
import logging
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from pipeline.base.errors import BadInput, InUse
from pipeline.rtms.enums import MEDIA_URL_KEY, MediaType

_PATHS: Final[dict[str, MediaType | None]] = {
    "/signaling": None,
    **{f"/media/{key}": media for media, key in MEDIA_URL_KEY.items()},
}
MAX_REQUEST: Final = 1 << 20
"""Bytes of one message from a client; real ones are under a kilobyte."""
FIRST_MESSAGE_S: Final = 30.0
"""Machine time a client may take for its handshake."""
MAX_WAITING: Final = 64 << 20
"""Bytes a client may be behind; then its connection is dropped, as a lost one."""

_QUIET = logging.getLogger("pipeline.emulator.websockets")
_QUIET.setLevel(logging.CRITICAL)


class Events(Protocol):
    """Who is told what happens on the sockets; called on the event loop, must not block."""

    def opened(self, number: int, path: MediaType | None) -> None: ...

    def received(self, number: int, data: bytes | str) -> None: ...

    def closed(self, number: int) -> None: ...

    def refuses(self, path: MediaType) -> bool: ...

    def failed(self, error: Exception) -> None: ...


class _Peer:
    """One connection's way out: a queue, so that nobody waits for a slow client."""

    def __init__(self, connection: ServerConnection, text: bool) -> None:
        self._connection = connection
        self._text = text
        self._rows: deque[bytes | int] = deque()
        self._waiting = 0
        self._more = asyncio.Event()

    def send(self, payload: bytes) -> None:
        self._rows.append(payload)
        self._waiting += len(payload)
        self._more.set()
        if self._waiting > MAX_WAITING:
            self.abort()

    def close(self, code: int) -> None:
        self._rows.append(code)
        self._more.set()

    def abort(self) -> None:
        self._rows.clear()
        self._connection.transport.abort()

    async def write(self) -> None:
        try:
            while True:
                while self._rows:
                    row = self._rows.popleft()
                    if isinstance(row, int):
                        await self._connection.close(row)
                        return
                    self._waiting -= len(row)
                    await self._connection.send(row, text=self._text)
                self._more.clear()
                await self._more.wait()
        except ConnectionClosed:
            return


class Listener:
    """Signaling and media URLs on one port."""

    def __init__(self, events: Events, *, text: bool) -> None:
        self._events = events
        self._text = text
        self._numbers = itertools.count(1)
        self._peers: dict[int, _Peer] = {}
        self._servers: list[Server] = []
        self._empty = asyncio.Event()
        self._empty.set()
        self.port = 0

    async def start(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        """Listen. ``localhost`` means both loopback addresses. Raises InUse, BadInput."""
        sockets = listening_sockets(host, port)
        self.port = sockets[0].getsockname()[1]
        for one in sockets:
            server = await serve(
                self._serve,
                sock=one,
                ssl=context,
                compression=None,
                process_request=self._route,
                max_size=MAX_REQUEST,
                ping_interval=None,  # the protocol has keep-alives of its own
                close_timeout=2,
                open_timeout=10,
                server_header=None,
                logger=_QUIET,
            )
            self._servers.append(server)

    async def stop(self) -> None:
        """Close what is open and stop listening."""
        for server in self._servers:
            server.close()
        for server in self._servers:
            await server.wait_closed()

    def send(self, number: int, payload: bytes) -> None:
        self._with(number, lambda peer: peer.send(payload))

    def close(self, number: int, code: int) -> None:
        self._with(number, lambda peer: peer.close(code))

    def abort(self, number: int) -> None:
        self._with(number, _Peer.abort)

    async def emptied(self, seconds: float) -> None:
        """Wait until no connection is open, but not longer than that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()

    def _with(self, number: int, act: Callable[[_Peer], None]) -> None:
        peer = self._peers.get(number)
        if peer is not None:
            act(peer)

    def _route(self, _: ServerConnection, request: Request) -> Response | None:
        path = request.path.split("?", maxsplit=1)[0]
        if path not in _PATHS:
            return _answer(http.HTTPStatus.NOT_FOUND)
        media = _PATHS[path]
        if media is not None and self._events.refuses(media):
            return _answer(http.HTTPStatus.SERVICE_UNAVAILABLE)
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        number = next(self._numbers)
        peer = self._peers[number] = _Peer(connection, self._text)
        self._empty.clear()
        writer = asyncio.ensure_future(peer.write())
        self._events.opened(number, _PATHS[connection.request.path.split("?", maxsplit=1)[0]])
        try:
            async with asyncio.timeout(FIRST_MESSAGE_S):
                first = await connection.recv()
            self._events.received(number, first)
            while True:
                self._events.received(number, await connection.recv())
        except (ConnectionClosed, TimeoutError):
            pass
        except Exception as error:  # websockets would only log it
            self._events.failed(error)
            raise
        finally:
            del self._peers[number]
            if not self._peers:
                self._empty.set()
            writer.cancel()
            self._events.closed(number)


def listening_sockets(host: str, port: int) -> list[socket.socket]:
    """TCP sockets for every address of ``host``, all on the same port. Raises InUse, BadInput."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise BadInput(f"cannot listen on {host}: {error.strerror}") from error
    found.sort(key=lambda info: info[0] != socket.AF_INET)
    sockets: list[socket.socket] = []
    for family, kind, protocol, _, address in found:
        one = socket.socket(family, kind, protocol)
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            at = sockets[0].getsockname()[1] if sockets else port
            one.bind((address[0], at, *address[2:]))
            one.listen(1024)
        except OSError as error:
            one.close()
            if sockets:  # the first address is enough; the second is a courtesy
                continue
            if error.errno == errno.EADDRINUSE:
                raise InUse(
                    f"port {port} is in use by another program; --port 0 takes a free one"
                ) from error
            raise BadInput(f"cannot listen on {host} port {port}: {error.strerror}") from error
        one.setblocking(False)
        sockets.append(one)
    return sockets


def _answer(status: http.HTTPStatus) -> Response:
    body = f"{status.phrase}\n".encode()
    headers = Headers(
        {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
    )
    return Response(status.value, status.phrase, headers, body)
