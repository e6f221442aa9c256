"""Work that was spoken of and that nobody has yet, and items made out of it."""

from __future__ import annotations

import re

import msgspec

from pipeline.summarize.draft import Draft, Span, Talk, about, alike, line, without_due
from pipeline.summarize.due import Due, due_words, is_deadline
from pipeline.summarize.people import same_person
from pipeline.summarize.said import Act, Said, is_light
from pipeline.summarize.words import content

PENDING_TURNS = 8
_ANSWER_TURNS = 3
_FRAGMENT_WORDS = 4
_ASIDE_WORDS = 3
_ORDERED = re.compile(
    r"^(?:(?:okay|ok|then|just|please|so)\b,?\s+)*(?:send|give|show|mail|email|bring|drop|pass|get"
    r"|let)\s+(?:me|us|it|them|that)\b",
    re.IGNORECASE,
)
_DAY_AFTER = re.compile(r"\b(?:next\s+day|day\s+after)\b", re.IGNORECASE)


class Pending(msgspec.Struct, kw_only=True):
    """Work that was spoken of and that nobody has yet: a need, a request, an offer, an intent.
    ``refused``: who said no to it, and in which turn."""

    kind: str
    turn: int
    span: Span
    words: Span
    speaker: str
    vague: bool = False
    clause: bool = False
    who: str | None = None
    refused: dict[str, int] = {}
    base: Pending | None = None

    @property
    def root(self) -> Pending:
        """The work a request without words of its own points at."""
        return self.base.root if self.base else self


