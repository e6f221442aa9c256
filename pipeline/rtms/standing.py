"""State of the stream and its sessions as Zoom tells it, on whichever socket (section 11)."""

from __future__ import annotations

from pipeline.rtms.effects import Effect, MediaInterrupted, Terminated, Terminating
from pipeline.rtms.enums import MediaType, SessionState, StopReason, StreamState
from pipeline.rtms.messages import SessionStateUpdate, StreamStateUpdate
from pipeline.rtms.outputs import StreamPaused, StreamResumed

_MAX_SESSIONS = 10_000


class Standing:
    """Shared by all sockets of a stream, because pause and end may come twice or anywhere.

    A stream counts as paused when it was told so, or when all its running sessions are paused.
    """

    def __init__(self) -> None:
        self._stream_paused = False
        self._sessions: dict[str, int] = {}
        self._told_paused = False

    def stream(self, update: StreamStateUpdate) -> list[Effect]:
        """Message 8."""
        reason = stop_reason(update.reason)
        match update.state:
            case StreamState.INTERRUPTED:
                return [MediaInterrupted(MediaType.NONE)]
            case StreamState.TERMINATING:
                return [Terminating(reason)]
            case StreamState.TERMINATED:
                return [Terminated(reason)]
            case StreamState.PAUSED:
                self._stream_paused = True
            case StreamState.RESUMED:
                self._stream_paused = False
                self._sessions = {
                    key: SessionState.RESUMED if state == SessionState.PAUSED else state
                    for key, state in self._sessions.items()
                }
        return self._pauses()

    def session(self, update: SessionStateUpdate) -> list[Effect]:
        """Message 9."""
        if update.state == SessionState.STOPPED:
            self._sessions.pop(update.rtms_session_id, None)
        elif len(self._sessions) < _MAX_SESSIONS or update.rtms_session_id in self._sessions:
            self._sessions[update.rtms_session_id] = update.state
        if update.state == SessionState.RESUMED:
            self._stream_paused = False
        return self._pauses()

    def _pauses(self) -> list[Effect]:
        states = self._sessions.values()
        all_paused = bool(states) and all(state == SessionState.PAUSED for state in states)
        paused = self._stream_paused or all_paused
        if paused == self._told_paused:
            return []
        self._told_paused = paused
        return [StreamPaused() if paused else StreamResumed()]


def stop_reason(value: object) -> int | None:
    """A stop reason as number (0 to 2**31 - 1) or name (``STOP_BC_`` optional); None when it is
    neither."""
    if isinstance(value, str):
        text = value.strip().upper().removeprefix("STOP_BC_")
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        return int(StopReason[text]) if text in StopReason.__members__ else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 2**31 else None
