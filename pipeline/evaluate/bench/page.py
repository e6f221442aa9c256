"""From a transcript message being decoded to its line being read by a page's stream."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from aiohttp import web

from pipeline.base.clock import SystemClock
from pipeline.base.ids import RandomIds
from pipeline.evaluate.bench.figure import Figure, Progress, percentile
from pipeline.evaluate.bench.receiver import receiver
from pipeline.model.events import MeetingOpened
from pipeline.rtms import outputs as out
from pipeline.store.store import Store
from pipeline.web.app import page_app

_COUNT = 200
_PAUSE_S = 0.02
_ALLOWED_MS = 100.0


async def transcript_to_page(_: Progress) -> Sequence[Figure]:
    """Two hundred lines, one every 20 ms."""
    with tempfile.TemporaryDirectory() as folder:
        lags = await _lags(Path(folder))
    value = percentile(lags, 0.99)
    return [
        Figure(
            name="transcript_to_page",
            value=round(value, 2),
            unit="ms p99",
            floor=_ALLOWED_MS,
            ratio=round(_ALLOWED_MS / value, 2),
            runs=len(lags),
            spread=round((max(lags) - min(lags)) / value, 2),
            note=f"p50 {statistics.median(lags):.1f} ms; floor: the 100 ms allowed",
        )
    ]


async def _lags(folder: Path) -> list[float]:
    """Milliseconds of each line."""
    clock = SystemClock()
    lags: dict[str, float] = {}
    store = Store.open(folder, clock=clock, ids=RandomIds())
    log = await store.create(
        MeetingOpened(product="meeting", zoom_id="Z", started_ms=clock.now_ms())
    )
    runner = web.AppRunner(page_app(reader=store.reader, health=dict), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/m/{log.meeting}/events"
    sink = receiver(store.spool(log.meeting), store, log.meeting)
    receiving = asyncio.create_task(sink.run())
    sent: dict[str, float] = {}
    ready = asyncio.Event()

    async def read() -> None:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            ready.set()
            async for line in response.content:
                for mark in [m for m in sent if m.encode() in line]:
                    lags[mark] = time.perf_counter() - sent.pop(mark)
                    if len(lags) == _COUNT:
                        return

    reading = asyncio.create_task(read())
    await ready.wait()
    for n in range(_COUNT):
        at = clock.now_ms()
        sent[f"word-{n:04d}-"] = time.perf_counter()
        sink.put(out.TranscriptReceived(7, "Ada", at - 900, at, at, f"word-{n:04d}-", "en", "new"))
        await asyncio.sleep(_PAUSE_S)
    await asyncio.wait_for(reading, 10)
    sink.stopped(6)
    await receiving
    await runner.cleanup()
    await store.close()
    return [lag * 1000 for lag in lags.values()]
