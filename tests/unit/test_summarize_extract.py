"""The extractive writer on invented meetings: what makes an item, what does not, and that the
outcome depends on the words alone."""

from __future__ import annotations

import asyncio
import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import events as ev
from pipeline.model.notes import Add, NoteItem, Notes, Patch, Retract, Update, apply
from pipeline.model.state import MeetingState
from pipeline.summarize.extract import OTHER_LANGUAGE, ExtractiveWriter, difference
from pipeline.summarize.patching import numbered
from pipeline.summarize.verify import verify
from pipeline.summarize.writer import Window
from tests.unit.summarize_talk import ROSTER, START_MS, extracted, meeting, replay, said


def action(*lines: str, roster: tuple[str, ...] = ROSTER) -> NoteItem:
    found = extracted(meeting(*lines, roster=roster), "action")
    assert len(found) == 1, found
    return found[0]


def refs(item: NoteItem) -> list[str]:
    return list(dict.fromkeys(e.ref for e in item.evidence))


# Actions ------------------------------------------------------------------------------------


def test_a_promise_is_an_action_with_owner_and_date() -> None:
    item = action("Omar: Okay, I will draft the agenda and book the room by Friday.")
    assert item.text == "Draft the agenda and book the room"
    assert (item.owner, item.due, item.due_text) == ("Omar Said", "2026-03-06", "by Friday")
    assert item.evidence[0].quote == "Okay, I will draft the agenda and book the room by Friday."


def test_a_request_is_an_action_once_the_one_who_was_asked_accepts() -> None:
    asked = "Nina: Omar, could you print the badges by tomorrow?"
    assert extracted(meeting(asked), "action") == []
    assert extracted(meeting(asked, "Paula: Sure."), "action") == []
    item = action(asked, "Omar: Sure, no problem.")
    assert (item.text, item.owner, item.due) == ("Print the badges", "Omar Said", "2026-03-04")
    assert refs(item) == ["u1", "u2"]


def test_who_takes_what_another_refused_owns_it() -> None:
    item = action(
        "Nina: Omar, could you print the badges by Friday?",
        "Omar: I would, but I'm away.",
        "Paula: Then I'll do that.",
    )
    assert (item.text, item.owner, item.due) == ("Print the badges", "Paula Reyes", "2026-03-06")


def test_work_nobody_had_goes_to_who_takes_it() -> None:
    item = action("Nina: Somebody needs to call the venue.", "Paula: That'll be me.")
    assert (item.text, item.owner) == ("Call the venue", "Paula Reyes")


def test_an_offer_needs_an_answer() -> None:
    offer = "Omar: I can bring the projector."
    assert extracted(meeting(offer, "Nina: The weather is awful."), "action") == []
    assert extracted(meeting(offer, "Nina: No need, thanks."), "action") == []
    assert action(offer, "Nina: Please do.").owner == "Omar Said"


def test_another_takes_it_over_and_it_stays_the_same_item() -> None:
    first = "Nina: I'll write to the sponsors by Friday."
    alone = action(first)
    both = action(first, "Omar: You're busy. I'll write to the sponsors for you, by Monday.")
    assert both.id == alone.id
    assert (both.owner, both.due) == ("Omar Said", "2026-03-09")
    assert refs(both) == ["u1", "u2"]


@pytest.mark.parametrize(
    "words",
    ["Forget the badges.", "Scratch that.", "We don't need to print the badges.", "Don't bother."],
)
def test_withdrawn_is_retracted_with_the_words_that_did_it(words: str) -> None:
    item = action("Omar: I'll print the badges.", f"Nina: {words}")
    assert item.status == "retracted"
    assert refs(item) == ["u1", "u2"]


def test_will_not_is_no_action_and_takes_back_ones_own() -> None:
    item = action("Omar: I'll print the badges.", "Omar: No wait, I will not print any badges.")
    assert item.status == "retracted"


def test_giving_up_something_else_leaves_an_action_alone() -> None:
    item = action("Omar: I'll print the badges.", "Nina: And forget the balloons.")
    assert item.status == "open"


@pytest.mark.parametrize(
    "words",
    [
        "Paula: The balloons were only an idea, so never mind.",
        "Paula: I had promised Elif a map of the hall. Scratch that, she has one.",
    ],
)
def test_never_mind_about_another_thing_leaves_an_action_alone(words: str) -> None:
    item = action("Omar: I'll print the badges.", "Nina: The rain was awful.", words)
    assert item.status == "open"
    assert action("Omar: I'll print the badges.", words).status == "open"


