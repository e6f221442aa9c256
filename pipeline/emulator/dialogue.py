"""The conversation on one signaling connection, from its handshake to its end.

Everything a client must do anew after a reconnect lives here: events chosen, readiness, whose
video it watches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from pipeline.emulator import wire
from pipeline.emulator.connection import Connection
from pipeline.emulator.handshake import Identity
from pipeline.emulator.outbox import Outbox
from pipeline.emulator.params import Refused
from pipeline.emulator.playback import Said
from pipeline.emulator.scene import Scene
from pipeline.emulator.sessions import Sessions
from pipeline.emulator.subscription import Subscription, is_call
from pipeline.emulator.video import Video
from pipeline.model.events import Product
from pipeline.rtms.enums import (
    EventType,
    MessageType,
    SessionState,
    StatusCode,
    StopReason,
    StreamState,
    is_known,
)

_OURS: Final = (StreamState.ACTIVE, StreamState.INTERRUPTED)
"""Stream states of the tape that are about the recorded connection; this one has its own."""
_NONE: Final = StopReason.UNDEFINED


class Dialogue:
    """``ready``: the client said so (message 7), media may flow."""

    def __init__(
        self,
        connection: Connection,
        outbox: Outbox,
        who: Identity,
        *,
        product: Product,
        scene: Scene,
        sessions: Sessions,
        cameras_off: Collection[int],
        faults: Counter[str],
        start_ms: int,
        strict: bool,
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._who = who
        self._scene = scene
        self._sessions = sessions
        self._faults = faults
        self._start_ms = start_ms
        self._strict = strict
        self.awaits_first_packet = True
        self.ready = False
        self._meeting = not is_call(product)
        self.video = Video(cameras_off)
        self.subscription = Subscription(product, who.scopes, tolerant=not strict)

    def tell(self, payload: bytes, kind: str = "protocol") -> None:
        """Send on signaling."""
        self._outbox.send(self._connection, payload, kind)

    # -- states ----------------------------------------------------------------------------

    def begin(self, now: int, *, paused: bool) -> None:
        """The client is ready: sessions, stream state, first packet (reference section 11)."""
        self.ready = True
        scene = self._scene
        for name in self._sessions.begin(scene.live_sessions()):
            self.session(name, SessionState.STARTED, now)
            if paused or scene.sessions.get(name) is SessionState.PAUSED:
                self._sessions.put(name, SessionState.PAUSED)
                self.session(name, SessionState.PAUSED, now)
        state = StreamState.PAUSED if paused or scene.paused else StreamState.ACTIVE
        self.stream(state, now)
        self.first_packet()

    def stream(self, state: StreamState, now: int, reason: StopReason = _NONE) -> None:
        """Message 8."""
        self.tell(wire.stream_state(state, reason, self._start_ms + now), "state")

    def session(self, name: str, state: SessionState, now: int, reason: StopReason = _NONE) -> None:
        """Message 9."""
        self.tell(wire.session_state(name, state, reason, self._start_ms + now), "state")

    def first_packet(self) -> None:
        """Event 1, once a connection, as soon as there is one."""
        payload = self._scene.first_packet
        if payload is not None and self.ready and self.awaits_first_packet:
            self.awaits_first_packet = False
            self.tell(payload, "event")

    # -- the tape --------------------------------------------------------------------------

    def say(self, item: Said) -> StopReason | None:
        """Pass a message of the tape on; a stop reason when it ends the stream."""
        message = item.message
        kind = message.get("msg_type")
        if kind == MessageType.EVENT_UPDATE:
            self.event(message.get("event"), item.payload)
        elif kind == MessageType.STREAM_STATE_UPDATE:
            ending = tape_ending(message)
            if ending is not None:
                return ending
            if self.ready and not any(message.get("state") == state for state in _OURS):
                self.tell(self._own(message, item.payload), "state")
        elif kind == MessageType.SESSION_STATE_UPDATE:
            self._session_changed(message, item.payload)
        elif self.ready:
            self.tell(item.payload, "state")
        return None

    def event(self, event: object, payload: bytes) -> None:
        """Message 6, if it is wanted."""
        if not isinstance(event, dict):
            return
        number = event.get("event_type")
        if number == EventType.PARTICIPANT_VIDEO_OFF and self._meeting:
            self._cameras_went_off(event)
        if number == EventType.FIRST_PACKET_TIMESTAMP:
            self.first_packet()
        elif type(number) is int and number in self.subscription.chosen:
            self.tell(payload, "event")

    def _session_changed(self, message: Mapping[str, Any], payload: bytes) -> None:
        name, state = message.get("rtms_session_id"), message.get("state")
        if not self.ready or not isinstance(name, str) or name not in self._scene.sessions:
            return
        if type(state) is not int or not is_known(SessionState, state):
            return
        if state == SessionState.STARTED and name in self._sessions.live():
            return  # told when this client became ready
        self._sessions.put(name, SessionState(state))
        self.tell(payload, "state")

    def _own(self, message: Mapping[str, Any], payload: bytes) -> bytes:
        """With this stream's id, where the recorded one's stands."""
        if message.get("rtms_stream_id", self._who.stream) == self._who.stream:
            return payload
        return msgspec.json.encode({**message, "rtms_stream_id": self._who.stream})

    def _cameras_went_off(self, event: Mapping[str, Any]) -> None:
        """Event 9 of the tape, whether the client hears it or not."""
        people = event.get("participants")
        for person in people if isinstance(people, list) else ():
            if isinstance(person, dict):
                self.video.went_off(person.get("user_id"))

    def camera(self, user: int, now: int, *, on: bool) -> None:
        """A camera was switched by command."""
        if not on:
            self.video.went_off(user)
        kind = EventType.PARTICIPANT_VIDEO_ON if on else EventType.PARTICIPANT_VIDEO_OFF
        if self._meeting and kind in self.subscription.chosen:
            self.tell(wire.camera(user, self._start_ms + now, on=on), "event")

    # -- what the client asks --------------------------------------------------------------

    def subscribe(self, message: Mapping[str, Any]) -> None:
        """Message 5. The first PARTICIPANT_JOIN lists everybody (reference section 10.1)."""
        taken = self.subscription.take(message)
        for status in taken.wrong:
            self._faults[f"subscription_{status.value}_{status.name.lower()}"] += 1
        present = list(self._scene.present.values())
        if EventType.PARTICIPANT_JOIN in taken.new and present:
            self.tell(wire.people(present, self._scene.present_at), "event")

    def query_session(self, message: Mapping[str, Any], now: int) -> None:
        """Message 10, answered with 11."""
        name = message.get("rtms_session_id")
        at = self._start_ms + now
        if isinstance(name, str) and name in self._sessions:
            state = self._sessions.state(name)
            self.tell(wire.told_session(name, state, at, StatusCode.OK, ""))
            return
        self._faults["query_of_unknown_session"] += 1
        status, reason = StatusCode.INVALID_RTMS_SESSION_ID, "no such session of this stream"
        self.tell(wire.told_session(_echo(name), SessionState.INACTIVE, at, status, reason))

    def query_stream(self, message: Mapping[str, Any], state: StreamState, now: int) -> None:
        """Message 19, answered with 20."""
        name = message.get("rtms_stream_id")
        at = self._start_ms + now
        if name == self._who.stream:
            self.tell(wire.told_stream(self._who.stream, state, at, StatusCode.OK, ""))
            return
        self._faults["query_of_unknown_stream"] += 1
        status, reason = StatusCode.INVALID_RTMS_STREAM_ID, "no such stream"
        self.tell(wire.told_stream(_echo(name), StreamState.INACTIVE, at, status, reason))

    def asked_to_close(self, message: Mapping[str, Any], now: int) -> bool:
        """Message 21, answered with 22; whether the stream ends now."""
        name = message.get("rtms_stream_id")
        at = self._start_ms + now
        if name == self._who.stream or (name is None and not self._strict):
            self.tell(wire.close_answer(self._who.stream, at, StatusCode.OK, ""))
            return True
        self._faults["close_of_unknown_stream"] += 1
        status = StatusCode.INVALID_RTMS_STREAM_ID
        if not isinstance(name, str):
            status = StatusCode.INVALID_PAYLOAD
        self.tell(wire.close_answer(_echo(name), at, status, "no such stream"))
        return False

    def ask_video(self, message: Mapping[str, Any], now: int, known: set[int]) -> None:
        """Message 28, answered with 29. ``known``: everybody the tape names so far."""
        status, reason = StatusCode.OK, "OK"
        try:
            self.video.asked(message, known, strict=self._strict)
        except Refused as refusal:
            status, reason = refusal.status, refusal.reason
            self._faults[f"video_{status.value}_{status.name.lower()}"] += 1
        on = message.get("subscribe") is True
        user = _user(message.get("user_id"))
        self.tell(wire.video_answer(user, on, self._start_ms + now, status, reason))


def tape_ending(message: Mapping[str, Any]) -> StopReason | None:
    """Why the tape ends here; None when it goes on. A reason without a name is MEETING_ENDED."""
    if message.get("msg_type") != MessageType.STREAM_STATE_UPDATE:
        return None
    if message.get("state") != StreamState.TERMINATED:
        return None
    try:
        return StopReason(message.get("reason"))  # type: ignore[arg-type]
    except ValueError:
        return StopReason.MEETING_ENDED


def _echo(name: object) -> str:
    """An id as it came, when it can be one."""
    if not isinstance(name, str) or len(name) > 200:
        return ""
    return name.encode("utf-8", "replace").decode()


def _user(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:12])
    return value if type(value) is int and 0 <= value < 1 << 32 else 0
