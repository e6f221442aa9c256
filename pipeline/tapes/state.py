"""How a meeting stands at some place of a tape: what a tape that begins there must say first. Pure.

Event and state numbers: reference sections 10 and 11.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, cast

import msgspec

from pipeline.model.events import Product
from pipeline.tapes.lines import SocketName, TapeMessage

_EVENT, _STREAM, _SESSION = 6, 8, 9
_FIRST_PACKET, _SPEAKER, _JOIN, _LEAVE = 1, 2, 3, 4
_SHARE_START, _SHARE_STOP, _CAMERA_ON, _CAMERA_OFF = 5, 6, 8, 9
_ANSWERED: Final = (8, 10)  # contact center: consumer, user
_HUNG_UP: Final = (9, 11)
_ACTIVE, _PAUSED, _RESUMED, _TERMINATED = 1, 5, 6, 4
_STARTED, _SESSION_PAUSED, _STOPPED = 2, 3, 5
_MOST: Final = 10_000

Ids = int | str


class MeetingState:
    """Shown every server message in order (``see``); ``opening`` tells the same in few."""

    def __init__(self, product: Product) -> None:
        self._calls = product in ("contact_center", "phone")
        self.present: dict[Ids, dict[str, Any]] = {}
        self.session: str | None = None
        self._speaker: dict[str, Any] | None = None
        self._sharing: dict[str, Any] | None = None
        self._cameras: dict[Ids, None] = {}
        self._answered: dict[str, dict[str, Any]] = {}
        self._first_packet = False
        self._paused = False

    def see(self, message: dict[str, Any]) -> None:
        """Take one message in; what is malformed changes nothing."""
        kind = message.get("msg_type")
        if kind == _EVENT:
            event = message.get("event")
            if isinstance(event, dict):
                self._event(event)
        elif kind == _STREAM:
            state = message.get("state")
            if state in (_PAUSED, _RESUMED, _ACTIVE):
                self._paused = state == _PAUSED
        elif kind == _SESSION:
            session, state = message.get("rtms_session_id"), message.get("state")
            if isinstance(session, str):
                self.session = None if state == _STOPPED else session

    def opening(self, now_ms: int) -> Iterator[dict[str, Any]]:
        """The messages a client that joins now must be told, stamped ``now_ms`` (Unix)."""
        if self.session is not None:
            yield self._session(_STARTED, now_ms)
        yield {"msg_type": _STREAM, "state": _ACTIVE, "reason": 0, "timestamp": now_ms}
        if self.present:
            yield _event(_JOIN, now_ms, participants=list(self.present.values()))
        for event in self._answered.values():
            yield {"msg_type": _EVENT, "event": event}
        if self._first_packet:
            yield _event(_FIRST_PACKET, now_ms)
        if self._cameras:
            people = [{"user_id": user_id} for user_id in self._cameras]
            yield _event(_CAMERA_ON, now_ms, participants=people)
        if self._sharing is not None:
            yield _event(_SHARE_START, now_ms, **self._sharing)
        if self._speaker is not None:
            yield _event(_SPEAKER, now_ms, **self._speaker)
        if self._paused:
            if self.session is not None:
                yield self._session(_SESSION_PAUSED, now_ms)
            yield {"msg_type": _STREAM, "state": _PAUSED, "reason": 0, "timestamp": now_ms}

    def _session(self, state: int, now_ms: int) -> dict[str, Any]:
        return {
            "msg_type": _SESSION,
            "rtms_session_id": self.session,
            "state": state,
            "reason": 0,
            "stop_reason": 0,
            "timestamp": now_ms,
        }

    def _event(self, event: dict[str, Any]) -> None:
        kind = event.get("event_type")
        if kind == _FIRST_PACKET:
            self._first_packet = True
        elif kind == _SPEAKER:
            self._speaker = _person(event)
        elif kind == _SHARE_START:
            self._sharing = _person(event)
        elif kind == _SHARE_STOP:
            self._sharing = None
        elif self._calls and kind in (*_ANSWERED, *_HUNG_UP):
            self._call(event, answered=kind in _ANSWERED)
        elif kind in (_JOIN, _LEAVE, _CAMERA_ON, _CAMERA_OFF):
            for person in _people(event):
                self._moved(cast(int, kind), person)

    def _moved(self, kind: int, person: dict[str, Any]) -> None:
        user_id = person["user_id"]
        if kind == _JOIN and (user_id in self.present or len(self.present) < _MOST):
            self.present[user_id] = person
        elif kind == _LEAVE:
            self.present.pop(user_id, None)
            self._cameras.pop(user_id, None)
        elif kind == _CAMERA_ON and len(self._cameras) < _MOST:
            self._cameras[user_id] = None
        elif kind == _CAMERA_OFF:
            self._cameras.pop(user_id, None)

    def _call(self, event: dict[str, Any], *, answered: bool) -> None:
        info = event.get("participant_info", event.get("paticipant_info"))
        channel = info.get("channel_id") if isinstance(info, dict) else None
        if not isinstance(channel, str):
            return
        if answered and len(self._answered) < _MOST:
            self._answered[channel] = event
        elif not answered:
            self._answered.pop(channel, None)


def is_opening(message: dict[str, Any]) -> bool:
    """The stream began: 8/ACTIVE, 9/STARTED or the first packet's time."""
    event = message.get("event")
    kind = event.get("event_type") if isinstance(event, dict) else None
    return (message.get("msg_type"), message.get("state")) in (
        (_STREAM, _ACTIVE),
        (_SESSION, _STARTED),
    ) or (message.get("msg_type") == _EVENT and kind == _FIRST_PACKET)


def is_goodbye(message: dict[str, Any]) -> bool:
    """The stream is over: 8/TERMINATED or 9/STOPPED."""
    return (message.get("msg_type"), message.get("state")) in (
        (_STREAM, _TERMINATED),
        (_SESSION, _STOPPED),
    )


def left(now_ms: int, people: list[Ids]) -> dict[str, Any]:
    """Event 4 for these ids."""
    return _event(_LEAVE, now_ms, participants=[{"user_id": user_id} for user_id in people])


def wire_line(
    t: int,
    message: dict[str, Any],
    socket: SocketName = "signaling",
    sender: Literal["server", "client"] = "server",
) -> TapeMessage:
    """A message as a line."""
    raw = msgspec.Raw(msgspec.json.encode(message))
    return TapeMessage(t=t, socket=socket, sender=sender, msg=raw)


def _event(kind: int, now_ms: int, **fields: Any) -> dict[str, Any]:
    return {"msg_type": _EVENT, "event": {"event_type": kind, "timestamp": now_ms, **fields}}


def _person(event: dict[str, Any]) -> dict[str, Any]:
    return {key: event[key] for key in ("user_id", "user_name") if key in event}


def _people(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    people = event.get("participants")
    for person in people if isinstance(people, list) else ():
        if isinstance(person, dict) and isinstance(person.get("user_id"), int | str):
            yield person
