"""Nothing may be shown as its opposite: denied, declined and put off; each both ways."""

from __future__ import annotations

import pytest

from pipeline.model.notes import NoteItem
from pipeline.summarize.negation_words import advises_against, denied, with_no
from tests.unit.summarize_talk import extracted, meeting


def texts(kind: str, *lines: str) -> list[str]:
    return [item.text for item in extracted(meeting(*lines), kind)]


def only(kind: str, *lines: str) -> NoteItem:
    (item,) = extracted(meeting(*lines), kind)
    return item


# Denied -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "before",
    [
        "I don't think ",
        "I don't, honestly, think ",
        "I do not believe that ",
        "I see no reason why ",
        "I doubt that ",
        "Nobody said ",
        "There's no need for ",
        "I'm not sure if ",
    ],
)
def test_a_clause_under_a_denying_verb_is_denied(before: str) -> None:
    assert denied(f"{before}we should go", len(before))


@pytest.mark.parametrize(
    "before",
    [
        "",
        "I think ",
        "Don't worry, ",
        "I can't come, so ",
        "It does not fit and ",
        "I don't think it rains, so ",
        "No, ",
    ],
)
def test_a_negation_in_another_clause_denies_nothing(before: str) -> None:
    assert not denied(f"{before}we should go", len(before))


def test_speaking_against_is_more_than_not_saying() -> None:
    assert advises_against("I don't think we should go", 14)
    assert not advises_against("I'm not saying we should go", 15)


def test_a_no_belongs_to_what_follows_unless_a_comma_parts_them() -> None:
    assert with_no("So no raffle it is", 6) == 3
    assert with_no("No, raffle it is", 4) == 4


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (
            (
                "Nina: I don't think we should be paying for the marquee until we know.",
                "Omar: I agree. We wait with the marquee till the May meeting.",
            ),
            "We wait with the marquee till the May meeting",
        ),
        (
            (
                "Nina: I don't think we should repaint the boat this year.",
                "Omar: I agree. We have new printers in the office.",
            ),
            "I don't think we should repaint the boat this year",
        ),
        (
            ("Nina: I don't think we should repaint the boat this year.", "Omar: Agreed."),
            "I don't think we should repaint the boat this year",
        ),
        (
            ("Nina: I think we should repaint the boat this year.", "Omar: Agreed."),
            "Repaint the boat this year",
        ),
        (
            ("Nina: We should not renew the lease.", "Omar: I agree."),
            "We should not renew the lease",
        ),
        (("Nina: We should renew the lease.", "Omar: I agree."), "Renew the lease"),
        (("Nina: No raffle it is.",), "No raffle"),
        (("Nina: I don't want the blue one on the wall.", "Omar: Blue it is."), "Blue"),
        (
            (
                "Nina: I don't think we should go with the red tiles.",
                "Omar: I think we should go with the red tiles.",
                "Paula: Agreed.",
            ),
            "Go with the red tiles",
        ),
    ],
)
def test_a_decision_keeps_its_negation(lines: tuple[str, ...], text: str) -> None:
    assert texts("decision", *lines) == [text]


@pytest.mark.parametrize(
    "lines",
    [
        ("Nina: I'm not saying we should sell the van.", "Omar: Works for me."),
        ("Nina: I doubt we could open the cellar in May.", "Omar: Let's do it."),
        ("Nina: I never said we could rent the barn.", "Omar: Go ahead."),
        ("Nina: Nobody said we should close the shop on Monday.", "Omar: Agreed."),
    ],
)
def test_what_is_only_denied_decides_nothing(lines: tuple[str, ...]) -> None:
    assert texts("decision", *lines) == []


@pytest.mark.parametrize(
    "lines",
    [
        ("Nina: I don't believe I'll finish the brochure by Friday.",),
        ("Nina: I can't say I'll send the brochure by Friday.",),
        ("Nina: I don't think we need to order more chairs.", "Omar: I'll do that."),
        ("Nina: I don't think Omar will send the brochure.", "Paula: Hm."),
    ],
)
def test_denied_work_is_no_action(lines: tuple[str, ...]) -> None:
    assert texts("action", *lines) == []


@pytest.mark.parametrize(
    "line",
    [
        "Nina: Don't worry, I'll send the brochure by Friday.",
        "Nina: I can't come, so I'll send the brochure by Friday.",
        "Nina: I'll send the brochure by Friday, I don't think it takes long.",
    ],
)
def test_work_beside_a_negation_is_an_action(line: str) -> None:
    assert texts("action", line) == ["Send the brochure"]


# One or the other -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (
            (
                "Nina: Should we open the pool for members or only the swim club?",
                "Omar: Only the club. The water is cold.",
                "Nina: Agreed, club only.",
            ),
            "Club only (Should we open the pool for members or only the swim club?)",
        ),
        (
            (
                "Nina: Should we paint the boat green or blue?",
                "Omar: Green.",
                "Paula: Agreed, green.",
            ),
            "Green (Should we paint the boat green or blue?)",
        ),
        (("Nina: Should we paint the boat or not?", "Omar: Let's do it."), "Paint the boat"),
    ],
)
def test_an_either_or_decision_says_which(lines: tuple[str, ...], text: str) -> None:
    assert texts("decision", *lines) == [text]


@pytest.mark.parametrize(
    "lines",
    [
        ("Nina: Should we paint the boat green or blue?", "Omar: Hm.", "Paula: Agreed."),
        ("Nina: Shall we print the posters or just mail them?", "Omar: Agreed."),
    ],
)
def test_agreeing_to_an_either_or_question_decides_nothing(lines: tuple[str, ...]) -> None:
    assert texts("decision", *lines) == []


