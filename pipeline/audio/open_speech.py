"""What is being said at this moment, for who shows words before they are final."""

from __future__ import annotations

from typing import Protocol

import msgspec

from pipeline.audio.packet import Samples
from pipeline.model.speech import Attribution


class OpenSpeech(msgspec.Struct, frozen=True, kw_only=True):
    """A segment that is still growing: ``samples`` at 16 kHz so far. ``file`` names it as its
    ``Segment`` will; who speaks may still change in mixed audio. ``patches``: so often late audio
    took the place of silence in it."""

    file: str
    participant: str | None
    speaker: str | None
    attribution: Attribution
    start_ms: int
    samples: int
    speaker_confidence: float | None = None
    patches: int = 0


class HeardSoFar(Protocol):
    """Audio of an open segment."""

    def __call__(self, file: str, since: int = 0) -> Samples:
        """Samples from ``since`` on (16 kHz, -1..1); none when the segment is closed."""
        ...


class Tap(Protocol):
    """Takes everybody's audio as it was sent, in the thread of the chain; must not wait long."""

    def __call__(self, participant: str | None, at: int, samples: Samples) -> None:
        """Mono samples from position ``at`` on (samples since the epoch at the stream's rate).
        Each position once; in order but for what arrives late; holes are left out."""
        ...
