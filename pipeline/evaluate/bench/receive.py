"""What receiving many meetings costs, beside bare sockets and beside Zoom's SDK."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import statistics
from collections.abc import Sequence
from typing import Final

from pipeline.evaluate.bench.cores import allowed, assign
from pipeline.evaluate.bench.figure import Figure, Progress, Unmeasured, figure, percentile
from pipeline.evaluate.bench.meetings import Size, Window, meetings

SIZE: Final = Size(streams=200, runs=5)
RAW_BAR: Final = 2.5
"""Ours costs at most so many times what the raw reader costs."""
SDK_BAR: Final = 0.9
"""Ours costs at most this part of what the SDK costs."""
DELAY_BAR: Final = 1 / 3
"""Our p99 delivery delay is at most this part of the SDK's."""


async def beside_raw(progress: Progress, size: Size = SIZE) -> Sequence[Figure]:
    """Processor time of a received message over TLS, ours and a raw socket reader's."""
    ours: list[Window] = []
    raw: list[Window] = []
    progress("making a tape")
    async with meetings(size, tls=True) as zoom:
        for run in range(size.runs):
            progress(f"raw sockets, run {run + 1} of {size.runs}")
            raw.append(await zoom.window("raw"))
            progress(f"our client, run {run + 1} of {size.runs}")
            ours.append(await zoom.window("our"))
    note = (
        f"a 20 ms audio message, {size.streams} meetings over TLS, our whole client up to a"
        f" drained queue, on {ours[0].report.loop}; floor: asyncio.Protocol counting bytes on"
        f" {raw[0].report.loop};"
        f" wanted: at most {RAW_BAR:g} times it (ratio {1 / RAW_BAR:g}); {_conditions(size, ours)}"
    )
    return [figure("receive", _costs(ours), "us", _costs(raw), note)]


async def beside_sdk(progress: Progress, size: Size = SIZE) -> Sequence[Figure]:
    """Processor time and delivery delay of a message, ours and the SDK's, over plain sockets.

    Raises Unmeasured where the SDK is not installed.
    """
    version = sdk_version()
    ours: list[Window] = []
    sdk: list[Window] = []
    progress("making a tape")
    async with meetings(size, tls=False) as zoom:
        for run in range(size.runs):
            progress(f"Zoom's SDK, run {run + 1} of {size.runs}")
            sdk.append(await zoom.window("sdk", delays=True))
            progress(f"our client, run {run + 1} of {size.runs}")
            ours.append(await zoom.window("our", delays=True))
    floor = f"floor: Zoom's SDK rtms {version}, one EventLoop"
    what = f"{size.streams} meetings over plain sockets, ours on {ours[0].report.loop}"
    conditions = _conditions(size, ours)
    delay_note = (
        f"arrival after due, {what}; {floor}; p50 {_typical(ours):.1f} ms, SDK"
        f" {_typical(sdk):.1f} ms; wanted: at most a third (ratio {1 / DELAY_BAR:g}); {conditions}"
    )
    return [
        figure(
            "receive_sdk",
            _costs(ours),
            "us",
            _costs(sdk),
            f"a 20 ms audio message, {what}; {floor}; wanted: at most {SDK_BAR:g} of it"
            f" (ratio {1 / SDK_BAR:.2f}); {conditions}",
        ),
        figure("receive_sdk_delay", _p99(ours), "ms p99", _p99(sdk), delay_note),
    ]


def sdk_version() -> str:
    """Of Zoom's SDK. Raises Unmeasured where it is not installed."""
    if importlib.util.find_spec("rtms") is None:
        raise Unmeasured("Zoom's SDK is not installed (Linux x86-64 only): pip install rtms==1.1.0")
    return importlib.metadata.version("rtms")


def _costs(windows: Sequence[Window]) -> list[float]:
    return [window.report.us_per_message for window in windows]


def _p99(windows: Sequence[Window]) -> list[float]:
    return [percentile(window.delays_ms(), 0.99) for window in windows]


def _typical(windows: Sequence[Window]) -> float:
    return statistics.median(percentile(window.delays_ms(), 0.5) for window in windows)


def _conditions(size: Size, windows: Sequence[Window]) -> str:
    """What a reader must know to trust the figure."""
    got = [w.report.messages / size.due(w.report.ended - w.report.began) for w in windows]
    kept_up = f"got {min(got):.1%} of what was due"
    return f"{assign(allowed()).told}; {kept_up}"
