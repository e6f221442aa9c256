"""The numbers of protocol V1 and their current names (reference sections 4, 6, 10, 11, 13, 14).

Fields of messages stay plain ints, so that a number Zoom adds later never breaks decoding; these
enums name the ones known today.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from typing import Final


class MessageType(IntEnum):
    """``msg_type`` (section 4)."""

    UNDEFINED = 0
    SIGNALING_HAND_SHAKE_REQ = 1
    SIGNALING_HAND_SHAKE_RESP = 2
    DATA_HAND_SHAKE_REQ = 3
    DATA_HAND_SHAKE_RESP = 4
    EVENT_SUBSCRIPTION = 5
    EVENT_UPDATE = 6
    CLIENT_READY_ACK = 7
    STREAM_STATE_UPDATE = 8
    SESSION_STATE_UPDATE = 9
    SESSION_STATE_REQ = 10
    SESSION_STATE_RESP = 11
    KEEP_ALIVE_REQ = 12
    KEEP_ALIVE_RESP = 13
    MEDIA_DATA_AUDIO = 14
    MEDIA_DATA_VIDEO = 15
    MEDIA_DATA_SHARE = 16
    MEDIA_DATA_TRANSCRIPT = 17
    MEDIA_DATA_CHAT = 18
    STREAM_STATE_REQ = 19
    STREAM_STATE_RESP = 20
    STREAM_CLOSE_REQ = 21
    STREAM_CLOSE_RESP = 22
    META_DATA_AUDIO = 23
    META_DATA_VIDEO = 24
    META_DATA_SHARE = 25
    META_DATA_TRANSCRIPT = 26
    META_DATA_CHAT = 27
    VIDEO_SUBSCRIPTION_REQ = 28
    VIDEO_SUBSCRIPTION_RESP = 29


class MediaType(IntFlag):
    """``media_type`` bits (section 6). ALL is a bit of its own, not the sum of the others."""

    NONE = 0
    AUDIO = 1
    VIDEO = 2
    DESKSHARE = 4
    TRANSCRIPT = 8
    CHAT = 16
    ALL = 32


EVERY_MEDIA: Final = (
    MediaType.AUDIO,
    MediaType.VIDEO,
    MediaType.DESKSHARE,
    MediaType.TRANSCRIPT,
    MediaType.CHAT,
)
"""The single media types, in bit order."""

MEDIA_URL_KEY: Final[Mapping[MediaType, str]] = {
    MediaType.AUDIO: "audio",
    MediaType.VIDEO: "video",
    MediaType.DESKSHARE: "deskshare",
    MediaType.TRANSCRIPT: "transcript",
    MediaType.CHAT: "chat",
    MediaType.ALL: "all",
}
"""Keys of ``media_server.server_urls`` (section 5.2)."""


class EventType(IntEnum):
    """``event_type`` of meetings, webinars and Video SDK sessions (section 10.1)."""

    FIRST_PACKET_TIMESTAMP = 1
    ACTIVE_SPEAKER_CHANGE = 2
    PARTICIPANT_JOIN = 3
    PARTICIPANT_LEAVE = 4
    SHARING_START = 5
    SHARING_STOP = 6
    MEDIA_CONNECTION_INTERRUPTED = 7
    PARTICIPANT_VIDEO_ON = 8
    PARTICIPANT_VIDEO_OFF = 9
    CHAT_GROUP_CREATE = 10
    CHAT_GROUP_DELETE = 11
    CHAT_GROUP_MEMBERS_ADD = 12
    CHAT_GROUP_MEMBERS_DELETE = 13
    CHAT_GROUP_MEMBER_STATUS_UPDATE = 14


AUTOMATIC_EVENTS: Final = frozenset(
    {EventType.FIRST_PACKET_TIMESTAMP, EventType.MEDIA_CONNECTION_INTERRUPTED}
)
"""Never subscribed to; the server sends them by itself (section 10)."""


class VoiceEventType(IntEnum):
    """``event_type`` of contact center voice; 8..14 clash with EventType (section 10.2)."""

    CONSUMER_ANSWERED = 8
    CONSUMER_END = 9
    USER_ANSWERED = 10
    USER_END = 11
    USER_HOLD = 12
    USER_UNHOLD = 13
    MONITOR_STARTED = 14
    MONITOR_TRANSITIONED = 15
    MONITOR_ENDED = 16
    TAKEOVER_STARTED = 17
    TRANSFER_INITIATED = 18
    TRANSFER_CANCELED = 19
    TRANSFER_ACCEPTED = 20
    TRANSFER_COMPLETED = 21
    TRANSFER_REJECTED = 22
    TRANSFER_TIMEOUT = 23
    CONFERENCE_CANCELED = 24
    CONFERENCE_PARTICIPANT_CANCELED = 25
    CONFERENCE_PARTICIPANT_INVITED = 26
    CONFERENCE_PARTICIPANT_REJECTED = 27
    CONFERENCE_PARTICIPANT_TIMEOUT = 28
    CONFERENCE_PARTICIPANT_LEFT = 29


class StreamState(IntEnum):
    """``state`` of messages 8 and 20 (section 11.1)."""

    INACTIVE = 0
    ACTIVE = 1
    INTERRUPTED = 2
    TERMINATING = 3
    TERMINATED = 4
    PAUSED = 5
    RESUMED = 6


class SessionState(IntEnum):
    """``state`` of messages 9 and 11; 4 is RESUMED here, TERMINATED above (section 11.2)."""

    INACTIVE = 0
    INITIALIZE = 1
    STARTED = 2
    PAUSED = 3
    RESUMED = 4
    STOPPED = 5


class ContentType(IntEnum):
    """``content_type`` of media parameters (section 14)."""

    UNDEFINED = 0
    RTP = 1
    RAW_AUDIO = 2
    RAW_VIDEO = 3
    FILE_STREAM = 4
    TEXT = 5


class Codec(IntEnum):
    """``codec``, Zoom's MEDIA_PAYLOAD_TYPE (section 14). G711 is A-law."""

    UNDEFINED = 0
    L16 = 1
    G711 = 2
    G722 = 3
    OPUS = 4
    JPG = 5
    PNG = 6
    H264 = 7


