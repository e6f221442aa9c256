"""The websocket shell: connections in, messages out. What they mean is decided elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import http
import itertools
import logging
import ssl
from typing import Final, Protocol

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from pipeline.emulator.addresses import Target, target
from pipeline.emulator.frames import Framer
from pipeline.emulator.listening import listening_sockets
from pipeline.emulator.peer import Peer

MAX_REQUEST: Final = 1 << 20
"""Bytes of one message from a client; real ones are under a kilobyte."""
FIRST_MESSAGE_S: Final = 30.0
"""Machine time a client may take for its handshake."""

_QUIET = logging.getLogger("pipeline.emulator.websockets")
_QUIET.setLevel(logging.CRITICAL)


class Events(Protocol):
    """Who is told what happens on the sockets; called on the event loop, must not block."""

    def opened(self, number: int, target: Target) -> None: ...

    def received(self, number: int, data: bytes | str) -> None: ...

    def closed(self, number: int) -> None: ...

    def refuses(self, target: Target) -> int | None:
        """The HTTP status a request is refused with, if it is."""
        ...

    def failed(self, error: Exception) -> None: ...


class Listener:
    """Signaling and media URLs of all streams."""

    def __init__(self, events: Events, *, text: bool) -> None:
        self._events = events
        self._framer = Framer(text=text)
        self._numbers = itertools.count(1)
        self._peers: dict[int, Peer] = {}
        self._servers: list[Server] = []
        self._empty = asyncio.Event()
        self._empty.set()

    async def start(self, host: str, port: int, context: ssl.SSLContext | None) -> int:
        """Listen; the port. ``localhost`` means both loopback addresses. Raises InUse, BadInput."""
        sockets = listening_sockets(host, port)
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
        found: int = sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Close what is open and stop listening."""
        for server in self._servers:
            server.close()
        for server in self._servers:
            await server.wait_closed()

    def send(self, number: int, payload: bytes) -> None:
        """One message; nothing happens when the connection is gone."""
        peer = self._peers.get(number)
        if peer is not None:
            peer.send(payload)

    def piece(self, number: int, payload: bytes, *, first: bool, last: bool) -> None:
        """A part of a message."""
        peer = self._peers.get(number)
        if peer is not None:
            peer.piece(payload, first=first, last=last)

    def close(self, number: int, code: int) -> None:
        """With a close frame, after what was sent before."""
        peer = self._peers.get(number)
        if peer is not None:
            peer.close(code)

    def abort(self, number: int) -> None:
        """Without a close frame, at once."""
        peer = self._peers.get(number)
        if peer is not None:
            peer.abort()

    def waiting(self) -> int:
        """Bytes that clients have not taken yet."""
        return sum(peer.waiting for peer in self._peers.values())

    async def emptied(self, seconds: float) -> None:
        """Wait until no connection is open, but not longer than that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()

    def _route(self, _: ServerConnection, request: Request) -> Response | None:
        found = target(request.path)
        if found is None:
            return _answer(404)
        status = self._events.refuses(found)
        return None if status is None else _answer(status)

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        found = target(connection.request.path)
        assert found is not None
        number = next(self._numbers)
        peer = self._peers[number] = Peer(connection, self._framer)
        self._empty.clear()
        writer = asyncio.ensure_future(peer.write())
        self._events.opened(number, found)
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


def _answer(status: int) -> Response:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Refused"
    body = f"{phrase}\n".encode()
    headers = Headers(
        {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
    )
    return Response(status, phrase, headers, body)
