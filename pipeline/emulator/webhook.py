"""Sends webhooks as Zoom does: signed, with a time-out, and again later (reference section 2)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog

from pipeline.base.clock import Clock
from pipeline.base.errors import BadInput, OutsideError
from pipeline.emulator.settings import EmulatorSettings
from pipeline.rtms.signature import challenge_answer, webhook_signature

_LOG = structlog.get_logger(__name__)
_PLAIN_TOKEN: Final = "rtms-notes-emulator"  # noqa: S105 - it is sent in the clear


class WebhookFailed(OutsideError):
    """The receiver cannot be reached, did not answer in time, or refused."""

    source = "webhook"

    @property
    def busy(self) -> bool:
        """Somebody is there who could not take it now."""
        return self.kind == "timeout" or self.kind.startswith("http_5")


class WebhookSender:
    """Posts to one URL. ``async with`` it."""

    def __init__(self, url: str, settings: EmulatorSettings, clock: Clock) -> None:
        self._url = url
        self._settings = settings
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self.delivered: list[str] = []
        """Names of the events that were answered well, in order."""

    async def __aenter__(self) -> WebhookSender:
        """Raises BadInput for what is no http(s) URL."""
        parts = urlsplit(self._url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput(
                f"--webhook {self._url!r}: not an address like http://localhost:8090/webhook"
            )
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),  # waiting for a turn is no answer's fault
            timeout=aiohttp.ClientTimeout(total=self._settings.webhook_timeout_s),
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def challenge(self) -> str | None:
        """Validate the URL as Zoom does before it sends anything (section 2.3).

        None when the answer is right, else what is wrong with it. Raises WebhookFailed.
        """
        body = {
            "event": "endpoint.url_validation",
            "event_ts": self._clock.now_ms(),
            "payload": {"plainToken": _PLAIN_TOKEN},
        }
        answer = await self._post(body)
        try:
            found = msgspec.json.decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return "the answer to the validation challenge is not JSON"
        expected = challenge_answer(self._settings.secret_token, _PLAIN_TOKEN)
        if not isinstance(found, dict) or found.get("encryptedToken") != expected:
            return "the answer to the validation challenge is wrong (another secret token?)"
        return None

    async def send(
        self, name: str, at_ms: int, fields: Mapping[str, Any], *, nested: bool = False
    ) -> None:
        """One try. ``fields``: the payload, or with ``nested`` (or by the settings) what stands
        under ``payload.object``. Raises WebhookFailed."""
        payload = dict(fields)
        if nested or self._settings.webhook_form == "nested":
            inside = {key: value for key, value in payload.items() if key != "account_id"}
            payload = {key: payload[key] for key in payload if key == "account_id"}
            payload["object"] = inside
        await self._post({"event": name, "event_ts": at_ms, "payload": payload})
        self.delivered.append(name)

    async def send_again(
        self,
        name: str,
        at_ms: int,
        fields: Mapping[str, Any],
        *,
        nested: bool = False,
        after: WebhookFailed,
    ) -> bool:
        """The tries that follow a failed one, after Zoom's delays (divided by the speed); False
        when all failed."""
        error = after
        for seconds in self._settings.webhook_retries_s:
            delay = seconds / self._settings.speed
            _LOG.warning("webhook failed", reason=str(error), again_in_s=delay)
            await self._clock.sleep(delay)
            try:
                await self.send(name, at_ms, fields, nested=nested)
            except WebhookFailed as failed:
                error = failed
            else:
                return True
        _LOG.warning("webhook given up", reason=str(error))
        return False

    async def _post(self, body: Mapping[str, Any]) -> bytes:
        assert self._session is not None
        raw = msgspec.json.encode(body)
        timestamp = str(self._clock.now_ms() // 1000)
        headers = {
            "content-type": "application/json",
            "x-zm-request-timestamp": timestamp,
            "x-zm-signature": webhook_signature(self._settings.secret_token, timestamp, raw),
        }
        name = body["event"]
        try:
            async with self._session.post(
                self._url, data=raw, headers=headers, allow_redirects=False
            ) as response:
                answer = await response.content.read(65_536)
                status = response.status
        except (TimeoutError, asyncio.IncompleteReadError):
            raise WebhookFailed(
                f"webhook {self._url}: no answer to {name} within"
                f" {self._settings.webhook_timeout_s:g} s",
                kind="timeout",
                retryable=True,
            ) from None
        except (aiohttp.ClientError, ValueError, OSError) as error:
            raise WebhookFailed(
                f"webhook {self._url}: cannot be reached ({_why(error)})",
                kind="unreachable",
                retryable=True,
            ) from error
        if status not in (200, 204):
            hint = " (another secret token?)" if status in (401, 403) else ""
            raise WebhookFailed(
                f"webhook {self._url}: answered {status} to {name}{hint}",
                kind=f"http_{status}",
                retryable=status >= 500,
            )
        return answer


def _why(error: Exception) -> str:
    """aiohttp's words without its talk of TLS, which misleads where there is none."""
    refused = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(refused, ConnectionRefusedError):
        return "nothing listens there; start your client's webhook server first"
    return str(refused) or type(refused).__name__
