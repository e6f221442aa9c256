"""Who will do what: actions from promises, requests that are accepted, and work that is taken.

An action begins with a firm "I will", with an offer or a request somebody answers, or with work
nobody had and somebody takes. Others may take it over, give it up or report it done later; it
stays the same item. Jokes, conditions, wishes and reports make none.
"""

from __future__ import annotations

import itertools
import re

import msgspec

from pipeline.summarize import task_words as task
from pipeline.summarize.draft import Draft, Span, Talk, about, line, without_due
from pipeline.summarize.due import is_deadline
from pipeline.summarize.giving_up import GivingUp
from pipeline.summarize.pending import PENDING_TURNS, Pending, base_form
from pipeline.summarize.people import resolve_owner
from pipeline.summarize.said import Act, Said, clause, is_light
from pipeline.summarize.words import content, stem, tokens

_ANSWER_TURNS = 3
_CLOSED_TURNS = 2
_POINTED_TURNS = 4
_TAKING = re.compile(
    r"\b(?:take|give|hand|pass|assign|leave|let\s+me|instead|myself|actually|for\s+you|me|mine|pick|own)\b",
    re.IGNORECASE,
)
"""Taking what another already has needs more than "I'll do it"."""
_NEGATIVE_WORK = re.compile(
    r"\b(?:don['’]?t|doesn['’]?t|needn['’]?t|shouldn['’]?t|mustn['’]?t|not|never|no\s+(?:need|reason))\b",
    re.IGNORECASE,
)
""" "I'll do that" after "we don't need more chairs" does not mean to order some."""
_DEAL = re.compile(r"^(?:okay|ok|right|good)?[,.]?\s*(?:deal|done)\b", re.IGNORECASE)
_LEAVE = re.compile(r"\bleave\s+(?:it|that|this)\s+(?:one\s+)?(?:to|with)\s+me\b", re.IGNORECASE)
_FROM_ME = re.compile(r"\b(?:from\s+me|my|by\s+me)\b", re.IGNORECASE)
_DOING = re.compile(r"\b(?:do|take|handle|pick|look|sort|manage)\b", re.IGNORECASE)


