"""How many tokens a text will be, without the model's own tokenizer."""

from __future__ import annotations

from collections import deque

_UNKNOWN = 0.5
"""Tokens a UTF-8 byte before anything was measured: more than any of the usual encodings needs for
prose in any script or for JSON, so the first estimates err to the safe side."""
_MARGIN = 1.1
_REMEMBERED = 8
_TELLING = 400
"""Bytes below which the chat template's own tokens weigh too much to learn from."""


class TokenEstimate:
    """Learns from the usage servers report; the densest of the last calls decides."""

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=_REMEMBERED)

    def of(self, text: str) -> int:
        """An upper estimate."""
        per_byte = max(self._seen) * _MARGIN if self._seen else _UNKNOWN
        return round(len(text.encode()) * per_byte) + 1

    def learn(self, sent_bytes: int, tokens: int) -> None:
        """A call of so many bytes was reported as so many tokens."""
        if sent_bytes >= _TELLING and tokens > 0:
            self._seen.append(tokens / sent_bytes)
