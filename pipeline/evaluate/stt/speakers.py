"""Who said it: word errors for each speaker, and words given to the right person. Pure.

cpWER (concatenated minimum-permutation word error rate, CHiME-6): all the words of each speaker in
a row, told speakers matched to heard ones so that the fewest errors are left, errors summed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jiwer
import msgspec
import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.evaluate.stt.errors import Errors, normalized, word_errors


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Words of one speaker (None: nobody was named) from ``start_ms`` on."""

    speaker: str | None
    start_ms: int
    text: str


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """Of the words that were heard right, whose they were said to be; sums are of all together."""

    right: int = 0
    wrong: int = 0
    unknown: int = 0

    @property
    def words(self) -> int:
        """Words heard right."""
        return self.right + self.wrong + self.unknown

    @property
    def share(self) -> float | None:
        """Right ones among those that were given to anybody; None when none was."""
        named = self.right + self.wrong
        return self.right / named if named else None

    def __add__(self, other: Attribution) -> Attribution:
        return Attribution(
            right=self.right + other.right,
            wrong=self.wrong + other.wrong,
            unknown=self.unknown + other.unknown,
        )


def cp_errors(said: Sequence[Turn], heard: Sequence[Turn]) -> Errors:
    """Word errors under the best matching of speakers, each at most once. Words of a speaker who
    is left over are all wrong; what nobody was named for is one more speaker."""
    told, found = list(_by_speaker(said).values()), list(_by_speaker(heard).values())
    size = max(len(told), len(found))
    told += [[] for _ in range(size - len(told))]
    found += [[] for _ in range(size - len(found))]
    if not size:
        return Errors()
    table = [[word_errors(a, b) for b in found] for a in told]
    rows, columns = linear_sum_assignment(np.array([[e.wrong for e in row] for row in table]))
    total = Errors()
    for row, column in zip(rows, columns, strict=True):
        total += table[row][column]
    return total


def attribution(said: Sequence[Turn], heard: Sequence[Turn]) -> Attribution:
    """Align all words in the order of their turns, whoever said them, and compare the names of
    those that agree. Names must be the same on both sides."""
    told, found = _labelled(said), _labelled(heard)
    output = jiwer.process_words(
        " ".join(word for word, _ in told), " ".join(word for word, _ in found)
    )
    right = wrong = unknown = 0
    for chunk in output.alignments[0]:
        if chunk.type != "equal":
            continue
        for step in range(chunk.ref_end_idx - chunk.ref_start_idx):
            speaker = found[chunk.hyp_start_idx + step][1]
            right += speaker is not None and speaker == told[chunk.ref_start_idx + step][1]
            unknown += speaker is None
            wrong += speaker is not None and speaker != told[chunk.ref_start_idx + step][1]
    return Attribution(right=right, wrong=wrong, unknown=unknown)


def _by_speaker(turns: Sequence[Turn]) -> Mapping[str | None, list[str]]:
    """Normalized words of each speaker, in time order."""
    texts: dict[str | None, list[str]] = {}
    for turn in _in_order(turns):
        texts.setdefault(turn.speaker, []).append(turn.text)
    return {speaker: normalized(" ".join(parts)).split() for speaker, parts in texts.items()}


def _labelled(turns: Sequence[Turn]) -> list[tuple[str, str | None]]:
    return [
        (word, turn.speaker) for turn in _in_order(turns) for word in normalized(turn.text).split()
    ]


def _in_order(turns: Sequence[Turn]) -> list[Turn]:
    return sorted(turns, key=lambda turn: turn.start_ms)
