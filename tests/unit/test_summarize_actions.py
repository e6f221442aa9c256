"""Promises told from the side of who receives, work that is no work, and the dates that belong
to a promise: each both ways."""

from __future__ import annotations

import pytest

from pipeline.model.notes import NoteItem
from pipeline.summarize.verify import verify
from tests.unit.summarize_talk import ROSTER, extracted, meeting


def actions(*lines: str) -> list[NoteItem]:
    state = meeting(*lines)
    found = extracted(state, "action")
    for item in found:
        check = verify(item, words=dict(state.utterances), roster=ROSTER, zone="UTC")
        assert check.reasons == ()
    return found


# Promises from the receiver's side ---------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "text", "due"),
    [
        (
            ("Nina: Please print the badges.", "Omar: You'll have them by Friday."),
            "Print the badges",
            "2026-03-06",
        ),
        (
            ("Omar: We owe you a list of guests. You'll get it from me by Friday.",),
            "You'll get it from me (A list of guests)",
            "2026-03-06",
        ),
        (
            ("Nina: I want a proper list of guests.", "Omar: You'll get it by Friday."),
            "You'll get it (A proper list of guests)",
            "2026-03-06",
        ),
        (
            ("Nina: When will the list come?", "Omar: You'll have the list by Friday."),
            "You'll have the list",
            "2026-03-06",
        ),
        (
            (
                "Nina: A photo of the broken stall would help.",
                "Omar: I can get you that. It'll be in your inbox by tomorrow morning.",
            ),
            "Get you that (A photo of the broken stall would help)",
            "2026-03-04",
        ),
    ],
)
def test_who_will_receive_something_was_promised_it(
    lines: tuple[str, ...], text: str, due: str
) -> None:
    (item,) = actions(*lines)
    assert (item.text, item.owner, item.due) == (text, "Omar Said", due)


@pytest.mark.parametrize(
    "lines",
    [
        ("Omar: You'll have fun on Friday.",),
        ("Omar: You'll see it on the left.",),
        ("Omar: If it rains, you'll have the tent by Friday.",),
        ("Omar: The weather is grim.", "Nina: It'll be with you all day."),
        ("Nina: Please print the badges.", "Paula: The rain was awful."),
        ("Nina: Please take a seat.", "Omar: Sure."),
        ("Nina: Please take it.", "Omar: Noted."),
    ],
)
def test_receiving_that_nobody_promised(lines: tuple[str, ...]) -> None:
    assert actions(*lines) == []


def test_what_nobody_was_asked_by_name_waits_for_a_yes() -> None:
    assert actions("Nina: Please print the badges.") == []
    (item,) = actions("Nina: Please print the badges.", "Omar: Yes.")
    assert (item.text, item.owner) == ("Print the badges", "Omar Said")


# What is work and what is not --------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ("Omar: Let me give you an overview of the hall.", "Nina: Go ahead."),
        ("Omar: Let me start with the hall.", "Nina: Please do."),
        ("Omar: I can support a bigger tent by the end of June.", "Nina: Thank you."),
        ("Omar: I can live with the tent.", "Nina: Great."),
        ("Nina: Painting stalls.", "Omar: Fine. Painting stalls."),
        ("Omar: I'll wait and see the rain.", "Nina: Good."),
        ("Omar: I'll think and sleep.", "Nina: Good."),
    ],
)
def test_no_work(lines: tuple[str, ...]) -> None:
    assert actions(*lines) == []


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (
            ("Omar: I'll come up with a menu and send you two dishes by Friday.",),
            "Come up with a menu and send you two dishes",
        ),
        (
            ("Omar: I'll think of a menu and send you two dishes by Friday.",),
            "Send you two dishes",
        ),
        (
            (
                "Omar: I can take Sundays, as long as there is coffee.",
                "Paula: There always is.",
                "Nina: Deal.",
            ),
            "Take Sundays",
        ),
        (("Omar: I can give you the keys tomorrow.", "Nina: Great."), "Give you the keys"),
        (
            ("Nina: Somebody has to ask about the power.", "Omar: I can ask that too, same call."),
            "Ask about the power",
        ),
    ],
)
def test_work(lines: tuple[str, ...], text: str) -> None:
    assert [(i.text, i.owner) for i in actions(*lines)] == [(text, "Omar Said")]


def test_what_somebody_was_meant_to_do_is_told_by_its_verb() -> None:
    (item,) = actions(
        "Nina: The tent money never came back. Elif was meant to chase it, but she is away.",
        "Omar: I'll do that.",
    )
    assert item.text == "Chase it (The tent money never came back)"


# Dates -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "due", "due_text"),
    [
        (("Omar: I'll ring the choir right after this call.",), "2026-03-03", None),
        (("Omar: I'll tell the choir straight after this.",), "2026-03-03", "straight after this"),
        (("Omar: I'll print the badges before the weekend.",), "2026-03-06", "before the weekend"),
        (("Omar: I'll print the badges this week.",), "2026-03-06", "this week"),
        (("Omar: I'll print the badges. Next week.",), None, "Next week"),
        (("Omar: I'll print the badges. Expect them by Friday.",), "2026-03-06", "by Friday"),
        (("Omar: I'll print the badges. Expect them by mid April.",), None, "by mid April"),
        (
            ("Nina: Omar, will you print the badges?", "Omar: Yep, printing them now."),
            "2026-03-03",
            "now",
        ),
        (
            ("Omar: The stalls close on the tenth of March. I'll print the badges the day after.",),
            "2026-03-11",
            "the day after",
        ),
        (("Omar: I'll print the badges. Eleven of the fourteen are ready.",), None, None),
        (("Omar: I'll print the badges. The market opens on Friday.",), None, None),
        (("Omar: I'll print the badges, and you get them by Friday.",), "2026-03-06", "by Friday"),
        (("Omar: I'll print the badges. I like them now.",), None, None),
    ],
)
def test_the_date_of_a_promise(
    lines: tuple[str, ...], due: str | None, due_text: str | None
) -> None:
    (item,) = actions(*lines)
    assert item.due == due
    if due_text or due is None:
        assert item.due_text == due_text


def test_the_date_of_anothers_work_is_no_date_of_the_promise() -> None:
    (item,) = actions("Omar: I'll print the badges, you two can pay me by Friday.")
    assert item.due is None
