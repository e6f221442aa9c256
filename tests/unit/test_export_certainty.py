"""How certain a name and a word are, in words for people."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.export.beside import recording_line
from pipeline.export.certainty import Piece, doubt_line, how_sure, named, pieces
from pipeline.export.escape import clean
from pipeline.export.formats import FORMATS
from pipeline.export.times import Times
from pipeline.model import events as ev
from pipeline.model.speech import Correction, Recording, Utterance
from pipeline.model.state import MeetingState

START = 1_795_514_400_000
WORDS = Utterance(
    id="u1",
    stream="s",
    source="local",
    start_ms=START + 1_000,
    end_ms=START + 2_000,
    text="we run Kubeflow on Monday",
    participant="1",
    speaker="Anna",
)
KUBEFLOW = Correction(at=7, was="cube flow", now="Kubeflow", source="glossary")


def like(**fields: Any) -> Utterance:
    return msgspec.structs.replace(WORDS, **fields)


def markdown(*utterances: Utterance) -> str:
    opened = ev.MeetingOpened(product="meeting", zoom_id="z", started_ms=START, engine="local")
    bodies: list[ev.Body] = [opened, *(ev.UtteranceSaid(utterance=u) for u in utterances)]
    events = [ev.Event("m", n, 0, body) for n, body in enumerate(bodies, 1)]
    return FORMATS["md"].render(MeetingState.replay("m", events))


@pytest.mark.parametrize(
    ("fields", "name", "why"),
    [
        ({}, "Anna", ""),
        ({"speaker": " \u200b"}, "Unknown speaker", ""),
        (
            {"attribution": "active_speaker", "speaker_confidence": 0.834},
            "Anna (probably)",
            "by who Zoom said was speaking then, 83% sure",
        ),
        (
            {"attribution": "active_speaker"},
            "Anna (probably)",
            "by who Zoom said was speaking then",
        ),
        (
            {"attribution": "unknown", "participant": None, "speaker": None},
            "Unknown speaker",
            "one sound for all, and nobody can be named with confidence",
        ),
        (
            {"attribution": "unknown"},  # never a confident wrong name, whatever stands there
            "Unknown speaker",
            "one sound for all, and nobody can be named with confidence",
        ),
    ],
)
def test_a_name_is_never_more_certain_than_it_is(
    fields: dict[str, Any], name: str, why: str
) -> None:
    assert (named(like(**fields)), how_sure(like(**fields))) == (name, why)


def test_a_doubt_says_why() -> None:
    assert doubt_line(WORDS) == ""
    assert doubt_line(like(doubt="loop")) == "may be made up: the same words again and again"
    assert doubt_line(like(doubt="new_guard")) == "may be made up: new guard"


def test_corrected_words_stand_apart() -> None:
    assert pieces(WORDS) == (Piece("we run Kubeflow on Monday"),)
    assert pieces(like(corrections=(KUBEFLOW,))) == (
        Piece("we run "),
        Piece("Kubeflow", "cube flow"),
        Piece(" on Monday"),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        msgspec.structs.replace(KUBEFLOW, undone=True),
        msgspec.structs.replace(KUBEFLOW, at=8),
        msgspec.structs.replace(KUBEFLOW, at=900),
        msgspec.structs.replace(KUBEFLOW, at=-18),
    ],
)
def test_a_correction_that_does_not_stand_there_is_not_marked(wrong: Correction) -> None:
    assert pieces(like(corrections=(wrong,))) == (Piece("we run Kubeflow on Monday"),)
    both = pieces(like(corrections=(KUBEFLOW, KUBEFLOW)))
    assert [piece.heard for piece in both] == ["", "cube flow", ""]


@given(st.text(max_size=12), st.text(min_size=1, max_size=6), st.text(max_size=12), st.text())
def test_whatever_is_corrected_the_pieces_are_the_text(
    before: str, now: str, after: str, was: str
) -> None:
    correction = Correction(at=len(before), was=was, now=now, source="roster")
    made = pieces(like(text=before + now + after, corrections=(correction,)))
    whole = "".join(piece.text for piece in made).split()
    assert whole == clean(f"x {before}{now}{after} x").split()[1:-1]


def test_markdown_says_what_is_not_certain() -> None:
    text = markdown(
        like(corrections=(KUBEFLOW,), doubt="echo"),
        like(id="u2", start_ms=START + 9_000, end_ms=START + 9_500, attribution="active_speaker"),
        like(id="u3", start_ms=START + 10_000, attribution="unknown", speaker=None),
    )
    lines = text.split("## Transcript\n\n")[1].strip().split("\n\n")
    assert lines == [
        (
            "[10:00:01] **Anna:** *(may be made up: it repeats the words that were expected)*"
            ' <a id="^u1"></a>we run Kubeflow on Monday *(Kubeflow was heard as "cube flow")* ^u1'
        ),
        '[10:00:09] **Anna (probably):** <a id="^u2"></a>we run Kubeflow on Monday ^u2',
        '[10:00:10] **Unknown speaker:** <a id="^u3"></a>we run Kubeflow on Monday ^u3',
    ]
    assert "1 line of the transcript may be made up by speech-to-text" in text


def test_markdown_names_who_talks_on_once_and_keeps_every_time_and_id() -> None:
    text = markdown(
        WORDS,
        like(id="u2", start_ms=START + 2_600, end_ms=START + 4_000, text="and on Tuesday"),
        like(id="u3", start_ms=START + 9_000, end_ms=START + 9_900, text="later"),
    )
    assert text.split("## Transcript\n\n")[1] == (
        '[10:00:01] **Anna:** <a id="^u1"></a>we run Kubeflow on Monday ^u1\n\n'
        '[10:00:02] <a id="^u2"></a>and on Tuesday ^u2\n\n'
        '[10:00:09] **Anna:** <a id="^u3"></a>later ^u3\n'
    )


def test_hostile_corrections_and_doubts_are_only_text() -> None:
    nasty = "<img src=x> **b** [l](http://e.example) `c`\n# h"
    correction = msgspec.structs.replace(KUBEFLOW, was=nasty)
    text = markdown(like(corrections=(correction,), doubt=nasty))
    body = text.split("## Transcript\n\n")[1]
    assert "<img" not in body.replace("\\<", "")
    assert "\n# h" not in body
    assert "[l]" not in body


def test_recordings_are_exported_and_said() -> None:
    recording = Recording(
        id="r1",
        stream="s",
        file="r1.flac",
        codec="flac",
        from_ms=START,
        sample_rate=16_000,
        samples=16_000 * 90,
        speaker="Anna",
        state="complete",
    )
    times = Times("UTC", START)
    assert recording_line(recording, times) == (
        "Recording of Anna from 10:00:00 (90 s, flac): recordings/r1.flac"
    )
    mixed = msgspec.structs.replace(recording, mixed=True, speaker=None, state="open")
    assert recording_line(mixed, times).startswith(
        "Recording of everybody from 10:00:00 (not complete, flac)"
    )
