"""What the page shows, as ready values: the templates and the stream's script only place them.

Every field is text, a number or a flag; nothing here is markup. No text holds a character that is
not seen: names and words cannot reorder the page around them.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from pipeline.export.beside import Shown, clip_line, fault_line, happening_line, picture_line
from pipeline.export.chat import answered, audience, files_line, reactions_line
from pipeline.export.escape import clean
from pipeline.export.markdown import SECTIONS, people
from pipeline.export.standing import (
    MEDIA,
    UNKNOWN,
    UNTITLED,
    coverage_line,
    gap_length,
    gap_span,
    notes_label,
    notices,
    progress,
    troubles,
    who,
    words_from,
)
from pipeline.export.timeline import Entry, order, starts, timeline
from pipeline.export.times import Times, lasting, weekday
from pipeline.model.happening import Happening, Image
from pipeline.model.notes import NoteItem
from pipeline.model.speech import SHOWN, Gap, Message, Utterance
from pipeline.model.state import MeetingState

VOICES = 8
"""Colours of speakers."""

STATES = {"live": "Live", "ended": "Ended, notes not final yet", "finished": "Finished"}
_ONE = {kind: heading.removesuffix("s") for kind, heading in SECTIONS}


class Ref(msgspec.Struct, frozen=True, kw_only=True):
    """A link inside the page. ``to`` is an element's id, empty when there is nothing to link."""

    to: str
    label: str
    title: str = ""


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the transcript. ``kind``: said, chat, private (a chat message that was not for
    everybody), gap, event or picture. ``sort`` orders lines as text. ``image`` and ``thumb`` are
    paths of this listener."""

    id: str
    kind: str
    sort: str
    time: str
    iso: str
    text: str
    speaker: str = ""
    voice: str = ""
    mark: str = ""
    lang: str = ""
    beside: str = ""
    image: str = ""
    thumb: str = ""
    refs: tuple[Ref, ...] = ()


class ItemView(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the notes. ``look``: open, done or withdrawn. ``unverified`` is the reason."""

    id: str
    section: str
    sort: str
    look: str
    text: str
    status: str = ""
    owner: str = ""
    owner_known: bool = True
    due: str = ""
    due_text: str = ""
    answer: str = ""
    span: str = ""
    unverified: str = ""
    edited: str = ""
    refs: tuple[Ref, ...] = ()


class HeadView(msgspec.Struct, frozen=True, kw_only=True):
    """The page's head: all that is not a line of the transcript or of the notes."""

    title: str
    state: str
    state_text: str
    when: str
    length: str
    label: str
    coverage: str
    words: str
    people: tuple[str, ...]
    gaps: tuple[Ref, ...]
    troubles: tuple[str, ...]
    notices: tuple[str, ...]
    faults: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()


_View = TypeVar("_View", HeadView, LineView, ItemView)


def _seen(view: _View) -> _View:
    """The view with every text in it cleaned."""
    return msgspec.structs.replace(view, **_cleaned(view))


def _cleaned(struct: msgspec.Struct) -> dict[str, Any]:
    return {name: _clean_value(getattr(struct, name)) for name in struct.__struct_fields__}


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, tuple):
        return tuple(_clean_value(part) for part in value)
    return Ref(**_cleaned(value)) if isinstance(value, Ref) else value


