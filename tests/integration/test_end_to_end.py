"""The main job through real sockets and processes: the bundled meeting in, notes out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from pipeline.model.notes import NoteItem
from pipeline.model.speech import Message, Utterance
from pipeline.model.state import MeetingState
from pipeline.store.reader import Reader
from tests.integration.processes import CREDENTIALS, environment, finished, needs_local_engine

CASE = yaml.safe_load(
    (Path(__file__).parents[2] / "prompts/cases/bundled.yaml").read_text(encoding="utf-8")
)


def only_meeting(home: Path) -> MeetingState:
    reader = Reader.open(home)
    try:
        [view] = reader.meetings()
        return reader.state(view.id)
    finally:
        reader.close()


def words_of(state: MeetingState) -> dict[str, Utterance | Message]:
    return {**state.utterances, **state.messages}


def assert_cites_real_words(state: MeetingState, item: NoteItem) -> None:
    words = words_of(state)
    assert item.evidence, item
    for evidence in item.evidence:
        assert evidence.quote in words[evidence.ref].text, (item, evidence)


def of_kind(state: MeetingState, kind: str) -> list[NoteItem]:
    return [item for item in state.notes.live() if item.kind == kind]


async def test_the_demo_plays_the_meeting_and_its_notes_are_right(tmp_path: Path) -> None:
    home = tmp_path / "out"
    env = environment(home)
    status, output, errors = await finished("demo", "--speed", "12", "--out", home, env=env)
    assert status == 0, errors
    state = only_meeting(home)

    said = {turn["say"] for turn in CASE["turns"] if "say" in turn}
    assert all(utterance.text in said for utterance in state.transcript())
    silent = {t["say"] for t in CASE["turns"] if t.get("id") in ("t18", "t28")}
    assert silent.isdisjoint(u.text for u in state.transcript()), "muted or lost words appeared"
    assert len(state.transcript()) == len(said) - len(silent)

    decisions = of_kind(state, "decision")
    assert len(decisions) == 2
    assert "order page" in decisions[0].text
    assert "school oven" in decisions[1].text
    actions = {(i.owner, i.due, i.status) for i in of_kind(state, "action")}
    assert actions == {
        (gold["owner"], gold["due"], gold["status"]) for gold in CASE["gold"]["actions"]
    }
    open_questions = [q for q in of_kind(state, "question") if q.status == "open"]
    assert ["insurance" in q.text for q in open_questions] == [True]
    assert [q.status for q in of_kind(state, "question")].count("answered") == 1
    for kind in ("decision", "action", "question", "point", "overview"):
        for item in of_kind(state, kind):
            assert_cites_real_words(state, item)
            assert item.author == "extractive"

    [gap] = state.missing()
    assert (gap.cause, gap.media) == ("media_lost", "all")
    assert 8_000 <= gap.to_ms - gap.from_ms <= 14_000

    [markdown] = home.glob("*.md")
    text = markdown.read_text(encoding="utf-8")
    assert "Missing:" in text
    assert "extracted, not written" in text
    assert str(markdown) in output.replace("\n", "")
    assert markdown.stat().st_mode & 0o777 == 0o600

    everything = output + errors + text
    secrets = (CREDENTIALS["ZOOM_CLIENT_SECRET"], CREDENTIALS["ZOOM_SECRET_TOKEN"])
    assert not any(secret in everything for secret in secrets)


async def test_replay_keeps_the_meeting_and_every_reader_finds_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    env = environment(home)
    bundled = Path(__file__).parents[2] / "pipeline/tapes/bundled.rtms.zst"
    status, output, errors = await finished("replay", bundled, "--speed", "16", "--json", env=env)
    assert status == 0, errors
    document = json.loads(output)
    meeting = only_meeting(home).meeting

    status, output, _ = await finished("meetings", "--json", env=env)
    assert [m["id"] for m in json.loads(output)] == [meeting]
    status, output, _ = await finished("show", meeting[:4], "--json", env=env)
    assert json.loads(output) == document
    status, output, _ = await finished("show", meeting[:4], "--transcript", env=env)
    assert "Decisions" in output
    assert "Anna Miller: " in output
    status, output, _ = await finished("search", "school oven", "--json", env=env)
    hits = json.loads(output)
    assert {"utterance", "note"} <= {hit["kind"] for hit in hits}
    status, output, _ = await finished("export", meeting, "--format", "md", env=env)
    assert output.startswith("---\n")
    status, output, errors = await finished("verify", env=env)
    assert status == 0, output + errors
    status, _, errors = await finished("rebuild", env=env)
    assert status == 0, errors
    status, output, errors = await finished("verify", env=env)
    assert status == 0, output + errors


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("replay", "nothing.rtms.zst"), "no such tape"),
        (("replay", __file__), "not a tape"),
        (("show", "zzz"), "no meetings here yet"),
        (("export", "x", "--format", "pdf"), "--format pdf"),
        (("tape", "info", __file__), "not a tape"),
        (("bench", "nonsense"), "there are"),
        (("eval", "notes", "/nonexistent"), "/nonexistent"),
        (("serve", "--stt", "telepathy"), "native"),
    ],
)
async def test_bad_input_gets_one_line(
    tmp_path: Path, words: tuple[str, ...], complaint: str
) -> None:
    status, output, errors = await finished(*words, env=environment(tmp_path / "home"))
    assert status == 1
    assert complaint in errors
    assert len(errors.strip().splitlines()) == 1
    assert output == ""


async def test_serve_without_credentials_says_which_and_where_from(tmp_path: Path) -> None:
    env = environment(tmp_path / "home", {"ZOOM_CLIENT_SECRET": ""})
    status, _, errors = await finished("serve", env=env)
    assert status == 1
    assert errors.startswith("rtms-notes: ZOOM_CLIENT_SECRET not set")


async def test_from_audio_alone_the_notes_are_found_and_misheard_names_are_not_bent(
    tmp_path: Path,
) -> None:
    needs_local_engine()
    home = tmp_path / "out"
    status, _, errors = await finished(
        *("demo", "--speed", "6", "--no-page", "--stt", "local", "--out", home),
        env=environment(home),
    )
    assert status == 0, errors
    state = only_meeting(home)
    assert {u.source for u in state.transcript()} == {"local"}
    assert state.pending == []
    assert not (home / "meetings" / state.meeting / "spool").exists() or not list(
        (home / "meetings" / state.meeting / "spool").iterdir()
    )

    decisions = [i.text.lower() for i in of_kind(state, "decision")]
    assert any("order page" in text for text in decisions), decisions
    assert any("school" in text or "eight nights" in text for text in decisions), decisions
    assert len(decisions) == 2
    questions = of_kind(state, "question")
    assert any("insurance" in q.text and q.status == "open" for q in questions), questions
    gold = {(g["owner"], g["due"], g["status"]) for g in CASE["gold"]["actions"]}
    found = {(i.owner, i.due, i.status) for i in of_kind(state, "action")}
    assert len(gold & found) >= 3, found
    roster = {p.name for p in state.participants.values()}
    for item in state.notes.live():
        assert_cites_real_words(state, item)
        if item.owner is not None and item.owner not in roster:
            assert item.check.state == "unverified", item
    assert "media_lost" in {gap.cause for gap in state.missing()}
