"""The webhook listener: checks, answers within milliseconds, and only then tells (section 2).

Nothing here logs a signature, a token or a body.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
import structlog
from aiohttp import web

from pipeline.base import metrics
from pipeline.base.clock import Clock
from pipeline.base.secret import Secret
from pipeline.base.seldom import Seldom
from pipeline.model.events import Product
from pipeline.rtms.moments import unix_ms
from pipeline.rtms.products import (
    CONCURRENCY_EVENTS,
    EVENT_NAMES,
    Announcement,
    Concurrency,
    announcement,
    concurrency,
    payload_fields,
    stream_ids,
)
from pipeline.rtms.signature import Verdict, challenge_answer, verify_webhook
from pipeline.rtms.standing import stop_reason

log = structlog.get_logger()

MAX_BODY: Final = 64 * 1024
BODY_TIMEOUT_S: Final = 5.0
REMEMBERED: Final = 10_000
"""Deliveries kept to tell repeated ones; Zoom repeats for 85 minutes (section 2.5)."""

_CHALLENGE: Final = "endpoint.url_validation"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_+/=.-]{1,256}")
"""What a challenge may look like. Never a colon: the answer is keyed with the secret that also
signs webhooks as ``v0:time:body``, and must not become a way to have such a text signed."""

_REFUSALS: Final = {
    Verdict.MISSING: "no x-zm-signature or x-zm-request-timestamp",
    Verdict.BAD_TIME: "x-zm-request-timestamp is not a Unix time",
    Verdict.STALE: "x-zm-request-timestamp is more than 300 s from our clock",
    Verdict.FORGED: "x-zm-signature does not match: check ZOOM_SECRET_TOKEN",
}


class Started(msgspec.Struct, frozen=True):
    """A stream is offered, or offered anew with other URLs (failover)."""

    announcement: Announcement


class Interrupted(msgspec.Struct, frozen=True):
    """Zoom lost the signaling connection of a stream, at ``at_ms`` of its clock (None: it did not
    say), and waits for us. Delivery may be minutes late (section 2.5)."""

    product: Product
    zoom_id: str
    stream: str
    at_ms: int | None


class Stopped(msgspec.Struct, frozen=True):
    """A stream is over. ``reason``: StopReason."""

    product: Product
    zoom_id: str
    stream: str
    reason: int | None


Notice = Started | Interrupted | Stopped | Concurrency


class _Reply(msgspec.Struct, frozen=True):
    outcome: str
    status: int
    text: str = ""
    body: dict[str, str] | None = None
    notice: Notice | None = None


def webhook_app(
    *, secret_token: Secret, clock: Clock, on_notice: Callable[[Notice], None]
) -> web.Application:
    """The listener's application: ``POST /webhook`` and nothing else.

    ``on_notice`` is called on the event loop after the answer is prepared; what it raises goes to
    the loop's exception handler and never to Zoom.
    """
    listener = _Listener(secret_token, clock, on_notice)
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_one_line])
    app.router.add_post("/webhook", listener.handle)
    return app


class _Listener:
    def __init__(
        self, secret_token: Secret, clock: Clock, on_notice: Callable[[Notice], None]
    ) -> None:
        self._secret = secret_token
        self._clock = clock
        self._on_notice = on_notice
        self._seldom = Seldom(clock)
        self._seen: OrderedDict[tuple[object, ...], None] = OrderedDict()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One delivery."""
        started = self._clock.monotonic()
        body = await _raw_body(request)
        reply = (
            body
            if isinstance(body, _Reply)
            else self._judge(
                body,
                request.headers.get("x-zm-signature"),
                request.headers.get("x-zm-request-timestamp"),
            )
        )
        if reply.notice is not None:
            asyncio.get_running_loop().call_soon(self._on_notice, reply.notice)
        metrics.WEBHOOKS.labels(reply.outcome).inc()
        metrics.WEBHOOK_LATENCY.observe(self._clock.monotonic() - started)
        if reply.status >= 400 and (count := self._seldom.due(reply.outcome)):
            log.warning("webhook.refused", outcome=reply.outcome, status=reply.status, count=count)
        if reply.body is not None:
            return web.json_response(reply.body)
        return web.Response(status=reply.status, text=reply.text + "\n" if reply.text else "")

    def _judge(self, body: bytes, signature: str | None, timestamp: str | None) -> _Reply:
        """Signature first; JSON is parsed only for what is signed, or may be a challenge."""
        now_ms = self._clock.now_ms()
        found = verify_webhook(self._secret, signature, timestamp, body, now_ms)
        if found is not Verdict.VALID and (signature or not self._secret):
            return _Reply(found.value, 401, _REFUSALS[found])
        message = _parse(body)
        event = message.get("event") if message is not None else None
        if found is not Verdict.VALID and event != _CHALLENGE:
            return _Reply(found.value, 401, _REFUSALS[found])
        if message is None:
            return _Reply("bad_json", 400, "the body is not a JSON object")
        if not isinstance(event, str) or not event:
            return _Reply("bad_payload", 400, "the body has no event")
        if event == _CHALLENGE:
            return self._challenge(message)
        return self._deliver(event, message, timestamp, now_ms)

    def _challenge(self, message: Mapping[str, Any]) -> _Reply:
        token = payload_fields(message).get("plainToken")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            return _Reply("bad_payload", 400, "payload.plainToken is not a token")
        answer = {"plainToken": token, "encryptedToken": challenge_answer(self._secret, token)}
        return _Reply("challenge", 200, body=answer)

    def _deliver(
        self, event: str, message: Mapping[str, Any], timestamp: str | None, now_ms: int
    ) -> _Reply:
        fields = payload_fields(message)
        event_ts = message.get("event_ts")
        sent_ms = unix_ms(event_ts) if type(event_ts) is int else None
        if event in CONCURRENCY_EVENTS:
            account = concurrency(event, fields, sent_ms or now_ms)
            if self._repeated((event, account.zoom_id, sent_ms or timestamp)):
                return _Reply("duplicate", 200)
            return _Reply("account", 200, notice=account)
        if event not in EVENT_NAMES:
            return _Reply("ignored", 200)
        product, happening = EVENT_NAMES[event]
        try:
            notice = _notice(product, happening, fields, sent_ms, now_ms)
        except ValueError as error:
            return _Reply("bad_payload", 400, str(error))
        urls, stream = "", ""
        if isinstance(notice, Started):
            urls, stream = notice.announcement.server_urls, notice.announcement.stream
        elif not isinstance(notice, Concurrency):
            stream = notice.stream
        if self._repeated((product, happening, stream, sent_ms or timestamp, urls)):
            return _Reply("duplicate", 200)
        return _Reply("accepted", 200, notice=notice)

    def _repeated(self, key: tuple[object, ...]) -> bool:
        if key in self._seen:
            return True
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return False


