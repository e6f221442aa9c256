"""What a sentence does: promises, requests, proposals, questions. One sentence at a time.

Nothing here looks at who speaks or at what came before; ``actions``, ``decisions`` and
``questions`` do. That is why a turn's reading can be kept as long as its words do not change.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline.summarize import choice_words as choice
from pipeline.summarize import option_words as option
from pipeline.summarize import question_words as asking
from pipeline.summarize import task_words as task
from pipeline.summarize.choice_acts import choice_acts
from pipeline.summarize.names_said import called_by_name
from pipeline.summarize.option_acts import option_acts
from pipeline.summarize.said import Act, Said, is_vague
from pipeline.summarize.turns import Turn
from pipeline.summarize.wording import Wording
from pipeline.summarize.words import STOP_WORDS, stem, tokens
from pipeline.summarize.work_acts import work_acts

_SIGNS: tuple[tuple[str, Wording], ...] = (
    ("accept", task.ACCEPT),
    ("thanks", task.THANKS),
    ("refuse", task.REFUSE),
    ("decline", task.DECLINE),
    ("joke", task.JOKE),
    ("give_up", task.WITHDRAW_THAT),
    ("assent", choice.ASSENT),
    ("firm_assent", choice.FIRM_ASSENT),
    ("object", choice.OBJECT),
    ("undo", choice.UNDO),
    ("points_back", option.POINTS_BACK),
    ("bare_assent", option.BARE_ASSENT),
    ("left", option.LEFT),
    ("put_off", option.PUT_OFF),
    ("return", option.RETURN),
    ("unknown", asking.UNKNOWN),
    ("parked", asking.PARKED),
    ("deferred", asking.DEFERRED),
    ("names_question", asking.NAMES_QUESTION),
    ("checking", asking.CHECKING),
    ("found", asking.FOUND),
)


def read(turn: Turn, names: frozenset[str]) -> tuple[Said, ...]:
    """The sentences of a turn. ``names`` are what people may be called by (``call_names``)."""
    return tuple(_sentence(turn.text, start, end, names) for start, end in turn.spans)


def _sentence(text: str, start: int, end: int, names: frozenset[str]) -> Said:
    line = text[start:end]
    called = tuple(called_by_name(line, names)) if names else ()
    own = [stem(w) for w in tokens(line) if w not in STOP_WORDS and w not in names and len(w) > 1]
    asked = is_question(line)
    signs = {name for name, wording in _SIGNS if line in wording}
    if asked and not _is_worth_asking(line):
        signs.add("courtesy")
    if asking.CORRECTION.search(line):
        signs.add("corrects")
    if asked and not line.rstrip().endswith("?"):
        signs.discard("accept")
    acts = [*work_acts(line, names, called, asked), *choice_acts(line, asked)]
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
        acts=_placed(acts, start),
        signs=frozenset(signs),
        options=_placed(option_acts(line, asked), start),
    )


def _placed(acts: Iterable[Act], start: int) -> tuple[Act, ...]:
    """Acts of a sentence that begins at ``start``, by their places in the turn."""
    return tuple(
        msgspec.structs.replace(act, start=start + act.start, end=start + act.end) for act in acts
    )


def is_question(line: str) -> bool:
    """Whether a sentence asks: by its mark, or by its word order when the mark was lost."""
    stripped = line.rstrip("\"'”’) ")
    if stripped.endswith("?"):
        return True
    if stripped.endswith("!") or line in option.POINTS_BACK:  # "Do it." is an order
        return False
    return bool(asking.INVERTED.match(line)) and not asking.IF_WERE.match(line)


def _is_worth_asking(line: str) -> bool:
    if asking.TOPIC.match(line):
        return True
    if line in asking.KINDNESS or (asking.LEADING.match(line) and is_vague(line)):
        return False
    return bool(asking.WH.match(line) or asking.YES_NO.match(line) or asking.LATE.search(line))
