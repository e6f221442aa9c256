"""People named in a sentence: called by name, or said to do something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from pipeline.summarize import negation_words as negation
from pipeline.summarize import task_words as task
from pipeline.summarize.said import Act, clause, is_vague
from pipeline.summarize.wording import LEAD
from pipeline.summarize.words import content, fold


@lru_cache(maxsize=64)
def _name_pattern(names: frozenset[str]) -> re.Pattern[str]:
    # Names are compared folded; accents in the text are matched by folding the text, too.
    words = "|".join(sorted((re.escape(name) for name in names), key=len, reverse=True))
    return re.compile(rf"\b(?:{words})(?:\s+(?:{words}))?\b")


def _named(line: str, names: frozenset[str]) -> Iterator[re.Match[str]]:
    """Where people of the meeting are named; positions hold for ``line`` if folding keeps its
    length, which it does for the letters of names in nearly all scripts."""
    folded = fold(line)
    if len(folded) == len(line):
        yield from _name_pattern(names).finditer(folded)


_CALLED_BEFORE = re.compile(
    rf"(?:{LEAD}|[,.!?;:]\s+|\b(?:hey|hi|wait|listen|and|thanks|thank\s+you|sorry)\s+)$",
    re.IGNORECASE,
)
_CALLED_AFTER = re.compile(
    r"^(?:\s*[,.!?]|\s*$|\s+(?:you|could|can\s+you|would\s+you|will\s+you|please"
    r"|i\s+need\s+you)\b)",
    re.IGNORECASE,
)


def called_by_name(line: str, names: frozenset[str]) -> Iterator[str]:
    """Names somebody is called by in a sentence ("Tom, could you ..."), not only told of."""
    for match in _named(line, names):
        if _CALLED_BEFORE.search(line[: match.start()]) and _CALLED_AFTER.match(
            line[match.end() :]
        ):
            yield line[match.start() : match.end()]


_TAKES_ON = re.compile(
    r"^(?:\s+(?:is|are)\s+(?:now\s+)?(?:on|doing|taking|handling|in\s+charge\s+of"
    r"|responsible\s+for|going\s+to)\s+"
    r"|['’]s\s+(?:on|doing|taking|handling|going\s+to)\s+|['’]s\s+got\s+|\s+has\s+got\s+"
    r"|\s+(?:takes|handles|owns|covers|organi[sz]es)\s+(?:care\s+of\s+|over\s+|on\s+)?"
    r"|\s+looks\s+after\s+"
    r"|\s+(?:will|shall)\s+(?!you\b)(?:then\s+|also\s+)?|['’]ll\s+(?:then\s+|also\s+)?)",
    re.IGNORECASE,
)
_DOES = re.compile(r"^\s+(?P<verb>[a-z]{2,}s)\s+(?=\S)", re.IGNORECASE)
_DOES_NOT_WORK = frozenset(
    "is was has does says thinks knows wants needs likes loves hates seems looks feels gets goes"
    " comes makes means lives works sounds had as us this his always sometimes owes hopes"
    " believes".split()
)


_NO_SUBJECT = re.compile(
    r"\b(?:to|for|with|of|from|about|like|than|when|who|what)\s+$", re.IGNORECASE
)
_AND = re.compile(r"(?P<word>[\w'’-]+)\s+(?:and|or)\s+$", re.IGNORECASE)


def assignments(line: str, names: frozenset[str], asked: bool) -> Iterator[Act]:
    """ "Amira is on catering", "Paul takes care of the lights", "Kofi writes the report?"."""
    if not names or task.MAYBE.search(line) or task.conditional(line):
        return
    for match in _named(line, names):
        before, after = line[: match.start()], line[match.end() :]
        joined = _AND.search(before)
        if (joined and fold(joined["word"]) in names) or _NO_SUBJECT.search(before):
            continue
        if negation.denied(line, match.start()):
            continue
        heard = line[match.start() : match.end()]
        told = _TAKES_ON.match(after)
        does = None if told else _DOES.match(after)
        if told:
            start = match.end() + told.end()
            verb = re.match(
                r"\s+(?:takes\s+care\s+of|looks\s+after|handles|organi[sz]es|covers)\s+",
                told.group(),
                re.I,
            )
            if verb:
                start = match.end() + len(told.group()) - len(told.group().lstrip())
        elif does and does["verb"].lower() not in _DOES_NOT_WORK:
            start = match.end() + does.start("verb")
        else:
            continue
        end = clause(line, start, len(line))
        what = line[start:end]
        if end <= start or task.IDLE.match(what) or (not content(what) and not is_vague(what)):
            continue
        yield Act(
            kind="assign",
            start=start,
            end=end,
            who=heard,
            vague=is_vague(what),
            firm=bool(told) and not asked and not task.REPORTED.search(before),
        )


_STRANGER = re.compile(
    r"(?P<before>^|[a-z,;]\s+)(?P<who>[A-Z][a-z]+(?:\s+[A-Z][a-z]+)?)\s+"
    r"(?P<does>(?:has\s+|have\s+)?(?:agreed|promised|offered)\s+to"
    r"|(?:will|is\s+going\s+to)(?:\s+take\s+care\s+of)?)\s+(?=[a-z])"
)
_NO_NAMES = frozenset(
    "I It He She We You They This That There Who What Which Everybody Everyone Somebody Someone"
    " Nobody Anybody Anyone People One Nothing Something Everything Monday Tuesday Wednesday"
    " Thursday Friday Saturday Sunday January February March April May June July August September"
    " October November"
    " December Then And But So Or If When Christmas Easter Today Tomorrow Finance Legal".split()
)


def strangers(line: str, names: frozenset[str]) -> Iterator[Act]:
    """Work of somebody who is not there ("Elif will send the slides"). At the start of a sentence
    any word has a capital, so there it takes more than "will" to be a name."""
    if task.MAYBE.search(line) or task.conditional(line):
        return
    for match in _STRANGER.finditer(line):
        who = match["who"]
        promised = re.search(r"agreed|promised|offered|take\s+care", match["does"])
        if (not match["before"] and not promised) or {*who.split()} & _NO_NAMES:
            continue
        if any(fold(word) in names for word in who.split()):
            continue
        at = match.start("who")
        if task.REPORTED.search(line[:at]) or negation.denied(line, at):
            continue
        end = clause(line, match.end(), len(line))
        what = line[match.end() : end]
        if content(what) and not task.IDLE.match(what):
            yield Act(kind="assign", start=match.end(), end=end, who=who, vague=is_vague(what))
