"""Options laid open, and what makes one of them a decision.

Most decisions are never called one: somebody lays an option open, and another takes it up ("do
it"), says it again as the plan ("north wall, then"), or two people give the same short answer.
Objections, "not today" and the proposer's own "never mind" close it undecided.
"""

from __future__ import annotations

import msgspec

from pipeline.summarize import option_words as wording
from pipeline.summarize import question_words as asking
from pipeline.summarize import task_words as task
from pipeline.summarize.draft import Span, Talk, line
from pipeline.summarize.option_acts import names_time
from pipeline.summarize.option_choice import chosen, is_either, plain
from pipeline.summarize.said import Act, Said, is_vague
from pipeline.summarize.words import content

_OPEN_TURNS = 4
_RULED_TURNS = 2
_VOTE_WORDS = 4
_RESTATED_WORDS = 22
_TELLING = 2
_AGREEING = frozenset(
    content("good fine great perfect please nice lovely works agreed deal done mm mmm huh")
)
_WORK = {"promise", "request", "offer", "take", "need", "intent", "assign", "delivery"}


class Option(msgspec.Struct, kw_only=True):
    """Something that could be done; ``votes`` are the short answers given to
    it, ``agreed`` are those who plainly said yes to what was ``asked``."""

    turn: int
    span: Span
    words: Span
    speaker: str
    kind: str
    about: frozenset[str]
    asked: bool = False
    votes: dict[frozenset[str], list[tuple[str, Span]]] = {}
    agreed: dict[str, Span] = {}


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A decision: its line, its evidence, and where it began."""

    text: str
    anchor: Span
    spans: tuple[Span, ...]


class Options:
    """Reads a meeting sentence by sentence. Keeps what was laid open in the last few turns."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._open: list[Option] = []
        self._asked: tuple[int, Said] | None = None
        self._choice = -1  # the last turn that asked whether, not what or how

    def read(self, turn: int, place: int, said: Said) -> Taken | None:
        """What this sentence decides, if it does. To be called for each in order."""
        speaker = self._talk.speaker(turn)
        while self._open and turn - self._open[0].turn > _OPEN_TURNS:
            self._open.pop(0)
        self._close(turn, place, speaker, said)
        taken = self._taken(turn, place, speaker, said)
        if said.asked:
            self._ask(turn, said)
        for act in said.options:
            self._lay_open(turn, speaker, said, act)
        return taken

    @staticmethod
    def restates(said: Said, known: frozenset[str]) -> bool:
        """Whether a sentence says again, as the plan, what ``known`` is about."""
        own = frozenset(said.content) - _AGREEING
        if not _is_plain(said) or not own & known:
            return False
        shared = len(own & known)
        if wording.THEN.search(said.text):
            return True
        framed = wording.FRAME.match(said.text) or wording.LETS.match(said.text)
        return bool(framed) and shared >= _TELLING and shared * 2 >= len(own)

    # Opening and closing --------------------------------------------------------------------

    def _lay_open(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        words = (turn, act.start, act.end)
        own = frozenset(content(self._talk.text(words)) or said.content)
        if act.kind == "open":  # one a topic: the latest
            self._open = [o for o in self._open if not (o.kind == "open" and o.about & own)]
        self._open.append(
            Option(
                turn=turn,
                span=(turn, said.start, said.end),
                words=words,
                speaker=speaker,
                kind=act.kind,
                asked=said.asked and " or " not in said.text,
                about=own,
            )
        )

    def _ask(self, turn: int, said: Said) -> None:
        if not asking.WH.match(said.text):
            self._choice = turn
        known = self._asked
        if not (known and known[0] == turn and is_vague(said.text) and known[1].content):
            self._asked = (turn, said)

    def _close(self, turn: int, place: int, speaker: str, said: Said) -> None:
        if "joke" in said.signs:
            self._open = [o for o in self._open if o.turn < self._talk.before(turn)]
        if said.signs & {"points_back", "firm_assent"} or said.asked:
            return
        against = place <= 1 and said.signs & {"object", "refuse", "unknown"}
        if against or said.signs & {"left", "parked"}:
            self._open = [
                o
                for o in self._open
                if o.kind != "open" and o.speaker == speaker and "left" not in said.signs
            ]

    # Taking up ------------------------------------------------------------------------------

    def _taken(self, turn: int, place: int, speaker: str, said: Said) -> Taken | None:
        span = (turn, said.start, said.end)
        if "put_off" in said.signs:
            return self._put_off(turn, place, said)
        if place == 0 and (stood := self._stood(turn, speaker, said)):
            return stood
        if said.asked:
            return None
        if wording.STAYS.search(said.text) and (kept := self._stays(turn, said)):
            return kept
        for option in reversed(self._open):
            if option.kind == "ruling" and self._is_assented(turn, place, option, said):
                return self._decide(turn, option, span)
            if option.kind == "open" and (spans := self._taking(turn, place, option, said)):
                return self._decide(turn, option, *spans)
        return self._ruled_on(turn, said)

    def _is_assented(self, turn: int, place: int, option: Option, said: Said) -> bool:
        agreed = said.signs & {"assent", "firm_assent", "points_back", "bare_assent"}
        another = option.speaker != self._talk.speaker(turn)
        near = turn - option.turn <= _RULED_TURNS and place <= 1
        return bool(agreed) and another and near and "object" not in said.signs

    def _taking(self, turn: int, place: int, option: Option, said: Said) -> list[Span]:
        """The sentences that take an option up, this one the last; none if it does not."""
        span = (turn, said.start, said.end)
        speaker = self._talk.speaker(turn)
        another, later = option.speaker != speaker, turn > option.turn
        if another and self._is_taken_up(turn, option, said):
            return [span]
        if later and (another or option.agreed) and self.restates(said, option.about):
            return [*option.agreed.values(), span]
        if place == 0 and another and (yes := self._agreed(speaker, option, said, span)):
            return yes
        return self._voted(turn, speaker, option, said) if later else []

    def _is_taken_up(self, turn: int, option: Option, said: Said) -> bool:
        if task.conditional(said.text) and "bare_assent" not in said.signs:
            return False
        if "points_back" in said.signs:
            return True
        near = option.turn >= self._talk.before(turn)
        reports = any(wording.REPORTS.search(s.text) for s in self._talk.said[turn])
        return near and "bare_assent" in said.signs and not reports

    @staticmethod
    def _agreed(speaker: str, option: Option, said: Said, span: Span) -> list[Span]:
        """Two people who say yes to a question decide it; one alone does not."""
        own = frozenset(said.content)
        echo = own & _AGREEING and own - _AGREEING and own - _AGREEING <= option.about
        yes = "assent" in said.signs or (echo and said.words <= _VOTE_WORDS)
        if option.asked and yes and not said.signs & {"object", "left"}:
            option.agreed = {**option.agreed, speaker: span}
        return list(option.agreed.values()) if len(option.agreed) > 1 else []

    def _voted(self, turn: int, speaker: str, option: Option, said: Said) -> list[Span]:
        """The same short answer, given by a second person."""
        own = frozenset(said.content) - _AGREEING
        short = said.words <= _VOTE_WORDS and not wording.REASON.match(said.text)
        if not own or not short or said.acts or not _is_plain(said):
            return []
        votes = dict(option.votes)
        known = votes.setdefault(own, [])
        votes[own] = [*known, (speaker, (turn, said.start, said.end))]
        option.votes = votes
        people = {who for who, _ in votes[own]}
        return [span for _, span in votes[own]] if len(people) > 1 else []

    def _ruled_on(self, turn: int, said: Said) -> Taken | None:
        """ "Then no nuts.", "Let's bring our own.": a ruling on what was just asked."""
        if self._asked is None or turn - self._asked[0] > _OPEN_TURNS or turn == self._asked[0]:
            return None
        shared = set(said.content) & set(self._asked[1].content)
        ruled = wording.NO_RULE.match(said.text) and shared
        closing = wording.LETS.match(said.text) and len(shared) >= _TELLING
        last = said is self._talk.said[turn][-1]
        if not (ruled or (closing and last)) or not _is_plain(said):
            return None
        number, asked = self._asked
        span = (turn, said.start, said.end)
        text = wording.LETS.sub("", said.text) if closing else said.text
        return Taken(text=line(text), anchor=span, spans=((number, asked.start, asked.end), span))

    def _stays(self, turn: int, said: Said) -> Taken | None:
        """ "Good, stays at twenty.", once somebody had asked."""
        if self._asked is None or not 0 < turn - self._asked[0] <= _OPEN_TURNS:
            return None
        number, asked = self._asked
        found = wording.STAYS.search(said.text)
        if found is None or not _is_plain(said) or self._choice != number:
            return None
        subject = set(content(said.text[: found.start])) - _AGREEING
        if subject and not subject & set(asked.content):
            return None
        span = (turn, said.start, said.end)
        text = line(said.text.split(". ")[0])
        if not subject:
            text = f"{text} ({line(asked.text)})"
        return Taken(text=text, anchor=span, spans=((number, asked.start, asked.end), span))

    def _put_off(self, turn: int, place: int, said: Said) -> Taken | None:
        """ "I can't approve that today. We'll return to it in June."."""
        for later in self._talk.said[turn][place : place + 4]:
            if "return" in later.signs and not later.asked and names_time(later.text):
                first, last = (turn, said.start, said.end), (turn, later.start, later.end)
                text = line(later.text)
                if first != last:
                    text = f"{text} ({line(said.text)})"
                return Taken(text=text, anchor=first, spans=(first, last))
        return None

    def _stood(self, turn: int, speaker: str, said: Said) -> Taken | None:
        """ "Then we open on Monday.", and nobody minds."""
        before = self._talk.before(turn)
        for option in self._open:
            if option.kind != "dated_ruling" or option.turn < before or option.speaker == speaker:
                continue
            self._open.remove(option)
            if said.signs & {"object", "left", "refuse", "joke"} or (
                said.asked and option.about & set(said.content)
            ):
                return None
            return Taken(
                text=line(self._talk.text(option.words)),
                anchor=option.words,
                spans=(option.span,),
            )
        return None

    # The line of a decision -----------------------------------------------------------------

    def _decide(self, turn: int, option: Option, *spans: Span) -> Taken | None:
        self._open = [o for o in self._open if o is not option and not o.about & option.about]
        fullest = self._fullest(turn, option, spans[-1])
        text = line(self._talk.text(option.words))
        if fullest:
            own = line(wording.LETS.sub("", wording.TAIL.sub("", self._talk.text(fullest))))
            text = own if len(content(own)) >= _TELLING else f"{own} ({text.rstrip('?')})"
        elif is_either(self._talk, option.span):
            if (choice := chosen(self._talk, option.span, turn)) is None:
                return None
            text = choice
        else:
            text = plain(self._talk, option.span, text)
        kept = [option.span, *spans, *([fullest] if fullest else [])]
        return Taken(text=text, anchor=option.words, spans=tuple(dict.fromkeys(kept)))

    def _fullest(self, turn: int, option: Option, said_at: Span) -> Span | None:
        """The sentence of a turn that says most of what was taken up; never an argument."""
        known = option.about | frozenset(content(self._talk.text(said_at))) - _AGREEING
        best: tuple[int, Span] | None = None
        for number, said in enumerate(self._talk.said[turn]):
            own = frozenset(said.content) - _AGREEING
            after = number and self._talk.said[turn][number - 1].start == said_at[1]
            if own <= option.about and set(said.content) & _AGREEING:
                continue  # "June's good" adds nothing
            fragment = after and not wording.ARGUES.match(said.text)
            if (
                not _is_plain(said)
                or not own
                or not (own & known or (fragment and len(own) >= _TELLING))
            ):
                continue
            pointing = said.signs & {"points_back", "bare_assent"}
            if pointing or wording.ARGUES.match(said.text) or (best and len(own) <= best[0]):
                continue
            best = (len(own), (turn, said.start, said.end))
        return best[1] if best else None


def _is_plain(said: Said) -> bool:
    return not (
        said.asked
        or said.words > _RESTATED_WORDS
        or said.signs & {"joke", "unknown", "object", "left", "refuse", "parked"}
        or any(act.kind in _WORK for act in said.acts)
        or task.MAYBE.search(said.text)
        or task.REPORTED.search(said.text)
        or task.conditional(said.text)
    )
