"""Prompt files: the bundled ones, a user's, and broken ones named by file, line and variable."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from pipeline.base.errors import NotFound
from pipeline.summarize.model_form import (
    Added,
    Changes,
    Cite,
    Closed,
    Merged,
    Retracted,
    Updated,
    read_changes,
)
from pipeline.summarize.prompts import VARIABLES, PromptError, Prompts, parse_prompt

FRONT = "---\nname: rolling\nversion: 1\npurpose: test\nschema: {type: object}\n---\n"


def given(name: str) -> dict[str, str]:
    return {variable: f"[{variable}]" for variable in VARIABLES[name]}


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_bundled_prompts_use_what_they_are_given_and_nothing_else(name: str) -> None:
    prompt = Prompts.load().get(name)
    system, user = prompt.render(**given(name))
    text = system.content + user.content
    assert all(f"[{variable}]" in text for variable in VARIABLES[name])
    assert (system.role, user.role) == ("system", "user")
    assert "never an instruction" in " ".join(system.content.split()).lower()


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_what_is_stable_comes_before_what_changes(name: str) -> None:
    system, user = Prompts.load().get(name).render(**given(name))
    assert "[schema]" in system.content
    spoken = "new" if name == "rolling" else "transcript"
    order = ["[glossary]", "[roster]", f"[{spoken}]", "[items]"]
    places = [user.content.index(mark) for mark in order]
    assert places == sorted(places)
    for volatile in ("items", "new", "before", "transcript", "part"):
        assert f"[{volatile}]" not in system.content


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_the_schema_is_the_form_that_is_read(name: str) -> None:
    schema = Prompts.load().get(name).schema
    jsonschema.Draft202012Validator.check_schema(schema)
    cite = (Cite("u1", "words"),)
    full = Changes(
        add=(Added(kind="action", text="x", evidence=cite, owner="A", due_words="b"),),
        update=(Updated(id="n1", text="x", evidence=cite),),
        close=(Closed(id="n1", status="answered", answer="x", evidence=cite),),
        retract=(Retracted(id="n1", evidence=cite),),
        merge=(Merged(id="n1", into="n2"),),
    )
    value = json.loads(msgspec.json.encode(full))
    jsonschema.validate(value, schema)
    assert read_changes(value) == full
    for part in ("add", "update", "close", "retract", "merge"):
        properties = schema["properties"][part]["items"]["properties"]
        assert set(properties) == set(value[part][0])
        assert set(schema["properties"][part]["items"]["required"]) == set(properties)


def test_a_users_folder_goes_before(tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_text(FRONT + "Be brief.\n=== user ===\n{{ new }}\n")
    (tmp_path / "README.md").write_text("no prompt")
    prompts = Prompts.load(tmp_path)
    assert prompts.get("rolling").render(**given("rolling"))[0].content == "Be brief."
    assert prompts.get("final").hash == Prompts.load().get("final").hash
    assert prompts.get("rolling").hash != Prompts.load().get("rolling").hash


def test_data_is_never_a_template() -> None:
    prompt = parse_prompt(FRONT + "a\n=== user ===\n{{ new }}\n", "p.md")
    assert prompt.render(new="{{ 7 * 7 }} {% raw %}")[1].content == "{{ 7 * 7 }} {% raw %}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no front matter", r"p\.md:1: no front matter"),
        ("---\nname: [\n---\nx", r"p\.md:\d: front matter"),
        ("---\nname: a\nversion: one\npurpose: b\nschema: {}\n---\nx", r"p\.md:3: .*int"),
        (
            "---\nname: a\nversion: 1\npurpose: b\nschema: {}\ncolour: red\n---\nx",
            r"p\.md:6: .*colour",
        ),
        ("---\nname: a\n---\nx", r"p\.md:1: .*version"),
        (FRONT + "just one part\n", r"p\.md:7: .*=== user ==="),
        (
            FRONT + "a\n{{ glosary }}\n=== user ===\nb\n",
            r"p\.md:8: unknown variable 'glosary'; .*glossary",
        ),
        (FRONT + "a\n=== user ===\nb\n{{ nwe }}\n", r"p\.md:10: unknown variable 'nwe'"),
        (FRONT + "a\n{% if %}\n=== user ===\nb\n", r"p\.md:8: "),
    ],
)
def test_broken_files_are_named_by_line(text: str, message: str) -> None:
    with pytest.raises(PromptError, match=message) as caught:
        parse_prompt(text, "p.md")
    assert "\n" not in str(caught.value)


def test_a_variable_that_is_not_given_is_named_by_line() -> None:
    text = FRONT.replace("rolling", "other") + "a\n\n{{ first }}\n=== user ===\nb\n{{ second }}\n"
    prompt = parse_prompt(text, "p.md")
    with pytest.raises(PromptError, match=r"p\.md:9: variable 'first' is not given"):
        prompt.render(second="")
    with pytest.raises(PromptError, match=r"p\.md:12: variable 'second' is not given"):
        prompt.render(first="")


def test_a_prompt_cannot_reach_into_the_process() -> None:
    text = FRONT.replace("rolling", "other") + "{{ ''.__class__.__mro__ }}\n=== user ===\nb\n"
    with pytest.raises(PromptError):
        parse_prompt(text, "p.md").render()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="final, rolling"):
        Prompts.load().get("poem")
    with pytest.raises(NotFound, match="no such folder"):
        Prompts.load(tmp_path / "none")
    (tmp_path / "bad.md").write_bytes(b"\xff\xfe")
    with pytest.raises(PromptError, match="UTF-8"):
        Prompts.load(tmp_path)
