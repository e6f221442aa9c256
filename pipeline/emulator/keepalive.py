"""Keep-alives of one connection, messages 12 and 13 (reference section 9)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NEVER: Final = 1 << 62
"""Later than any meeting, in ms."""
_REMEMBERED: Final = 16


@dataclass
class Pulse:
    """When the next keep-alive is due (ms from the start), and which ones were answered."""

    due: int = NEVER
    sent: int = 0
    unanswered: int = 0
    _open: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def sends(self, now: int, timestamp: int, interval: int) -> int:
        """A keep-alive goes out with this timestamp; its sequence number.

        One that is late by more than an interval, because the emulator was held up, is not made
        up for: the client gets its time to answer.
        """
        self.due = self.due + interval if now < self.due + interval else now + interval
        self.sent += 1
        self.unanswered += 1
        self._open.append((self.sent, timestamp))
        return self.sent

    def answered(self, message: Mapping[str, Any]) -> bool:
        """A 13 came: the client lives. False when it repeats neither sequence nor timestamp of a
        keep-alive that was sent lately.

        An answer may come twice, late, or without ``sequence``, as samples of Zoom's do. Which
        one it answers is told by the sequence, else by the timestamp.
        """
        sequence, timestamp = message.get("sequence"), message.get("timestamp")
        for number, sent in reversed(self._open):
            if sequence == number or (sequence is None and timestamp == sent):
                self.unanswered = min(self.unanswered, self.sent - number)
                return timestamp == sent
        self.unanswered = 0
        return False