def test_never_mind_reaches_back_for_who_asked_only() -> None:
    lines = (
        "Nina: Omar, could you print the badges?",
        "Omar: Sure.",
        "Paula: The rain was awful.",
    )
    assert action(*lines, "Nina: Oh, never mind.").status == "retracted"
    assert action(*lines, "Paula: Oh, never mind.").status == "open"


def test_who_asked_takes_the_work_back_whatever_the_verb() -> None:
    lines = ("Nina: Omar, could you check with the printer?", "Omar: Me? Sure.")
    item = action(*lines, "Nina: Oh, no, sorry, you've got the stall. I'll ring them myself today.")
    assert (item.text, item.owner, item.due) == (
        "Check with the printer",
        "Nina Berg",
        "2026-03-03",
    )


def test_another_job_done_by_oneself_takes_nothing_back() -> None:
    found = extracted(
        meeting(
            "Nina: Omar, could you check with the printer?",
            "Omar: Sure.",
            "Nina: No, the balloons can wait. I'll paint the whole stall front myself.",
        ),
        "action",
    )
    assert [(i.text, i.owner) for i in found] == [
        ("Check with the printer", "Omar Said"),
        ("Paint the whole stall front myself", "Nina Berg"),
    ]


def test_leave_it_with_me_is_about_what_was_just_asked() -> None:
    lines = ("Nina: Somebody needs to call the venue.",)
    assert action(*lines, "Paula: Leave it with me.").text == "Call the venue"
    found = extracted(
        meeting(
            *lines,
            "Omar: The badges look nice.",
            "Nina: They do, don't they?",
            "Omar: And the choir has not answered my letters.",
            "Paula: Leave it with me, I'll ring the choir by Friday.",
        ),
        "action",
    )
    assert [(i.text, i.owner) for i in found] == [("Ring the choir", "Paula Reyes")]


def test_done_when_its_owner_says_so() -> None:
    item = action(
        "Omar: I'll print the badges.",
        "Nina: Great.",
        "Nina: Next, the venue.",
        "Omar: The badges are printed.",
    )
    assert item.status == "done"
    assert refs(item)[-1] == "u4"


@pytest.mark.parametrize(
    "lines",
    [
        ("Omar: I'll print them with my own blood.", "Nina: Very funny."),
        ("Omar: I'll print the badges with my own blood.", "Omar: Just kidding."),
        ("Omar: If the printer works, I'll print the badges.",),
        ("Omar: I would print the badges.",),
        ("Omar: I printed the badges yesterday.",),
        ("Omar: I might print the badges.",),
        ("Nina: I wish somebody printed the badges.",),
        ("#Omar: I can print the badges if somebody brings paper",),
        ("Omar: I was going to print the badges.",),
    ],
)
def test_jokes_conditions_wishes_and_reports_are_no_actions(lines: tuple[str, ...]) -> None:
    assert extracted(meeting(*lines), "action") == []


def test_an_intent_given_up_is_shown_as_such_if_it_had_a_date() -> None:
    item = action("Omar: I was going to print the badges on Friday.", "Omar: I think I'll skip it.")
    assert (item.status, item.due) == ("retracted", "2026-03-06")


def test_two_people_with_one_first_name_are_candidates() -> None:
    roster = ("Sam Ito", "Sam Okoye", "Nina Berg")
    item = action("Nina: Sam will print the badges.", roster=roster)
    assert item.owner is None
    assert item.owner_candidates == ("Sam Ito", "Sam Okoye")


def test_a_name_on_no_roster_is_kept_as_heard() -> None:
    item = action("Nina: By the way, Elif will print the badges by Friday.")
    assert (item.owner, item.due) == ("Elif", "2026-03-06")
    state = meeting("Nina: By the way, Elif will print the badges by Friday.")
    check = verify(item, words=dict(state.utterances), roster=ROSTER, zone="UTC")
    assert check.state == "unverified"


def test_an_unknown_voice_owns_nothing() -> None:
    assert action("?: I'll print the badges tonight.").owner is None


