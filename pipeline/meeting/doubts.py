"""Segments whose words may be made up: which they are, and what settles them. Pure."""

from __future__ import annotations

import msgspec

from pipeline.meeting import batch as batches
from pipeline.meeting.words import sound
from pipeline.model import events as ev
from pipeline.model.speech import Segment, Utterance
from pipeline.model.state import MeetingState
from pipeline.transcribe.engine import Transcription


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """One doubtful decode. ``segments``: the doubtful one, and those that were decoded with it;
    ``utterance``: None when it has been deleted."""

    why: str
    segments: tuple[Segment, ...]
    utterance: Utterance | None

    @property
    def id(self) -> str:
        """The id of its first segment."""
        return self.segments[0].id


def doubts(state: MeetingState) -> list[Doubt]:
    """Those that are not resolved, by time."""
    utterances = {u.segment: u for u in state.utterances.values() if u.segment and not u.deleted}
    merged: dict[str, list[Segment]] = {}
    for closed in state.outcomes.values():
        if closed.outcome == "merged":
            merged.setdefault(closed.detail, []).append(state.segments[closed.segment])
    found = [
        Doubt(
            why=why,
            segments=(state.segments[segment], *merged.get(segment, ())),
            utterance=utterances.get(segment),
        )
        for segment, why in state.doubts.items()
    ]
    return sorted(found, key=lambda doubt: doubt.segments[0].start_ms)


def held(state: MeetingState) -> frozenset[str]:
    """Segments that are settled but whose audio must stay."""
    return frozenset(segment.id for doubt in doubts(state) for segment in doubt.segments)


def settled(state: MeetingState) -> list[Segment]:
    """Segments whose audio nobody needs any more."""
    kept = held(state)
    return [s for s in state.segments.values() if s.id in state.outcomes and s.id not in kept]


def accepted(doubt: Doubt, at_ms: int) -> list[ev.Body]:
    """A person says that the words are right."""
    return [
        *_revised(doubt.utterance, doubt=None, confidence=None),
        ev.DoubtResolved(segment=doubt.id, how="accepted", at_ms=at_ms),
    ]


def rejected(doubt: Doubt, at_ms: int) -> list[ev.Body]:
    """A person says that nobody said this."""
    return [
        *_revised(doubt.utterance, deleted=True),
        ev.DoubtResolved(segment=doubt.id, how="rejected", at_ms=at_ms),
    ]


def retranscribed(doubt: Doubt, heard: Transcription, at_ms: int) -> list[ev.Body]:
    """Another try gave words that nothing speaks against, or none; empty when they are doubtful
    again."""
    if heard.doubt is not None:
        return []
    text = sound(heard.text).strip()
    how = ev.DoubtResolved(
        segment=doubt.id,
        how="retranscribed",
        at_ms=at_ms,
        detail=f"by {heard.engine}" if text else f"no words, by {heard.engine}",
    )
    if not text:
        return [*_revised(doubt.utterance, deleted=True), how]
    return [
        *_revised(
            doubt.utterance,
            text=text,
            doubt=None,
            confidence=heard.confidence,
            language=heard.language,
            engine=heard.engine,
            words=batches.words_at(doubt.segments, heard.words),
            corrections=(),
        ),
        how,
    ]


def _revised(known: Utterance | None, **changes: object) -> list[ev.Body]:
    if known is None:
        return []
    changed = msgspec.structs.replace(known, revision=known.revision + 1, **changes)
    return [ev.UtteranceSaid(utterance=changed)]
