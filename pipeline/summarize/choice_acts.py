"""The acts of a sentence that are about choices: proposed, put to the others, decided."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.summarize import choice_words as choice
from pipeline.summarize import negation_words as negation
from pipeline.summarize import task_words as task
from pipeline.summarize.said import Act, ActKind, clause
from pipeline.summarize.words import content


def choice_acts(line: str, asked: bool) -> list[Act]:
    acts: list[Act] = []
    if poll := choice.POLL.search(line):
        acts.append(Act(kind="poll", start=0, end=poll.start))
    if asked:
        suggested = choice.SUGGEST.search(line)
        if (
            suggested
            and suggested.what
            and "poll" not in {a.kind for a in acts}
            and not negation.denied(line, suggested.start)
            and not negation.starts_negated(line[slice(*suggested.what)])
        ):
            acts.append(_about("suggest", line, suggested.what))
        return acts
    if choice.CEREMONY.search(line):
        return acts
    doubtful = bool(task.MAYBE.search(line)) or task.conditional(line)
    for found in choice.DECIDE.matches(line):
        if negation.denied(line, found.start):
            continue
        if found.what and not choice.EARLIER.search(line[: found.end]) and not doubtful:
            what = line[slice(*found.what)]
            lets = re.search(r"\blet['’]?s|\blet\s+us", line[found.start : found.what[0]], re.I)
            verb_on = line[lets.end() + found.start :].strip() if lets else what
            if not choice.ROUTINE.match(verb_on) and content(what):
                start = found.start + lets.end() + 1 if lets else found.start
                start = negation.with_no(line, start)
                acts.append(
                    Act(kind="decide", start=start, end=clause(line, found.what[0], len(line)))
                )
                break
    passed = choice.PASSED.search(line) or choice.ENDED.search(line)
    if passed and not choice.EARLIER.search(line[: passed.start]) and not doubtful:
        formal = re.search(r"\b(?:motion|proposal|amendment|resolution)\b", line, re.I)
        acts.append(Act(kind="confirm" if formal else "decide", start=0, end=len(line)))
    elif (
        not doubtful
        and (confirmed := choice.CONFIRM.search(line))
        and not choice.EARLIER.search(line[: confirmed.start])
    ):
        acts.append(Act(kind="confirm", start=confirmed.start, end=confirmed.end))
    for echo in (choice.ECHO.search(line), choice.ECHO_AGREED.search(line)):
        named = line[slice(*echo.what)] if echo and echo.what else ""
        if echo and echo.what and not doubtful and content(named) and not _NO_ECHO.search(named):
            start = negation.with_no(line, echo.what[0])
            acts.append(Act(kind="decide", start=start, end=echo.what[1], vague=True))
            break
    acts.extend(_proposals(line, doubtful, {a.kind for a in acts}))
    return acts


def _proposals(line: str, doubtful: bool, kinds: set[ActKind]) -> Iterator[Act]:
    if "decide" in kinds or choice.EARLIER.search(line):
        return
    proposed = choice.PROPOSE.search(line)
    if proposed and proposed.what and negation.denied(line, proposed.start):
        proposed = None
    if proposed and proposed.what and not doubtful:
        what = line[slice(*proposed.what)]
        if content(what) and not choice.ROUTINE.match(what):
            lead = _WANTED.search(line, proposed.start, proposed.what[0])
            start = lead.start() if lead else _with_subject(line, proposed.start, proposed.what[0])
            yield Act(
                kind="propose", start=start, end=clause(line, proposed.what[0], proposed.what[1])
            )
            return
    if (
        (hinted := choice.SUGGEST.search(line))
        and hinted.what
        and content(line[slice(*hinted.what)])
    ):
        if negation.denied(line, hinted.start):  # the opposite of what is proposed: all of it
            if negation.advises_against(line, hinted.start):
                yield Act(kind="doubt", start=0, end=clause(line, *hinted.what), firm=False)
            return
        start = _with_subject(line, hinted.start, hinted.what[0])
        yield Act(kind="suggest", start=start, end=clause(line, *hinted.what), firm=False)
    for option in choice.OPTION.matches(line):
        if option.what and not negation.denied(line, option.start):
            yield _about("option", line, option.what)


_NO_ECHO = re.compile(
    r"\b(?:how|what)\s|\b(?:whatever|what|how|as|where|that|than|why|who|which|like|because|if|know|think|sure)$",
    re.IGNORECASE,
)
_WANTED = re.compile(r"\b(?:no|i\s+want)\s", re.IGNORECASE)


def _with_subject(line: str, subject: int, start: int) -> int:
    """Where the words of a proposal begin: at its subject if they open with "not"."""
    return subject if negation.starts_negated(line[start:]) else start


def _about(kind: ActKind, line: str, what: tuple[int, int]) -> Act:
    return Act(kind=kind, start=what[0], end=clause(line, *what), firm=False)