# Declined ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "no",
    [
        "I'm away on Wednesday, actually. Sorry.",
        "I'm out all week.",
        "I'm afraid not.",
        "I really can't.",
        "No chance.",
        "I'd rather not.",
        "Not me.",
        "I won't be here.",
    ],
)
def test_who_declines_has_no_part_in_it(no: str) -> None:
    asked = "Nina: Omar, could you drive the van by Monday?"
    assert texts("action", asked, f"Omar: {no}", "Nina: Oh.") == []
    taken = only("action", asked, f"Omar: {no}", "Paula: I'll take that.")
    assert (taken.text, taken.owner, taken.due) == ("Drive the van", "Paula Reyes", "2026-03-09")
    assert [e.ref for e in taken.evidence] == ["u1", "u3"]


def test_the_day_somebody_is_away_is_no_deadline() -> None:
    item = only(
        "action",
        "Nina: Omar, could you drive the van?",
        "Omar: I'm away on Monday. Sorry.",
        "Paula: I'll take that.",
    )
    assert (item.owner, item.due, item.due_text) == ("Paula Reyes", None, None)


def test_an_own_offer_agreed_on_goes_to_who_made_it() -> None:
    items = extracted(
        meeting(
            "Nina: Omar, could you write the van report?",
            "Omar: I'm off until Thursday. Sorry.",
            "Paula: I could draft it.",
            "Omar: Send me the draft and I'll look at it on the train.",
            "Paula: Deal.",
        ),
        "action",
    )
    assert [(i.text.split(" (")[0], i.owner) for i in items] == [
        ("Write the van report", "Paula Reyes"),
        ("Look at it on the train", "Omar Said"),
    ]


@pytest.mark.parametrize(
    ("answer", "due"),
    [
        ("Sorry, I was on mute. Yes, of course.", None),
        ("Sure. I'm out on Monday, though.", None),
        ("I can't today. I'll do it on Friday.", "2026-03-06"),
    ],
)
def test_who_says_yes_all_the_same_has_it(answer: str, due: str | None) -> None:
    item = only("action", "Nina: Omar, could you drive the van?", f"Omar: {answer}")
    assert (item.text, item.owner, item.due) == ("Drive the van", "Omar Said", due)


def test_work_given_to_somebody_who_declines_is_free_again() -> None:
    given = "Nina: Omar will drive the van on Friday."
    assert only("action", given, "Omar: Yes.").owner == "Omar Said"
    assert texts("action", given, "Omar: I'm away on Friday.") == []
    item = only("action", given, "Omar: I'm afraid I can't.", "Paula: I'll do it.")
    assert (item.owner, item.due) == ("Paula Reyes", "2026-03-06")


def test_the_formulas_of_a_meeting_are_no_work() -> None:
    assert texts("action", "Nina: I'll call the meeting to order.", "Omar: I'll second that.") == []
    assert texts("action", "Nina: I'll call the plumber tomorrow.") == ["Call the plumber"]


# Put off ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "off",
    [
        "Hm. We'll decide on Monday.",
        "Not today.",
        "Let's park it.",
        "Let me think.",
        "Let's not cross that bridge today.",
        "I want to see the gate before I commit.",
    ],
)
def test_a_choice_put_off_after_an_opinion_stays_open(off: str) -> None:
    item = only(
        "question",
        "Nina: Do we hang the banner before the gate or after?",
        "Omar: After. The wind is less.",
        f"Nina: {off}",
    )
    assert (item.status, item.answer) == ("open", None)
    assert [e.ref for e in item.evidence] == ["u1", "u3"]


def test_a_choice_nobody_puts_off_is_answered() -> None:
    item = only(
        "question",
        "Nina: Do we hang the banner before the gate or after?",
        "Omar: After. The wind is less.",
        "Nina: Thanks.",
    )
    assert (item.status, item.answer) == ("answered", "After. The wind is less.")


@pytest.mark.parametrize(
    "reply",
    [
        "Still waiting on the hire firm.",
        "Not sure.",
        "Do you know, I've no idea.",
        "That's never been entirely clear.",
    ],
)
def test_not_knowing_is_no_answer(reply: str) -> None:
    item = only(
        "question",
        "Nina: Is the trestle hire the same firm as last year?",
        f"Omar: {reply}",
        "Paula: Some firm will have a trestle guide.",
    )
    assert (item.status, item.answer) == ("open", None)


def test_not_yet_answers_whether_but_not_when() -> None:
    asked = only("question", "Nina: Has the trestle permit been stamped?", "Omar: Not yet.")
    assert (asked.status, asked.answer) == ("answered", "Not yet.")
    asked = only("question", "Nina: When do the trestle tables arrive?", "Omar: Not yet known.")
    assert (asked.status, asked.answer) == ("open", None)


def test_what_answers_another_question_or_a_joke_is_no_answer() -> None:
    items = extracted(
        meeting(
            "Nina: Which printer handles the hall posters?",
            "Omar: Did anybody lock the back door?",
            "Paula: Yes, the printer door is locked.",
        ),
        "question",
    )
    assert [i.text for i in items] == ["Did anybody lock the back door?"]
    joke = "Omar: A goat prints the posters, just kidding."
    asked = "Nina: Which printer handles the hall posters?"
    assert texts("question", asked, joke, "Paula: The goat posters are lovely.") == []
    direct = only("question", asked, "Paula: The red one in the hall.")
    assert direct.answer == "The red one in the hall."


def test_a_reply_to_a_reply_is_no_answer() -> None:
    asked = "Nina: Does the Sunday bus still run to the quarry?"
    between = "Paula: I bought two postcards in a shop."
    assert texts("question", asked, between, "Omar: We do have a tent over there.") == []
    assert only("question", asked, "Omar: It does run.").answer == "It does run."
