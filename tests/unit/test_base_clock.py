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


HOUR_MS = 3_600_000


async def _told(machine: ManualClock, meeting: MeetingClock, base: int, seconds: int) -> list[bool]:
    """One timestamp a second from ``base`` on."""
    found = []
    for second in range(seconds):
        found.append(bool(meeting.observe(base + second * 1000)))
        await machine.advance(1.0)
    return found


async def test_a_clock_that_is_wrong_for_a_while_does_not_move_the_meeting() -> None:
    machine = ManualClock()
    meeting = MeetingClock(machine)
    assert True not in await _told(machine, meeting, 10_000, 20)
    found = await _told(machine, meeting, 30_000 + HOUR_MS, 10)
    assert found == [True] + [False] * 9, "told once"
    assert meeting.now_ms() == 40_000
    assert not meeting.observe(40_500)
    assert meeting.now_ms() == 40_500


async def test_a_jump_that_persists_is_believed_and_taken_back_likewise() -> None:
    machine = ManualClock()
    meeting = MeetingClock(machine)
    await _told(machine, meeting, 10_000, 5)
    found = await _told(machine, meeting, 15_000 + HOUR_MS, 40)
    assert found.count(True) == 1
    assert meeting.now_ms() == 55_000 + HOUR_MS
    found = await _told(machine, meeting, 55_000, 29)
    assert found.count(True) == 0
    assert meeting.now_ms() == 84_000 + HOUR_MS
    assert (await _told(machine, meeting, 84_000, 3)).count(True) == 1
    assert meeting.now_ms() == 87_000


async def test_one_right_timestamp_takes_a_jump_back() -> None:
    machine = ManualClock()
    meeting = MeetingClock(machine)
    await _told(machine, meeting, 10_000, 5)
    for second in range(60):  # two sockets, one of which is an hour ahead
        meeting.observe(15_000 + HOUR_MS + second * 1000)
        meeting.observe(15_000 + second * 1000 - 40)
        await machine.advance(1.0)
    assert meeting.now_ms() == 75_000


async def test_a_jump_persists_in_the_time_of_the_tape() -> None:
    machine = ManualClock()
    meeting = MeetingClock(machine, speed=6.0)
    meeting.observe(10_000)
    for half in range(12):
        meeting.observe(10_000 + HOUR_MS + half * 3_000)
        await machine.advance(0.5)
    assert meeting.now_ms() == 10_000 + HOUR_MS + 12 * 3_000


async def test_a_replay_of_a_minute_is_no_jump() -> None:
    machine = ManualClock()
    meeting = MeetingClock(machine)
    meeting.observe(100_000)
    for n in range(600):
        assert not meeting.observe(40_000 + n * 100)
    assert meeting.now_ms() == 100_000


@given(st.lists(st.tuples(st.integers(0, 2 * 10**5), st.floats(0, 2)), max_size=20))
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
