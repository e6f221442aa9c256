"""Questions that only point, that are told, that nobody can answer, and that are none: each both
ways."""

from __future__ import annotations

import pytest

from pipeline.model.notes import NoteItem
from tests.unit.summarize_talk import extracted, meeting


def questions(*lines: str) -> list[NoteItem]:
    return extracted(meeting(*lines), "question")


@pytest.mark.parametrize(
    ("lines", "text", "answer"),
    [
        (
            ("Nina: The tent came.", "Paula: How long is it?", "Omar: Twelve metres."),
            "How long is it (The tent came)?",
            "Twelve metres.",
        ),
        (
            ("Nina: The rent's how much again?", "Omar: Two hundred a day."),
            "The rent's how much again?",
            "Two hundred a day.",
        ),
        (
            ("Nina: And the rent?", "Omar: Two hundred a day."),
            "The rent?",
            "Two hundred a day.",
        ),
        (
            (
                "Nina: We want the stall permit back. Does anybody know where it is?",
                "Omar: It's with the council.",
            ),
            "Does anybody know where it is (We want the stall permit back)?",
            "It's with the council.",
        ),
        (
            ("Nina: Do the stalls need a permit?", "Omar: They do. Last point. The choir is late."),
            "Do the stalls need a permit?",
            "They do.",
        ),
        (
            ("Nina: How many chairs are in the hall?", "Omar: Let me see the list. Eighty chairs."),
            "How many chairs are in the hall?",
            "Eighty chairs.",
        ),
    ],
)
def test_an_answered_question(lines: tuple[str, ...], text: str, answer: str) -> None:
    assert [(i.text, i.status, i.answer) for i in questions(*lines)] == [(text, "answered", answer)]


@pytest.mark.parametrize(
    "reply",
    [
        "Honestly, I don't have a good answer yet.",
        "Fair question. I don't have an answer yet.",
        "Nobody has ever looked at it properly.",
        "My guess would be the rain, but it's a guess.",
        "Don't know. Maybe, maybe not.",
        "I'd have to check the list first.",
        "That stays open for now.",
    ],
)
def test_no_answer_leaves_it_open(reply: str) -> None:
    for asked in ("Why did the hall flood?", "Does anyone know what flooded the hall?"):
        (item,) = questions(f"Nina: {asked}", f"Omar: {reply}")
        assert (item.status, item.answer) == ("open", None)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (
            ("Nina: Would she want money though?", "Omar: Don't know."),
            "Would she want money though?",
        ),
        (("Nina: What about the permit?", "Omar: I'd have to ask."), "What about the permit?"),
        (
            ("Nina: What she couldn't tell me is whether the stall fits the gate.",),
            "Whether the stall fits the gate?",
        ),
    ],
)
def test_an_open_question(lines: tuple[str, ...], text: str) -> None:
    assert [(i.text, i.status) for i in questions(*lines)] == [(text, "open")]


@pytest.mark.parametrize(
    "lines",
    [
        ("Nina: How long is it?", "Omar: The rain was awful."),
        ("Nina: Omar, how long?", "Omar: Two minutes."),
        ("Nina: How many people is that?", "Omar: Twenty four."),
        ("Nina: What about the permit?", "Omar: I'd like to eat two of those."),
        ("Nina: What about you?", "Omar: I don't know."),
        ("Nina: Why did we ever sell the bells?", "Omar: Because they were out of tune."),
        ("Nina: Do the horses even notice the bells?", "Omar: They notice the bells."),
        ("Nina: Would anybody object to bells in the hall?", "Omar: The horses will."),
        ("Nina: Could it go to the choir?", "Omar: It can go to the choir, yes."),
        ("Nina: Were we to buy the bells it would cost more.", "Omar: That is a lot of money."),
        ("Nina: Who's trying the chestnut soup?", "Omar: Not with those teeth, no."),
        ("Nina: When can you give me the list?", "Omar: You'll have the list from me by Friday."),
        ("Nina: I can't say that the bells fit.", "Omar: Pity."),
        ("Nina: The fair is big, and we're, what, a hundred stalls?", "Omar: A hundred and two."),
    ],
)
def test_no_question(lines: tuple[str, ...]) -> None:
    assert questions(*lines) == []
