"""State of the stream and its sessions as Zoom tells it, on whichever socket (section 11)."""

from __future__ import annotations

from typing import Final

from pipeline.rtms.effects import Effect, MediaInterrupted, Terminated, Terminating
from pipeline.rtms.enums import MediaType, SessionState, StopReason, StreamState
from pipeline.rtms.messages import StreamStateUpdate
from pipeline.rtms.outputs import SessionChanged, StreamPaused, StreamResumed

_MAX_SESSIONS: Final = 1_000


class Standing:
    """Shared by all sockets of a stream, because pause and end may come twice or anywhere.

    A stream counts as paused when it was told so, or when all its running sessions are paused.
    """

    def __init__(self) -> None:
        self._stream_paused = False
        self._sessions: dict[str, int] = {}  # as told
        self._paused: set[str] = set()  # those of them that count as paused
        self._told_paused = False

    def sessions(self) -> tuple[str, ...]:
        """The sessions that can be asked about: those not stopped."""
        return tuple(
            session for session, state in self._sessions.items() if state != SessionState.STOPPED
        )

    def stream(self, update: StreamStateUpdate) -> list[Effect]:
        """Message 8, with a state that is known."""
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
                self._resumed()
        return self._pauses()

    def stream_answer(self, state: int) -> list[Effect]:
        """Message 20. Other than by message 8, running is told as ACTIVE even after a pause, and
        INTERRUPTED is no news to whoever asks after a reconnection."""
        match state:
            case StreamState.TERMINATING:
                return [Terminating(None)]
            case StreamState.TERMINATED:
                return [Terminated(None)]
            case StreamState.PAUSED:
                self._stream_paused = True
            case StreamState.RESUMED:
                self._resumed()
            case StreamState.ACTIVE:
                self._stream_paused = False
        return self._pauses()

    def session(self, session: str, state: int, at_ms: int) -> list[Effect]:
        """Message 9, or the answer in message 11; the state is known. Told when it changed."""
        changed = self._sessions.get(session) != state
        if changed and session not in self._sessions and not self._room():
            return []
        self._sessions[session] = state
        if state == SessionState.PAUSED:
            self._paused.add(session)
        else:
            self._paused.discard(session)
        if state == SessionState.RESUMED:
            self._stream_paused = False
        told: list[Effect] = (
            [SessionChanged(session, SessionState(state).name.lower(), at_ms)] if changed else []
        )
        return told + self._pauses()

    def _room(self) -> bool:
        """Room for one more session, at the cost of one that stopped."""
        if len(self._sessions) < _MAX_SESSIONS:
            return True
        stopped = next((s for s, at in self._sessions.items() if at == SessionState.STOPPED), None)
        if stopped is not None:
            del self._sessions[stopped]
        return stopped is not None

    def _resumed(self) -> None:
        """The stream goes on, and with it every session, which may be told later or never."""
        self._stream_paused = False
        self._paused.clear()

    def _pauses(self) -> list[Effect]:
        paused = self._stream_paused or (
            bool(self._paused) and all(session in self._paused for session in self.sessions())
        )
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
        text = _OLD_NAMES.get(text, text)
        return int(StopReason[text]) if text in StopReason.__members__ else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 2**31 else None


_OLD_NAMES: Final = {
    "APP_DISABLED_BY_HOST": "HOST_DISABLED_APP",
    "MEETING_CONNECTION_INTERRUPTED": "INSTANCE_CONNECTION_INTERRUPTED",
}
"""Names of earlier documents (section 14.1)."""
