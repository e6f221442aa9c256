"""Scripted speech-to-text servers over websockets, with the faults of real ones: for tests.

The part that is the same for ``FakeRealtime`` and ``FakeDeepgram``. ``async with
FakeRealtime([Says("hello")]) as server:`` serves at ``server.base_url``; each connection takes the
next turn of the script, then ``otherwise``. ``server.calls`` holds what came.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response


@dataclass(frozen=True)
class Says:
    """Hears that text: pieces of it while audio comes, the whole at the end. ``languages``: what
    it detects; ``early``: it hears pieces before the audio has ended."""

    text: str = ""
    languages: tuple[str, ...] = ()
    early: bool = True


@dataclass(frozen=True)
class Refuses:
    """The handshake is answered with an HTTP status."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Closes:
    """A close frame once audio has come, or (``at_end``) instead of the final words."""

    code: int
    reason: str = ""
    at_end: bool = True


@dataclass(frozen=True)
class Drops:
    """The connection is cut instead of the final words."""


@dataclass(frozen=True)
class Tells:
    """Any message, as it is, instead of the final words."""

    message: str | bytes


@dataclass(frozen=True)
class Reports:
    """An error message of its kind of server. ``repeats``: it quotes the key."""

    code: str
    type: str = "invalid_request_error"
    repeats: str = ""


@dataclass(frozen=True)
class Mixes:
    """The final words are said to be of another item, request or stretch of time."""

    text: str
    how: str = "id"


@dataclass(frozen=True)
class Silent:
    """Takes everything and never answers."""


@dataclass(frozen=True)
class Deaf:
    """Does not even read what is sent."""


@dataclass(frozen=True)
class Endless:
    """Tentative words for ever, once the audio has ended."""


Turn = Says | Refuses | Closes | Drops | Tells | Reports | Mixes | Silent | Deaf | Endless


@dataclass
class Call:
    """One connection as it came: header names in lower case, the audio as 16-bit samples."""

    path: str
    headers: dict[str, str]
    messages: list[dict[str, Any]] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def samples(self) -> NDArray[np.int16]:
        """All audio of the connection."""
        return np.frombuffer(bytes(self.audio), "<i2").astype(np.int16)


class FakeSockets(ABC):
    """A listener on loopback, over TLS with ``tls``."""

    def __init__(
        self,
        script: Iterable[Turn] = (),
        *,
        otherwise: Turn | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.calls: list[Call] = []
        self.arrived = asyncio.Event()
        """Set with the first message of any connection."""
        self.base_url = ""
        self._turns = iter(list(script))
        self._otherwise = otherwise or Says()
        self._tls = tls
        self._server: Server | None = None
        self._next: dict[ServerConnection, tuple[Turn, Call]] = {}
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._hear,
            "127.0.0.1",
            0,
            process_request=self._answer,
            compression=None,
            ssl=self._tls,
            max_queue=None,
            close_timeout=0.2,
        )
        port = next(iter(self._server.sockets)).getsockname()[1]
        scheme, host = ("https", "localhost") if self._tls else ("http", "127.0.0.1")
        self.base_url = f"{scheme}://{host}:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._closing.set()
        self._server.close()
        await self._server.wait_closed()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        turn = next(self._turns, self._otherwise)
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        call = Call(request.path, headers)
        self.calls.append(call)
        if isinstance(turn, Refuses):
            body = turn.body.encode()
            told = {**turn.headers, "Content-Length": str(len(body)), "Connection": "close"}
            call.closed.set()
            return Response(turn.status, "Refused", Headers(told), body)
        self._next[connection] = (turn, call)
        return None

    async def _hear(self, connection: ServerConnection) -> None:
        turn, call = self._next.pop(connection)
        try:
            if isinstance(turn, Deaf):
                connection.transport.pause_reading()
                await self._closing.wait()
                return
            if hello := self._hello():
                await connection.send(hello)
            async for message in connection:
                self.arrived.set()
                await self._took(connection, call, turn, message)
            await connection.wait_closed()
        except ConnectionClosed:
            pass  # the client's right
        finally:
            call.closed.set()

    async def _end(self, connection: ServerConnection, call: Call, turn: Turn) -> None:
        """What comes instead of the final words, if anything does."""
        match turn:
            case Closes(code, reason):
                await connection.close(code, reason)
            case Drops():
                connection.transport.abort()
            case Tells(message):
                await connection.send(message)
            case Reports():
                await connection.send(json.dumps(self._error(turn)))
            case Endless():
                while not self._closing.is_set():
                    await connection.send(self._tentative("and so on ", call))
                    await asyncio.sleep(0)
            case Silent() | Refuses() | Deaf():
                pass
            case Says() | Mixes():
                for told in self._final(turn, call):
                    await connection.send(told)

    def _hello(self) -> str:
        """The first message, if there is one."""
        return ""

    @abstractmethod
    async def _took(
        self, connection: ServerConnection, call: Call, turn: Turn, message: str | bytes
    ) -> None:
        """One message of the client."""

    @abstractmethod
    def _error(self, turn: Reports) -> dict[str, Any]:
        """An error message."""

    @abstractmethod
    def _tentative(self, text: str, call: Call) -> str:
        """A message with words that may change."""

    @abstractmethod
    def _final(self, turn: Says | Mixes, call: Call) -> list[str]:
        """The messages with the final words."""
