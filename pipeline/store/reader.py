"""Reading a home's store. Only committed events are ever seen; another process may write."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from pipeline.base.clock import Clock, SystemClock
from pipeline.base.errors import BadInput, NotFound, StorageError
from pipeline.model.events import Event, Product
from pipeline.model.happening import Clip, FaultSeen, Happening, Image
from pipeline.model.notes import NoteItem
from pipeline.model.speech import (
    SHOWN,
    Correction,
    Gap,
    Message,
    Participant,
    Reaction,
    Recording,
    SharedFile,
    Utterance,
    Word,
)
from pipeline.model.state import MeetingState
from pipeline.model.view import MeetingView, StageHealth, StreamView
from pipeline.store import search
from pipeline.store.commits import Commits
from pipeline.store.database import connect_reader, read_events, translated
from pipeline.store.follow import Follow, Polling, Signal
from pipeline.store.layout import DATABASE
from pipeline.store.migrate import check_current
from pipeline.store.search import Hit

_PAGE = 500
_MOST_HITS = 1_000
_BY_TIME = "ORDER BY at_ms, CAST(substr(id, 2) AS INTEGER)"
_NEVER = "no meeting {!r}; `rtms-notes meetings` lists them"


class _Pool:
    """Idle connections; each is used by one thread at a time."""

    def __init__(self, path: Path, busy_ms: int) -> None:
        self._path = path
        self._busy_ms = busy_ms
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._closed:
                raise StorageError(f"{self._path}: the store is closed", kind="closed")
            db = self._idle.pop() if self._idle else None
        if db is None:
            db = connect_reader(self._path, self._busy_ms)
        try:
            with translated(self._path):
                yield db
        finally:
            with self._lock:
                if self._closed or db.in_transaction:
                    db.close()
                else:
                    self._idle.append(db)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()


class Reader:
    """Meetings, logs, projections and search. Thread-safe; methods block for a short read.

    Methods that take a meeting's id raise NotFound for an unknown one; all raise StorageError.
    """

    def __init__(
        self,
        home: Path,
        *,
        commits: Commits | None = None,
        clock: Clock | None = None,
        busy_ms: int = 5_000,
    ) -> None:
        self.home = home
        self._path = home / DATABASE
        self._pool = _Pool(self._path, busy_ms)
        self._commits = commits
        self._signal: Signal = commits or Polling(clock or SystemClock())
        weakref.finalize(self, self._pool.close)

    @classmethod
    def open(cls, home: Path, *, clock: Clock | None = None) -> Reader:
        """The store of another process, or of none; followed by polling.

        Raises NotFound when there is none, StorageError when it cannot be read.
        """
        missing = (
            f"{home}: no meetings here yet; try `rtms-notes demo`,"
            " or name another folder with --home"
        )
        if not (home / DATABASE).is_file():
            raise NotFound(missing)
        reader = cls(home, clock=clock)
        try:
            with reader._pool.connection() as db:
                check_current(db, reader._path)
        except StorageError as error:
            if error.kind == "empty":
                raise NotFound(missing) from error
            raise
        return reader

    def close(self) -> None:
        """Close the file; nothing can be read after that."""
        self._pool.close()

    # -- meetings -------------------------------------------------------------------------------

    def meetings(self) -> list[MeetingView]:
        """All meetings, newest first."""
        rows = self._rows("SELECT * FROM meeting ORDER BY started_ms DESC, meeting DESC")
        return [_view(row) for row in rows]

    def view(self, meeting: str) -> MeetingView:
        """One meeting's head."""
        rows = self._rows("SELECT * FROM meeting WHERE meeting = ?", meeting)
        if not rows:
            raise NotFound(_NEVER.format(meeting))
        return _view(rows[0])

    def exists(self, meeting: str) -> bool:
        """Whether there is such a meeting."""
        return bool(self._rows("SELECT 1 FROM meeting WHERE meeting = ?", meeting))

    def resolve(self, prefix: str) -> str:
        """Our id from any unique beginning of it. Raises NotFound, BadInput if it fits several."""
        rows = self._rows(
            "SELECT meeting FROM meeting WHERE substr(meeting, 1, length(:p)) = :p"
            " ORDER BY meeting <> :p, meeting LIMIT 6",
            p=prefix,
        )
        found = [str(row["meeting"]) for row in rows]
        if not prefix or not found:
            raise NotFound(_NEVER.format(prefix))
        if len(found) > 1 and found[0] != prefix:
            more = ", ..." if len(found) > 5 else ""
            raise BadInput(f"{prefix!r} fits several meetings: {', '.join(found[:5])}{more}")
        return found[0]

    def find(self, product: Product, zoom_id: str) -> str | None:
        """Our id of the meeting with Zoom's id (the newest, should there be several)."""
        rows = self._rows(
            "SELECT meeting FROM meeting WHERE product = ? AND zoom_id = ?"
            " ORDER BY started_ms DESC, meeting DESC LIMIT 1",
            product,
            zoom_id,
        )
        return str(rows[0]["meeting"]) if rows else None

    def unfinished(self) -> list[str]:
        """Meetings without ``meeting_finished``, oldest first."""
        rows = self._rows(
            "SELECT meeting FROM meeting WHERE state <> 'finished' ORDER BY started_ms, meeting"
        )
        return [str(row["meeting"]) for row in rows]

    # -- the log --------------------------------------------------------------------------------

    def events(self, meeting: str, after: int = 0) -> list[Event]:
        """Committed events with ``seq`` above ``after``."""
        found = self._page(meeting, after, -1)
        if not found and not self.exists(meeting):
            raise NotFound(_NEVER.format(meeting))
        return found

    def state(self, meeting: str) -> MeetingState:
        """The replay of the meeting's log."""
        events = self.events(meeting)
        try:
            return MeetingState.replay(meeting, events)
        except ValueError as error:
            raise StorageError(f"{self._path}: {error}", kind="corrupt") from error

    def follow(self, meeting: str, after: int = 0) -> AsyncIterator[Event]:
        """Committed events with ``seq`` above ``after``, then each new one as it is committed.

        In the writing process woken by the commit, else looked for every 0.2 s. Ends when the
        store is closed.
        """

        async def fetch(seq: int) -> list[Event]:
            return await self.fetch(meeting, seq, _PAGE)

        return Follow(meeting, after, fetch, self._signal)

    async def fetch(self, meeting: str, after: int = 0, limit: int = -1) -> list[Event]:
        """Like ``events``, without blocking; at most ``limit`` (-1: all), empty if unknown."""
        if self._commits is not None:
            fresh = self._commits.since(meeting, after)
            if fresh is not None:
                return fresh
            if self._commits.closed:
                return []
        return await asyncio.to_thread(self._page, meeting, after, limit)

    def _page(self, meeting: str, after: int, limit: int) -> list[Event]:
        with self._pool.connection() as db:
            try:
                return list(read_events(db, meeting, after, limit))
            except ValueError as error:
                raise StorageError(f"{self._path}: {error}", kind="corrupt") from error

    # -- projections ----------------------------------------------------------------------------

    def transcript(self, meeting: str) -> list[Utterance]:
        """Utterances to show, by start time."""
        rows = self._of(
            meeting,
            "SELECT * FROM utterance WHERE meeting = ? AND NOT deleted"
            " ORDER BY start_ms, end_ms, CAST(substr(id, 2) AS INTEGER)",
        )
        return [
            _struct(
                Utterance,
                row,
                deleted=False,
                words=msgspec.json.decode(row["words"], type=tuple[Word, ...]),
                corrections=msgspec.json.decode(row["corrections"], type=tuple[Correction, ...]),
            )
            for row in rows
            if row["role"] in SHOWN
        ]

    def chat(self, meeting: str) -> list[Message]:
        """Chat messages to show, by time."""
        rows = self._of(
            meeting,
            "SELECT * FROM message WHERE meeting = ? AND NOT deleted"
            " ORDER BY at_ms, CAST(substr(id, 2) AS INTEGER)",
        )
        return [
            _struct(
                Message,
                row,
                deleted=False,
                files=msgspec.json.decode(row["files"], type=tuple[SharedFile, ...]),
                reactions=msgspec.json.decode(row["reactions"], type=tuple[Reaction, ...]),
            )
            for row in rows
        ]

    def notes(self, meeting: str) -> list[NoteItem]:
        """Note items that stand on their own, in order of first appearance."""
        rows = self._of(
            meeting,
            "SELECT body FROM note_item WHERE meeting = ? AND merged_into IS NULL"
            " AND status <> 'rejected' ORDER BY position",
        )
        return [msgspec.json.decode(row["body"], type=NoteItem) for row in rows]

    def gaps(self, meeting: str) -> list[Gap]:
        """What is missing, by start time."""
        rows = self._of(meeting, "SELECT * FROM gap WHERE meeting = ? ORDER BY from_ms, id")
        return [_struct(Gap, row) for row in rows]

    def participants(self, meeting: str) -> list[Participant]:
        """Everybody who was there, in order of arrival."""
        rows = self._of(meeting, "SELECT * FROM participant WHERE meeting = ? ORDER BY position")
        return [_struct(Participant, row) for row in rows]

    def streams(self, meeting: str) -> list[StreamView]:
        """The meeting's streams in order of their announcement."""
        rows = self._of(meeting, "SELECT * FROM stream WHERE meeting = ? ORDER BY position")
        return [_struct(StreamView, row) for row in rows]

    def happenings(self, meeting: str) -> list[Happening]:
        """Screens shared and call events, by time."""
        rows = self._of(meeting, f"SELECT * FROM happening WHERE meeting = ? {_BY_TIME}")  # noqa: S608 - ours
        return [_struct(Happening, row) for row in rows]

    def images(self, meeting: str) -> list[Image]:
        """Pictures of shared screens, by time."""
        rows = self._of(meeting, f"SELECT * FROM image WHERE meeting = ? {_BY_TIME}")  # noqa: S608 - ours
        return [_struct(Image, row) for row in rows]

    def clips(self, meeting: str) -> list[Clip]:
        """Saved video and screen share, in order."""
        rows = self._of(
            meeting,
            "SELECT * FROM clip WHERE meeting = ? ORDER BY CAST(substr(id, 2) AS INTEGER)",
        )
        return [_struct(Clip, row) for row in rows]

    def recordings(self, meeting: str) -> list[Recording]:
        """Kept audio, in order."""
        rows = self._of(
            meeting,
            "SELECT * FROM recording WHERE meeting = ? ORDER BY CAST(substr(id, 2) AS INTEGER)",
        )
        return [_struct(Recording, row, mixed=bool(row["mixed"])) for row in rows]

    def faults(self, meeting: str) -> list[FaultSeen]:
        """Kinds of things from Zoom that could not be used, oldest first."""
        rows = self._of(meeting, "SELECT * FROM fault WHERE meeting = ? ORDER BY first_ms, id")
        return [_struct(FaultSeen, row) for row in rows]

    def search(self, query: str, *, meeting: str | None = None, limit: int = 20) -> list[Hit]:
        """Where all words of ``query`` occur, best first; ``"..."`` is a phrase.

        Any text is a valid query. Deleted words and rejected notes are not found.
        """
        words = search.expression(query)
        if not words:
            return []
        rows = self._rows(
            search.SQL, words=words, meeting=meeting, limit=max(1, min(limit, _MOST_HITS))
        )
        return [Hit(**{**row, "private": bool(row["private"])}) for row in rows]

    def _of(self, meeting: str, sql: str) -> list[Mapping[str, Any]]:
        rows = self._rows(sql, meeting)
        if not rows and not self.exists(meeting):
            raise NotFound(_NEVER.format(meeting))
        return rows

    def _rows(self, sql: str, *values: object, **named: object) -> list[Mapping[str, Any]]:
        with self._pool.connection() as db:
            cursor = db.execute(sql, values or named)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]


def _view(row: Mapping[str, Any]) -> MeetingView:
    stages = msgspec.json.decode(row["stages"], type=tuple[StageHealth, ...])
    fields = {name: value for name, value in row.items() if name not in ("meeting", "stages")}
    return MeetingView(id=row["meeting"], stages=stages, **fields)


def _struct(kind: Any, row: Mapping[str, Any], **fixed: object) -> Any:
    fields = {name: row[name] for name in kind.__struct_fields__}
    return kind(**{**fields, **fixed})
