from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.base import metrics
from pipeline.base.clock import ManualClock
from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import (
    NO_HINTS,
    Capabilities,
    Engine,
    Hints,
    Pcm,
    Transcription,
)
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

    async def transcribe(self, heard: Pcm, hints: Hints = NO_HINTS) -> Transcription:
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
    with pytest.raises(EngineError) as caught:
        await pool.transcribe("a", pcm(1))
    assert (caught.value.kind, caught.value.retryable) == ("fault", True)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
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
    assert caught.value.kind == "closing"
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


async def test_finals_come_before_partials() -> None:
    engine = GatedEngine()
    pool = DecodePool(lambda: engine, settings=ONE)
    first = asyncio.create_task(pool.transcribe("a", pcm(1)))
    await until(lambda: engine.asked == [1])
    looks = [asyncio.create_task(pool.partial("a", f"v{n}", pcm(20 + n))) for n in (1, 2)]
    await settled()
    finals = [asyncio.create_task(pool.transcribe(m, pcm(n))) for m, n in (("b", 11), ("a", 2))]
    await settled()
    for _ in range(5):
        engine.gate.release()
    await asyncio.gather(first, *looks, *finals)
    assert engine.asked == [1, 11, 2, 21, 22]
    assert [look.result().text for look in looks] == ["21", "22"]  # type: ignore[union-attr]
    await pool.close()


async def test_partials_never_take_the_last_free_worker() -> None:
    engines: list[GatedEngine] = []

    def opened() -> Engine:
        engines.append(GatedEngine())
        return engines[-1]

    def asked() -> list[int]:
        return sorted(n for engine in engines for n in engine.asked)

    pool = DecodePool(opened, settings=TranscribeSettings(workers=2))
    looks = [asyncio.create_task(pool.partial("a", f"v{n}", pcm(n))) for n in (1, 2)]
    await until(lambda: asked() == [1])
    await settled()
    assert asked() == [1]
    final = asyncio.create_task(pool.transcribe("b", pcm(9)))
    await until(lambda: asked() == [1, 9])
    for engine in engines:
        for _ in range(3):
            engine.gate.release()
    assert (await final).text == "9"
    assert [look.text for look in await asyncio.gather(*looks) if look] == ["1", "2"]
    await pool.close()


async def test_meetings_take_turns_with_partials_too() -> None:
    engine = GatedEngine()
    pool = DecodePool(lambda: engine, settings=ONE)
    looks = [asyncio.create_task(pool.partial("a", f"v{n}", pcm(n))) for n in (1, 2, 3)]
    await until(lambda: engine.asked == [1])
    looks += [asyncio.create_task(pool.partial("b", "v", pcm(11)))]
    await settled()
    for _ in looks:
        engine.gate.release()
    await asyncio.gather(*looks)
    assert engine.asked == [1, 2, 11, 3]
    await pool.close()


async def test_a_newer_look_or_the_final_makes_a_waiting_one_stale() -> None:
    engine = GatedEngine()
    pool = DecodePool(lambda: engine, settings=ONE)
    before = metrics.STT_PARTIALS.labels("stale")._value.get()
    busy = asyncio.create_task(pool.transcribe("a", pcm(1)))
    await until(lambda: engine.asked == [1])
    older = asyncio.create_task(pool.partial("a", "s1.pcm", pcm(2)))
    await settled()
    newer = asyncio.create_task(pool.partial("a", "s1.pcm", pcm(3)))
    other = asyncio.create_task(pool.partial("a", "s2.pcm", pcm(4)))
    await settled()
    assert older.done()
    assert await older is None
    final = asyncio.create_task(pool.transcribe("a", pcm(5), voice="s1.pcm"))
    await settled()
    assert newer.done()
    assert await newer is None
    assert not other.done()
    for _ in range(3):
        engine.gate.release()
    await asyncio.gather(busy, final, other)
    assert engine.asked == [1, 5, 4]
    assert metrics.STT_PARTIALS.labels("stale")._value.get() == before + 2
    await pool.close()


