"""Connections to the SQLite file, and its errors in our words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.base.errors import StorageError
from pipeline.model.events import Event, decode_body

APPLICATION_ID = 0x52544D4E
"""``RTMN``: marks the file as ours."""

_NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def storage_error(error: sqlite3.Error, path: Path) -> StorageError:
    """What SQLite said, typed: ``kind`` disk_full, busy, corrupt or failed."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in _NO_ROOM:
        return StorageError(
            f"{path}: the disk refuses to write ({error}); free some space",
            kind="disk_full",
            retryable=True,
        )
    if code in _BUSY:
        return StorageError(
            f"{path}: another program holds the database ({error})", kind="busy", retryable=True
        )
    if code in _BROKEN:
        return StorageError(
            f"{path}: not a usable rtms-notes database ({error}); restore it from a copy,"
            " or use another folder (--home, of the demo --out)",
            kind="corrupt",
        )
    return StorageError(f"{path}: {error}", kind="failed")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors inside come out as StorageError."""
    try:
        yield
    except sqlite3.Error as error:
        raise storage_error(error, path) from error


def connect_writer(path: Path, busy_ms: int = 5_000) -> sqlite3.Connection:
    """The one connection that writes: WAL, every commit on the disk before it returns.

    Transactions are explicit. Raises StorageError for a file that is not ours or is broken.
    """
    with translated(path):
        db = sqlite3.connect(
            path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False
        )
        try:
            _check_ours(db, path, new_allowed=True)
            _make_durable(db, path)
        except BaseException:
            db.close()
            raise
    return db


def _make_durable(db: sqlite3.Connection, path: Path) -> None:
    mode = db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise StorageError(f"{path}: this file system cannot hold the log (no WAL)")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA temp_store=MEMORY")


def connect_reader(path: Path, busy_ms: int = 5_000) -> sqlite3.Connection:
    """A connection that cannot write; several may read while one writes.

    Raises StorageError for a file that is not ours or is broken.
    """
    with translated(path):
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            timeout=busy_ms / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _check_ours(db, path, new_allowed=False)
            db.execute("PRAGMA query_only=ON")
        except BaseException:
            db.close()
            raise
    return db


def _check_ours(db: sqlite3.Connection, path: Path, *, new_allowed: bool) -> None:
    mark = db.execute("PRAGMA application_id").fetchone()[0]
    if mark == APPLICATION_ID:
        return
    empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not (empty and mark == 0):
        raise StorageError(
            f"{path}: is a database of another program; use another folder"
            " (--home, of the demo --out)",
            kind="not_ours",
        )
    if not new_allowed:
        raise StorageError(f"{path}: holds no store yet", kind="empty")


@contextmanager
def transaction(db: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """Everything inside or nothing; an error inside is raised after the roll-back."""
    db.execute(begin)
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # then it is still in the transaction: to be replaced
            if db.in_transaction:  # SQLite itself may have rolled back already
                db.execute("ROLLBACK")
        raise


def read_events(
    db: sqlite3.Connection, meeting: str, after: int = 0, limit: int = -1
) -> Iterator[Event]:
    """Events above ``after`` in order, at most ``limit`` (-1: all).

    Raises sqlite3.Error; ValueError naming the event whose body cannot be read.
    """
    rows = db.execute(
        "SELECT seq, at_ms, body FROM event WHERE meeting = ? AND seq > ? ORDER BY seq LIMIT ?",
        (meeting, after, limit),
    )
    for seq, at_ms, body in rows:
        try:
            yield Event(meeting, seq, at_ms, decode_body(body))
        except ValueError as error:  # msgspec's errors are ValueErrors
            raise ValueError(f"event {seq} of meeting {meeting} is unreadable ({error})") from error
