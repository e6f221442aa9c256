"""How long a command takes to answer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence

from pipeline.evaluate.bench.figure import Figure, Progress, figure

_RUNS = 5


async def help_text(_: Progress) -> Sequence[Figure]:
    """``rtms-notes --help`` beside an interpreter that does nothing."""
    values, floors = [], []
    for _run in range(_RUNS):
        floors.append(await asyncio.to_thread(_seconds, [sys.executable, "-c", "pass"]))
        command = [sys.executable, "-m", "pipeline.cli", "--help"]
        values.append(await asyncio.to_thread(_seconds, command))
    note = "rtms-notes --help; floor: python -c pass; wanted: under 0.4 s"
    return [figure("help", values, "s", floors, note)]


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words
    return time.perf_counter() - started
