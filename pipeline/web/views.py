"""Makes the page's views of a meeting's state."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from pipeline.export.beside import (
    Shown,
    clip_line,
    fault_line,
    happening_line,
    picture_line,
    recording_line,
)
from pipeline.export.certainty import Piece, doubt_line, how_sure, named, pieces
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
from pipeline.model.live import Partial
from pipeline.model.notes import NoteItem
from pipeline.model.speech import SHOWN, Gap, Message, Utterance
from pipeline.model.state import MeetingState
from pipeline.model.turns import continuing, goes_on
from pipeline.web.shapes import HeadView, ItemView, LineView, PartialView, Ref, seen

VOICES = 8
"""Colours of speakers."""

STATES = {"live": "Live", "ended": "Ended, notes not final yet", "finished": "Finished"}
_ONE = {kind: heading.removesuffix("s") for kind, heading in SECTIONS}


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
            clips=(
                *(recording_line(recording, times) for recording in state.recordings.values()),
                *(clip_line(clip, times) for clip in state.clips.values()),
            ),
        )
        return seen(head)

    def lines(self) -> list[LineView]:
        """The whole transcript."""
        entries = timeline(self._state)
        going_on = continuing(entries)
        return [seen(self._line(entry, goes_on=entry.id in going_on)) for entry in entries]

    def line(self, ref: str, *, goes_on: bool = False) -> LineView | None:
        """One line, or None when it is not shown (any more). ``goes_on``: with the one before."""
        entry = shown_entry(self._state, ref)
        return None if entry is None else seen(self._line(entry, goes_on=goes_on))

    def partial(self, partial: Partial, before: Entry | None) -> PartialView:
        """Words that are being said; ``before`` is the line in front of them."""
        now = Utterance(
            id="",
            stream=partial.stream,
            source="local",
            start_ms=partial.start_ms,
            end_ms=partial.start_ms,
            text="",
            participant=partial.participant,
            speaker=partial.speaker,
            attribution=partial.attribution,
            speaker_confidence=partial.speaker_confidence,
        )
        return seen(
            PartialView(
                file=partial.file,
                sort=f"{max(partial.start_ms, 0):016d}-1-{partial.file}",
                time=self.times.clock(partial.start_ms),
                iso=self.times.iso(partial.start_ms),
                speaker=named(now),
                voice=self._voice(now),
                sure=how_sure(now),
                goes_on=goes_on(before, now),
                committed=partial.committed,
                tentative=partial.tentative,
            )
        )

    def items(self) -> list[ItemView]:
        """All note items, in the order of their sections and then of ``sort``."""
        kinds = [kind for kind, _ in SECTIONS]
        views = [seen(self._item(item)) for item in self._state.notes.live()]
        return sorted(views, key=lambda v: (kinds.index(v.section), v.sort))  # type: ignore[arg-type]

    def item(self, item_id: str) -> ItemView | None:
        """One item, or None when it is not shown (any more)."""
        item = self._state.notes.items.get(item_id)
        if item is None or item.merged_into is not None or item.status == "rejected":
            return None
        return seen(self._item(item))

    def _line(self, entry: Entry, *, goes_on: bool) -> LineView:
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
        sure, doubt = "", ""
        parts: tuple[Piece, ...] = ()
        speaker = clean(entry.speaker or "") or UNKNOWN
        if isinstance(entry, Message):
            kind = "private" if entry.private else "chat"
            beside = "; ".join(filter(None, [files_line(entry), reactions_line(entry)]))
            marks = [mark for mark in ("chat", audience(entry)) if mark] + marks
            parent = answered(entry, self._state)
            if parent is not None:
                at = f"answers {self.times.clock(parent.at_ms)}"
                links.append(Ref(to=parent.id, label=at, title=parent.text))
        else:
            speaker, sure, doubt = named(entry), how_sure(entry), doubt_line(entry)
            found = pieces(entry)
            parts = found if any(piece.heard for piece in found) else ()
            marks = ["from the other engine"] * (entry.role == "fill") + marks
        return LineView(
            id=entry.id,
            kind=kind,
            sort=sort,
            time=self.times.clock(ms),
            iso=self.times.iso(ms),
            text=entry.text,
            speaker=speaker,
            voice=self._voice(entry),
            mark=", ".join(marks),
            lang=(entry.language or "") if isinstance(entry, Utterance) else "",
            beside=beside,
            sure=sure,
            doubt=doubt,
            goes_on=goes_on,
            pieces=parts,
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
        unsure = isinstance(entry, Utterance) and entry.attribution == "unknown"
        if unsure or not entry.speaker or not clean(entry.speaker):
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
            if isinstance(word, Utterance):
                speaker = named(word)
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


def shown_entry(state: MeetingState, ref: str) -> Entry | None:
    """What a line shows, by id; None when it is not shown (any more)."""
    entry: Entry | None = (
        state.utterances.get(ref)
        or state.messages.get(ref)
        or state.gaps.get(ref)
        or state.happenings.get(ref)
        or state.images.get(ref)
    )
    return entry if entry is not None and _shown(entry) else None


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
