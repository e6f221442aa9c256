"""Every message of protocol V1 as a struct, and the decoder of frames (reference sections 4 on)."""

from __future__ import annotations

from pipeline.rtms.messages.camera import (
    VideoSubscriptionRequest,
    VideoSubscriptionResponse,
)
from pipeline.rtms.messages.chat import (
    ChatBody,
    ChatContent,
    ChatData,
    ChatFile,
    ChatSession,
    chat_body,
)
from pipeline.rtms.messages.decoding import (
    Message,
    Unknown,
    Unreadable,
    decode,
    encode,
)
from pipeline.rtms.messages.events import (
    EventBody,
    EventChoice,
    EventSubscription,
    EventUpdate,
    VoicePerson,
)
from pipeline.rtms.messages.handshake import (
    MediaRequest,
    MediaResponse,
    MediaServer,
    SignalingRequest,
    SignalingResponse,
)
from pipeline.rtms.messages.media import (
    AudioData,
    InterpreterData,
    MediaContent,
    ShareData,
    TranscriptContent,
    TranscriptData,
    VideoData,
)
from pipeline.rtms.messages.parts import (
    Id,
    Moment,
    Person,
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

__all__ = [
    "AudioData",
    "ChatBody",
    "ChatContent",
    "ChatData",
    "ChatFile",
    "ChatSession",
    "EventBody",
    "EventChoice",
    "EventSubscription",
    "EventUpdate",
    "Id",
    "InterpreterData",
    "KeepAliveRequest",
    "KeepAliveResponse",
    "MediaContent",
    "MediaRequest",
    "MediaResponse",
    "MediaServer",
    "Message",
    "Moment",
    "Person",
    "ReadyAck",
    "SessionStateRequest",
    "SessionStateResponse",
    "SessionStateUpdate",
    "ShareData",
    "SignalingRequest",
    "SignalingResponse",
    "StreamCloseRequest",
    "StreamCloseResponse",
    "StreamStateRequest",
    "StreamStateResponse",
    "StreamStateUpdate",
    "TranscriptContent",
    "TranscriptData",
    "Unknown",
    "Unreadable",
    "VideoData",
    "VideoSubscriptionRequest",
    "VideoSubscriptionResponse",
    "VoicePerson",
    "chat_body",
    "decode",
    "encode",
]
