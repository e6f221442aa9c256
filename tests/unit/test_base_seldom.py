from __future__ import annotations

from pipeline.base.clock import ManualClock
from pipeline.base.seldom import Seldom


async def test_a_thing_is_told_once_in_a_while_with_how_often_it_happened() -> None:
    clock = ManualClock()
    seldom = Seldom(clock, every_s=1.0)
    assert [seldom.due("full") for _ in range(4)] == [1, 0, 0, 0]
    assert seldom.due("stalled") == 1
    await clock.advance(0.9)
    assert seldom.due("full") == 0
    await clock.advance(0.1)
    assert seldom.due("full") == 5
    assert seldom.due("full") == 0
