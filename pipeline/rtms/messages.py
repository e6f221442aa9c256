"""Every message of protocol V1 as a struct, and the decoder of frames (reference sections 4 to 12).

``decode`` first tries the documented shape in one pass (base64 included); what does not fit goes
through ``repair``, which knows the variants seen in the field. Both give the same structs. Fields
without a default are those a server must always write; None means absent and is not written.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pipeline.rtms.enums import MessageType
from pipeline.rtms.params import MediaParams
from pipeline.rtms.repair import CHAT_KEYS, chat, repaired

Id = int | str
Moment = int | float | str | None
"""A timestamp that is only sent back, never read."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="msg_type"):
    pass


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


# -- handshakes (sections 5, 7) ------------------------------------------------------------


class _Handshake(_Message, frozen=True, kw_only=True):
    protocol_version: int = 0
    sequence: int = 0
    meeting_uuid: str | None = None
    webinar_uuid: str | None = None
    session_id: str | None = None
    engagement_id: str | None = None
    call_id: str | None = None
    rtms_stream_id: str = ""
    signature: str = ""

    @property
    def zoom_id(self) -> str | None:
        """The id, under whichever of the five keys it came."""
        return (
            self.meeting_uuid
            or self.webinar_uuid
            or self.session_id
            or self.engagement_id
            or self.call_id
        )


class SignalingRequest(_Handshake, frozen=True, kw_only=True, tag=1):
    """Client to signaling, first message."""

    buffer_data: bool | None = None
    rtms_client_agent: str | None = None


class MediaServer(_Part, frozen=True, kw_only=True):
    """Where media is. ``server_urls`` by media key: ``audio`` ... ``all``."""

    server_urls: dict[str, str] = {}


class SignalingResponse(_Message, frozen=True, kw_only=True, tag=2):
    """Answer to 1; ``media_server`` only on success."""

    protocol_version: int
    sequence: int
    status_code: int
    reason: str
    media_server: MediaServer | None = None


class MediaRequest(_Handshake, frozen=True, kw_only=True, tag=3):
    """Client to media, first message on each media socket. ``media_type``: bits."""

    media_type: int = 0
    payload_encryption: bool | None = None
    media_params: MediaParams | None = None


class MediaResponse(_Message, frozen=True, kw_only=True, tag=4):
    """Answer to 3 with the effective parameters."""

    protocol_version: int
    sequence: int
    status_code: int
    reason: str
    payload_encrypted: bool
    media_params: MediaParams | None


# -- signaling (sections 8 to 11) ----------------------------------------------------------


class EventChoice(_Part, frozen=True, kw_only=True):
    """One entry of a subscription."""

    event_type: int
    subscribe: bool


class EventSubscription(_Message, frozen=True, kw_only=True, tag=5):
    """Client to signaling; never answered."""

    events: list[EventChoice]


class Person(_Part, frozen=True, kw_only=True):
    """Somebody in an event."""

    user_id: Id | None = None
    user_name: str | None = None


class VoicePerson(_Part, frozen=True, kw_only=True):
    """``participant_info`` of contact center events (section 10.2)."""

    channel_id: Id | None = None
    participant_mode: str | None = None
    user_id: Id | None = None
    display_name: str | None = None
    queue_id: str | None = None
    queue_name: str | None = None
    account_id: str | None = None
    division_id: str | None = None
    phone_number: str | None = None


class EventBody(_Part, frozen=True, kw_only=True):
    """What happened; which fields are there depends on ``event_type``."""

    event_type: int
    timestamp: int | None = None
    event_ts: int | None = None
    user_id: Id | None = None
    user_name: str | None = None
    participants: list[Person] | None = None
    media_type: int | None = None
    participant_info: VoicePerson | None = None
    paticipant_info: VoicePerson | None = None  # as one public sample spells it
    chat_groups: Any = None
    members_update_list: Any = None
    member_status_update_list: Any = None


class EventUpdate(_Message, frozen=True, kw_only=True, tag=6):
    """Signaling to client."""

    event: EventBody


class ReadyAck(_Message, frozen=True, kw_only=True, tag=7):
    """Client to signaling: media may flow."""

    rtms_stream_id: str


class StreamStateUpdate(_Message, frozen=True, kw_only=True, tag=8):
    """State of the stream. ``reason`` is a stop reason (a name in some variants)."""

    state: int
    reason: Id
    timestamp: int
    rtms_stream_id: str | None = None


class SessionStateUpdate(_Message, frozen=True, kw_only=True, tag=9):
    """State of one session of the stream. Docs disagree on ``reason`` or ``stop_reason``."""

    rtms_session_id: str
    state: int
    timestamp: int
    stop_reason: Id | None = None
    reason: Id | None = None