class Actions(GivingUp):
    """Reads a meeting from start to end; ``drafts`` are its actions, ``used`` the sentences
    (turn, start) that became part of one."""

    def __init__(self, talk: Talk) -> None:
        super().__init__(talk)
        for number, said in enumerate(talk.said):
            self._given = self._accepted = None
            for place, sentence in enumerate(said):
                self._sentence(number, place, sentence)
        self.used = {span[:2] for draft in self.drafts for span in draft.spans}

    # One sentence ---------------------------------------------------------------------------

    def _sentence(self, turn: int, place: int, said: Said) -> None:
        span = (turn, said.start, said.end)
        speaker = self._talk.speaker(turn)
        if "joke" in said.signs:
            self._joke(turn, speaker)
        refused = "refuse" in said.signs and place <= 1
        if refused or self._declines(turn, place, speaker, said):
            self._refuse(turn, speaker)
        elif place <= 2 and not said.asked and said.signs & {"accept", "thanks"}:
            self._answer(turn, speaker, said, span)
        handlers = {
            "withdraw": self._withdraw,
            "take": self._take,
            "promise": self._promise,
            "delivery": self._deliver,
            "offer": self._offer,
            "intent": self._note,
            "need": self._note,
            "request": self._request,
            "assign": self._assign,
            "done": self._done,
        }
        for act in said.acts:
            if handler := handlers.get(act.kind):
                handler(turn, speaker, said, act)
        if not said.acts and not said.asked:
            self._go_on(turn, place, speaker, said)

    def _answer(self, turn: int, speaker: str, said: Said, span: Span) -> None:
        for pending in self._recent(turn, _ANSWER_TURNS):
            if pending.speaker == speaker:
                agreed = "accept" in said.signs or _DEAL.match(said.text)
                if agreed and (made := self._settled(turn, speaker, span, pending)):
                    self._accepted = made
                    return
                continue
            if pending.refused:
                continue
            asked = self._is_asked(pending, turn, speaker) and "accept" in said.signs
            if pending.kind == "request" and asked:
                self._accepted = self._make(turn, speaker, [span], pending, owner=speaker)
                return
            closed = "thanks" in said.signs and turn - pending.turn <= _CLOSED_TURNS
            if pending.kind == "offer" and (closed or turn - pending.turn <= 1):
                self._make(turn, pending.speaker, [span], pending, owner=pending.speaker)
                return

    # Acts -----------------------------------------------------------------------------------

    def _take(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        span = (turn, said.start, said.end)
        if self._accepted:
            self._touch(self._accepted, turn, said, act)
            return
        if not act.vague:
            words = about(self._talk.text((turn, act.start, act.end)))
            pending = next(
                (p for p in self._recent(turn, PENDING_TURNS) if self._about(p) & words), None
            )
            if pending:
                self._make(turn, speaker, [span], pending, owner=speaker, act=act)
            elif (draft := self._like(words)) is not None:
                self._take_over(draft, turn, speaker, said, act)
            else:
                self._new(turn, speaker, said, act)
            return
        draft = self._given if isinstance(self._given, Draft) else None
        near = _LEAVE.search(said.text)  # means what was said just now, not what was left before
        own = near and len(content(self._talk.text((turn, 0, act.start)))) > 1
        far = turn - self._talk.before(turn) if near else _POINTED_TURNS
        draft = draft or max(
            (
                d
                for d in self.drafts
                if turn - d.touched <= far and d.status != "done" and not (own and d.owner)
            ),
            key=lambda d: (d.touched, d.spans[-1][1]),
            default=None,
        )
        pending = next(
            (
                p
                for p in self._recent(turn, min(_ANSWER_TURNS, far + 1) if near else PENDING_TURNS)
                if self._takeable(p, turn, speaker)
            ),
            None,
        )
        if draft and draft.touched == turn and draft.owner == self._owner(speaker):
            self._touch(draft, turn, said, act)
        elif pending and not (draft and draft.touched > pending.turn and draft is not self._given):
            self._make(turn, speaker, [span], pending, owner=speaker, act=act)
        elif draft and (_TAKING.search(said.text) or draft is self._given):
            self._take_over(draft, turn, speaker, said, act)
        elif draft and draft.owner == self._owner(speaker):
            self._touch(draft, turn, said, act)
        elif (
            _DOING.search(said.text)
            and (meant := self._antecedent(turn, said, statements=True))
            and not _NEGATIVE_WORK.search(self._talk.text(meant))
        ):
            made = self._new(turn, speaker, said, act)
            made.spans.append(meant)
            made.text = line(without_due(self._talk.text(meant)))
            made.about = about(made.text)

    def _takeable(self, pending: Pending, turn: int, speaker: str) -> bool:
        if pending.turn == turn and pending.speaker == speaker:
            return pending.kind in ("offer", "intent")
        if pending.kind in ("offer", "intent"):
            return pending.speaker == speaker and turn - pending.turn <= _POINTED_TURNS
        return True

    def _promise(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        words = self._talk.text((turn, act.start, act.end))
        if is_light(words):
            self._take(turn, speaker, said, act)
            return
        if self._given_by_another(speaker) and (act.vague or about(words) & self._about_given()):
            self._take_given(turn, speaker, said, act)
            return
        draft = self._taken_back(turn, speaker, act) or self._like(about(words))
        if draft is not None:
            self._take_over(draft, turn, speaker, said, act)
            return
        same_breath = self._accepted and self._accepted.spans[-1] == (turn, said.start, said.end)
        more = re.search(r"\b(?:also|and)\b", said.text[: act.start - said.start], re.I)
        if self._accepted and (
            act.vague or about(words) & self._accepted.about or (same_breath and not more)
        ):
            if not self._accepted.text:
                self._accepted.text = self._words(turn, said, act, self._accepted)
                self._accepted.about |= about(self._accepted.text)
            self._touch(self._accepted, turn, said, act)
            return
        pending = self._answered(turn, speaker, about(said.text), act.vague)
        if pending:
            span = (turn, said.start, said.end)
            self._make(turn, speaker, [span], pending, owner=speaker, act=act)
        else:
            self._new(turn, speaker, said, act)

    def _answered(
        self, turn: int, speaker: str, words: frozenset[str], vague: bool
    ) -> Pending | None:
        """The need or request that a promise or offer answers."""
        for pending in self._recent(turn, _ANSWER_TURNS):
            if pending.kind not in ("need", "request") or pending.turn == turn:
                continue
            if pending.who and not pending.refused and not self._is_for(pending, speaker):
                continue
            if pending.speaker == speaker and pending.kind == "request":
                continue
            if pending.refused.get(speaker, turn) != turn:  # said no, and speaks of another thing
                continue
            if vague or self._about(pending) & words:
                return pending
        return None

    def _deliver(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        own = self._accepted or next(
            (d for d in self.drafts if d.touched == turn and d.owner == self._owner(speaker)), None
        )
        span = (turn, said.start, said.end)
        offered = next(
            (p for p in self._recent(turn, 0) if p.kind == "offer" and p.speaker == speaker), None
        )
        owed = None if own or offered else self._owed(turn, said)
        firm = _FROM_ME.search(said.text) or is_deadline(said.text)
        if own:
            self._touch(own, turn, said, act)
        elif offered:
            self._make(turn, speaker, [span], offered, owner=speaker, act=act)
        elif pending := self._answered(turn, speaker, frozenset(), True):
            self._make(turn, speaker, [span], pending, owner=speaker, act=act)
        elif (not act.vague and firm) or (act.vague and owed):
            draft = self._new(turn, speaker, said, act)
            if act.vague and owed:
                words, whole = owed
                draft.spans.append(whole)
                draft.text = f"{draft.text} ({line(without_due(self._talk.text(words)))})"
                draft.about = about(draft.text)

    def _owed(self, turn: int, said: Said) -> tuple[Span, Span] | None:
        """What "it" is in "you'll get it": what this turn or the one before speaks of as owed;
        the words for it, and their sentence."""
        own = [(turn, s) for s in self._talk.said[turn] if s.end <= said.start]
        before = [(turn - 1, s) for s in self._talk.said[turn - 1]] if turn else []
        for number, sentence in (*reversed(own), *reversed(before)):
            found = task.OWED.search(sentence.text)
            whole = (number, sentence.start, sentence.end)
            if found and found.what and content(sentence.text[slice(*found.what)]):
                end = sentence.start + clause(sentence.text, *found.what)
                return (number, sentence.start + found.what[0], end), whole
        return None

    def _offer(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        words = self._talk.text((turn, act.start, act.end))
        opening = said.text[: act.start - said.start].lower()
        span = (turn, said.start, said.end)
        if not said.asked and "could" not in opening[-24:]:
            vague = act.vague or is_light(words)
            pending = self._answered(turn, speaker, about(words), vague)
            if pending:
                self._make(turn, speaker, [span], pending, owner=speaker, act=act)
                return
            if self._told_to(turn, speaker, tokens(words)[:1]):
                self._new(turn, speaker, said, act)
                return
        self._note(turn, speaker, said, act)

    def _told_to(self, turn: int, speaker: str, verb: list[str]) -> bool:
        """Whether the one before told people to do just this ("Send it." - "I can send it")."""
        if turn == 0 or not verb or self._talk.speaker(turn - 1) == speaker:
            return False
        return any(tokens(s.text)[:1] == verb for s in self._talk.said[turn - 1])

    def _note(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        words = (turn, act.start, act.end)
        text = self._talk.text(words)
        self._pending.append(
            Pending(
                kind="request" if act.kind == "assign" else act.kind,
                turn=turn,
                span=(turn, said.start, said.end),
                words=words,
                speaker=speaker,
                vague=act.vague,
                clause=act.kind == "need" and text in task.NEED_DONE,
                who=act.who,
            )
        )

    def _request(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        needs = [p for p in self._recent(turn, _ANSWER_TURNS) if p.kind == "need"]
        named = self._talk.text((turn, act.start, act.end))
        if act.who is None and len(self._talk.said[turn]) > 1:
            called = [
                name for s in self._talk.said[turn] if s.end <= said.start for name in s.names
            ]
            if called:
                act = msgspec.structs.replace(act, who=called[-1])
        if (like := self._like(about(named))) and like.status == "open":
            like.touched = turn
            return
        self._note(turn, speaker, said, act)
        if act.vague and needs:
            self._pending[-1].base = needs[0]

    def _assign(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        words = self._talk.text((turn, act.start, act.end))
        owner = resolve_owner(act.who or "", self._talk.roster)
        if owner is None:
            return
        if owner.name is not None and owner.name == speaker and not act.firm:
            return
        recent = [
            d for d in self.drafts if turn - d.touched <= _POINTED_TURNS and d.status == "open"
        ]
        same = self._like(about(words)) or next(
            (
                d
                for d in reversed(recent)
                if (act.vague and not content(words))
                or (d.owner == owner.name and d.about & about(words))
            ),
            None,
        )
        span = (turn, said.start, said.end)
        if same:
            same.add(span)
            if act.firm and owner.name:
                same.owner, same.owner_candidates = owner.name, ()
        elif not act.firm:
            self._note(turn, speaker, said, act)
        elif content(words):
            draft = self._new(turn, speaker, said, act)
            draft.text = line(without_due(base_form(words)))
            draft.owner, draft.owner_candidates = owner.name, owner.candidates

    def _done(self, turn: int, speaker: str, said: Said, _: Act) -> None:
        words = with_compounds(said.text)
        for draft in reversed(self.drafts):
            if draft.status != "open" or draft.made >= turn:
                continue
            shared = with_compounds(draft.text) & words
            own = draft.owner == self._owner(speaker)
            if (
                (own and shared)
                or (len(shared) >= 2 and not own)
                or (own and said.words <= 2 and turn - draft.touched <= _ANSWER_TURNS)
            ):
                draft.status = "done"
                draft.add((turn, said.start, said.end))
                return

    def _go_on(self, turn: int, place: int, speaker: str, said: Said) -> None:
        """ "I'll call them. And book the room."; "Restart it." - "Restarting now."."""
        span = (turn, said.start, said.end)
        if more := _AND_ALSO.match(said.text):
            before = self._talk.said[turn][place - 1] if place else None
            if before and any(a.kind == "promise" for a in before.acts) and content(more["what"]):
                start = said.start + more.start("what")
                self._new(turn, speaker, said, Act(kind="promise", start=start, end=said.end))
            return
        if said.words <= 5 and turn and self._talk.speaker(turn - 1) != speaker:
            verb = tokens(said.text)[:1]
            if verb and verb[0].endswith("ing"):
                for order in self._talk.said[turn - 1]:
                    first = tokens(order.text)[:1]
                    if (
                        order.words <= 5
                        and not order.asked
                        and first
                        and first != verb
                        and stem(first[0]) == stem(verb[0])
                    ):
                        words = (turn - 1, order.start, order.end)
                        self._drop(words)
                        draft = Draft(
                            kind="action",
                            anchor=words,
                            spans=[words, span],
                            text=line(self._talk.text(words)),
                            about=about(self._talk.text(words)),
                            owner=self._owner(speaker),
                            maker=speaker,
                            made=turn,
                            touched=turn,
                        )
                        self.drafts.append(draft)
                        return


_AND_ALSO = re.compile(
    r"^(?:and|then|also|and\s+then|and\s+also|plus),?\s+(?P<what>(?!(?:the|a|an|i|you|we|he|she|it|they|that|this|there|my|our"
    r"|your|so|then|not|is|are|was|were|yes|no|if|when|what|who|how|why|where|in|on|at|for|with|of|to|please|maybe)\b)"
    r"[a-z]+\s+(?:the|an?|my|our|your|their|some|two|three|all|them|him|her|it|that|those|these)\b.*)",
    re.IGNORECASE | re.DOTALL,
)


def with_compounds(text: str) -> set[str]:
    """Stems and pairs of neighbours written as one ("roll back", "rollback")."""
    stems = content(text)
    return {*stems, *(a + b for a, b in itertools.pairwise(stems))}
