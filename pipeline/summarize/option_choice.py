"""Which side of an either/or question people took.

The question alone is no decision: its line says the choice first and the question after it.
"""

from __future__ import annotations

import re

from pipeline.summarize.draft import Span, Talk, line
from pipeline.summarize.negation_words import NEGATIVE
from pipeline.summarize.words import tokens

_MOST_WORDS = 9
_SMALL = frozenset("a an the to for of in on at with it do we that this be is are and".split())
_OR = re.compile(r",?\s+or\s+(?!not\b|so\b|what\b|something\b)", re.IGNORECASE)
_OR_NOT = re.compile(r",?\s+or\s+(?:not|what)\b\W*$", re.IGNORECASE)
_AGREEING = re.compile(
    r"^(?:(?:agreed|agree|yes|yeah|yep|okay|ok|right|so|then|good|fine|deal|well|no|sure|i\s+agree"
    r"|i['’]?d\s+say|let['’]?s\s+(?:say|go\s+with|make\s+it)|we['’]?ll\s+go\s+with)\b[\s,.:;-]*)+",
    re.IGNORECASE,
)
_BOTH = re.compile(r"^(?:both|neither)\b", re.IGNORECASE)


def is_either(talk: Talk, asked: Span) -> bool:
    """Whether a sentence asks to choose ("red or blue?")."""
    said = next((s for s in talk.said[asked[0]] if s.start == asked[1]), None)
    return said is not None and said.asked and bool(_OR.search(said.text))


def plain(talk: Talk, asked: Span, text: str) -> str:
    """The line of something asked that was agreed to: without "or not"."""
    said = next((s for s in talk.said[asked[0]] if s.start == asked[1]), None)
    return _OR_NOT.sub("", text) if said is not None and said.asked else text


def chosen(talk: Talk, asked: Span, last: int) -> str | None:
    """The choice with the question beside it, said between the question and turn ``last``, the
    latest first; None if no answer names one side alone."""
    question = line(talk.text(asked)).rstrip("?.")
    *_, cut = _OR.finditer(question)
    left, right = tokens(question[: cut.start()]), tokens(question[cut.end() :])
    second = {*right} - _SMALL
    first = {*left[-len(right) :]} - _SMALL
    first, second = first - second, second - first
    for number in range(last, asked[0], -1):
        for said in reversed(talk.said[number]):
            own = _AGREEING.sub("", said.text)
            words = tokens(own)
            if said.asked or not words or len(words) > _MOST_WORDS or NEGATIVE.search(own):
                continue
            one = bool(first & {*words}) != bool(second & {*words})
            if one or _BOTH.match(own):
                return f"{line(own)} ({question}?)"
    return None
