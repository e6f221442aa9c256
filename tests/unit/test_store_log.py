from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from prometheus_client import REGISTRY
from store_events import OPENED, opened, said

from pipeline.base.clock import ManualClock
from pipeline.base.errors import BadInput, InUse, NotFound, StorageError
from pipeline.base.ids import SequentialIds
from pipeline.model import events as ev
from pipeline.store.layout import DATABASE
from pipeline.store.reader import Reader
from pipeline.store.settings import StoreSettings
from pipeline.store.store import Store


class FixedIds:
    def __init__(self, *ids: str) -> None:
        self._ids = list(ids)

    def new(self) -> str:
        return self._ids.pop(0)


def reading(home: Path) -> closing[Reader]:
    return closing(Reader.open(home))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def commits() -> float:
    return REGISTRY.get_sample_value("store_commit_seconds_count") or 0.0


def committed(kind: str) -> float:
    return REGISTRY.get_sample_value("store_events_total", {"kind": kind}) or 0.0


async def test_a_meeting_begins_with_its_first_event(tmp_path: Path) -> None:
    async with opened(tmp_path / "home") as store:
        log = await store.create(OPENED)
        assert log.meeting == "m0001"
        (event,) = await log.events()
        assert (event.seq, event.body) == (1, OPENED)
        assert event.at_ms == ManualClock().now_ms()
        assert store.find("meeting", OPENED.zoom_id) == "m0001"
        assert store.find("webinar", OPENED.zoom_id) is None


