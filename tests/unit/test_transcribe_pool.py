from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.base.clock import ManualClock
from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import Capabilities, Engine, Pcm, Transcription
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.scripted import Hang, ScriptedEngine
from pipeline.transcribe.settings import TranscribeSettings

ONE = TranscribeSettings(workers=1, timeout_s=10.0, retry_wait_s=0.5)


def pcm(number: int) -> Pcm:
    return np.full(160, number, np.float32)


async def until(condition: Callable[[], bool]) -> None:
    """Let tasks, and the threads that open engines, run until it holds."""
    while not condition():  # noqa: ASYNC110 (the clock must not move meanwhile)
        await asyncio.sleep(0)


async def settled() -> None:
    """Let tasks that wait for no thread run."""
    for _ in range(30):
        await asyncio.sleep(0)


class GatedEngine:
    """Answers when told to; notes the order in which it was asked."""

    capabilities = Capabilities(name="gated")

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.gate = asyncio.Semaphore(0)
        self.closed = False

    async def transcribe(self, heard: Pcm) -> Transcription:
        self.asked.append(int(heard[0]))
        await self.gate.acquire()
        return Transcription(str(int(heard[0])))

    async def close(self) -> None:
        self.closed = True


async def test_meetings_take_turns() -> None:
    engine = GatedEngine()
    pool = DecodePool(lambda: engine, settings=ONE)
    tasks = [asyncio.create_task(pool.transcribe("a", pcm(n))) for n in (1, 2, 3, 4)]
    await until(lambda: engine.asked == [1])
    tasks += [asyncio.create_task(pool.transcribe("b", pcm(n))) for n in (11, 12)]
    await settled()
    tasks += [asyncio.create_task(pool.transcribe("c", pcm(21)))]
    await settled()
    assert pool.waiting == 6
    for _ in tasks:
        engine.gate.release()
    texts = [heard.text for heard in await asyncio.gather(*tasks)]
    assert texts == ["1", "2", "3", "4", "11", "12", "21"]
    assert engine.asked == [1, 2, 11, 21, 3, 12, 4]
    await pool.close()
    assert engine.closed


async def test_workers_decode_at_the_same_time_each_with_its_engine() -> None:
    engines: list[GatedEngine] = []
    threads: set[int] = set()

    def open_engine() -> Engine:
        threads.add(threading.get_ident())
        engines.append(GatedEngine())
        return engines[-1]

    pool = DecodePool(open_engine, settings=TranscribeSettings(workers=2))
    assert (pool.workers, engines) == (2, [])
    tasks = [asyncio.create_task(pool.transcribe("a", pcm(n))) for n in range(4)]
    await until(lambda: sum(len(engine.asked) for engine in engines) == 2)
    assert [len(engine.asked) for engine in engines] == [1, 1]
    assert threading.get_ident() not in threads
    for engine in engines:
        for _ in range(4):
            engine.gate.release()
    assert [heard.text for heard in await asyncio.gather(*tasks)] == ["0", "1", "2", "3"]
    await pool.close()
    assert all(engine.closed for engine in engines)


async def test_what_may_help_is_tried_once_more() -> None:
    clock = ManualClock()
    busy = EngineError("busy", kind="busy", retryable=True)
    engine = ScriptedEngine([busy, "Good.", busy, busy, "Never asked."])
    pool = DecodePool(lambda: engine, settings=ONE, clock=clock)
    first = asyncio.create_task(pool.transcribe("a", pcm(1)))
    await until(lambda: len(engine.heard) == 1)
    await settled()
    assert not first.done()
    await clock.advance(0.5)
    assert (await first).text == "Good."
    second = asyncio.create_task(pool.transcribe("a", pcm(2)))
    await until(lambda: len(engine.heard) == 3)
    await settled()
    await clock.advance(0.5)
    with pytest.raises(EngineError, match="busy"):
        await second
    assert len(engine.heard) == 4
    await pool.close()


async def test_what_cannot_help_is_not_tried_again() -> None:
    engine = ScriptedEngine([EngineError("no such language", kind="language"), "Good."])
    pool = DecodePool(lambda: engine, settings=ONE)
    with pytest.raises(EngineError, match="language"):
        await pool.transcribe("a", pcm(1))
    assert (await pool.transcribe("a", pcm(2))).text == "Good."
    await pool.close()


async def test_a_hanging_engine_is_replaced() -> None:
    clock = ManualClock()
    engines = [ScriptedEngine([Hang()]), ScriptedEngine(["Good."])]
    opened = iter(engines)
    pool = DecodePool(lambda: next(opened), settings=ONE, clock=clock)
    task = asyncio.create_task(pool.transcribe("a", pcm(1)))
    await until(lambda: len(engines[0].heard) == 1)
    await clock.advance(9.9)
    assert not engines[0].closed
    await clock.advance(0.1)
    assert engines[0].closed
    await clock.advance(0.5)
    assert (await task).text == "Good."
    await pool.close()


