"""Segments of one voice that are decoded in one go, because words are late. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.meeting.words import sound
from pipeline.model.speech import Segment, Word
from pipeline.transcribe.engine import SAMPLE_RATE, HeardWord

LONGEST_S = 12.0
"""Audio of one decode: as the longest segment (``audio.max_segment_s``)."""
PAUSE_MS = 2_000
"""Longest pause within an utterance; beyond it somebody else may well have spoken between."""

_PER_MS = SAMPLE_RATE // 1000


def fits(batch: Sequence[Segment], segment: Segment) -> bool:
    """Whether a segment can be decoded with those before it: the same speaker, by the same
    evidence, going on soon."""
    first, last = batch[0], batch[-1]
    samples = sum(s.samples for s in batch) + segment.samples
    return (
        (segment.stream, segment.participant, segment.speaker, segment.attribution)
        == (first.stream, first.participant, first.speaker, first.attribution)
        and 0 <= segment.start_ms - last.end_ms + 1 <= PAUSE_MS + 1  # ends are rounded
        and samples <= LONGEST_S * SAMPLE_RATE
    )


def speech_ms(batch: Sequence[Segment]) -> int | None:
    """Speech in all of them, None when one does not tell."""
    known = [s.speech_ms for s in batch if s.speech_ms is not None]
    return sum(known) if len(known) == len(batch) else None


def speaker_confidence(batch: Sequence[Segment]) -> float | None:
    """The least of theirs."""
    return min(
        (s.speaker_confidence for s in batch if s.speaker_confidence is not None), default=None
    )


def words_at(batch: Sequence[Segment], heard: Sequence[HeardWord]) -> tuple[Word, ...]:
    """Words in meeting time. Their own times count the audio of all segments without a pause; what
    an engine tells outside of it is moved to its ends."""
    words = []
    for word in heard:
        end_ms = _meeting_ms(batch, max(word.start_ms, word.end_ms), starts=False)
        start_ms = min(_meeting_ms(batch, word.start_ms, starts=True), end_ms)
        words.append(Word(sound(word.text), start_ms, end_ms, word.confidence))
    return tuple(words)


def _meeting_ms(batch: Sequence[Segment], at_ms: int, *, starts: bool) -> int:
    """A word that begins on the border of two segments is in the later one, one that ends there in
    the earlier."""
    left = max(0, at_ms)
    for segment in batch:
        length = segment.samples // _PER_MS
        if left < length or (left == length and not starts):
            return min(segment.start_ms + left, segment.end_ms)
        left -= length
    return batch[-1].end_ms
