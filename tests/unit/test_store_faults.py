from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from store_events import OPENED, opened, said

from pipeline.base.clock import ManualClock
from pipeline.base.errors import NotFound, StorageError
from pipeline.base.ids import SequentialIds
from pipeline.model import events as ev
from pipeline.model.speech import Message, Reaction
from pipeline.store.database import connect_writer
from pipeline.store.layout import DATABASE
from pipeline.store.migrate import migrations
from pipeline.store.reader import Reader
from pipeline.store.rebuild import rebuild
from pipeline.store.store import Store
from pipeline.store.verify import verify


def open_store(home: Path, **settings: int) -> Store:
    return Store.open(home, clock=ManualClock(), ids=SequentialIds())


def one_line(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text
    assert len(text) < 400
    return text


def writing(store: Store) -> sqlite3.Connection:
    db = store._writer._db
    assert db is not None
    return db


async def test_a_full_disk_refuses_the_whole_call_and_later_ones_succeed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        await log.append(said(1))
        pages = writing(store).execute("PRAGMA page_count").fetchone()[0]
        writing(store).execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StorageError) as refused:
            await log.append(said(2), said(3, "long " * 20_000), said(4))
        assert (refused.value.kind, refused.value.retryable) == ("disk_full", True)
        assert "free some space" in one_line(refused.value)
        assert store.trouble is refused.value
        assert [e.seq for e in await log.events()] == [1, 2]
        assert store.reader.view(log.meeting).last_seq == 2
        (small,) = await log.append(said(2))  # there is room for this one
        assert small.seq == 3
        assert store.trouble is None
        writing(store).execute("PRAGMA max_page_count = 1000000")
        events = await log.append(said(3, "long " * 20_000), said(4))
        assert [e.seq for e in events] == [4, 5]
        assert verify(tmp_path) == []


async def test_a_big_append_that_does_not_fit_does_not_take_small_ones_with_it(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        log, other = await store.create(OPENED), await store.create(OPENED)
        pages = writing(store).execute("PRAGMA page_count").fetchone()[0]
        writing(store).execute(f"PRAGMA max_page_count = {pages + 2}")
        results = await asyncio.gather(
            log.append(said(1, "long " * 20_000)), other.append(said(1)), return_exceptions=True
        )
        assert isinstance(results[0], StorageError)
        assert isinstance(results[1], list)
        assert verify(tmp_path) == []


class Refusing:
    """A connection whose next statement that begins with ``word`` fails with ``code``."""

    def __init__(self, db: sqlite3.Connection, word: str, code: int) -> None:
        self._db = db
        self._word: str | None = word
        self._code = code

    def execute(self, sql: str, *values: Any) -> Any:
        if self._word is not None and sql.startswith(self._word):
            self._word = None
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self._code
            raise error
        return self._db.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


@pytest.mark.parametrize("word", ["BEGIN", "INSERT INTO event", "INSERT INTO passage", "COMMIT"])
@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE])
async def test_an_input_output_error_anywhere_loses_nothing(
    tmp_path: Path, word: str, code: int
) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        store._writer._db = Refusing(writing(store), word, code)  # type: ignore[assignment]
        with pytest.raises(StorageError) as refused:
            await log.append(said(1), said(2))
        assert (refused.value.kind, refused.value.retryable) == ("disk_full", True)
        assert len(await log.events()) == 1
        events = await log.append(said(1), said(2))
        assert [e.seq for e in events] == [2, 3]
        assert verify(tmp_path) == []


async def test_another_program_that_holds_the_database_is_named_and_waited_out(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, busy_ms=0) as store:
        log = await store.create(OPENED)
        holder = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="another program") as refused:
            await log.append(said(1))
        assert (refused.value.kind, refused.value.retryable) == ("busy", True)
        holder.execute("ROLLBACK")
        holder.close()
        await log.append(said(1))


async def test_the_log_cannot_be_rewritten(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.create(OPENED)
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            writing(store).execute("UPDATE event SET body = '{}'")


async def test_a_reader_cannot_write(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.create(OPENED)
        with (
            pytest.raises(StorageError, match="readonly"),
            store.reader._pool.connection() as db,
        ):
            db.execute("DELETE FROM event")


# -- files that are not ours --------------------------------------------------------------------


def test_no_store_is_not_found_in_one_line(tmp_path: Path) -> None:
    for use in (Reader.open, rebuild, verify):
        with pytest.raises(NotFound, match="no meetings here yet") as refused:
            use(tmp_path / "nothing")
        one_line(refused.value)
    (tmp_path / DATABASE).touch()
    with pytest.raises(NotFound, match="no meetings here yet"):
        Reader.open(tmp_path)


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 400, b"\0" * 5000, b"SQLite format 3"]
)
def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / DATABASE).write_bytes(content)
    for use in (open_store, Reader.open, rebuild, verify):
        with pytest.raises(StorageError, match=DATABASE) as refused:
            use(tmp_path)
        assert refused.value.kind == "corrupt"
        assert not refused.value.retryable
        one_line(refused.value)
    assert (tmp_path / DATABASE).read_bytes() == content


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / DATABASE)
    db.execute("CREATE TABLE theirs (x)")
    db.commit()
    db.close()
    before = (tmp_path / DATABASE).read_bytes()
    for use in (open_store, Reader.open, rebuild, verify):
        with pytest.raises(StorageError, match="another program") as refused:
            use(tmp_path)
        assert refused.value.kind == "not_ours"
        one_line(refused.value)
    assert (tmp_path / DATABASE).read_bytes() == before


