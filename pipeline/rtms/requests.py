"""What a client asks on signaling while a stream runs (reference sections 11.3, 11.4, 12.4)."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.rtms.messages import (
    Message,
    SessionStateRequest,
    StreamCloseRequest,
    StreamStateRequest,
    VideoSubscriptionRequest,
)


def state_queries(stream: str, sessions: Iterable[str]) -> list[Message]:
    """Messages 19 and 10: how the stream and each of its sessions stand. The answers change what
    ``Standing`` knows, and come out as if Zoom had told by itself."""
    return [
        StreamStateRequest(rtms_stream_id=stream),
        *(SessionStateRequest(rtms_session_id=session) for session in sessions),
    ]


def close_request(stream: str) -> Message:
    """Message 21: end the stream. The answer comes out as ``StreamClosed``."""
    return StreamCloseRequest(rtms_stream_id=stream)


def video_subscription(user_id: int, subscribe: bool, at_ms: int) -> Message:
    """Message 28: one participant's video, or no longer. A new one replaces the old one; it has to
    be repeated after the camera was off. The answer comes out as ``VideoSubscribed``."""
    return VideoSubscriptionRequest(user_id=user_id, subscribe=subscribe, timestamp=at_ms)
