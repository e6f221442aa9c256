from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.summarize.words import (
    content,
    fold,
    function_word_share,
    sentences,
    stem,
    tidy,
    tokens,
)


def test_words_and_numbers_are_tokens() -> None:
    assert tokens("It\u2019s 1,200 euros, 4.5% more!") == ["it's", "1,200", "euros", "4.5%", "more"]
    assert tokens("会議室") == ["会議", "議室"]


def test_accents_and_apostrophes_do_not_matter() -> None:
    assert fold("Zoë\u2019s CAFÉ") == "zoe's cafe"


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("decided", "deciding"),
        ("tries", "tried"),
        ("planning", "plan"),
        ("boxes", "box"),
        ("Nina's", "Nina"),
    ],
)
def test_forms_of_a_word_share_a_stem(word: str, other: str) -> None:
    assert stem(word.lower()) == stem(other.lower())


def test_content_leaves_out_what_carries_none() -> None:
    assert content("I will really print the badges for you") == ["print", "badg"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two? Three!", 3),
        ("Dr. Ray has no. 7 here.", 1),
        ("At 4.30 p.m. we start", 1),
        ("", 0),
        ("今日は。明日も。", 2),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert len(sentences(text)) == count


@given(st.text(max_size=80))
def test_sentences_lie_in_the_text_in_order_and_trimmed(text: str) -> None:
    last = 0
    for start, end in sentences(text):
        assert last <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        last = end


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("okay so, um, we print it", "We print it"),
        ("Well, uh, the badges,", "The badges"),
        ("I'll let you know, you know.", "I'll let you know."),
        ("okay", "Okay"),
    ],
)
def test_tidy_takes_away_and_adds_nothing(said: str, line: str) -> None:
    assert tidy(said) == line


def test_english_is_full_of_function_words() -> None:
    english = ["So I think that we should do it on Friday because they have the room then."]
    german = ["Das Budget ist leider noch nicht genehmigt und wir müssen bis nächste Woche warten."]
    assert (function_word_share(english) or 0) > 0.45
    assert (function_word_share(german) or 0) < 0.2
    assert function_word_share(["too few"]) is None
