"""A case through the real notes stage, on virtual time."""

from __future__ import annotations

import asyncio

from pipeline.base.clock import ManualClock, MeetingClock
from pipeline.base.ids import SequentialIds
from pipeline.evaluate.cases import Case
from pipeline.model.state import MeetingState
from pipeline.store.memory import MemoryLog
from pipeline.summarize.notes import NotesStage
from pipeline.summarize.settings import SummarizeSettings
from pipeline.summarize.writer import Writer


async def replay(
    case: Case, writer: Writer, *, settings: SummarizeSettings | None = None
) -> MeetingState:
    """The state of a meeting after its events came in at their times and the final pass was made.

    Raises what the stage raises.
    """
    machine = ManualClock(case.started_ms)
    clock = MeetingClock(machine)
    log = MemoryLog(case.name, machine)
    stage = NotesStage(
        log=log,
        clock=clock,
        machine=machine,
        writer=writer,
        fallback=None,
        settings=settings or SummarizeSettings(),
        ids=SequentialIds(),
    )
    running = asyncio.create_task(stage.run())
    try:
        for at_ms, body in case.events:
            await machine.advance(max(0, at_ms - machine.now_ms()) / 1000)
            clock.observe(at_ms)
            await log.append(body)
        await stage.finish()
        await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return log.state()