class Workbook:
    """The actions of a meeting and the work still without a taker; how items get their words,
    their evidence and their dates. What makes an item is decided in ``actions``."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._pending: list[Pending] = []
        self.drafts: list[Draft] = []

    # Items ----------------------------------------------------------------------------------

    def _new(self, turn: int, speaker: str, said: Said, act: Act) -> Draft:
        span = (turn, said.start, said.end)
        draft = Draft(
            kind="action",
            anchor=(turn, act.start, act.end),
            spans=[span],
            text="",
            owner=self._owner(speaker),
            maker=speaker,
            made=turn,
            touched=turn,
        )
        self._set_due(draft, self._deadline(turn, said, act, draft))
        draft.text = self._words(turn, said, act, draft)
        draft.about = about(draft.text)
        self.drafts.append(draft)
        return draft

    def _make(
        self,
        turn: int,
        maker: str,
        spans: list[Span],
        pending: Pending,
        *,
        owner: str,
        act: Act | None = None,
    ) -> Draft:
        """An action out of work that was spoken of and words that take it."""
        root = pending.root
        known = [pending.span] if root is pending else [root.span, pending.span]
        said = next((s for s in self._talk.said[turn] if s.start == spans[-1][1]), None)
        draft = Draft(
            kind="action",
            anchor=root.words,
            spans=list(dict.fromkeys([*known, *spans])),
            text="",
            owner=self._owner(owner),
            maker=maker,
            asker=pending.speaker if pending.kind in ("request", "need") else "",
            made=turn,
            touched=turn,
        )
        due = self._deadline(turn, said, act, draft) if said else None
        due = due or next(filter(None, map(self._talk.due, known)), None)
        due = (
            due or self._following_due(root.span, draft) or self._due_between(pending, turn, draft)
        )
        self._set_due(draft, due)
        words = self._talk.text(root.words)
        own = self._talk.text((turn, act.start, act.end)) if act else ""
        telling = act is not None and act.kind in ("promise", "offer") and not is_light(own)
        if act and said and telling and (root.vague or not (act.vague or root.clause)):
            draft.text = self._words(turn, said, act, draft)
        else:
            draft.text = line(without_due(words if root.clause else base_form(words)))
            if telling and root.clause:
                draft.text = f"{line(without_due(own))} ({draft.text})"
            elif root.vague and (meant := self._antecedent_of(root)):
                draft.text = self._joined(words, self._talk.text(meant))
                draft.spans.append(meant)
        draft.about = about(f"{words} {own} {draft.text}")
        for used in (pending, root):
            if used in self._pending:
                self._pending.remove(used)
        self.drafts.append(draft)
        return draft

    def _settled(self, turn: int, speaker: str, span: Span, offer: Pending) -> Draft | None:
        """ "I could draft it." - "Send me the draft." - "Deal.": one's own offer, told to go on."""
        before = turn - 1
        if offer.kind != "offer" or offer.turn != before - 1:
            return None
        if self._talk.speaker(before) == speaker:
            return None
        if not any(_ORDERED.match(s.text) and not s.asked for s in self._talk.said[before]):
            return None
        words = self._about(offer)
        asked = next(
            (
                p
                for p in self._recent(turn, _ANSWER_TURNS + 1)
                if p.kind == "request"
                and p.refused
                and p.turn < offer.turn
                and (offer.vague or words & self._about(p))
            ),
            None,
        )
        made = self._make(turn, speaker, [offer.span, span], asked or offer, owner=speaker)
        if offer in self._pending:
            self._pending.remove(offer)
        return made

    def _due_between(self, pending: Pending, turn: int, draft: Draft) -> Due | None:
        """A date somebody named between the asking and the taking."""
        for number in range(pending.turn + 1, turn):
            if self._talk.speaker(number) in pending.refused:
                continue  # why somebody cannot is no deadline
            for said in self._talk.said[number]:
                if said.asked or said.acts or "refuse" in said.signs:
                    continue
                span = (number, said.start, said.end)
                if due := self._talk.due(span):
                    draft.spans.append(span)
                    return due
        return None

    def _touch(self, draft: Draft, turn: int, said: Said, act: Act) -> None:
        draft.add((turn, said.start, said.end))
        self._set_due(draft, self._deadline(turn, said, act, draft))

    def _take_over(self, draft: Draft, turn: int, speaker: str, said: Said, act: Act) -> None:
        draft.owner, draft.owner_candidates = self._owner(speaker), ()
        draft.maker = speaker
        self._touch(draft, turn, said, act)

    def _set_due(self, draft: Draft, due: Due | None) -> None:
        if due:
            draft.due, draft.due_text = due.date, due.words.rstrip(" .,")
        elif draft.due_text is None:
            named = (due_words(self._talk.text(span)) for span in draft.spans)
            draft.due_text = next(filter(None, named), None)

    def _deadline(
        self, turn: int, said: Said, act: Act | None, draft: Draft | None = None
    ) -> Due | None:
        """The date in the words of an act, or in what the speaker adds to them."""
        start, end = said.start, said.end
        if act is not None:
            later = [a.start for a in said.acts if a.kind == act.kind and a.start > act.start]
            start, end = (
                (act.start if later or act.kind != "take" else said.start),
                min(later, default=end),
            )
            if start >= end:
                start = said.start
            if act.kind == "promise" and _OTHERS_WORK.match(self._talk.text((turn, act.end, end))):
                end = act.end
        return (
            self._talk.due((turn, start, end))
            or self._day_after(turn, said, draft)
            or self._following_due((turn, said.start, said.end), draft)
        )

    def _following_due(self, span: Span, draft: Draft | None) -> Due | None:
        """A date in the next sentence of the same turn, if it speaks of the same thing; a mere
        "well, not yet" may stand between."""
        after = [s for s in self._talk.said[span[0]] if s.start >= span[2]]
        near = after[: 2 if after and after[0].words <= _ASIDE_WORDS and not after[0].asked else 1]
        for said in near:
            own = {a.kind for a in said.acts} & {"promise", "request", "need", "decide", "question"}
            fragment = said.words <= _FRAGMENT_WORDS
            if own or "decline" in said.signs:
                return None
            if fragment or is_deadline(said.text) or _SAME_THING.match(said.text):
                where = (span[0], said.start, said.end)
                due = self._talk.due(where)
                if draft and (due or due_words(said.text)):
                    draft.add(where)
                if due or due_words(said.text):
                    return due
        return None

    def _day_after(self, turn: int, said: Said, draft: Draft | None) -> Due | None:
        """ "They close on the tenth. You'll have it the day after."."""
        before = [s for s in self._talk.said[turn] if s.end <= said.start][-1:]
        if draft is None or not before or not _DAY_AFTER.search(said.text) or due_words(said.text):
            return None
        due = self._talk.due((turn, before[0].start, said.end))
        if due and due.words in said.text:
            draft.add((turn, before[0].start, before[0].end))
            return due
        return None

    # Words ----------------------------------------------------------------------------------

    def _words(self, turn: int, said: Said, act: Act, draft: Draft) -> str:
        """The line of an item; what a vague one points at is cited, too."""
        words = self._talk.text((turn, act.start, act.end))
        if act.kind == "delivery":
            return line(without_due(words))
        text = without_due(words)
        if not act.vague or (meant := self._antecedent(turn, said, act=act)) is None:
            return line(text)
        draft.spans.append(meant)
        return self._joined(text, self._talk.text(meant))

    @staticmethod
    def _joined(text: str, meant: str) -> str:
        """ "Highlight it" and what "it" is; a wish just uttered says the work itself."""
        text = without_due(text)
        if wish := _WISH.match(meant):
            return line(wish["what"])
        return f"{line(text)} ({line(meant)})"

    def _antecedent(
        self, turn: int, said: Said, *, act: Act | None = None, statements: bool = False
    ) -> Span | None:
        """What "it" in ``said`` points at: the words before that last say something."""
        lead = _LEAD_CLAUSE.match(said.text[: act.start - said.start]) if act else None
        if lead and len(content(lead["what"])) >= 2:
            return (turn, said.start + lead.start("what"), said.start + lead.end("what"))
        own = [s for s in self._talk.said[turn] if s.end <= said.start]
        candidates = [(turn, s) for s in reversed(own)]
        if turn and not any(len(s.content) >= 2 for s in own):
            recent = [d for d in self.drafts if d.touched == turn - 1 and d.spans]
            if recent and not statements:
                return recent[-1].anchor
            candidates += [(turn - 1, s) for s in self._talk.said[turn - 1]]
        for number, sentence in candidates:
            if len(sentence.content) >= 2 and not (statements and sentence.asked):
                return (number, sentence.start, sentence.end)
        return None

    def _antecedent_of(self, pending: Pending) -> Span | None:
        said = next(s for s in self._talk.said[pending.turn] if s.start == pending.span[1])
        return self._antecedent(pending.turn, said)

    # Looking back ---------------------------------------------------------------------------

    def _recent(self, turn: int, turns: int) -> list[Pending]:
        """Open work of the last so many turns, latest first."""
        while self._pending and turn - self._pending[0].turn > PENDING_TURNS:
            self._pending.pop(0)
        return [p for p in reversed(self._pending) if turn - p.turn <= turns]

    def _like(self, words: frozenset[str]) -> Draft | None:
        return next(
            (d for d in reversed(self.drafts) if d.status == "open" and alike(words, d.about)), None
        )

    def _about(self, pending: Pending) -> frozenset[str]:
        return about(self._talk.text(pending.root.words))

    def _is_for(self, pending: Pending, speaker: str) -> bool:
        return pending.who is None or same_person(pending.who, speaker)

    def _owner(self, speaker: str) -> str | None:
        return None if speaker.startswith("?") else speaker

    def _drop(self, words: Span) -> None:
        self._pending = [p for p in self._pending if p.span[:2] != words[:2]]


