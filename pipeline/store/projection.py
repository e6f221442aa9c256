"""The log's projections as rows. Pure: a state and an event in, rows out.

The writer folds each event into the ``MeetingState`` of its meeting and writes the rows that
changed; ``rebuild`` and ``verify`` take all rows of a replayed state. Both come from the same
functions here, so a projection can only differ from its replay by a fault of the disk or of
somebody's hands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from pipeline.model import events as ev
from pipeline.model.happening import Clip, FaultSeen, Happening, Image
from pipeline.model.notes import Add, Merge, NoteItem, Notes, Patch
from pipeline.model.speech import SHOWN, Gap, Message, Participant, Recording, Segment, Utterance
from pipeline.model.state import MeetingState
from pipeline.model.view import StreamView


class Table(NamedTuple):
    """Columns of a projection after ``meeting``; the first ``keys`` of them are its key.

    ``fixed`` columns are written with a new row and never changed by a later one.
    """

    columns: tuple[str, ...]
    keys: int = 1
    fixed: tuple[str, ...] = ()


def _names(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    return struct.__struct_fields__


_CALL = _names(ev.LlmCalled)

MESSAGE_JSON = ("files", "reactions")
"""The last fields of a message, which stand as JSON in their columns."""

UTTERANCE_JSON = ("words", "corrections")
"""The last fields of an utterance, which stand as JSON in their columns."""

_OLD_STREAM, _OLD_MESSAGE, _OLD_UTTERANCE, _OLD_SEGMENT = 7, 9, 14, 8
"""Fields of the first schema; later ones have their columns behind its last one."""

TABLES: Mapping[str, Table] = {
    "meeting": Table(
        (
            "product",
            "zoom_id",
            "state",
            "started_ms",
            "ended_ms",
            "zone",
            "title",
            "engine",
            "last_seq",
            "covered_seq",
            "stages",
        ),
        keys=0,
    ),
    "stream": Table(
        (*_names(StreamView)[:_OLD_STREAM], "position", *_names(StreamView)[_OLD_STREAM:]),
        fixed=("position",),
    ),
    "participant": Table((*_names(Participant), "position"), fixed=("position",)),
    "segment": Table(
        (
            *_names(Segment)[:_OLD_SEGMENT],
            *("outcome", "outcome_detail"),
            *_names(Segment)[_OLD_SEGMENT:],
            "doubt",
        )
    ),
    "utterance": Table(
        (*_names(Utterance)[:_OLD_UTTERANCE], "seq", *_names(Utterance)[_OLD_UTTERANCE:])
    ),
    "message": Table((*_names(Message)[:_OLD_MESSAGE], "seq", *_names(Message)[_OLD_MESSAGE:])),
    "gap": Table(_names(Gap)),
    "note_item": Table(
        (
            "id",
            "position",
            "kind",
            "status",
            "text",
            "owner",
            "due",
            "verified",
            "author",
            "merged_into",
            "body",
        ),
        fixed=("position",),
    ),
    "llm_call": Table(("position", *_CALL)),
    "happening": Table(_names(Happening)),
    "image": Table(_names(Image)),
    "clip": Table(_names(Clip)),
    "fault": Table(("id", *_names(FaultSeen))),
    "chat_group": Table(("id", "name")),
    "session": Table(("id", "state")),
    "recording": Table(_names(Recording)),
    "passage": Table(("kind", "ref", "speaker", "text", "at_ms"), keys=2),
}
"""All projections. The columns are those of the migrations (tested)."""


class Row(NamedTuple):
    """A row of a projection: its table, its key (without the meeting) and, in the order of the
    table's columns, all its values; None when the row must not be there."""

    table: str
    key: tuple[Any, ...]
    values: tuple[Any, ...] | None


