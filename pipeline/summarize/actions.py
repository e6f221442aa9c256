"""Who will do what: actions from promises, requests that are accepted, and work that is taken.

An action begins with a firm "I will", with an offer or a request somebody answers, or with work
nobody had and somebody takes. Others may take it over, give it up or report it done later; it
stays the same item. Jokes, conditions, wishes and reports make none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from pipeline.summarize import task_words as task
from pipeline.summarize.acts import Act, Said, is_light
from pipeline.summarize.draft import Draft, Span, Talk, about, alike, line, without_due
from pipeline.summarize.due import Due, due_words, is_deadline
from pipeline.summarize.people import resolve_owner, same_person
from pipeline.summarize.words import content, stem, tokens

_PENDING_TURNS = 8
_ANSWER_TURNS = 3
_POINTED_TURNS = 4
_JOKE_TURNS = 2


class Pending(msgspec.Struct, kw_only=True):
    """Work that was spoken of and that nobody has yet: a need, a request, an offer, an intent."""

    kind: str
    turn: int
    span: Span
    words: Span
    speaker: str
    vague: bool = False
    clause: bool = False
    who: str | None = None
    refused: bool = False
    base: Pending | None = None

    @property
    def root(self) -> Pending:
        """The work a request without words of its own points at."""
        return self.base.root if self.base else self


class Actions:
    """Reads a meeting from start to end; ``drafts`` are its actions, ``used`` the sentences
    (turn, start) that became part of one."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._pending: list[Pending] = []
        self.drafts: list[Draft] = []
        self._given: Draft | Pending | None = None
        self._accepted: Draft | None = None
        for number, said in enumerate(talk.said):
            self._given = self._accepted = None
            for place, sentence in enumerate(said):
                self._sentence(number, place, sentence)
        self.used = {span[:2] for draft in self.drafts for span in draft.spans}

    # One sentence ---------------------------------------------------------------------------

    def _sentence(self, turn: int, place: int, said: Said) -> None:
        span = (turn, said.start, said.end)
        speaker = self._talk.speaker(turn)
        if "joke" in said.signs and not said.asked:
            self._joke(turn, speaker)
        refused = bool(said.signs & {"refuse"}) and place <= 1
        if refused:
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

    def _joke(self, turn: int, speaker: str) -> None:
        def meant(made: int, by: str) -> bool:
            mine = by == speaker
            return turn - made > (1 if mine else _JOKE_TURNS) or (mine and made < turn - 1)

        self.drafts = [d for d in self.drafts if meant(d.made, d.maker) or d.made != d.touched]
        self._pending = [p for p in self._pending if meant(p.turn, p.speaker)]

    def _refuse(self, turn: int, speaker: str) -> None:
        for pending in self._recent(turn, _ANSWER_TURNS):
            if pending.kind == "request" and self._is_for(pending, speaker) and pending.speaker != speaker:
                pending.refused = True
            if pending.kind == "offer" and pending.speaker != speaker and turn - pending.turn <= 1:
                self._pending.remove(pending)

    def _answer(self, turn: int, speaker: str, said: Said, span: Span) -> None:
        for pending in self._recent(turn, _ANSWER_TURNS):
            if pending.speaker == speaker or pending.refused:
                continue
            if pending.kind == "request" and "accept" in said.signs:
                # Nobody called by name: it is for who speaks next.
                if self._is_for(pending, speaker) if pending.who else self._is_next(pending, turn):
                    self._accepted = self._make(turn, speaker, [span], pending, owner=speaker)
                    return
            if pending.kind == "offer" and turn - pending.turn <= 1:
                self._make(turn, pending.speaker, [span], pending, owner=pending.speaker)
                return

    def _is_next(self, pending: Pending, turn: int) -> bool:
        between = range(pending.turn + 1, turn)
        return all(self._talk.speaker(n) == pending.speaker for n in between)

    # Acts -----------------------------------------------------------------------------------

    def _withdraw(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        span = (turn, said.start, said.end)
        words = about(self._talk.text((turn, act.start, act.end)))
        target: Draft | Pending | None = None
        if words:
            target = next(
                (d for d in reversed(self.drafts) if _names(words, d.about) and d.status != "done"), None
            ) or next(
                (p for p in self._recent(turn, _PENDING_TURNS) if _names(words, self._about(p))), None
            )
        elif act.vague or act.end > act.start:
            target = self._pointed_at(turn)
        if target is None:
            return
        if isinstance(target, Pending):
            self._pending.remove(target)
            self._given = target
            if target.kind == "intent" and due_words(self._talk.text(target.span)):
                draft = self._make(turn, target.speaker, [span], target, owner=target.speaker)
                draft.status, draft.due, draft.due_text = "retracted", None, None
                self._set_due(draft, self._talk.due(target.span))
                self._given = draft
            return
        if "taken care of" in said.text.lower() and target.status == "open":
            target.status = "done"
        elif target.status == "open":
            target.status = "retracted"
        target.add(span)
        self._given = target

    def _pointed_at(self, turn: int) -> Draft | Pending | None:
        """What "that" means: the item or the work spoken of last."""
        draft = max(
            (d for d in self.drafts if turn - d.touched <= _ANSWER_TURNS),
            key=lambda d: (d.touched, d.spans[-1][1]),
            default=None,
        )
        pending = next(
            (p for p in self._recent(turn, _ANSWER_TURNS) if p.kind in ("intent", "offer")), None
        )
        if draft and pending:
            return draft if (draft.touched, draft.spans[-1][1]) >= pending.span[:2] else pending
        return draft or pending

    def _take(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        span = (turn, said.start, said.end)
        if self._accepted:
            self._touch(self._accepted, turn, said, act)
            return
        if not act.vague:
            words = about(self._talk.text((turn, act.start, act.end)))
            pending = next(
                (p for p in self._recent(turn, _PENDING_TURNS) if self._about(p) & words), None
            )
            if pending:
                self._make(turn, speaker, [span], pending, owner=speaker, act=act)
            elif (draft := self._like(words)) is not None:
                self._take_over(draft, turn, speaker, said, act)
            else:
                self._new(turn, speaker, said, act)
            return
        draft = self._given if isinstance(self._given, Draft) else None
        draft = draft or max(
            (d for d in self.drafts if turn - d.touched <= _POINTED_TURNS and d.status != "done"),
            key=lambda d: (d.touched, d.spans[-1][1]),
            default=None,
        )
        pending = next((p for p in self._recent(turn, _PENDING_TURNS) if self._takeable(p, turn, speaker)), None)
        if draft and draft.touched == turn and draft.owner == self._owner(speaker):
            self._touch(draft, turn, said, act)
        elif pending and not (draft and draft.touched > pending.turn and draft is not self._given):
            self._make(turn, speaker, [span], pending, owner=speaker, act=act)
        elif draft and (draft.owner != self._owner(speaker) or draft is self._given):
            self._take_over(draft, turn, speaker, said, act)
        elif draft:
            self._touch(draft, turn, said, act)
        elif re.search(r"\b(?:do|take|handle|pick|look|sort|manage)\b", said.text, re.I):
            if (meant := self._antecedent(turn, said, statements=True)) is not None:
                made = self._new(turn, speaker, said, act)
                made.spans.append(meant)
                made.text = line(without_due(self._talk.text(meant)))
                made.about = about(made.text)

    def _takeable(self, pending: Pending, turn: int, speaker: str) -> bool:
        if pending.turn == turn and pending.speaker == speaker and pending.kind != "offer":
            return False
        if pending.kind in ("offer", "intent"):
            return pending.speaker == speaker and turn - pending.turn <= _POINTED_TURNS
        return True

    def _promise(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        words = self._talk.text((turn, act.start, act.end))
        if is_light(words):
            self._take(turn, speaker, said, act)
            return
        if isinstance(self._given, Draft) and self._given.maker != speaker or (
            isinstance(self._given, Pending) and self._given.speaker != speaker
        ):
            if act.vague or about(words) & self._about_given():
                self._take_given(turn, speaker, said, act)
                return
        if (draft := self._like(about(words))) is not None:
            self._take_over(draft, turn, speaker, said, act)
            return
        same_breath = self._accepted and self._accepted.spans[-1] == (turn, said.start, said.end)
        more = re.search(r"\b(?:also|and)\b", said.text[: act.start - said.start], re.I)
        if self._accepted and (
            act.vague or about(words) & self._accepted.about or (same_breath and not more)
        ):
            self._touch(self._accepted, turn, said, act)
            return
        pending = self._answered(turn, speaker, about(said.text), act.vague)
        if pending:
            span = (turn, said.start, said.end)
            self._make(turn, speaker, [span], pending, owner=speaker, act=act)
        else:
            self._new(turn, speaker, said, act)

    def _about_given(self) -> frozenset[str]:
        if isinstance(self._given, Draft):
            return self._given.about
        return self._about(self._given) if self._given else frozenset()

    def _take_given(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        """Somebody stops another's work and does it instead: the same item, another owner."""
        span = (turn, said.start, said.end)
        given = self._given
        if isinstance(given, Pending):
            draft = self._make(turn, speaker, [span], given, owner=speaker, act=act)
            draft.text = self._words(turn, said, act, draft)
            draft.about |= about(draft.text)
        elif given:
            given.status = "open"
            given.text = self._words(turn, said, act, given)
            self._take_over(given, turn, speaker, said, act)

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
            if vague or self._about(pending) & words:
                return pending
        return None

    def _deliver(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        own = self._accepted or next(
            (d for d in self.drafts if d.touched == turn and d.owner == self._owner(speaker)), None
        )
        span = (turn, said.start, said.end)
        if own:
            self._touch(own, turn, said, act)
        elif pending := self._answered(turn, speaker, frozenset(), True):
            self._make(turn, speaker, [span], pending, owner=speaker, act=act)
        elif not act.vague and re.search(r"\b(?:from\s+me|my|by\s+me)\b", said.text, re.I):
            self._new(turn, speaker, said, act)

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
        """Whether the one before told people to do just this ("Send it over." - "I can send it")."""
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
            called = [name for s in self._talk.said[turn] if s.end <= said.start for name in s.names]
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
        recent = [d for d in self.drafts if turn - d.touched <= _POINTED_TURNS and d.status == "open"]
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

    def _done(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        del act
        words = with_compounds(said.text)
        for draft in reversed(self.drafts):
            if draft.status != "open" or draft.made >= turn:
                continue
            shared = with_compounds(draft.text) & words
            own = draft.owner == self._owner(speaker)
            if (own and shared) or (len(shared) >= 2 and not own) or (
                own and said.words <= 2 and turn - draft.touched <= _ANSWER_TURNS
            ):
                draft.status = "done"
                draft.add((turn, said.start, said.end))
                return

    def _go_on(self, turn: int, place: int, speaker: str, said: Said) -> None:
        """"I'll call them. And book the room."; "Restart it." - "Restarting now."."""
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
                    if order.words <= 5 and not order.asked and first and stem(first[0]) == stem(verb[0]):
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
            made=turn,
            touched=turn,
        )
        due = self._deadline(turn, said, act, draft) if said else None
        due = due or next(filter(None, map(self._talk.due, known)), None)
        due = due or self._following_due(root.span, draft) or self._due_between(pending, turn, draft)
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

    def _due_between(self, pending: Pending, turn: int, draft: Draft) -> Due | None:
        """A date somebody named between the asking and the taking."""
        for number in range(pending.turn + 1, turn):
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
            start, end = (act.start if later or act.kind != "take" else said.start), min(later, default=end)
            if start >= end:
                start = said.start
        return self._talk.due((turn, start, end)) or self._following_due(
            (turn, said.start, said.end), draft
        )

    def _following_due(self, span: Span, draft: Draft | None) -> Due | None:
        """A date in the next sentence of the same turn, if it speaks of the same thing."""
        after = [s for s in self._talk.said[span[0]] if s.start >= span[2]][:1]
        for said in after:
            own = {a.kind for a in said.acts} & {"promise", "request", "need", "decide", "question"}
            fragment = said.words <= 4
            if not own and (fragment or is_deadline(said.text) or _SAME_THING.match(said.text)):
                where = (span[0], said.start, said.end)
                if due := self._talk.due(where):
                    if draft:
                        draft.add(where)
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
        """"Highlight it" and what "it" is; a wish just uttered says the work itself."""
        text = without_due(text)
        if wish := _WISH.match(meant):
            return line(wish["what"])
        return f"{line(text)} ({line(meant)})"

    def _antecedent(
        self, turn: int, said: Said, *, act: Act | None = None, statements: bool = False
    ) -> Span | None:
        """What "it" in ``said`` points at: the words before that last say something."""
        if act and (lead := _LEAD_CLAUSE.match(said.text[: act.start - said.start])):
            if len(content(lead["what"])) >= 2:
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
        while self._pending and turn - self._pending[0].turn > _PENDING_TURNS:
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


_AND_ALSO = re.compile(
    r"^(?:and|then|also|and\s+then|and\s+also|plus),?\s+(?P<what>(?!(?:the|a|an|i|you|we|he|she|it|they|that|this|there|my|our"
    r"|your|so|then|not|is|are|was|were|yes|no|if|when|what|who|how|why|where|in|on|at|for|with|of|to|please|maybe)\b)"
    r"[a-z]+\s+(?:the|an?|my|our|your|their|some|two|three|all|them|him|her|it|that|those|these)\b.*)",
    re.IGNORECASE | re.DOTALL,
)
_SAME_THING = re.compile(
    r"^(?:(?:and|so|then|but)\s+)?(?:i|it|they|you|he|she|we)(?:['’](?:m|ll|s|re)|\s+(?:will|shall|am|is|are))\b",
    re.IGNORECASE,
)
_LEAD_CLAUSE = re.compile(r"^(?P<what>\S.*?),?\s+(?:but|and|so|because)\s", re.IGNORECASE | re.DOTALL)
_WISH = re.compile(
    r"^\W*(?:(?:but|so|and|well|okay|still)\s+)*i(?:['’]d|\s+would)\s+(?:still\s+|also\s+|rather\s+|just\s+)*(?:like\s+to\s+|love\s+to\s+|prefer\s+to\s+)?(?P<what>(?!(?:say|think|guess|be|have|not|never|know)\b)\w.*)",
    re.IGNORECASE | re.DOTALL,
)
_THIRD_PERSON = re.compile(r"^(?P<verb>[a-z]{2,}s)\b(?=\s)", re.IGNORECASE)
_NO_VERBS = frozenset({"this", "his", "its", "us", "as", "has", "is", "was", "was", "always", "eyes", "status", "press", "process", "focus", "discuss", "address", "access", "pass", "miss", "guess", "cross", "express", "assess"})


def base_form(words: str) -> str:
    """"takes care of the food" as "take care of the food"; other words as they are."""
    match = _THIRD_PERSON.match(words)
    if match is None or match["verb"].lower() in _NO_VERBS:
        return words
    verb = match["verb"]
    for ending, base in (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("oes", "o"), ("s", "")):
        if verb.lower().endswith(ending):
            return verb[: -len(ending)] + base + words[match.end() :]
    return words


def with_compounds(text: str) -> set[str]:
    """Stems and pairs of neighbours written as one ("roll back", "rollback")."""
    stems = content(text)
    return {*stems, *(a + b for a, b in zip(stems, stems[1:], strict=False))}


def _names(words: frozenset[str], known: frozenset[str]) -> bool:
    shared = words & known
    return bool(shared) and len(shared) / len(words) >= 0.5
