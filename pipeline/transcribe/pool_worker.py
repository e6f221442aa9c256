"""One of the pool's workers: its engine, opened when needed and again after it hung."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

from pipeline.base import metrics
from pipeline.base.clock import Clock
from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import Capabilities, Engine, Hints, Pcm, Transcription
from pipeline.transcribe.guards import Guarded
from pipeline.transcribe.settings import TranscribeSettings

log = structlog.get_logger()

T = TypeVar("T")


class Worker:
    """``open_partial``: makes the engine of partials (None: the same one as for finals)."""

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        open_partial: Callable[[], Engine] | None,
        settings: TranscribeSettings,
        clock: Clock,
    ) -> None:
        self._open_engine = open_engine
        self._open_partial = open_partial
        self._settings = settings
        self._clock = clock
        self._final: Guarded | None = None
        self._partial: Guarded | None = None
        self._known: Capabilities | None = None

    @property
    def capabilities(self) -> Capabilities | None:
        """Of the engine of finals, None before it was open."""
        if self._final is not None:
            self._known = self._final.capabilities
        return self._known

    async def transcribe(self, pcm: Pcm, hints: Hints, speech_ms: int | None) -> Transcription:
        """One try, and one more when the error says that it can help; engines with a server
        repeat by themselves."""
        try:
            return await self._try(pcm, hints, speech_ms)
        except EngineError as error:
            known = self.capabilities
            if not error.retryable or (known is not None and known.remote):
                raise
            log.info("decode.retry", kind=error.kind, error=str(error))
        await self._clock.sleep(self._settings.retry_wait_s)
        return await self._try(pcm, hints, speech_ms)

    async def look(self, pcm: Pcm, hints: Hints) -> Transcription | None:
        """Tentative words, by one try; None when they look made up."""
        try:
            if self._open_partial is None:
                engine = await self._finals()
            else:
                if self._partial is None:
                    self._partial = Guarded(await asyncio.to_thread(self._open_partial))
                engine = self._partial
            heard = await self._timed("partial", engine.once(pcm, hints))
        except EngineError:
            metrics.STT_PARTIALS.labels("failed").inc()
            raise
        metrics.STT_PARTIALS.labels("suspect" if heard is None else "shown").inc()
        return heard

    async def close(self) -> None:
        """Free the engines; they are opened again when needed."""
        engines, self._final, self._partial = (self._final, self._partial), None, None
        for engine in engines:
            if engine is not None:
                await engine.close()

    async def _try(self, pcm: Pcm, hints: Hints, speech_ms: int | None) -> Transcription:
        engine = await self._finals()
        return await self._timed("final", engine.transcribe(pcm, hints, speech_ms))

    async def _finals(self) -> Guarded:
        if self._final is None:
            self._final = Guarded(await asyncio.to_thread(self._open_engine))
        return self._final

    async def _timed(self, use: str, decoding: Coroutine[Any, Any, T]) -> T:
        started = self._clock.monotonic()
        decode = asyncio.ensure_future(decoding)
        limit = asyncio.ensure_future(self._clock.sleep(self._settings.timeout_s))
        try:
            await asyncio.wait((decode, limit), return_when=asyncio.FIRST_COMPLETED)
            if decode.done():
                metrics.STT_DECODE.labels(use).observe(self._clock.monotonic() - started)
                return decode.result()
        finally:
            limit.cancel()
            decode.cancel()
        await self.close()
        raise EngineError(
            f"no text after {self._settings.timeout_s:g} s", kind="timeout", retryable=True
        )
