"""A segment engine as a stream: the open speech is decoded again and again as it grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import numpy as np
import structlog

from pipeline.base.clock import Clock
from pipeline.base.errors import EngineError
from pipeline.transcribe.agreement import Agreement
from pipeline.transcribe.engine import NO_HINTS, Capabilities, Heard, Hints, Pcm, Transcription

log = structlog.get_logger()

Decode = Callable[[Pcm, Hints], Awaitable[Transcription | None]]
"""The words of all speech so far; None when nobody had the time. Raises EngineError."""

REST = 2.0
"""Between two looks at least so many times what the last one took, its waiting included: at most
half of the time goes into looks, and a machine that falls behind looks less often (reference
speech 1, rule 3)."""


class SegmentsAsStream:
    """A ``StreamEngine`` made of ``decode``, which is asked each ``every_s`` of this clock while
    there is new speech. Words that two answers in a row agree on are committed.

    ``capabilities`` are those of the engine behind it."""

    def __init__(
        self, decode: Decode, *, capabilities: Capabilities, every_s: float, clock: Clock
    ) -> None:
        self._decode = decode
        self._every_s = every_s
        self._clock = clock
        self._open: set[_Speech] = set()
        self.capabilities = msgspec.structs.replace(capabilities, streaming=True, partials=True)

    async def open(self, hints: Hints = NO_HINTS) -> _Speech:
        """Begin to hear; costs nothing until there is something to hear."""
        speech = _Speech(self._decode, hints, self._every_s, self._clock)
        self._open.add(speech)
        speech.on_closed = lambda: self._open.discard(speech)
        return speech

    async def close(self) -> None:
        """Stop hearing all that is open."""
        for speech in list(self._open):
            await speech.close()


class _Speech:
    """A ``SpeechStream``."""

    def __init__(self, decode: Decode, hints: Hints, every_s: float, clock: Clock) -> None:
        self._decode = decode
        self._hints = hints
        self._every_s = every_s
        self._clock = clock
        self._blocks: list[Pcm] = []
        self._grown = asyncio.Event()
        self._finishing = asyncio.Event()
        self._news: asyncio.Queue[Heard | Exception | None] = asyncio.Queue()  # one a look
        self._agreement = Agreement()
        self._said = Heard("")
        self.on_closed: Callable[[], None] = lambda: None
        self._looking = asyncio.create_task(self._look())

    async def send(self, pcm: Pcm) -> None:
        """More samples; never waits."""
        self._blocks.append(pcm)
        self._grown.set()

    async def finish(self) -> None:
        """One more look at all of it gives the final words."""
        self._finishing.set()

    async def heard(self) -> AsyncIterator[Heard]:
        """Words each time they changed. Raises EngineError: the engine's own, which trying again
        would not mend, or ``shed`` when it had no time for the final look."""
        while (news := await self._news.get()) is not None:
            if isinstance(news, Exception):
                raise news
            yield news

    async def close(self) -> None:
        """Stop at once. A look under way is given up."""
        self._looking.cancel()
        await asyncio.wait({self._looking})
        self._news.put_nowait(None)
        self.on_closed()

    async def _look(self) -> None:
        try:
            rest = self._every_s
            while await self._due(rest):
                began = self._clock.monotonic()
                await self._once()
                took = self._clock.monotonic() - began
                rest = max(self._every_s, REST * took) - took
            final = await self._decode(self._all(), self._hints)
            if final is None:
                raise EngineError("no time for the words", kind="shed", retryable=True)  # noqa: TRY301
            self._news.put_nowait(Heard(final.text, final=final))
            self._news.put_nowait(None)
        except Exception as error:  # noqa: BLE001 - raised where the words are awaited
            self._news.put_nowait(error)

    async def _due(self, rest: float) -> bool:
        """Wait so long, and until there is new speech; False when there will be none."""
        finishing = asyncio.ensure_future(self._finishing.wait())
        waiting = asyncio.ensure_future(self._rested(rest))
        try:
            await asyncio.wait({finishing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            finishing.cancel()
            waiting.cancel()
        return not self._finishing.is_set()

    async def _rested(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        await self._grown.wait()

    async def _once(self) -> None:
        """One look. What may be made up is not shown; what failed for now is left to the next."""
        self._grown.clear()
        try:
            found = await self._decode(self._all(), self._hints)
        except EngineError as error:
            if not error.retryable:
                raise
            log.info("partial.failed", kind=error.kind, error=str(error))
            return
        if found is None or found.doubt is not None:
            return
        heard = Heard(*self._agreement.take(found.text))
        if heard != self._said:
            self._said = heard
            self._news.put_nowait(heard)

    def _all(self) -> Pcm:
        """Everything heard so far, as one block."""
        if len(self._blocks) != 1:
            whole = np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.float32)
            self._blocks = [whole]
        return self._blocks[0]
