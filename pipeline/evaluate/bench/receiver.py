"""The receiving side of a meeting as the service builds it, without Zoom's sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pipeline.audio.settings import AudioSettings
from pipeline.base.clock import MeetingClock, SystemClock
from pipeline.meeting.recorder import Recorder
from pipeline.meeting.stream_run import StreamRun
from pipeline.model.state import MeetingState
from pipeline.rtms.products import Announcement
from pipeline.store.memory import MemoryLog
from pipeline.store.store import Store


class _NoStream:
    """Stands where Zoom's sockets would be; the bench plays them."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    async def run(self) -> None:
        await self._over.wait()

    def stopped(self, _reason: int | None) -> None:
        self._over.set()


def receiver(spool: Path, store: Store | None = None, meeting: str = "m") -> StreamRun:
    """A ``StreamRun`` to ``put`` outputs into; its log is in memory without a store."""
    clock = SystemClock()
    state = MeetingState(meeting)

    async def ignore(_error: object) -> None:
        pass

    return StreamRun(
        Announcement("meeting", "Z", "S", "wss://zoom.us/s", clock.now_ms()),
        meeting_log=MemoryLog(meeting) if store is None else store.log(meeting),
        state=state,
        recorder=Recorder(state, "native"),
        clock=MeetingClock(clock),
        machine=clock,
        speed=1.0,
        spool=spool,
        audio=AudioSettings(),
        open_stream=lambda _announcement, _sink: _NoStream(),  # type: ignore[arg-type, return-value]
        on_engine=ignore,
    )
