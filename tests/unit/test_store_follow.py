from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from store_events import OPENED, opened, said

from pipeline.base.clock import ManualClock
from pipeline.model import events as ev
from pipeline.store.commits import Commits
from pipeline.store.reader import Reader


async def take(events: AsyncIterator[ev.Event], count: int) -> list[int]:
    return [(await anext(events)).seq for _ in range(count)]


@pytest.mark.parametrize("tail", [1, 7, 512])
async def test_nothing_is_skipped_or_doubled_under_concurrent_appends(
    tmp_path: Path, tail: int
) -> None:
    async with opened(tmp_path, tail_events=tail, group_events=9) as store:
        logs = [await store.create(OPENED), await store.create(OPENED)]
        total = 121
        followers = [
            asyncio.create_task(take(log.follow(after), total - after))
            for log in logs
            for after in (0, 1, 50, 119)
        ]

        async def write(number: int) -> None:
            for n in range(number * 10, number * 10 + 10):
                await asyncio.gather(*(log.append(said(n + 1)) for log in logs))

        late = asyncio.create_task(write(0))
        await asyncio.gather(late, *(write(number) for number in range(1, 12)))
        followers += [asyncio.create_task(take(log.follow(), total)) for log in logs]
        found = await asyncio.gather(*followers)
        for seqs in found:
            assert seqs == list(range(total - len(seqs) + 1, total + 1))


async def test_a_follower_is_woken_by_the_commit(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        following = log.follow(1)
        waiting = asyncio.ensure_future(anext(following))
        for n in range(1, 20):
            (event,) = await log.append(said(n))
            assert await waiting == event
            waiting = asyncio.ensure_future(anext(following))
        waiting.cancel()


async def test_an_interrupted_wait_loses_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        following = log.follow()
        assert (await anext(following)).seq == 1
        for n in range(1, 6):
            waiting = asyncio.ensure_future(anext(following))
            for _ in range(n):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await log.append(said(n))
            assert (await anext(following)).seq == n + 1


async def test_followers_see_the_end_and_stop_when_the_store_closes(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)

        async def all_of_it() -> list[str]:
            return [event.kind async for event in log.follow()]

        following = asyncio.create_task(all_of_it())
        await log.append(said(1), ev.MeetingEnded(at_ms=1), ev.MeetingFinished(at_ms=2))
        await store.close()
        assert await following == [
            "meeting_opened",
            "utterance_said",
            "meeting_ended",
            "meeting_finished",
        ]


async def test_another_process_follows_by_looking_again(tmp_path: Path) -> None:
    clock = ManualClock()
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        reader = Reader.open(tmp_path, clock=clock)
        try:
            following = reader.follow(log.meeting, 0)
            assert (await anext(following)).seq == 1
            for n in range(1, 4):
                waiting = asyncio.ensure_future(anext(following))
                (event,) = await log.append(said(n))
                while not waiting.done():
                    await clock.advance(0.2)
                assert await waiting == event
        finally:
            reader.close()


async def test_followers_may_live_in_other_event_loops(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = await store.create(OPENED)
        found: list[int] = []

        def elsewhere() -> None:
            found.extend(asyncio.run(take(log.follow(), 30)))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        for n in range(1, 30):
            await log.append(said(n))
        await asyncio.to_thread(thread.join)
        assert found == list(range(1, 31))


def event(seq: int, body: ev.Body | None = None) -> ev.Event:
    return ev.Event("m", seq, 0, body or said(seq))


async def test_memory_knows_how_far_back_it_reaches() -> None:
    commits = Commits(tail=3)
    assert commits.since("m", 0) is None
    commits.publish("m", [event(n) for n in range(1, 6)])
    assert commits.since("m", 1) is None
    assert [e.seq for e in commits.since("m", 2) or []] == [3, 4, 5]
    assert commits.since("m", 5) == []
    assert commits.since("other", 0) is None


async def test_memory_forgets_meetings_that_finished_long_ago() -> None:
    commits = Commits(tail=3)
    for number in range(40):
        name = f"m{number}"
        commits.publish(name, [ev.Event(name, 1, 0, ev.MeetingFinished(at_ms=1))])
    assert commits.since("m0", 0) is None
    assert commits.since("m39", 0) is not None


async def test_a_mark_taken_before_looking_cannot_miss_a_commit() -> None:
    commits = Commits()
    mark = commits.newest("m")
    commits.publish("m", [event(1)])
    assert await commits.newer("m", mark)
    waiting = asyncio.ensure_future(commits.newer("m", 1))
    await asyncio.sleep(0)
    commits.close()
    assert not await waiting
    assert not await commits.newer("m", 1)
    assert await commits.newer("m", 0)