def test_what_it_points_at_is_told_and_cited() -> None:
    item = action("Nina: The heater in the hall is broken.", "Omar: I'll repair it tomorrow.")
    assert item.text == "Repair it (The heater in the hall is broken)"
    assert refs(item) == ["u1", "u2"]


def test_chat_counts_as_words() -> None:
    assert refs(action("#Omar: I'll upload the photos tonight")) == ["c1"]


def test_a_date_in_the_next_sentence_counts_only_if_it_is_about_the_same() -> None:
    assert action("Omar: I'll print the badges. You'll have them by Friday.").due == "2026-03-06"
    assert action("Omar: I'll print the badges. The fair opens on Friday morning.").due is None


def test_what_an_engine_hears_is_enough() -> None:
    """No apostrophes, commas for stops, a sentence cut in two, "and" between two promises."""
    state = meeting(
        "Omar: agreed, Ill call the hall, and I will print the",
        "Omar: badges by tomorrow,",
        "Nina: very well, okay then it is decided, we close the shop at 6:00.",
    )
    found = {(i.text, i.owner, i.due) for i in extracted(state, "action")}
    assert found == {
        ("Call the hall", "Omar Said", None),
        ("Print the badges", "Omar Said", "2026-03-04"),
    }
    assert [i.text for i in extracted(state, "decision")] == ["We close the shop at 6:00"]


# Decisions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (("Nina: Okay, it's decided. We close the shop at six.",), "We close the shop at six"),
        (("Nina: okay then it is decided we close the shop at six",), "We close the shop at six"),
        (("Nina: Let's go with the blue poster.", "Omar: Fine."), "Go with the blue poster"),
        (
            ("Nina: So no speeches this year, are we all fine with that?", "Omar: Yep."),
            "No speeches this year",
        ),
        (("Nina: We should skip the speeches.", "Omar: Agreed."), "Skip the speeches"),
        (
            ("Nina: I move that we skip the speeches.", "Omar: Seconded.", "Nina: That's carried."),
            "We skip the speeches",
        ),
        (
            ("Nina: We could paint it or leave it.", "Omar: Paint first.", "Paula: Paint it is."),
            "Paint first",
        ),
    ],
)
def test_a_decision(lines: tuple[str, ...], text: str) -> None:
    found = extracted(meeting(*lines), "decision")
    assert [i.text for i in found] == [text]


@pytest.mark.parametrize(
    "lines",
    [
        ("Nina: We could skip the speeches.", "Omar: Yes."),
        ("Nina: I would like to skip the speeches.", "Omar: I'm with you."),
        ("Nina: Let's go with the blue poster.", "Omar: No, I hate it."),
        ("Nina: We had decided to skip the speeches.", "Omar: Right."),
        ("Nina: Maybe we should skip the speeches.", "Omar: Maybe."),
        ("Nina: Shall we skip the speeches?", "Omar: I'm not sure."),
        ("Nina: Let's go with pink poster glue.", "Omar: Ha ha, very funny."),
    ],
)
def test_no_decision(lines: tuple[str, ...]) -> None:
    assert extracted(meeting(*lines), "decision") == []


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (
            ("Nina: Could the choir use the side door?", "Omar: Do it."),
            "The choir use the side door",
        ),
        (
            ("Nina: What if we open at noon?", "Paula: Hm.", "Omar: Okay, let's do that."),
            "Open at noon",
        ),
        (
            ("Nina: I was going to suggest a tasting at noon.", "Omar: Make it one and I'm in."),
            "A tasting at noon",
        ),
        (
            ("Nina: The choir can have the side door on Sunday.", "Omar: Great, we'll do that."),
            "The choir can have the side door on Sunday",
        ),
        (
            ("Nina: The question is whether we can open at noon.", "Omar: I'm happy with that."),
            "Open at noon",
        ),
        (
            (
                "Nina: What I'd accept is the garden, with a tent.",
                "Omar: Garden, then. The stalls go into the garden, with a tent over them.",
            ),
            "The stalls go into the garden, with a tent over them",
        ),
        (
            ("Nina: Posters or flyers?", "Omar: Flyers.", "Paula: Okay, flyers.", "Nina: Lovely."),
            "Flyers (Posters or flyers)",
        ),
        (
            (
                "Nina: Do we want to move the fair to autumn?",
                "Omar: October.",
                "Paula: October, yes please.",
                "Nina: October then. The fair in October.",
            ),
            "The fair in October",
        ),
        (
            (
                "Nina: Are we putting up the entrance fee?",
                "Omar: No.",
                "Nina: Okay, stays at five.",
            ),
            "Stays at five (Are we putting up the entrance fee?)",
        ),
        (
            ("Nina: No sales before the tenth of May.", "Omar: Agreed."),
            "No sales before the tenth of May",
        ),
        (
            ("Nina: We're not doing a raffle.", "Omar: Fine."),
            "We're not doing a raffle",
        ),
        (
            ("Nina: I can't approve the tent today. We'll come back to it in April.", "Omar: Hm."),
            "We'll come back to it in April (I can't approve the tent today)",
        ),
        (
            ("Nina: Then we open the shop on April tenth.", "Omar: The flyers are blue."),
            "We open the shop on April tenth",
        ),
        (
            (
                "Nina: Shall we move the fair to autumn?",
                "Omar: Yes please.",
                "Paula: Autumn's good.",
            ),
            "Move the fair to autumn",
        ),
        (
            ("Nina: Shall we move the fair to autumn?", "Omar: Yes.", "Nina: Good, autumn then."),
            "Move the fair to autumn",
        ),
        (
            ("Nina: Shall we hire a band?", "Omar: Too expensive.", "Nina: Okay, then no band."),
            "No band",
        ),
        (
            ("Nina: Red or green?", "Omar: Red.", "Paula: Okay, green then.", "Nina: Green it is."),
            "Green",
        ),
        (
            ("Nina: What about balloons? They scare the horses.", "Omar: Then no balloons."),
            "No balloons",
        ),
    ],
)
def test_an_option_taken_up_is_a_decision(lines: tuple[str, ...], text: str) -> None:
    found = extracted(meeting(*lines), "decision")
    assert [i.text for i in found] == [text]


