from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.clock import ManualClock, MeetingClock, SystemClock


async def test_a_manual_clock_wakes_sleepers_in_order_at_their_time() -> None:
    clock = ManualClock(start_ms=1_000)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper(n, s)) for n, s in (("b", 2.0), ("a", 1.0), ("c", 2.0))]
    await clock.advance(0.5)
    assert woken == []
    await clock.advance(1.5)
    assert woken == [("a", 1.0), ("b", 2.0), ("c", 2.0)]
    assert clock.now_ms() == 3_000
    await asyncio.gather(*tasks)


async def test_who_sleeps_again_while_time_advances_is_woken_again() -> None:
    clock = ManualClock()
    beats: list[float] = []

    async def beat() -> None:
        while True:
            await clock.sleep(1.0)
            beats.append(clock.monotonic())

    task = asyncio.create_task(beat())
    await clock.advance(3.0)
    assert beats == [1.0, 2.0, 3.0]
    task.cancel()


async def test_a_cancelled_sleeper_does_not_disturb_others() -> None:
    clock = ManualClock()
    first = asyncio.create_task(clock.sleep(1.0))
    second = asyncio.create_task(clock.sleep(1.0))
    await clock.advance(0.1)
    first.cancel()
    await clock.advance(1.0)
    assert second.done()
    assert not second.cancelled()


async def test_no_time_to_sleep_only_yields() -> None:
    clock = ManualClock()
    await clock.sleep(0)
    await clock.sleep(-1)
    await SystemClock().sleep(0)
    assert clock.monotonic() == 0.0


async def test_the_systems_clock_is_the_machines() -> None:
    clock = SystemClock()
    assert clock.now_ms() > 1_700_000_000_000
    assert clock.monotonic() <= clock.monotonic()


async def test_meeting_time_runs_on_when_nothing_arrives() -> None:
    machine = ManualClock()
    meeting = MeetingClock(machine)
    assert meeting.now_ms() is None
    meeting.observe(10_000)
    await machine.advance(2.5)
    assert meeting.now_ms() == 12_500


async def test_meeting_time_runs_on_at_the_speed_of_the_tape() -> None:
    machine = ManualClock()
    meeting = MeetingClock(machine, speed=4.0)
    meeting.observe(10_000)
    await machine.advance(2.0)
    assert meeting.now_ms() == 18_000


async def test_older_timestamps_change_nothing() -> None:
    machine = ManualClock()
    meeting = MeetingClock(machine)
    meeting.observe(10_000)
    await machine.advance(1.0)
    meeting.observe(10_500)
    assert meeting.now_ms() == 11_000
    meeting.observe(20_000)
    assert meeting.now_ms() == 20_000


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 5)), max_size=20))
def test_meeting_time_never_goes_back(arrivals: list[tuple[int, float]]) -> None:
    async def run() -> None:
        machine = ManualClock()
        meeting = MeetingClock(machine, speed=2.0)
        last = 0
        for timestamp, seconds in arrivals:
            meeting.observe(timestamp)
            now = meeting.now_ms()
            assert now is not None
            assert now >= max(last, timestamp)
            last = now
            await machine.advance(seconds)

    asyncio.run(run())
