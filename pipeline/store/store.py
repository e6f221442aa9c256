"""The store of one home as its writer: makes meetings, hands out their logs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from pipeline.base.clock import Clock
from pipeline.base.errors import NotFound, StorageError
from pipeline.base.ids import Ids
from pipeline.model.events import Body, Event, MeetingOpened, Product
from pipeline.store import layout
from pipeline.store.commits import Commits
from pipeline.store.database import connect_writer
from pipeline.store.lock import WriterLock
from pipeline.store.migrate import migrate
from pipeline.store.reader import Reader
from pipeline.store.settings import StoreSettings
from pipeline.store.writer import IdTaken, Writer

_DEFAULTS = StoreSettings()


class StoredLog:
    """One meeting's log; implements ``pipeline.model.log.MeetingLog``."""

    def __init__(self, meeting: str, writer: Writer, reader: Reader) -> None:
        self._meeting = meeting
        self._writer = writer
        self._reader = reader

    @property
    def meeting(self) -> str:
        return self._meeting

    async def append(self, *bodies: Body) -> list[Event]:
        if not bodies:
            return []
        return await self._writer.append(self._meeting, bodies)

    async def events(self, after: int = 0) -> list[Event]:
        return await self._reader.fetch(self._meeting, after)

    def follow(self, after: int = 0) -> AsyncIterator[Event]:
        return self._reader.follow(self._meeting, after)


class Store:
    """The one writer of a home. ``reader`` follows without polling; it is closed with the store."""

    def __init__(self, home: Path, reader: Reader, writer: Writer, ids: Ids) -> None:
        self.home = home
        self.reader = reader
        self._writer = writer
        self._ids = ids

    @classmethod
    def open(
        cls, home: Path, *, clock: Clock, ids: Ids, settings: StoreSettings = _DEFAULTS
    ) -> Store:
        """Take the home's writer lock, make or migrate the database, start the writer.

        Raises InUse when another process writes there, StorageError for anything else.
        """
        layout.prepare(home)
        path = home / layout.DATABASE
        lock = WriterLock.take(home)
        try:
            layout.prepare_database(home)
            db = connect_writer(path, settings.busy_ms)
            try:
                migrate(db, path)
                commits = Commits(settings.tail_events)
                reader = Reader(home, commits=commits, busy_ms=settings.busy_ms)
            except BaseException:
                db.close()
                raise
        except BaseException:
            lock.release()
            raise
        writer = Writer(
            db,
            path,
            clock=clock,
            commits=commits,
            settings=settings,
            before_end=reader.close,
            after_end=lock.release,
        )
        return cls(home, reader, writer, ids)

    @property
    def trouble(self) -> StorageError | None:
        """The last refused append, until one succeeds again."""
        return self._writer.trouble

    async def create(self, opened: MeetingOpened, *more: Body) -> StoredLog:
        """A new meeting with a new id; ``opened`` is its first event and ``more`` are committed
        with it. Raises StorageError."""
        while True:
            meeting = self._ids.new()
            try:
                await self._writer.append(meeting, (opened, *more), opening=True)
            except IdTaken:
                continue
            return StoredLog(meeting, self._writer, self.reader)

    def log(self, meeting: str) -> StoredLog:
        """The log of a meeting that exists. Raises NotFound."""
        if not self.reader.exists(meeting):
            raise NotFound(f"no meeting {meeting!r}; `rtms-notes meetings` lists them")
        return StoredLog(meeting, self._writer, self.reader)

    def find(self, product: Product, zoom_id: str) -> str | None:
        """Our id of the meeting with Zoom's id (the newest, should there be several)."""
        return self.reader.find(product, zoom_id)

    def unfinished(self) -> list[str]:
        """Meetings without ``meeting_finished``, oldest first."""
        return self.reader.unfinished()

    def spool(self, meeting: str) -> Path:
        """The folder for the meeting's audio, made (0700) when missing. Raises StorageError."""
        return layout.spool(self.home, meeting)

    async def close(self) -> None:
        """Commit what was handed over, end the thread, let others write. Can be repeated."""
        self._writer.stop()
        await asyncio.to_thread(self._writer.join)
