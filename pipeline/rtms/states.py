"""Messages about states (8, 9, 11, 20) checked and handed to ``Standing``; they may come on any
socket (reference section 11)."""

from __future__ import annotations

from typing import Final

from pipeline.rtms.effects import Effect
from pipeline.rtms.enums import SessionState, StatusCode, StreamState, is_known, name_of
from pipeline.rtms.messages import (
    SessionStateResponse,
    SessionStateUpdate,
    StreamStateResponse,
    StreamStateUpdate,
)
from pipeline.rtms.moments import Timeline
from pipeline.rtms.standing import Standing
from pipeline.rtms.tally import Tally

_STATUS_BELOW: Final = 1 << 31
MAX_SESSION_ID: Final = 256
"""Longer ids are none of Zoom's, and would be memory a peer decides about."""


def stream_told(update: StreamStateUpdate, standing: Standing, tally: Tally) -> list[Effect]:
    """Message 8."""
    if not is_known(StreamState, update.state):
        return [*tally.fault("unknown_state", f"stream state {str(update.state)[:20]}")]
    return standing.stream(update)


def session_told(
    update: SessionStateUpdate | SessionStateResponse,
    standing: Standing,
    tally: Tally,
    timeline: Timeline,
) -> list[Effect]:
    """Message 9 or 11."""
    if not is_known(SessionState, update.state):
        return [*tally.fault("unknown_state", f"session state {str(update.state)[:20]}")]
    if len(update.rtms_session_id) > MAX_SESSION_ID:
        return [*tally.fault("too_long", f"session id of {len(update.rtms_session_id)} characters")]
    at_ms = timeline.read(update.timestamp)
    return standing.session(update.rtms_session_id, update.state, at_ms)


def session_answered(
    answer: SessionStateResponse, standing: Standing, tally: Tally, timeline: Timeline
) -> list[Effect]:
    """Message 11. A session that Zoom does not know (40) has stopped; nothing is known of one whose
    query failed otherwise."""
    status = status_of(answer.refusal)
    if not status:
        return session_told(answer, standing, tally, timeline)
    effects: list[Effect] = [
        *tally.fault("query_refused", f"session: {name_of(StatusCode, status)}")
    ]
    session = answer.rtms_session_id
    if status == StatusCode.INVALID_RTMS_SESSION_ID and session in standing.sessions():
        at_ms = timeline.read(answer.timestamp)
        effects += standing.session(session, SessionState.STOPPED, at_ms)
    return effects


def stream_answered(answer: StreamStateResponse, standing: Standing, tally: Tally) -> list[Effect]:
    """Message 20. A refusal is no end: whoever it concerns, this connection stands."""
    status = status_of(answer.refusal)
    if status:
        return [*tally.fault("query_refused", f"stream: {name_of(StatusCode, status)}")]
    if not is_known(StreamState, answer.state):
        return [*tally.fault("unknown_state", f"stream state {str(answer.state)[:20]}")]
    return standing.stream_answer(answer.state)


def status_of(value: int) -> int:
    """A status that fits everywhere; what is none of Zoom's is -1, which is no success."""
    return value if 0 <= value < _STATUS_BELOW else -1
