"""The one thread that writes: group commits, each with its projections, then who waits is told."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from pipeline.base import metrics
from pipeline.base.clock import Clock
from pipeline.base.errors import NotFound, RtmsNotesError, StorageError
from pipeline.model.events import Body, Event, decode_body, encode_body, kind_of
from pipeline.model.state import MeetingState
from pipeline.store.commits import Commits
from pipeline.store.database import connect_writer, read_events, storage_error, transaction
from pipeline.store.projection import advance, head
from pipeline.store.rows import write
from pipeline.store.settings import StoreSettings

log = structlog.get_logger()

_INSERT = "INSERT INTO event (meeting, seq, kind, at_ms, body) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class _Append:
    """One call: its bodies as they will be in the log, and who waits for it."""

    meeting: str
    bodies: tuple[tuple[str, Body], ...]
    opening: bool
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[list[Event]]


class Writer:
    """Owns the writing connection.

    A lone append is committed at once; what arrives meanwhile is committed together. Each open
    meeting's ``MeetingState`` is kept, so that an event costs what it changes.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        path: Path,
        *,
        clock: Clock,
        commits: Commits,
        settings: StoreSettings,
        before_end: Callable[[], None],
        after_end: Callable[[], None],
    ) -> None:
        self.trouble: StorageError | None = None
        self._db: sqlite3.Connection | None = db
        self._path = path
        self._clock = clock
        self._commits = commits
        self._settings = settings
        self._before_end = before_end
        self._after_end = after_end
        self._states: dict[str, MeetingState] = {}
        self._queue: queue.SimpleQueue[_Append | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def append(
        self, meeting: str, bodies: tuple[Body, ...], *, opening: bool = False
    ) -> list[Event]:
        """Commit the bodies, all or none.

        A cancelled call is still committed, whole. What is handed back is what was read back
        from the JSON, so that nobody sees an event that differs from the log's. Raises
        StorageError, NotFound for a meeting without a log, msgspec.MsgspecError for a body that
        does not have the form its type declares.
        """
        texts = tuple(encode_body(body) for body in bodies)
        checked = tuple((text.decode(), decode_body(text)) for text in texts)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Event]] = loop.create_future()
        with self._gate:
            if self._closed:
                raise StorageError(f"{self._path}: the store is closed", kind="closed")
            self._queue.put(_Append(meeting, checked, opening, loop, future))
        return await future

    def stop(self) -> None:
        """Commit what was handed over, then end."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join()

    # -- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        going_on = True
        while going_on:
            group, going_on = self._gather()
            if group:
                self._commit(group)
        self._commits.close()
        self._before_end()  # the last to close the file is the one that empties its WAL
        self._disconnect()
        self._after_end()

    def _gather(self) -> tuple[list[_Append], bool]:
        """The next group, and whether others may follow."""
        first = self._queue.get()
        if first is None:
            return [], False
        group, count = [first], len(first.bodies)
        until = time.monotonic() + self._settings.group_ms / 1000
        while count < self._settings.group_events and time.monotonic() < until:
            try:
                further = self._queue.get_nowait()
            except queue.Empty:
                break
            if further is None:
                return group, False
            group.append(further)
            count += len(further.bodies)
        return group, True

    def _commit(self, group: list[_Append]) -> None:
        started = time.perf_counter()
        try:
            db = self._connected()
            with transaction(db):
                committed = [self._write(db, append) for append in group]
        except Exception as error:  # noqa: BLE001 - handed to the callers; the thread lives on
            self._after_failure(group, error)
            return
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - started)
        self.trouble = None
        for append, events in zip(group, committed, strict=True):
            for event in events:
                metrics.EVENTS.labels(event.kind).inc()
            state = self._states.get(append.meeting)
            if state is not None and state.finished is not None:
                del self._states[append.meeting]
            self._commits.publish(append.meeting, events)
            _settle(append, events)

    def _after_failure(self, group: list[_Append], error: Exception) -> None:
        for append in group:
            self._states.pop(append.meeting, None)  # it may be ahead of the log
        if self._broken(error):
            self._disconnect()
        if len(group) > 1:
            for append in group:  # one bad append must not take others with it
                self._commit([append])
            return
        told = storage_error(error, self._path) if isinstance(error, sqlite3.Error) else error
        if isinstance(told, StorageError):
            self.trouble = told
        elif not isinstance(told, RtmsNotesError):
            log.error("store.append_failed", meeting=group[0].meeting, exc_info=error)
        _settle(group[0], told)

    def _write(self, db: sqlite3.Connection, append: _Append) -> list[Event]:
        meeting = append.meeting
        state = self._state(db, meeting, opening=append.opening)
        now = self._clock.now_ms()
        events: list[Event] = []
        for text, body in append.bodies:
            event = Event(meeting, state.last_seq + 1, now, body)
            db.execute(_INSERT, (meeting, event.seq, kind_of(body), now, text))
            write(db, meeting, advance(state, event))
            events.append(event)
        write(db, meeting, [head(state)])
        return events

    def _state(self, db: sqlite3.Connection, meeting: str, *, opening: bool) -> MeetingState:
        state = self._states.get(meeting)
        if state is None:
            try:
                state = MeetingState.replay(meeting, read_events(db, meeting))
            except ValueError as error:
                raise StorageError(f"{self._path}: {error}", kind="corrupt") from error
            if not opening and state.last_seq == 0:
                raise NotFound(f"no meeting {meeting!r}")
            self._states[meeting] = state
        if opening and state.last_seq:
            raise IdTaken(f"{self._path}: there is a meeting {meeting} already")
        return state

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = connect_writer(self._path, self._settings.busy_ms)
        return self._db

    def _broken(self, error: Exception) -> bool:
        """Whether the connection cannot be trusted any more."""
        if self._db is None:
            return False
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        return self._db.in_transaction or code == sqlite3.SQLITE_IOERR

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            try:
                db.close()
            except sqlite3.Error as error:  # what is committed is in the WAL and stays there
                log.warning("store.close_refused", error=str(error))


class IdTaken(RtmsNotesError):
    """A new meeting's id is that of another meeting."""


def _settle(append: _Append, outcome: list[Event] | Exception) -> None:
    """Tell the caller in its own event loop, if it is still there."""

    def tell() -> None:
        if append.future.done():
            return
        if isinstance(outcome, Exception):
            append.future.set_exception(outcome)
        else:
            append.future.set_result(outcome)

    try:
        append.loop.call_soon_threadsafe(tell)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return
