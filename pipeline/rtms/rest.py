"""Zoom's REST API, as far as RTMS needs it: start RTMS again (reference section 2.6).

The token goes to the configured hosts only, over TLS, never along a redirect, and into no log.
"""

from __future__ import annotations

from typing import Any, Final, Literal
from urllib.parse import quote

import aiohttp
import msgspec
import structlog
from yarl import URL

from pipeline.base.clock import Clock
from pipeline.base.errors import ConfigError, OutsideError, ZoomError
from pipeline.base.url_guard import UrlGuard
from pipeline.model.events import Product
from pipeline.rtms.credentials import ApiSettings
from pipeline.rtms.products import Announcement

log = structlog.get_logger()

_MOST_BYTES: Final = 64 * 1024
_EARLY_S: Final = 60.0
"""A token is renewed so long before it expires."""
_MOST_WAIT_S: Final = 120.0

_NO_CALL: Final[dict[Product, str]] = {
    "webinar": "Zoom documents no REST call that starts RTMS of a webinar",
    "session": "starting RTMS of a Video SDK session by REST needs that SDK's own API key,"
    " which this program does not use",
    "contact_center": "Zoom documents no REST call that starts RTMS of an engagement",
}

_ADVICE: Final = {
    2308: "the token's user may not start RTMS here: host or alternative host, or an invitee",
    2310: "the account has no active Developer Pack, or is of a type without RTMS",
    3000: "the meeting is not running (any more)",
    3001: "there is no such meeting (any more)",
    4711: "the API app lacks the scope meeting:update:participant_rtms_app_status",
}
"""By Zoom's error code, from its troubleshooting page and API reference."""

_PASSING_CODES: Final = frozenset({3000})
"""Told about a meeting that is just beginning, too."""


class RestError(ZoomError):
    """Zoom's API refused or could not be asked. ``status`` is HTTP's, ``code`` Zoom's;
    ``retry_after_s`` is what Zoom asked to wait."""

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        retryable: bool,
        status: int = 0,
        code: int = 0,
        retry_after_s: float = 0.0,
    ) -> None:
        super().__init__(message, kind=kind, retryable=retryable)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s


def start_path(announcement: Announcement) -> str:
    """The path under ``api_url`` of the call that starts RTMS of what was announced.

    Raises RestError (``no_call``) saying why there is none.
    """
    match announcement.product:
        case "meeting" if announcement.number is not None:
            return f"/live_meetings/{quote(announcement.number, safe='')}/rtms_app/status"
        case "meeting":
            why = "Zoom's webhook did not carry the meeting's number (meeting_id)"
        case "phone":
            return f"/phone/calls/{quote(announcement.zoom_id, safe='')}/rtms_app/status"
        case other:
            why = _NO_CALL[other]
    raise RestError(why, kind="no_call", retryable=False)


def check_urls(settings: ApiSettings, guard: UrlGuard) -> None:
    """The hosts that are given credentials must be Zoom's. Raises ConfigError."""
    for name in ("api_url", "token_url"):
        url = getattr(settings, name)
        scheme, _, rest = url.partition("://")
        as_socket = {"https": "wss", "http": "ws"}.get(scheme.lower(), scheme)
        try:
            guard.check(f"{as_socket}://{rest}")
        except OutsideError as error:
            raise ConfigError(f"zoom_api.{name}: {_as_http(str(error))}") from error


