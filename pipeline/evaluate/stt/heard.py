"""What one run heard, and how long it took."""

from __future__ import annotations

import msgspec

from pipeline.model.speech import Attribution


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """Words of one segment (or whole clip); times in ms from the unit's beginning.

    ``first_s``: from the beginning of the speech to its first tentative words, None when there
    were none before the final ones; ``final_s``: from its end to the final words being committed.
    Both in paced runs only.
    """

    speaker: str | None
    start_ms: int
    end_ms: int
    text: str
    attribution: Attribution = "stream"
    speaker_confidence: float | None = None
    doubt: str | None = None
    first_s: float | None = None
    final_s: float | None = None

    @property
    def seconds(self) -> float:
        """How long the segment is."""
        return (self.end_ms - self.start_ms) / 1000


class Hearing(msgspec.Struct, frozen=True, kw_only=True):
    """One unit: its words by time, seconds of wall clock and of processor time they took, and in
    paced runs the most that a packet was late (``lag_s``)."""

    heard: tuple[Heard, ...]
    wall_s: float
    cpu_s: float
    lag_s: float | None = None