@pytest.mark.parametrize(
    "lines",
    [
        ("Nina: Could the choir use the side door?", "Omar: It is narrow, though."),
        ("Nina: Could the choir use the side door?", "Nina: Do it."),
        ("Nina: Could the choir use the side door?", "Omar: Maybe.", "Paula: Go ahead."),
        ("Nina: What if we open at noon?", "Omar: Not today, please.", "Paula: Do it."),
        ("Nina: What if we open at noon?", "Nina: Only a thought, never mind.", "Omar: Done."),
        ("Nina: The door is red.", "Omar: Do it."),
        ("Nina: Posters or flyers?", "Omar: Flyers.", "Paula: Posters."),
        ("Nina: Posters or flyers?", "Omar: Mm-hmm.", "Paula: Mm-hmm."),
        ("Nina: Posters or flyers?", "Omar: Yes.", "Paula: Yes."),
        ("Nina: Shall we move the fair to autumn?", "Omar: Yes."),
        ("Nina: Shall we hire a band?", "Omar: Too expensive.", "Paula: Yes, too expensive."),
        ("Nina: How far are we with the tent?", "Omar: It stays in the garage until Friday."),
        ("Nina: Could we move the cars?", "Omar: The cars are in the lane already. Done."),
        ("Nina: No parking before ten o'clock is what the sign says.", "Omar: Okay."),
        ("Nina: What I'd accept is the garden.", "Omar: So what does the garden cost?"),
        ("Nina: The choir stays at the inn.", "Omar: Nice."),
        ("Nina: No sales before the tenth of May.", "Omar: No, that is too late."),
        ("Nina: Then we open the shop on April tenth.", "Omar: No, wait."),
        ("Nina: We can't decide that today.", "Omar: Pity."),
        ("Nina: Anything else?", "Omar: I can take Sundays.", "Nina: Deal. That leaves Monday."),
    ],
)
def test_an_option_not_taken_up_is_none(lines: tuple[str, ...]) -> None:
    assert extracted(meeting(*lines), "decision") == []


def test_scratch_that_about_another_thing_leaves_a_decision() -> None:
    lines = ("Nina: Could the choir use the side door?", "Omar: Do it.")
    words = "Paula: I had promised Elif a map of the hall. Scratch that, she has one."
    assert [i.status for i in extracted(meeting(*lines, words), "decision")] == ["open"]
    found = extracted(meeting(*lines, "Nina: Hm, scrap that."), "decision")
    assert [i.status for i in found] == ["retracted"]


