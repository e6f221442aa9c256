"""Words that no writer could take in, and how the log says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.base import metrics
from pipeline.model.events import GapFound
from pipeline.model.speech import Gap
from pipeline.model.state import MeetingState
from pipeline.summarize.writer import Skipped, Spoken, span_of


def skipped(lines: Sequence[Spoken], detail: str) -> Skipped:
    """The stretch that some lines (at least one) take."""
    spans = [span_of(line) for line in lines]
    return Skipped(
        from_ms=min(start for start, _ in spans), to_ms=max(end for _, end in spans), detail=detail
    )


def gaps(parts: Iterable[Skipped], state: MeetingState) -> list[GapFound]:
    """Gap events, numbered on from those the meeting has; counted."""
    known = [int(gap[1:]) for gap in state.gaps if gap[1:].isdecimal()]
    found: list[GapFound] = []
    for number, part in enumerate(parts, max(known, default=0) + 1):
        metrics.GAP_SECONDS.labels("summary_skipped").inc((part.to_ms - part.from_ms) / 1000)
        gap = Gap(
            id=f"g{number}",
            from_ms=part.from_ms,
            to_ms=part.to_ms,
            media="notes",
            cause="summary_skipped",
            detail=part.detail,
        )
        found.append(GapFound(gap=gap))
    return found
