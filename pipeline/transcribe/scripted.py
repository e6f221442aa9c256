"""An engine that says what it is told to, for tests and for trying things without a model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from pipeline.base.clock import Clock, SystemClock
from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import (
    NO_HINTS,
    SAMPLE_RATE,
    Capabilities,
    Hints,
    Pcm,
    Transcription,
)


class Hang:
    """An answer that never comes."""


Answer = str | Transcription | EngineError | Hang


class ScriptedEngine:
    """Gives ``answers`` in order, then ``otherwise``; or what a function makes of the samples.

    An EngineError is raised, ``Hang()`` never returns. Each decode takes ``delay_s`` plus
    ``rtf`` times the length of its audio, divided by ``speed_up``, on ``clock``.
    """

    def __init__(
        self,
        answers: Iterable[Answer] | Callable[[Pcm], Answer] = (),
        *,
        otherwise: Answer = "",
        delay_s: float = 0.0,
        rtf: float = 0.0,
        speed_up: float = 1.0,
        clock: Clock | None = None,
    ) -> None:
        self.capabilities = Capabilities(name="scripted")
        self.heard: list[Pcm] = []
        self.hints: list[Hints] = []
        self.closed = False
        self._answers = answers if callable(answers) else iter(answers)
        self._otherwise = otherwise
        self._delay_s = delay_s
        self._rtf = rtf
        self._speed_up = speed_up
        self._clock = clock or SystemClock()

    async def transcribe(self, pcm: Pcm, hints: Hints = NO_HINTS) -> Transcription:
        self.heard.append(pcm)
        self.hints.append(hints)
        answer = (
            self._answers(pcm) if callable(self._answers) else next(self._answers, self._otherwise)
        )
        seconds = (self._delay_s + self._rtf * len(pcm) / SAMPLE_RATE) / self._speed_up
        if seconds > 0:
            await self._clock.sleep(seconds)
        match answer:
            case Hang():
                await asyncio.get_running_loop().create_future()
                raise AssertionError("a hanging engine never answers")
            case EngineError():
                raise answer
            case str():
                return Transcription(answer)
            case Transcription():
                return answer

    async def close(self) -> None:
        self.closed = True
