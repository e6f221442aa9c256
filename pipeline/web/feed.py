"""One reader's fold of a meeting, and what changed on the page since it last looked."""

from __future__ import annotations

import msgspec

from pipeline.export.timeline import timeline
from pipeline.model import events as ev
from pipeline.model.live import Partials
from pipeline.model.state import MeetingState
from pipeline.web.paragraphs import Paragraphs
from pipeline.web.shapes import HeadView, ItemView, LineView, PartialView
from pipeline.web.views import Views, shown_entry


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to do to the page that shows everything up to an earlier event.

    ``head`` replaces the head when it changed; ``lines`` and ``items`` are put in their place by
    ``sort``, replacing those of the same id; ``gone`` are ids to take away; ``settled`` are files
    of partials that must not be shown any more, now or later; ``news`` are sentences for people
    who listen to the page.
    """

    seq: int
    head: HeadView | None = None
    lines: tuple[LineView, ...] = ()
    items: tuple[ItemView, ...] = ()
    gone: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    news: tuple[str, ...] = ()


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is being said now, as far as it is another than a reader was last told: ``lines`` to
    show, files that are ``gone``."""

    lines: tuple[PartialView, ...] = ()
    gone: tuple[str, ...] = ()


class Feed:
    """Folds events; ``change`` tells what they did to the page since it was last asked."""

    def __init__(self, meeting: str) -> None:
        self.state = MeetingState(meeting)
        self._head: HeadView | None = None
        self._lines: dict[str, None] = {}
        self._items: dict[str, None] = {}
        self._news: list[str] = []
        self._paragraphs = Paragraphs()
        self._settled: set[str] = set()
        self._just_settled: dict[str, None] = {}
        self._said: dict[str, PartialView] = {}

    def fold(self, event: ev.Event) -> None:
        """Take in the next event."""
        state = self.state
        before = state.notes
        state.apply(event)
        match event.body:
            case ev.UtteranceSaid(utterance=utterance):
                self._word(utterance.id, revised=utterance.revision > 1)
                self._settle(utterance.segment)
            case ev.SegmentClosed(segment=segment):
                self._settle(segment)
            case ev.MessageSaid(message=message):
                self._word(message.id, revised=message.revision > 1)
                answers = (m.id for m in state.messages.values() if m.parent == message.zoom_id)
                self._lines.update(dict.fromkeys(answers) if message.zoom_id else {})
            case ev.ParticipantJoined(participant=participant):  # a colour, a name in a gap
                every = (state.utterances, state.messages, state.gaps)
                self._lines.update(
                    (ref, None)
                    for words in every
                    for ref, word in words.items()
                    if word.participant == participant
                )
            case ev.GapFound(gap=gap):
                self._lines[gap.id] = None
            case ev.MessageReacted(message=message_id):
                self._lines[message_id] = None
            case ev.SharingStarted() | ev.CallHappened():
                self._lines[f"e{event.seq}"] = None
            case ev.SharingStopped(at_ms=at_ms):
                self._lines[f"e{event.seq}"] = None
                self._screen(at_ms)
            case ev.ImageKept(image=image):
                self._lines[image.id] = None
                self._screen(image.at_ms)
            case ev.NotesPatched():
                for item_id, item in state.notes.items.items():
                    old = before.items.get(item_id)
                    if old is item:
                        continue
                    self._items[item_id] = None
                    cited = [*item.evidence, *(old.evidence if old else ())]
                    self._lines.update(dict.fromkeys(e.ref for e in cited))
                    if old is None or old.status != item.status:
                        self._news.append(item_id)

    def settle(self) -> None:
        """The reader's page already shows all this: forget what changed."""
        self._lines, self._items, self._news, self._just_settled = {}, {}, [], {}
        self._head = Views(self.state).head() if self.state.opened else None
        self._paragraphs = Paragraphs()
        for entry in timeline(self.state):
            self._paragraphs.put(entry)

    def change(self) -> Change:
        """What the events folded since the last call (or ``settle``) changed."""
        views = Views(self.state)
        head = views.head()
        self._order()
        on = self._paragraphs.going_on
        lines = {ref: views.line(ref, goes_on=ref in on) for ref in self._lines}
        items = {ref: views.item(ref) for ref in self._items}
        gone = [ref for ref, view in {**lines, **items}.items() if view is None]
        news = [items[ref] for ref in dict.fromkeys(self._news)]
        change = Change(
            seq=self.state.last_seq,
            head=head if head != self._head else None,
            lines=tuple(view for view in lines.values() if view is not None),
            items=tuple(view for view in items.values() if view is not None),
            gone=tuple(gone),
            settled=tuple(self._just_settled),
            news=tuple(_sentence(view) for view in news if view is not None),
        )
        self._lines, self._items, self._news, self._just_settled = {}, {}, [], {}
        self._head = head
        return change

    def said(self, partials: Partials) -> Said | None:
        """What these partials change for the reader; None when nothing does."""
        if self.state.opened is None:
            return None
        views = Views(self.state)
        now = {
            partial.file: views.partial(partial, self._paragraphs.before(partial.start_ms))
            for partial in partials
            if partial.file not in self._settled
        }
        told, self._said = self._said, now
        said = Said(
            lines=tuple(view for file, view in now.items() if told.get(file) != view),
            gone=tuple(file for file in told if file not in now),
        )
        return said if said.lines or said.gone else None

    def _order(self) -> None:
        """Put the changed lines where they belong; others may begin a paragraph anew by that."""
        for ref in list(self._lines):
            entry = shown_entry(self.state, ref)
            others = self._paragraphs.take(ref) if entry is None else self._paragraphs.put(entry)
            self._lines.update(dict.fromkeys(others))

    def _settle(self, segment: str | None) -> None:
        """The words of a segment are in the log, or will never be."""
        known = self.state.segments.get(segment) if segment is not None else None
        if known is not None:
            self._settled.add(known.file)
            self._just_settled[known.file] = None
            self._said.pop(known.file, None)

    def _screen(self, at_ms: int) -> None:
        """Another picture, or none, was on the screen from then on: what notes link to."""
        self._items.update(
            (item.id, None)
            for item in self.state.notes.live()
            if any(e.start_ms >= at_ms for e in item.evidence)
        )

    def _word(self, ref: str, *, revised: bool) -> None:
        self._lines[ref] = None
        if revised:  # its citations may have to say that the words were taken back
            citing = (
                item.id
                for item in self.state.notes.live()
                if any(e.ref == ref for e in item.evidence)
            )
            self._items.update(dict.fromkeys(citing))


def _sentence(view: ItemView) -> str:
    facts = [view.status, view.owner]
    tail = ", ".join(fact for fact in facts if fact and fact != "open")
    return f"{view.section}: {view.text}" + (f" ({tail})" if tail else "")
