"""Questions worth keeping, and whether they were answered.

Courtesy, steering and rhetoric are left out. A question is answered by what somebody else says
next, if it has the form of an answer; it is open when somebody says that nobody knows, or that
it is left for later. What neither happens to was only talk.
"""

from __future__ import annotations

import re

import msgspec

from pipeline.summarize import question_words as asking
from pipeline.summarize.draft import Draft, Span, Talk, line
from pipeline.summarize.said import Said, clause, is_vague
from pipeline.summarize.words import content, tidy

_REPLY_TURNS = 8
_REPLY_MS = 120_000
_TELLING = 2
_FAR_FROM_ASKED = 3
_FEWEST = 3
_ANSWER_WORDS = 34
_SHORT_WORDS = 5
_SELF_CONTAINED = 5
_BARE_WORDS = 2
_RAMBLING = 32
_WEIGHTY = 4
_MEANT_WORDS = 12
_PUT_OFF_TURNS = 3
_CHOOSING = re.compile(r"\s+or\s+(?!not\b|so\b|what\b|something\b)", re.IGNORECASE)


class Questions:
    """Reads a meeting; ``used`` are sentences (turn, start) that became part of an action or a
    decision: what they ask was not a question."""

    def __init__(self, talk: Talk, used: set[tuple[int, int]]) -> None:
        self._talk = talk
        self._used = used
        self.drafts: list[Draft] = []
        for number, said in enumerate(talk.said):
            asked = [s for s in said if self._is_worth(s) and (number, s.start) not in used]
            if asked:
                self._follow(number, asked[-1])
            elif told := [s for s in said if not s.asked and asking.UNTOLD.search(s.text)]:
                self._untold(number, told[-1], used)
            elif any("names_question" in s.signs for s in said) and number:
                self._called_one(number, said, used)

    def _called_one(self, number: int, said: tuple[Said, ...], used: set[tuple[int, int]]) -> None:
        """ "We leave that question open": what was said just before is one, if none was seen."""
        before = [s for s in self._talk.said[number - 1] if len(s.content) >= _TELLING]
        if not before or self._talk.speaker(number - 1) == self._talk.speaker(number):
            return
        span = (number - 1, before[-1].start, before[-1].end)
        known = {s[:2] for draft in self.drafts for s in draft.spans} | used
        if span[:2] in known or any(d.spans[-1][0] >= number - 1 for d in self.drafts):
            return
        naming = [(number, s.start, s.end) for s in said if s.signs & {"unknown", "names_question"}]
        self.drafts.append(
            Draft(
                kind="question",
                anchor=span,
                spans=[span, *naming],
                text=_question(before[-1].text),
                maker=self._talk.speaker(number - 1),
            )
        )

    def _untold(self, number: int, said: Said, used: set[tuple[int, int]]) -> None:
        """ "What she couldn't tell me is whether it fits.": open, unless it answers a question."""
        found = asking.UNTOLD.search(said.text)
        known = {s[:2] for draft in self.drafts for s in draft.spans} | used
        if found is None or (number, said.start) in known or len(content(found["what"])) < _TELLING:
            return
        span = (number, said.start, said.end)
        self.drafts.append(
            Draft(
                kind="question",
                anchor=span,
                spans=[span],
                text=_question(found["what"]),
                maker=self._talk.speaker(number),
            )
        )

    @staticmethod
    def _is_worth(said: Said) -> bool:
        asks = any(act.kind == "question" for act in said.acts)
        fewest = _FEWEST - 1 if asking.TOPIC.match(said.text) else _FEWEST
        return asks and "courtesy" not in said.signs and fewest <= said.words <= _RAMBLING

    def _follow(self, turn: int, said: Said) -> None:
        talk = self._talk
        span = (turn, said.start, said.end)
        text = _question(said.text)
        known = asking.KNOWS.match(said.text)
        if known:  # "Does anyone know what ..." asks what
            said = msgspec.structs.replace(said, text=said.text[known.end() :])
        asker = talk.speaker(turn)
        soft = bool(
            asking.SUGGESTION.match(asking.OPENING.sub("", said.text))
            or asking.LEADING.match(said.text)
            or not (said.content or known)
        )
        choice = bool(_CHOOSING.search(said.text)) and not asking.WH.match(said.text)
        later = {"parked", "deferred"} if choice else {"parked"}
        leaving = later | {"unknown"}
        polar = bool(asking.YES_NO.match(said.text))
        checking: str | None = None
        diverted = told = False
        draft = Draft(kind="question", anchor=span, spans=[span], text=text, maker=asker)
        open_spans: list[Span] = []
        for number in range(turn + 1, min(turn + 1 + _REPLY_TURNS, len(talk.said))):
            if talk.turns[number].start_ms - talk.turns[turn].end_ms > _REPLY_MS:
                break
            reply = talk.said[number]
            unknown = [
                s
                for s in reply
                if s.signs & leaving
                and not s.text.rstrip().endswith("?")
                and not (polar and asking.NOT_YET.match(s.text) and number == turn + 1)
            ]
            by_asker = talk.speaker(number) == asker
            if not reply:
                continue
            if by_asker:
                if open_spans or any(s.signs & later for s in unknown):
                    open_spans += [(number, s.start, s.end) for s in unknown]
                    break
                if any(self._is_worth(s) for s in reply):
                    break
                continue
            about_it = number - turn <= _FAR_FROM_ASKED and checking in (None, talk.speaker(number))
            if unknown and not open_spans and about_it:
                open_spans += [(number, s.start, s.end) for s in unknown]
                continue
            if open_spans:
                break
            looking = [s for s in reply if "checking" in s.signs]
            found = asking.QUANTITY.search(said.text) and any(
                asking.FIGURE.search(s.text) for s in reply if s not in looking
            )
            if looking and not found and number - turn <= 2:
                checking = talk.speaker(number)
                continue
            if checking is not None:
                if talk.speaker(number) != checking:
                    continue
                if not self._returns(said, reply):
                    continue
            if diverted:
                continue
            diverted = number == turn + 1 and self._turns_away(reply)
            if "joke" in reply[-1].signs:
                continue
            if not soft and (
                answer := self._answer(said, number, number - turn, bool(checking), told)
            ):
                if self._became_work(said, answer):
                    return
                if choice and (put_off := self._put_off(number)):
                    draft.spans += put_off
                    self._keep(draft, said)
                    return
                draft.answer = tidy(" ".join(talk.text(s) for s in answer))
                draft.status = "answered"
                draft.spans += answer
                self._keep(draft, said)
                return
            told = told or any(len(s.content) >= _TELLING and not s.asked for s in reply)
        if open_spans:
            draft.spans += open_spans
            self._keep(draft, said)

    def _put_off(self, answered: int) -> list[Span]:
        """Who says after an opinion that the choice is made another time."""
        for number in range(answered, min(answered + _PUT_OFF_TURNS, len(self._talk.said))):
            reply = self._talk.said[number]
            if off := [s for s in reply if s.signs & {"deferred", "parked"} and not s.asked]:
                return [(number, s.start, s.end) for s in off]
            if number > answered and any(self._is_worth(s) for s in reply):
                break
        return []

    def _turns_away(self, reply: tuple[Said, ...]) -> bool:
        """Whether the next one jokes or asks another thing instead of answering."""
        asks = all(s.asked or not s.content for s in reply) and any(map(self._is_worth, reply))
        return asks or "joke" in reply[-1].signs

    def _became_work(self, asked: Said, answer: list[Span]) -> bool:
        """Whether what answers is a promise that the notes have as an action."""
        number, start, _ = answer[-1]
        near = asking.FOR_IT.search(asked.text)
        return any(
            (near or said.start == start)
            and (number, said.start) in self._used
            and any(act.kind in ("promise", "delivery", "take") for act in said.acts)
            for said in self._talk.said[number]
        )

    def _keep(self, draft: Draft, said: Said) -> None:
        """Adds a question; what "it" is in it stands beside it."""
        vague = len(said.content) < _TELLING and asking.POINTER.search(said.text)
        if vague and (meant := self._meant(draft.anchor)):
            what = self._talk.text(meant)
            draft.text = f"{draft.text.rstrip('?')} ({line(what).rstrip('?')})?"
            draft.spans.append(meant)
        self.drafts.append(draft)

    def _meant(self, asked: Span) -> Span | None:
        """The nearest sentence before a question that says something, if it is short."""
        turn, start, _ = asked
        own = [(turn, s) for s in self._talk.said[turn] if s.end <= start]
        before = [(turn - 1, s) for s in self._talk.said[turn - 1]] if turn else []
        for number, said in (*reversed(own), *reversed(before)):
            if len(said.content) >= _TELLING:
                end = clause(self._talk.turns[number].text, said.start, said.end)
                words = self._talk.text((number, said.start, end)).split()
                return (number, said.start, end) if len(words) <= _MEANT_WORDS else None
        return None

    @staticmethod
    def _returns(asked: Said, reply: tuple[Said, ...]) -> bool:
        """Whether somebody who went to look comes back with it."""
        return any("found" in s.signs or set(s.content) & set(asked.content) for s in reply)

    def _answer(
        self, asked: Said, number: int, distance: int, looked: bool, told: bool
    ) -> list[Span]:
        """The sentences of turn ``number`` that answer; none if it is no answer. ``told``: another
        has already replied, and this speaks to that unless it shares words with the question."""
        reply = [s for s in self._talk.said[number] if not s.asked]
        if not reply:
            return []
        text = " ".join(s.text for s in reply)
        words = sum(s.words for s in reply)
        shared = bool(set(asked.content) & {stem for s in reply for stem in s.content})
        if distance == 1 and asking.YES_NO.match(asked.text):
            if asking.NOT_YET.match(text):
                return [(number, reply[0].start, reply[0].end)]
            if asking.UNTIL.match(text) and asked.words > _FEWEST:
                return self._telling(asked, number, reply)
        if asking.TOPIC.match(asked.text):
            return self._telling(asked, number, reply) if self._tells(reply, distance) else []
        if looked:
            fits = True
        elif asking.QUANTITY.search(asked.text):
            fits = bool(asking.AMOUNT.search(text))
        elif not asking.WH.match(asked.text):
            choice = " or " in asked.text
            fits = (bool(asking.YES.match(text)) and not told) or shared or (choice and words >= 2)
        else:
            near = distance <= 2 and not (told and not shared)
            fits = near and words >= 2 and any(s.content for s in reply)
            if fits and asking.WHO.match(asked.text):
                fits = bool(asking.A_PERSON.search(text))
        valued = distance == 1 and asked.words >= _WEIGHTY and self._has_value(asked, reply)
        if (
            len(asked.content) < _TELLING
            and not valued
            and not (
                asking.WH.match(asked.text)
                and asked.words >= _SELF_CONTAINED
                and not is_vague(asked.text)
                and (shared or asking.AMOUNT.search(text))
            )
        ):
            return []
        if not fits or (not shared and distance > _FAR_FROM_ASKED and not looked):
            return []
        if (
            words <= _BARE_WORDS
            and len(asked.content) < _WEIGHTY
            and not asking.AMOUNT.search(text)
        ):
            return []  # a bare "yes" to a small question was only talk
        return self._telling(asked, number, reply)

    @staticmethod
    def _tells(reply: list[Said], distance: int) -> bool:
        return distance == 1 and bool(asking.FIGURE_FIRST.match(reply[0].text))

    @staticmethod
    def _has_value(asked: Said, reply: list[Said]) -> bool:
        """Whether a reply gives what a question with "it" asks for: a figure, a place, a thing."""
        first = reply[0].text
        if asking.QUANTITY.search(asked.text):
            return bool(asking.FIGURE.search(first)) and not asking.JUST_SAID.search(asked.text)
        if asked.text.lower().startswith("where"):
            return bool(asking.PLACE.match(first))
        whole = asked.words >= _SELF_CONTAINED and asked.text.lower().startswith("what ")
        return whole and bool(asking.A_THING.match(first)) and len(reply[0].content) >= _TELLING

    @staticmethod
    def _telling(asked: Said, number: int, reply: list[Said]) -> list[Span]:
        """The answering part: after the last correction, and not more than a few sentences."""
        corrected = [i for i, s in enumerate(reply) if asking.CORRECTION.search(s.text)]
        if corrected and corrected[-1] + 1 < len(reply) and corrected[-1] > 0:
            reply = reply[corrected[-1] + 1 :]
        if "found" in reply[0].signs and len(reply) > 1:
            reply = reply[1:]
        if asking.QUANTITY.search(asked.text):
            first = next((i for i, s in enumerate(reply) if asking.AMOUNT.search(s.text)), 0)
            reply = reply[first:]
        kept: list[Span] = []
        words = 0
        for said in reply:
            if kept and asking.NEXT_POINT.match(said.text):
                break
            if kept and (words >= _SHORT_WORDS or words + said.words > _ANSWER_WORDS):
                break
            kept.append((number, said.start, said.end))
            words += said.words
        return kept


def _question(text: str) -> str:
    """A question as it was asked, without "does anybody know" at its end."""
    plain = asking.TAG.sub("?", asking.OPENING.sub("", text))
    asked = line(plain)
    return asked if asked.endswith("?") else f"{asked.rstrip('.')}?"
