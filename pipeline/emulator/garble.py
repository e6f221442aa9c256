"""What faults do to one message: bytes in, bytes out. Pure."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from pipeline.emulator.faults import HugeImage
from pipeline.emulator.wire import flattened
from pipeline.rtms.enums import MessageType

__all__ = [
    "GARBLE",
    "flattened",
    "huge_image",
    "said",
    "shifted",
    "unknown_event",
    "unknown_message",
]

_TIMES: Final = ("timestamp", "start_time", "end_time", "event_ts")
_PICTURE: Final = base64.b64decode(
    "/9j//gAQTGF2YzYyLjI4LjEwMgD/2wBDAAgEBAQEBAUFBQUFBQYGBgYGBgYGBgYGBgYHBwcICAgHBwcGBgcHCAgICAkJ"
    "CQgICAgJCQoKCgwMCwsODg4RERT/xABLAAEBAAAAAAAAAAAAAAAAAAAAAgEBAAAAAAAAAAAAAAAAAAAAABABAAAAAAAA"
    "AAAAAAAAAAAAABEBAAAAAAAAAAAAAAAAAAAAAP/AABEIABAAEAMBIgACEQADEQD/2gAMAwEAAhEDEQA/AKAB/9k="
)
"""A grey JPEG of 16 by 16 pixels."""
_COMMENT: Final = 65_533  # what fits into one comment segment


def truncated(payload: bytes) -> bytes:
    """The message up to the middle."""
    return payload[: len(payload) // 2]


def not_json(_: bytes) -> bytes:
    """Text that is no JSON."""
    return b"<html>502 Bad Gateway</html>"


def not_utf8(payload: bytes) -> bytes:
    """The message with two bytes that occur in no UTF-8 text."""
    return payload[:-1] + b"\xff\xfe" + payload[-1:]


def empty(_: bytes) -> bytes:
    """A message of no bytes."""
    return b""


def bad_base64(payload: bytes) -> bytes:
    """Data that is no base64, in either form of a media message."""
    broken = "?not base64?"
    message = msgspec.json.decode(payload)
    if isinstance(message.get("content"), str):
        return msgspec.json.encode({**message, "content": broken})
    return _with_content(payload, lambda content: content.update(data=broken))


def wrong_length(payload: bytes) -> bytes:
    """A ``length`` that is not the data's."""

    def change(content: dict[str, Any]) -> None:
        length = content.get("length")
        content["length"] = (length if type(length) is int else 0) + 7

    return _with_content(payload, change)


def wrong_types(payload: bytes) -> bytes:
    """Every number a text and every text a number, at the message's first two levels."""

    def turned(value: Any, depth: int) -> Any:
        if isinstance(value, dict) and depth < 2:
            kept = {"msg_type", "event_type"}
            return {k: v if k in kept else turned(v, depth + 1) for k, v in value.items()}
        if isinstance(value, str):
            return len(value)
        return "soon" if type(value) is int else [value]

    message = msgspec.json.decode(payload)
    return msgspec.json.encode(turned(message, 0))


GARBLE: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "truncated": truncated,
    "not_json": not_json,
    "not_utf8": not_utf8,
    "empty": empty,
    "bad_base64": bad_base64,
    "wrong_length": wrong_length,
    "wrong_types": wrong_types,
}
"""By the word in ``corrupt``."""


def shifted(payload: bytes, by_ms: int) -> bytes:
    """Every time in the message moved."""
    try:
        message = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return payload  # broken on purpose
    return msgspec.json.encode(_moved(message, by_ms))


def _moved(value: Any, by_ms: int) -> Any:
    if isinstance(value, dict):
        return {
            key: inner + by_ms if key in _TIMES and type(inner) is int else _moved(inner, by_ms)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_moved(inner, by_ms) for inner in value]
    return value


def unknown_message(number: int, at_ms: int) -> bytes:
    """A message of a type that does not exist."""
    return msgspec.json.encode(
        {"msg_type": number, "content": {"data": "?", "timestamp": at_ms}, "timestamp": at_ms}
    )


def unknown_event(number: int, at_ms: int) -> bytes:
    """Message 6 about an event that does not exist."""
    event = {"event_type": number, "timestamp": at_ms, "what": "?"}
    return msgspec.json.encode({"msg_type": MessageType.EVENT_UPDATE.value, "event": event})


def said(message: dict[str, Any]) -> bytes:
    """A message as somebody wrote it."""
    return msgspec.json.encode(message)


def huge_image(fault: HugeImage, at_ms: int) -> bytes:
    """Message 15 or 16 with a valid JPEG, made long by comments in it."""
    size = max(len(_PICTURE), round(fault.mib * (1 << 20)))
    parts, missing = [_PICTURE[:2]], size - len(_PICTURE)
    while missing > 0:
        length = min(_COMMENT, max(missing - 4, 0))
        parts.append(b"\xff\xfe" + (length + 2).to_bytes(2, "big") + bytes(length))
        missing -= length + 4
    data = b"".join([*parts, _PICTURE[2:]])
    kind = (
        MessageType.MEDIA_DATA_SHARE if fault.media == "deskshare" else MessageType.MEDIA_DATA_VIDEO
    )
    content = {
        "user_id": fault.user_id,
        "user_name": "Huge",
        "data": data,
        "length": len(data),
        "timestamp": at_ms,
    }
    return msgspec.json.encode({"msg_type": kind.value, "content": content})


def _with_content(payload: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    message = msgspec.json.decode(payload)
    content = message.get("content")
    if not isinstance(content, dict):
        return payload
    change(content)
    return msgspec.json.encode(message)