class SampleRate(IntEnum):
    """``sample_rate`` codes (section 14)."""

    SR_8K = 0
    SR_16K = 1
    SR_32K = 2
    SR_48K = 3

    @property
    def hertz(self) -> int:
        """Samples a second."""
        return (8_000, 16_000, 32_000, 48_000)[self.value]


class Channel(IntEnum):
    """``channel`` of audio."""

    MONO = 1
    STEREO = 2


class DataOption(IntEnum):
    """``data_opt`` (section 14); 5 is legacy."""

    UNDEFINED = 0
    AUDIO_MIXED_STREAM = 1
    AUDIO_MULTI_STREAMS = 2
    VIDEO_SINGLE_ACTIVE_STREAM = 3
    VIDEO_SINGLE_INDIVIDUAL_STREAM = 4
    VIDEO_MIXED_GALLERY_VIEW = 5


class Resolution(IntEnum):
    """``resolution`` of video and share."""

    SD = 1
    HD = 2
    FHD = 3
    QHD = 4


class DataAttribute(IntEnum):
    """``attribute`` of a transcript message (section 12.5)."""

    NONE = 0
    NEW = 1
    UPDATE = 2
    DELETE = 3


class ChatOperation(IntEnum):
    """``operation_type`` of a chat message (section 12.3)."""

    NEW = 1
    DELETE = 2
    UPDATE = 3
    ADD_EMOJI_REACTION = 4
    REMOVE_EMOJI_REACTION = 5


class ChatSessionType(IntEnum):
    """Who a chat message is for (section 12.3)."""

    EVERYONE = 1
    INDIVIDUAL = 2
    CHAT_GROUP = 3
    HOSTS_AND_PANELISTS = 4
    INDIVIDUAL_CC_HOSTS_AND_PANELISTS = 5


