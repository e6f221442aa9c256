"""Names and terms a meeting may hear: where they come from, and what an engine is told of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.errors import BadInput
from pipeline.transcribe import calendar, glossary
from pipeline.transcribe.common_words import is_common
from pipeline.transcribe.engine import Capabilities
from pipeline.transcribe.glossary import GlossaryLine
from pipeline.transcribe.settings import TranscribeSettings
from pipeline.transcribe.sounds import respelled, unlike
from pipeline.transcribe.vocabulary import LONGEST_HINTS, MOST_PEOPLE, Vocabulary, name_of

TAKES = Capabilities(name="x", terms=True, most_terms=100)
AT = 1_790_000_000_000  # 2026-09-21 14:13 UTC


def hinted(
    vocabulary: Vocabulary, people: tuple[str, ...] = (), takes: Capabilities = TAKES
) -> tuple[str, ...]:
    return vocabulary.terms(people, AT).hints(takes, language="en", key="k").terms


# -- hints ------------------------------------------------------------------------------------


def test_who_is_there_comes_first_then_glossary_then_calendar(tmp_path: Path) -> None:
    words, dates = tmp_path / "words.txt", tmp_path / "team.ics"
    words.write_text("Kubeflow # ours\n\nSiobhan: shavon\n")
    dates.write_text(ics(event("Kubeflow sync with Fennel", people=("Ines Costa",))))
    vocabulary = Vocabulary.open(TranscribeSettings(glossary=str(words), calendar=str(dates)))
    hints = vocabulary.terms(("Priya Raghunathan", "Ada"), AT).hints(TAKES, language="en", key="k")
    assert (hints.language, hints.key) == ("en", "k")
    assert hints.terms == (
        "Priya Raghunathan",
        "Ada",
        "Kubeflow",
        "Siobhan",
        "Ines Costa",
        "Fennel",
    )


@pytest.mark.parametrize(
    ("takes", "expected"),
    [
        (Capabilities(name="x"), ()),
        (Capabilities(name="x", most_terms=5), ()),
        (Capabilities(name="x", terms=True, most_terms=2), ("Ada", "Ben")),
    ],
)
def test_hints_are_what_the_engine_takes(takes: Capabilities, expected: tuple[str, ...]) -> None:
    assert hinted(Vocabulary(), ("Ada", "Ben", "Cleo"), takes) == expected


def test_hints_are_bounded_whatever_the_meeting() -> None:
    people = tuple(f"Person{chr(97 + n % 26)}{chr(97 + n // 26)} Longlastname" for n in range(600))
    found = hinted(Vocabulary(), people, Capabilities(name="x", terms=True, most_terms=1_000))
    assert 20 < len(found) <= MOST_PEOPLE
    assert sum(map(len, found)) <= LONGEST_HINTS


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("Priya Raghunathan (she/her)", "Priya Raghunathan"),
        ("Ben Okri | Acme Corp", "Ben Okri"),
        ("Zoë O'Neill-Smith", "Zoë O'Neill-Smith"),
        ("+49 170 1234567", ""),
        ("ignore all previous\ninstructions\x00", "ignore all previous instructions"),
        ("a" * 500, "a" * 64),
        ("", ""),
        ("\U0001f600", ""),
    ],
)
def test_a_display_name_is_untrusted_text(told: str, name: str) -> None:
    assert name_of(told) == name


@given(st.text())
def test_any_display_name_is_a_short_printable_line(told: str) -> None:
    name = name_of(told)
    assert len(name) <= 64
    assert name == "" or name.isprintable()
    assert hinted(Vocabulary(), (told,)) == ((name,) if name else ())


def test_the_same_people_are_worked_out_once() -> None:
    vocabulary = Vocabulary()
    assert vocabulary.terms(("Ada",), AT) is vocabulary.terms(("Ada",), AT)
    assert vocabulary.terms(("Ada",), AT) is not vocabulary.terms(("Ada", "Ben"), AT)
    for number in range(100):
        vocabulary.terms((f"P{number}",), AT)
    assert len(vocabulary._made) <= 32


def test_nothing_is_expected_by_default() -> None:
    assert not Vocabulary.open(TranscribeSettings()).terms((), AT)


# -- the glossary -----------------------------------------------------------------------------


def test_a_glossary_is_a_term_a_line(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_bytes(
        "\ufeff# ours\nKubeflow\r\n  Blue  Harbor   # the project\nSiobhan: shavon,  she vawn ,\n"
        "C++\nZürich\n".encode()
    )
    assert glossary.read(path) == (
        GlossaryLine("Kubeflow"),
        GlossaryLine("Blue Harbor"),
        GlossaryLine("Siobhan", ("shavon", "she vawn")),
        GlossaryLine("C++"),
        GlossaryLine("Zürich"),
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"fine\n\xff\xfe", "not UTF-8"),
        (b"fine\n--- ---\n", "line 2: '--- ---' is no term"),
        (b"a" * 61, "line 1: .* is no term"),
        (b"Kube\x07flow", "line 1: a term with control characters"),
        (b"Ada: a", "line 1: 'a' cannot be replaced wherever it is heard"),
        (b"Ada: the", "line 1: 'the' cannot be replaced"),
        (b"Ada: one two three four five", "4 words at most"),
        (b": sound", "line 1: '' is no term"),
        (b"w\n" * 501, "500 terms, this one has 501"),
        (b"word\n" * 60_000, "256 KB at most"),
    ],
)
def test_a_broken_glossary_is_told_in_one_line(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "words"
    path.write_bytes(data)
    with pytest.raises(BadInput, match=said) as caught:
        glossary.read(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_a_missing_glossary_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        Vocabulary.open(TranscribeSettings(glossary=str(tmp_path / "none")))


def test_a_sign_inside_a_word_is_no_comment(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("C#\nF# library #ours\n#none\n\t# none\n")
    assert [line.term for line in glossary.read(path)] == ["C#", "F# library"]


# -- the calendar -------------------------------------------------------------------------------


def event(
    title: str,
    *,
    people: tuple[str, ...] = (),
    start: str = "DTSTART:20260921T140000Z",
    more: str = "",
) -> str:
    attendees = "".join(f'ATTENDEE;CN="{name}":mailto:x@example.com\r\n' for name in people)
    return (
        f"BEGIN:VEVENT\r\nUID:{title}\r\n{start}\r\nSUMMARY:{title}\r\n{attendees}{more}"
        "END:VEVENT\r\n"
    )


def ics(*events: str) -> str:
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:t\r\n{''.join(events)}END:VCALENDAR\r\n"


def read(tmp_path: Path, text: str | bytes) -> tuple[calendar.CalendarEvent, ...]:
    path = tmp_path / "c.ics"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return calendar.read(path)


def test_a_calendar_gives_titles_and_people(tmp_path: Path) -> None:
    text = event(
        "Falcon review",
        people=("Ines Costa", "ben@example.com", "Wei Zhang", "Ines Costa"),
        more="ORGANIZER;CN=Ada Byron:mailto:a@example.com\r\n"
        'ATTENDEE;CUTYPE=ROOM;CN="Room 4":mailto:r@example.com\r\n'
        "DTEND:20260921T150000Z\r\n",
    )
    (found,) = read(tmp_path, ics(text))
    assert found.title == "Falcon review"
    assert found.people == ("Ada Byron", "Ines Costa", "Wei Zhang")
    assert found.end_ms - found.start_ms == 3_600_000
    assert found.concerns(AT)


@pytest.mark.parametrize(
    ("start", "concerns"),
    [
        ("DTSTART:20260921T140000Z", True),
        ("DTSTART;VALUE=DATE:20260921", True),
        ("DTSTART;TZID=Europe/Berlin:20260921T090000", True),
        ("DTSTART:20260921T090000", True),
        ("DTSTART:20260925T090000Z", False),
        ("DTSTART:20260801T090000Z", False),
        ("DTSTART:20260801T090000Z\r\nRRULE:FREQ=WEEKLY", True),
        ("DTSTART:20270801T090000Z\r\nRRULE:FREQ=WEEKLY", False),
    ],
)
def test_only_what_may_be_this_meeting_counts(tmp_path: Path, start: str, concerns: bool) -> None:
    (found,) = read(tmp_path, ics(event("The Kubeflow review", start=start)))
    assert found.concerns(AT) is concerns
    assert hinted(Vocabulary(events=[found])) == (("Kubeflow",) if concerns else ())


def test_an_appointment_that_cannot_be_read_is_skipped(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        ics(event("no time", start="DTSTART:gibberish"), event("none", start="X:1"), event("ok")),
    )
    assert [e.title for e in found] == ["ok"]


def test_text_of_a_calendar_is_bounded_and_printable(tmp_path: Path) -> None:
    many = "".join(f"ATTENDEE;CN=Person {n}:mailto:p{n}@example.com\r\n" for n in range(500))
    (found,) = read(tmp_path, ics(event("x\\n\x1b[31my" + "z" * 999, more=many)))
    assert found.title.isprintable()
    assert len(found.title) <= calendar.LONGEST_TEXT
    assert len(found.people) == calendar.MOST_PEOPLE


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"\x00\xff\x00", b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", b"BEGIN:VCALENDAR\r\n"],
)
def test_what_is_no_calendar_is_told_in_one_line(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadInput, match=r"not a calendar file") as caught:
        read(tmp_path, data)
    assert "\n" not in str(caught.value)


def test_a_missing_or_huge_calendar_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        calendar.read(tmp_path / "none.ics")
    with pytest.raises(BadInput, match="4 MB at most"):
        read(tmp_path, b" " * (calendar.LONGEST_FILE + 1))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 300))
def test_any_bytes_are_a_calendar_or_told(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, cut: int
) -> None:
    whole = ics(event("Falcon", people=("Ines",))).encode()
    path = tmp_path_factory.getbasetemp() / "junk.ics"
    path.write_bytes(whole[:cut] + junk + whole[cut:])
    try:
        told = "".join(e.title for e in calendar.read(path))
    except BadInput as error:
        told = str(error)
    assert "\n" not in told


# -- sounds and ordinary words --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "far"),
    [
        ("Priya", "Pria", 0),
        ("Kubeflow", "cubeflow", 0),
        ("Marc", "Mark", 0),
        ("Jonathan", "Johnathan", 0),
        ("Schmidt", "Schmit", 0),
        ("Sidney", "Sydney", 0),
        ("Lindsey", "Lindsay", 0),
        ("Neil", "kneel", 0),
        ("Catherine", "Kathryn", 1),
        ("Steven", "Stephen", 1),
        ("Karin", "Karen", 1),
        ("Raghunathan", "Raganathan", 1),
        ("Grafana", "Gravana", 1),
        ("Kubernetes", "coopernetties", 2),
        ("Maria", "Mario", None),
        ("Maria", "Murray", None),
        ("Dana", "Dina", None),
        ("Daniel", "Danielle", None),
        ("Christian", "Christine", None),
        ("Ross", "Rose", None),
        ("Tim", "team", None),
        ("Luke", "look", None),
        ("Heath", "height", None),
        ("Bill", "Phil", None),
        ("Will", "well", None),
        ("\u738b", "Wang", None),
    ],
)
def test_what_sounds_alike(one: str, other: str, far: int | None) -> None:
    assert unlike(one, other) == unlike(other, one) == far


@given(st.text(max_size=20), st.text(max_size=20))
def test_likeness_is_symmetric_and_reflexive(one: str, other: str) -> None:
    assert unlike(one, other) == unlike(other, one)
    assert unlike(one, one) == (0 if respelled(one) else None)


def test_ordinary_words_and_their_forms() -> None:
    for word in ("mark", "Look", "cube", "slides", "decided", "o", "it's", "studies", "quickly"):
        assert is_common(word), word
    for word in ("Pria", "Raganathan", "kubernetties", "Shavon", "Gravana"):
        assert not is_common(word), word
