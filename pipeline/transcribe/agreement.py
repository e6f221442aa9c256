"""LocalAgreement: words that two looks at a growing piece of speech agree on.

Liu et al., "Low-latency sequence-to-sequence speech recognition" (Interspeech 2020), as used by
whisper_streaming (Machacek et al., 2023). What two hypotheses in a row begin with is committed
and never taken back. The last word of the newer one is not: its sound may be cut in the middle.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.transcribe.scripts import UNSPACED

_WORD = re.compile(rf"\s*(?:[{UNSPACED}]|[^\s{UNSPACED}]+)")


class Agreement:
    """Takes hypotheses of one growing piece of speech, the oldest first."""

    def __init__(self) -> None:
        self._committed: list[str] = []
        self._tail: list[str] = []  # of the last hypothesis

    def take(self, text: str) -> tuple[str, str]:
        """A newer hypothesis of all the words so far. Returns what is committed by now and what
        else is heard; an empty one changes nothing."""
        words = _WORD.findall(text)
        if words:
            tail = words[_reach(self._committed, words) :]
            agreed = _agreed(self._tail, tail[:-1])
            self._committed += tail[:agreed]
            self._tail = tail[agreed:]
        return _joined(self._committed), _joined(self._tail)


def _agreed(before: Sequence[str], now: Sequence[str]) -> int:
    """Length of the common beginning, punctuation and case apart."""
    count = 0
    for old, new in zip(before, now, strict=False):
        if _bare(old) != _bare(new):
            break
        count += 1
    return count


def _reach(committed: Sequence[str], words: Sequence[str]) -> int:
    """How many of ``words`` stand for what is committed: the beginning that is the fewest edits
    away from it, of equal ones that whose length is nearest."""
    old, new = [_bare(w) for w in committed], [_bare(w) for w in words]
    if new[: len(old)] == old:
        return len(old)
    row = list(range(len(new) + 1))
    for count, word in enumerate(old, 1):
        above, row = row, [count]
        for place, other in enumerate(new, 1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (word != other)))
    return min(range(len(row)), key=lambda k: (row[k], abs(k - len(old))))


def _bare(word: str) -> str:
    kept = "".join(char for char in word.casefold() if char.isalnum())
    return kept or word.strip()


def _joined(words: Sequence[str]) -> str:
    return "".join(words).strip()
