"""A remote engine that is tried again when that can help."""

from __future__ import annotations

import random

import structlog

from pipeline.base import metrics
from pipeline.base.backoff import Backoff
from pipeline.base.clock import Clock
from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import NO_HINTS, Capabilities, Engine, Hints, Pcm, Transcription

log = structlog.get_logger()


class Patient:
    """Repeats what failed retryably, with the same ``Hints.key``; the last failure is raised.

    A server that asks to be left alone for longer than ``backoff.cap`` is not waited for.
    """

    def __init__(
        self, engine: Engine, *, backoff: Backoff, clock: Clock, rng: random.Random | None = None
    ) -> None:
        self._engine = engine
        self._backoff = backoff
        self._clock = clock
        self._rng = rng

    @property
    def capabilities(self) -> Capabilities:
        return self._engine.capabilities

    async def transcribe(self, pcm: Pcm, hints: Hints = NO_HINTS) -> Transcription:
        """The words of a segment. Raises EngineError."""
        for delay in self._backoff.delays(self._rng):
            try:
                return await self._engine.transcribe(pcm, hints)
            except EngineError as error:
                wait = max(delay, error.retry_after_s or 0.0)
                if not error.retryable or wait > self._backoff.cap:
                    raise
                metrics.STT_RETRIES.labels(error.kind).inc()
                log.info("stt.retry", kind=error.kind, error=str(error), wait_s=round(wait, 1))
            await self._clock.sleep(wait)
        return await self._engine.transcribe(pcm, hints)

    async def close(self) -> None:
        await self._engine.close()
