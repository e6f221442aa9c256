"""One reader's fold of a meeting, and what changed on the page since it last looked."""

from __future__ import annotations

import msgspec

from pipeline.model import events as ev
from pipeline.model.state import MeetingState
from pipeline.web.views import HeadView, ItemView, LineView, Views


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to do to the page that shows everything up to an earlier event.

    ``head`` replaces the head when it changed; ``lines`` and ``items`` are put in their place by
    ``sort``, replacing those of the same id; ``gone`` are ids to take away; ``news`` are sentences
    for people who listen to the page.
    """

    seq: int
    head: HeadView | None = None
    lines: tuple[LineView, ...] = ()
    items: tuple[ItemView, ...] = ()
    gone: tuple[str, ...] = ()
    news: tuple[str, ...] = ()


class Feed:
    """Folds events; ``change`` tells what they did to the page since it was last asked."""

    def __init__(self, meeting: str) -> None:
        self.state = MeetingState(meeting)
        self._head: HeadView | None = None
        self._lines: dict[str, None] = {}
        self._items: dict[str, None] = {}
        self._news: list[str] = []

    def fold(self, event: ev.Event) -> None:
        """Take in the next event."""
        state = self.state
        before = state.notes
        state.apply(event)
        match event.body:
            case ev.UtteranceSaid(utterance=utterance):
                self._word(utterance.id, revised=utterance.revision > 1)
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
        self._lines, self._items, self._news = {}, {}, []
        self._head = Views(self.state).head() if self.state.opened else None

    def change(self) -> Change:
        """What the events folded since the last call (or ``settle``) changed."""
        views = Views(self.state)
        head = views.head()
        lines = {ref: views.line(ref) for ref in self._lines}
        items = {ref: views.item(ref) for ref in self._items}
        gone = [ref for ref, view in {**lines, **items}.items() if view is None]
        news = [items[ref] for ref in dict.fromkeys(self._news)]
        change = Change(
            seq=self.state.last_seq,
            head=head if head != self._head else None,
            lines=tuple(view for view in lines.values() if view is not None),
            items=tuple(view for view in items.values() if view is not None),
            gone=tuple(gone),
            news=tuple(_sentence(view) for view in news if view is not None),
        )
        self._lines, self._items, self._news = {}, {}, []
        self._head = head
        return change

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
