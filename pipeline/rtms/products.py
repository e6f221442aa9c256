"""The five products that stream, and what their webhooks are called (reference section 2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from pipeline.model.events import Product
from pipeline.rtms.enums import EventType, VoiceEventType


class Announcement(msgspec.Struct, frozen=True):
    """A stream Zoom offers. ``zoom_id`` is the product's id (opaque); ``server_urls`` one or more
    signaling URLs, separated by commas; ``announced_ms`` the webhook's ``event_ts``."""

    product: Product
    zoom_id: str
    stream: str
    server_urls: str
    announced_ms: int
    title: str | None = None


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
_VOICE = tuple(int(n) for n in VoiceEventType if n <= VoiceEventType.USER_UNHOLD)

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


def payload_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a webhook, flat or under ``payload.object`` (section 2.2)."""
    payload = body.get("payload")
    if not isinstance(payload, Mapping):
        return {}
    inner = payload.get("object")
    return {**payload, **(inner if isinstance(inner, Mapping) else {})}


def zoom_id(product: Product, fields: Mapping[str, Any]) -> str | None:
    """The product's id in a webhook's fields, unchanged; None when it is not there."""
    for key in PRODUCTS[product].id_keys:
        value = fields.get(key)
        if isinstance(value, str) and value:
            return value
    return None


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
    found = zoom_id(product, fields)
    if found is None:
        raise ValueError(f"payload lacks {PRODUCTS[product].id_keys[0]}")
    stream = fields.get("rtms_stream_id")
    if not isinstance(stream, str) or not stream:
        raise ValueError("payload lacks rtms_stream_id")
    return found, stream


def announcement(product: Product, fields: Mapping[str, Any], event_ts: int) -> Announcement:
    """The offer in a ``*_started`` webhook. Raises ValueError naming the field that is missing."""
    found, stream = stream_ids(product, fields)
    urls = url_list(fields.get("server_urls"))
    if not urls:
        raise ValueError("payload lacks server_urls")
    title = fields.get("topic")
    return Announcement(
        product=product,
        zoom_id=found,
        stream=stream,
        server_urls=",".join(urls),
        announced_ms=event_ts,
        title=title if isinstance(title, str) and title.strip() else None,
    )