_OTHERS_WORK = re.compile(
    r"^\W*(?:(?:and|but|so|then)\s+)?(?:you|he|she|they)\b[^,.;]{0,20}?\s(?:can|could|should|must)\b",
    re.IGNORECASE,
)
""" "I'll pay it, you can send me your share by Friday": another's work and its date."""
_SAME_THING = re.compile(
    r"^(?:(?:and|so|then|but)\s+)?(?:i|it|they|you|he|she|we)(?:['’](?:m|ll|s|re)|\s+(?:will|shall|am|is|are))\b",
    re.IGNORECASE,
)
_LEAD_CLAUSE = re.compile(
    r"^(?P<what>\S.*?),?\s+(?:but|and|so|because)\s", re.IGNORECASE | re.DOTALL
)
_WISH = re.compile(
    r"^\W*(?:(?:but|so|and|well|okay|still)\s+)*i(?:['’]d|\s+would)\s+(?:still\s+|also\s+|rather\s+|just\s+)*(?:like\s+to\s+|love\s+to\s+|prefer\s+to\s+)?(?P<what>(?!(?:say|think|guess|be|have|not|never|know)\b)\w.*)",
    re.IGNORECASE | re.DOTALL,
)
_THIRD_PERSON = re.compile(r"^(?P<verb>[a-z]{2,}s)\b(?=\s)", re.IGNORECASE)
_NO_VERBS = frozenset(
    {
        "this",
        "his",
        "its",
        "us",
        "as",
        "has",
        "is",
        "was",
        "always",
        "eyes",
        "status",
        "press",
        "process",
        "focus",
        "discuss",
        "address",
        "access",
        "pass",
        "miss",
        "guess",
        "cross",
        "express",
        "assess",
    }
)


def base_form(words: str) -> str:
    """ "takes care of the food" as "take care of the food"; other words as they are."""
    match = _THIRD_PERSON.match(words)
    if match is None or match["verb"].lower() in _NO_VERBS:
        return words
    verb = match["verb"]
    for ending, base in (
        ("ies", "y"),
        ("sses", "ss"),
        ("shes", "sh"),
        ("ches", "ch"),
        ("xes", "x"),
        ("oes", "o"),
        ("s", ""),
    ):
        if verb.lower().endswith(ending):
            return verb[: -len(ending)] + base + words[match.end() :]
    return words
