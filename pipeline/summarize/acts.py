"""What a sentence does: promises, requests, proposals, questions. One sentence at a time.

Nothing here looks at who speaks or at what came before; ``actions``, ``decisions`` and
``questions`` do. That is why a turn's reading can be kept as long as its words do not change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import msgspec

from pipeline.summarize import choice_words as choice
from pipeline.summarize import question_words as asking
from pipeline.summarize import task_words as task
from pipeline.summarize.due import due_words
from pipeline.summarize.turns import Turn
from pipeline.summarize.wording import LEAD, Found, Wording
from pipeline.summarize.words import STOP_WORDS, content, fold, stem, tokens

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
    "option",
    "poll",
    "question",
]
_KNOWN_LONGEST = 60
_FRAGMENT_WORDS = 6


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


_SIGNS: tuple[tuple[str, Wording], ...] = (
    ("accept", task.ACCEPT),
    ("thanks", task.THANKS),
    ("refuse", task.REFUSE),
    ("joke", task.JOKE),
    ("give_up", task.WITHDRAW_THAT),
    ("assent", choice.ASSENT),
    ("firm_assent", choice.FIRM_ASSENT),
    ("object", choice.OBJECT),
    ("unknown", asking.UNKNOWN),
    ("parked", asking.PARKED),
    ("names_question", asking.NAMES_QUESTION),
    ("checking", asking.CHECKING),
    ("found", asking.FOUND),
)
_PRONOUN = re.compile(
    r"\b(?:it|that|this|them|those|these|one|him|her|so|something|everything)\b", re.IGNORECASE
)
_LIGHT = frozenset(
    "do take handle own cover grab pick sort manage look deal see follow chase get have".split()
)


def read(turn: Turn, names: frozenset[str]) -> tuple[Said, ...]:
    """The sentences of a turn. ``names`` are what people may be called by (``call_names``)."""
    return tuple(_sentence(turn.text, start, end, names) for start, end in turn.spans)


def _sentence(text: str, start: int, end: int, names: frozenset[str]) -> Said:
    line = text[start:end]
    called = tuple(_called(line, names)) if names else ()
    own = [stem(w) for w in tokens(line) if w not in STOP_WORDS and w not in names and len(w) > 1]
    asked = is_question(line)
    signs = {name for name, wording in _SIGNS if line in wording}
    if asked and not line.rstrip().endswith("?"):
        signs.discard("accept")
    acts = [*_task_acts(line, names, called, asked), *_choice_acts(line, asked)]
    if asked and not any(act.kind == "poll" for act in acts):
        acts.append(Act(kind="question", start=0, end=len(line)))
    return Said(
        start=start,
        end=end,
        text=line,
        words=len(tokens(line)),
        content=tuple(own),
        asked=asked,
        names=called,
        acts=tuple(
            msgspec.structs.replace(act, start=start + act.start, end=start + act.end)
            for act in acts
        ),
        signs=frozenset(signs),
    )


def is_question(line: str) -> bool:
    """Whether a sentence asks: by its mark, or by its word order when the mark was lost."""
    stripped = line.rstrip("\"'”’) ")
    if stripped.endswith("?"):
        return True
    return not stripped.endswith("!") and bool(asking.INVERTED.match(line))


# Names ------------------------------------------------------------------------------------------


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
    rf"(?:{LEAD}|[,.!?;:]\s+|\b(?:hey|hi|wait|listen|and|thanks|thank\s+you|sorry)\s+)$", re.IGNORECASE
)
_CALLED_AFTER = re.compile(
    r"^(?:\s*[,.!?]|\s*$|\s+(?:you|could|can\s+you|would\s+you|will\s+you|please|i\s+need\s+you)\b)",
    re.IGNORECASE,
)


def _called(line: str, names: frozenset[str]) -> Iterator[str]:
    """Names somebody is called by in a sentence ("Tom, could you ..."), not only told of."""
    for match in _named(line, names):
        if _CALLED_BEFORE.search(line[: match.start()]) and _CALLED_AFTER.match(line[match.end() :]):
            yield line[match.start() : match.end()]


# Work -------------------------------------------------------------------------------------------


def _task_acts(
    line: str, names: frozenset[str], called: tuple[str, ...], asked: bool
) -> list[Act]:
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
            yield Act(kind="withdraw", start=found.end, end=found.end, vague=True)


def _takes(line: str) -> Iterator[Act]:
    if task.conditional(line):
        return
    for found in task.TAKE.matches(line):
        if not task.REPORTED.search(line[: found.start]):
            yield Act(kind="take", start=found.start, end=found.end, vague=True)
    for found in task.TAKE_NAMED.matches(line):
        if found.what:
            yield Act(kind="take", start=found.what[0], end=clause(line, *found.what))


def _deliveries(line: str) -> Iterator[Act]:
    if task.conditional(line):
        return
    for found in task.DELIVERY.matches(line):
        yield Act(
            kind="delivery",
            start=found.start,
            end=clause(line, found.start, len(line)),
            vague=not content(line[slice(*found.what)] if found.what else ""),
        )


def clause(line: str, start: int, end: int) -> int:
    """End of the clause that begins at ``start``; see ``task_words``."""
    return task.clause_end(line, start, end)


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
    taken = [(a.start, a.end) for a in _takes(line)]
    for number, (found, kind) in enumerate(openings):
        stop = openings[number + 1][0].start if number + 1 < len(openings) else len(line)
        start, end = found.end, clause(line, found.end, stop)
        before, what = line[: found.start], line[start:end]
        if end <= start or any(a <= found.start < b for a, b in taken):
            continue
        if task.MAYBE.search(before) or task.REPORTED.search(before):
            continue
        if asked and kind != "offer" and not asking.KINDNESS.search(line[end:].strip() or "x"):
            continue
        if not _is_work(line, found, kind, what, stop):
            continue
        acts.append(
            Act(kind=kind, start=start, end=end, vague=is_vague(_undated(what)), firm=kind == "promise")
        )
    return acts


def _undated(what: str) -> str:
    named = due_words(what)
    return what.replace(named, " ") if named else what


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


def is_vague(what: str) -> bool:
    """Whether words point at others for what they are about ("do that", "highlight it")."""
    return bool(_PRONOUN.search(_FOR_THEM.sub(" ", what))) and len(content(what)) <= 2


_FOR_THEM = re.compile(r"\b(?:for|to|with|from)\s+(?:them|him|her|us|you)\b", re.IGNORECASE)


def is_light(what: str) -> bool:
    """Whether only an empty verb and a pointer are there ("take it over")."""
    verb = tokens(what)[:1]
    return is_vague(what) and bool(verb) and verb[0] in _LIGHT and len(content(what)) <= 1


def _requests(
    line: str, names: frozenset[str], called: tuple[str, ...], asked: bool
) -> Iterator[Act]:
    who = called[0] if called else None
    conditional = task.conditional(line)
    for found in task.REQUEST.matches(line):
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
    yield from _assignments(line, names, asked)
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


_POLITE_END = re.compile(r",?\s*please\b[\s.,!?]*", re.IGNORECASE)
_NOT_AN_ORDER = frozenset(
    "i you we they he she it that this there who what when where why how which do does did is are was"
    " were can could will would should have has had not no yes yeah ok okay thanks thank sorry good"
    " great your my our their his her its the a an and but or so if because as in on at for with of"
    " i'm i'll i've you're we're they're it's that's there's don't let's right well hello hi hey"
    " welcome exactly please maybe just any all".split()
)


def _order(line: str, name: str) -> Act | None:
    """"Tom, send the file", "Tom, the file, please": an order to somebody called by name."""
    at = line.find(name)
    start = at + len(name)
    rest = line[start:]
    lead = len(rest) - len(re.sub(r"^[\s,.!:;]*(?:please,?\s+|and\s+|then\s+|also\s+)*", "", rest, flags=re.I))
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
    if polite is None and (words[0] in _NOT_AN_ORDER or words[0] in STOP_WORDS - {"get", "let", "take"}):
        return None
    if task.ASKED_NOW.match(what) or words[0].endswith(("ing", "ed")) or words[0] in ("forget", "scratch"):
        return None
    if words[0] in _NOT_AN_ORDER - {"the", "a", "an", "your", "my", "our"}:
        return None
    return Act(kind="request", start=start, end=end, who=name, vague=is_vague(what), firm=False)


_TAKES_ON = re.compile(
    r"^(?:\s+(?:is|are)\s+(?:now\s+)?(?:on|doing|taking|handling|in\s+charge\s+of|responsible\s+for|going\s+to)\s+"
    r"|['’]s\s+(?:on|doing|taking|handling|going\s+to)\s+|['’]s\s+got\s+|\s+has\s+got\s+"
    r"|\s+(?:takes|handles|owns|covers|organi[sz]es)\s+(?:care\s+of\s+|over\s+|on\s+)?|\s+looks\s+after\s+"
    r"|\s+(?:will|shall)\s+(?!you\b)(?:then\s+|also\s+)?|['’]ll\s+(?:then\s+|also\s+)?)",
    re.IGNORECASE,
)
_DOES = re.compile(r"^\s+(?P<verb>[a-z]{2,}s)\s+(?=\S)", re.IGNORECASE)
_DOES_NOT_WORK = frozenset(
    "is was has does says thinks knows wants needs likes loves hates seems looks feels gets goes comes"
    " makes means lives works sounds had as us this his always sometimes owes hopes believes".split()
)


def _assignments(line: str, names: frozenset[str], asked: bool) -> Iterator[Act]:
    """"Amira is on catering", "Paul takes care of the lights", "Kofi writes the report?"."""
    if not names or task.MAYBE.search(line) or task.conditional(line):
        return
    for match in _named(line, names):
        before, after = line[: match.start()], line[match.end() :]
        if re.search(r"\b(?:to|for|with|and|of|from|about|like|than|when|who|what)\s+$", before, re.I):
            if not re.search(r"(?:^|[.,;])\s*and\s+$", before, re.I):
                continue
        heard = line[match.start() : match.end()]
        told = _TAKES_ON.match(after)
        does = None if told else _DOES.match(after)
        if told:
            start = match.end() + told.end()
            verb = re.match(r"\s+(?:takes\s+care\s+of|looks\s+after|handles|organi[sz]es|covers)\s+", told.group(), re.I)
            if verb:
                start = match.end() + len(told.group()) - len(told.group().lstrip())
        elif does and does["verb"].lower() not in _DOES_NOT_WORK and asked:
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
            firm=not asked and not task.REPORTED.search(before),
        )


def _needs(line: str, asked: bool) -> Iterator[Act]:
    if task.conditional(line) or task.MAYBE.search(line):
        return
    for found in task.NEED.matches(line):
        if found.what and (asked or not line[found.start :].lower().startswith("who")):
            end = clause(line, *found.what)
            yield Act(kind="need", start=found.what[0], end=end, vague=is_vague(line[found.what[0] : end]), firm=False)
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


# Decisions --------------------------------------------------------------------------------------


def _choice_acts(line: str, asked: bool) -> list[Act]:
    acts: list[Act] = []
    if poll := choice.POLL.search(line):
        acts.append(Act(kind="poll", start=0, end=poll.start))
    if asked:
        suggested = choice.SUGGEST.search(line)
        if suggested and suggested.what and "poll" not in {a.kind for a in acts}:
            acts.append(_about("suggest", line, suggested.what))
        return acts
    if choice.CEREMONY.search(line):
        return acts
    doubtful = bool(task.MAYBE.search(line)) or task.conditional(line)
    for found in choice.DECIDE.matches(line):
        if found.what and not choice.EARLIER.search(line[: found.end]) and not doubtful:
            what = line[slice(*found.what)]
            lets = re.search(r"\blet['’]?s|\blet\s+us", line[found.start : found.what[0]], re.I)
            verb_on = line[lets.end() + found.start :].strip() if lets else what
            if not choice.ROUTINE.match(verb_on) and content(what):
                start = found.start + lets.end() + 1 if lets else found.start
                acts.append(Act(kind="decide", start=start, end=clause(line, found.what[0], len(line))))
                break
    passed = choice.PASSED.search(line) or choice.ENDED.search(line)
    if passed and not choice.EARLIER.search(line[: passed.start]) and not doubtful:
        formal = re.search(r"\b(?:motion|proposal|amendment|resolution)\b", line, re.I)
        acts.append(Act(kind="confirm" if formal else "decide", start=0, end=len(line)))
    elif confirmed := choice.CONFIRM.search(line):
        if not choice.EARLIER.search(line[: confirmed.start]) and not doubtful:
            acts.append(Act(kind="confirm", start=confirmed.start, end=confirmed.end))
    for echo in (choice.ECHO.search(line), choice.ECHO_AGREED.search(line)):
        if echo and echo.what and not doubtful and content(line[slice(*echo.what)]):
            acts.append(Act(kind="decide", start=echo.what[0], end=echo.what[1], vague=True))
            break
    acts.extend(_proposals(line, doubtful, {a.kind for a in acts}))
    return acts


def _proposals(line: str, doubtful: bool, kinds: set[ActKind]) -> Iterator[Act]:
    if "decide" in kinds or choice.EARLIER.search(line):
        return
    proposed = choice.PROPOSE.search(line)
    if proposed and proposed.what and not doubtful:
        what = line[slice(*proposed.what)]
        if content(what) and not choice.ROUTINE.match(what):
            lead = _WANTED.search(line, proposed.start, proposed.what[0])
            start = lead.start() if lead else proposed.what[0]
            yield Act(kind="propose", start=start, end=clause(line, proposed.what[0], proposed.what[1]))
            return
    if (hinted := choice.SUGGEST.search(line)) and hinted.what and content(line[slice(*hinted.what)]):
        yield _about("suggest", line, hinted.what)
    for option in choice.OPTION.matches(line):
        if option.what:
            yield _about("option", line, option.what)


_WANTED = re.compile(r"\b(?:no|i\s+want)\s", re.IGNORECASE)


def _about(kind: ActKind, line: str, what: tuple[int, int]) -> Act:
    return Act(kind=kind, start=what[0], end=clause(line, *what), firm=False)