def _notice(
    product: Product, happening: str, fields: Mapping[str, Any], sent_ms: int | None, now_ms: int
) -> Notice:
    if happening == "started":
        return Started(announcement(product, fields, sent_ms or now_ms))
    found, stream = stream_ids(product, fields)
    if happening == "interrupted":
        return Interrupted(product, found, stream, sent_ms)
    reason = fields.get("stop_reason")
    return Stopped(
        product,
        found,
        stream,
        stop_reason(reason),
    )


async def _raw_body(request: web.Request) -> bytes | _Reply:
    """The bytes of the body, at most ``MAX_BODY`` and within ``BODY_TIMEOUT_S``."""
    if request.content_length is not None and request.content_length > MAX_BODY:
        return _Reply("too_large", 413, f"the body is larger than {MAX_BODY} bytes")
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return _Reply("too_large", 413, f"the body is larger than {MAX_BODY} bytes")
    except TimeoutError:
        return _Reply("timeout", 408, f"the body did not arrive within {BODY_TIMEOUT_S:g} s")
    except web.RequestPayloadError:
        return _Reply("bad_payload", 400, "the body cannot be read")
    except ConnectionError:  # nobody is there for the answer; it is counted like the rest
        return _Reply("gone", 400, "the body did not come to its end")


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        message = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


@web.middleware
async def _one_line(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """404 and 405 in one line each, counted like the rest."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status == 404:
            metrics.WEBHOOKS.labels("not_found").inc()
            return web.Response(status=404, text="there is only POST /webhook here\n")
        if error.status == 405:
            metrics.WEBHOOKS.labels("wrong_method").inc()
            return web.Response(
                status=405, text="only POST is allowed\n", headers={"Allow": "POST"}
            )
        raise
