"""Writing and reading projection rows: the SQL that follows from the table of projections."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from pipeline.store.projection import TABLES, Row, Table


def _upsert(name: str, table: Table) -> str:
    keys = ("meeting", *table.columns[: table.keys])
    columns = ("meeting", *table.columns)
    changed = [c for c in table.columns[table.keys :] if c not in table.fixed]
    return (
        f"INSERT INTO {name} ({', '.join(columns)})"  # noqa: S608 - names are ours
        f" VALUES ({', '.join('?' * len(columns))})"
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET "
        + ", ".join(f"{c} = excluded.{c}" for c in changed)
    )


def _delete(name: str, table: Table) -> str:
    keys = ("meeting", *table.columns[: table.keys])
    return f"DELETE FROM {name} WHERE " + " AND ".join(f"{k} = ?" for k in keys)  # noqa: S608


def _select(name: str, table: Table) -> str:
    return f"SELECT {', '.join(table.columns)} FROM {name} WHERE meeting = ?"  # noqa: S608


UPSERT = {name: _upsert(name, table) for name, table in TABLES.items()}
DELETE = {name: _delete(name, table) for name, table in TABLES.items()}
SELECT = {name: _select(name, table) for name, table in TABLES.items()}


def write(db: sqlite3.Connection, meeting: str, rows: Iterable[Row]) -> None:
    """Put or remove each row."""
    for row in rows:
        if row.values is None:
            db.execute(DELETE[row.table], (meeting, *row.key))
        else:
            db.execute(UPSERT[row.table], (meeting, *row.values))


def stored(
    db: sqlite3.Connection, meeting: str, name: str
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """A meeting's rows of one projection, by key."""
    keys = TABLES[name].keys
    return {row[:keys]: row for row in db.execute(SELECT[name], (meeting,))}