async def test_an_engine_that_always_hangs_is_told_and_the_next_is_served() -> None:
    clock = ManualClock()
    hung = 0

    def script(heard: Pcm) -> Hang | str:
        nonlocal hung
        if heard[0] == 2:
            return "Good."
        hung += 1
        return Hang()

    pool = DecodePool(lambda: ScriptedEngine(script), settings=ONE, clock=clock)
    first = asyncio.create_task(pool.transcribe("a", pcm(1)))
    second = asyncio.create_task(pool.transcribe("b", pcm(2)))
    await until(lambda: hung == 1)
    await clock.advance(10.0)
    await clock.advance(0.5)
    await until(lambda: hung == 2)
    await clock.advance(10.0)
    with pytest.raises(EngineError) as caught:
        await first
    assert (caught.value.kind, caught.value.retryable) == ("timeout", True)
    assert (await second).text == "Good."
    await pool.close()


async def test_an_engine_that_does_not_open_is_told_each_time() -> None:
    def missing() -> Engine:
        raise EngineError("pip install 'rtms-notes[local]'", kind="missing_extra")

    pool = DecodePool(missing, settings=ONE)
    for _ in range(2):
        with pytest.raises(EngineError) as caught:
            await pool.transcribe("a", pcm(1))
        assert caught.value.kind == "missing_extra"
    await pool.close()


async def test_a_defect_reaches_the_caller_and_the_worker_lives() -> None:
    def defect(heard: Pcm) -> str:
        if heard[0] == 1:
            raise ZeroDivisionError
        return "Good."

    pool = DecodePool(lambda: ScriptedEngine(defect), settings=ONE)
    with pytest.raises(ZeroDivisionError):
        await pool.transcribe("a", pcm(1))
    assert (await pool.transcribe("a", pcm(2))).text == "Good."
    await pool.close()


async def test_close_settles_what_is_queued_and_refuses_what_comes() -> None:
    engine = GatedEngine()
    pool = DecodePool(lambda: engine, settings=ONE)
    tasks = [asyncio.create_task(pool.transcribe("a", pcm(n))) for n in range(3)]
    await until(lambda: len(engine.asked) == 1)
    await settled()
    closing = asyncio.create_task(pool.close())
    await settled()
    with pytest.raises(EngineError) as caught:
        await pool.transcribe("a", pcm(9))
    assert caught.value.kind == "closed"
    assert not closing.done()
    for _ in tasks:
        engine.gate.release()
    assert len(await asyncio.gather(*tasks)) == 3
    await closing
    assert engine.closed
    await pool.close()


async def test_a_pool_that_was_never_used_closes() -> None:
    await DecodePool(lambda: ScriptedEngine(), settings=ONE).close()


async def test_callers_wait_when_too_many_segments_do() -> None:
    engine = GatedEngine()
    pool = DecodePool(lambda: engine, settings=TranscribeSettings(workers=1, waiting=2))
    tasks = [asyncio.create_task(pool.transcribe("a", pcm(n))) for n in range(5)]
    await until(lambda: len(engine.asked) == 1)
    await settled()
    assert pool.waiting == 2
    for _ in tasks:
        engine.gate.release()
    assert [heard.text for heard in await asyncio.gather(*tasks)] == ["0", "1", "2", "3", "4"]
    await pool.close()


async def test_a_caller_that_goes_away_costs_no_decode() -> None:
    engine = GatedEngine()
    pool = DecodePool(lambda: engine, settings=ONE)
    first = asyncio.create_task(pool.transcribe("a", pcm(1)))
    gone = asyncio.create_task(pool.transcribe("a", pcm(2)))
    last = asyncio.create_task(pool.transcribe("a", pcm(3)))
    await until(lambda: len(engine.asked) == 1)
    await settled()
    gone.cancel()
    for _ in range(3):
        engine.gate.release()
    assert [(await first).text, (await last).text] == ["1", "3"]
    assert engine.asked == [1, 3]
    await pool.close()


async def test_decodes_take_scripted_time() -> None:
    clock = ManualClock()
    engine = ScriptedEngine(otherwise="Yes.", delay_s=1.0, rtf=0.5, speed_up=2.0, clock=clock)
    task = asyncio.create_task(engine.transcribe(np.zeros(32_000, np.float32)))
    await clock.advance(0.99)
    assert not task.done()
    await clock.advance(0.01)
    assert (await task).text == "Yes."


@pytest.mark.parametrize(
    "wrong", [{"workers": 0}, {"timeout_s": 0.0}, {"waiting": 0}, {"retry_wait_s": -1.0}]
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        TranscribeSettings(**wrong)  # type: ignore[arg-type]
