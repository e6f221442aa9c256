"""How far the notes have read a meeting's log. Pure: fed events, answers what is new to whom."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from pipeline.model import events as ev
from pipeline.model.notes import Author
from pipeline.model.speech import SHOWN, Message
from pipeline.model.state import MeetingState
from pipeline.summarize.trigger import Waiting, sounds_like_a_cue
from pipeline.summarize.words import tokens
from pipeline.summarize.writer import Spoken, span_of


class Line(msgspec.Struct, frozen=True):
    """Words as one event of the log brought them."""

    seq: int
    id: str
    words: int
    at_ms: int
    has_cue: bool


class Reading:
    """The meeting so far, its lines in order of ``seq``, and what each author has covered."""

    def __init__(self, meeting: str) -> None:
        self.state = MeetingState(meeting)
        self.revised: set[str] = set()
        """Ids of lines that changed since their items were last verified."""
        self._lines: list[Line] = []
        self._latest: dict[str, int] = {}
        self._covered: dict[str, int] = {}
        self._final_seq = 0

    @property
    def last_seq(self) -> int:
        """Of the newest event taken in."""
        return self.state.last_seq

    @property
    def spoken_seq(self) -> int:
        """Of the newest event that said, changed or deleted a line that is shown."""
        return self._lines[-1].seq if self._lines else 0

    @property
    def is_final(self) -> bool:
        """Whether a final pass has read everything that was said."""
        return self.state.final and self._final_seq >= self.spoken_seq

    @property
    def words(self) -> dict[str, Spoken]:
        """Every utterance and message by id."""
        return words_of(self.state)

    @property
    def roster(self) -> tuple[str, ...]:
        """Display names of everybody who was there or spoke, in order of appearance."""
        return roster_of(self.state)

    @property
    def zone(self) -> str:
        """The meeting's IANA zone; UTC when this machine does not know it."""
        return zone_of(self.state)

    def take(self, event: ev.Event, at_ms: int | None = None) -> None:
        """The next event; ``at_ms`` is the meeting time of its arrival, by default that of its
        words. Events already taken are passed over."""
        if event.seq <= self.last_seq:
            return
        self.state.apply(event)
        match event.body:
            case ev.UtteranceSaid(utterance=line) | ev.MessageSaid(message=line):
                self._take_line(event.seq, line, at_ms)
            case ev.NotesPatched(patch=patch, covered_seq=covered):
                self.cover(patch.author, covered)
                if patch.phase == "final":
                    self._final_seq = max(self._final_seq, covered)

    def _take_line(self, seq: int, line: Spoken, at_ms: int | None) -> None:
        if line.private if isinstance(line, Message) else line.role not in SHOWN:
            return
        if line.id in self._latest:
            self.revised.add(line.id)
        self._latest[line.id] = seq
        self._lines.append(
            Line(
                seq,
                line.id,
                0 if line.deleted else len(tokens(line.text)),
                span_of(line)[1] if at_ms is None else at_ms,
                not line.deleted and sounds_like_a_cue(line.text),
            )
        )

    def covered(self, *authors: Author) -> int:
        """Up to which ``seq`` any of the authors has read."""
        return max((self._covered.get(a, 0) for a in authors), default=0)

    def cover(self, author: Author, seq: int) -> None:
        """An author has read up to ``seq``."""
        self._covered[author] = max(self._covered.get(author, 0), seq)

    def waiting(self, after: int) -> Waiting | None:
        """What lines after ``seq`` hold; None when no word was said."""
        lines = [line for line in self._after(after) if line.words]
        if not lines:
            return None
        return Waiting(
            words=sum(line.words for line in lines),
            first_ms=min(line.at_ms for line in lines),
            last_ms=max(line.at_ms for line in lines),
            has_cue=any(line.has_cue for line in lines),
        )

    def new(self, after: int, limit: int | None = None) -> tuple[tuple[Spoken, ...], int]:
        """Shown lines after ``seq`` at their latest revision, in order of ``seq``, up to about
        ``limit`` words; and the ``seq`` that is covered by reading them."""
        found: list[Spoken] = []
        count = 0
        words = self.words
        for line in self._after(after):
            if limit is not None and found and count + line.words > limit:
                return tuple(found), self._lines[self._lines.index(line) - 1].seq
            spoken = words[line.id]
            if not spoken.deleted:
                found.append(spoken)
                count += line.words
        return tuple(found), max(after, self.last_seq)

    def all_said(self) -> tuple[Spoken, ...]:
        """Everything that is shown, by time."""
        lines: list[Spoken] = [*self.state.transcript(), *self.state.open_chat()]
        return tuple(sorted(lines, key=lambda line: span_of(line)[0]))

    def snapshot(self) -> MeetingState:
        """The state as it is now, for a writer that may read it while more arrives."""
        taken = copy.copy(self.state)
        for name, value in vars(self.state).items():
            if isinstance(value, dict | list):
                setattr(taken, name, value.copy())
        return taken

    def _after(self, seq: int) -> Iterable[Line]:
        """Lines after ``seq``, each once, where its latest revision stands."""
        at = len(self._lines)
        while at and self._lines[at - 1].seq > seq:
            at -= 1
        return (line for line in self._lines[at:] if self._latest[line.id] == line.seq)


def words_of(state: MeetingState) -> dict[str, Spoken]:
    """Every utterance and message by id, at its latest revision; none that was private."""
    typed = {name: message for name, message in state.messages.items() if not message.private}
    return {**state.utterances, **typed}


def roster_of(state: MeetingState) -> tuple[str, ...]:
    """Display names of everybody who was there or spoke, in order of appearance."""
    names = [p.name for p in state.participants.values()]
    names += [line.speaker for line in words_of(state).values() if line.speaker]
    return tuple(dict.fromkeys(names))


def zone_of(state: MeetingState) -> str:
    """The meeting's IANA zone; UTC when this machine does not know it."""
    zone = state.opened.zone if state.opened else "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"
    return zone
