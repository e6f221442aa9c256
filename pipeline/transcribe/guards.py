"""Does a text look made up? Judged by its structure, never by a list of phrases."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from pipeline.base import metrics
from pipeline.transcribe.engine import (
    NO_HINTS,
    SAMPLE_RATE,
    Capabilities,
    Engine,
    Hints,
    Pcm,
    Transcription,
)

Suspicion = Literal["loop", "rate"]

LOW = 0.2
"""Confidence of a text that stayed suspicious."""

_FASTEST = 30.0
"""Characters a second nobody speaks: fast talkers reach about 20."""
_SHORT = 24
"""Characters below which a rate says nothing."""
_LONGEST_PHRASE = 16
_TIMES = {1: 6}
_TIMES_ELSE = 4
"""Repetitions in a row that are a loop: people do say "no, no, no, no" and the same three words
three times."""

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


def suspicion(text: str, seconds: float) -> Suspicion | None:
    """Why ``seconds`` of speech cannot have been these words, or None.

    ``loop``: a phrase over and over makes up half of it (an engine did so 14 times on noise,
    reference speech 1). ``rate``: more characters a second than anybody speaks.
    """
    if len(text) >= _SHORT and len(text) > _FASTEST * seconds:
        return "rate"
    words = [match.group().casefold() for match in _WORD.finditer(text)]
    for length in range(1, min(_LONGEST_PHRASE, len(words) // 2) + 1):
        times = _longest_run(words, length)
        enough = times >= _TIMES.get(length, _TIMES_ELSE)
        if enough and 2 * times * length >= len(words):
            return "loop"
    return None


def _longest_run(words: list[str], length: int) -> int:
    """How often some phrase of so many words follows itself without a break."""
    best = same = 0
    for index in range(length, len(words)):
        same = same + 1 if words[index] == words[index - length] else 0
        best = max(best, same)
    return best // length + 1


class Guarded:
    """An engine whose suspicious texts are asked for once more, differently, then marked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def capabilities(self) -> Capabilities:
        return self._engine.capabilities

    async def transcribe(self, pcm: Pcm, hints: Hints = NO_HINTS) -> Transcription:
        """As the engine, with low ``confidence`` where the text stays suspicious."""
        first = await self._engine.transcribe(pcm, hints)
        seconds = len(pcm) / SAMPLE_RATE
        reason = suspicion(first.text, seconds)
        if reason is None:
            return first
        metrics.STT_SUSPECT.labels(reason).inc()
        # An engine answers the same to the same samples; silence around them moves its frames.
        second = await self._engine.transcribe(np.pad(pcm, SAMPLE_RATE // 4), hints)
        if suspicion(second.text, seconds) is None:
            return second
        return Transcription(first.text, first.language, LOW, doubt=reason)

    async def close(self) -> None:
        await self._engine.close()
