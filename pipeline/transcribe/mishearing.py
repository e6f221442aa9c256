"""Which words were probably misheard: they sound like what is expected, and were not meant. Pure.

An ordinary English word was meant; so was a word in small letters where a person's name is written
with a capital one, and a name beside another that is not this person's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import jellyfish

from pipeline.transcribe.common_words import FUNCTION_WORDS, is_common
from pipeline.transcribe.engine import Transcription
from pipeline.transcribe.glossary import MOST_WORDS
from pipeline.transcribe.sounds import unlike
from pipeline.transcribe.vocabulary import Term, Terms

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_POSSESSIVE = re.compile(r"['\u2019]s$", re.IGNORECASE)
_BETWEEN = re.compile(r"[ -]")
_SENTENCE_END = re.compile(r"[.!?\u2026:][\"'\u201d\u2019)]*\s+$")

_NAME_BEFORE = re.compile(r"([A-Z]\w+) $")
_NAME_AFTER = re.compile(r" ([A-Z]\w+)")
_JOINS = "-_/@.\\#|:"

_SHORTEST = 4
"""Letters of an ordinary word, or of several joined, below which nothing is replaced."""

_LEAST = 3
"""Letters of each of several words that are one misheard word."""

_ADDRESSING = frozenset(
    "thanks thank hi hello hey dear ask tell asked told welcome morning afternoon".split()  # noqa: SIM905
)
_PLACING = frozenset("in at near the our this that last next of every a an".split())  # noqa: SIM905
_DOING = frozenset(
    "will can could would should said says thinks wants has agreed mentioned asked".split()  # noqa: SIM905
)


class Span(NamedTuple):
    """Characters of a text, ``end`` not included."""

    start: int
    end: int


class Change(NamedTuple):
    """``now`` should stand at ``span``. ``far``: as ``sounds.unlike`` tells; -1: the glossary says
    that it is heard so."""

    span: Span
    now: str
    term: Term
    far: int
    why: str


def at_span(text: str, span: Span) -> str:
    """The part of a text."""
    return text[span.start : span.end]


def misheard(heard: Transcription, terms: Terms) -> list[Change]:
    """The surest changes that do not overlap, in order."""
    return _chosen(_changes(heard, terms))


def _changes(heard: Transcription, terms: Terms) -> Iterator[Change]:
    text = heard.text
    found = [Span(*match.span()) for match in _WORD.finditer(text)]
    english = heard.language is None or heard.language.casefold().startswith("en")
    cased = any(c.isupper() for c in text)
    for index in range(len(found)):
        for count in range(1, MOST_WORDS + 1):
            spans = found[index : index + count]
            if len(spans) < count or not _in_a_row(text, spans):
                break
            change = _change(text, spans, terms, english=english, cased=cased)
            if change is not None:
                yield change


def _change(
    text: str, spans: list[Span], terms: Terms, *, english: bool, cased: bool
) -> Change | None:
    """What some words in a row should have been."""
    span = Span(spans[0].start, spans[-1].end)
    possessive = _POSSESSIVE.search(at_span(text, span))
    if possessive is not None:
        span = Span(span.start, span.start + possessive.start())
        spans = [*spans[:-1], Span(spans[-1].start, span.end)]
    words = [at_span(text, one) for one in spans]
    told = terms.said_as(" ".join(words))
    if told is not None:
        why = "the glossary says that it sounds like this"
        return Change(span, told.text, told, -1, why) if told.text != at_span(text, span) else None
    if not english or terms.knows(" ".join(words)) or any(map(terms.knows, words)):
        return None
    if not all(map(_is_plain, words)) or _is_inside(text, span):
        return None
    best: list[tuple[int, Term]] = []
    joined = "".join(words)
    for term in terms.alike(joined):
        far = unlike(joined, term.joined)
        if far is None or len(words) > len(term.text.split()) + 2:
            continue
        if _was_not_meant(text, span, words, term, far, cased=cased):
            best.append((far, term))
    nearest = min((far for far, _ in best), default=0)
    answers = {term.text: term for far, term in best if far == nearest}
    if len(answers) != 1:  # two people it could have been are none
        return None
    term = next(iter(answers.values()))
    alike = "sounds the same" if nearest == 0 else "sounds nearly the same"
    return Change(span, term.text, term, nearest, alike)


def _was_not_meant(
    text: str, span: Span, words: list[str], term: Term, far: int, *, cased: bool
) -> bool:
    """Whether words that sound like a term were probably that term."""
    if any(word.casefold() in FUNCTION_WORDS for word in words):
        return False
    if len(words) > 1 and min(map(len, words)) < _LEAST:
        return False
    ordinary = all(is_common(word) for word in words)
    if term.person:
        if not cased:
            return far == 0 and not ordinary and len(words) == 1
        if not words[0][:1].isupper() or _is_place(text, span):
            return False
        if _is_somebody_else(text, span, term):
            return False
        if not ordinary:
            return True
        return len(words[0]) >= _SHORTEST and far == 0 and _is_addressed(text, span)
    if ordinary:  # several words that are spelled like the one: "cube flow", not "look here"
        spelled = "".join(words).casefold(), term.joined.casefold()
        near = jellyfish.damerau_levenshtein_distance(*spelled) <= 1
        return len(words) > 1 and far == 0 and near
    # An engine knows ordinary words: it does not hear rarer ones for them.
    return sum(map(len, words)) >= _SHORTEST and not is_common(term.joined)


def _is_plain(word: str) -> bool:
    """Whether it is a word: no number, no abbreviation."""
    return not any(c.isdigit() for c in word) and (len(word) == 1 or not word.isupper())


def _is_inside(text: str, span: Span) -> bool:
    """Whether it is a part of something longer: an address, ``okey-dokey``, a file's name."""
    before, after = text[: span.start][-2:], text[span.end :][:2]
    return (len(before) == 2 and before[1] in _JOINS and before[0].isalnum()) or (
        len(after) == 2 and after[0] in _JOINS and after[1].isalnum()
    )


