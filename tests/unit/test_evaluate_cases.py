"""Scripted meetings: what reaches the transcript, and one clear line for a bad file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.base.errors import BadInput, NotFound
from pipeline.evaluate.cases import WORDS_PER_SECOND, Case, load, load_folder
from pipeline.model import events as ev
from pipeline.model.state import MeetingState

SCRIPT: dict[str, Any] = {
    "title": "Fair",
    "kind": "planning",
    "zone": "Europe/Paris",
    "start": "2026-03-03T10:00:00",
    "participants": [
        {"id": "nina", "user_id": 11, "name": "Nina Berg"},
        {"id": "omar", "user_id": 12, "name": "Omar Said"},
    ],
    "turns": [
        {"who": "nina", "id": "t1", "say": "Good morning, we have a lot to do today."},
        {"silence": 20},
        {"join": "omar"},
        {"who": "omar", "id": "t2", "gap": -0.5, "say": "Sorry I am late."},
        {"chat": "hello", "who": "omar", "id": "c1"},
        {"mute": "omar"},
        {"who": "omar", "id": "t3", "say": "Nobody hears this."},
        {"unmute": "omar"},
        {"lost": 8},
        {"who": "nina", "id": "t4", "say": "Nobody hears that, either."},
        {"silence": 8},
        {"who": "nina", "id": "t5", "say": "I will print the badges by Friday."},
        {"leave": "omar"},
    ],
    "gold": {
        "decisions": [],
        "actions": [
            {
                "text": "Print the badges",
                "owner": "Nina Berg",
                "due": "2026-03-06",
                "evidence": ["t5"],
            }
        ],
        "questions": [],
    },
    "traps": ["t3 is muted"],
}


def write(folder: Path, data: Any, name: str = "fair.yaml") -> Path:
    file = folder / name
    file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return file


def script(**changes: Any) -> dict[str, Any]:
    return {**yaml.safe_load(yaml.safe_dump(SCRIPT)), **changes}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return load(write(tmp_path, SCRIPT))


def test_what_is_muted_or_lost_is_not_in_the_transcript(case: Case) -> None:
    assert [case.turn_of[u.id] for u in case.utterances] == ["t1", "t2", "t5"]
    assert [u.id for u in case.utterances] == ["u1", "u2", "u3"]


def test_times_follow_from_the_rate_of_speech_and_the_gaps(case: Case) -> None:
    first, second, third = case.utterances
    assert case.started_ms == 1_772_528_400_000  # ten in Paris is nine in UTC
    assert first.end_ms - first.start_ms == round(9 / WORDS_PER_SECOND * 1000)
    assert second.start_ms == first.end_ms + 20_000 - 500
    assert third.start_ms > second.end_ms + 8_000
    assert case.ended_ms == third.end_ms


def test_messages_people_and_gold(case: Case) -> None:
    assert [(m.id, m.text, m.speaker) for m in case.messages] == [("c1", "hello", "Omar Said")]
    assert case.turn_of["c1"] == "c1"
    joined = {p.name: p.joined_ms for p in case.participants}
    assert joined["Nina Berg"] == case.started_ms
    assert joined["Omar Said"] == case.utterances[0].end_ms + 20_000
    (gold,) = case.gold
    assert (gold.kind, gold.owner, gold.due, gold.status) == (
        "action",
        "Nina Berg",
        "2026-03-06",
        "open",
    )
    assert case.traps == ("t3 is muted",)


def test_events_are_a_meetings_log_in_order_of_time(case: Case) -> None:
    times = [at for at, _ in case.events]
    assert times == sorted(times)
    state = MeetingState.replay(
        "m", (ev.Event("m", n, at, body) for n, (at, body) in enumerate(case.events, 1))
    )
    assert [u.text for u in state.transcript()] == [u.text for u in case.utterances]
    assert [(g.cause, g.to_ms - g.from_ms) for g in state.missing()] == [("media_lost", 8_000)]
    assert state.participants["12"].left_ms == case.ended_ms
    assert state.ended is not None


def test_the_bundled_cases_load() -> None:
    cases = load_folder(Path(__file__).parents[2] / "prompts" / "cases")
    assert len(cases) >= 7
    assert all(case.gold and case.utterances for case in cases)


def broken(*path: str | int, value: Any) -> dict[str, Any]:
    data = script()
    place: Any = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ([], "the file: needs keys"),
        (script(colour="red"), "unknown key 'colour'"),
        (script(zone="Mars/Base"), "zone: 'Mars/Base' is no IANA time zone"),
        (script(start="soon"), "start: needs a time"),
        (script(title=""), "title: needs text"),
        (script(product="fax"), "product: 'fax'"),
        (script(participants=[]), "participants: nobody"),
        (script(turns="none"), "turns: needs a list"),
        (script(gold=None), "gold: needs keys"),
        (
            broken("participants", 1, "id", value="nina"),
            "participants[1].id: 'nina' is there twice",
        ),
        (
            broken("participants", 0, "user_id", value="x"),
            "participants[0].user_id: needs a number",
        ),
        (broken("turns", 0, "who", value="eve"), "turns[0].who: 'eve' is not among"),
        (broken("turns", 0, "say", value=3), "turns[0].say: needs text"),
        (broken("turns", 0, "gap", value="long"), "turns[0].gap: needs seconds"),
        (broken("turns", 1, "silence", value=-1), "turns[1].silence: needs seconds"),
        (broken("turns", 1, value={"dance": 1}), "turns[1]: needs exactly one of"),
        (broken("turns", 3, "id", value="t1"), "turns[3].id: 't1' is there twice"),
        (broken("gold", "actions", 0, "evidence", value=["t9"]), "gold.actions[0].evidence: 't9'"),
        (broken("gold", "actions", 0, "status", value="lost"), "gold.actions[0].status"),
        (
            broken("gold", "decisions", value=[{"text": "x", "evidence": ["t1"], "due": "now"}]),
            "unknown key 'due'",
        ),
    ],
)
def test_a_bad_file_is_one_line_with_file_and_key(
    tmp_path: Path, data: Any, complaint: str
) -> None:
    file = write(tmp_path, data)
    with pytest.raises(BadInput) as caught:
        load(file)
    assert complaint in str(caught.value)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_what_is_not_yaml_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("title: x\nturns: [\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"bad\.yaml:3: is not YAML"):
        load(file)
    file.write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(BadInput, match="is not UTF-8"):
        load(file)


def test_a_folder_without_cases_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no cases here"):
        load_folder(tmp_path)
    with pytest.raises(NotFound, match="no such folder"):
        load_folder(tmp_path / "nowhere")
