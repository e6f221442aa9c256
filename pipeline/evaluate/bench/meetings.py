"""Many meetings at once: a fake Zoom and clients, each in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import msgspec

from pipeline.evaluate.bench.child import Child, ChildFailed, child
from pipeline.evaluate.bench.cores import Cores, allowed, assign
from pipeline.evaluate.bench.load_tape import write_load_tape
from pipeline.evaluate.bench.plan import (
    ClientPlan,
    ClientReport,
    ClientSteady,
    ZoomMark,
    ZoomPlan,
    ZoomReady,
)

ClientKind = Literal["raw", "our", "sdk"]

INTERVAL_MS = 20
_START_S = 60.0
_CONNECT_S = 90.0
"""A client that has not heard every stream by then never will."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. Every stream sends one audio message each 20 ms."""

    streams: int
    runs: int
    settle_s: float = 1.0
    window_s: float = 3.0

    @property
    def tape_s(self) -> float:
        """A tape that does not end before the last run, on a slow machine either."""
        one = _CONNECT_S / 4 + self.settle_s + self.window_s
        return 30 + 2 * self.runs * one

    def due(self, seconds: float) -> float:
        """Messages that fall due in so many seconds."""
        return self.streams * seconds * 1000 / INTERVAL_MS


class Window(msgspec.Struct, frozen=True):
    """One client's window, and the fake Zoom's counters at both ends of nearly the same time."""

    report: ClientReport
    before: ZoomMark
    after: ZoomMark

    @property
    def zoom_s(self) -> float:
        """How long the fake Zoom was watched."""
        return self.after.at - self.before.at

    @property
    def zoom_sent(self) -> int:
        """Audio messages it sent in that time."""
        return self.after.sent - self.before.sent

    @property
    def zoom_cpu_s(self) -> float:
        """Processor time it took, readings left out."""
        return self.after.cpu_s - self.before.cpu_s - self.before.reading_s

    def delays_ms(self) -> list[float]:
        """For each message, how long after it was due it arrived."""
        started_at = self.after.started_at
        assert started_at is not None
        due = started_at * 1000 - self.after.start_ms + INTERVAL_MS
        return [arrival - due for arrival in self.report.arrivals]


class Meetings:
    """The fake Zoom of one bench, playing to one client process after the other."""

    def __init__(self, zoom: Child, ready: ZoomReady, size: Size, cores: Cores) -> None:
        self._zoom = zoom
        self._ready = ready
        self._size = size
        self._cores = cores

    @property
    def loop(self) -> str:
        """The fake Zoom's event loop."""
        return self._ready.loop

    async def mark(self) -> ZoomMark:
        """A reading of the fake Zoom's counters."""
        await self._zoom.tell(None)
        return await self._zoom.answer(ZoomMark, _START_S)

    async def window(self, kind: ClientKind, *, delays: bool = False) -> Window:
        """Let a client of this kind receive every stream for one window. Raises ChildFailed."""
        size = self._size
        async with self._client(kind, delays=delays) as running:
            await running.answer(ClientSteady, _CONNECT_S)
            await asyncio.sleep(size.settle_s)
            before = await self.mark()
            await asyncio.sleep(size.window_s)
            after = await self.mark()
            report = await running.answer(ClientReport, _START_S)
        if not report.messages:
            raise ChildFailed(f"{kind}_client: no message came in {size.window_s:g} s")
        return Window(report, before, after)

    @contextlib.asynccontextmanager
    async def _client(self, kind: ClientKind, *, delays: bool = False) -> AsyncIterator[Child]:
        ready, size = self._ready, self._size
        plan = ClientPlan(
            targets=ready.targets,
            client_id=ready.client_id,
            client_secret=ready.client_secret,
            ca_file=ready.ca_file,
            settle_s=size.settle_s,
            window_s=size.window_s,
            core=self._cores.clients,
            delays=delays,
        )
        with tempfile.TemporaryDirectory(prefix="rtms-notes-bench-") as folder:
            async with child(f"{kind}_client", Path(folder)) as running:
                await running.tell(plan)
                yield running


@contextlib.asynccontextmanager
async def meetings(size: Size, *, tls: bool) -> AsyncIterator[Meetings]:
    """Start the fake Zoom with a tape that is long enough. Raises ChildFailed."""
    cores = assign(allowed())
    with tempfile.TemporaryDirectory(prefix="rtms-notes-bench-") as folder:
        tape = Path(folder) / "load.rtms.zst"
        write_load_tape(tape, size.tape_s)
        async with child("zoom_child", Path(folder)) as zoom:
            await zoom.tell(
                ZoomPlan(tape=str(tape), streams=size.streams, tls=tls, core=cores.zoom)
            )
            yield Meetings(zoom, await zoom.answer(ZoomReady, _START_S), size, cores)
