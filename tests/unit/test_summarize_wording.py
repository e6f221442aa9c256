from __future__ import annotations

import pytest

from pipeline.summarize.wording import LEAD, Wording


@pytest.mark.parametrize(
    "said", ["I'll take it", "I\u2019ll take it", "ill take it", "I'll, take it"]
)
def test_apostrophes_commas_and_case_do_not_matter(said: str) -> None:
    assert said in Wording(r"\bI'll take it\b")


@pytest.mark.parametrize(
    ("said", "fits"), [("we'll go", True), ("well go", True), ("well, go", False)]
)
def test_we_will_and_well(said: str, fits: bool) -> None:
    assert (said in Wording(r"\bwe'll go\b")) is fits


def test_parts_are_found_where_they_stand() -> None:
    wording = Wording(r"\bforget <some>(?=[.,]|$)", r"\bask <who> to <what>")
    text = "Forget the badges, please. Ask Nina Berg to print it."
    first, second = wording.matches(text)
    assert first.what is not None
    assert text[slice(*first.what)] == "the badges"
    assert first.who is None
    assert second.who is not None
    assert second.what is not None
    assert text[slice(*second.who)] == "Nina Berg"
    assert text[slice(*second.what)] == "print it."


def test_search_passes_over_what_is_refused() -> None:
    wording = Wording(r"\bone\b")
    found = wording.search("one and one", lambda f: f.start > 0)
    assert found is not None
    assert found.start == 8
    assert wording.search("two") is None


def test_lead_takes_the_words_before_anything_is_said() -> None:
    assert "Okay, well, so go on" in Wording(LEAD + r"go on\b")
    assert "They go on" not in Wording(LEAD + r"go on\b")