class SessionStateRequest(_Message, frozen=True, kw_only=True, tag=10):
    """Client asks for a session's state."""

    rtms_session_id: str


class SessionStateResponse(_Message, frozen=True, kw_only=True, tag=11):
    """Answer to 10."""

    rtms_session_id: str
    state: int
    timestamp: int
    status_code: int | None = None
    reason: str | None = None


class KeepAliveRequest(_Message, frozen=True, kw_only=True, tag=12):
    """Server to client on every socket; the answer repeats both fields (section 9)."""

    sequence: Moment = None
    timestamp: Moment = None


class KeepAliveResponse(_Message, frozen=True, kw_only=True, tag=13):
    """Answer to 12."""

    sequence: Moment = None
    timestamp: Moment = None


class StreamStateRequest(_Message, frozen=True, kw_only=True, tag=19):
    """Client asks for the stream's state."""

    rtms_stream_id: str


class StreamStateResponse(_Message, frozen=True, kw_only=True, tag=20):
    """Answer to 19."""

    rtms_stream_id: str
    state: int
    timestamp: int
    status_code: int | None = None
    reason: str | None = None


class StreamCloseRequest(_Message, frozen=True, kw_only=True, tag=21):
    """Client ends the stream (section 11.4)."""

    rtms_stream_id: str


class StreamCloseResponse(_Message, frozen=True, kw_only=True, tag=22):
    """Answer to 21."""

    rtms_stream_id: str
    status_code: int
    reason: str
    timestamp: int


class VideoSubscriptionRequest(_Message, frozen=True, kw_only=True, tag=28):
    """Client asks for one participant's video (section 12.4)."""

    user_id: Id
    subscribe: bool
    timestamp: Moment = None


class VideoSubscriptionResponse(_Message, frozen=True, kw_only=True, tag=29):
    """Answer to 28."""

    user_id: Id
    status_code: int
    reason: str
    timestamp: int
    subscribe: bool | None = None


# -- media (section 12) --------------------------------------------------------------------


class MediaContent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Audio, or one image. ``user_id`` 0: mixed. ``channel_id`` instead of it for voice products.
    ``length``: bytes before base64."""

    data: bytes
    user_id: Id | None = None
    user_name: str | None = None
    channel_id: Id | None = None
    length: int | None = None
    timestamp: int | None = None


class AudioData(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="msg_type", tag=14):
    content: MediaContent


class VideoData(_Message, frozen=True, kw_only=True, tag=15):
    content: MediaContent


class ShareData(_Message, frozen=True, kw_only=True, tag=16):
    content: MediaContent


class TranscriptContent(_Part, frozen=True, kw_only=True):
    """Words of one speaker. ``language`` is an id, ``attribute`` a DataAttribute."""

    data: str
    user_id: Id | None = None
    user_name: str | None = None
    channel_id: Id | None = None
    start_time: int | None = None
    end_time: int | None = None
    timestamp: int | None = None
    language: int | None = None
    attribute: int | None = None


class TranscriptData(_Message, frozen=True, kw_only=True, tag=17):
    content: TranscriptContent


class ChatSession(_Part, frozen=True, kw_only=True):
    type: int | None = None
    id: str | None = None


class ChatFile(_Part, frozen=True, kw_only=True):
    file_id: str | None = None
    file_name: str | None = None
    file_size: int | None = None


class ChatBody(_Part, frozen=True, kw_only=True):
    """``content.data`` of chat, object form (section 12.3)."""

    data: str = ""
    chat_session: ChatSession | None = None
    operation_type: int | None = None
    message_id: str | None = None
    parent_message_id: str | None = None
    sender: Person | None = None
    receiver: Person | None = None
    files: list[ChatFile] | None = None
    delete_file_id_list: list[str] | None = None


class ChatContent(_Part, frozen=True, kw_only=True):
    """``data``: an object, a JSON text of one, or plain text; ``chat_body`` reads all three."""

    data: str | ChatBody
    timestamp: int | None = None
    user_id: Id | None = None
    user_name: str | None = None


class ChatData(_Message, frozen=True, kw_only=True, tag=18):
    content: ChatContent


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
)


class Unknown(msgspec.Struct, frozen=True):
    """A message of a type that has no struct: metadata 23..27, or one added later."""

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


def chat_body(data: str | ChatBody) -> ChatBody:
    """The chat message in ``content.data``, in any of its three forms."""
    if isinstance(data, ChatBody):
        return data
    if data.lstrip()[:1] == "{":
        try:
            raw = _plain.decode(data)
            if isinstance(raw, dict) and CHAT_KEYS & raw.keys():
                return msgspec.convert(chat(raw), ChatBody, strict=False)
        except (ValueError, RecursionError):
            pass
    return ChatBody(data=data)


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
