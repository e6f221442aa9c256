"""The matching rule, the replay through the real stage, and what the command prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import NotFound
from pipeline.cli import evaluate
from pipeline.evaluate.cases import Case, Gold, load
from pipeline.evaluate.replay import replay
from pipeline.evaluate.score import Score, compare, total
from pipeline.model.notes import Evidence, Kind, NoteItem, Status
from pipeline.summarize.extract import ExtractiveWriter
from tests.unit.test_evaluate_cases import SCRIPT, script, write


def case_of(*gold: Gold) -> Case:
    return Case(
        name="c",
        title="C",
        zone="UTC",
        started_ms=0,
        ended_ms=1,
        participants=(),
        utterances=(),
        messages=(),
        turn_of={f"u{n}": f"t{n}" for n in range(1, 10)},
        gold=gold,
    )


def gold(*turns: str, text: str = "gold", owner: str | None = None, due: str | None = None) -> Gold:
    return Gold(kind="action", text=text, turns=turns, owner=owner, due=due)


def item(
    name: str, *refs: str, kind: Kind = "action", status: Status = "open", owner: str | None = None
) -> NoteItem:
    evidence = tuple(Evidence(ref=r, revision=1, quote="", start_ms=0, end_ms=0) for r in refs)
    return NoteItem(id=name, kind=kind, text=name, evidence=evidence, status=status, owner=owner)


def test_a_match_needs_the_kind_and_a_common_turn() -> None:
    case = case_of(gold("t1", "t2"))
    assert compare(case, [item("a", "u2")])["action"].score == Score(
        right=1, status_right=1, owner_right=1, due_right=1
    )
    assert compare(case, [item("a", "u3")])["action"].score == Score(false=1, missed=1)
    wrong_kind = compare(case, [item("a", "u1", kind="decision")])
    assert wrong_kind["action"].score == Score(missed=1)
    assert wrong_kind["decision"].score == Score(false=1)


def test_each_item_is_matched_once_the_closest_first() -> None:
    case = case_of(gold("t1", text="one"), gold("t1", "t2", text="two"))
    found = compare(case, [item("a", "u1", "u2"), item("b", "u1")])["action"]
    assert {m.gold.text: m.item.id for m in found.matches} == {"one": "b", "two": "a"}
    again = compare(case, [item("a", "u1"), item("b", "u1"), item("c", "u1")])["action"]
    assert (again.score.right, again.score.false, again.score.missed) == (2, 1, 0)


def test_owner_due_and_status_are_reported_not_required() -> None:
    case = case_of(gold("t1", owner="Nina", due="2026-03-06"))
    (match,) = compare(case, [item("a", "u1", status="done", owner="Omar")])["action"].matches
    assert (match.status, match.owner, match.due) == (False, False, False)


def test_what_nobody_is_shown_does_not_count_and_what_is_retracted_does() -> None:
    case = case_of()
    assert compare(case, [item("a", "u1", status="rejected")])["action"].score == Score()
    assert compare(case, [item("a", "u1", status="retracted")])["action"].score == Score(false=1)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_figures_stay_between_nothing_and_one(right: int, false: int, missed: int) -> None:
    score = Score(right=right, false=false, missed=missed)
    assert 0 <= score.f1 <= 1
    assert min(score.precision, score.recall) <= score.f1 + 1e-9
    assert (score.precision == 1) == (false == 0)
    assert total([])["action"] == Score()
    assert score + Score(right=1) == Score(right=right + 1, false=false, missed=missed)


async def test_the_replay_runs_the_real_stage(tmp_path: Path) -> None:
    case = load(write(tmp_path, SCRIPT))
    state = await replay(case, ExtractiveWriter())
    assert state.final
    found = compare(case, state.notes.items.values())
    assert found["action"].score == Score(right=1, status_right=1, owner_right=1, due_right=1)
    (match,) = found["action"].matches
    assert match.item.check.state == "verified"


async def test_the_bundled_meeting_is_perfect() -> None:
    case = load(Path(__file__).parents[2] / "prompts" / "cases" / "bundled.yaml")
    state = await replay(case, ExtractiveWriter())
    for kind, result in compare(case, state.notes.items.values()).items():
        count = sum(gold.kind == kind for gold in case.gold)
        assert result.score.right == result.score.status_right == count, kind
        assert (result.score.false, result.score.missed) == (0, 0), kind
        if kind == "action":
            assert (result.score.owner_right, result.score.due_right) == (count, count)
    assert all(i.check.state == "verified" for i in state.notes.live())


def test_the_command_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, SCRIPT)
    evaluate.notes(folder=tmp_path, json=False)
    out = capsys.readouterr().out
    assert "fair" in out
    assert "action" in out
    assert "all" in out


def test_the_command_prints_json_with_misses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = script()
    data["gold"]["questions"] = [{"text": "When?", "evidence": ["t1"], "status": "open"}]
    data["gold"]["actions"][0]["due"] = "2026-03-09"
    (tmp_path / "fair.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    evaluate.notes(folder=tmp_path, json=True)
    answer = json.loads(capsys.readouterr().out)
    assert answer["total"]["action"]["precision"] == 1.0
    assert answer["total"]["action"]["due_right"] == 0
    assert answer["cases"][0]["missed"] == [{"kind": "question", "text": "When?", "turns": ["t1"]}]
    evaluate.notes(folder=tmp_path, json=False)
    out = " ".join(capsys.readouterr().out.split())
    assert "missed question: 'When?' t1" in out
    assert "due of action 'Print the badges': 2026-03-06, not 2026-03-09" in out


def test_the_command_refuses_a_folder_without_cases(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no cases here"):
        evaluate.notes(folder=tmp_path, json=True)
