"""docs/protocol.md names every number of the protocol, in the right table, by its name."""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path

import pytest

from pipeline.emulator.statuses import GIVEN, IMPOSSIBLE, UNANSWERED
from pipeline.model.events import Product
from pipeline.rtms.enums import (
    RESTART_REASONS,
    EventType,
    MessageType,
    SessionState,
    StatusCode,
    StopReason,
    StreamState,
    VoiceEventType,
)
from pipeline.rtms.products import EVENT_NAMES, PRODUCTS
from pipeline.rtms.verdict import Verdict, verdict

PAGE = (Path(__file__).parents[2] / "docs/protocol.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, title
    return found[1]


def rows(title: str) -> list[list[str]]:
    """The cells of all table rows of a section."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section(title).splitlines()
        if line.startswith("|") and not line.startswith("|---")
    ]


def row_of(title: str, number: int) -> list[str]:
    [found] = [row for row in rows(title) if row[0] == str(number)]
    return found


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("Messages", MessageType),
        ("Events", EventType),
        ("Events", VoiceEventType),
        ("Status codes", StatusCode),
        ("Stop reasons", StopReason),
        ("States", StreamState),
        ("States", SessionState),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else value,
)
def test_every_number_has_its_row(title: str, kind: type[IntEnum]) -> None:
    cells = {
        (row[at], row[name].split(":")[0])
        for row in rows(title)
        for at, name in ((0, 1), (0, 2), (2, 3))
        if name < len(row)
    }
    missing = [str(member) for member in kind if (str(member.value), member.name) not in cells]
    assert missing == []


def test_no_row_has_a_number_without_a_meaning() -> None:
    for title, kind in (
        ("Messages", MessageType),
        ("Status codes", StatusCode),
        ("Stop reasons", StopReason),
    ):
        numbers = {int(row[0]) for row in rows(title) if row[0].isdigit()}
        assert numbers == {member.value for member in kind}


@pytest.mark.parametrize("status", list(StatusCode)[1:], ids=str)
def test_what_the_client_does_about_a_status(status: StatusCode) -> None:
    said = row_of("Status codes", status)[2]
    place = (
        "media_first" if verdict(status, "media_first") is Verdict.WITHOUT else "signaling_first"
    )
    words = {
        Verdict.FATAL: "fatal",
        Verdict.WITHOUT: "without",
        Verdict.RETRY: "again",
        Verdict.RETRY_SOON: "again after",
    }
    expected = (
        "told"
        if status is StatusCode.DUPLICATE_VIDEO_SUBSCRIPTION
        else words[verdict(status, place)]
    )
    assert said.startswith(expected)


@pytest.mark.parametrize("status", StatusCode, ids=str)
def test_where_the_fake_zoom_gives_a_status(status: StatusCode) -> None:
    said = row_of("Status codes", status)[3]
    if status in UNANSWERED:
        assert said == "counted"
    elif status in IMPOSSIBLE:
        assert said == "fault"
    elif status is not StatusCode.OK:
        given = {
            n for part in GIVEN[status].split(";") for n in re.findall(r"\d+", part.split(":")[0])
        }
        assert set(said.split(", ")) == given


def test_restart_class_reasons_are_marked() -> None:
    marked = {
        int(row[0]) for row in rows("Stop reasons") if row[0].isdigit() and "restart" in row[2]
    }
    assert marked == set(RESTART_REASONS)


def test_every_section_and_product_is_there() -> None:
    numbers = {row[0].split()[0].rstrip(".") for row in rows("Sections")}
    assert {str(n) for n in range(3, 23) if n != 12} <= numbers
    assert {f"2.{n}" for n in range(1, 7)} | {f"12.{n}" for n in range(1, 7)} <= numbers
    products: list[Product] = list(PRODUCTS)
    text = section("Products")
    for product in products:
        assert all(f"`{key}`" in text for key in PRODUCTS[product].id_keys)
    prefixes = {name.rpartition("_")[0] + "_*" for name in EVENT_NAMES}
    assert all(f"`{prefix}`" in text for prefix in prefixes)


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:rtms|emulator|audio|meeting)/[\w/.]*)`", PAGE)))
)
def test_files_it_names_exist(path: str) -> None:
    assert (Path(__file__).parents[2] / "pipeline" / path).exists()
