"""Checks the two handshakes, messages 1 and 3 (reference sections 3, 5.1, 7.1, 13)."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.base.secret import Secret
from pipeline.emulator.params import Refused, expand
from pipeline.emulator.rules import Mode, Urls
from pipeline.model.events import Product
from pipeline.rtms.enums import (
    EVERY_MEDIA,
    MEDIA_URL_KEY,
    UNSUPPORTED_MEDIA,
    MediaType,
    MessageType,
    StatusCode,
)
from pipeline.rtms.signature import handshake_signature

ID_KEYS: Final = ("meeting_uuid", "webinar_uuid", "session_id", "engagement_id", "call_id")
"""A client may name the meeting by any of them; the SDK always uses the first (section 5.1)."""

_NOT_SUPPORTED = {media: StatusCode(code) for code, media in UNSUPPORTED_MEDIA.items()}


@dataclass(frozen=True)
class Identity:
    """Who the stream is, and what its app must prove."""

    zoom_id: str
    stream: str
    client_id: str
    client_secret: Secret
    scopes: frozenset[MediaType] = frozenset(EVERY_MEDIA)

    def signature(self) -> str:
        """What a client that knows the secret sends."""
        return handshake_signature(self.client_id, self.zoom_id, self.stream, self.client_secret)


def check_identity(
    message: Mapping[str, Any], kind: MessageType, who: Identity, *, mode: Mode = "strict"
) -> None:
    """Type, version, ids and signature of a handshake. Raises Refused.

    Tolerant mode does without ``protocol_version``; what proves the client is checked always.
    """
    if message.get("msg_type") != kind:
        raise Refused(
            StatusCode.INVALID_MESSAGE_TYPE, f"expected msg_type {kind.value} ({kind.name})"
        )
    version = message.get("protocol_version")
    if mode == "tolerant" and version in (None, "1"):
        version = 1
    if version != 1 or isinstance(version, bool):
        raise Refused(StatusCode.INVALID_PAYLOAD, "protocol_version must be 1")
    zoom_id = next((message[key] for key in ID_KEYS if message.get(key) is not None), None)
    if not isinstance(zoom_id, str) or not zoom_id:
        raise Refused(StatusCode.INVALID_PAYLOAD, "meeting_uuid is missing")
    stream = message.get("rtms_stream_id")
    if not isinstance(stream, str) or not stream:
        raise Refused(StatusCode.INVALID_PAYLOAD, "rtms_stream_id is missing")
    if stream != who.stream or zoom_id != who.zoom_id:
        raise Refused(StatusCode.INVALID_RTMS_STREAM_ID, "no such stream of this meeting")
    signature = message.get("signature")
    if not isinstance(signature, str):
        raise Refused(StatusCode.INVALID_PAYLOAD, "signature is missing")
    if not hmac.compare_digest(signature.encode("utf-8", "replace"), who.signature().encode()):
        raise Refused(StatusCode.INVALID_SIGNATURE, "invalid signature")


def check_type(message: Mapping[str, Any], path: MediaType, who: Identity) -> MediaType:
    """The bitmask of a media handshake on the URL for ``path``. Raises Refused."""
    value = message.get("media_type")
    if type(value) is not int:
        raise Refused(StatusCode.INVALID_PAYLOAD, "media_type is missing")
    if not 0 < value <= 63 or (value & MediaType.ALL and value != MediaType.ALL):
        raise Refused(
            StatusCode.MEDIA_TYPE_INVALID_VALUE, f"media_type {value} is not a valid combination"
        )
    media = MediaType(value)
    if path is not MediaType.ALL and media is not MediaType.ALL and not media & path:
        key = MEDIA_URL_KEY[path]
        raise Refused(StatusCode.INVALID_MEDIA_TYPE, f"media_type {value} on the URL for {key}")
    for one in expand(media) if media is not MediaType.ALL else ():
        if one not in who.scopes:
            raise Refused(_NOT_SUPPORTED[one], f"the app has no scope for {MEDIA_URL_KEY[one]}")
    return media


def conflict(media: MediaType, other: MediaType) -> Refused | None:
    """Why a second media connection cannot be beside a live one; None when it can."""
    if (media is MediaType.ALL) != (other is MediaType.ALL):
        return Refused(
            StatusCode.MEDIA_DATA_ALL_CONNECTION_EXIST,
            "an all-in-one and a single media connection exclude each other",
        )
    if media & other:
        return Refused(
            StatusCode.DUPLICATE_MEDIA_DATA_CONNECTION, "this media type is connected already"
        )
    return None


def offered_urls(
    base: str, product: Product, scopes: Collection[MediaType], urls: Urls
) -> dict[str, str]:
    """``server_urls`` of message 2: only what the app has scopes for (section 5.2).

    The all-in-one URL of contact center is called ``audio``.
    """
    found = {}
    if urls != "all":
        found = {MEDIA_URL_KEY[media]: media for media in sorted(scopes)}
    if urls != "split":
        found["all"] = MediaType.ALL
    if urls == "all" and product == "contact_center":
        found = {"audio": MediaType.ALL}
    return {key: f"{base}/media/{MEDIA_URL_KEY[media]}" for key, media in found.items()}
