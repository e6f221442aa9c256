"""What one socket received, counted cheaply and put into the process's metrics now and then."""

from __future__ import annotations

from collections import Counter
from typing import Final

from pipeline.base import metrics
from pipeline.rtms.enums import MessageType, is_known
from pipeline.rtms.outputs import ProtocolFault

TOLD: Final = 5
"""So many faults of a kind are told on one connection; all are counted."""

FLUSH_S: Final = 1.0

UNKNOWN: Final = -1
"""Counts for every type without a name, so that a peer cannot make labels."""


class Tally:
    """Counters of one connection. ``count`` is for the hot path: two dictionary updates."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._types: dict[int, int] = {}
        self._bytes: dict[str, int] = {}
        self._faults: Counter[str] = Counter()
        self._flushed = 0.0

    def count(self, msg_type: int, now: float) -> None:
        """One message of a type."""
        self._types[msg_type] = self._types.get(msg_type, 0) + 1
        if now - self._flushed >= FLUSH_S:
            self._flushed = now
            self.flush()

    def media(self, media: str, size: int) -> None:
        """Decoded bytes of one media message."""
        self._bytes[media] = self._bytes.get(media, 0) + size

    def fault(self, reason: str, detail: str) -> list[ProtocolFault]:
        """Count a fault; it is told while it is among the first of its kind."""
        metrics.PROTOCOL_ERRORS.labels(self._socket, reason).inc()
        self._faults[reason] += 1
        if self._faults[reason] > TOLD:
            return []
        return [ProtocolFault(self._socket, reason, detail[:200])]

    def flush(self) -> None:
        """Put what was counted into the metrics."""
        for msg_type, count in self._types.items():
            metrics.MESSAGES.labels(self._socket, _name(msg_type)).inc(count)
        for media, size in self._bytes.items():
            metrics.MEDIA_BYTES.labels(media).inc(size)
        self._types.clear()
        self._bytes.clear()


def _name(msg_type: int) -> str:
    return MessageType(msg_type).name.lower() if is_known(MessageType, msg_type) else "unknown"
