"""A second engine for what the first one does not do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import structlog

from pipeline.base import metrics
from pipeline.base.backoff import Backoff
from pipeline.base.clock import Clock
from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import NO_HINTS, Capabilities, Engine, Hints, Pcm, Transcription
from pipeline.transcribe.fitting import fitting

log = structlog.get_logger()

REST = Backoff(base=5.0, factor=2.0, cap=300.0)
"""So long a primary is left alone after each failure in a row; then one segment is its probe."""

_MOST_TERMS = 100


class Health:
    """What all workers of the process know of the primary engine."""

    def __init__(self, clock: Clock, rest: Backoff = REST) -> None:
        self._clock = clock
        self._rest = rest
        self._delays: Iterator[float] | None = None
        self._until = 0.0
        self._probing = False

    def take(self) -> bool:
        """Whether the primary may be asked. After a rest only the first to ask may, until its
        answer is told by ``well`` or ``failed``."""
        if self._delays is None:
            return True
        if self._probing or self._clock.monotonic() < self._until:
            return False
        self._probing = True
        return True

    def well(self) -> None:
        """It answered."""
        self._delays, self._probing = None, False

    def failed(self, error: EngineError) -> None:
        """It did not. Failures of calls made before the rest began do not lengthen it."""
        resting = self._delays is not None and not self._probing
        self._probing = False
        if resting:
            return
        if self._delays is None:
            self._delays = self._rest.delays()
        asked = min(error.retry_after_s or 0.0, self._rest.cap)
        delay = max(next(self._delays, self._rest.cap), asked)
        self._until = self._clock.monotonic() + delay
        log.warning("engine.resting", kind=error.kind, error=str(error), seconds=delay)

    def gave_up(self) -> None:
        """The caller went away before an answer: the next one may probe."""
        self._probing = False


@dataclass
class _Side:
    """An engine that is opened when needed."""

    open: Callable[[], Engine]
    engine: Engine | None = None

    async def transcribe(self, pcm: Pcm, hints: Hints) -> Transcription:
        if self.engine is None:
            self.engine = await asyncio.to_thread(self.open)
        known = self.engine.capabilities
        heard = await self.engine.transcribe(pcm, fitting(hints, known))
        return heard if heard.engine else msgspec.structs.replace(heard, engine=known.name)

    async def close(self) -> None:
        engine, self.engine = self.engine, None
        if engine is not None:
            await engine.close()


class WithFallback:
    """Asks ``primary``; when it fails, or gives no answer within ``patience_s``, ``fallback``
    takes the segment, and while ``health`` says that the primary rests, at once.

    Both are opened when first needed, on a thread; a primary that hung is closed and opened again.
    ``Transcription.engine`` tells whose words they are. One segment at a time.
    """

    def __init__(
        self,
        primary: Callable[[], Engine],
        fallback: Callable[[], Engine],
        *,
        health: Health,
        clock: Clock,
        patience_s: float,
    ) -> None:
        self._primary = _Side(primary)
        self._fallback = _Side(fallback)
        self._health = health
        self._clock = clock
        self._patience_s = patience_s
        self._answered = Capabilities(name="")

    @property
    def capabilities(self) -> Capabilities:
        """Of the engine that answered last; both get as many of the terms as they can take."""
        return msgspec.structs.replace(self._answered, terms=True, most_terms=_MOST_TERMS)

    async def transcribe(self, pcm: Pcm, hints: Hints = NO_HINTS) -> Transcription:
        """As the engine that takes it. Raises EngineError when both fail: ``retryable`` when
        another try at either can help."""
        if not self._health.take():
            metrics.STT_FALLBACK.labels("unhealthy").inc()
            return await self._ask(self._fallback, pcm, hints)
        try:
            heard = await self._patiently(pcm, hints)
        except EngineError as error:
            self._health.failed(error)
            metrics.STT_FALLBACK.labels(error.kind).inc()
            try:
                return await self._ask(self._fallback, pcm, hints)
            except EngineError as second:
                raise EngineError(
                    f"{error}; and the second engine: {second}",
                    kind=second.kind if error.retryable else error.kind,
                    retryable=error.retryable or second.retryable,
                    retry_after_s=error.retry_after_s,
                ) from second
        except BaseException:
            self._health.gave_up()
            raise
        self._health.well()
        return heard

    async def close(self) -> None:
        await self._primary.close()
        await self._fallback.close()

    async def _ask(self, side: _Side, pcm: Pcm, hints: Hints) -> Transcription:
        heard = await side.transcribe(pcm, hints)
        if side.engine is not None:
            self._answered = side.engine.capabilities
        return heard

    async def _patiently(self, pcm: Pcm, hints: Hints) -> Transcription:
        decode = asyncio.ensure_future(self._ask(self._primary, pcm, hints))
        limit = asyncio.ensure_future(self._clock.sleep(self._patience_s))
        try:
            await asyncio.wait((decode, limit), return_when=asyncio.FIRST_COMPLETED)
            if decode.done():
                return decode.result()
        finally:
            limit.cancel()
            decode.cancel()
        await self._primary.close()
        raise EngineError(f"no text after {self._patience_s:g} s", kind="timeout", retryable=True)