def test_saying_it_again_is_no_second_decision() -> None:
    found = extracted(
        meeting(
            "Nina: Let's go with the blue poster.",
            "Omar: Agreed.",
            "Paula: And the venue?",
            "Nina: So, as I said, let's go with the blue poster.",
        ),
        "decision",
    )
    assert len(found) == 1
    assert refs(found[0]) == ["u1", "u2", "u4"]


def test_a_decision_can_be_taken_back() -> None:
    found = extracted(
        meeting(
            "Nina: Let's go with the blue poster.",
            "Omar: Fine.",
            "Nina: Hm, forget the blue poster.",
        ),
        "decision",
    )
    assert [i.status for i in found] == ["retracted"]


# Questions ------------------------------------------------------------------------------------


def test_an_answered_question_holds_the_answer() -> None:
    found = extracted(
        meeting("Nina: How many chairs do we need for the hall?", "Omar: Eighty, plus ten spare."),
        "question",
    )
    assert [(i.status, i.answer, refs(i)) for i in found] == [
        ("answered", "Eighty, plus ten spare.", ["u1", "u2"])
    ]


def test_a_corrected_answer_is_the_correction() -> None:
    found = extracted(
        meeting(
            "Nina: How many chairs do we need for the hall?",
            "Omar: Eighty. Wait, sorry. It's ninety chairs.",
        ),
        "question",
    )
    assert [i.answer for i in found] == ["It's ninety chairs."]


def test_nobody_knows_leaves_it_open() -> None:
    found = extracted(
        meeting("Nina: Does the permit cover the garden?", "Omar: No idea, honestly."), "question"
    )
    assert [(i.status, i.answer) for i in found] == [("open", None)]


def test_who_went_to_look_answers_later() -> None:
    found = extracted(
        meeting(
            "Nina: What changed in the permit?",
            "Omar: Checking.",
            "Paula: My train is late again today.",
            "Omar: Got it. They added the garden last month.",
        ),
        "question",
    )
    assert [(i.status, i.answer) for i in found] == [
        ("answered", "They added the garden last month.")
    ]


def test_a_question_that_lost_its_form_is_known_by_being_called_one() -> None:
    found = extracted(
        meeting(
            "Nina: One thing, desire permit cover the garden,", "Omar: We leave that question open."
        ),
        "question",
    )
    assert [(i.status, refs(i)) for i in found] == [("open", ["u1", "u2"])]


@pytest.mark.parametrize(
    "lines",
    [
        ("Nina: How are you?", "Omar: Fine, thanks."),
        ("Nina: Can everybody hear me?", "Omar: Yes."),
        ("Nina: Do you want to move this to Friday?", "Omar: No, no."),
        ("Nina: Any other business?", "Omar: No."),
        ("Nina: Wasn't there a permit for the garden?", "Omar: There are four."),
        ("Nina: Who does that on a Thursday?", "Omar: Me, apparently."),
        ("Nina: How many chairs do we need for the hall?", "Omar: The weather is lovely."),
    ],
)
def test_courtesy_and_talk_are_no_questions(lines: tuple[str, ...]) -> None:
    assert extracted(meeting(*lines), "question") == []


# Points, overview, languages ------------------------------------------------------------------

TALK = tuple(
    f"{who}: The {thing} budget went from {n} to {n + 3} hundred euros since the {place} opened."
    for n, (who, thing, place) in enumerate(
        itertools.product(
            ("Nina", "Omar"), ("catering", "printing", "travel"), ("museum", "harbour")
        ),
        1,
    )
)


def test_points_are_few_and_verbatim() -> None:
    found = extracted(meeting(*TALK), "point")
    assert 1 <= len(found) <= 4
    assert all(item.evidence[0].quote.rstrip(".") == item.text.rstrip(".") for item in found)


def test_the_overview_comes_at_the_end_and_names_who_spoke() -> None:
    state = meeting(*TALK)
    assert extracted(state, "overview") == []
    (item,) = extracted(state, "overview", final=True)
    assert item.text.startswith(("Nina Berg: ", "Omar Said: "))
    assert len(item.text.split()) < 100


