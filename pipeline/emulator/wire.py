"""The server's own messages as bytes (reference sections 5 to 11).

Written as plain dictionaries on purpose: the client's structs are what these are to test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.rtms.enums import (
    EventType,
    MediaType,
    MessageType,
    SessionState,
    StatusCode,
    StopReason,
    StreamState,
)

_encode = msgspec.json.Encoder().encode


def refusal(kind: MessageType, status: StatusCode, reason: str) -> bytes:
    """Message 2 or 4 that says no."""
    answer = _answer(kind, status, reason)
    if kind is MessageType.DATA_HAND_SHAKE_RESP:
        answer |= {"payload_encrypted": False, "media_params": None}
    return _encode(answer)


def signaling_accepted(urls: Mapping[str, str]) -> bytes:
    """Message 2 with the media URLs."""
    answer = _answer(MessageType.SIGNALING_HAND_SHAKE_RESP, StatusCode.OK, "")
    return _encode({**answer, "media_server": {"server_urls": urls}})


def media_accepted(params: Mapping[str, Any]) -> bytes:
    """Message 4 with the effective parameters; Zoom's SDK needs ``payload_encrypted``."""
    answer = _answer(MessageType.DATA_HAND_SHAKE_RESP, StatusCode.OK, "")
    return _encode({**answer, "payload_encrypted": False, "media_params": params})


def keep_alive(sequence: int, timestamp: int) -> bytes:
    """Message 12; Zoom's SDK does not answer one without ``sequence``."""
    return _encode(
        {
            "msg_type": MessageType.KEEP_ALIVE_REQ.value,
            "sequence": sequence,
            "timestamp": timestamp,
        }
    )


def stream_state(state: StreamState, reason: StopReason, timestamp: int) -> bytes:
    """Message 8."""
    return _encode(
        {
            "msg_type": MessageType.STREAM_STATE_UPDATE.value,
            "state": state.value,
            "reason": reason.value,
            "timestamp": timestamp,
        }
    )


def session_state(session: str, state: SessionState, reason: StopReason, timestamp: int) -> bytes:
    """Message 9; docs and SDK disagree on the name of the reason, so it has both."""
    return _encode(
        {
            "msg_type": MessageType.SESSION_STATE_UPDATE.value,
            "rtms_session_id": session,
            "state": state.value,
            "stop_reason": reason.value,
            "reason": reason.value,
            "timestamp": timestamp,
        }
    )


def people(participants: list[dict[str, Any]], timestamp: int) -> bytes:
    """Event 3 with everybody who is present."""
    return event(EventType.PARTICIPANT_JOIN, timestamp, participants=participants)


def media_interrupted(media: MediaType, timestamp: int) -> bytes:
    """Event 7; its layout is not documented, ``media_type`` is what samples read."""
    return event(EventType.MEDIA_CONNECTION_INTERRUPTED, timestamp, media_type=int(media))


def camera(user_id: int, timestamp: int, *, on: bool) -> bytes:
    """Event 8 or 9."""
    kind = EventType.PARTICIPANT_VIDEO_ON if on else EventType.PARTICIPANT_VIDEO_OFF
    return event(kind, timestamp, participants=[{"user_id": user_id}])


def event(kind: EventType, timestamp: int, **fields: Any) -> bytes:
    """Message 6; everything stands under ``event`` (reference section 10.1)."""
    body = {"event_type": kind.value, "timestamp": timestamp, **fields}
    return _encode({"msg_type": MessageType.EVENT_UPDATE.value, "event": body})


def told_session(
    session: str, state: SessionState, timestamp: int, status: StatusCode, reason: str
) -> bytes:
    """Message 11. Whether Zoom's carries a status is not known; clients may ignore it."""
    return _encode(
        {
            "msg_type": MessageType.SESSION_STATE_RESP.value,
            "rtms_session_id": session,
            "state": state.value,
            "timestamp": timestamp,
            "status_code": status.value,
            "reason": reason,
        }
    )


def told_stream(
    stream: str, state: StreamState, timestamp: int, status: StatusCode, reason: str
) -> bytes:
    """Message 20; as 11."""
    return _encode(
        {
            "msg_type": MessageType.STREAM_STATE_RESP.value,
            "rtms_stream_id": stream,
            "state": state.value,
            "timestamp": timestamp,
            "status_code": status.value,
            "reason": reason,
        }
    )


def close_answer(stream: str, timestamp: int, status: StatusCode, reason: str) -> bytes:
    """Message 22."""
    return _encode(
        {
            "msg_type": MessageType.STREAM_CLOSE_RESP.value,
            "rtms_stream_id": stream,
            "status_code": status.value,
            "reason": reason,
            "timestamp": timestamp,
        }
    )


def video_answer(
    user_id: int, subscribe: bool, timestamp: int, status: StatusCode, reason: str
) -> bytes:
    """Message 29; ``subscribe`` is what some samples read."""
    return _encode(
        {
            "msg_type": MessageType.VIDEO_SUBSCRIPTION_RESP.value,
            "user_id": user_id,
            "subscribe": subscribe,
            "status_code": status.value,
            "reason": reason,
            "timestamp": timestamp,
        }
    )


def flattened(payload: bytes) -> bytes:
    """A media message in the older form: ``content`` is the data and its fields stand beside it
    (reference section 12). Anything else comes back as it is."""
    message = msgspec.json.decode(payload)
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, dict) or "data" not in content:
        return payload
    fields = {key: value for key, value in content.items() if key not in ("data", "length")}
    return _encode({"msg_type": message.get("msg_type"), **fields, "content": content["data"]})


def _answer(kind: MessageType, status: StatusCode, reason: str) -> dict[str, Any]:
    return {
        "msg_type": kind.value,
        "protocol_version": 1,
        "sequence": 0,
        "status_code": status.value,
        "reason": reason,
    }
