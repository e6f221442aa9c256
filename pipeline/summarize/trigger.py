"""When to write. Pure: told what waits, says whether now is the moment and why."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from pipeline.summarize.settings import SummarizeSettings

Reason = Literal["cue", "words", "silence", "ceiling"]

_SOON = r"(?:by|until|before|tomorrow|today|tonight|next\s+week)\b"
_CUE = re.compile(
    r"\baction items?\b|\bto[- ]?dos?\b|\bdecision\b|\bdeadline\b|\bopen\s+question\b"
    r"|\b(?:it|we|that)(?:['\u2019]\w+)?\s+(?:(?:is|are|have|was)\s+)?(?:all\s+)?"
    r"(?:decided|agreed|settled)\b"
    r"|\blet(?:['\u2019]s|\s+us)\s+go\s+with\b"
    rf"|\bi(?:['\u2019]ll|\s+will|\s+can)\b.{{0,80}}\b{_SOON}"
    rf"|\b(?:can|could|will|would)\s+you\b.{{0,80}}\b{_SOON}"
    r"|\b(?:forget|scratch|cancel|drop)\s+(?:that|it|the)\b|\btake\s+(?:that|it)\s+off\b",
    re.IGNORECASE,
)


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often to write, in milliseconds of meeting time and words."""

    floor_ms: int
    ceiling_ms: int
    silence_ms: int
    every_words: int
    min_words: int = 1

    @classmethod
    def of_model(cls, settings: SummarizeSettings) -> Pace:
        """For a writer that costs money and time."""
        return cls(
            floor_ms=round(settings.floor_s * 1000),
            ceiling_ms=round(settings.ceiling_s * 1000),
            silence_ms=round(settings.silence_s * 1000),
            every_words=settings.every_words,
            min_words=settings.min_words,
        )

    @classmethod
    def of_extraction(cls, settings: SummarizeSettings) -> Pace:
        """For a writer that costs nothing: whenever something was said, after the floor."""
        floor_ms = round(settings.extract_floor_s * 1000)
        return cls(floor_ms=floor_ms, ceiling_ms=floor_ms, silence_ms=0, every_words=1)


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What was said and not written about: ``words`` of it, the first heard at ``first_ms``, the
    last at ``last_ms`` (meeting time of arrival); ``has_cue``: a line sounds like a decision, a
    promise or a withdrawal."""

    words: int
    first_ms: int
    last_ms: int
    has_cue: bool = False


def due(pace: Pace, waiting: Waiting, *, now_ms: int, written_ms: int | None) -> Reason | None:
    """Why to write now, or None. ``written_ms``: when it was last done, None if never."""
    if waiting.words <= 0:
        return None
    if written_ms is not None and now_ms - written_ms < pace.floor_ms:
        return None
    if waiting.has_cue and (written_ms is not None or now_ms - waiting.first_ms >= pace.floor_ms):
        return "cue"
    if waiting.words >= pace.every_words:
        return "words"
    if waiting.words >= pace.min_words and now_ms - waiting.last_ms >= pace.silence_ms:
        return "silence"
    if now_ms - waiting.first_ms >= pace.ceiling_ms:
        return "ceiling"
    return None


def sounds_like_a_cue(text: str) -> bool:
    """Whether a line calls for notes soon."""
    return bool(_CUE.search(text))
