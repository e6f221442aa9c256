from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
import typer
from store_events import OPENED, opened, said

from pipeline.base.errors import InUse
from pipeline.cli import reading
from pipeline.model import events as ev
from pipeline.model.notes import Add, NoteItem, Patch
from pipeline.store.layout import DATABASE
from pipeline.store.rebuild import rebuild
from pipeline.store.verify import verify

NOTED = ev.NotesPatched(
    patch=Patch(
        id="p", at_ms=1, author="model", ops=(Add(NoteItem(id="n1", kind="risk", text="risk")),)
    ),
    covered_seq=2,
)
UNINDEX = (
    "INSERT INTO passage_words (passage_words, rowid, speaker, text)"
    " VALUES ('delete', 1, 'Maya', 'one')"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    async def make() -> None:
        async with opened(tmp_path) as store:
            log = await store.create(OPENED)
            await log.append(said(1, "one", speaker="Maya"), said(2, "two"), NOTED)
            await (await store.create(OPENED)).append(said(1, "other"))

    asyncio.run(make())
    return tmp_path


def alter(home: Path, *statements: str) -> None:
    db = sqlite3.connect(home / DATABASE)
    for sql in statements:
        db.execute(sql)
    db.commit()
    db.close()


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        (
            "UPDATE utterance SET text = 'lie' WHERE meeting = 'm0001' AND id = 'u1'",
            "meeting m0001: utterance u1: text is 'lie', the log says 'one'",
        ),
        (
            "DELETE FROM note_item WHERE id = 'n1'",
            "meeting m0001: note_item n1: missing",
        ),
        (
            "INSERT INTO gap VALUES ('m0002', 'g9', 1, 2, 'all', 'made_up', '', NULL, NULL)",
            "meeting m0002: gap g9: is not in the log",
        ),
        (
            "UPDATE meeting SET last_seq = 7 WHERE meeting = 'm0002'",
            "meeting m0002: meeting: last_seq is 7, the log says 2",
        ),
        (
            "DELETE FROM passage WHERE meeting = 'm0001' AND ref = 'u2'",
            "meeting m0001: passage utterance u2: missing",
        ),
        (
            "INSERT INTO stream VALUES ('ghost', 'x', '', 1, 'live', 1, NULL, '', 0, '', '')",
            "meeting ghost: has rows in stream but no log",
        ),
        (
            UNINDEX,
            "search: passage 1 is not in the full-text index",
        ),
    ],
)
def test_each_difference_is_named_and_rebuild_mends_it(home: Path, sql: str, line: str) -> None:
    assert verify(home) == []
    alter(home, sql)
    assert verify(home) == [line]
    assert rebuild(home) == 2
    assert verify(home) == []


def test_a_hole_in_the_log_is_named_and_cannot_be_mended(home: Path) -> None:
    alter(home, "DELETE FROM event WHERE meeting = 'm0001' AND seq = 2")
    assert verify(home) == ["meeting m0001: log: event 3 where 2 should be"]


def test_search_works_after_a_rebuild_of_an_index_that_was_lost(home: Path) -> None:
    alter(home, "INSERT INTO passage_words (passage_words) VALUES ('delete-all')")
    assert len(verify(home)) == 4
    seen: list[tuple[int, int]] = []
    assert rebuild(home, lambda done, of: seen.append((done, of))) == 2
    assert seen == [(1, 2), (2, 2)]

    async def check() -> None:
        async with opened(home) as store:
            assert [h.ref for h in store.reader.search("maya one")] == ["u1"]
            await store.log("m0001").append(said(1, "changed", revision=2))
            assert store.reader.search("one") == []
            assert [h.ref for h in store.reader.search("changed")] == ["u1"]

    asyncio.run(check())
    assert verify(home) == []


async def test_rebuild_wants_the_writer_lock_and_verify_does_not(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        with pytest.raises(InUse):
            rebuild(tmp_path)
        await log.append(said(1))
        assert verify(tmp_path) == []


def test_commands_say_what_they_did(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reading.verify(home=home)
    assert "every projection equals its replay" in capsys.readouterr().out
    alter(home, "UPDATE utterance SET text = 'x\x1b[2J\ny' WHERE text = 'one'")
    with pytest.raises(typer.Exit) as left:
        reading.verify(home=home)
    assert left.value.exit_code == 1
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "\x1b" not in out
    reading.rebuild(home=home)
    assert capsys.readouterr().out == "rebuilt 2 meetings from the log\n"
    reading.verify(home=home)
