"""Work that is given up: withdrawn, not meant, or taken from somebody by who had asked for it.

"Never mind" says nothing about what it means. It reaches an item only if the speaker has to do
with that item, or if it was the very last thing spoken of; and nothing at all if the same turn
holds something of its own that it can mean.
"""

from __future__ import annotations

import re

from pipeline.summarize.draft import Draft, Span, Talk, about
from pipeline.summarize.due import due_words
from pipeline.summarize.pending import PENDING_TURNS, Pending, Workbook
from pipeline.summarize.said import Act, Said
from pipeline.summarize.words import content

_ANSWER_TURNS = 3
_TELLING = 2
_CORRECTING = re.compile(
    r"\b(?:no|sorry|actually|wait|instead|on\s+second\s+thoughts?|you['’]ve\s+(?:already\s+)?got"
    r"|you\s+(?:already\s+)?have|you['’]re\s+(?:busy|away|off|out))\b",
    re.IGNORECASE,
)
_MYSELF = re.compile(r"\bmyself\b", re.IGNORECASE)


class GivingUp(Workbook):
    """What takes work back. ``_given`` is what the turn being read gave up,
    ``_accepted`` what it took on."""

    def __init__(self, talk: Talk) -> None:
        super().__init__(talk)
        self._given: Draft | Pending | None = None
        self._accepted: Draft | None = None

    # Jokes ----------------------------------------------------------------------------------

    def _joke(self, turn: int, speaker: str) -> None:
        """What was just said was not meant: by the one before, or by the speaker just now."""
        meant = {self._talk.before(turn), turn}

        def joke(made: int, by: str) -> bool:
            return made in meant and (by != speaker or made == turn or self._is_alone(turn))

        self.drafts = [
            d for d in self.drafts if not (joke(d.made, d.maker) and d.made == d.touched)
        ]
        self._pending = [p for p in self._pending if not joke(p.turn, p.speaker)]

    def _is_alone(self, turn: int) -> bool:
        """Whether the same person spoke before (after a pause)."""
        return turn > 0 and self._talk.speaker(turn - 1) == self._talk.speaker(turn)

    # Declined -------------------------------------------------------------------------------

    def _declines(self, turn: int, place: int, speaker: str, said: Said) -> bool:
        """Whether somebody who was asked says no, or only why not; not who has just said yes."""
        if "decline" not in said.signs or said.asked or place > 1 or self._accepted:
            return False
        after = [s for s in self._talk.said[turn][place + 1 :] if "accept" in s.signs]
        if after and not any("decline" in s.signs for s in after):
            return False
        given = [
            d
            for d in self.drafts
            if d.touched == d.made == turn - 1
            and d.maker != speaker
            and d.owner == self._owner(speaker)
        ]
        for draft in given:  # somebody else had said that they do it
            self.drafts.remove(draft)
            self._pending.append(
                Pending(
                    kind="request",
                    turn=draft.made,
                    span=draft.spans[0],
                    words=draft.anchor,
                    speaker=draft.maker,
                    who=draft.owner,
                )
            )
        return any(
            p.kind == "request" and p.speaker != speaker and self._is_asked(p, turn, speaker)
            for p in self._recent(turn, _ANSWER_TURNS)
        )

    def _refuse(self, turn: int, speaker: str) -> None:
        for pending in self._recent(turn, _ANSWER_TURNS):
            if (
                pending.kind == "request"
                and self._is_for(pending, speaker)
                and pending.speaker != speaker
            ):
                pending.refused = {**pending.refused, speaker: turn}
            if pending.kind == "offer" and pending.speaker != speaker and turn - pending.turn <= 1:
                self._pending.remove(pending)

    def _is_asked(self, pending: Pending, turn: int, speaker: str) -> bool:
        """Called by name; if nobody is, who speaks next is meant."""
        if pending.who:
            return self._is_for(pending, speaker)
        between = range(pending.turn + 1, turn)
        return all(self._talk.speaker(n) == pending.speaker for n in between)

    # Withdrawn ------------------------------------------------------------------------------

    def _withdraw(self, turn: int, speaker: str, said: Said, act: Act) -> None:
        span = (turn, said.start, said.end)
        words = about(self._talk.text((turn, act.start, act.end)))
        target: Draft | Pending | None = None
        if words:
            target = self._named(turn, words)
        elif act.vague or act.end > act.start:
            known_done = "taken care of" in said.text.lower()  # tells how: no thing of its own
            target = self._pointed_at(turn, speaker, 0 if known_done else act.start)
        if target is None:
            return
        if isinstance(target, Pending):
            self._withdraw_pending(turn, span, target)
            return
        if "taken care of" in said.text.lower() and target.status == "open":
            target.status = "done"
        elif target.status == "open":
            target.status = "retracted"
        target.add(span)
        self._given = target

    def _withdraw_pending(self, turn: int, span: Span, target: Pending) -> None:
        self._pending.remove(target)
        self._given = target
        if target.kind == "intent" and due_words(self._talk.text(target.span)):
            draft = self._make(turn, target.speaker, [span], target, owner=target.speaker)
            draft.status, draft.due, draft.due_text = "retracted", None, None
            self._set_due(draft, self._talk.due(target.span))
            self._given = draft

    def _named(self, turn: int, words: frozenset[str]) -> Draft | Pending | None:
        return next(
            (d for d in reversed(self.drafts) if _names(words, d.about) and d.status != "done"),
            None,
        ) or next(
            (p for p in self._recent(turn, PENDING_TURNS) if _names(words, self._about(p))), None
        )

    def _pointed_at(self, turn: int, speaker: str, at: int) -> Draft | Pending | None:
        """What "that" means, said by ``speaker`` at ``at`` in the turn."""
        drafts = [d for d in self.drafts if turn - d.touched <= _ANSWER_TURNS]
        pending = [
            p for p in self._recent(turn, _ANSWER_TURNS) if p.kind in ("intent", "offer", "request")
        ]
        here = [d for d in drafts if d.touched == turn]
        open_here = [p for p in pending if p.turn == turn]
        if not (here or open_here):
            own = content(self._talk.text((turn, 0, at)))
            if len(own) >= _TELLING:  # the turn has something of its own to mean
                return next((d for d in reversed(drafts) if d.about & set(own)), None)
            before = self._talk.before(turn)
            drafts = [d for d in drafts if self._concerns(d, speaker) or d.touched >= before]
            pending = [p for p in pending if p.speaker == speaker or p.turn >= before]
            pending = [p for p in pending if p.kind != "request" or p.speaker == speaker]
        else:
            drafts, pending = here, open_here
        draft = max(drafts, key=lambda d: (d.touched, d.spans[-1][1]), default=None)
        last = next(iter(pending), None)
        if draft and last:
            return draft if (draft.touched, draft.spans[-1][1]) >= last.span[:2] else last
        return draft or last

    def _concerns(self, draft: Draft, speaker: str) -> bool:
        """Whether somebody owns an item or asked for it."""
        return speaker in (draft.maker, draft.asker) or draft.owner == self._owner(speaker)

    # Taken from who had it ------------------------------------------------------------------

    def _given_by_another(self, speaker: str) -> bool:
        if isinstance(self._given, Draft):
            return self._given.maker != speaker
        return self._given is not None and self._given.speaker != speaker

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

    def _taken_back(self, turn: int, speaker: str, act: Act) -> Draft | None:
        """ "No, you've got the stall. I'll call them myself.": what the speaker had asked another
        to do, whatever the doing is called."""
        words = self._talk.text((turn, act.start, act.end))
        if not (
            _MYSELF.search(words) and _CORRECTING.search(self._talk.text((turn, 0, act.start)))
        ):
            return None
        own = about(words)
        for draft in reversed(self.drafts):
            if turn - draft.touched > _ANSWER_TURNS or draft.status != "open":
                continue
            if draft.asker == speaker and draft.owner != self._owner(speaker):
                return draft if act.vague or len(own) <= 1 or own & draft.about else None
        return None


def _names(words: frozenset[str], known: frozenset[str]) -> bool:
    shared = words & known
    return bool(shared) and len(shared) / len(words) >= 0.5
