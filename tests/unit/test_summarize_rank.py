from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.summarize.rank import lexrank, mmr, vectors

WORDS = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), max_size=12)


@given(WORDS)
def test_rows_have_unit_length_or_none(sentences: list[list[str]]) -> None:
    rows = vectors(sentences)
    assert rows.shape[0] == len(sentences)
    lengths = np.linalg.norm(rows, axis=1)
    for words, length in zip(sentences, lengths, strict=True):
        assert abs(length - (1 if words else 0)) < 1e-9


@given(WORDS)
def test_lexrank_shares_out_one(sentences: list[list[str]]) -> None:
    scores = lexrank(vectors(sentences))
    if sentences:
        assert abs(scores.sum() - 1) < 1e-6
        assert (scores > 0).all()


def test_the_sentence_that_shares_most_is_most_central() -> None:
    rows = vectors([["a", "b"], ["a", "b", "c", "d"], ["c", "d"], ["x", "y"]])
    assert int(np.argmax(lexrank(rows))) == 1


@given(WORDS, st.integers(0, 14))
def test_mmr_picks_each_once(sentences: list[list[str]], count: int) -> None:
    rows = vectors(sentences)
    picked = mmr(rows, lexrank(rows), count)
    assert len(picked) == len(set(picked)) == min(count, len(sentences))


def test_mmr_prefers_what_is_new() -> None:
    rows = vectors([["a", "b"], ["a", "b"], ["x", "y"]])
    assert mmr(rows, np.array([1.0, 0.99, 0.6]), 2, balance=0.5) == [0, 2]


def test_a_rare_word_weighs_more() -> None:
    rows = vectors([["a", "b"], ["a", "c"], ["a", "d"]])
    assert rows[0].min(where=rows[0] > 0, initial=1.0) < rows[0].max()
