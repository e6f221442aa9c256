"""What settles segments that were decoded together: the bodies of one commit."""

from __future__ import annotations

import msgspec

from pipeline.base.errors import EngineError, StorageError
from pipeline.meeting import batch as batches
from pipeline.meeting.naming import Naming
from pipeline.meeting.recorder import Recorder
from pipeline.meeting.words import sound
from pipeline.model import events as ev
from pipeline.model.speech import Correction, Segment
from pipeline.transcribe.engine import Transcription


def said(
    recorder: Recorder, naming: Naming, segments: list[Segment], heard: Transcription
) -> list[ev.Body]:
    """One utterance over all of them, names put right unless the words are doubtful; or that there
    were no words."""
    heard = msgspec.structs.replace(heard, text=sound(heard.text).strip())
    if not heard.text:
        return [ev.SegmentClosed(segment=s.id, outcome="empty") for s in segments]
    corrections: tuple[Correction, ...] = ()
    if heard.doubt is None:
        heard, corrections = naming.corrected(heard)
    first, last = segments[0], segments[-1]
    _, bodies = recorder.said(
        stream=first.stream,
        source="local",
        participant=first.participant,
        speaker=first.speaker,
        start_ms=first.start_ms,
        end_ms=last.end_ms,
        text=heard.text,
        language=heard.language,
        confidence=heard.confidence,
        segment=first.id,
        attribution=first.attribution,
        speaker_confidence=batches.speaker_confidence(segments),
        engine=heard.engine,
        doubt=heard.doubt,
        words=batches.words_at(segments, heard.words),
        corrections=corrections,
    )
    return [
        *bodies,
        ev.SegmentClosed(segment=first.id, outcome="text", doubt=heard.doubt or ""),
        *(ev.SegmentClosed(segment=s.id, outcome="merged", detail=first.id) for s in segments[1:]),
    ]


def lost(
    recorder: Recorder, segments: list[Segment], error: EngineError | StorageError
) -> list[ev.Body]:
    """A gap over all of them."""
    first, last = segments[0], segments[-1]
    gap = recorder.gap(
        from_ms=first.start_ms,
        to_ms=last.end_ms,
        media="audio",
        cause="stt_failed" if isinstance(error, EngineError) else "spool_lost",
        stream=first.stream,
        participant=first.participant,
    )
    detail = str(error)
    closed = [ev.SegmentClosed(segment=s.id, outcome="failed", detail=detail) for s in segments]
    return [*gap, *closed]
