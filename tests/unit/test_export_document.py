"""The JSON export and its published schema."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import msgspec
import pytest

from pipeline.export.document import ExportDocument, render, schema
from pipeline.export.formats import FORMATS, file_name
from pipeline.model import events as ev
from pipeline.model.notes import Add, Merge, NoteItem, Patch
from pipeline.model.speech import Utterance
from pipeline.model.state import MeetingState

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "export.schema.json"


def golden_state() -> MeetingState:
    lines = (GOLDEN / "holiday_boxes.events.jsonl").read_bytes().splitlines()
    bodies = [ev.decode_body(line) for line in lines]
    return MeetingState.replay("m", [ev.Event("m", n, 0, body) for n, body in enumerate(bodies, 1)])


def small(*bodies: ev.Body, title: str | None = "Plan") -> MeetingState:
    opened = ev.MeetingOpened(
        product="meeting", zoom_id="z/+=", started_ms=1_795_514_400_000, title=title
    )
    return MeetingState.replay(
        "k3v9", [ev.Event("k3v9", n, 0, body) for n, body in enumerate([opened, *bodies], 1)]
    )


def test_the_golden_meeting_reads_as_it_did() -> None:
    path = GOLDEN / "holiday_boxes.json"
    text = render(golden_state())
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8")


def test_the_published_schema_is_the_one_of_the_types() -> None:
    text = json.dumps(schema(), indent=2) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        SCHEMA.write_text(text, encoding="utf-8")
    assert text == SCHEMA.read_text(encoding="utf-8")


@pytest.mark.parametrize("state", [golden_state(), small(), small(title=None)])
def test_documents_follow_the_published_schema(state: MeetingState) -> None:
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.validate(json.loads(render(state)), published)


def test_the_schema_refuses_what_is_not_an_export() -> None:
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))
    document = json.loads(render(small()))
    for broken in (
        {**document, "version": 2},
        {**document, "format": "other"},
        {**document, "gaps": [{"id": "g1"}]},
        {name: value for name, value in document.items() if name != "notes"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, published)


def test_it_reads_back_as_the_same_value() -> None:
    text = render(golden_state())
    again = msgspec.json.decode(text, type=ExportDocument)
    assert msgspec.json.format(msgspec.json.encode(again), indent=2).decode() == text


def test_addresses_of_zooms_servers_and_the_other_engine_stay_out() -> None:
    words = Utterance(
        id="u1", stream="s", source="local", start_ms=0, end_ms=1, text="other", role="comparison"
    )
    text = render(
        small(
            ev.StreamOpened(
                stream="s", server_urls="wss://rtms.zoom.us/?token=canary", announced_ms=1
            ),
            ev.UtteranceSaid(utterance=words),
        )
    )
    assert "canary" not in text
    assert "other" not in text


def test_merged_and_rejected_items_are_kept_apart() -> None:
    ops = (
        Add(NoteItem(id="n1", kind="point", text="a")),
        Add(NoteItem(id="n2", kind="point", text="b")),
        Add(NoteItem(id="n3", kind="point", text="c", status="rejected")),
        Merge("n2", "n1"),
    )
    patch = Patch(id="p", at_ms=1, author="model", ops=ops)
    notes = json.loads(render(small(ev.NotesPatched(patch=patch, covered_seq=1))))["notes"]
    assert [item["id"] for item in notes["items"]] == ["n1"]
    assert [item["id"] for item in notes["dropped"]] == ["n2", "n3"]


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Holiday boxes", "holiday-boxes"),
        ("Über-Größe: a/b\\c", "uber-groe-a-b-c"),
        ("../../etc/passwd", "etc-passwd"),
        ("CON", "con"),
        ("会議", "meeting"),
        ("a" * 100, "a" * 60),
        (".hidden\x00\n", "hidden"),
        (None, "meeting"),
    ],
)
def test_file_names_are_safe_everywhere(title: str | None, slug: str) -> None:
    assert file_name(small(title=title), "md") == f"2026-11-24-1000-{slug}-k3v9.md"


def test_there_is_a_file_name_for_each_format() -> None:
    assert {file_name(small(), name).rsplit(".", 1)[1] for name in FORMATS} == {"md", "json"}
    with pytest.raises(KeyError):
        file_name(small(), "exe")
