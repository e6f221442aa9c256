"""Words are committed when two looks agree, and never taken back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.transcribe.agreement import Agreement


def looks(*texts: str) -> list[tuple[str, str]]:
    agreement = Agreement()
    return [agreement.take(text) for text in texts]


def test_two_looks_must_agree_and_the_last_word_waits() -> None:
    assert looks("I will", "I will call.", "I will call the vendor") == [
        ("", "I will"),
        ("I will", "call."),
        ("I will call", "the vendor"),
    ]


def test_punctuation_and_case_are_not_a_difference_and_the_newer_form_stands() -> None:
    assert looks("so we. go", "So we go home", "So we go home now")[-1] == ("So we go home", "now")


def test_a_changed_mind_keeps_what_is_committed_and_goes_on_behind_it() -> None:
    found = looks(
        "I would like", "I would like to", "I'd like to go there", "I'd like to go there."
    )
    assert found[1] == ("I would like", "to")
    assert found[2] == ("I would like to", "go there")  # "I'd" stands for "I would"
    assert found[3] == ("I would like to go", "there.")


def test_a_shorter_or_empty_look_takes_nothing_back() -> None:
    assert looks("one two three", "one two three four", "one", "") == [
        ("", "one two three"),
        ("one two three", "four"),
        ("one two three", ""),
        ("one two three", ""),
    ]


def test_scripts_without_spaces_are_committed_by_character() -> None:
    assert looks("会議を", "会議を始", "会議を始めます")[-1] == ("会議を始", "めます")


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "d."]), max_size=6), max_size=8))
def test_committed_words_only_grow(hypotheses: list[list[str]]) -> None:
    agreement = Agreement()
    before = ""
    for words in hypotheses:
        committed, tentative = agreement.take(" ".join(words))
        assert committed == before or committed.startswith(before)
        assert committed == committed.strip()
        assert tentative == tentative.strip()
        before = committed
