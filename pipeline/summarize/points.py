"""Points while people talk, and the overview at the end: sentences chosen, not written.

The transcript is cut into stretches of ``BLOCK_MS`` of meeting time. The best sentence of a
stretch is found among its own and fixed once the next one has begun, so points do not jump about
while the meeting goes on, and looking at one more stretch costs the same after two hours as after
two minutes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
import numpy as np

from pipeline.summarize.draft import Draft, Span, Talk, line
from pipeline.summarize.question_words import AMOUNT
from pipeline.summarize.rank import lexrank, mmr, vectors
from pipeline.summarize.said import Said
from pipeline.summarize.words import content, tidy, tokens

BLOCK_MS = 90_000
_FEWEST_WORDS = 7
_MOST_WORDS = 36
_LEAST_CONTENT = 4
_PER_MINUTES = 4
_FEWEST_POINTS = 3
_MOST_POINTS = 14
_OVERVIEW_WORDS = 65
_OVERVIEW_SENTENCES = 4
_TOO_MANY = 600
"""Sentences at most that are compared with one another (n x n)."""


class Line(msgspec.Struct, frozen=True):
    """A sentence that could stand in the notes; ``sound`` unless it was corrected or asks, jokes
    or promises (those are items of their own)."""

    span: Span
    text: str
    stems: tuple[str, ...]
    sound: bool


class Weight(msgspec.Struct, frozen=True):
    """What a sentence weighs: the stems of its words that carry meaning, and all its words."""

    stems: tuple[str, ...]
    words: int

    @property
    def tells(self) -> bool:
        """Whether it is long enough to tell something, and short enough to be read."""
        return _FEWEST_WORDS <= self.words <= _MOST_WORDS and len(set(self.stems)) >= _LEAST_CONTENT


def weigh(text: str) -> Weight:
    """The weight of a sentence in any language."""
    return Weight(tuple(content(text)), len(tokens(text)))


def lines(talk: Talk, weights: Sequence[Sequence[Weight]]) -> list[list[Line]]:
    """The sentences of each turn that tell something. ``weights[n]`` are those of the sentences
    of turn ``n``, whether or not the rules know their language."""
    found: list[list[Line]] = []
    for number, turn in enumerate(talk.turns):
        if not any(weight.tells for weight in weights[number]):
            found.append([])
            continue
        said = {s.start: s for s in talk.said[number]}
        corrected = number + 1 < len(talk.turns) and _corrects(talk.said[number + 1 : number + 7])
        row: list[Line] = []
        for (start, end), weight in zip(turn.spans, weights[number], strict=True):
            if not weight.tells:
                continue
            text = turn.text[start:end]
            sentence = said.get(start)
            sound = (sentence is None or _is_plain(sentence)) and not (
                corrected and AMOUNT.search(text)
            )
            row.append(Line((number, start, end), text, weight.stems, sound))
        found.append(row)
    return found


def _corrects(following: Sequence[tuple[Said, ...]]) -> bool:
    """Whether somebody soon says that a figure was wrong."""
    return any("corrects" in said.signs and not said.acts for turn in following for said in turn)


def _is_plain(said: Said) -> bool:
    kinds = {act.kind for act in said.acts} - {"option", "done", "need"}
    return (
        not said.asked and not kinds and not said.signs & {"joke", "unknown", "give_up", "thanks"}
    )


class Blocks:
    """The best sentence of each stretch, remembered as long as its words do not change."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], tuple[int, float]] = {}

    def points(
        self, talk: Talk, rows: Sequence[Sequence[Line]], taken: set[tuple[int, int]]
    ) -> list[Draft]:
        """A few sentences in order of speech. ``taken`` (turn, start) are items already."""
        if not talk.turns:
            return []
        first = talk.turns[0].start_ms
        blocks: dict[int, list[Line]] = {}
        for turn, row in zip(talk.turns, rows, strict=True):
            for one in row:
                if one.sound and one.span[:2] not in taken:
                    blocks.setdefault((turn.start_ms - first) // BLOCK_MS, []).append(one)
        last = (talk.turns[-1].start_ms - first) // BLOCK_MS
        best = [
            (score, found[at])
            for number, found in sorted(blocks.items())
            if number < last or len(found) > 1
            for at, score in [self._best(found)]
        ]
        minutes = (talk.turns[-1].end_ms - first) / 60_000
        count = int(min(_MOST_POINTS, _FEWEST_POINTS + minutes / _PER_MINUTES))
        kept = sorted(best, key=lambda pair: (-round(pair[0], 6), pair[1].span))[:count]
        return [
            Draft(kind="point", anchor=one.span, spans=[one.span], text=tidy(one.text))
            for _, one in sorted(kept, key=lambda pair: pair[1].span)
        ]

    def _best(self, found: list[Line]) -> tuple[int, float]:
        key = tuple(one.text for one in found)
        if key not in self._known:
            rows = vectors([one.stems for one in found])
            worth = np.array([_worth(one) for one in found])
            central = (rows @ rows.T).mean(axis=1) if len(found) > 1 else np.ones(1)
            score = worth * (0.5 + central)
            at = mmr(rows, score, 1)[0]
            self._known[key] = (at, float(score[at]))
        return self._known[key]


_TO_SOMEBODY = re.compile(r"\b(?:you|your|yours)\b|['’]re\s+welcome", re.IGNORECASE)
"""Talk to somebody rather than about something."""


def _worth(one: Line) -> float:
    """More words that mean something, and figures, make a better point."""
    worth = min(len(set(one.stems)), 12) + (3.0 if AMOUNT.search(one.text) else 0.0)
    return worth / 2 if _TO_SOMEBODY.search(one.text) else worth


def overview(talk: Talk, rows: Sequence[Sequence[Line]]) -> Draft | None:
    """The most central sentences of the whole meeting, in order, with who says them."""
    found = [one for row in rows for one in row if one.sound]
    if len(found) < _OVERVIEW_SENTENCES:
        return None
    if len(found) > _TOO_MANY:  # by worth, so that a long meeting costs no more
        limit = sorted((_worth(one) for one in found), reverse=True)[_TOO_MANY]
        found = [one for one in found if _worth(one) > limit] or found[:_TOO_MANY]
    stems = vectors([one.stems for one in found])
    picked = mmr(stems, lexrank(stems), _OVERVIEW_SENTENCES * 2, balance=0.6)
    kept: list[Line] = []
    words = 0
    for at in picked:
        count = len(tokens(found[at].text))
        if len(kept) < _OVERVIEW_SENTENCES and words + count <= _OVERVIEW_WORDS:
            kept.append(found[at])
            words += count
    kept.sort(key=lambda one: one.span)
    text = " ".join(_told(talk, one) for one in kept)
    return Draft(kind="overview", anchor=kept[0].span, spans=[k.span for k in kept], text=text)


def _told(talk: Talk, one: Line) -> str:
    speaker = talk.turns[one.span[0]].speaker
    return f"{speaker}: {line(one.text)}." if speaker else f"{line(one.text)}."
