"""`rtms-notes corrections`: a list, and taking back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.base.clock import SystemClock
from pipeline.base.ids import RandomIds
from pipeline.cli.app import app
from pipeline.model import events as ev
from pipeline.model.notes import Add, Evidence, NoteItem, Patch
from pipeline.model.speech import Correction, Utterance
from pipeline.store.reader import Reader
from pipeline.store.store import Store

T0 = 1_790_000_000_000

UTTERANCES = (
    Utterance(
        id="u1",
        stream="S",
        source="local",
        start_ms=T0,
        end_ms=T0 + 900,
        text="Hi Priya, Kubeflow is up.",
        speaker="Ada \x1b[31m",
        corrections=(
            Correction(at=3, was="Pria", now="Priya", source="roster", why="sounds the same"),
            Correction(at=10, was="cube flow", now="Kubeflow", source="glossary"),
        ),
    ),
    Utterance(
        id="u2", stream="S", source="local", start_ms=T0, end_ms=T0 + 1, text="Nothing special."
    ),
)


def stored(home: Path, utterances: tuple[Utterance, ...] = UTTERANCES) -> str:
    async def make() -> str:
        store = Store.open(home, clock=SystemClock(), ids=RandomIds())
        try:
            log = await store.create(
                ev.MeetingOpened(product="meeting", zoom_id="Z==", started_ms=T0),
                *(ev.UtteranceSaid(utterance=utterance) for utterance in utterances),
            )
            return log.meeting
        finally:
            await store.close()

    return asyncio.run(make())


def call(*arguments: str, home: Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["corrections", *arguments, "--home", str(home)])
    return result.exit_code, result.stdout, result.stderr


def test_they_are_listed(tmp_path: Path) -> None:
    meeting = stored(tmp_path)
    code, text, _ = call(meeting[:6], home=tmp_path)
    assert code == 0
    assert "\x1b[31m" not in text
    lines = [line.split() for line in text.splitlines()]
    assert [line[0] for line in lines[1:]] == ["u1:1", "u1:2"]
    assert lines[1][-3:] == ["Pria", "Priya", "roster"]


def test_one_is_taken_back_and_stays_listed(tmp_path: Path) -> None:
    meeting = stored(tmp_path)
    code, text, _ = call(meeting, "--undo", "u1:2", home=tmp_path)
    assert (code, text) == (0, "u1 is now: Hi Priya, cube flow is up.\n")
    utterance = Reader.open(tmp_path).state(meeting).utterances["u1"]
    assert (utterance.text, utterance.revision) == ("Hi Priya, cube flow is up.", 2)
    _, text, _ = call(meeting, "--json", home=tmp_path)
    rows = json.loads(text)
    assert [(row["id"], row["undone"]) for row in rows] == [("u1:1", False), ("u1:2", True)]
    code, text, _ = call(meeting, "--undo", "u1", "--json", home=tmp_path)
    assert code == 0
    assert all(row["undone"] for row in json.loads(text))
    assert Reader.open(tmp_path).state(meeting).utterances["u1"].text == "Hi Pria, cube flow is up."


@pytest.mark.parametrize(
    ("undo", "said"),
    [
        ("u2", "u2 has no correction to take back"),
        ("u1:3", "u1 has no correction 3 to take back"),
        ("u9", "has no utterance 'u9'"),
        ("u1:x", "write UTTERANCE or UTTERANCE:N"),
        ("u1:0", "write UTTERANCE or UTTERANCE:N"),
    ],
)
def test_what_cannot_be_taken_back_is_one_line(tmp_path: Path, undo: str, said: str) -> None:
    meeting = stored(tmp_path)
    code, text, error = call(meeting, "--undo", undo, home=tmp_path)
    assert (code, text) == (1, "")
    assert said in error
    assert error.count("\n") == 1


def test_a_meeting_without_any(tmp_path: Path) -> None:
    meeting = stored(tmp_path, UTTERANCES[1:])
    assert call(meeting, home=tmp_path)[1] == "no word of this meeting was corrected\n"
    assert json.loads(call(meeting, "--json", home=tmp_path)[1]) == []


def test_while_the_service_runs_it_says_who_writes(tmp_path: Path) -> None:
    meeting = stored(tmp_path)

    async def while_open() -> tuple[int, str, str]:
        store = Store.open(tmp_path, clock=SystemClock(), ids=RandomIds())
        try:
            return await asyncio.to_thread(call, meeting, "--undo", "u1", home=tmp_path)
        finally:
            await store.close()

    code, _, error = asyncio.run(while_open())
    assert code == 1
    assert "writes here" in error
    assert call(meeting, home=tmp_path)[0] == 0


def test_notes_that_cite_a_corrected_word_say_when_it_is_taken_back(tmp_path: Path) -> None:
    meeting = stored(tmp_path)

    async def note() -> None:
        store = Store.open(tmp_path, clock=SystemClock(), ids=RandomIds())
        cited = Evidence(
            ref="u1",
            revision=1,
            quote="Kubeflow is up",
            start_ms=T0,
            end_ms=T0 + 900,
            speaker="Ada",
        )
        item = NoteItem(id="n1", kind="point", text="Kubeflow is up", evidence=(cited,))
        patch = Patch(id="final", at_ms=T0, author="extractive", ops=(Add(item),), phase="final")
        await store.log(meeting).append(ev.NotesPatched(patch=patch, covered_seq=3))
        await store.close()

    asyncio.run(note())
    assert call(meeting, "--undo", "u1:2", home=tmp_path)[0] == 0
    check = Reader.open(tmp_path).state(meeting).notes.items["n1"].check
    assert check.state == "unverified"
    assert "u1 was corrected after it was cited" in check.reasons
    assert 'the words "Kubeflow is up" are not in u1' in check.reasons
