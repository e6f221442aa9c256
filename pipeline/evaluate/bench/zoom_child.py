"""The fake Zoom in a process of its own, with readings of its counters on request."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Final, TextIO

import msgspec

from pipeline.base import log
from pipeline.emulator.emulator import Emulator
from pipeline.emulator.settings import EmulatorSettings
from pipeline.evaluate.bench.child import allow_many_sockets, reserve_stdout, say
from pipeline.evaluate.bench.cores import keep_to
from pipeline.evaluate.bench.plan import Target, ZoomMark, ZoomPlan, ZoomReady
from pipeline.evaluate.bench.window import loop_name, run_loop
from pipeline.tapes.reader import TapeReader

_BUFFER_S: Final = 0.5
"""A client that comes after another is not to get a minute of buffered audio at once."""


_RECOVER_S: Final = 0.25
"""Reading the state of hundreds of streams holds the loop up; that is not counted as lateness."""


async def _serve(plan: ZoomPlan, answers: TextIO) -> None:
    tape = Path(plan.tape)
    settings = EmulatorSettings(tls=plan.tls, streams=plan.streams, buffer_s=_BUFFER_S)
    async with Emulator(tape, settings) as zoom:
        say(answers, _ready(zoom))
        start_ms = _start_ms(tape)
        playing = asyncio.create_task(zoom.run())
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
        )
        while await lines.readline():
            if playing.done():  # not before the parent is done, unless it failed
                await playing
            say(answers, _mark(zoom, start_ms))
            await asyncio.sleep(_RECOVER_S)
            zoom.measure()
        playing.cancel()
        await asyncio.wait([playing])


def _ready(zoom: Emulator) -> ZoomReady:
    where = zoom.where
    return ZoomReady(
        targets=[
            Target(one.signaling_url, one.meeting_uuid, one.rtms_stream_id, phase)
            for one, phase in zip(zoom.wheres, zoom.phases, strict=True)
        ],
        client_id=where.client_id,
        client_secret=where.client_secret,
        ca_file=where.ca_file or "",
        loop=loop_name(),
    )


def _mark(zoom: Emulator, start_ms: int) -> ZoomMark:
    at, cpu_s = time.monotonic(), time.process_time()
    state = zoom.state()
    late = state["lateness_ms"]
    return ZoomMark(
        at=at,
        cpu_s=cpu_s,
        reading_s=time.process_time() - cpu_s,
        started_at=state["started_at"],
        start_ms=start_ms,
        sent=state["sent_audio"],
        worst_ms=late["worst"],
        p99_ms=late["p99"],
    )


def _start_ms(tape: Path) -> int:
    reader = TapeReader.open(tape)
    try:
        return reader.header.start_ms
    finally:
        reader.close()


def main() -> None:
    """Serve until standard input ends."""
    log.set_up(level="warning")
    answers = reserve_stdout()
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=ZoomPlan)
    keep_to(plan.core)
    allow_many_sockets()
    run_loop(_serve(plan, answers))


if __name__ == "__main__":
    main()
