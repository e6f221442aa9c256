"""Fault scripts: what they may say, and what is said about mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import BadInput, NotFound
from pipeline.emulator.faults import AnyFault, Camera, Drop, Fault, Say, Stall
from pipeline.emulator.schedule import NEVER, Schedule
from pipeline.emulator.script import KINDS, BadFault, fault_of, faults_of, parse_script, read_script

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "faults.schema.json"
PAGE = Path(__file__).parents[2] / "docs" / "emulator.md"

GOOD = """
# a comment
- {fault: drop, at: 12, socket: audio, close: frame, replay: false}
- fault: camera
  user_id: 3
  on: true

- fault: say
  message: {msg_type: 6, words: [on, off, yes]}
"""


def test_yaml() -> None:
    assert parse_script(GOOD.encode(), "s.yaml") == [
        Drop(at=12, socket="audio", close="frame", replay=False),
        Camera(user_id=3, on=True),
        Say(message={"msg_type": 6, "words": ["on", "off", "yes"]}),
    ]


@pytest.mark.parametrize(
    "text", ['[{"fault": "stall", "for": 3}]', "faults: [{fault: stall, for: 3}]"]
)
def test_json_and_the_longer_form(text: str) -> None:
    assert parse_script(text.encode(), "s") == [Stall(length=3)]


def test_an_empty_file_is_no_fault() -> None:
    assert parse_script(b"", "s") == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- {fault: stal, for: 1}", "s, line 1, fault 1: unknown fault 'stal'; allowed: camera, "),
        ('[{"for": 1}]', "s, fault 1: 'fault' is missing; allowed: camera, "),
        ("- {fault: [1]}", "s, line 1, fault 1: unknown fault [1]"),
        (
            "- {fault: replay, keep: true}\n- {fault: drop, socket: x}",
            "s, line 2, fault 2 (drop): socket = 'x'; allowed: all, signaling, media, audio,",
        ),
        (
            "- {fault: drop, sockt: x}",
            "s, line 1, fault 1 (drop): unknown field 'sockt'; allowed: at, close, replay, socket,",
        ),
        ("- fault: stall", "s, line 1, fault 1 (stall): 'for' is missing"),
        ("- {fault: stall, for: -1}", "fault 1 (stall): for: must be float > 0.0"),
        ("- {fault: refuse, status: 48}", "fault 1 (refuse): status: must be int <= 47"),
        ("- {fault: stall, for: 1, at: -2}", "(stall): at: must be float >= 0.0"),
        ("- {fault: camera, user_id: 1, on: maybe}", "(camera): on: must be bool, got str"),
        ("- 3", "s, line 1, fault 1: not an object like {fault: drop, at: 12}"),
        ("3", "s: not a list of faults like - {fault: drop, at: 12}"),
        ("faults: 3", "s: not a list of faults"),
        ("x: [", "s, line 1: neither JSON nor YAML: expected the node content"),
        ("\0", "s: neither JSON nor YAML: "),
    ],
)
def test_what_is_said_about_a_mistake(text: str, problem: str) -> None:
    with pytest.raises(BadFault) as caught:
        parse_script(text.encode(), "s")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such script"):
        read_script(tmp_path / "none.yaml")
    with pytest.raises(BadInput, match="cannot be read"):
        read_script(tmp_path)
    script = tmp_path / "s.yaml"
    script.write_text("- {fault: stall, for: 1}")
    assert read_script(script) == [Stall(length=1)]


def test_too_long_a_script_is_not_read() -> None:
    with pytest.raises(BadFault, match="longer than"):
        parse_script(b"#" * (1 << 20) + b"\n", "s")


def problem(act: Callable[[], object]) -> str:
    """What is said about it; nothing when it is right."""
    try:
        act()
    except BadFault as error:
        return str(error)
    return ""


@given(st.binary(max_size=300))
def test_any_bytes_are_a_script_or_one_line(data: bytes) -> None:
    assert "\n" not in problem(lambda: parse_script(data, "s"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
fields = st.sampled_from(["at", "for", "stream", "socket", "media", "kind", "by", "times", "late"])


@given(st.sampled_from(sorted(KINDS)), st.dictionaries(fields, json_values, max_size=4))
def test_any_value_is_a_fault_or_one_line(name: str, rest: dict[str, object]) -> None:
    said = problem(lambda: fault_of({"fault": name, **rest}, "fault"))
    if said:
        assert said.startswith(f"fault ({name}): ")
        return
    found = fault_of({"fault": name, **rest}, "fault")
    assert isinstance(found, KINDS[name])
    assert fault_of(msgspec.to_builtins(found), "again") == found


def test_one_or_many() -> None:
    one = {"fault": "stall", "for": 1}
    assert faults_of(one, "fault") == [Stall(length=1)]
    assert faults_of([one, Stall(length=2)], "fault") == [Stall(length=1), Stall(length=2)]
    with pytest.raises(BadFault, match=r"^fault 2: unknown fault 'x'"):
        faults_of([one, {"fault": "x"}], "fault")


def test_the_schema_is_current_and_takes_the_example() -> None:
    tool = Path(__file__).parents[2] / "tools" / "fault_schema.py"
    checked = subprocess.run(
        [sys.executable, tool, "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    check = jsonschema.Draft202012Validator(schema)
    check.validate(msgspec.to_builtins(parse_script(GOOD.encode(), "s")))
    assert not check.is_valid([{"fault": "drop", "sockt": "x"}])
    assert not check.is_valid([{"fault": "stal"}])


def test_the_page_lists_every_fault_with_its_fields() -> None:
    rows = {
        line.split("`")[1]: line
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    }
    common = {"at", "stream"}
    for name, kind in KINDS.items():
        assert name in rows, f"docs/emulator.md has no row for {name}"
        wanted = {f.encode_name for f in msgspec.structs.fields(kind)} - common
        for field in wanted:
            assert f"`{field}" in rows[name], f"docs/emulator.md: {name} lacks {field}"


def test_every_fault_has_its_own_words() -> None:
    assert len(KINDS) == len(get_args(AnyFault))
    for kind in KINDS.values():
        assert issubclass(kind, Fault)
        assert kind.__doc__


def test_a_schedule() -> None:
    schedule = Schedule([Stall(length=1, at=2), Stall(length=2)])
    assert schedule.next_at() == 0
    assert [s.number for s in schedule.due(0)] == [2]
    late = schedule.add(Stall(length=3, at=1.5), 1_000)
    past = schedule.add(Stall(length=4, at=0.5), 1_000)
    now = schedule.add(Stall(length=5), 1_000)
    assert schedule.next_at() == 500
    assert schedule.due(1_000) == [past, now]
    assert schedule.due(1_499) == []
    assert schedule.due(9_000) == [late, schedule.all[0]]
    assert schedule.next_at() == NEVER
    assert late.describe() == {
        "number": 3,
        "state": "begun",
        "begun_at": 9.0,
        "problem": None,
        "fault": {"fault": "stall", "at": 1.5, "for": 3.0},
    }