def advance(state: MeetingState, event: ev.Event) -> list[Row]:
    """Fold the event into the state; the rows it changed, but for the meeting's own."""
    before = state.notes
    state.apply(event)
    match event.body:
        case ev.StreamOpened(stream=stream):
            return [_stream(state, stream, len(state.streams) - 1)]
        case ev.StreamChanged(stream=stream) | ev.StreamEnded(stream=stream):
            return [_stream(state, stream, 0)] if stream in state.streams else []
        case ev.ParticipantJoined(participant=who):
            return [_participant(state, who, len(state.participants) - 1)]
        case ev.ParticipantLeft(participant=who):
            return [_participant(state, who, 0)] if who in state.participants else []
        case ev.SegmentSpooled(segment=segment):
            return [_segment(state, segment.id)]
        case ev.SegmentClosed(segment=name):
            return [_segment(state, name)] if name in state.segments else []
        case ev.UtteranceSaid(utterance=utterance):
            return _utterance(state, utterance.id)
        case ev.MessageSaid(message=message):
            return _message(state, message.id)
        case ev.GapFound(gap=gap):
            return [_gap(state, gap.id)]
        case ev.NotesPatched(patch=patch):
            return _changed_notes(before, state.notes, patch)
        case ev.LlmCalled():
            return [_call(state, len(state.calls) - 1)]
        case _:
            return _beside(state, event)


def _beside(state: MeetingState, event: ev.Event) -> list[Row]:
    match event.body:
        case ev.SharingStarted() | ev.SharingStopped() | ev.CallHappened():
            return [_row("happening", state.happenings[f"e{event.seq}"])]
        case ev.MessageReacted(message=message):
            return _message(state, message) if message in state.messages else []
        case ev.ChatGroupsChanged(names=names):
            return [_pair("chat_group", name, state.chat_groups[name]) for name in names]
        case ev.SessionChanged(session=session):
            return [_pair("session", session, state.sessions[session])]
        case ev.ImageKept(image=image):
            return [_row("image", image)]
        case ev.ClipKept(clip=clip):
            return [_row("clip", clip)]
        case ev.ProtocolFaulted() as body:
            return [_fault(state, f"{body.socket} {body.reason}")]
        case ev.DoubtResolved(segment=name):
            return [_segment(state, name)] if name in state.segments else []
        case ev.RecordingKept(recording=recording):
            return [_row("recording", recording)]
        case _:
            return []


def head(state: MeetingState) -> Row:
    """The meeting's own row; every event changes it."""
    view = state.view()
    values = tuple(getattr(view, name) for name in TABLES["meeting"].columns[:-1])
    return Row("meeting", (), (*values, msgspec.json.encode(view.stages).decode()))


def all_rows(state: MeetingState) -> Iterator[Row]:
    """Every row of every projection of one meeting."""
    yield head(state)
    for position, name in enumerate(state.streams):
        yield _stream(state, name, position)
    for position, name in enumerate(state.participants):
        yield _participant(state, name, position)
    for name in state.segments:
        yield _segment(state, name)
    for name in state.utterances:
        yield from _utterance(state, name)
    for name in state.messages:
        yield from _message(state, name)
    for name in state.gaps:
        yield _gap(state, name)
    for position, item in enumerate(state.notes.items.values()):
        yield from _note(item, position)
    for position in range(len(state.calls)):
        yield _call(state, position)
    yield from (_row("happening", found) for found in state.happenings.values())
    yield from (_row("image", found) for found in state.images.values())
    yield from (_row("clip", found) for found in state.clips.values())
    yield from (_row("recording", found) for found in state.recordings.values())
    yield from (_fault(state, name) for name in state.faults)
    yield from (_pair("chat_group", *pair) for pair in state.chat_groups.items())
    yield from (_pair("session", *pair) for pair in state.sessions.items())


def _stream(state: MeetingState, name: str, position: int) -> Row:
    values = msgspec.structs.astuple(state.streams[name])
    return Row("stream", (name,), (*values[:_OLD_STREAM], position, *values[_OLD_STREAM:]))


def _participant(state: MeetingState, name: str, position: int) -> Row:
    values = msgspec.structs.astuple(state.participants[name])
    return Row("participant", (name,), (*values, position))


