"""The JSON export: one versioned document a meeting (schema: docs/schemas/export.schema.json).

Times are Unix milliseconds in meeting time; ``started`` and ``ended`` repeat them as ISO 8601 in
the meeting's zone. The addresses of Zoom's servers and the other engine's words stay out.
"""

from __future__ import annotations

import inspect
from typing import Any, Literal

import msgspec

from pipeline.export.standing import coverage, notes_label, standing
from pipeline.export.times import Times
from pipeline.model.events import LlmCalled, Product
from pipeline.model.happening import Clip, FaultSeen, Happening, Image
from pipeline.model.notes import NoteItem
from pipeline.model.speech import Gap, Message, Participant, Recording, Utterance
from pipeline.model.state import MeetingState
from pipeline.model.view import StageHealth

SCHEMA_ID = "https://rtms-notes.invalid/schemas/export/1"


class ExportedMeeting(msgspec.Struct, frozen=True, kw_only=True):
    """The meeting's head."""

    id: str
    product: Product
    zoom_id: str
    title: str | None
    state: Literal["live", "ended", "finished"]
    zone: str
    started_ms: int
    started: str
    ended_ms: int | None
    ended: str | None
    engine: str
    last_seq: int


class ExportedStream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of the meeting, as it stands."""

    id: str
    state: str
    announced_ms: int
    at_ms: int
    reason: int | None
    detail: str


class ExportedNotes(msgspec.Struct, frozen=True, kw_only=True):
    """The notes. ``items`` are shown; ``dropped`` were merged into another item or rejected.

    ``label`` says who made them; ``read_to_ms`` is the end of the latest words they have read and
    ``unread`` the number of shown words they have not; ``final`` whether the final pass has run.
    """

    label: str
    final: bool
    covered_seq: int
    read_to_ms: int | None
    unread: int
    items: tuple[NoteItem, ...]
    dropped: tuple[NoteItem, ...]


class ExportDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A meeting. ``notices`` are sentences on what is not final or not certain; files of
    ``images`` and ``clips`` are in the meeting's ``images`` folder, those of ``recordings`` in its
    ``recordings`` folder; ``sessions`` are Zoom's session ids and their last state."""

    format: Literal["rtms-notes/export"]
    version: Literal[1]
    meeting: ExportedMeeting
    notices: tuple[str, ...]
    gaps: tuple[Gap, ...]
    participants: tuple[Participant, ...]
    notes: ExportedNotes
    transcript: tuple[Utterance, ...]
    chat: tuple[Message, ...]
    happenings: tuple[Happening, ...]
    images: tuple[Image, ...]
    clips: tuple[Clip, ...]
    recordings: tuple[Recording, ...]
    streams: tuple[ExportedStream, ...]
    stages: tuple[StageHealth, ...]
    llm_calls: tuple[LlmCalled, ...]
    faults: tuple[FaultSeen, ...]
    sessions: dict[str, str]


def document(state: MeetingState) -> ExportDocument:
    """The meeting as one value. Raises ValueError before its first event."""
    view = state.view()
    times = Times(view.zone, view.started_ms)
    read = coverage(state)
    shown = {item.id for item in state.notes.live()}
    return ExportDocument(
        format="rtms-notes/export",
        version=1,
        meeting=ExportedMeeting(
            id=view.id,
            product=view.product,
            zoom_id=view.zoom_id,
            title=view.title,
            state=view.state,
            zone=view.zone,
            started_ms=view.started_ms,
            started=times.iso(view.started_ms),
            ended_ms=view.ended_ms,
            ended=None if view.ended_ms is None else times.iso(view.ended_ms),
            engine=view.engine,
            last_seq=view.last_seq,
        ),
        notices=tuple(standing(state, times)),
        gaps=tuple(state.missing()),
        participants=tuple(state.participants.values()),
        notes=ExportedNotes(
            label=notes_label(state),
            final=state.final,
            covered_seq=state.covered_seq,
            read_to_ms=read.read_to_ms,
            unread=read.unread,
            items=tuple(state.notes.live()),
            dropped=tuple(i for i in state.notes.items.values() if i.id not in shown),
        ),
        transcript=tuple(state.transcript()),
        chat=tuple(state.chat()),
        happenings=tuple(state.happened()),
        images=tuple(state.pictures()),
        clips=tuple(state.clips.values()),
        recordings=tuple(state.recordings.values()),
        streams=tuple(
            ExportedStream(
                id=stream.id,
                state=stream.state,
                announced_ms=stream.announced_ms,
                at_ms=stream.at_ms,
                reason=stream.reason,
                detail=stream.detail,
            )
            for stream in state.streams.values()
        ),
        stages=tuple(state.stages.values()),
        llm_calls=tuple(state.calls),
        faults=tuple(state.faults.values()),
        sessions=dict(state.sessions),
    )


def render(state: MeetingState) -> str:
    """The document as indented JSON. Raises ValueError before the meeting's first event."""
    return msgspec.json.format(msgspec.json.encode(document(state)), indent=2).decode()


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document, made from the types themselves."""
    made = _dedented(msgspec.json.schema(ExportDocument))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "rtms-notes export, version 1",
        **made,
    }


def _dedented(value: Any) -> Any:
    """Descriptions without a docstring's indent, which Python itself removes from 3.13 on."""
    if isinstance(value, dict):
        return {
            key: inspect.cleandoc(held)
            if key == "description" and isinstance(held, str)
            else _dedented(held)
            for key, held in value.items()
        }
    return [_dedented(held) for held in value] if isinstance(value, list) else value