GERMAN = (
    "Nina: Das Budget ist leider nicht genehmigt, wir müssen noch warten und dann entscheiden.",
    "Omar: Ich werde den Bericht bis Freitag schreiben und allen schicken, das mache ich gern.",
    "Paula: Wie viele Stühle brauchen wir noch für den großen Saal im Rathaus am Samstag?",
)


@pytest.mark.parametrize("language", [None, "de-DE"])
def test_a_language_the_rules_do_not_know_gives_points_and_says_so(language: str | None) -> None:
    state = meeting(*GERMAN, language=language)
    found = ExtractiveWriter().extract(state, final=False)
    assert {i.kind for i in found} <= {"point", "overview"}
    notice = next(i for i in found if i.kind == "overview")
    assert notice.text == OTHER_LANGUAGE
    assert notice.evidence[0].ref == "u1"


def test_english_talk_around_another_language_is_still_read() -> None:
    english = (
        "Paula: So, back to English for everybody, we have a lot to do before the fair opens.",
        "Omar: I will print the badges for all of us by Friday, as I said before.",
    )
    found = ExtractiveWriter().extract(meeting(*GERMAN, *english), final=False)
    assert [i.owner for i in found if i.kind == "action"] == ["Omar Said"]


# Windows and revisions ------------------------------------------------------------------------

MEETING = (
    "Nina: Good morning. How many guests have signed up for the fair?",
    "Omar: Two hundred and six.",
    "Nina: Okay, let's go with the big hall then.",
    "Paula: Agreed. I'll call the venue by Thursday.",
    "Omar: And I'll paint the whole city green.",
    "Nina: Very funny.",
    "Nina: Somebody has to print the badges.",
    "Omar: I can do that. You get them on Friday.",
    "Paula: Does the permit cover the garden?",
    "Nina: I don't know. Let's leave that question open.",
    "Omar: I will order two hundred lanyards by tomorrow.",
    "#Paula: we have lanyards in the cellar",
    "Nina: Omar, forget the lanyards.",
    "Paula: And Omar, you are away. I'll print the badges for you.",
    "Omar: Thank you.",
    "Paula: I called the venue, the hall is booked.",
)


def patched(
    state: MeetingState, writer: ExtractiveWriter, name: str, *, final: bool, ours: bool
) -> None:
    window = Window(state=state, new=(), phase="final" if final else "live", now_ms=START_MS)
    ops = asyncio.run(writer.propose(window)).ops
    if ours:
        ops = numbered(ops, state.notes)
    patch = Patch(id=name, at_ms=START_MS, author="extractive", ops=ops)
    state.notes = apply(state.notes, patch)


def written(
    lines: tuple[str, ...], cuts: set[int], *, ours: bool = False, fresh: bool = False
) -> list[NoteItem]:
    """The live items after notes were written at each cut and at the end."""
    state = meeting()
    writer = ExtractiveWriter()
    for number, body in enumerate(said(lines), 1):
        state.apply(ev.Event("m", state.last_seq + 1, 0, body))
        if number in cuts:
            patched(state, writer, f"p{number}", final=False, ours=ours)
            writer = ExtractiveWriter() if fresh else writer
    patched(state, writer, "final", final=True, ours=ours)
    return state.notes.live()


def contents(items: list[NoteItem]) -> list[tuple[object, ...]]:
    return sorted(
        (
            i.kind,
            i.text,
            i.status,
            i.owner or "",
            i.due or "",
            i.answer or "",
            tuple(e.ref for e in i.evidence),
        )
        for i in items
    )


def test_the_meeting_of_the_window_tests_has_everything() -> None:
    items = written(MEETING, set())
    assert {(i.kind, i.status) for i in items} >= {
        ("decision", "open"),
        ("action", "open"),
        ("action", "done"),
        ("action", "retracted"),
        ("question", "open"),
        ("question", "answered"),
    }


@given(cuts=st.sets(st.integers(1, len(MEETING))), ours=st.booleans(), fresh=st.booleans())
def test_any_cut_into_windows_gives_the_same_items(cuts: set[int], ours: bool, fresh: bool) -> None:
    assert contents(written(MEETING, cuts, ours=ours, fresh=fresh)) == contents(
        written(MEETING, set())
    )


@given(cuts=st.sets(st.integers(1, len(MEETING))))
def test_ids_follow_from_the_words(cuts: set[int]) -> None:
    by_id = {i.id: i.text for i in written(MEETING, cuts)}
    assert by_id == {i.id: i.text for i in written(MEETING, set())}


