"""One websocket to a speech-to-text server: TLS checked, no proxy, no redirect, no compression."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Final, TypeVar
from urllib.parse import urlencode, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)

from pipeline.base.clock import Clock
from pipeline.base.errors import EngineError
from pipeline.transcribe.settings import SttSettings
from pipeline.transcribe.socket_errors import closed, refused

Frame = str | bytes
"""A text or a binary message."""

GOODBYE_S: Final = 1.0
"""So long a server may take to answer our close frame."""

_ABNORMAL: Final = 1006
_TOO_BIG: Final = 1009

# At DEBUG, the library would log every header (the key) and every message (the words).
_QUIET = logging.getLogger("pipeline.transcribe.websocket.library")
_QUIET.setLevel(logging.WARNING)

T = TypeVar("T")


def socket_url(base_url: str, name: str, query: list[tuple[str, str]]) -> str:
    """``base_url`` (http, https, ws or wss; with or without ``/v1``) as the websocket address of
    ``/v1/NAME``."""
    parts = urlsplit(base_url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    path = parts.path.rstrip("/")
    if path.rsplit("/", 1)[-1] != "v1":
        path += "/v1"
    return f"{scheme}://{parts.netloc}{path}/{name}?{urlencode(query)}"


class Socket:
    """An open websocket. ``headers``: of the server's answer to the handshake."""

    def __init__(
        self, connection: ClientConnection, settings: SttSettings, clock: Clock, sent: list[str]
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._clock = clock
        self._sent = sent
        self.headers: Mapping[str, str] = (
            connection.response.headers if connection.response is not None else {}
        )

    async def send(self, frame: Frame) -> None:
        """Raises EngineError: ``timeout`` when the server takes nothing, or SocketClosed."""
        try:
            await within(self._clock, self._settings.read_timeout_s, self._connection.send(frame))
        except ConnectionClosed as error:
            raise self._ended(error) from error
        except TimeoutError as error:
            raise EngineError(
                "the server takes no more audio", kind="timeout", retryable=True
            ) from error

    async def receive(self) -> Frame:
        """The next message, however late. Raises SocketClosed, or EngineError ``too_long``."""
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise self._ended(error) from error

    async def close(self) -> None:
        """Say goodbye, wait a moment for the answer, and let go. Never raises."""
        try:
            await within(self._clock, GOODBYE_S, self._connection.close())
        except (TimeoutError, WebSocketException, OSError):
            pass  # nobody there to say goodbye to
        finally:
            self._connection.transport.abort()

    def _ended(self, error: ConnectionClosed) -> EngineError:
        if error.rcvd is None and error.sent is not None and error.sent.code == _TOO_BIG:
            return EngineError("the server's answer is too long", kind="too_long")
        if error.rcvd is None:
            return closed(_ABNORMAL, "", sent=self._sent)
        return closed(error.rcvd.code, error.rcvd.reason, sent=self._sent)


class _Connect(connect):
    """The library follows redirects; audio goes where the settings say, or nowhere."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def open_socket(
    url: str, *, scheme: str, settings: SttSettings, clock: Clock, sent: tuple[str, ...] = ()
) -> Socket:
    """Connect and shake hands. ``scheme``: of the ``Authorization`` header (``Bearer``,
    ``Token``); ``sent``: texts in the address that no error may repeat.

    Raises EngineError, whose kinds are told in ``socket_errors``.
    """
    key = settings.api_key.reveal()
    if not (key.isascii() and key.isprintable()):
        raise EngineError("stt.api_key holds characters that no key has", kind="auth")
    secrets = [key, *sent] if key else list(sent)
    try:
        attempt = _Connect(
            url,
            additional_headers={"Authorization": f"{scheme} {key}"} if key else {},
            user_agent_header="rtms-notes",
            compression=None,
            proxy=None,
            open_timeout=None,
            close_timeout=None,
            ping_interval=None,  # deadlines are SocketStream's
            max_size=settings.max_answer_bytes,
            logger=_QUIET,
            ssl=_tls(settings.ca_file) if url.startswith("wss:") else None,
        )
        connection = await within(
            clock, settings.connect_timeout_s, attempt, late=lambda done: done.transport.abort()
        )
    except TimeoutError as error:
        raise EngineError(
            f"no connection within {settings.connect_timeout_s:g} s", kind="timeout", retryable=True
        ) from error
    except InvalidStatus as error:
        answer = error.response
        raise refused(
            answer.status_code,
            bytes(answer.body or b""),
            answer.headers,
            now_ms=clock.now_ms(),
            sent=secrets,
        ) from error
    except ssl.SSLCertVerificationError as error:
        text = f"TLS certificate not accepted ({error.verify_message})"
        raise EngineError(text, kind="tls") from error
    except ssl.SSLError as error:
        raise EngineError(f"TLS failed ({error.reason})", kind="tls", retryable=True) from error
    except (InvalidURI, UnicodeError) as error:  # a host that cannot be a name, too
        raise EngineError("stt.base_url makes no websocket address", kind="upgrade") from error
    except (InvalidHandshake, EOFError) as error:
        if _broke_off(error):
            raise EngineError(
                "the connection broke off before it was open", kind="connect", retryable=True
            ) from error
        raise EngineError("no websocket server at stt.base_url", kind="upgrade") from error
    except OSError as error:
        why = error.strerror or type(error).__name__
        text = f"no connection to {urlsplit(url).netloc} ({why})"
        raise EngineError(text, kind="connect", retryable=True) from error
    return Socket(connection, settings, clock, secrets)


async def within(
    clock: Clock,
    seconds: float,
    awaitable: Awaitable[T],
    *,
    late: Callable[[T], object] | None = None,
) -> T:
    """What is awaited, if it comes within so many seconds of ``clock``. Raises TimeoutError.
    ``late`` takes a result that came when nobody waited for it any more."""
    task: asyncio.Future[T] = asyncio.ensure_future(awaitable)
    limit = asyncio.ensure_future(clock.sleep(seconds))
    taken = False

    def settle(done: asyncio.Future[T]) -> None:
        if not taken and not done.cancelled() and done.exception() is None and late is not None:
            late(done.result())

    try:
        await asyncio.wait((task, limit), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            taken = True
            return task.result()
        raise TimeoutError
    finally:
        limit.cancel()
        task.cancel()
        task.add_done_callback(settle)


def _broke_off(error: Exception) -> bool:
    """Whether the handshake failed because the connection ended, not because of what was said."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, EOFError | OSError):
            return True
        cause = cause.__cause__
    return False


@lru_cache(maxsize=4)
def _tls(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            why = error.strerror or "not a certificate"
            raise EngineError(f"stt.ca_file {ca_file}: {why}", kind="tls") from error
    return context
