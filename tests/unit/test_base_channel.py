from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from pipeline.base.channel import Channel, Closed


def metric(name: str, queue: str) -> float:
    return REGISTRY.get_sample_value(name, {"queue": queue}) or 0.0


async def test_offer_never_waits_and_counts_what_it_refuses() -> None:
    channel: Channel[int] = Channel("offer_test", 2)
    assert [channel.offer(n) for n in range(4)] == [True, True, False, False]
    assert len(channel) == 2
    assert metric("rtms_pipeline_queue_refused_total", "offer_test") == 2
    assert metric("rtms_pipeline_queue_depth", "offer_test") == 2
    assert await channel.get() == 0
    assert metric("rtms_pipeline_queue_depth", "offer_test") == 1
    assert channel.offer(9)
    assert [await channel.get(), await channel.get()] == [1, 9]


async def test_put_waits_for_room() -> None:
    channel: Channel[int] = Channel("put_test", 1)
    await channel.put(1)
    waiting = [asyncio.create_task(channel.put(n)) for n in (2, 3)]
    await asyncio.sleep(0)
    assert len(channel) == 1
    assert [await channel.get() for _ in range(3)] == [1, 2, 3]
    await asyncio.gather(*waiting)


async def test_what_is_inside_is_delivered_after_closing() -> None:
    channel: Channel[int] = Channel("close_test", 3)
    channel.offer(1)
    channel.offer(2)
    channel.close()
    assert not channel.offer(3)
    with pytest.raises(Closed):
        await channel.put(3)
    assert [item async for item in channel] == [1, 2]
    with pytest.raises(Closed):
        await channel.get()


async def test_closing_wakes_both_sides() -> None:
    empty: Channel[int] = Channel("wake_get", 1)
    full: Channel[int] = Channel("wake_put", 1)
    full.offer(1)
    getting = asyncio.create_task(empty.get())
    putting = asyncio.create_task(full.put(2))
    await asyncio.sleep(0)
    empty.close()
    full.close()
    for task in (getting, putting):
        with pytest.raises(Closed):
            await task
    assert await full.get() == 1


async def test_a_cancelled_get_loses_nothing() -> None:
    channel: Channel[int] = Channel("cancel_test", 3)
    getting = asyncio.create_task(channel.get())
    await asyncio.sleep(0)
    channel.offer(1)
    getting.cancel()
    await asyncio.gather(getting, return_exceptions=True)
    assert await channel.get() == 1


@given(st.lists(st.integers(), max_size=50), st.integers(1, 5))
def test_a_bounded_channel_is_first_in_first_out(items: list[int], limit: int) -> None:
    async def run() -> list[int]:
        channel: Channel[int] = Channel("order_test", limit)

        async def produce() -> None:
            for item in items:
                await channel.put(item)
                assert len(channel) <= limit
            channel.close()

        producing = asyncio.create_task(produce())
        taken = [item async for item in channel]
        await producing
        return taken

    assert asyncio.run(run()) == items


async def test_room_is_waited_for_without_putting() -> None:
    channel: Channel[int] = Channel("test", 10)
    channel.offer(1)
    channel.offer(2)
    waiting = asyncio.create_task(channel.room(2))
    await asyncio.sleep(0)
    assert not waiting.done()
    await channel.get()
    await waiting
    assert len(channel) == 1
    channel.offer(3)
    closing = asyncio.create_task(channel.room(1))
    await asyncio.sleep(0)
    channel.close()
    await closing  # nothing more comes: nobody waits for ever