def _segment(state: MeetingState, name: str) -> Row:
    segment = state.segments[name]
    closed = state.outcomes.get(name)
    outcome = (None, None) if closed is None else (closed.outcome, closed.detail)
    values = msgspec.structs.astuple(segment)
    old, new = values[:_OLD_SEGMENT], values[_OLD_SEGMENT:]
    return Row("segment", (name,), (*old, *outcome, *new, state.doubts.get(name)))


def _utterance(state: MeetingState, name: str) -> list[Row]:
    said = state.utterances[name]
    shown = said.role in SHOWN and not said.deleted
    words = msgspec.json.encode(said.words).decode()
    corrections = msgspec.json.encode(said.corrections).decode()
    plain = msgspec.structs.astuple(said)[: -len(UTTERANCE_JSON)]
    old, new = plain[:_OLD_UTTERANCE], plain[_OLD_UTTERANCE:]
    return [
        Row("utterance", (name,), (*old, state.seqs[name], *new, words, corrections)),
        _passage("utterance", name, said.speaker, said.text, said.start_ms, shown=shown),
    ]


def _message(state: MeetingState, name: str) -> list[Row]:
    typed = state.messages[name]
    files = msgspec.json.encode(typed.files).decode()
    reactions = msgspec.json.encode(typed.reactions).decode()
    plain = msgspec.structs.astuple(typed)[: -len(MESSAGE_JSON)]
    old, new = plain[:_OLD_MESSAGE], plain[_OLD_MESSAGE:]
    words = " ".join([typed.text, *(file.name for file in typed.files if file.name)]).strip()
    return [
        Row("message", (name,), (*old, state.seqs[name], *new, files, reactions)),
        _passage("message", name, typed.speaker, words, typed.at_ms, shown=not typed.deleted),
    ]


def _row(table: str, found: Happening | Image | Clip | Recording) -> Row:
    return Row(table, (found.id,), msgspec.structs.astuple(found))


def _fault(state: MeetingState, name: str) -> Row:
    return Row("fault", (name,), (name, *msgspec.structs.astuple(state.faults[name])))


def _pair(table: str, name: str, value: str) -> Row:
    return Row(table, (name,), (name, value))


def _gap(state: MeetingState, name: str) -> Row:
    return Row("gap", (name,), msgspec.structs.astuple(state.gaps[name]))


def _call(state: MeetingState, position: int) -> Row:
    values = (position, *msgspec.structs.astuple(state.calls[position]))
    return Row("llm_call", (position,), values)


def _note(item: NoteItem, position: int) -> list[Row]:
    values = (
        item.id,
        position,
        item.kind,
        item.status,
        item.text,
        item.owner,
        item.due,
        item.check.state == "verified",
        item.author,
        item.merged_into,
        msgspec.json.encode(item).decode(),
    )
    at_ms = min((e.start_ms for e in item.evidence), default=item.since_ms)
    text = f"{item.text} {item.answer}" if item.answer else item.text
    shown = item.merged_into is None and item.status != "rejected"
    return [
        Row("note_item", (item.id,), values),
        _passage("note", item.id, None, text, at_ms, shown=shown),
    ]


def _passage(
    kind: str, ref: str, speaker: str | None, text: str, at_ms: int, *, shown: bool
) -> Row:
    values = (kind, ref, speaker, text, at_ms)
    return Row("passage", (kind, ref), values if shown else None)


def _changed_notes(before: Notes, after: Notes, patch: Patch) -> list[Row]:
    """Rows of the items a patch may have changed: those its operations name, and their heirs."""
    rows: list[Row] = []
    position = len(before.items)
    done: set[str] = set()
    for op in patch.ops:
        named = [op.item.id] if isinstance(op, Add) else [op.id]
        if isinstance(op, Merge):
            named.append(op.into)
        for name in named:
            item = after.items.get(name)
            while item is not None and item.id not in done:
                done.add(item.id)
                old = before.items.get(item.id)
                if item is not old:
                    rows += _note(item, position)
                    position += old is None
                item = after.items.get(item.merged_into) if item.merged_into else None
    return rows
