"""The steady window of a receiving process: counters before and after, and nothing in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pipeline.evaluate.bench.plan import ClientPlan, ClientReport

T = TypeVar("T")


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """On uvloop where it exists, as the service does; on asyncio elsewhere."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


def loop_name() -> str:
    """Of the running loop: ``uvloop`` or ``asyncio``."""
    return "uvloop" if type(asyncio.get_running_loop()).__module__ == "uvloop" else "asyncio"


async def measured(
    plan: ClientPlan, count: Callable[[], float], arrivals: list[float] | None = None
) -> ClientReport:
    """Wait until things are steady, then let a window pass. ``count``: messages so far."""
    await asyncio.sleep(plan.settle_s)
    if arrivals is not None:
        arrivals.clear()
    before, cpu, began = count(), time.process_time(), time.monotonic()
    await asyncio.sleep(plan.window_s)
    after, cpu_after, ended = count(), time.process_time(), time.monotonic()
    return ClientReport(
        messages=after - before,
        cpu_s=cpu_after - cpu,
        began=began,
        ended=ended,
        loop=loop_name(),
        arrivals=list(arrivals or ()),
    )
