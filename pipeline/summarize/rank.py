"""Which sentences say most: TF-IDF, LexRank and maximal marginal relevance, with numpy alone.

LexRank: Erkan and Radev, JAIR 22 (2004). MMR: Carbonell and Goldstein, SIGIR 1998.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]
"""One row a sentence, of unit length (or zero)."""

_DAMPING = 0.85
_EDGE = 0.1
_ROUNDS = 60
_SETTLED = 1e-6


def vectors(sentences: Sequence[Sequence[str]]) -> Vectors:
    """TF-IDF rows of sentences given as stems; ``(n, terms)``."""
    terms: dict[str, int] = {}
    for words in sentences:
        for word in words:
            terms.setdefault(word, len(terms))
    rows: Vectors = np.zeros((len(sentences), len(terms)))
    if not terms:
        return rows
    seen = Counter(word for words in sentences for word in set(words))
    for number, words in enumerate(sentences):
        for word, count in Counter(words).items():
            idf = math.log((1 + len(sentences)) / (1 + seen[word])) + 1
            rows[number, terms[word]] = (1 + math.log(count)) * idf
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Vectors = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return scaled


def lexrank(rows: Vectors) -> NDArray[np.float64]:
    """How central each sentence is, ``(n,)``, summing to 1; equal when nothing is alike."""
    count = len(rows)
    if count == 0:
        return np.zeros(0)
    alike = rows @ rows.T
    np.fill_diagonal(alike, 0.0)
    alike[alike < _EDGE] = 0.0
    sums = alike.sum(axis=1, keepdims=True)
    steps = np.divide(alike, sums, out=np.full_like(alike, 1 / count), where=sums > 0)
    scores: NDArray[np.float64] = np.full(count, 1 / count)
    for _ in range(_ROUNDS):
        moved: NDArray[np.float64] = (1 - _DAMPING) / count + _DAMPING * (steps.T @ scores)
        if np.abs(moved - scores).sum() < _SETTLED:
            return moved
        scores = moved
    return scores


def mmr(rows: Vectors, scores: NDArray[np.float64], count: int, balance: float = 0.7) -> list[int]:
    """Indexes of at most ``count`` sentences, best first: high in score, unlike one another.

    ``balance`` in 0..1 weighs score (scaled to a maximum of 1) against likeness. Ties go to the
    earlier sentence.
    """
    if len(rows) == 0 or count <= 0:
        return []
    highest = float(scores.max())
    worth = scores / highest if highest > 0 else scores
    nearest = np.zeros(len(rows))
    picked: list[int] = []
    free = np.ones(len(rows), dtype=bool)
    while len(picked) < count and free.any():
        gain = np.where(free, balance * worth - (1 - balance) * nearest, -np.inf)
        best = int(np.argmax(np.round(gain, 9)))
        picked.append(best)
        free[best] = False
        nearest = np.maximum(nearest, rows @ rows[best])
    return picked
