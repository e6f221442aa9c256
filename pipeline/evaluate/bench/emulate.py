"""How many meetings one core can play."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final

from pipeline.evaluate.bench.cores import allowed, assign
from pipeline.evaluate.bench.figure import Figure, Progress, figure, readable
from pipeline.evaluate.bench.meetings import INTERVAL_MS, Size, Window, meetings

SIZE: Final = Size(streams=400, runs=3)


async def driving(progress: Progress, size: Size = SIZE) -> Sequence[Figure]:
    """The fake Zoom's processor time, and how late it was, while bare sockets read what it sends.

    Raises ChildFailed.
    """
    windows: list[Window] = []
    progress("making a tape")
    async with meetings(size, tls=False) as zoom:
        for run in range(size.runs):
            progress(f"run {run + 1} of {size.runs}")
            windows.append(await zoom.window("raw"))
        loop = zoom.loop
    what = f"{size.streams} meetings at {INTERVAL_MS} ms over plain sockets, on {loop}"
    core = [window.zoom_cpu_s / window.zoom_s * 100 for window in windows]
    each = [window.zoom_cpu_s / max(1, window.zoom_sent) * 1e6 for window in windows]
    sent = min(window.zoom_sent / size.due(window.zoom_s) for window in windows)
    conditions = f"sent {sent:.1%} of what was due; {assign(allowed()).told}"
    return [
        figure(
            "emulate",
            core,
            "% of a core",
            [100.0],
            f"{what}, {readable(statistics.median(each), 3):g} us a message; floor: all of one"
            f" core; {conditions}",
        ),
        figure(
            "emulate_lateness",
            [window.after.worst_ms for window in windows],
            "ms worst",
            [float(INTERVAL_MS)],
            f"sent after due, {what}; p99 {max(w.after.p99_ms for w in windows):g} ms; floor: one"
            f" interval, wanted: never later (ratio 1); {conditions}",
        ),
    ]