def _is_place(text: str, span: Span) -> bool:
    """Whether a word before it says that no person is meant: "our Sydney office"."""
    previous = _WORD.findall(text[max(0, span.start - 20) : span.start])
    return bool(previous) and previous[-1].casefold() in _PLACING


def _is_somebody_else(text: str, span: Span, term: Term) -> bool:
    """Whether a name stands beside it that is not this person's: "John Lewis" is not our Luis."""
    before, after = text[: span.start], text[span.end :]
    previous = _NAME_BEFORE.search(before)
    following = _NAME_AFTER.match(after)
    beside = []
    if previous is not None:
        begins = before[: previous.start()]
        first = not begins.strip() or _SENTENCE_END.search(begins) is not None
        if not first or not is_common(previous[1]):
            beside.append(previous[1])
    if following is not None:
        beside.append(following[1])
    own = term.name.split()
    return any(
        name.casefold() not in _ADDRESSING and all(unlike(name, part) is None for part in own)
        for name in beside
    )


def _is_addressed(text: str, span: Span) -> bool:
    """Whether a capitalised ordinary word inside a sentence stands where a person is spoken to, or
    acts."""
    before, after = text[: span.start], text[span.end :]
    if not before.strip() or _SENTENCE_END.search(before):
        return False
    previous = _WORD.findall(before[-40:])
    following = _WORD.match(after[1:]) if after[:1] == " " else None
    last = previous[-1].casefold() if previous else ""
    if last in _ADDRESSING or (
        last == "you" and len(previous) > 1 and previous[-2].casefold() == "thank"
    ):
        return True
    if before.rstrip().endswith(",") and after[:1] in (",", "?", ".", "!"):
        return True
    return following is not None and following.group().casefold() in _DOING


def _in_a_row(text: str, spans: list[Span]) -> bool:
    if len(spans) < 2:
        return True
    return _BETWEEN.fullmatch(text[spans[-2].end : spans[-1].start]) is not None


def _chosen(found: Iterator[Change]) -> list[Change]:
    """The surest ones that do not overlap, in order."""
    taken: list[Change] = []
    for change in sorted(found, key=lambda c: (c.far, c.span.start - c.span.end, c.span.start)):
        if all(
            change.span.end <= other.span.start or other.span.end <= change.span.start
            for other in taken
        ):
            taken.append(change)
    return sorted(taken, key=lambda change: change.span.start)
