"""Sentences and the acts in them: what ``acts`` reads and the rules work on."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from pipeline.summarize import task_words as task
from pipeline.summarize.words import content, tokens

ActKind = Literal[
    "promise",
    "offer",
    "intent",
    "delivery",
    "take",
    "request",
    "assign",
    "need",
    "withdraw",
    "done",
    "decide",
    "confirm",
    "propose",
    "suggest",
    "doubt",
    "option",
    "poll",
    "question",
    "open",
    "ruling",
    "dated_ruling",
]


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One act. ``start:end`` are the words it is about, in the turn's text; empty when the act
    only points ("I'll do that"). ``who`` is a name as heard. ``vague``: its words need others to
    be understood. ``firm``: it holds without an answer."""

    kind: ActKind
    start: int
    end: int
    who: str | None = None
    vague: bool = False
    firm: bool = True


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence of a turn: its span, its words that carry meaning, its acts and its signs (the
    names of what it does towards what was said before: ``accept``, ``refuse``, ``joke`` ...)."""

    start: int
    end: int
    text: str
    words: int
    content: tuple[str, ...]
    asked: bool
    names: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    signs: frozenset[str] = frozenset()
    options: tuple[Act, ...] = ()
    """What it lays open for others to take up, and what it rules."""


_PRONOUN = re.compile(
    r"\b(?:it|that|this|them|those|these|one|him|her|so|something|everything)\b", re.IGNORECASE
)
_LIGHT = frozenset(
    "do take handle own cover grab pick sort manage look deal see follow chase get have".split()
)


def is_vague(what: str) -> bool:
    """Whether words point at others for what they are about ("do that", "highlight it")."""
    return bool(_PRONOUN.search(_FOR_THEM.sub(" ", what))) and len(content(what)) <= 2


_FOR_THEM = re.compile(r"\b(?:for|to|with|from)\s+(?:them|him|her|us|you)\b", re.IGNORECASE)


def is_light(what: str) -> bool:
    """Whether only an empty verb and a pointer are there ("take it over")."""
    verb = tokens(what)[:1]
    return is_vague(what) and bool(verb) and verb[0] in _LIGHT and len(content(what)) <= 1


def clause(line: str, start: int, end: int) -> int:
    """End of the clause that begins at ``start``; see ``task_words``."""
    return task.clause_end(line, start, end)
