"""Numbered migrations: SQL files beside this one, each applied once, in one transaction."""

from __future__ import annotations

import re
import sqlite3
from importlib import resources
from pathlib import Path

from pipeline.base.errors import StorageError
from pipeline.store.database import APPLICATION_ID, translated

_NAME = re.compile(r"(\d{4})\.sqlite\.sql")


def migrations() -> dict[int, str]:
    """SQL by version, ascending without holes from 1."""
    found = {}
    for entry in resources.files("pipeline.store").joinpath("migrations").iterdir():
        match = _NAME.fullmatch(entry.name)
        if match:
            found[int(match[1])] = entry.read_text(encoding="utf-8")
    ordered = dict(sorted(found.items()))
    assert list(ordered) == list(range(1, len(ordered) + 1)), "migrations have a hole"
    return ordered


def version(db: sqlite3.Connection) -> int:
    """The schema's version; 0 for an empty database."""
    known = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone()
    if known is None:
        return 0
    row = db.execute("SELECT max(version) FROM schema_version").fetchone()
    return int(row[0] or 0)


def migrate(db: sqlite3.Connection, path: Path) -> int:
    """Bring the schema up to date; the version it had before.

    Raises StorageError when a newer program made it (kind ``newer_schema``), or the disk refuses.
    """
    steps = migrations()
    with translated(path):
        before = version(db)
        _refuse_newer(before, len(steps), path)
        for number, sql in steps.items():
            if number > before:
                _apply(db, number, sql)
    return before


def check_current(db: sqlite3.Connection, path: Path) -> None:
    """For readers, which cannot migrate. Raises StorageError (newer_schema, older_schema)."""
    with translated(path):
        found = version(db)
    newest = len(migrations())
    _refuse_newer(found, newest, path)
    if found < newest:
        raise StorageError(
            f"{path}: has schema {found}, this version reads {newest};"
            " `rtms-notes rebuild` brings it up to date",
            kind="older_schema",
        )


def _refuse_newer(found: int, newest: int, path: Path) -> None:
    if found > newest:
        raise StorageError(
            f"{path}: was made by a newer rtms-notes (schema {found}, this version knows"
            f" {newest}); upgrade rtms-notes",
            kind="newer_schema",
        )


def _apply(db: sqlite3.Connection, number: int, sql: str) -> None:
    try:
        db.executescript(
            "BEGIN IMMEDIATE;\n"
            "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY);\n"
            f"{sql}\n"
            f"INSERT INTO schema_version (version) VALUES ({number});\n"
            f"PRAGMA application_id = {APPLICATION_ID};\n"
            "COMMIT;"
        )
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