async def test_a_newer_schema_is_refused_in_one_line(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.create(OPENED)
    db = sqlite3.connect(tmp_path / DATABASE)
    db.execute("INSERT INTO schema_version VALUES (99)")
    db.commit()
    db.close()
    for use in (open_store, Reader.open, rebuild, verify):
        with pytest.raises(StorageError, match=r"newer rtms-notes \(schema 99") as refused:
            use(tmp_path)
        assert refused.value.kind == "newer_schema"
        one_line(refused.value)
    # a refusal lets go of the lock
    db = sqlite3.connect(tmp_path / DATABASE)
    db.execute("DELETE FROM schema_version WHERE version = 99")
    db.commit()
    db.close()
    async with opened(tmp_path) as store:
        assert len(store.reader.meetings()) == 1


def test_an_older_schema_can_be_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def make() -> None:
        async with opened(tmp_path) as store:
            await (await store.create(OPENED)).append(said(1))

    asyncio.run(make())
    steps = {
        **migrations(),
        len(migrations()) + 1: "CREATE TABLE later (x); CREATE TABLE later_still (x);",
    }
    monkeypatch.setattr("pipeline.store.migrate.migrations", lambda: steps)
    with pytest.raises(StorageError, match="rtms-notes rebuild") as refused:
        Reader.open(tmp_path)
    assert refused.value.kind == "older_schema"
    assert rebuild(tmp_path) == 1
    assert verify(tmp_path) == []
    Reader.open(tmp_path).close()


def test_a_store_of_the_first_schema_opens_and_its_rows_are_what_their_replay_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {1: migrations()[1]}
    monkeypatch.setattr("pipeline.store.migrate.migrations", lambda: first)
    open_old(tmp_path)
    monkeypatch.undo()
    with pytest.raises(StorageError, match="rtms-notes rebuild"):
        Reader.open(tmp_path)

    async def use() -> None:
        async with opened(tmp_path) as store:  # migrates
            assert verify(tmp_path) == []
            (stream,) = store.reader.streams("m1")
            assert (stream.id, stream.id_key) == ("x1", "")
            assert [m.text for m in store.reader.chat("m1")] == ["hello"]
            await store.log("m1").append(
                ev.MessageReacted(message="c1", emoji="+1", at_ms=3),
                ev.SharingStarted(stream="x1", at_ms=4, speaker="Maya"),
            )
            assert store.reader.chat("m1")[0].reactions == (Reaction(emoji="+1"),)
            assert verify(tmp_path) == []

    asyncio.run(use())
    assert rebuild(tmp_path) == 1
    assert verify(tmp_path) == []


def open_old(home: Path) -> None:
    """A store as the first version left it: its schema, and rows of its projections."""
    store = open_store(home)
    asyncio.run(store.close())
    db = sqlite3.connect(home / DATABASE)
    bodies: list[ev.Body] = [
        OPENED,
        ev.StreamOpened(stream="x1", server_urls="wss://a", announced_ms=1_000),
        ev.MessageSaid(
            message=Message(id="c1", stream="x1", at_ms=2, text="hello", speaker="Maya")
        ),
    ]
    for seq, body in enumerate(bodies, 1):
        db.execute(
            "INSERT INTO event VALUES ('m1', ?, ?, 0, ?)",
            (seq, ev.kind_of(body), ev.encode_body(body).decode()),
        )
    db.executescript(
        "INSERT INTO meeting VALUES"
        " ('m1', 'meeting', '/x+y==', 'live', 1000, NULL, 'UTC', 'Plan', 'native', 3, 0, '[]');"
        "INSERT INTO stream VALUES"
        " ('m1', 'x1', 'wss://a', 1000, 'connecting', 1000, NULL, '', 0);"
        "INSERT INTO message VALUES"
        " ('m1', 'c1', 'x1', 2, 'hello', NULL, 'Maya', NULL, 1, 0, 3);"
        "INSERT INTO passage (meeting, kind, ref, speaker, text, at_ms) VALUES"
        " ('m1', 'message', 'c1', 'Maya', 'hello', 2);"
    )
    db.commit()
    db.close()


def test_a_migration_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = migrations()
    broken = {1: good[1], 2: "CREATE TABLE half (x); CREATE TABLE half (x);"}
    monkeypatch.setattr("pipeline.store.migrate.migrations", lambda: broken)
    with pytest.raises(StorageError, match="half"):
        open_store(tmp_path)
    monkeypatch.setattr("pipeline.store.migrate.migrations", lambda: good)
    db = connect_writer(tmp_path / DATABASE)
    names = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
    db.close()
    assert "event" in names
    assert "half" not in names
    asyncio.run(open_store(tmp_path).close())


def test_a_home_that_cannot_be_one_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StorageError, match="cannot be used as home") as refused:
            open_store(home)
        one_line(refused.value)
    (tmp_path / "home" / DATABASE).mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be used as home"):
        open_store(tmp_path / "home")


async def test_an_unreadable_event_stops_its_meeting_and_no_other(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        bad, good = await store.create(OPENED), await store.create(OPENED)
    db = sqlite3.connect(tmp_path / DATABASE)
    db.execute(
        "INSERT INTO event VALUES (?, 2, 'from_the_future', 1, '{\"kind\":\"from_the_future\"}')",
        (bad.meeting,),
    )
    db.commit()
    db.close()
    async with opened(tmp_path) as store:
        with pytest.raises(StorageError, match="event 2 of meeting m0001 is unreadable") as refused:
            await store.log(bad.meeting).append(said(1))
        one_line(refused.value)
        with pytest.raises(StorageError, match="event 2 of meeting m0001"):
            store.reader.state(bad.meeting)
        await store.log(good.meeting).append(said(1))
    (line,) = [line for line in verify(tmp_path) if "log:" in line]
    assert "meeting m0001: log: event 2" in line
    with pytest.raises(StorageError, match="nothing was changed"):
        rebuild(tmp_path)