class Views:
    """Makes views of one state of a meeting. Raises ValueError before its first event."""

    def __init__(self, state: MeetingState) -> None:
        self._state = state
        self._view = state.view()
        self.times = Times(self._view.zone, self._view.started_ms)
        self._cited = _cited(state.notes.live())
        self._voices = {key: n % VOICES for n, key in enumerate(state.participants)}
        self._shown = Shown(state)
        self._places = {key: n for n, key in enumerate(state.notes.items)}

    def head(self) -> HeadView:
        """The head."""
        state, view, times = self._state, self._view, self.times
        end = view.ended_ms
        clock = times.clock(view.started_ms)
        until = f"\u2013{times.clock(end)}" if end is not None else ""
        head = HeadView(
            title=clean(view.title or "") or UNTITLED,
            state=view.state,
            state_text=_standing(state),
            when=f"{times.day(view.started_ms)}, {clock}{until} ({times.zone})",
            length=lasting(end - view.started_ms) if end is not None else "",
            label=notes_label(state),
            coverage=" ".join(progress(state, times)) or f"{coverage_line(state, times)}.",
            words=words_from(state),
            people=tuple(people(state)),
            gaps=tuple(
                Ref(to=gap.id, label=gap_span(gap, times, "\u2013"), title=self._loss(gap))
                for gap in state.missing()
            ),
            troubles=tuple(troubles(state)),
            notices=tuple(notices(state)),
            faults=tuple(fault_line(fault) for fault in state.faults.values()),
            clips=tuple(clip_line(clip, times) for clip in state.clips.values()),
        )
        return _seen(head)

    def lines(self) -> list[LineView]:
        """The whole transcript."""
        return [_seen(self._line(entry)) for entry in timeline(self._state)]

    def line(self, ref: str) -> LineView | None:
        """One line, or None when it is not shown (any more)."""
        state = self._state
        entry = (
            state.utterances.get(ref)
            or state.messages.get(ref)
            or state.gaps.get(ref)
            or state.happenings.get(ref)
            or state.images.get(ref)
        )
        return _seen(self._line(entry)) if entry is not None and _shown(entry) else None

    def items(self) -> list[ItemView]:
        """All note items, in the order of their sections and then of ``sort``."""
        kinds = [kind for kind, _ in SECTIONS]
        views = [_seen(self._item(item)) for item in self._state.notes.live()]
        return sorted(views, key=lambda v: (kinds.index(v.section), v.sort))  # type: ignore[arg-type]

    def item(self, item_id: str) -> ItemView | None:
        """One item, or None when it is not shown (any more)."""
        item = self._state.notes.items.get(item_id)
        if item is None or item.merged_into is not None or item.status == "rejected":
            return None
        return _seen(self._item(item))

    def _line(self, entry: Entry) -> LineView:
        ms = starts(entry)
        _, rank, number, _ = order(entry)
        sort = f"{max(ms, 0):016d}-{rank}-{number:08d}"
        if isinstance(entry, Gap):
            return LineView(
                id=entry.id,
                kind="gap",
                sort=sort,
                time=gap_span(entry, self.times, "\u2013"),
                iso=self.times.iso(ms),
                text=self._loss(entry),
            )
        if isinstance(entry, Happening | Image):
            return self._unsaid(entry, sort)
        marks = ["corrected"] if entry.revision > 1 else []
        links = []
        kind, beside = "said", ""
        if isinstance(entry, Message):
            kind = "private" if entry.private else "chat"
            beside = "; ".join(filter(None, [files_line(entry), reactions_line(entry)]))
            marks = [mark for mark in ("chat", audience(entry)) if mark] + marks
            parent = answered(entry, self._state)
            if parent is not None:
                at = f"answers {self.times.clock(parent.at_ms)}"
                links.append(Ref(to=parent.id, label=at, title=parent.text))
        elif entry.role == "fill":
            marks.insert(0, "from the other engine")
        return LineView(
            id=entry.id,
            kind=kind,
            sort=sort,
            time=self.times.clock(ms),
            iso=self.times.iso(ms),
            text=entry.text,
            speaker=clean(entry.speaker or "") or UNKNOWN,
            voice=self._voice(entry),
            mark=", ".join(marks),
            lang=(entry.language or "") if isinstance(entry, Utterance) else "",
            beside=beside,
            refs=(
                *links,
                *(
                    Ref(to=item.id, label=_ONE[item.kind].lower(), title=item.text)
                    for item in self._cited.get(entry.id, ())
                ),
            ),
        )

    def _unsaid(self, entry: Happening | Image, sort: str) -> LineView:
        at = self.times.clock(entry.at_ms)
        iso = self.times.iso(entry.at_ms)
        if isinstance(entry, Happening):
            text = happening_line(entry)
            return LineView(id=entry.id, kind="event", sort=sort, time=at, iso=iso, text=text)
        folder = f"/m/{self._state.meeting}/images"
        return LineView(
            id=entry.id,
            kind="picture",
            sort=sort,
            time=at,
            iso=iso,
            text=picture_line(entry),
            image=f"{folder}/{entry.file}",
            thumb=f"{folder}/{entry.thumb}",
        )

    def _voice(self, entry: Utterance | Message) -> str:
        if not entry.speaker or not clean(entry.speaker):
            return "unknown"
        known = self._voices.get(entry.participant or "")
        return str(zlib.crc32(entry.speaker.encode()) % VOICES if known is None else known)

    def _item(self, item: NoteItem) -> ItemView:
        withdrawn = item.status == "retracted"
        action = item.kind == "action"
        date = f"{weekday(item.due)} {item.due}".strip() if item.due else ""
        reasons = "; ".join(item.check.reasons) or "no reason given"
        return ItemView(
            id=item.id,
            section=item.kind,
            sort=f"{int(withdrawn)}-{self._places[item.id]:08d}",
            look="withdrawn" if withdrawn else "done" if item.status == "done" else "open",
            text=item.text,
            status=_status(item),
            owner=who(item) if action else "",
            owner_known=item.owner is not None,
            due=date,
            due_text=item.due_text or "",
            answer=item.answer or "",
            span=self._span(*item.span) if item.span else "",
            unverified=reasons if item.check.state == "unverified" else "",
            edited="edited by a person" if item.locked or item.author == "person" else "",
            refs=tuple(self._refs(item)),
        )

    def _refs(self, item: NoteItem) -> list[Ref]:
        refs = []
        for ref, cited in {e.ref: e for e in item.evidence}.items():
            word = self._state.utterances.get(ref) or self._state.messages.get(ref)
            shown = word is not None and _shown(word)
            speaker = (word.speaker if word is not None else cited.speaker) or UNKNOWN
            label = f"{self.times.clock(cited.start_ms)} {speaker}"
            quote = cited.quote or (word.text if word is not None else "")
            if not shown:
                label += " (words taken back)"
            refs.append(Ref(to=ref if shown else "", label=label, title=quote))
        first = min((e.start_ms for e in item.evidence), default=None)
        image = None if first is None else self._shown.at(first)
        if image is not None:
            label = f"screen {self.times.clock(image.at_ms)}"
            refs.append(Ref(to=image.id, label=label, title=picture_line(image)))
        return refs

    def _span(self, from_ms: int, to_ms: int) -> str:
        return f"{self.times.clock(from_ms)}\u2013{self.times.clock(to_ms)}"

    def _loss(self, gap: Gap) -> str:
        what = MEDIA.get(gap.media, gap.media)
        if gap.participant is not None:
            known = self._state.participants.get(gap.participant)
            what += f" of {known.name if known else 'one participant'}"
        why = gap.detail or gap.cause.replace("_", " ")
        return f"{what}, {why}{gap_length(gap)}"


def _status(item: NoteItem) -> str:
    if item.status == "retracted":
        return "withdrawn"
    if item.status == "open":
        return "open" if item.kind == "question" else ""
    return item.status


def _shown(entry: Entry) -> bool:
    match entry:
        case Gap() | Happening() | Image():
            return True
        case Message():
            return not entry.deleted
        case Utterance():
            return entry.role in SHOWN and not entry.deleted


def _cited(items: list[NoteItem]) -> Mapping[str, list[NoteItem]]:
    """Items by the words they cite."""
    cited: dict[str, list[NoteItem]] = {}
    for item in items:
        for ref in dict.fromkeys(e.ref for e in item.evidence):
            cited.setdefault(ref, []).append(item)
    return cited


def _standing(state: MeetingState) -> str:
    """The meeting's state in a word or two; a live one is only live while Zoom sends."""
    view = state.view()
    open_streams = {s.state for s in state.streams.values() if s.state != "ended"}
    if view.state != "live" or not open_streams or "live" in open_streams:
        return STATES[view.state]
    return "Paused" if "paused" in open_streams else "Connecting"
