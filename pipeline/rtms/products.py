"""The five products that stream, and what their webhooks are called (reference section 2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from pipeline.model.events import Product
from pipeline.rtms.enums import EventType


class Announcement(msgspec.Struct, frozen=True):
    """A stream Zoom offers. ``zoom_id`` is the product's id (opaque); ``server_urls`` one or more
    signaling URLs, separated by commas; ``announced_ms`` the webhook's ``event_ts``.

    ``id_key``: which of the product's keys the webhook carried the id under (None: not known, the
    product's first); handshakes use the same. ``number``: the meeting's number (``meeting_id``),
    which Zoom's REST API wants instead. ``session_key``: the name a Video SDK app gave the session.
    """

    product: Product
    zoom_id: str
    stream: str
    server_urls: str
    announced_ms: int
    title: str | None = None
    id_key: str | None = None
    number: str | None = None
    session_key: str | None = None


class ProductWords(msgspec.Struct, frozen=True, kw_only=True):
    """What one product calls things. ``id_keys``: first the one we send in handshakes, then those
    also found in webhooks. ``events``: subscribed to once the stream is ready (section 10)."""

    prefixes: tuple[str, ...]
    id_keys: tuple[str, ...]
    events: tuple[int, ...]


_PEOPLE = (
    int(EventType.ACTIVE_SPEAKER_CHANGE),
    int(EventType.PARTICIPANT_JOIN),
    int(EventType.PARTICIPANT_LEAVE),
)
_VOICE = tuple(range(8, 35))
"""All of section 10.2; the names of 30 to 34 are not known, but they are sent on request."""

PRODUCTS: Final[Mapping[Product, ProductWords]] = {
    "meeting": ProductWords(prefixes=("meeting.rtms_",), id_keys=("meeting_uuid",), events=_PEOPLE),
    "webinar": ProductWords(
        prefixes=("webinar.rtms_",), id_keys=("webinar_uuid", "meeting_uuid"), events=_PEOPLE
    ),
    "session": ProductWords(prefixes=("session.rtms_",), id_keys=("session_id",), events=_PEOPLE),
    "contact_center": ProductWords(
        prefixes=("contact_center.voice_rtms_",),
        id_keys=("engagement_id", "session_id"),
        events=_VOICE,
    ),
    "phone": ProductWords(
        prefixes=("phone.rtms_", "phone.call_rtms_"), id_keys=("call_id",), events=()
    ),
}

Happening = Literal["started", "interrupted", "stopped"]

EVENT_NAMES: Final[Mapping[str, tuple[Product, Happening]]] = {
    prefix + what: (product, what)
    for product, words in PRODUCTS.items()
    for prefix in words.prefixes
    for what in ("started", "interrupted", "stopped")
}
"""``meeting.rtms_started`` and the like, aliases included."""

CONCURRENCY_EVENTS: Final = frozenset({"rtms.concurrency_limited", "rtms.concurrency_near_limit"})
"""About the account, not about a stream (section 16)."""


class Concurrency(msgspec.Struct, frozen=True):
    """The account runs as many streams as its plan allows (``limited``: one more was refused), or
    nearly. ``number`` streams run now; ``zoom_id`` is the meeting it was noticed at."""

    limited: bool
    number: int | None
    zoom_id: str | None
    at_ms: int


def payload_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a webhook, flat or under ``payload.object`` (section 2.2)."""
    payload = body.get("payload")
    if not isinstance(payload, Mapping):
        return {}
    inner = payload.get("object")
    return {**payload, **(inner if isinstance(inner, Mapping) else {})}


def keyed_id(product: Product, fields: Mapping[str, Any]) -> tuple[str, str] | None:
    """The key and the product's id under it, unchanged; None when there is none."""
    for key in PRODUCTS[product].id_keys:
        value = fields.get(key)
        if isinstance(value, str) and value:
            return key, value
    return None


def concurrency(event: str, fields: Mapping[str, Any], at_ms: int) -> Concurrency:
    """What a ``rtms.concurrency_*`` webhook says; what is missing or of the wrong form is None."""
    ids = fields.get("id_field")
    named: Mapping[str, Any] = ids if isinstance(ids, Mapping) else fields
    keys = ("meeting_uuid", "webinar_uuid", "session_id", "engagement_id", "call_id")
    found = (named.get(key) for key in keys)
    number = fields.get("concurrency_number")
    return Concurrency(
        limited=event == "rtms.concurrency_limited",
        number=number if type(number) is int and number >= 0 else None,
        zoom_id=next((value for value in found if isinstance(value, str) and value), None),
        at_ms=at_ms,
    )


def url_list(server_urls: object) -> list[str]:
    """All websocket URLs of ``server_urls`` in order: text with commas, a list, or an object with
    ``signaling`` / ``signal`` / ``all`` / ``audio`` (section 2.2)."""
    if isinstance(server_urls, Mapping):
        parts = [server_urls.get(key) for key in ("signaling", "signal", "all", "audio")]
    elif isinstance(server_urls, list | tuple):
        parts = list(server_urls)
    else:
        parts = [server_urls]
    texts = [text.strip() for part in parts if isinstance(part, str) for text in part.split(",")]
    return list(dict.fromkeys(t for t in texts if t.lower().startswith(("wss://", "ws://"))))


def signaling_url(server_urls: str) -> str:
    """The first websocket URL. Raises ValueError when there is none."""
    urls = url_list(server_urls)
    if not urls:
        raise ValueError("no ws:// or wss:// URL in server_urls")
    return urls[0]


def stream_ids(product: Product, fields: Mapping[str, Any]) -> tuple[str, str]:
    """The product's id and the stream id. Raises ValueError naming the one that is missing."""
    found = keyed_id(product, fields)
    if found is None:
        raise ValueError(f"payload lacks {PRODUCTS[product].id_keys[0]}")
    stream = fields.get("rtms_stream_id")
    if not isinstance(stream, str) or not stream:
        raise ValueError("payload lacks rtms_stream_id")
    return found[1], stream


def announcement(product: Product, fields: Mapping[str, Any], event_ts: int) -> Announcement:
    """The offer in a ``*_started`` webhook. Raises ValueError naming the field that is missing."""
    found, stream = stream_ids(product, fields)
    urls = url_list(fields.get("server_urls"))
    if not urls:
        raise ValueError("payload lacks server_urls")
    key = keyed_id(product, fields)
    session_key = _name(fields.get("session_key"))
    return Announcement(
        product=product,
        zoom_id=found,
        stream=stream,
        server_urls=",".join(urls),
        announced_ms=event_ts,
        title=_name(fields.get("topic")) or session_key,
        id_key=key[0] if key is not None else None,
        number=_number(fields.get("meeting_id", fields.get("webinar_id"))),
        session_key=session_key,
    )


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _number(value: object) -> str | None:
    """A meeting number: digits, as text or as a number; it becomes part of a URL's path."""
    text = str(value) if type(value) is int else value
    digits = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 20
    return str(text) if digits else None