class StatusCode(IntEnum):
    """``status_code``, current table (section 13). The 2025 numbers meant other things."""

    OK = 0
    INVALID_MESSAGE_TYPE = 1
    INVALID_RTMS_STREAM_ID = 2
    INVALID_SIGNATURE = 3
    INVALID_PAYLOAD = 4
    INVALID_EVENTS = 5
    INVALID_EVENT_TYPE = 6
    INVALID_MEDIA_TYPE = 7
    DUPLICATE_SIGNAL_REQUEST = 8
    MEDIA_TYPE_AUDIO_NOT_SUPPORT = 9
    MEDIA_TYPE_VIDEO_NOT_SUPPORT = 10
    MEDIA_TYPE_DESKSHARE_NOT_SUPPORT = 11
    MEDIA_TYPE_TRANSCRIPT_NOT_SUPPORT = 12
    MEDIA_TYPE_CHAT_NOT_SUPPORT = 13
    MEDIA_TYPE_INVALID_VALUE = 14
    MEDIA_DATA_ALL_CONNECTION_EXIST = 15
    DUPLICATE_MEDIA_DATA_CONNECTION = 16
    INVALID_MEDIA_PARAMS = 17
    INVALID_MEDIA_AUDIO_PARAMS = 18
    INVALID_MEDIA_AUDIO_CONTENT_TYPE = 19
    INVALID_MEDIA_AUDIO_SAMPLE_RATE = 20
    INVALID_MEDIA_AUDIO_CHANNEL = 21
    INVALID_MEDIA_AUDIO_CODEC = 22
    INVALID_MEDIA_AUDIO_DATA_OPT = 23
    INVALID_MEDIA_AUDIO_SEND_RATE = 24
    INVALID_MEDIA_VIDEO_PARAMS = 25
    INVALID_MEDIA_VIDEO_CONTENT_TYPE = 26
    INVALID_MEDIA_VIDEO_CODEC = 27
    INVALID_MEDIA_VIDEO_RESOLUTION = 28
    INVALID_MEDIA_VIDEO_DATA_OPT = 29
    INVALID_MEDIA_VIDEO_FPS = 30
    INVALID_MEDIA_DESKSHARE_PARAMS = 31
    INVALID_MEDIA_DESKSHARE_CONTENT_TYPE = 32
    INVALID_MEDIA_DESKSHARE_CODEC = 33
    INVALID_MEDIA_DESKSHARE_RESOLUTION = 34
    INVALID_MEDIA_DESKSHARE_FPS = 35
    INVALID_MEDIA_TRANSCRIPT_PARAMS = 36
    INVALID_MEDIA_TRANSCRIPT_CONTENT_TYPE = 37
    INVALID_MEDIA_CHAT_PARAMS = 38
    INVALID_MEDIA_CHAT_CONTENT_TYPE = 39
    INVALID_RTMS_SESSION_ID = 40
    INVALID_CLIENT_READY_ACK = 41
    INVALID_EVENT_SUBSCRIBE = 42
    INVALID_MEDIA_TRANSCRIPT_SOURCE_LANGUAGE = 43
    DUPLICATE_VIDEO_SUBSCRIPTION = 44
    INTERNAL_EXCEPTION = 45
    INVALID_MEDIA_TRANSCRIPT_TARGET_LANGUAGE = 46
    CHAT_SESSION_KEY_NOT_AVAILABLE = 47


UNSUPPORTED_MEDIA: Final[Mapping[int, MediaType]] = {
    StatusCode.MEDIA_TYPE_AUDIO_NOT_SUPPORT: MediaType.AUDIO,
    StatusCode.MEDIA_TYPE_VIDEO_NOT_SUPPORT: MediaType.VIDEO,
    StatusCode.MEDIA_TYPE_DESKSHARE_NOT_SUPPORT: MediaType.DESKSHARE,
    StatusCode.MEDIA_TYPE_TRANSCRIPT_NOT_SUPPORT: MediaType.TRANSCRIPT,
    StatusCode.MEDIA_TYPE_CHAT_NOT_SUPPORT: MediaType.CHAT,
}
"""Statuses 9..13: the app lacks the scope of this media type."""


