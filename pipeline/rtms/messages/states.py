"""Messages 7 to 13 and 19 to 22: how the stream, its sessions and connections stand (reference
sections 8, 9, 11)."""

from __future__ import annotations

from pipeline.rtms.messages.parts import Id, Moment, Tagged


class ReadyAck(Tagged, frozen=True, kw_only=True, tag=7):
    """Client to signaling: media may flow."""

    rtms_stream_id: str


class StreamStateUpdate(Tagged, frozen=True, kw_only=True, tag=8):
    """State of the stream. ``reason`` is a stop reason (a name in some variants)."""

    state: int
    reason: Id
    timestamp: int
    rtms_stream_id: str | None = None


class SessionStateUpdate(Tagged, frozen=True, kw_only=True, tag=9):
    """State of one session of the stream. Docs disagree on ``reason`` or ``stop_reason``."""

    rtms_session_id: str
    state: int
    timestamp: int
    stop_reason: Id | None = None
    reason: Id | None = None


class SessionStateRequest(Tagged, frozen=True, kw_only=True, tag=10):
    """Client asks for a session's state."""

    rtms_session_id: str


class SessionStateResponse(Tagged, frozen=True, kw_only=True, tag=11):
    """Answer to 10."""

    rtms_session_id: str
    state: int
    timestamp: int
    status_code: int | None = None
    status: int | None = None
    reason: str | None = None

    @property
    def refusal(self) -> int:
        """The status under either name; 0: answered."""
        return self.status_code or self.status or 0


class KeepAliveRequest(Tagged, frozen=True, kw_only=True, tag=12):
    """Server to client on every socket; the answer repeats both fields (section 9)."""

    sequence: Moment = None
    timestamp: Moment = None


class KeepAliveResponse(Tagged, frozen=True, kw_only=True, tag=13):
    """Answer to 12."""

    sequence: Moment = None
    timestamp: Moment = None


class StreamStateRequest(Tagged, frozen=True, kw_only=True, tag=19):
    """Client asks for the stream's state."""

    rtms_stream_id: str


class StreamStateResponse(Tagged, frozen=True, kw_only=True, tag=20):
    """Answer to 19."""

    rtms_stream_id: str
    state: int
    timestamp: int
    status_code: int | None = None
    status: int | None = None
    reason: str | None = None

    @property
    def refusal(self) -> int:
        """The status under either name; 0: answered."""
        return self.status_code or self.status or 0


class StreamCloseRequest(Tagged, frozen=True, kw_only=True, tag=21):
    """Client ends the stream (section 11.4)."""

    rtms_stream_id: str


class StreamCloseResponse(Tagged, frozen=True, kw_only=True, tag=22):
    """Answer to 21."""

    rtms_stream_id: str
    status_code: int
    reason: str
    timestamp: int
