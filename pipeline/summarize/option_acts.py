"""The options a sentence lays open, and what it rules on its own."""

from __future__ import annotations

import re

from pipeline.summarize import choice_words as choice
from pipeline.summarize import negation_words as negation
from pipeline.summarize import option_words as option
from pipeline.summarize import question_words as asking
from pipeline.summarize import task_words as task
from pipeline.summarize.due import due_words
from pipeline.summarize.said import Act, ActKind, clause
from pipeline.summarize.wording import Wording
from pipeline.summarize.words import content

_EITHER_WORDS = 12
_WITH_MONTH = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|spring|summer|autumn|winter|next\s+(?:week|month|time|meeting|quarter|year))\b",
    re.IGNORECASE,
)


def option_acts(line: str, asked: bool) -> list[Act]:
    if asked:
        if line in asking.KINDNESS and line not in asking.ABOUT:
            return []
        if option.EITHER.match(line) and len(line.split()) <= _EITHER_WORDS:
            return [Act(kind="open", start=0, end=len(line), firm=False)]
        return _found("open", line, option.OPEN_ASKED)
    if task.conditional(line) or choice.EARLIER.search(line):
        return []
    if ruled := _found("ruling", line, option.RULING):
        return ruled
    if option.THEN.search(line) and names_time(line):
        return _found("dated_ruling", line, option.DATED_RULING)
    return _found("open", line, option.OPEN_TOLD)


def names_time(line: str) -> bool:
    """Whether a sentence names a date, if only a month."""
    return due_words(line) is not None or bool(_WITH_MONTH.search(line))


def _found(kind: ActKind, line: str, wording: Wording) -> list[Act]:
    for found in wording.matches(line):
        if found.what is None or (kind == "open" and negation.denied(line, found.start)):
            continue
        what = line[slice(*found.what)]
        if kind == "open" and negation.starts_negated(what):
            continue
        if content(what) and not (wording is option.OPEN_ASKED and option.STEERING.match(what)):
            start = found.what[0] if kind != "ruling" else found.start
            end = clause(line, found.what[0], len(line))
            return [Act(kind=kind, start=start, end=end, firm=False)]
    return []