class StopReason(IntEnum):
    """Why a stream ended (section 14.1)."""

    UNDEFINED = 0
    HOST_TRIGGERED = 1
    USER_TRIGGERED = 2
    USER_LEFT = 3
    USER_EJECTED = 4
    HOST_DISABLED_APP = 5
    MEETING_ENDED = 6
    STREAM_CANCELED = 7
    STREAM_REVOKED = 8
    ALL_APPS_DISABLED = 9
    INTERNAL_EXCEPTION = 10
    CONNECTION_TIMEOUT = 11
    INSTANCE_CONNECTION_INTERRUPTED = 12
    SIGNAL_CONNECTION_INTERRUPTED = 13
    DATA_CONNECTION_INTERRUPTED = 14
    SIGNAL_CONNECTION_CLOSED_ABNORMALLY = 15
    DATA_CONNECTION_CLOSED_ABNORMALLY = 16
    EXIT_SIGNAL = 17
    AUTHENTICATION_FAILURE = 18
    AWAIT_RECONNECTION_TIMEOUT = 19
    RECEIVER_REQUEST_CLOSE = 20
    CUSTOMER_DISCONNECTED = 21
    AGENT_DISCONNECTED = 22
    ADMIN_DISABLED_APP = 23
    KEEP_ALIVE_TIMEOUT = 24
    MANUAL_API_TRIGGERED = 25
    STREAMING_NOT_SUPPORTED = 26


RESTART_REASONS: Final = frozenset(StopReason(n) for n in (*range(10, 20), 24))
"""Stop reasons after which RTMS can be started again, giving a new stream (section 14.1)."""

_START_AGAIN = "the meeting may still be on: start RTMS again in Zoom"

STOP_ADVICE: Final[Mapping[int, str]] = {
    **dict.fromkeys(RESTART_REASONS, _START_AGAIN),
    StopReason.CONNECTION_TIMEOUT: (
        "nobody connected within 60 s: check that the service was up and its webhook reachable; "
        + _START_AGAIN
    ),
    StopReason.AUTHENTICATION_FAILURE: (
        "check ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET, then start RTMS again in Zoom"
    ),
    StopReason.HOST_DISABLED_APP: "the host switched the app off; ask them to allow it",
    StopReason.ADMIN_DISABLED_APP: "an account admin switched the app off; ask them to allow it",
    StopReason.ALL_APPS_DISABLED: "apps are disabled in this meeting; ask the host to allow them",
    StopReason.USER_EJECTED: "the user who started the stream was removed from the meeting",
    StopReason.USER_LEFT: "the user who started the stream left; start RTMS again as another user",
    StopReason.STREAM_REVOKED: "consent was revoked: delete what was collected (rtms-notes forget)",
    StopReason.STREAMING_NOT_SUPPORTED: "streaming is not supported for this engagement",
}
"""What a person can do about a stop; reasons that are a normal end are not listed."""


def name_of(kind: type[IntEnum], value: int | None) -> str:
    """``"3 INVALID_SIGNATURE"``, or ``"99 (unknown)"`` for a number without a name."""
    if value is None:
        return "none"
    try:
        return f"{value} {kind(value).name}"
    except ValueError:
        return f"{value} (unknown)"


def is_known(kind: type[IntEnum], value: int) -> bool:
    """Whether the number has a name today (Python 3.11 has no ``value in kind``)."""
    return value in kind._value2member_map_


LANGUAGES: Final[tuple[str, ...]] = (
    *("ar", "bn", "yue", "ca", "zh-Hans", "zh-Hant", "cs", "da", "nl", "en"),
    *("et", "fi", "fr-CA", "fr-FR", "de", "he", "hi", "hu", "id", "it"),
    *("ja", "ko", "ms", "fa", "pl", "pt", "ro", "ru", "es", "sv"),
    *("tl", "ta", "te", "th", "tr", "uk", "vi"),
)
"""BCP-47 tags by RTMS_TRANSCRIPT_LANGUAGE 0..36 (section 14)."""

NO_LANGUAGE: Final = -1


def language_tag(code: int | None) -> str | None:
    """The BCP-47 tag of a transcript language id; None for -1, unknown or missing."""
    return LANGUAGES[code] if code is not None and 0 <= code < len(LANGUAGES) else None


def language_code(tag: str) -> int:
    """The id of a BCP-47 tag. Raises ValueError naming the allowed tags."""
    try:
        return LANGUAGES.index(tag)
    except ValueError:
        raise ValueError(f"no such transcript language {tag!r}; there are {LANGUAGES}") from None
