"""One websocket to Zoom, narrowed to what the protocol needs.

Frames are handed over in the event loop's own callback: no queue, so nothing to overflow, and no
task switch a message. The rules of the protocol are the websockets library's (without its I/O).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final, Protocol, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException
from websockets.protocol import State
from websockets.uri import parse_uri

from pipeline.base.errors import ZoomError
from pipeline.rtms.frames import Inbound
from pipeline.rtms.settings import RtmsSettings

WRITE_LIMIT: Final = 256 * 1024
"""Bytes sent and not taken by the peer. We send little: a peer that is so far behind is gone."""

_HEAD_LIMIT: Final = 32 * 1024
"""Bytes of the answer to the upgrade."""

_NORMAL: Final = 1000

Take = Callable[[bytes], bool]
"""Takes the payload of one frame; False: no more of them."""


class ConnectionEnded(ZoomError):
    """The socket is gone; the message says how (close code, reset). ``frame``: the peer sent a
    close frame."""

    def __init__(self, message: str, *, frame: bool = False) -> None:
        super().__init__(message, kind="closed", retryable=True)
        self.frame = frame


class Transport(Protocol):
    """A connected websocket."""

    def send(self, data: bytes) -> None:
        """Send one text frame; waits for nothing. Raises ConnectionEnded."""
        ...

    async def receive(self, take: Take) -> None:
        """Hand the payload of each text or binary frame to ``take`` as it arrives, until it
        returns False. Raises ConnectionEnded when the connection ends, and what ``take`` raises.
        """
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


class WebsocketTransport(asyncio.Protocol):
    """A ``Transport``, and the callbacks of its socket."""

    def __init__(self, protocol: ClientProtocol, settings: RtmsSettings) -> None:
        self._protocol = protocol
        self._limit = settings.message_limit
        self._close_timeout_s = settings.close_timeout_s
        loop = asyncio.get_running_loop()
        self._socket: asyncio.Transport | None = None
        self._upgraded: asyncio.Future[None] = loop.create_future()
        # A failure that came after somebody stopped waiting for it is no news.
        self._upgraded.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._gone: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._inbound: Inbound | None = None
        self._head = b""
        self._early: list[bytes] = []
        self._take: Take | None = None
        self._stopped = False
        self._why = ""
        self._fault: Exception | None = None

    # -- what the event loop calls ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast("asyncio.Transport", transport)  # uvloop's is none by class
        request = self._protocol.connect()
        request.headers["User-Agent"] = "rtms-notes"
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        inbound = self._inbound
        if inbound is None:
            self._upgrade(data)
            return
        take = self._take
        try:
            for message in inbound.feed(data):
                if take is None:
                    if not self._ended.done():
                        self._early.append(message)
                elif not take(message):
                    self._take = take = None
                    self._stopped = True
                    self._end()
        except Exception as error:  # noqa: BLE001 - a fault of ours: ``receive`` raises it
            self._take = None
            self._fault = error
            self._end()
        if inbound.answered:
            inbound.answered = False
            self._flush()
            if self._protocol.state is not State.OPEN:
                self._end()

    def eof_received(self) -> bool | None:
        self._protocol.receive_eof()
        self._flush()
        return None  # the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.receive_eof()
        if not self._upgraded.done():
            self._upgraded.set_exception(exc or EOFError("the connection was closed"))
        self._end()
        if not self._gone.done():
            self._gone.set_result(None)

    # -- Transport ----------------------------------------------------------------------------

    async def upgraded(self) -> None:
        """Until the server agreed to speak websocket. Raises InvalidHandshake, EOFError or
        OSError."""
        await self._upgraded

    def send(self, data: bytes) -> None:
        if self._protocol.state is not State.OPEN or self._ended.done() or self._socket is None:
            raise self._ended_how()
        self._protocol.send_text(data)
        self._flush()
        if self._why:
            raise self._ended_how()

    async def receive(self, take: Take) -> None:
        early, self._early = self._early, []
        for message in early:
            if not take(message):
                return
        if not self._ended.done() and self._socket is not None:
            self._take = take
            self._socket.resume_reading()
        try:
            await asyncio.shield(self._ended)
        finally:
            self._take = None
            if self._fault is not None:
                fault, self._fault = self._fault, None
                raise fault
        if not self._stopped:
            raise self._ended_how()

    async def close(self) -> None:
        self._take = None
        self._end()
        if self._socket is None or self._gone.done():
            return
        try:
            self._socket.resume_reading()
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(_NORMAL)
            self._flush()
            await asyncio.wait([self._gone], timeout=self._close_timeout_s)
        finally:
            self.abort()
        await asyncio.shield(self._gone)

    def abort(self) -> None:
        """Let go of the socket at once."""
        if self._socket is not None:
            self._socket.abort()

    # -- inside -------------------------------------------------------------------------------

    def _upgrade(self, data: bytes) -> None:
        """The answer to our request; what follows its head are frames."""
        if self._upgraded.done():
            return
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            if len(self._head) > _HEAD_LIMIT:
                self._upgraded.set_exception(InvalidHandshake("its answer does not end"))
                self.abort()
            return
        head, rest, self._head = self._head[: end + 4], self._head[end + 4 :], b""
        self._protocol.receive_data(head)
        if self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            # The body of a refusal; nobody reads it.
            self._upgraded.set_exception(InvalidHandshake(_status(head)))
            self.abort()
        elif self._protocol.handshake_exc is not None:
            self._upgraded.set_exception(self._protocol.handshake_exc)
            self.abort()
        else:
            self._protocol.events_received()
            assert self._socket is not None
            self._socket.pause_reading()  # until somebody receives
            self._inbound = Inbound(self._protocol, self._limit)
            self._upgraded.set_result(None)
            if rest:
                self.data_received(rest)

    def _flush(self) -> None:
        assert self._socket is not None
        for data in self._protocol.data_to_send():
            if self._socket.is_closing():
                return
            if data:
                self._socket.write(data)
            elif self._socket.can_write_eof():
                self._socket.write_eof()
        if self._socket.get_write_buffer_size() > WRITE_LIMIT:  # answers to pings, too
            self._why = "the peer does not take what we send"
            self._end()
            self.abort()

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    def _ended_how(self) -> ConnectionEnded:
        if self._why:
            return ConnectionEnded(self._why)
        if self._protocol.close_rcvd is not None:
            code = self._protocol.close_rcvd.code
            return ConnectionEnded(f"closed with code {code}", frame=True)
        if self._protocol.close_sent is not None:
            ours = self._protocol.close_sent  # its reason is the library's text
            why = f" ({ours.reason})" if ours.reason else ""
            return ConnectionEnded(f"closed by us with code {ours.code}{why}")
        return ConnectionEnded("dropped without a close frame")


async def connect(url: str, *, address: str, settings: RtmsSettings) -> Transport:
    """The real ``Connect``: TLS verified, no proxy, no redirect, no compression."""
    wire: WebsocketTransport | None = None
    try:
        uri = parse_uri(url)
        loop = asyncio.get_running_loop()
        protocol = ClientProtocol(uri, max_size=settings.message_limit)
        async with asyncio.timeout(settings.connect_timeout_s):
            _, wire = await loop.create_connection(
                lambda: WebsocketTransport(protocol, settings),
                address,
                uri.port,
                ssl=_tls(settings.ca_file) if uri.secure else None,
                server_hostname=uri.host if uri.secure else None,
            )
            await wire.upgraded()
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
    else:
        connected, wire = wire, None
        return connected
    finally:
        if wire is not None:
            wire.abort()


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


def _status(head: bytes) -> str:
    return f"it answered {head.split(b' ', 2)[1][:3].decode('ascii', 'replace')}"


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]