class ZoomApi:
    """Asks with ``settings`` for the app ``app_client_id``. Raises ConfigError for a forbidden
    host. Close it."""

    def __init__(
        self,
        settings: ApiSettings,
        *,
        app_client_id: str,
        guard: UrlGuard,
        clock: Clock,
    ) -> None:
        check_urls(settings, guard)
        self._settings = settings
        self._app_client_id = app_client_id
        self._clock = clock
        self._token: str | None = None
        self._expires_at = 0.0
        self._session: aiohttp.ClientSession | None = None

    async def start(self, announcement: Announcement) -> None:
        """Ask Zoom to start RTMS; it then announces a new stream. Raises RestError."""
        path = start_path(announcement)
        settings = {"client_id": self._app_client_id}
        if self._settings.participant_user_id:
            settings["participant_user_id"] = self._settings.participant_user_id
        body = msgspec.json.encode({"action": "start", "settings": settings})
        try:
            await self._patch(path, body)
        except RestError as error:
            if error.status != 401 or self._token is None:
                raise
            self._token = None  # revoked or expired early: once more with a new one
            await self._patch(path, body)

    async def log_in(self) -> None:
        """Get a token, to see that the credentials are good. Raises RestError."""
        await self._bearer()

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def _patch(self, path: str, body: bytes) -> None:
        headers = {
            "Authorization": f"Bearer {await self._bearer()}",
            "Content-Type": "application/json",
        }
        url = self._settings.api_url.rstrip("/") + path
        status, answer, retry_after = await self._ask("PATCH", url, headers, body)
        if not 200 <= status < 300:
            raise _refused("Zoom's API", status, answer, retry_after)
        log.info("zoom_api.started", status=status)

    async def _bearer(self) -> str:
        """A token, from the last answer while that is good. Raises RestError."""
        if self._token is not None and self._clock.monotonic() < self._expires_at:
            return self._token
        settings = self._settings
        form = {"grant_type": "client_credentials"}
        if settings.account_id:
            form = {"grant_type": "account_credentials", "account_id": settings.account_id}
        login = aiohttp.encode_basic_auth(settings.client_id, settings.client_secret.reveal())
        headers = {
            "Authorization": login,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = "&".join(f"{key}={quote(value, safe='')}" for key, value in form.items())
        status, answer, retry_after = await self._ask(
            "POST", settings.token_url, headers, body.encode()
        )
        if status != 200:
            raise _refused("Zoom's OAuth", status, answer, retry_after)
        token, lasts = answer.get("access_token"), answer.get("expires_in")
        if (
            not isinstance(token, str)
            or not token
            or not token.isascii()
            or not token.isprintable()
        ):
            text = "Zoom's OAuth gave no access token"
            raise RestError(text, kind="bad_answer", retryable=True, status=status)
        seconds = float(lasts) if isinstance(lasts, int) and 0 < lasts < 86_400 else 3_600.0
        self._token = token
        self._expires_at = self._clock.monotonic() + max(0.0, seconds - _EARLY_S)
        return token

    async def _ask(
        self, method: Literal["PATCH", "POST"], url: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, Any], float]:
        """Status, JSON object (or an empty one) and ``Retry-After`` of the answer."""
        try:
            async with self._open().request(
                method, URL(url, encoded=True), headers=headers, data=body, allow_redirects=False
            ) as response:
                text = b""
                async for chunk in response.content.iter_any():
                    text += chunk
                    if len(text) > _MOST_BYTES:
                        break
                return response.status, _object(text), _seconds(response.headers)
        except TimeoutError as error:
            raise _unreachable(url, "no answer in time", "timeout") from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise _unreachable(url, "its certificate is not accepted", "tls", False) from error
        except aiohttp.ClientSSLError as error:
            raise _unreachable(url, "TLS failed", "tls") from error
        except aiohttp.ClientConnectorError as error:
            text_of = error.os_error.strerror or "no connection"
            raise _unreachable(url, text_of, "refused") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _unreachable(url, type(error).__name__, "broken") from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            settings = self._settings
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    connect=settings.connect_timeout_s,
                    sock_connect=settings.connect_timeout_s,
                    sock_read=settings.answer_timeout_s,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                headers={"User-Agent": "rtms-notes"},
            )
        return self._session


def _refused(who: str, status: int, answer: dict[str, Any], retry_after: float) -> RestError:
    """What a status other than success means, with Zoom's own words and what to do."""
    code = answer.get("code")
    number = code if type(code) is int else 0
    said = next(
        (v for k in ("message", "reason", "error") if isinstance(v := answer.get(k), str) and v),
        "",
    )
    text = f"{who} answered {status}"
    if number:
        text += f", code {number}"
    if said:
        text += f" ({' '.join(said.split())[:120]})"
    if number in _ADVICE:
        text += f": {_ADVICE[number]}"
    elif status == 401 or (who == "Zoom's OAuth" and status == 400):
        text += ": check ZOOM_ACCOUNT_ID, ZOOM_API_CLIENT_ID and ZOOM_API_CLIENT_SECRET"
    elif 300 <= status < 400:
        text += ": redirects are not followed"
    kind, retryable = _kind(status, number)
    return RestError(
        text,
        kind=kind,
        retryable=retryable,
        status=status,
        code=number,
        retry_after_s=min(retry_after, _MOST_WAIT_S),
    )


def _kind(status: int, code: int) -> tuple[str, bool]:
    """A word for metrics and state, and whether the same may go well later. Pure."""
    if status == 429:
        return "rate_limited", True
    if status >= 500:
        return "server_error", True
    if status == 401:
        return "unauthorized", False
    return "rejected", code in _PASSING_CODES or status == 408


def _unreachable(url: str, how: str, kind: str, retryable: bool = True) -> RestError:
    return RestError(f"{URL(url).host}: {how}", kind=kind, retryable=retryable)


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(headers: Any) -> float:
    value = headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 7 else 0.0


def _as_http(text: str) -> str:
    return text.replace("wss://", "https://").replace("ws://", "http://")
