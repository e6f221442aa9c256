"""Names and terms put where a near-homophone was heard, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.speech import Correction, Utterance, Word
from pipeline.transcribe.corrections import correct, undo
from pipeline.transcribe.engine import HeardWord, Transcription
from pipeline.transcribe.glossary import GlossaryLine
from pipeline.transcribe.vocabulary import Terms, Vocabulary

PEOPLE = (
    "Priya Raghunathan (she/her)",
    "Marc Dubois",
    "Catherine Schmidt",
    "Jon Andersen | Acme",
    "Siobhan O'Neill",
    "Steven Ng",
    "Luc Martin",
    "Neil Baker",
    "Sidney Poole",
    "Luis Ortega",
)
GLOSSARY = (
    *map(
        GlossaryLine,
        ("Kubeflow", "Kubernetes", "Grafana", "Terraform", "Airflow", "Project Falcon", "Vault"),
    ),
    GlossaryLine("Siobhan", ("shavon", "she vawn")),
    GlossaryLine("PostgreSQL", ("post grass",)),
)
TERMS = Vocabulary(GLOSSARY).terms(PEOPLE, 0)


def fixed(text: str, terms: Terms = TERMS, language: str | None = "en") -> str:
    return correct(Transcription(text, language), terms).transcription.text


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("Thanks, Pria. Take the cube flow upgrade?", "Thanks, Priya. Take the Kubeflow upgrade?"),
        ("I think Pria Raganathan should.", "I think Priya Raghunathan should."),
        ("We run cooper netties and Gravana.", "We run Kubernetes and Grafana."),
        ("Prya\u2019s slides are good.", "Priya\u2019s slides are good."),
        ("Ask Mark about the air flow job.", "Ask Marc about the Airflow job."),
        ("So thank you Mark", "So thank you Marc"),
        ("And now Mark will say a word.", "And now Marc will say a word."),
        ("In the terra-form repo.", "In the Terraform repo."),
        ("Kathryn Schmit will send it.", "Catherine Schmidt will send it."),
        ("project falkon is late", "Project Falcon is late"),
        ("It goes into post grass.", "It goes into PostgreSQL."),
        ("Well, Shavon said no.", "Well, Siobhan said no."),
        ("she vawn said no", "Siobhan said no"),
        ("pria can you hear me", "Priya can you hear me"),  # an engine without capitals
    ],
)
def test_a_near_homophone_of_what_is_expected_is_replaced(heard: str, meant: str) -> None:
    assert fixed(heard) == meant


@pytest.mark.parametrize(
    "text",
    [
        "We should mark this as done.",
        "Mark, this is fine.",  # may begin a sentence as a verb
        "In our Sydney office.",
        "Let us go to Sydney, then.",
        "Luke, did you look at it?",  # a common name: Luc only where he is spoken to
        "You have to kneel down.",
        "Look here, the air flows well.",
        "Six volts.",  # the glossary's Vault is an ordinary word: it would have been heard
        "You mean John Lewis?",  # somebody else
        "I think Kevin Andersson wrote it.",
        "See pria.example.com/Prya-notes.",
        "PRYA is an abbreviation.",
        "Priya and Marc use Kubeflow.",
        "",
        "\u738b\u5c0f\u660e\u8bf4\u3002",
    ],
)
def test_what_was_probably_meant_stays(text: str) -> None:
    assert correct(Transcription(text), TERMS) == correct(
        Transcription(text), Vocabulary().terms((), 0)
    )


def test_two_people_it_could_have_been_are_none() -> None:
    both = Vocabulary().terms(("Marc Dubois", "Mark Young"), 0)
    assert fixed("Hello Marck.", both) == "Hello Marck."
    assert fixed("Hello Marck.", Vocabulary().terms(("Marc Dubois",), 0)) == "Hello Marc."
    nearer = Vocabulary().terms(("Kathrin Ahl", "Catherine Berg"), 0)
    assert fixed("Hello Katherin.", nearer) == "Hello Catherine."
    assert (
        fixed("Hello Katherin.", Vocabulary().terms(("Catherine Berg",), 0)) == "Hello Catherine."
    )


def test_another_language_is_only_corrected_by_what_the_glossary_says() -> None:
    assert fixed("Prya nutzt shavon.", language="de") == "Prya nutzt Siobhan."


def test_corrections_say_what_was_heard_and_where() -> None:
    heard = Transcription("Hi Pria, the cube flow is up, Pria.", "en")
    done = correct(heard, TERMS)
    text = done.transcription.text
    assert text == "Hi Priya, the Kubeflow is up, Priya."
    assert [(c.was, c.now, c.source) for c in done.corrections] == [
        ("Pria", "Priya", "roster"),
        ("cube flow", "Kubeflow", "glossary"),
        ("Pria", "Priya", "roster"),
    ]
    assert all(text[c.at : c.at + len(c.now)] == c.now for c in done.corrections)
    assert done.corrections[1].why == "sounds the same"


def test_words_keep_their_times_and_several_become_one() -> None:
    heard = Transcription(
        "Hi Pria, the cube flow.",
        "en",
        words=(
            HeardWord("Hi", 0, 100, 0.9),
            HeardWord(" Pria,", 100, 300, 0.4),
            HeardWord("the", 300, 400),
            HeardWord("cube", 400, 600, 0.8),
            HeardWord("flow.", 600, 900, 0.5),
        ),
    )
    assert correct(heard, TERMS).transcription.words == (
        HeardWord("Hi", 0, 100, 0.9),
        HeardWord("Priya,", 100, 300, 0.4),
        HeardWord("the", 300, 400),
        HeardWord("Kubeflow.", 400, 900, 0.5),
    )


def test_words_that_are_not_those_of_the_text_stay_as_they_are() -> None:
    words = (HeardWord("something", 0, 1), HeardWord("else", 1, 2))
    done = correct(Transcription("Hi Pria.", "en", words=words), TERMS)
    assert done.transcription.text == "Hi Priya."
    assert done.transcription.words == words


@given(st.text(alphabet="abcdefghi PriaKuCmoklw.,'-\u2019\u00e9\u738b1\n", max_size=80))
def test_any_text_can_be_put_back(text: str) -> None:
    done = correct(Transcription(text), TERMS)
    back = done.transcription.text
    for made in reversed(done.corrections):
        assert back[made.at : made.at + len(made.now)] == made.now
        back = back[: made.at] + made.was + back[made.at + len(made.now) :]
    assert back == text


# -- taking back ----------------------------------------------------------------------------------


def uttered(text: str) -> Utterance:
    heard = Transcription(
        text,
        "en",
        words=tuple(HeardWord(w, n * 100, n * 100 + 90) for n, w in enumerate(text.split())),
    )
    done = correct(heard, TERMS)
    return Utterance(
        id="u1",
        stream="S",
        source="local",
        start_ms=0,
        end_ms=1_000,
        text=done.transcription.text,
        words=tuple(Word(w.text, w.start_ms, w.end_ms) for w in done.transcription.words),
        corrections=done.corrections,
    )


def test_all_of_an_utterance_are_taken_back() -> None:
    before = uttered("Hi Pria, the cube flow is up, Pria.")
    after = undo(before)
    assert after is not None
    assert after.text == "Hi Pria, the cube flow is up, Pria."
    assert after.revision == before.revision + 1
    assert [(after.text[c.at : c.at + len(c.was)], c.undone) for c in after.corrections] == [
        ("Pria", True),
        ("cube flow", True),
        ("Pria", True),
    ]
    assert [w.text for w in after.words] == "Hi Pria, the |cube flow| is up, Pria.".replace(
        " |cube flow| ", "\n"
    ).replace(" ", "\n").replace("the\n", "the\ncube flow\n").split("\n")
    assert undo(after) is None


def test_one_of_them_is_taken_back_and_the_others_keep_their_place() -> None:
    before = uttered("Hi Pria, the cube flow is up, Pria.")
    after = undo(before, 2)
    assert after is not None
    assert after.text == "Hi Priya, the cube flow is up, Priya."
    assert [c.undone for c in after.corrections] == [False, True, False]
    last = after.corrections[2]
    assert after.text[last.at :] == "Priya."
    again = undo(after, 3)
    assert again is not None
    assert again.text == "Hi Priya, the cube flow is up, Pria."
    assert [w.text for w in again.words][-1] == "Pria."
    assert [w.text for w in again.words][1] == "Priya,"
    assert undo(again, 2) is None
    assert undo(again, 4) is None


def test_a_text_that_was_edited_since_is_not_damaged() -> None:
    edited = Utterance(
        id="u1",
        stream="S",
        source="local",
        start_ms=0,
        end_ms=1,
        text="Somebody wrote this by hand.",
        corrections=(Correction(at=3, was="Pria", now="Priya", source="roster"),),
    )
    assert undo(edited) is None


# -- nothing made up ------------------------------------------------------------------------------

STRANGERS = """
Priya Raghunathan; Siobhan O'Neill; Wei Zhang; Luc Martin; Mae Carter; Katherine Schmidt; Jon
Andersen; Sidney Poole; Karin Petersen; Neil Baker; Will Ross; Rose Marsh; Grace Hall; Mark
Young; Bill Cook; Sean Murphy; Aisha Khan; Tobias Weber; Chloe Bennett; Ian Wright; Lee Chan;
Ann Price; Hugh Lane; Kay Winters; Jean Reid; Dawn Fisher; Joy Banks; Hope Wells; Faith Rhodes;
Miles Parker; Art Cole; Guy Ritchie; Pat Read; Ray Day; Max Power; Ben Towne; Dan Mann; Tim
Knight; Sam Wilde; Don Ware; Gene Meyer; Rob Bourne; Nick Steel; Jack Hughes; Chase Leigh; Wade
Moore; Robin Sparks; Terry Towel; Paige Turner; Phil Graves; Frank Green; Jordan Lake; Paris
West; Brooke Rivers; Cliff Edge; Dale Field; Penny Pound; Sandy Beech; Wanda Rinn; Eoin Daly;
Luis Ortega; Min-jun Kim; Anh Tran; Rohan Mehta; Vikram Singh; Fatima Ali; Ivan Petrov; Piotr
Nowak; Elif Demir
"""
TOOLS = """
Kubeflow Kubernetes Grafana Prometheus Terraform Ansible Kafka Airflow Datadog GitHub Jira
Confluence PostgreSQL Redis Snowflake Looker Tableau Figma Notion Slack Okta Helm Argo Flux
Vault Consul Nomad Jenkins Sentry Splunk Celery Django Flask Pandas Polars Iceberg Parquet
Segment Amplitude Stripe Plaid Asana Miro Quorum Nginx Debian Fedora
"""


@pytest.fixture(scope="module")
def strangers() -> Terms:
    """69 people and 47 tools, none of which any text here speaks of; many sound like
    ordinary words."""
    people = " ".join(STRANGERS.split()).split("; ")
    return Vocabulary(map(GlossaryLine, TOOLS.split())).terms(people, 0)


def test_the_bundled_meeting_has_no_false_correction(strangers: Terms) -> None:
    path = Path(__file__).parent / "golden" / "holiday_boxes.json"
    said = [u["text"] for u in json.loads(path.read_text())["transcript"]]
    assert len(" ".join(said).split()) > 300
    assert [fixed(text, strangers) for text in said] == said


TWO_CITIES = """
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of
foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of
Light, it was the season of Darkness, it was the spring of hope, it was the winter of despair.
"""


def test_a_book_has_no_false_correction(strangers: Terms) -> None:
    assert fixed(TWO_CITIES, strangers) == TWO_CITIES


def test_our_own_docs_have_no_false_correction(strangers: Terms) -> None:
    """Some thousands of words about meetings, full of names of things."""
    docs = Path(__file__).parents[2] / "docs"
    text = "\n\n".join(
        (docs / f"{name}.md").read_text()
        for name in ("notes", "operations", "security", "tapes", "emulator", "protocol")
    )
    assert len(text.split()) > 8_000
    made = correct(Transcription(text), strangers).corrections
    assert [(c.was, c.now) for c in made] == []
