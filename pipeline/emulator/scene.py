"""What a tape has told so far, for clients that come later: who is there, who speaks, states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipeline.emulator.subscription import is_call
from pipeline.model.events import Product
from pipeline.rtms.enums import EventType, SessionState, StreamState

_MOST_SESSIONS: Final = 1_000


class Scene:
    """``present``: people by id, as they joined. ``sessions``: the last state of each that the
    tape names. ``first_packet``: event 1 as a message."""

    def __init__(self, product: Product, start_ms: int) -> None:
        self._meeting = not is_call(product)
        self.present: dict[Any, dict[str, Any]] = {}
        self.present_at = start_ms
        self.first_packet: bytes | None = None
        self.first_session: str | None = None
        self.sessions: dict[str, SessionState] = {}
        self.paused = False
        """The tape's last word on the stream is PAUSED."""
        self.speaker: int | None = None
        self._shown: int = 0
        self._shown_at = 0

    def event(self, event: object, payload: bytes) -> None:
        """An event of the tape, and the whole message it came in."""
        if not isinstance(event, dict):
            return
        kind = event.get("event_type")
        if kind == EventType.FIRST_PACKET_TIMESTAMP:
            self.first_packet = self.first_packet or payload
        if not self._meeting:
            return
        if kind == EventType.ACTIVE_SPEAKER_CHANGE:
            user = event.get("user_id")
            self.speaker = user if type(user) is int else None
        elif kind in (EventType.PARTICIPANT_JOIN, EventType.PARTICIPANT_LEAVE):
            self._moved(event, joined=kind == EventType.PARTICIPANT_JOIN)

    def session(self, message: Mapping[str, Any]) -> None:
        """Message 9 of the tape."""
        name, state = message.get("rtms_session_id"), message.get("state")
        if not isinstance(name, str) or type(state) is not int or not 0 <= state <= 5:
            return
        if name in self.sessions or len(self.sessions) < _MOST_SESSIONS:
            self.sessions[name] = SessionState(state)

    def stream(self, message: Mapping[str, Any]) -> None:
        """Message 8 of the tape."""
        state = message.get("state")
        if state == StreamState.PAUSED:
            self.paused = True
        elif state in (StreamState.RESUMED, StreamState.ACTIVE):
            self.paused = False

    def live_sessions(self) -> list[str]:
        """Those that have begun and not stopped."""
        over = (SessionState.STOPPED, SessionState.INACTIVE)
        return [name for name, state in self.sessions.items() if state not in over]

    def shows(self, user: int, at: int, patience_ms: int = 2_000) -> bool:
        """Whether this image is of the one whom watchers of the active speaker see.

        That is the speaker once there is a picture of them, else whoever was seen last; somebody
        without a picture for ``patience_ms`` gives way to anybody.
        """
        if user and user != self._shown:
            stale = at - self._shown_at > patience_ms
            if user != self.speaker and self._shown and not stale:
                return False
            self._shown = user
        self._shown_at = at
        return True

    def _moved(self, event: Mapping[str, Any], *, joined: bool) -> None:
        at = event.get("timestamp")
        if type(at) is int:
            self.present_at = at
        people = event.get("participants")
        for person in people if isinstance(people, list) else ():
            user = person.get("user_id") if isinstance(person, dict) else None
            if not isinstance(user, int | str):
                continue
            if joined:
                self.present[user] = person
            else:
                self.present.pop(user, None)
