"""One websocket to Zoom, narrowed to what the protocol needs."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable
from functools import lru_cache
from typing import Protocol

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as _websocket
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidURI,
    WebSocketException,
)

from pipeline.base.errors import ZoomError
from pipeline.rtms.settings import RtmsSettings


class ConnectionEnded(ZoomError):
    """The socket is gone; the message says how (close code, reset)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind="closed", retryable=True)


class Transport(Protocol):
    """A connected websocket."""

    async def send(self, data: bytes) -> None:
        """Send one text frame. Raises ConnectionEnded."""
        ...

    async def receive(self) -> bytes:
        """The payload of the next text or binary frame. Raises ConnectionEnded."""
        ...

    async def close(self) -> None:
        """Send a close frame, wait a bounded time for the peer's, and let go. Never raises."""
        ...


class Connect(Protocol):
    """Opens a websocket to an address that was checked before."""

    def __call__(self, url: str, *, address: str, settings: RtmsSettings) -> Awaitable[Transport]:
        """Connect to ``address`` for ``url`` (its host is used for TLS and ``Host``).

        Raises ZoomError; ``kind`` is ``refused``, ``timeout``, ``tls`` or ``upgrade``.
        """
        ...


class _OneUrl(_websocket):
    """Follows no redirect: only the address that was checked is talked to."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class WebsocketTransport:
    """A ``Transport`` over the websockets library."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, data: bytes) -> None:
        try:
            await self._connection.send(data, text=True)
        except ConnectionClosed as error:
            raise ConnectionEnded(_how(error)) from error

    async def receive(self) -> bytes:
        try:
            return await self._connection.recv(decode=False)
        except ConnectionClosed as error:
            raise ConnectionEnded(_how(error)) from error

    async def close(self) -> None:
        # Frames nobody reads any more would hold up the peer's close frame: read them away.
        closing = asyncio.create_task(self._connection.close())
        try:
            while True:
                await self._connection.recv(decode=False)
        except ConnectionClosed:
            await closing
        except asyncio.CancelledError:
            self._connection.transport.abort()
            closing.cancel()
            await asyncio.wait([closing])
            raise


async def connect(url: str, *, address: str, settings: RtmsSettings) -> Transport:
    """The real ``Connect``: TLS verified, no proxy, no redirect, no compression."""
    secure = url.lower().startswith("wss:")
    try:
        connection = await _OneUrl(
            url,
            host=address,
            ssl=_tls(settings.ca_file) if secure else None,
            proxy=None,
            compression=None,
            max_size=settings.max_message_bytes,
            open_timeout=settings.connect_timeout_s,
            close_timeout=settings.close_timeout_s,
            ping_interval=None,
            user_agent_header="rtms-notes",
        )
    except TimeoutError as error:
        raise ZoomError("no answer to the connection", kind="timeout", retryable=True) from error
    except ssl.SSLCertVerificationError as error:
        text = f"TLS certificate not accepted ({error.verify_message})"
        raise ZoomError(text, kind="tls", retryable=False) from error
    except ssl.SSLError as error:
        raise ZoomError(f"TLS failed ({error.reason})", kind="tls", retryable=True) from error
    except InvalidURI as error:
        raise ZoomError("not a websocket URL", kind="upgrade", retryable=False) from error
    except (InvalidHandshake, WebSocketException, EOFError) as error:
        text = f"not a websocket server ({_short(error)})"
        raise ZoomError(text, kind="upgrade", retryable=True) from error
    except OSError as error:
        text = f"cannot connect ({error.strerror or _short(error)})"
        raise ZoomError(text, kind="refused", retryable=True) from error
    return WebsocketTransport(connection)


@lru_cache(maxsize=4)
def _tls(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            text = f"rtms.ca_file {ca_file}: cannot be used ({_short(error)})"
            raise ZoomError(text, kind="tls", retryable=False) from error
    return context


def _how(error: ConnectionClosed) -> str:
    if error.rcvd is not None:
        return f"closed with code {error.rcvd.code}"
    if error.sent is not None:
        return f"closed by us with code {error.sent.code}"
    return "dropped without a close frame"


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]
