"""The meeting as the rules see it, and items in the making."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from pipeline.model.notes import Evidence, Kind, NoteItem, Status
from pipeline.summarize.due import Due, due_words, resolve_due
from pipeline.summarize.said import Said
from pipeline.summarize.turns import Turn
from pipeline.summarize.words import content, tidy

_INTERJECTION_WORDS = 3

Span = tuple[int, int, int]
"""Turn number, start and end in its text."""


class Talk(msgspec.Struct, frozen=True, kw_only=True):
    """A transcript read: ``said[n]`` are the sentences of ``turns[n]``; none where the rules do
    not know the language. ``roster`` are display names."""

    turns: Sequence[Turn]
    said: Sequence[tuple[Said, ...]]
    roster: Sequence[str]
    zone: str

    def speaker(self, number: int) -> str:
        """Who says turn ``number``; a mark of its own when that is not known."""
        return self.turns[number].speaker or f"?{number}"

    def text(self, span: Span) -> str:
        return self.turns[span[0]].text[span[1] : span[2]]

    def before(self, number: int) -> int:
        """The turn that turn ``number`` reacts to: the one before, past a mere "mm-hmm"."""
        words = sum(said.words for said in self.said[number - 1]) if number > 1 else 0
        return number - 2 if 0 < words <= _INTERJECTION_WORDS else number - 1

    def due(self, span: Span) -> Due | None:
        """The deadline named in the words of a span, as the day it was said."""
        turn = self.turns[span[0]]
        return resolve_due(turn.text[span[1] : span[2]], turn.said_ms(span[2]), self.zone)


class Draft(msgspec.Struct, kw_only=True):
    """An item in the making. ``anchor`` is where it began and gives it its id; ``touched`` is
    the turn that spoke of it last, ``asker`` who had asked for it."""

    kind: Kind
    anchor: Span
    spans: list[Span]
    text: str
    about: frozenset[str] = frozenset()
    status: Status = "open"
    owner: str | None = None
    owner_candidates: tuple[str, ...] = ()
    due: str | None = None
    due_text: str | None = None
    answer: str | None = None
    maker: str = ""
    asker: str = ""
    made: int = 0
    touched: int = 0

    def add(self, *spans: Span) -> None:
        """More evidence, in order of speech."""
        self.spans.extend(span for span in spans if span not in self.spans)
        self.touched = max(self.touched, max(span[0] for span in spans))


def without_due(words: str) -> str:
    """Words without the deadline they end in."""
    named = due_words(words)
    if named and (at := words.rfind(named)) > 0:
        rest = words[at + len(named) :].strip(" .,;!?")
        if len(rest.split()) <= 2 or re.fullmatch(r"at\s+the\s+(?:very\s+)?latest", rest, re.I):
            words = words[:at].rstrip(" ,;–—-")
    return re.sub(
        r"\s+(?:so|say|like|until|by|on|for\s+(?:you|us|him|her|them|me))$", "", words, flags=re.I
    )


def about(words: str) -> frozenset[str]:
    """What words are about: stems that carry meaning, dates left out."""
    named = due_words(words)
    return frozenset(content(words.replace(named, " ") if named else words))


def alike(first: frozenset[str], second: frozenset[str]) -> bool:
    """Whether two things said are the same thing."""
    shared = len(first & second)
    least = min(len(first), len(second))
    return bool(shared) and (first == second or (shared >= 2 and shared / least >= 0.6))


def line(words: str) -> str:
    """Words as the line of an item."""
    text = tidy(" ".join(words.split())).rstrip(".!")
    if _LOOKING.match(words) and not text.lower().startswith("look"):
        text = f"Look {text[:1].lower()}{text[1:]}"  # a verb here, not "look, ..."
    return text


_LOOKING = re.compile(r"\s*look\s+(?:at|into|for|after|over|up|through)\b", re.IGNORECASE)


def evidence(talk: Talk, spans: Iterable[Span]) -> tuple[Evidence, ...]:
    """Evidence of spans in order, without repeats."""
    found: list[Evidence] = []
    for number, start, end in sorted(spans):
        found.extend(e for e in talk.turns[number].evidence(start, end) if e not in found)
    return tuple(found)


def items(talk: Talk, drafts: Iterable[Draft]) -> list[NoteItem]:
    """Drafts as note items. An id names the utterance, the kind and the sentence of the anchor:
    the same words give the same id whenever they are read."""
    made: list[NoteItem] = []
    taken: set[str] = set()
    for draft in sorted(drafts, key=lambda d: (d.anchor, d.text)):
        base = _base_id(talk, draft)
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}.{number}"
        taken.add(name)
        made.append(
            NoteItem(
                id=name,
                kind=draft.kind,
                text=draft.text,
                evidence=evidence(talk, draft.spans),
                status=draft.status,
                owner=draft.owner,
                owner_candidates=draft.owner_candidates,
                due=draft.due,
                due_text=draft.due_text,
                answer=draft.answer,
                author="extractive",
            )
        )
    return made


def _base_id(talk: Talk, draft: Draft) -> str:
    number, start, _ = draft.anchor
    turn = talk.turns[number]
    piece = next(p for p in turn.pieces if start < p.end)
    before = sum(piece.start <= s < start for s, _ in turn.spans)
    return f"n-{piece.ref}-{draft.kind[0]}{before + 1}"