async def test_a_look_that_waited_long_is_not_decoded() -> None:
    clock = ManualClock()
    engine = GatedEngine()
    settings = TranscribeSettings(workers=1, partial_every_s=0.5, shed_after_s=5.0)
    pool = DecodePool(lambda: engine, settings=settings, clock=clock)
    busy = asyncio.create_task(pool.transcribe("a", pcm(1)))
    await until(lambda: engine.asked == [1])
    look = asyncio.create_task(pool.partial("a", "v", pcm(2)))
    await settled()
    await clock.advance(1.1)
    engine.gate.release()
    await busy
    assert await look is None
    assert engine.asked == [1]
    await pool.close()


async def test_partials_of_a_meeting_that_is_behind_are_shed_and_come_back() -> None:
    clock = ManualClock()
    engine = GatedEngine()
    pool = DecodePool(
        lambda: engine, settings=TranscribeSettings(workers=1, shed_after_s=2.5), clock=clock
    )
    late = asyncio.create_task(pool.transcribe("a", pcm(1)))
    await until(lambda: engine.asked == [1])
    caught = asyncio.create_task(pool.partial("a", "v", pcm(2)))  # in time when it came
    await settled()
    await clock.advance(2.6)
    assert pool.load("a").lag_s == pytest.approx(2.6)
    assert pool.load("a").segments == 1
    assert pool.load("a").audio_s == pytest.approx(0.01)
    assert pool.load("b") == pool.load("c")
    assert await pool.partial("a", "v2", pcm(3)) is None
    other = asyncio.create_task(pool.partial("b", "v", pcm(4)))  # not behind
    await settled()
    engine.gate.release()
    engine.gate.release()
    await late
    assert pool.load("a").lag_s == 0
    assert await caught is None  # waited too long meanwhile
    assert (await other) is not None
    back = asyncio.create_task(pool.partial("a", "v", pcm(5)))
    engine.gate.release()
    assert (await back) == Transcription("5", engine="gated")
    assert engine.asked == [1, 4, 5]
    await pool.close()


async def test_partials_can_have_an_engine_of_their_own() -> None:
    fast, good = ScriptedEngine(otherwise="quick"), ScriptedEngine(otherwise="good")
    pool = DecodePool(lambda: good, open_partial=lambda: fast, settings=ONE)
    assert (await pool.partial("a", "v", pcm(1))) == Transcription("quick", engine="scripted")
    assert len(good.heard) == 0
    assert (await pool.transcribe("a", pcm(1))).text == "good"
    assert (len(fast.heard), len(good.heard)) == (1, 1)
    await pool.close()
    assert fast.closed
    assert good.closed


async def test_made_up_partials_are_not_shown_and_failures_are_told_at_once() -> None:
    engine = ScriptedEngine(["no " * 30, EngineError("busy", kind="busy", retryable=True), "Good."])
    pool = DecodePool(lambda: engine, settings=ONE)
    assert await pool.partial("a", "v", pcm(1)) is None
    with pytest.raises(EngineError, match="busy"):
        await pool.partial("a", "v", pcm(1))
    assert (await pool.partial("a", "v", pcm(1))) is not None
    assert len(engine.heard) == 3
    await pool.close()


async def test_close_answers_looks_that_wait() -> None:
    engine = GatedEngine()
    pool = DecodePool(lambda: engine, settings=ONE)
    busy = asyncio.create_task(pool.transcribe("a", pcm(1)))
    await until(lambda: engine.asked == [1])
    look = asyncio.create_task(pool.partial("a", "v", pcm(2)))
    await settled()
    closing = asyncio.create_task(pool.close())
    assert await look is None
    engine.gate.release()
    await busy
    await closing
    with pytest.raises(EngineError, match="closed"):
        await pool.partial("a", "v", pcm(2))


