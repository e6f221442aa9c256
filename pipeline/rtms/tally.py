"""What one socket received, counted cheaply and put into the process's metrics now and then."""

from __future__ import annotations

from collections import Counter
from typing import Final

from pipeline.base import metrics
from pipeline.rtms.enums import MessageType, is_known
from pipeline.rtms.outputs import ProtocolFault

TOLD: Final = 5
"""So many faults of a kind are told on one connection; all are counted."""

KINDS: Final = 16
"""So many unknown types and events are told on one connection, each once."""

FLUSH_S: Final = 1.0

SAMPLE_BYTES: Final = 2048

UNKNOWN: Final = -1
"""Counts for every type without a name, so that a peer cannot make labels."""


_AUDIO: Final = MessageType.MEDIA_DATA_AUDIO.name.lower()


class Tally:
    """Counters of one connection. ``audio`` is the hot path. What is held is bounded by the kinds
    of message and of fault there are, not by what a peer sends."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._types: dict[int, int] = {}
        self._bytes: dict[str, int] = {}
        self._faults: Counter[str] = Counter()
        self._strange: set[tuple[str, int]] = set()
        self._flushed = 0.0
        self._audio = 0
        self._audio_bytes = 0

    def audio(self, size: int, now: float) -> None:
        """One audio message of so many decoded bytes."""
        self._audio += 1
        self._audio_bytes += size
        if now - self._flushed >= FLUSH_S:
            self._flushed = now
            self.flush()

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
        """Count a fault; it is told while it is among the first of its kind. ``reason``: one of a
        fixed set of words."""
        metrics.PROTOCOL_ERRORS.labels(self._socket, reason).inc()
        self._faults[reason] += 1
        if self._faults[reason] > TOLD:
            return []
        return [ProtocolFault(self._socket, reason, detail[:200])]

    def strange(
        self, reason: str, number: int, detail: str, frame: bytes | str
    ) -> list[ProtocolFault]:
        """Count a message or event nobody knows; the first of each number is told with a sample,
        so that support for it can be written."""
        metrics.PROTOCOL_ERRORS.labels(self._socket, reason).inc()
        kind = (reason, number)
        if kind in self._strange or len(self._strange) >= KINDS:
            return []
        self._strange.add(kind)
        return [ProtocolFault(self._socket, reason, detail[:200], sample(frame))]

    def unknown_type(self, msg_type: int, frame: bytes | str, now: float) -> list[ProtocolFault]:
        """Count a message that has no struct: reserved, or of a type added later."""
        if is_known(MessageType, msg_type):
            self.count(msg_type, now)
            detail = f"{MessageType(msg_type).name} is reserved"
            return self.strange("reserved_type", msg_type, detail, frame)
        self.count(UNKNOWN, now)
        detail = f"message type {str(msg_type)[:40]}"
        return self.strange("unknown_type", msg_type, detail, frame)

    def flush(self) -> None:
        """Put what was counted into the metrics."""
        if self._audio:
            metrics.MESSAGES.labels(self._socket, _AUDIO).inc(self._audio)
            metrics.MEDIA_BYTES.labels("audio").inc(self._audio_bytes)
            self._audio = self._audio_bytes = 0
        for msg_type, count in self._types.items():
            metrics.MESSAGES.labels(self._socket, _name(msg_type)).inc(count)
        for media, size in self._bytes.items():
            metrics.MEDIA_BYTES.labels(media).inc(size)
        self._types.clear()
        self._bytes.clear()


def sample(frame: bytes | str) -> bytes:
    """The beginning of a frame, to be kept; never half a character."""
    if isinstance(frame, str):
        frame = frame[:SAMPLE_BYTES].encode("utf-8", "replace")
    cut = bytes(frame[:SAMPLE_BYTES])
    return cut if len(frame) <= SAMPLE_BYTES else cut.decode("utf-8", "ignore").encode()


def _name(msg_type: int) -> str:
    return MessageType(msg_type).name.lower() if is_known(MessageType, msg_type) else "unknown"