def test_an_item_keeps_its_id_while_it_changes() -> None:
    state = meeting()
    writer = ExtractiveWriter()
    names: dict[str, set[str]] = {}
    for number, body in enumerate(said(MEETING), 1):
        state.apply(ev.Event("m", state.last_seq + 1, 0, body))
        patched(state, writer, f"p{number}", final=False, ours=True)
        for item in state.notes.live():
            if item.kind == "action":
                names.setdefault(item.text, set()).add(item.id)
    assert all(len(ids) == 1 for ids in names.values())


def test_nothing_new_proposes_nothing() -> None:
    state = meeting(*MEETING)
    writer = ExtractiveWriter()
    patched(state, writer, "p1", final=False, ours=True)
    window = Window(state=state, new=(), phase="live", now_ms=START_MS)
    assert asyncio.run(writer.propose(window)).ops == ()


def test_every_item_is_verified_by_its_words() -> None:
    state = meeting(*MEETING)
    words = {**state.utterances, **state.messages}
    for item in ExtractiveWriter().extract(state, final=True):
        assert verify(item, words=words, roster=ROSTER, zone="UTC").reasons == (), item


def revised(state: MeetingState, ref: str, **changes: object) -> None:
    old = state.utterances[ref]
    new = msgspec.structs.replace(old, revision=old.revision + 1, **changes)
    state.apply(ev.Event("m", state.last_seq + 1, 0, ev.UtteranceSaid(utterance=new)))


def test_corrected_words_are_read_anew() -> None:
    state = meeting("Omar: I'll print the badges by Friday.")
    writer = ExtractiveWriter()
    patched(state, writer, "p1", final=False, ours=True)
    revised(state, "u1", text="I'll print the badges by Monday.")
    patched(state, writer, "p2", final=False, ours=True)
    (item,) = [i for i in state.notes.live() if i.kind == "action"]
    assert (item.due, item.evidence[0].revision) == ("2026-03-09", 2)


def test_deleted_words_leave_nothing() -> None:
    state = meeting("Omar: I'll print the badges by Friday.")
    writer = ExtractiveWriter()
    patched(state, writer, "p1", final=False, ours=True)
    revised(state, "u1", deleted=True)
    patched(state, writer, "p2", final=False, ours=True)
    assert [i for i in state.notes.live() if i.kind == "action"] == []


# Others' items --------------------------------------------------------------------------------


def test_what_a_model_or_a_person_already_noted_is_not_noted_again() -> None:
    state = meeting("Omar: I'll print the badges by Friday.")
    (found,) = extracted(state, "action")
    theirs = msgspec.structs.replace(found, id="n1", text="Badges", author="person")
    assert difference([theirs], [found]) == ()


def test_locked_fields_and_merged_items_are_left_alone() -> None:
    (found,) = extracted(meeting("Omar: I'll print the badges by Friday."), "action")
    edited = msgspec.structs.replace(found, id="n1", text="My words", locked=("text",))
    assert difference([edited], [found]) == ()
    merged = msgspec.structs.replace(found, id="n1", text="Old", merged_into="n7")
    assert difference([merged], [found]) == ()
    assert difference([edited], []) == ()


def test_what_was_held_back_as_unproven_is_not_brought_back() -> None:
    (found,) = extracted(meeting("Omar: I'll print the badges by Friday."), "action")
    held = msgspec.structs.replace(found, id="n1", status="rejected")
    assert difference([held], [found]) == ()


def test_differences_are_operations_on_the_items_own_ids() -> None:
    (found,) = extracted(meeting("Omar: I'll print the badges by Friday."), "action")
    old = msgspec.structs.replace(found, id="n1", due=None)
    (op,) = difference([old], [found])
    assert op == Update("n1", {"due": "2026-03-06"})
    assert difference([], [found]) == (Add(found),)
    assert difference([old], []) == (Retract("n1", status="rejected"),)
    notes = Notes(items={"n1": old})
    after = apply(notes, Patch(id="p", at_ms=0, author="extractive", ops=(op,)))
    assert difference(after.items.values(), [found]) == ()


def test_an_empty_meeting_has_no_notes() -> None:
    assert ExtractiveWriter().extract(replay([]), final=True) == []
