"""Making all projections anew from the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from pipeline.base.errors import NotFound, StorageError
from pipeline.model.state import MeetingState
from pipeline.store import layout
from pipeline.store.database import connect_writer, read_events, transaction, translated
from pipeline.store.lock import WriterLock
from pipeline.store.migrate import migrate
from pipeline.store.projection import TABLES, all_rows
from pipeline.store.rows import write

Progress = Callable[[int, int], None]
"""Called with how many meetings are done, and of how many."""


def rebuild(home: Path, progress: Progress | None = None) -> int:
    """Replace every projection by the replay of its log, in one transaction; how many meetings.

    Raises NotFound without a store, InUse while another process writes, StorageError when the
    disk refuses or a log cannot be read (nothing is changed then).
    """
    path = home / layout.DATABASE
    if not path.is_file():
        raise NotFound(f"{home}: no meetings here yet; nothing to rebuild")
    lock = WriterLock.take(home)
    try:
        layout.prepare_database(home)
        db = connect_writer(path)
        try:
            migrate(db, path)
            with translated(path), transaction(db):
                return _rebuild(db, path, progress)
        finally:
            db.close()
    finally:
        lock.release()


def _rebuild(db: sqlite3.Connection, path: Path, progress: Progress | None) -> int:
    # The triggers take words out of the index one by one, which needs an index in order; here it
    # is emptied and filled as a whole.
    triggers = db.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'passage'"
    ).fetchall()
    for name, _ in triggers:
        db.execute(f"DROP TRIGGER {name}")
    for table in TABLES:
        db.execute(f"DELETE FROM {table}")  # noqa: S608 - names are ours
    meetings = [row[0] for row in db.execute("SELECT DISTINCT meeting FROM event")]
    for number, meeting in enumerate(meetings, 1):
        try:
            state = MeetingState.replay(meeting, read_events(db, meeting))
            rows = list(all_rows(state))
        except ValueError as error:
            raise StorageError(f"{path}: {error}; nothing was changed", kind="corrupt") from error
        write(db, meeting, rows)
        if progress is not None:
            progress(number, len(meetings))
    db.execute("INSERT INTO passage_words (passage_words) VALUES ('rebuild')")
    for _, sql in triggers:
        db.execute(sql)
    return len(meetings)
