"""Every way an item can fail to follow from its words, and none where it does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.notes import Evidence, NoteItem
from pipeline.model.speech import Message, Utterance
from pipeline.summarize.numbers import unsaid, values_said
from pipeline.summarize.quotes import locate
from pipeline.summarize.verify import findings, has_lost_its_words, refreshed, verify
from pipeline.summarize.writer import Spoken

ZONE = "Europe/London"
TUESDAY = 1_795_514_400_000  # 2026-11-24 10:00 in London
ROSTER = ("Anna Miller", "Mark Jensen", "David Reed", "Tom Carter")


def said(ref: str, speaker: str | None, text: str, **fields: Any) -> Utterance:
    at = TUESDAY + int(ref[1:]) * 10_000
    return Utterance(
        id=ref,
        stream="s",
        source="native",
        start_ms=at,
        end_ms=at + 5_000,
        text=text,
        speaker=speaker,
        participant=speaker,
        **fields,
    )


LINES: tuple[Spoken, ...] = (
    said("u1", "Mark Jensen", "Agreed. I will call the school and book the oven by Thursday."),
    said("u2", "David Reed", "Four hundred and twelve, as of this morning."),
    said("u3", "Anna Miller", "Tom, can you order the tins by tomorrow?"),
    said("u4", "Tom Carter", "I will write to the customers by the"),
    said("u5", "Tom Carter", "first of December."),
    said("u6", "Anna Miller", "Petra will print the labels."),
    said("u7", "Anna Miller", "It was deleted.", deleted=True, revision=2),
    said("u8", "Anna Miller", "Heard by the other engine.", role="comparison"),
    said("u9", "Anna Miller", "We meet at eleven forty in room three."),
    Message(
        id="c1", stream="s", at_ms=TUESDAY, text="Ask Petra Lang, 28 euros", speaker="Tom Carter"
    ),
    Message(
        id="c2",
        stream="s",
        at_ms=TUESDAY,
        text="Form: https://Forms.example.org/a?b=1, questions to petra@example.org",
        speaker="Tom Carter",
    ),
    said("u10", "Anna Miller", "Put it on bakery dot example dot org, please."),
    said("u11", "Anna Miller", "Will, mark your calendar. I will do the same."),
)
WORDS = {line.id: line for line in LINES}


def cite(ref: str, quote: str = "", **fields: Any) -> Evidence:
    line = WORDS.get(ref)
    values: dict[str, Any] = {
        "ref": ref,
        "revision": line.revision if line else 1,
        "quote": quote,
        "start_ms": 0,
        "end_ms": 0,
        "speaker": line.speaker if line else None,
    }
    return Evidence(**(values | fields))


def item(text: str, *evidence: Evidence, kind: Any = "action", **fields: Any) -> NoteItem:
    return NoteItem(id="n1", kind=kind, text=text, evidence=evidence, **fields)


def kinds(note: NoteItem) -> set[str]:
    found = findings(note, words=WORDS, roster=ROSTER, zone=ZONE)
    check = verify(note, words=WORDS, roster=ROSTER, zone=ZONE)
    assert (check.state == "verified") == (not found)
    assert all("\n" not in reason for reason in check.reasons)
    return {f.kind for f in found}


BOOK = cite("u1", "I will call the school")


@pytest.mark.parametrize(
    "note",
    [
        item(
            "Call the school", BOOK, owner="Mark Jensen", due="2026-11-26", due_text="by Thursday"
        ),
        item("Call the school by Thursday", BOOK, owner="Mark Jensen", due="2026-11-26"),
        item("Call the school by 26 November", BOOK, owner="Mark Jensen", due="2026-11-26"),
        item("Call the school by 2026-11-26", BOOK, owner="Mark Jensen", due="2026-11-26"),
        item("Call", cite("u1", "i will CALL the school, and book"), owner="Mark Jensen"),
        item("412 orders came in", cite("u2"), kind="point"),
        item("Mark calls the school", BOOK),
        item("Order the tins", cite("u3"), owner="Tom Carter", due="2026-11-25"),
        item(
            "Write to the customers",
            cite("u4", "I will write to the customers by the"),
            cite("u5", "first of December"),
            owner="Tom Carter",
            due="2026-12-01",
            due_text="by the first of December",
        ),
        item("Print the labels for 28 euros", cite("c1"), owner="Petra Lang"),
        item("The meeting is at 11:40 in room 3", cite("u9"), kind="point"),
        item("Fill in https://forms.example.org/a?b=1.", cite("c2")),
        item("Questions to petra@example.org, form on forms.example.org", cite("c2")),
        item("Put it on bakery.example.org", cite("u10")),
        item("Call the school, e.g. on the phone, i.e. book", BOOK),
        item("Orders reached 412 overnight", cite("u2"), kind="point"),
        item("Will to mark the calendar", cite("u11")),
    ],
)
def test_what_was_said_is_verified(note: NoteItem) -> None:
    assert kinds(note) == set()


@pytest.mark.parametrize(
    ("note", "kind"),
    [
        (item("Call the school"), "no_evidence"),
        (item("Call the school", cite("u99")), "unknown_ref"),
        (item("Call the school", cite("u7")), "deleted_ref"),
        (item("Call the school", cite("u8")), "hidden_ref"),
        (item("Call", cite("u1", "I will call", revision=2)), "revised_ref"),
        (item("Call", cite("u1", "I will call", speaker="Anna Miller")), "speaker"),
        (item("Call", cite("u1", "I will phone the school")), "quote"),
        (item("Call the school", BOOK, owner="Anna Miller"), "owner"),
        (item("Call the school", BOOK, owner="Zoe Quist"), "owner"),
        (item("Order tins", cite("u3"), owner="Anna Miller"), "owner"),
        (item("Print labels", cite("u6"), owner="Petra"), "owner_as_heard"),
        (item("Call", BOOK, owner_candidates=("Tom Carter", "Tom Weber")), "owner_ambiguous"),
        (item("Call", BOOK, due="2026-12-24"), "due"),
        (item("Call", BOOK, due="soon"), "due"),
        (item("Call", BOOK, due="2026-11-26", due_text="by Christmas"), "due"),
        (item("Order", cite("u2"), due="2026-11-27"), "due"),
        (item("Call the school by Friday", BOOK), "date"),
        (item("Call the school by 24 December", BOOK), "date"),
        (item("Call the school twice: 3 ovens", BOOK), "number"),
        (item("421 orders came in", cite("u2")), "number"),
        (item("The meeting is at 11:45", cite("u9")), "number"),
        (item("Four hundred and thirty orders", cite("u2")), "number"),
        (item("David agreed to call the school", BOOK), "name"),
        (item("Mark agreed to order the tins", cite("u3")), "name"),
        (item("Mark will order tins", cite("u3")), "name"),
        (item("Call the school, see https://evil.example/x", BOOK), "address"),
        (item("Call the school, see evil.example", BOOK), "address"),
        (item("Call the school, write to school@evil.example", BOOK), "address"),
        (item("Form: https://forms.example.org/other", cite("c2")), "address"),
        (item("Form: https://forms.example.org.evil.example/a?b=1", cite("c2")), "address"),
        (item("Form on ample.org", cite("c2")), "address"),
        (item("Form", cite("c2"), kind="question", answer="at evil.example"), "address"),
        (item("Transfer everything to offshore accounts", BOOK), "unrelated"),
        (item("Open question", BOOK, kind="question", answer="It costs 90 euros"), "number"),
    ],
)
def test_what_was_not_said_is_flagged(note: NoteItem, kind: str) -> None:
    assert kinds(note) == {kind}


def test_reasons_are_lines_a_person_understands() -> None:
    note = item("421 tins", BOOK, owner="Zoe Quist", due="2026-12-24")
    check = verify(note, words=WORDS, roster=ROSTER, zone=ZONE)
    assert check.reasons == (
        "Zoe Quist is neither in the meeting nor in the cited words",
        "the date 2026-12-24 does not follow from the cited words",
        "the number 421 is not in the cited words",
    )


def test_a_date_is_that_of_the_meetings_zone() -> None:
    late = 1_795_564_800_000  # 2026-11-25 00:00 UTC, still Tuesday in New York
    line = Utterance(
        id="u1",
        stream="s",
        source="native",
        start_ms=late,
        end_ms=late,
        text="I do it by tomorrow.",
        speaker="Tom Carter",
    )
    note = item("Do it", cite("u1", "I do it", speaker="Tom Carter"), due="2026-11-25")
    words = {"u1": line}
    assert verify(note, words=words, roster=ROSTER, zone="America/New_York").state == "verified"
    assert verify(note, words=words, roster=ROSTER, zone="UTC").state == "unverified"


def test_a_name_that_is_a_word_proves_nothing_at_the_start() -> None:
    assert kinds(item("Mark the boxes", cite("u3"), kind="point")) == set()
    assert kinds(item("The boxes go to Mark", cite("u3"), kind="point")) == {"name"}


def test_will_in_the_words_does_not_name_will() -> None:
    note = item("Will agreed to call the school", BOOK)
    found = findings(note, words=WORDS, roster=(*ROSTER, "Will Smith"), zone=ZONE)
    assert [f.kind for f in found] == ["name"]
    named = item("Will agreed to mark the calendar", cite("u11"))
    assert findings(named, words=WORDS, roster=(*ROSTER, "Will Smith"), zone=ZONE) == []


def test_a_correction_that_keeps_the_words_is_followed() -> None:
    line = msgspec.structs.replace(
        LINES[0], revision=2, text="Agreed! I will call the school, then book the oven by Thursday."
    )
    words = {**WORDS, "u1": line}
    note = item("Call the school", BOOK, owner="Mark Jensen")
    assert {f.kind for f in findings(note, words=words, roster=ROSTER, zone=ZONE)} == {
        "revised_ref"
    }
    fresh = refreshed(note, words)
    assert fresh.evidence[0].revision == 2
    assert findings(fresh, words=words, roster=ROSTER, zone=ZONE) == []


def test_a_correction_that_changes_the_words_is_flagged() -> None:
    line = msgspec.structs.replace(LINES[0], revision=2, text="Agreed. I might call the bakery.")
    words = {**WORDS, "u1": line}
    fresh = refreshed(item("Call the school", BOOK, owner="Mark Jensen"), words)
    assert fresh.evidence[0].revision == 1
    found = {f.kind for f in findings(fresh, words=words, roster=ROSTER, zone=ZONE)}
    assert found == {"revised_ref", "quote"}


def test_an_item_all_of_whose_words_are_gone_is_known() -> None:
    assert has_lost_its_words(item("x", cite("u7")), WORDS)
    assert not has_lost_its_words(item("x", cite("u7"), cite("u1")), WORDS)
    assert not has_lost_its_words(item("x"), WORDS)


@given(text=st.text(max_size=200), owner=st.text(max_size=30), due=st.text(max_size=12))
def test_nothing_a_model_writes_breaks_it(text: str, owner: str, due: str) -> None:
    note = item(text, cite("u1", text), cite(owner, due), owner=owner, due=due, due_text=text)
    assert verify(note, words=WORDS, roster=ROSTER, zone=ZONE).state in ("verified", "unverified")


# -- quotes ---------------------------------------------------------------------------------


@given(text=st.text(max_size=80), cut=st.tuples(st.integers(0, 80), st.integers(0, 80)))
def test_a_text_is_found_in_itself(text: str, cut: tuple[int, int]) -> None:
    span = locate(text, text)
    if span is not None:
        assert locate(text[slice(*span)], text) == span
    words = text.split()
    quote = " ".join(words[min(cut) : max(cut)])
    if any(c.isalnum() for c in quote) and "..." not in quote and "\u2026" not in quote:
        assert locate(quote, text) is not None


@pytest.mark.parametrize(
    ("quote", "text", "found"),
    [
        ("i will call", "Agreed. I will, call the school", "I will, call"),
        ("dont know", "I don\u2019t know.", "don\u2019t know"),
        ("cafe", "The caf\u00e9 opens", "caf\u00e9"),
        ("I will ... by Thursday", "I will call them by Thursday.", "I will call them by Thursday"),
        ("\u4e88\u7b97", "\u4eca\u5e74\u306e\u4e88\u7b97\u306f", "\u4e88\u7b97"),
        ("art", "start", None),
        ("by Thursday ... I will", "I will call them by Thursday.", None),
        ("", "anything", None),
        ("...", "anything", None),
    ],
)
def test_quotes_are_found_literally(quote: str, text: str, found: str | None) -> None:
    span = locate(quote, text)
    assert (span and text[slice(*span)]) == found


# -- numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ("412 boxes", "four hundred and twelve, as of this morning"),
        ("at 11:40", "at eleven forty"),
        ("eleven forty", "11:40"),
        ("11:05", "eleven oh five"),
        ("10:30", "half past ten"),
        ("4:45", "a quarter to five"),
        ("18:00", "tonight at six"),
        ("6 pm", "18:00"),
        ("1200", "twelve hundred euros"),
        ("twelve hundred", "1,200"),
        ("1.200 Euro", "1200 Euro"),
        ("5%", "five percent"),
        ("the 23rd", "the twenty-third of May"),
        ("2.5 million", "two and a half million"),
        ("2,500,000", "two point five million"),
        ("$90k", "ninety thousand dollars"),
        ("in 2026", "twenty twenty six"),
        ("Q3", "the third quarter"),
        ("24 tins", "two dozen tins"),
        ("34", "thirty four"),
        ("half of it", "fifty percent"),
        ("5551234", "five five five one two three four"),
        ("the first thing", "nothing at all"),
        ("one of us", "nobody here"),
    ],
)
def test_numbers_are_compared_as_values(claim: str, words: str) -> None:
    assert unsaid(claim, values_said([words])) == []


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ("421", "four hundred and twelve"),
        ("11:45", "eleven forty"),
        ("6%", "five percent"),
        ("3 million", "three thousand"),
        ("Q4", "the third quarter"),
        ("thirty", "thirteen"),
        ("12", "one, two"),
        ("26", "twenty. Six people came"),
    ],
)
def test_other_numbers_are_not_the_same(claim: str, words: str) -> None:
    assert unsaid(claim, values_said([words])) != []


UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    " fifteen sixteen seventeen eighteen nineteen"
)
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety"


def in_words(number: int) -> str:
    units, tens = UNITS.split(), TENS.split()
    if number < 20:
        return units[number]
    if number < 100:
        return tens[number // 10] + (f"-{units[number % 10]}" if number % 10 else "")
    if number < 1000:
        rest = f" and {in_words(number % 100)}" if number % 100 else ""
        return f"{units[number // 100]} hundred{rest}"
    scale, name = (1_000_000, "million") if number >= 1_000_000 else (1000, "thousand")
    rest = f" {in_words(number % scale)}" if number % scale else ""
    return f"{in_words(number // scale)} {name}{rest}"


@given(number=st.integers(3, 999_999_999))
def test_any_number_is_the_same_in_words_and_digits(number: int) -> None:
    assert unsaid(f"{number} boxes", values_said([f"we sold {in_words(number)} boxes"])) == []
    assert unsaid(f"{number:,} boxes", values_said([f"we sold {in_words(number)} boxes"])) == []
    assert unsaid(f"we sold {in_words(number)}", values_said([f"{number} of them"])) == []


@given(number=st.integers(3, 9_999), other=st.integers(3, 9_999))
def test_another_number_never_passes_in_digits(number: int, other: int) -> None:
    passes = unsaid(f"{number} boxes", values_said([f"we have {other} boxes"])) == []
    assert passes == (number == other)


@given(text=st.text())
def test_any_text_has_numbers_or_none(text: str) -> None:
    assert isinstance(unsaid(text, values_said([text])), list)
    assert unsaid(text, values_said([text])) == []