async def test_a_server_engine_repeats_by_itself() -> None:
    busy = EngineError("busy", kind="busy", retryable=True)
    engine = ScriptedEngine([busy, "Good."])
    engine.capabilities = Capabilities(name="far", remote=True)
    pool = DecodePool(lambda: engine, settings=ONE)
    with pytest.raises(EngineError, match="busy"):
        await pool.transcribe("a", pcm(1))
    assert len(engine.heard) == 1
    await pool.close()


async def test_an_engine_gets_as_many_terms_as_it_takes() -> None:
    engine = ScriptedEngine(otherwise="Yes.")
    pool = DecodePool(lambda: engine, settings=ONE)
    hints = Hints(terms=("Anna", "Kubeflow", "Ben"), language="en", key="m/s1")
    assert pool.capabilities.terms  # not known yet: anything may be of use
    await pool.transcribe("a", pcm(1), hints)
    assert not pool.capabilities.terms
    engine.capabilities = Capabilities(name="scripted", terms=True, most_terms=2)
    await pool.transcribe("a", pcm(1), hints)
    assert [h.terms for h in engine.hints] == [(), ("Anna", "Kubeflow")]
    assert engine.hints[0].key == "m/s1"
    await pool.close()


async def test_a_segment_the_caller_counts_is_counted_once() -> None:
    clock = ManualClock()
    engine = GatedEngine()
    pool = DecodePool(lambda: engine, settings=ONE, clock=clock)
    ticket = pool.backlog.add("a", 3.0)
    await clock.advance(1.0)
    task = asyncio.create_task(pool.transcribe("a", pcm(1), counted=True))
    await until(lambda: engine.asked == [1])
    assert (pool.load("a").segments, pool.load("a").lag_s, pool.load("a").audio_s) == (1, 1.0, 3.0)
    assert metrics.STT_BEHIND._value.get() == 1.0
    engine.gate.release()
    await task
    assert pool.load("a").segments == 1
    younger = pool.backlog.add("b", 1.0)
    younger.settled()
    assert metrics.STT_BEHIND._value.get() == 1.0
    ticket.settled()
    ticket.settled()
    assert pool.load("a").segments == 0
    assert metrics.STT_BEHIND._value.get() == 0
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


async def test_close_does_not_wait_for_decodes_that_nobody_waits_for() -> None:
    engine = GatedEngine()  # hangs for ever
    clock = ManualClock()
    pool = DecodePool(lambda: engine, settings=ONE, clock=clock)
    gone = asyncio.create_task(pool.transcribe("a", pcm(1)))
    queued = asyncio.create_task(pool.transcribe("a", pcm(2)))
    await until(lambda: len(engine.asked) == 1)
    for task in (gone, queued):
        task.cancel()
    await settled()
    await asyncio.wait_for(pool.close(), 5.0)
    assert engine.closed
    assert engine.asked == [1]


async def test_close_answers_the_look_under_way() -> None:
    engine = GatedEngine()
    pool = DecodePool(lambda: engine, settings=ONE, clock=ManualClock())
    look = asyncio.create_task(pool.partial("a", "v", pcm(1)))
    await until(lambda: len(engine.asked) == 1)
    await asyncio.wait_for(pool.close(), 5.0)
    assert await asyncio.wait_for(look, 5.0) is None
    assert engine.closed


async def test_the_measured_lag_grows_while_nothing_is_settled() -> None:
    engine, clock = GatedEngine(), ManualClock()
    pool = DecodePool(lambda: engine, settings=ONE, clock=clock)
    asked = asyncio.create_task(pool.transcribe("a", pcm(1)))
    await until(lambda: len(engine.asked) == 1)
    await clock.advance(7.0)
    assert pool.load("a").lag_s == pytest.approx(7.0)
    assert metrics.STT_BEHIND._value.get() == pytest.approx(7.0)
    engine.gate.release()
    await asked
    await pool.close()
