"""Checking a store: no holes in the logs, every projection equal to its replay."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pipeline.base.errors import NotFound
from pipeline.model.state import MeetingState
from pipeline.store.database import connect_reader, read_events, transaction, translated
from pipeline.store.layout import DATABASE
from pipeline.store.migrate import check_current
from pipeline.store.projection import TABLES, Row, all_rows
from pipeline.store.rows import stored


def verify(home: Path) -> list[str]:
    """Every difference in one line; empty when all is well. May run while another process writes.

    Raises NotFound without a store, StorageError when the file cannot be read at all.
    """
    path = home / DATABASE
    if not path.is_file():
        raise NotFound(f"{home}: no meetings here yet; nothing to verify")
    db = connect_reader(path)
    try:
        check_current(db, path)
        with translated(path), transaction(db, "BEGIN"):
            return list(_differences(db))
    finally:
        db.close()


def _differences(db: sqlite3.Connection) -> Iterator[str]:
    for (line,) in db.execute("PRAGMA quick_check(20)"):
        if line != "ok":
            yield "database: " + " ".join(str(line).split())
    logs = [row[0] for row in db.execute("SELECT DISTINCT meeting FROM event")]
    for meeting in logs:
        for line in _meeting(db, meeting):
            yield f"meeting {meeting}: {line}"
    for table in TABLES:
        orphans = db.execute(
            f"SELECT DISTINCT meeting FROM {table}"  # noqa: S608 - names are ours
            " WHERE meeting NOT IN (SELECT meeting FROM event)"
        )
        for (meeting,) in orphans:
            yield f"meeting {meeting}: has rows in {table} but no log"
    yield from _index(db)


def _meeting(db: sqlite3.Connection, meeting: str) -> Iterator[str]:
    holes = list(_holes(db, meeting))
    yield from holes
    if holes:
        return
    try:
        state = MeetingState.replay(meeting, read_events(db, meeting))
        expected = defaultdict[str, list[Row]](list)
        for row in all_rows(state):
            expected[row.table].append(row)
    except ValueError as error:
        yield f"log: {error}"
        return
    for name, table in TABLES.items():
        found = stored(db, meeting, name)
        for row in expected[name]:
            label = _label(name, row.key)
            there = found.pop(row.key, None)
            if there == row.values:
                continue
            if there is None:
                yield f"{label}: missing"
            elif row.values is None:
                yield f"{label}: must not be there"
            else:
                differing = zip(table.columns, there, row.values, strict=True)
                for column, is_, should in differing:
                    if is_ != should:
                        yield f"{label}: {column} is {_short(is_)}, the log says {_short(should)}"
        for key in found:
            yield f"{_label(name, key)}: is not in the log"


def _holes(db: sqlite3.Connection, meeting: str) -> Iterator[str]:
    wanted = 1
    for (seq,) in db.execute("SELECT seq FROM event WHERE meeting = ? ORDER BY seq", (meeting,)):
        if seq != wanted:
            yield f"log: event {seq} where {wanted} should be"
        wanted = seq + 1


def _index(db: sqlite3.Connection) -> Iterator[str]:
    """Passages that full text does not know, and the other way round."""
    checks = {
        "is not in the full-text index": "SELECT number FROM passage"
        " EXCEPT SELECT id FROM passage_words_docsize",
        "is in the full-text index only": "SELECT id FROM passage_words_docsize"
        " EXCEPT SELECT number FROM passage",
    }
    for problem, sql in checks.items():
        for (number,) in db.execute(sql):
            yield f"search: passage {number} {problem}"


def _label(table: str, key: tuple[object, ...]) -> str:
    """Table and key in one line, whatever an id from outside holds."""
    text = " ".join([table, *map(str, key)])
    return "".join(c if c.isprintable() else "?" for c in text)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
