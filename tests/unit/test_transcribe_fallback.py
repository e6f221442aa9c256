from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import Capabilities, Engine, Hints
from pipeline.transcribe.fallback import Health, WithFallback
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.scripted import Answer, Hang, ScriptedEngine
from pipeline.transcribe.settings import TranscribeSettings
from tests.idle_clock import IdleClock, run

T0 = 1_790_000_000_000
PCM = np.full(16_000, 0.1, np.float32)
DOWN = EngineError("nobody answers", kind="connect", retryable=True)


def named(name: str, answers: Iterable[Answer] = (), otherwise: Answer = "") -> ScriptedEngine:
    engine = ScriptedEngine(answers, otherwise=otherwise or f"by {name}")
    engine.capabilities = Capabilities(name=name)
    return engine


def made(
    clock: IdleClock,
    primary: Callable[[], Engine],
    fallback: Callable[[], Engine],
    health: Health | None = None,
) -> WithFallback:
    return WithFallback(
        primary, fallback, health=health or Health(clock), clock=clock, patience_s=20.0
    )


def on_clock(test: Callable[[IdleClock], Any]) -> None:
    run(test, start_ms=T0)


def test_the_fallback_is_not_opened_while_the_primary_is_well() -> None:
    async def main(clock: IdleClock) -> None:
        def never() -> Engine:
            raise AssertionError("not needed")

        both = made(clock, lambda: named("far"), never)
        heard = await both.transcribe(PCM)
        assert (heard.text, heard.engine) == ("by far", "far")
        assert both.capabilities.name == "far"
        await both.close()

    on_clock(main)


@pytest.mark.parametrize("error", [DOWN, EngineError("no", kind="auth")])
def test_a_dead_primary_costs_nothing_a_segment_and_is_probed_seldom(error: EngineError) -> None:
    async def main(clock: IdleClock) -> None:
        far, near = named("far", [error] * 3), named("near")
        both = made(clock, lambda: far, lambda: near)
        asked: list[tuple[float, int]] = []
        for _ in range(40):
            heard = await both.transcribe(PCM)
            asked.append((clock.monotonic(), len(far.heard)))
            assert heard.engine == ("near" if len(far.heard) <= 3 else "far")
            await clock.sleep(1.0)
        # 0 s, then after rests of 5, 10 and 20 s.
        probes = [at for i, (at, n) in enumerate(asked) if i == 0 or n > asked[i - 1][1]]
        assert probes[:4] == [0.0, 5.0, 15.0, 35.0]
        assert len(near.heard) == 35
        assert both.capabilities.name == "far"
        await both.close()
        assert far.closed
        assert near.closed

    on_clock(main)


def test_a_server_that_asks_for_a_longer_rest_gets_it() -> None:
    async def main(clock: IdleClock) -> None:
        busy = EngineError("slow down", kind="rate_limited", retryable=True, retry_after_s=60.0)
        far = named("far", [busy])
        both = made(clock, lambda: far, lambda: named("near"))
        await both.transcribe(PCM)
        await clock.sleep(59.0)
        assert (await both.transcribe(PCM)).engine == "near"
        await clock.sleep(1.0)
        assert (await both.transcribe(PCM)).engine == "far"

    on_clock(main)


def test_no_server_can_ask_to_be_left_alone_for_good() -> None:
    async def main(clock: IdleClock) -> None:
        busy = EngineError("slow down", kind="busy", retryable=True, retry_after_s=1e9)
        health = Health(clock)
        assert health.take()
        health.failed(busy)
        await clock.sleep(301.0)
        assert health.take()

    on_clock(main)


def test_a_primary_that_hangs_is_given_up_and_opened_again() -> None:
    async def main(clock: IdleClock) -> None:
        opened: list[ScriptedEngine] = []

        def primary() -> Engine:
            opened.append(named("far", [Hang()] if not opened else []))
            return opened[-1]

        both = made(clock, primary, lambda: named("near"))
        assert (await both.transcribe(PCM)).engine == "near"
        assert clock.monotonic() == 20.0
        assert opened[0].closed
        await clock.sleep(5.0)
        assert (await both.transcribe(PCM)).engine == "far"
        assert len(opened) == 2

    on_clock(main)


def test_a_primary_that_does_not_open_is_no_reason_to_lose_words() -> None:
    async def main(clock: IdleClock) -> None:
        def missing() -> Engine:
            raise EngineError("no such folder", kind="load")

        both = made(clock, missing, lambda: named("near"))
        assert (await both.transcribe(PCM)).engine == "near"

    on_clock(main)


def test_when_both_fail_both_are_told_and_what_can_help_is_said() -> None:
    async def main(clock: IdleClock) -> None:
        near = named("near", [EngineError("broken", kind="decode")])
        both = made(clock, lambda: named("far", [DOWN]), lambda: near)
        with pytest.raises(EngineError) as caught:
            await both.transcribe(PCM)
        assert str(caught.value) == "nobody answers; and the second engine: broken"
        assert caught.value.retryable

    on_clock(main)


def test_workers_share_what_they_know_and_only_one_probes() -> None:
    async def main(clock: IdleClock) -> None:
        health = Health(clock)
        slow = ScriptedEngine([DOWN], otherwise="by far", delay_s=3.0, clock=clock)
        others = [named("far"), named("far")]
        first = made(clock, lambda: slow, lambda: named("near"), health)
        second, third = (
            made(clock, lambda engine=engine: engine, lambda: named("near"), health)  # type: ignore[misc]
            for engine in others
        )
        assert (await first.transcribe(PCM)).text == "by near"
        assert (await second.transcribe(PCM)).text == "by near"
        assert others[0].heard == []
        await clock.sleep(5.0)
        probe = asyncio.create_task(first.transcribe(PCM))
        await clock.sleep(1.0)
        assert (await third.transcribe(PCM)).text == "by near"  # the probe is not answered yet
        assert (await probe).text == "by far"
        assert (await third.transcribe(PCM)).text == "by far"

    on_clock(main)


def test_a_probe_that_was_called_off_leaves_it_to_the_next() -> None:
    async def main(clock: IdleClock) -> None:
        health = Health(clock)
        far = named("far", [DOWN, Hang()])
        both = made(clock, lambda: far, lambda: named("near"), health)
        await both.transcribe(PCM)
        await clock.sleep(5.0)
        probe = asyncio.create_task(both.transcribe(PCM))
        await clock.sleep(1.0)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        assert (await both.transcribe(PCM)).engine == "far"

    on_clock(main)


def test_each_engine_gets_the_hints_it_can_take() -> None:
    async def main(clock: IdleClock) -> None:
        far, near = named("far", [DOWN]), named("near")
        far.capabilities = Capabilities(name="far", terms=True, most_terms=1)
        pool = DecodePool(
            lambda: made(clock, lambda: far, lambda: near),
            settings=TranscribeSettings(workers=1),
            clock=clock,
        )
        heard = await pool.transcribe("m", PCM, Hints(terms=("Anna", "Ben")))
        assert heard.engine == "near"
        assert (far.hints[0].terms, near.hints[0].terms) == (("Anna",), ())
        await clock.sleep(5.0)
        assert (await pool.transcribe("m", PCM, Hints(terms=("Anna", "Ben")))).engine == "far"
        assert far.hints[1].terms == ("Anna",)
        await pool.close()

    on_clock(main)
