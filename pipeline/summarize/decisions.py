"""What was decided: said in so many words, or proposed and agreed to.

A decision needs words that decide ("let's go with", "that's settled", a motion carried) or a
proposal and somebody's assent. Wishes, possibilities, jokes and what an earlier meeting decided
make none; saying a decision again adds to it.
"""

from __future__ import annotations

import re

import msgspec

from pipeline.summarize import choice_words as choice
from pipeline.summarize.draft import Draft, Span, Talk, about, alike, line
from pipeline.summarize.negation_words import NEGATIVE
from pipeline.summarize.option_choice import chosen, is_either, plain
from pipeline.summarize.option_words import LEAVES, TAIL
from pipeline.summarize.options import Options, Taken
from pipeline.summarize.said import Act, Said
from pipeline.summarize.words import content, tokens

_PROPOSED_TURNS = 4
_LINKED_TURNS = 8
_FIRM = {"firm_assent", "points_back"}
_SAID_AGAIN_TURNS = 2
_FULL_WORDS = 10
_CHOICE_WORDS = 6
_NO_STATEMENT = ("promise", "offer", "take", "request", "propose")
_TELLING = 2
"""Fewer words that carry meaning do not say what was decided."""


class Proposal(msgspec.Struct, kw_only=True):
    """Something that waits for agreement; ``strong`` when plain assent is enough, ``denied``
    when it says what not to do."""

    turn: int
    span: Span
    words: Span
    speaker: str
    strong: bool
    option: bool = False
    denied: bool = False