async def test_seq_is_gapless_within_each_meeting_under_concurrent_appends(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        logs = [await store.create(OPENED) for _ in range(3)]
        await asyncio.gather(
            *(log.append(said(n), said(n + 1)) for n in range(1, 41, 2) for log in logs)
        )
        for log in logs:
            found = store.reader.events(log.meeting)
            assert [e.seq for e in found] == list(range(1, 42))
            assert [e.meeting for e in found] == [log.meeting] * 41
            order = [e.body.utterance.id for e in found[1:] if isinstance(e.body, ev.UtteranceSaid)]
            assert order == [f"u{n}" for n in range(1, 41)]


async def test_append_gives_what_readers_will_read(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        events = await log.append(said(1, "naïve \0 \u2028 text"), said(2))
        assert events == await log.events(after=1) == store.reader.events(log.meeting, after=1)
        with reading(tmp_path) as other:
            assert other.events(log.meeting, after=1) == events
        assert await log.append() == []


async def test_events_are_counted(tmp_path: Path) -> None:
    before = committed("utterance_said")
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        await log.append(said(1), said(2))
    assert committed("utterance_said") == before + 2


async def test_what_arrives_while_the_disk_is_busy_is_committed_together(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        before = commits()
        holder = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        tasks = [asyncio.create_task(log.append(said(n))) for n in range(1, 31)]
        await asyncio.sleep(0)
        holder.execute("ROLLBACK")
        holder.close()
        await asyncio.gather(*tasks)
        assert 1 <= commits() - before <= 3


async def test_a_group_is_bounded(tmp_path: Path) -> None:
    async with opened(tmp_path, group_events=5) as store:
        log = await store.create(OPENED)
        before = commits()
        await asyncio.gather(*(log.append(said(n)) for n in range(1, 31)))
        assert commits() - before >= 6


async def test_one_bad_append_does_not_take_others_with_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        other = await store.create(OPENED)
        results = await asyncio.gather(
            log.append(said(1)),
            log.append(said(2), said(3, start_ms=2**63)),  # no integer of SQLite
            log.append(said(4)),
            other.append(said(1)),
            store._writer.append("nobody", (said(1),)),
            return_exceptions=True,
        )
        kinds = [type(r).__name__ if isinstance(r, Exception) else len(r) for r in results]
        assert kinds == [1, "OverflowError", 1, 1, "NotFound"]
        assert [u.id for u in store.reader.transcript(log.meeting)] == ["u1", "u4"]
        assert store.reader.view(log.meeting).last_seq == 3
        assert store.reader.view(other.meeting).last_seq == 2
        assert store.trouble is None


async def test_a_body_of_the_wrong_form_never_reaches_the_log(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        with pytest.raises(msgspec.ValidationError):
            await log.append(said(1), said(2, start_ms="soon"))
        with pytest.raises(UnicodeEncodeError):
            await log.append(said(1, "\ud800"))
        assert len(await log.events()) == 1
        await log.append(said(1))


async def test_a_cancelled_append_is_committed_whole_and_harms_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        tasks = [asyncio.create_task(log.append(said(n), said(n + 1))) for n in range(1, 21, 2)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(r, asyncio.CancelledError) for r in done) == 5
        (last,) = await log.append(said(99))
        assert last.seq == 22
        assert store.reader.view(log.meeting).last_seq == 22
        assert len(store.reader.transcript(log.meeting)) == 21


async def test_closing_commits_what_was_handed_over(tmp_path: Path) -> None:
    store = Store.open(tmp_path, clock=ManualClock(), ids=SequentialIds())
    log = await store.create(OPENED)
    tasks = [asyncio.create_task(log.append(said(n))) for n in range(1, 11)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*tasks)
    await store.close()
    with pytest.raises(StorageError, match="closed") as refused:
        await log.append(said(11))
    assert not refused.value.retryable
    assert not (tmp_path / (DATABASE + "-wal")).exists()
    with reading(tmp_path) as reader:
        assert reader.view(log.meeting).last_seq == 11


async def test_a_store_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        await log.append(said(1))
    async with opened(tmp_path) as store:
        log = store.log("m0001")
        (event,) = await log.append(said(1, "corrected", revision=2))
        assert event.seq == 3
        assert [u.text for u in store.reader.transcript("m0001")] == ["corrected"]
        other = await store.create(OPENED)  # its ids begin anew: the taken one is not used
        assert other.meeting == "m0002"


async def test_a_taken_id_is_not_given_twice(tmp_path: Path) -> None:
    ids = FixedIds("same", "same", "same", "other")
    store = Store.open(tmp_path, clock=ManualClock(), ids=ids)
    try:
        made = [await store.create(OPENED), await store.create(OPENED)]
        assert [log.meeting for log in made] == ["same", "other"]
        assert store.trouble is None
    finally:
        await store.close()


async def test_unfinished_meetings_oldest_first_until_they_are_finished(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        late = await store.create(msgspec.structs.replace(OPENED, started_ms=9_000))
        early = await store.create(msgspec.structs.replace(OPENED, started_ms=2_000))
        assert store.unfinished() == [early.meeting, late.meeting]
        await early.append(ev.MeetingEnded(at_ms=1))
        assert store.unfinished() == [early.meeting, late.meeting]
        await early.append(ev.MeetingFinished(at_ms=2))
        assert store.unfinished() == [late.meeting]
        assert [v.id for v in store.reader.meetings()] == [late.meeting, early.meeting]
        # an edit after the end is still an event of the same log
        (event,) = await early.append(said(1))
        assert event.seq == 4
        assert store.reader.view(early.meeting).state == "finished"


async def test_find_gives_the_newest_of_several(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.create(OPENED)
        newer = await store.create(msgspec.structs.replace(OPENED, started_ms=5_000))
        assert store.find("meeting", OPENED.zoom_id) == newer.meeting


# -- names, places, permissions -----------------------------------------------------------------


async def test_any_unique_beginning_names_a_meeting(tmp_path: Path) -> None:
    ids = FixedIds("3f9aaa", "3f9bbb", "77", "771")
    store = Store.open(tmp_path, clock=ManualClock(), ids=ids)
    try:
        for _ in range(4):
            await store.create(OPENED)
        reader = store.reader
        assert reader.resolve("3f9a") == "3f9aaa"
        assert reader.resolve("77") == "77"  # the whole of one, the beginning of another
        with pytest.raises(BadInput, match="several meetings: 3f9aaa, 3f9bbb"):
            reader.resolve("3f9")
        for wrong in ("", "x", "%", "3f9_", "3f9aaaa"):
            with pytest.raises(NotFound, match="no meeting"):
                reader.resolve(wrong)
    finally:
        await store.close()


async def test_unknown_meetings_are_not_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        reader = store.reader
        for read in (
            reader.view,
            reader.state,
            reader.events,
            reader.transcript,
            reader.chat,
            reader.notes,
            reader.gaps,
            reader.participants,
            reader.streams,
            store.log,
        ):
            with pytest.raises(NotFound, match="no meeting 'nobody'"):
                read("nobody")


async def test_only_the_owner_can_read_whatever_the_umask(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    old = os.umask(0)
    try:
        async with opened(home) as store:
            log = await store.create(OPENED)
            spool = store.spool(log.meeting)
            assert store.spool(log.meeting) == spool == home / "meetings" / "m0001" / "spool"
            with reading(home) as reader:
                reader.meetings()
                files = {p.name: mode(p) for p in home.rglob("*")}
    finally:
        os.umask(old)
    assert files == {
        "rtms-notes.db": 0o600,
        "rtms-notes.db-wal": 0o600,
        "rtms-notes.db-shm": 0o600,
        "writer.lock": 0o600,
        "meetings": 0o700,
        "m0001": 0o700,
        "spool": 0o700,
    }
    assert mode(home) == 0o700


async def test_loose_files_are_tightened_and_shared_folders_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("somebody else's")
    os.chmod(tmp_path, 0o755)  # noqa: PTH101 - a test may block
    async with opened(tmp_path):
        pass
    (tmp_path / DATABASE).chmod(0o644)
    async with opened(tmp_path):
        assert mode(tmp_path / DATABASE) == 0o600
    assert mode(tmp_path) == 0o755


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".", "x" * 65])
async def test_no_folder_is_made_for_a_name_that_is_no_id(tmp_path: Path, name: str) -> None:
    async with opened(tmp_path) as store:
        with pytest.raises(NotFound):
            store.spool(name)
        assert not (tmp_path / "meetings").exists()


async def test_a_second_writer_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(InUse, match=f"process {os.getpid()} writes here"):
            Store.open(tmp_path, clock=ManualClock(), ids=SequentialIds())
    async with opened(tmp_path) as store:
        await store.create(OPENED)


def test_settings_that_cannot_work_are_refused() -> None:
    for wrong in ({"group_events": 0}, {"group_ms": 0}, {"tail_events": 0}, {"busy_ms": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            StoreSettings(**wrong)
