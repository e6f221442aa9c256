"""A stream engine where a segment engine is wanted: the whole segment at once, then its final."""

from __future__ import annotations

import asyncio

import msgspec

from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import (
    NO_HINTS,
    SAMPLE_RATE,
    Capabilities,
    Hints,
    Pcm,
    SpeechStream,
    StreamEngine,
    Transcription,
)

_LEAST = SAMPLE_RATE // 10
"""Samples below which there is no word (as for the local engine)."""

_PIECE = SAMPLE_RATE // 4


class StreamAsSegments:
    """An ``Engine``: opens a stream for each segment, sends it as fast as it is taken, and gives
    the final words. The tentative ones on the way are not looked at."""

    def __init__(self, engine: StreamEngine) -> None:
        self._engine = engine
        self.capabilities: Capabilities = msgspec.structs.replace(
            engine.capabilities, streaming=False, partials=False
        )

    async def transcribe(self, pcm: Pcm, hints: Hints = NO_HINTS) -> Transcription:
        """The words of one segment. Raises EngineError: the stream's own, or ``empty`` when it
        ended without final words."""
        if len(pcm) < _LEAST or not pcm.any():
            return Transcription("", engine=self.capabilities.name)
        stream = await self._engine.open(hints)
        try:
            return await _whole(stream, pcm)
        finally:
            await stream.close()

    async def close(self) -> None:
        await self._engine.close()


async def _whole(stream: SpeechStream, pcm: Pcm) -> Transcription:
    """Send and listen at the same time: a server may stop taking audio until it is listened to."""
    listening = asyncio.ensure_future(_final(stream))
    try:
        for at in range(0, len(pcm), _PIECE):
            if listening.done():
                listening.result()  # why it failed; no use in sending on
                raise EngineError(
                    "final words before all was sent", kind="wrong_segment", retryable=True
                )
            await stream.send(pcm[at : at + _PIECE])
        await stream.finish()
        return await listening
    finally:
        listening.cancel()
        # When sending fails, so does listening, in the same words: nobody needs them twice.
        listening.add_done_callback(lambda done: done.cancelled() or done.exception())


async def _final(stream: SpeechStream) -> Transcription:
    async for heard in stream.heard():
        if heard.final is not None:
            return heard.final
    raise EngineError("the stream ended without final words", kind="empty", retryable=True)
