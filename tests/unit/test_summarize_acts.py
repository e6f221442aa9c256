"""What single sentences do, each wording both ways."""

from __future__ import annotations

import pytest

from pipeline.summarize.acts import is_question, read
from pipeline.summarize.people import call_names
from pipeline.summarize.said import Act, Said
from pipeline.summarize.turns import Piece, Turn
from pipeline.summarize.words import sentences

NAMES = call_names(["Nina Berg", "Omar Said", "Zoë Ray"])


def only(text: str) -> Said:
    piece = Piece(ref="u1", revision=1, start=0, end=len(text), start_ms=0, end_ms=1)
    turn = Turn(speaker="A", text=text, pieces=(piece,), spans=tuple(sentences(text)))
    found = read(turn, NAMES)
    assert len(found) == 1
    return found[0]


def acts(text: str, kind: str) -> list[str]:
    return [text[a.start : a.end] for a in only(text).acts if a.kind == kind]


def act(text: str, kind: str) -> Act:
    return next(a for a in only(text).acts if a.kind == kind)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("I will draft the agenda.", "draft the agenda"),
        ("I\u2019ll draft the agenda, because nobody else does.", "draft the agenda"),
        ("Okay, so I'm going to draft the agenda tonight.", "draft the agenda tonight"),
        ("Ill call the caterer, no problem.", "call the caterer"),
        ("I'm sending the contract tomorrow.", "sending the contract tomorrow"),
        ("Sure, I'll check if the room is free.", "check if the room is free"),
        ("I'll let the supplier in.", "let the supplier in"),
    ],
)
def test_a_promise_is_what_the_speaker_will_do(text: str, what: str) -> None:
    assert acts(text, "promise") == [what]


@pytest.mark.parametrize(
    "text",
    [
        "I'll be honest with you.",
        "If they pay, I'll draft the agenda.",
        "Maybe I'll draft the agenda.",
        "He said I will draft the agenda.",
        "I'm drafting the agenda.",
        "I'll have to think.",
        "I'll never draft an agenda again.",
        "I will not draft the agenda.",
        "I'll show you this one.",
        "I'd draft the agenda.",
        "I drafted the agenda yesterday.",
        "I'll need a coffee.",
        "I'll go first.",
    ],
)
def test_other_futures_are_no_promises(text: str) -> None:
    assert acts(text, "promise") == []


def test_two_promises_in_one_breath_are_two() -> None:
    text = "I'll draft the agenda and I'll book the room by Friday."
    assert acts(text, "promise") == ["draft the agenda", "book the room by Friday"]


def test_a_promise_ends_where_somebody_elses_work_begins() -> None:
    text = "I'll draft the agenda and Omar will book the room."
    assert acts(text, "promise") == ["draft the agenda"]
    assert acts(text, "assign") == ["book the room"]


@pytest.mark.parametrize(
    ("text", "who", "what"),
    [
        ("Omar, could you print the badges?", "Omar", "print the badges"),
        ("Could you print the badges, Omar?", "Omar", "print the badges"),
        ("Omar, please print the badges.", "Omar", "print the badges"),
        ("Omar, the badges, please.", "Omar", "the badges"),
        ("Zoë, I need you to print the badges.", "Zoë", "print the badges"),
        ("Can you print the badges?", None, "print the badges"),
    ],
)
def test_a_request_and_who_it_is_for(text: str, who: str | None, what: str) -> None:
    assert acts(text, "request") == [what]
    assert act(text, "request").who == who


@pytest.mark.parametrize(
    "text",
    [
        "Can you hear me?",
        "Omar, you go first.",
        "You could print the badges.",
        "You could, could you print the badges with it.",
        "Which badge would you print?",
        "If it rains, could you print the badges?",
        "Omar, Tuesday.",
    ],
)
def test_steering_and_possibilities_are_no_requests(text: str) -> None:
    assert acts(text, "request") == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Omar is on badges.", "badges"),
        ("Omar takes care of the badges.", "takes care of the badges"),
        ("Omar will print the badges.", "print the badges"),
        ("Omar's got it.", "it"),
        ("So we hear that Elif will print the badges.", "print the badges"),
        ("Elif has agreed to print the badges.", "print the badges"),
    ],
)
def test_work_is_assigned_by_saying_who_does_it(text: str, what: str) -> None:
    assert acts(text, "assign") == [what]


@pytest.mark.parametrize(
    "text",
    [
        "Omar has put the badges on the table.",
        "Omar will love it.",
        "I gave the badges to Omar.",
        "Usually Omar does two rounds.",
        "Printers will fail.",
        "On Monday Christmas will begin for us.",
    ],
)
def test_telling_of_people_assigns_nothing(text: str) -> None:
    assert acts(text, "assign") == []


@pytest.mark.parametrize(
    "text",
    [
        "Forget the badges.",
        "Scratch that.",
        "Never mind.",
        "Don't bother.",
        "Take it off the list.",
    ],
)
def test_work_is_given_up(text: str) -> None:
    assert "withdraw" in {a.kind for a in only(text).acts}


@pytest.mark.parametrize(
    "text", ["Don't forget the badges.", "I never forget that.", "We don't have badges."]
)
def test_not_everything_with_forget_gives_up(text: str) -> None:
    assert "withdraw" not in {a.kind for a in only(text).acts}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Let's go with the blue one.", "go with the blue one"),
        ("We've decided to close the shop.", "We've decided to close the shop"),
        ("The budget is approved.", "The budget is approved."),
        ("Then the order is cancelled.", "Then the order is cancelled."),
    ],
)
def test_words_that_decide(text: str, what: str) -> None:
    assert acts(text, "decide") == [what]


@pytest.mark.parametrize(
    "text",
    [
        "Let's move on.",
        "Let's take a break.",
        "We had decided to close the shop.",
        "Maybe we go with the blue one.",
        "If we go with the blue one, it costs more.",
        "The meeting is closed.",
        "I would like to close the shop.",
        "It depends on how expensive it is.",
    ],
)
def test_words_that_decide_nothing(text: str) -> None:
    assert not {"decide", "confirm"} & {a.kind for a in only(text).acts}


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("How many chairs do we need?", True),
        ("How many chairs do we need", True),
        ("do we have enough chairs", True),
        ("What we need is a chair.", False),
        ("Have the chairs ready.", False),
        ("We have enough chairs.", False),
        ("When they come, we start.", False),
    ],
)
def test_a_question_is_known_by_its_order_when_its_mark_is_lost(text: str, asks: bool) -> None:
    assert is_question(text) is asks


@pytest.mark.parametrize(
    "text",
    [
        "How are you?",
        "Can everybody hear me?",
        "Any other business?",
        "Nice weather, isn't it?",
        "What about you?",
        "Only two?",
        "Isn't that too expensive?",
    ],
)
def test_courtesy_is_marked(text: str) -> None:
    assert "courtesy" in only(text).signs


def test_only_the_callers_own_words_are_read_with_names() -> None:
    assert only("Thanks, Omar.").names == ("Omar",)
    assert only("I met Omar yesterday.").names == ()
