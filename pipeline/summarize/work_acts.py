"""The acts of a sentence that are about work: promised, offered, asked for, given up, done."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.summarize import negation_words as negation
from pipeline.summarize import question_words as asking
from pipeline.summarize import task_words as task
from pipeline.summarize.due import due_words
from pipeline.summarize.names_said import assignments, strangers
from pipeline.summarize.said import Act, ActKind, clause, is_vague
from pipeline.summarize.wording import Found
from pipeline.summarize.words import STOP_WORDS, content, tokens


def work_acts(line: str, names: frozenset[str], called: tuple[str, ...], asked: bool) -> list[Act]:
    acts: list[Act] = []
    acts.extend(_withdrawals(line))
    given_up = [
        (found.start, found.end)
        for wording in (task.WITHDRAW, task.WITHDRAW_THAT)
        for found in wording.matches(line)
        if not task.NOT_GIVEN_UP.search(line[: found.start])
    ]
    acts.extend(_takes(line))
    acts.extend(_deliveries(line))
    acts.extend(a for a in _promises(line, asked) if not _inside(a, given_up))
    acts.extend(a for a in _requests(line, names, called, asked) if not _inside(a, given_up))
    acts.extend(_needs(line, asked))
    if line in task.DONE and not asked and not task.MAYBE.search(line):
        acts.append(Act(kind="done", start=0, end=len(line)))
    return sorted(acts, key=lambda act: act.start)


def _inside(act: Act, spans: list[tuple[int, int]]) -> bool:
    return any(start <= act.start < end for start, end in spans)


def _withdrawals(line: str) -> Iterator[Act]:
    for found in task.WITHDRAW.matches(line):
        if found.what and not task.NOT_GIVEN_UP.search(line[: found.start]):
            yield Act(kind="withdraw", start=found.what[0], end=found.what[1])
    for found in task.WITHDRAW_THAT.matches(line):
        if not task.NOT_GIVEN_UP.search(line[: found.start]):
            yield Act(kind="withdraw", start=found.start, end=found.start, vague=True)


def _takes(line: str) -> Iterator[Act]:
    if task.conditional(line):
        return
    for found in task.TAKE.matches(line):
        if not task.REPORTED.search(line[: found.start]) and not negation.denied(line, found.start):
            yield Act(kind="take", start=found.start, end=found.end, vague=True)
    for found in task.TAKE_NAMED.matches(line):
        if found.what:
            yield Act(kind="take", start=found.what[0], end=clause(line, *found.what))


def _deliveries(line: str) -> Iterator[Act]:
    if task.conditional(line):
        return
    for found in task.DELIVERY.matches(line):
        if negation.denied(line, found.start):
            continue
        yield Act(
            kind="delivery",
            start=found.start,
            end=clause(line, found.start, len(line)),
            vague=not content(line[slice(*found.what)] if found.what else ""),
        )


def _promises(line: str, asked: bool) -> list[Act]:
    openings: list[tuple[Found, ActKind]] = [
        *((f, "promise") for f in task.PROMISE.matches(line)),
        *((f, "offer") for f in task.OFFER.matches(line)),
        *((f, "intent") for f in task.INTENT.matches(line)),
    ]
    openings.sort(key=lambda pair: (pair[0].start, -pair[0].end))
    if not openings or task.conditional(line):
        return []
    acts: list[Act] = []
    taken = [
        (found.start, found.end)
        for wording in (task.TAKE, task.TAKE_NAMED)
        for found in wording.matches(line)
    ]
    for number, (found, kind) in enumerate(openings):
        stop = openings[number + 1][0].start if number + 1 < len(openings) else len(line)
        start, end = found.end, clause(line, found.end, stop)
        end = start + len(_AND_THEN.sub("", line[start:end]))
        before, what = line[: found.start], line[start:end]
        if end <= start or any(a <= found.start < b for a, b in taken):
            continue
        if task.MAYBE.search(before) or task.REPORTED.search(before):
            continue
        if negation.denied(line, found.start):
            continue
        if kind == "offer" and _PURPOSE.search(before):
            continue
        if asked and kind != "offer" and not asking.KINDNESS.search(line[end:].strip() or "x"):
            continue
        if not _is_work(line, found, kind, what, stop):
            second = _AND_DO.search(what)
            start += second.end() if second else 0
            what = line[start:end]
            if second is None or kind != "promise" or not _is_more(what):
                continue
        acts.append(
            Act(
                kind=kind,
                start=start,
                end=end,
                vague=is_vague(_undated(what)),
                firm=kind == "promise",
            )
        )
    return acts


def _undated(what: str) -> str:
    named = due_words(what)
    return what.replace(named, " ") if named else what


def _is_more(what: str) -> bool:
    """Whether the second of two verbs is work on its own ("think, and send you two by Friday")."""
    busy = not (task.IDLE.match(what) or task.MOMENTARY.match(what))
    return busy and len(content(what)) >= _TELLING and due_words(what) is not None


_TELLING = 2
_AND_DO = re.compile(
    r",?\s+and\s+(?:then\s+)?(?=[a-z]{2,}\s+(?:the|an?|you|your|my|our|them|it|him|her|two|three|some|all|everybody)\b)",
    re.IGNORECASE,
)
_AND_THEN = re.compile(r",?\s+(?:and|but|then|so|or)(?:\s+then)?\s*$", re.IGNORECASE)
_PURPOSE = re.compile(r"\b(?:so|so\s+that|that|where|because|how|what|than|as)\s+$", re.IGNORECASE)
_PROGRESSIVE = re.compile(r"\bI(?:['’]?m|\s+am)\s+$", re.IGNORECASE)


def _is_work(line: str, found: Found, kind: ActKind, what: str, stop: int) -> bool:
    if kind == "offer":
        return not task.NOT_AN_OFFER.match(what) and not task.MOMENTARY.match(what)
    if task.IDLE.match(what):
        return False
    dated = due_words(line[found.start : stop]) is not None
    if not dated and (_PROGRESSIVE.search(line[: found.end]) or task.MOMENTARY.match(what)):
        return False
    words = tokens(what)
    broken = task.UNFINISHED.search(what)
    return len(words) > 1 and words[0] not in _NO_VERB and not broken


_NO_VERB = frozenset(
    "the a an my your our their his her its to in on at of for with by from not never i you we they"
    " he she it this these those there yeah yes no okay ok well um uh so and or but like".split()
)


def _requests(
    line: str, names: frozenset[str], called: tuple[str, ...], asked: bool
) -> Iterator[Act]:
    who = called[0] if called else None
    conditional = task.conditional(line)
    for found in task.REQUEST.matches(line):
        if _NOT_ASKING.search(line[: found.start]) or negation.denied(line, found.start):
            continue
        end = clause(line, found.end, len(line))
        what = line[found.end : end]
        for name in called:  # "could you check that, Tom"
            what = re.sub(rf",?\s*{re.escape(name)}$", "", what)
        end = found.end + len(what)
        kind = what.lower().startswith("be so kind") or end <= found.end
        if (task.ASKED_NOW.match(what) and not kind) or conditional:
            continue
        vague = kind or is_vague(what)
        if kind:
            end = found.end
        yield Act(kind="request", start=found.end, end=end, who=who, vague=vague, firm=False)
        return
    yield from assignments(line, names, asked)
    if not asked:
        yield from strangers(line, names)
    if not called or conditional:
        return
    for found in task.ASKED_BY_NAME.matches(line):
        end = clause(line, found.end, len(line))
        if end > found.end and not task.ASKED_NOW.match(line[found.end : end]):
            yield Act(
                kind="request",
                start=found.end,
                end=end,
                who=who,
                vague=is_vague(line[found.end : end]),
                firm=False,
            )
            return
    if asked and " you" in line.lower():
        return
    if order := _order(line, called[0]):
        yield order


_NOT_ASKING = re.compile(
    r"\b(?:you|we|i|they|he|she|it)(?:\s+(?:could|can|would|will))?[,\s]+$|\b(?:what|which|where"
    r"|who|how|when|why)\b",
    re.IGNORECASE,
)
"""Before "could you": a slip ("you could, could you"), or a question about how."""
_POLITE_END = re.compile(r",?\s*please\b[\s.,!?]*", re.IGNORECASE)
_NOT_AN_ORDER = frozenset(
    "i you we they he she it that this there who what when where why how which do does did is are"
    " was were can could will would should have has had not no yes yeah ok okay thanks thank sorry"
    " good great your my our their his her its the a an and but or so if because as in on at for"
    " with of"
    " i'm i'll i've you're we're they're it's that's there's don't let's right well hello hi hey"
    " welcome exactly please maybe just any all".split()
)


def _order(line: str, name: str) -> Act | None:
    """ "Tom, send the file", "Tom, the file, please": an order to somebody called by name."""
    at = line.find(name)
    start = at + len(name)
    rest = line[start:]
    lead = len(rest) - len(
        re.sub(r"^[\s,.!:;]*(?:please,?\s+|and\s+|then\s+|also\s+)*", "", rest, flags=re.I)
    )
    start += lead
    polite = _POLITE_END.search(line, start)
    if polite is None and "please" in line.lower():
        polite = _POLITE_END.search(line)
    end = polite.start() if polite and polite.start() > start else clause(line, start, len(line))
    what = line[start:end]
    words = tokens(what)
    dated = due_words(what)
    if not words or not content(what.replace(dated, "") if dated else what):
        return None
    if line.rstrip().endswith("?"):
        return None
    if polite is None and (
        words[0] in _NOT_AN_ORDER or words[0] in STOP_WORDS - {"get", "let", "take"}
    ):
        return None
    if (
        task.ASKED_NOW.match(what)
        or words[0].endswith(("ing", "ed"))
        or words[0] in ("forget", "scratch")
    ):
        return None
    if words[0] in _NOT_AN_ORDER - {"the", "a", "an", "your", "my", "our"}:
        return None
    return Act(kind="request", start=start, end=end, who=name, vague=is_vague(what), firm=False)


_MEANT = re.compile(r"(?:meant|supposed|expected|due|going)\s+to\s+", re.IGNORECASE)


def _needs(line: str, asked: bool) -> Iterator[Act]:
    if task.conditional(line) or task.MAYBE.search(line):
        return
    for found in (*task.NEED.matches(line), *task.NEED_MEANT.matches(line)):
        if negation.denied(line, found.start):
            continue
        if found.what and (asked or not line[found.start :].lower().startswith("who")):
            end = clause(line, *found.what)
            meant = _MEANT.match(line, found.what[0])
            start = meant.end() if meant else found.what[0]
            yield Act(
                kind="need",
                start=start,
                end=end,
                vague=is_vague(line[start:end]),
                firm=False,
            )
            return
    found_done = task.NEED_DONE.search(line)
    if found_done and not asked:
        start = 0
        for cut in re.finditer(r"[,;]\s+(?:and|so|but)?\s*", line[: found_done.start]):
            if line[cut.end() : found_done.start].strip():
                start = cut.end()
        end = clause(line, found_done.end - 1, len(line))
        if comma := re.search(r",\s+(?!(?:by|before|until|on|in)\b)", line[found_done.end : end]):
            end = found_done.end + comma.start()
        yield Act(kind="need", start=start, end=end, firm=False)
