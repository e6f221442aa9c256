from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from store_events import OPENED, opened, said

from pipeline.base.clock import ManualClock
from pipeline.base.errors import StorageError
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.store.memory import MemoryLog


async def story(log: MeetingLog) -> list[tuple[int, ev.Body]]:
    """The same calls on any log; what a follower saw."""

    async def follow() -> list[tuple[int, ev.Body]]:
        seen = []
        async for event in log.follow():
            seen.append((event.seq, event.body))
            if isinstance(event.body, ev.MeetingFinished):
                break
        return seen

    following = asyncio.create_task(follow())
    await log.append(said(1), said(2))
    assert await log.append() == []
    with pytest.raises(msgspec.ValidationError):
        await log.append(said(3, text=7))
    await asyncio.gather(*(log.append(said(n)) for n in range(3, 9)))
    assert [e.seq for e in await log.events(after=7)] == [8, 9]
    await log.append(ev.MeetingFinished(at_ms=1))
    return await following


async def test_the_fake_behaves_as_the_store(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        stored = await story(await store.create(OPENED))
    memory = MemoryLog("m0001", ManualClock())
    await memory.append(OPENED)
    assert await story(memory) == stored
    assert memory.state().last_seq == len(stored)
    assert memory.meeting == "m0001"


async def test_a_refused_append_commits_nothing() -> None:
    log = MemoryLog()
    log.refuse(StorageError("full", kind="disk_full", retryable=True), times=2)
    for _ in range(2):
        with pytest.raises(StorageError, match="full"):
            await log.append(OPENED)
    assert await log.events() == []
    (event,) = await log.append(OPENED)
    assert event.seq == 1


async def test_closing_ends_followers() -> None:
    log = MemoryLog()
    await log.append(OPENED)
    following = log.follow()
    await anext(following)
    waiting = asyncio.ensure_future(anext(following, None))
    await asyncio.sleep(0)
    log.close()
    assert await waiting is None
    with pytest.raises(StorageError, match="closed"):
        await log.append(OPENED)
