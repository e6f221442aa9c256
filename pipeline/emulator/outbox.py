"""What one stream has to say, until its shell fetches it."""

from __future__ import annotations

from collections import Counter

from pipeline.emulator.actions import GOING_AWAY, NORMAL, Abort, Action, Close, Notify, Send
from pipeline.emulator.connection import Connection
from pipeline.rtms.enums import StopReason


class Outbox:
    """Actions in order; ``sent`` counts messages by kind."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self._actions: list[Action] = []

    def send(self, connection: Connection, payload: bytes, kind: str = "protocol") -> None:
        """``kind`` as in ``actions.Send``."""
        connection.sent += 1
        self.sent[kind] += 1
        self._actions.append(Send(connection.number, payload, kind))

    def close(self, connection: Connection, code: int = NORMAL) -> None:
        """With a close frame."""
        self._actions.append(Close(connection.number, code))

    def break_off(self, connection: Connection, *, frame: bool) -> None:
        """As a lost connection looks: without a close frame, or with one that says going away."""
        if frame:
            self.close(connection, GOING_AWAY)
        else:
            self._actions.append(Abort(connection.number))

    def notify_interrupted(self, at: int) -> None:
        """By webhook."""
        self._actions.append(Notify("interrupted", at))

    def notify_stopped(self, at: int, reason: StopReason) -> None:
        """By webhook."""
        self._actions.append(Notify("stopped", at, reason))

    def drain(self) -> list[Action]:
        """Everything since the last time."""
        found, self._actions = self._actions, []
        return found