class Decisions:
    """Reads a meeting from start to end; ``drafts`` are its decisions."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._proposals: list[Proposal] = []
        self._options = Options(talk)
        self._taken_up: Draft | None = None
        self._denial: Draft | None = None
        self.drafts: list[Draft] = []
        for number, said in enumerate(talk.said):
            for place, sentence in enumerate(said):
                self._sentence(number, place, sentence)
        self.used = {span[:2] for draft in self.drafts for span in draft.spans}

    def _sentence(self, turn: int, place: int, said: Said) -> None:
        span = (turn, said.start, said.end)
        speaker = self._talk.speaker(turn)
        if "joke" in said.signs:
            self._drop_recent(turn, speaker)
        elif place == 0 and "object" in said.signs and not said.signs & {"firm_assent"}:
            self._object(turn, speaker)
        kinds = {act.kind for act in said.acts}
        if (
            not said.asked and place <= 2 and "assent" in said.signs and "object" not in said.signs
        ) or (not said.asked and said.signs & _FIRM and "decide" not in kinds):
            self._assent(turn, speaker, said, span)
        self._undo(turn, said, span)
        for act in said.acts:
            words = (turn, act.start, act.end)
            if act.kind == "decide":
                self._decide(turn, speaker, said, act)
            elif act.kind == "confirm":
                self._confirm(turn, place, speaker, span)
            elif act.kind == "poll":
                self._poll(turn, place, speaker, span, words)
            elif act.kind in ("propose", "suggest", "option", "doubt"):
                self._proposals.append(
                    Proposal(
                        turn=turn,
                        span=span,
                        words=words,
                        speaker=speaker,
                        strong=act.kind == "propose",
                        option=act.kind == "option",
                        denied=act.kind == "doubt",
                    )
                )
        if not said.asked and not kinds & {"decide", "confirm", "promise"}:
            self._choose(turn, speaker, said, span)
        self._rule_instead(turn, said, span)
        taken = self._options.read(turn, place, said)
        if taken and not any(d.touched == turn for d in self.drafts):
            self._take_up(turn, taken)
        else:
            self._say_again(turn, said, span)

    def _rule_instead(self, turn: int, said: Said, span: Span) -> None:
        """ "I agree. We wait till April.": what is done instead of what was advised against."""
        draft = self._denial
        if draft is None or draft.touched != turn or span in draft.spans:
            return
        same = _WAITING.search(said.text) or about(said.text) & draft.about
        if _WE.match(said.text) and same and self._is_statement(said):
            draft.text = line(said.text)
            draft.about |= about(said.text)
            draft.add(span)
        self._denial = None

    def _take_up(self, turn: int, taken: Taken) -> None:
        draft = self._decided(
            turn, taken.spans[0], taken.text, "assent", also=taken.spans[-1], anchor=taken.anchor
        )
        draft.add(*taken.spans)
        draft.touched = turn
        draft.about |= about(" ".join(self._talk.text(span) for span in taken.spans))
        self._taken_up = draft

    def _say_again(self, turn: int, said: Said, span: Span) -> None:
        """The plan is said once more, or agreed to by one more, just after it was taken up."""
        draft = self._taken_up
        if draft is None or draft.status != "open" or turn - draft.touched > _SAID_AGAIN_TURNS:
            return
        if said.signs & {"points_back", "bare_assent"} and not said.asked:
            draft.add(span)
        elif self._options.restates(said, draft.about) or self._goes_on(turn, said, draft):
            draft.add(span)
            if len(said.content) > len(content(draft.text.split(" (")[0])):
                draft.text = line(said.text)

    @staticmethod
    def _goes_on(turn: int, said: Said, draft: Draft) -> bool:
        """ "June, then. The long one in June.": said in full right after the short form."""
        last = max(draft.spans)
        short = said.words <= _FULL_WORDS and not said.acts and not said.asked
        return (
            short
            and last[0] == turn
            and last[2] + 1 >= said.start
            and bool(draft.about & set(said.content))
        )

    # Ways to decide -------------------------------------------------------------------------

    def _decide(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        span = (turn, said.start, said.end)
        words = (turn, act.start, act.end)
        if act.vague:
            self._echo(turn, span, words)
            return
        made = next((d for d in self.drafts if d.touched == turn and d.maker == "assent"), None)
        if made:
            made.add(span)
            return
        self._decided(turn, span, line(self._talk.text(words)), speaker, anchor=words)

    def _confirm(self, turn: int, place: int, speaker: str, span: Span) -> None:
        if any(d.touched == turn for d in self.drafts):
            next(d for d in reversed(self.drafts) if d.touched == turn).add(span)
            return
        answering = bool(_DEAL.search(self._talk.text(span)))
        if not answering and (stated := self._stated(turn, place)) is not None:
            text = line(_CONFIRMING.sub("", self._talk.text(stated)))
            self._decided(turn, stated, text, speaker, also=span)
            return
        recent = [d for d in self.drafts if turn - d.touched <= _PROPOSED_TURNS]
        proposal = self._open_proposal(turn, _PROPOSED_TURNS)
        if recent and not (proposal and proposal.turn > recent[-1].touched):
            recent[-1].add(span)
        elif proposal:
            self._accept(turn, proposal, span, "confirm")
        elif not answering and (before := self._last_statement(turn)) is not None:
            self._decided(turn, before, line(self._talk.text(before)), speaker, also=span)

    def _stated(self, turn: int, place: int) -> Span | None:
        """What a confirmation confirms: the rest of its sentence, the sentence before it in the
        turn, or the one after."""
        said = self._talk.said[turn]
        own = said[place]
        confirming = next(a for a in own.acts if a.kind == "confirm")
        rest = self._talk.text((turn, confirming.end, own.end))
        if confirming.end < own.end and len(content(rest)) >= _TELLING:
            return (turn, own.start, own.end)
        before = [s for s in said[:place] if self._is_statement(s)]
        after = [s for s in said[place + 1 : place + 2] if self._is_statement(s)]
        for sentence in (*before[-1:], *after):
            return (turn, sentence.start, sentence.end)
        return None

    @staticmethod
    def _is_statement(said: Said) -> bool:
        return (
            not said.asked
            and len(said.content) >= _TELLING
            and not said.signs & {"unknown", "joke", "thanks"}
            and not LEAVES.search(said.text)
            and not any(a.kind in _NO_STATEMENT for a in said.acts)
        )

    def _last_statement(self, turn: int) -> Span | None:
        """What was stated last before a turn, if it says enough."""
        for number in range(turn - 1, max(-1, turn - 1 - _PROPOSED_TURNS), -1):
            for said in reversed(self._talk.said[number]):
                if self._is_statement(said) and len(said.content) > _TELLING:
                    return (number, said.start, said.end)
        return None

    def _poll(self, turn: int, place: int, speaker: str, span: Span, words: Span) -> None:
        """ "..., are we all fine with that?": what goes before is now put to the others."""
        if len(content(self._talk.text(words))) >= _TELLING:
            self._propose(turn, speaker, span, words)
            return
        before = [s for s in self._talk.said[turn][:place] if self._is_statement(s)]
        if before:
            at = (turn, before[-1].start, before[-1].end)
            self._propose(turn, speaker, at, at)
        elif proposal := self._open_proposal(turn, _PROPOSED_TURNS):
            proposal.strong = True
            proposal.turn = turn

    def _propose(self, turn: int, speaker: str, span: Span, words: Span) -> None:
        self._proposals.append(
            Proposal(turn=turn, span=span, words=words, speaker=speaker, strong=True)
        )

    def _assent(self, turn: int, speaker: str, said: Said, span: Span) -> None:
        for proposal in reversed(self._proposals):
            if turn - proposal.turn > _PROPOSED_TURNS:
                break
            if proposal.speaker == speaker or proposal.option:
                continue
            soft = not said.signs & _FIRM or turn - proposal.turn > 1
            if not proposal.strong and soft:
                continue
            self._accept(turn, proposal, span, "assent")
            return
        for draft in self.drafts[-1:]:
            if "firm_assent" in said.signs and turn - draft.touched <= 1 and draft.maker != speaker:
                draft.add(span)

    def _echo(self, turn: int, span: Span, words: Span) -> None:
        """ "Blue it is.", "No discount, agreed.": the choice made from what was just said."""
        wanted = about(self._talk.text(words))
        for proposal in reversed(self._proposals):
            known = about(self._talk.text(proposal.words))
            near = turn - proposal.turn <= _PROPOSED_TURNS
            if near and not proposal.option and not proposal.denied and wanted & known:
                self._accept(turn, proposal, span, "assent")
                return
        for number in range(turn - 1, max(-1, turn - 3), -1):
            said = self._talk.said[number]
            at = next((i for i, s in enumerate(said) if wanted & set(s.content)), None)
            if at is not None and not said[at].asked:
                last = next((s for s in said[at + 1 : at + 2] if self._is_statement(s)), said[at])
                whole = (number, said[at].start, last.end)
                named = self._talk.text(words)
                argued = len(content(named)) >= _TELLING and _ARGUING.search(said[at].text)
                argued = argued or NEGATIVE.search(self._talk.text(whole))
                text = line(named if argued else TAIL.sub("", self._talk.text(whole)))
                self._decided(turn, whole, text, self._talk.speaker(turn), also=span)
                return
        self._decided(turn, span, line(self._talk.text(words)), self._talk.speaker(turn))

    def _choose(self, turn: int, speaker: str, said: Said, span: Span) -> None:
        """One of the ways laid open before, said as an order ("Roll back.")."""
        if not 1 < said.words <= _CHOICE_WORDS or not said.content:
            return
        words = tokens(said.text)
        for option in reversed(self._proposals):
            if turn - option.turn > _PROPOSED_TURNS:
                return
            named = self._talk.text(option.words)
            if (
                option.option
                and option.speaker != speaker
                and tokens(named)[:1] == words[:1]
                and set(said.content) <= set(content(named))
            ):
                self._decided(turn, span, line(said.text), speaker, also=option.span)
                return

    # Decisions ------------------------------------------------------------------------------

    def _accept(self, turn: int, proposal: Proposal, span: Span, how: str) -> None:
        self._proposals = [p for p in self._proposals if p.turn > proposal.turn]
        text: str | None = plain(self._talk, proposal.span, line(self._talk.text(proposal.words)))
        if is_either(self._talk, proposal.span):
            text = chosen(self._talk, proposal.span, turn)
        if not text:
            return
        draft = self._decided(turn, proposal.span, text, how, also=span, anchor=proposal.words)
        draft.maker = how
        self._denial = draft if proposal.denied else None

    def _decided(
        self,
        turn: int,
        span: Span,
        text: str,
        maker: str,
        *,
        also: Span | None = None,
        anchor: Span | None = None,
    ) -> Draft:
        words = about(text)
        known = next((d for d in reversed(self.drafts) if self._same(d, words, turn)), None)
        if known is None:
            known = Draft(
                kind="decision",
                anchor=anchor or span,
                spans=[],
                text=text,
                about=words,
                maker=maker,
                made=turn,
            )
            for proposal in self._proposals:
                near = turn - proposal.turn <= _LINKED_TURNS
                if (
                    near
                    and not proposal.option
                    and not proposal.denied
                    and alike(words, about(self._talk.text(proposal.words)))
                ):
                    known.spans.append(proposal.span)
            self.drafts.append(known)
        elif maker not in ("assent", "confirm") and turn - known.made <= _PROPOSED_TURNS:
            known.text = text
        known.status = "open"
        known.about |= words
        known.add(span, *([also] if also else []))
        known.touched = turn
        self._proposals = [p for p in self._proposals if p.turn == turn or p.option]
        return known

    @staticmethod
    def _same(draft: Draft, words: frozenset[str], turn: int) -> bool:
        near = turn - draft.touched <= _PROPOSED_TURNS
        return alike(words, draft.about) or (near and bool(words & draft.about))

    def _open_proposal(self, turn: int, turns: int) -> Proposal | None:
        found = [p for p in self._proposals if turn - p.turn <= turns and not p.option]
        return found[-1] if found else None

    # What takes decisions back --------------------------------------------------------------

    def _drop_recent(self, turn: int, speaker: str) -> None:
        joke = self._talk.before(turn)
        self.drafts = [d for d in self.drafts if d.made < joke or d.maker == speaker]
        self._proposals = [p for p in self._proposals if p.turn < joke or p.speaker == speaker]

    def _object(self, turn: int, speaker: str) -> None:
        """ "No, wait.": what one person alone had just decided is open again."""
        self._proposals = [p for p in self._proposals if p.turn < turn - 1 or p.speaker == speaker]
        self.drafts = [
            d
            for d in self.drafts
            if d.made != turn - 1 or d.maker in ("assent", "confirm", speaker)
        ]

    def _undo(self, turn: int, said: Said, span: Span) -> None:
        if said.asked or "undo" not in said.signs:
            return
        for found in choice.UNDO.matches(said.text):
            words = about(said.text[slice(*found.what)]) if found.what else frozenset()
            own = content(self._talk.text((turn, 0, said.start + found.start)))
            for draft in reversed(self.drafts):
                if draft.status != "open" or draft.made == turn:
                    continue
                pointed = (
                    not words and len(own) < _TELLING and draft.touched >= self._talk.before(turn)
                )
                if len(words & draft.about) * 2 > len(words) or pointed:
                    draft.status = "retracted"
                    draft.add(span)
                    break


_WE = re.compile(
    r"^(?:(?:so|then|and|okay|ok)\b,?\s+)*(?:we(?!['’]ve\b|\s+(?:have|had|are|were|did)\b)|let['’]?s)\b",
    re.IGNORECASE,
)
_WAITING = re.compile(
    r"\b(?:hold\s+off|wait|leave|keep|stay|stick|put\s+off|postpone|defer|drop|skip|until|till)\b",
    re.IGNORECASE,
)
_ARGUING = re.compile(
    r"\b(?:is|are|was|were|would|seems?|looks?)\b|['’](?:d|s|re)\b", re.IGNORECASE
)
"""Tells why, not what."""
_DEAL = re.compile(r"\bdeal\b", re.IGNORECASE)
""" "Deal." answers somebody; what it stands beside is another matter."""
_CONFIRMING = re.compile(
    r"^.*?\b(?:it['’]?s|it\s+is|that['’]?s|that\s+is)\s+(?:all\s+)?(?:now\s+)?(?:decided|settled"
    r"|agreed|carried)[,.:;]?\s+(?:that\s+|then\s+|and\s+)?",
    re.IGNORECASE,
)
