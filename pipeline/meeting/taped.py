"""A stream that is also recorded as a tape."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from pipeline.rtms.stream import RtmsStream
from pipeline.tapes.recording import TapeRecorder

log = structlog.get_logger()


class TapedStream(RtmsStream):
    """Every frame goes to ``recorder``, which is closed when the stream is over."""

    def __init__(self, *args: Any, recorder: TapeRecorder, **options: Any) -> None:
        super().__init__(*args, **options, tap=recorder.take, on_lost=recorder.lost)
        self._recorder = recorder

    async def run(self) -> None:
        """As ``RtmsStream.run``; the tape is whole when it returns."""
        try:
            await super().run()
        finally:
            made = await asyncio.shield(asyncio.to_thread(self._recorder.close))
            log.info("tape.closed", file=made.path.name, lines=made.lines, missing=made.missing)
