"""The messages of a made meeting, as lines: Zoom's words without Zoom. Pure.

Layouts: reference sections 10.1, 11 and 12.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, Final

from pipeline.tapes.header import TapeParticipant
from pipeline.tapes.lines import Line
from pipeline.tapes.state import wire_line

TRANSCRIPT_DELAY_MS: Final = 800
CHAT_DELAY_MS: Final = 150
MEETING_ENDED: Final = 6
ENGLISH: Final = 9  # RTMS_TRANSCRIPT_LANGUAGE
_IMAGE_DELAY_MS: Final = 100


class WireLines:
    """Makes lines for a meeting that begins at ``start_ms`` (Unix); ids come from ``seed``.

    ``t`` is when a message is sent, ``at`` what it tells the time of, both ms from the start.
    """

    def __init__(self, start_ms: int, seed: str) -> None:
        self._start = start_ms
        digest = hashlib.sha256(seed.encode()).digest()
        self.zoom_id = base64.b64encode(digest[:16]).decode()
        self.stream = digest[16:].hex()
        self._session = hashlib.sha256(digest).hexdigest()[:32]

    def event(self, t: int, kind: int, at: int, **fields: Any) -> Line:
        """Message 6."""
        event = {"event_type": kind, "timestamp": self._start + at, **fields}
        return wire_line(t, {"msg_type": 6, "event": event})

    def joined(self, at: int, people: Sequence[TapeParticipant]) -> Line:
        """Event 3."""
        rows = [{"user_id": p.user_id, "user_name": p.user_name} for p in people]
        return self.event(at, 3, at, participants=rows)

    def left(self, at: int, person: TapeParticipant) -> Line:
        """Event 4."""
        return self.event(at, 4, at, participants=[{"user_id": person.user_id}])

    def speaker(self, at: int, person: TapeParticipant) -> Line:
        """Event 2."""
        return self.event(at, 2, at, user_id=person.user_id, user_name=person.user_name)

    def stream_state(self, t: int, state: int, reason: int) -> Line:
        """Message 8."""
        message = {"state": state, "reason": reason, "timestamp": self._start + t}
        return wire_line(t, {"msg_type": 8, **message})

    def session_state(self, t: int, state: int, reason: int) -> Line:
        """Message 9."""
        return wire_line(
            t,
            {
                "msg_type": 9,
                "rtms_session_id": self._session,
                "state": state,
                "reason": reason,
                "stop_reason": reason,
                "timestamp": self._start + t,
            },
        )

    def opening(self) -> list[Line]:
        """The stream and its session begin."""
        return [self.session_state(0, 2, 0), self.stream_state(0, 1, 0)]

    def closing(self, end: int, present: Sequence[TapeParticipant]) -> list[Line]:
        """People leave one by one, then the meeting is over."""
        lines = [self.left(end + 200 * number, person) for number, person in enumerate(present)]
        last = end + 200 * len(present) + 300
        return [
            *lines,
            self.session_state(last, 5, MEETING_ENDED),
            self.stream_state(last, 4, MEETING_ENDED),
        ]

    def transcript(
        self, person: TapeParticipant, start: int, end: int, text: str, language: int = ENGLISH
    ) -> Line:
        """Message 17, sent a little after the words' end."""
        at = end + TRANSCRIPT_DELAY_MS
        content = {
            "user_id": person.user_id,
            "user_name": person.user_name,
            "start_time": self._start + start,
            "end_time": self._start + end,
            "timestamp": self._start + at,
            "language": language,
            "attribute": 1,
            "data": text,
        }
        return wire_line(at, {"msg_type": 17, "content": content}, "transcript")

    def chat(self, person: TapeParticipant, at: int, text: str, key: str) -> Line:
        """Message 18 to everybody; ``key`` makes its id."""
        sender = {"user_id": person.user_id, "user_name": person.user_name}
        data = {
            "data": text,
            "chat_session": {"type": 1, "id": ""},
            "operation_type": 1,
            "message_id": hashlib.sha256(f"{self.stream} {key}".encode()).hexdigest()[:32].upper(),
            "sender": sender,
        }
        content = {**sender, "timestamp": self._start + at, "data": data}
        return wire_line(at + CHAT_DELAY_MS, {"msg_type": 18, "content": content}, "chat")

    def share(self, person: TapeParticipant, at: int, image: bytes) -> Line:
        """Message 16: one image of a shared screen."""
        content = {
            "user_id": person.user_id,
            "user_name": person.user_name,
            "data": base64.b64encode(image).decode(),
            "length": len(image),
            "timestamp": self._start + at,
        }
        return wire_line(at + _IMAGE_DELAY_MS, {"msg_type": 16, "content": content}, "deskshare")
