"""Frames to messages and back (reference sections 4 to 12).

``decode`` first tries the documented shape in one pass (base64 included); what does not fit goes
through ``repair``, which knows the variants seen in the field. Both give the same structs.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pipeline.rtms.enums import MessageType
from pipeline.rtms.messages.camera import VideoSubscriptionRequest, VideoSubscriptionResponse
from pipeline.rtms.messages.chat import ChatData
from pipeline.rtms.messages.events import EventSubscription, EventUpdate
from pipeline.rtms.messages.handshake import (
    MediaRequest,
    MediaResponse,
    SignalingRequest,
    SignalingResponse,
)
from pipeline.rtms.messages.media import (
    AudioData,
    InterpreterData,
    ShareData,
    TranscriptData,
    VideoData,
)
from pipeline.rtms.messages.states import (
    KeepAliveRequest,
    KeepAliveResponse,
    ReadyAck,
    SessionStateRequest,
    SessionStateResponse,
    SessionStateUpdate,
    StreamCloseRequest,
    StreamCloseResponse,
    StreamStateRequest,
    StreamStateResponse,
    StreamStateUpdate,
)
from pipeline.rtms.repair import repaired

Message = (
    SignalingRequest
    | SignalingResponse
    | MediaRequest
    | MediaResponse
    | EventSubscription
    | EventUpdate
    | ReadyAck
    | StreamStateUpdate
    | SessionStateUpdate
    | SessionStateRequest
    | SessionStateResponse
    | KeepAliveRequest
    | KeepAliveResponse
    | AudioData
    | VideoData
    | ShareData
    | TranscriptData
    | ChatData
    | StreamStateRequest
    | StreamStateResponse
    | StreamCloseRequest
    | StreamCloseResponse
    | VideoSubscriptionRequest
    | VideoSubscriptionResponse
    | InterpreterData
)


class Unknown(msgspec.Struct, frozen=True):
    """A message of a type that has no struct: reserved (24..27), or one added later."""

    msg_type: int


class Unreadable(msgspec.Struct, frozen=True):
    """A frame that is no message. ``reason`` is one of a fixed set of words: ``bad_json``,
    ``not_an_object``, ``no_type``, ``bad_base64``, ``bad_field``; ``detail`` holds no content."""

    reason: str
    detail: str
    msg_type: int | None = None


_BY_TYPE: Final[dict[int, type[Message]]] = {
    kind.__struct_config__.tag: kind for kind in Message.__args__
}
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_plain = msgspec.json.Decoder()


def encode(message: Message) -> bytes:
    """The JSON of a message, to be sent as a text frame."""
    return _encoder.encode(message)


def decode(frame: bytes | str) -> Message | Unknown | Unreadable:
    """The message in a text or binary frame. Never raises for what a peer can send."""
    try:
        return _decoder.decode(frame)
    except (ValueError, RecursionError):
        return _decode_slowly(frame)


def _decode_slowly(frame: bytes | str) -> Message | Unknown | Unreadable:
    try:
        raw = _plain.decode(frame)
    except (ValueError, RecursionError) as error:
        return Unreadable("bad_json", _line(error))
    if not isinstance(raw, dict):
        return Unreadable("not_an_object", f"expected an object, got {type(raw).__name__}")
    number = _type_of(raw.get("msg_type"))
    if number is None:
        return Unreadable("no_type", "no integer msg_type")
    kind = _BY_TYPE.get(number)
    if kind is None:
        return Unknown(number)
    try:
        return msgspec.convert(repaired(number, raw), kind, strict=False)
    except (ValueError, RecursionError) as error:
        text = _line(error)
        reason = "bad_base64" if "base64" in text else "bad_field"
        return Unreadable(reason, f"{MessageType(number).name}: {text}", number)


def _type_of(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) else None


def _line(error: Exception) -> str:
    """The error in one short line; msgspec's messages name types and paths, never values."""
    if isinstance(error, UnicodeError):
        return "not UTF-8"
    return str(error)[:200]
