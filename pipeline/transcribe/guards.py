"""Does a text look made up? Judged by its structure, never by a list of phrases."""

from __future__ import annotations

import re
from typing import Literal

import msgspec
import numpy as np

from pipeline.base import metrics
from pipeline.transcribe.engine import (
    NO_HINTS,
    SAMPLE_RATE,
    Capabilities,
    Engine,
    HeardWord,
    Hints,
    Pcm,
    Transcription,
)
from pipeline.transcribe.fitting import fitting
from pipeline.transcribe.scripts import UNSPACED, foreign_share, same_language

Suspicion = Literal["loop", "rate", "echo", "language", "non_speech"]

LOW = 0.2
"""Confidence of a text that stayed suspicious."""

HARDLY_MS = 250
"""Speech in a segment below which words must stand two tests: the shortest "yes" has about 200 ms,
and so has a cough. What was said is heard again when the engine's frames move, and not when the
audio runs backwards; what an engine answers to any noise ("You") is. Of 74 noises that Moonshine
made words of 4 pass both tests, of 74 spoken letters and digits 62 (docs/transcription.md)."""

_FASTEST = 30.0
"""Characters a second nobody speaks: fast talkers reach about 20."""
_SHORT = 24
"""Characters below which a rate says nothing."""
_LONGEST_PHRASE = 16
_TIMES = {1: 6}
_TIMES_ELSE = 4
"""Repetitions in a row that are a loop: people do say "no, no, no, no" and the same three words
three times."""
_ECHOED_TERMS = 3
_ECHOED_WORDS = 4
"""A prompt is echoed when half of a text is a run of it, word for word, over so many terms; over
two terms when it has so many words. People put other words between names."""
_FOREIGN = 0.3
"""Share of letters of another script that is no brand, name or formula any more."""
_PAD_MS = 250
_PAD = _PAD_MS * SAMPLE_RATE // 1000

_WORD = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+(?:['\u2019][^\W_{UNSPACED}]+)*")


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a segment beside its words. ``speech_ms``: how much of ``seconds`` is
    speech, if known; ``terms``: words the engine was told to expect; ``languages``: what can have
    been spoken (empty: anything)."""

    seconds: float
    speech_ms: int | None = None
    terms: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


def frame(seconds: float, speech_ms: int | None, hints: Hints, capabilities: Capabilities) -> Frame:
    """Of a segment that was given to such an engine with these hints."""
    spoken = (hints.language,) if hints.language else capabilities.languages
    return Frame(seconds=seconds, speech_ms=speech_ms, terms=hints.terms, languages=spoken)


def words_of(text: str) -> list[str]:
    """The words of a text, without case and punctuation."""
    return [match.group().casefold() for match in _WORD.finditer(text)]


def hardly_speech(heard: Transcription, speech_ms: int | None) -> bool:
    """Whether there are words, and too little speech to believe them at once."""
    return speech_ms is not None and speech_ms < HARDLY_MS and bool(words_of(heard.text))


def suspicion(heard: Transcription, frame: Frame) -> Suspicion | None:
    """Why these words cannot have been said in this segment, or None.

    ``loop``: a phrase over and over makes up half of it (an engine did so 14 times on noise,
    reference speech 1). ``rate``: more characters a second than anybody speaks. ``echo``: it is
    what the engine was told to expect. ``language``: another script or language than can have been
    spoken.
    """
    text = heard.text
    words = words_of(text)
    if _loops(words):
        return "loop"
    if len(text) >= _SHORT and len(text) > _FASTEST * _audible_s(frame):
        return "rate"
    if _echoes(words, frame.terms):
        return "echo"
    if frame.languages and text:
        other = heard.language is not None and not any(
            same_language(heard.language, language) for language in frame.languages
        )
        if other or foreign_share(text, frame.languages) > _FOREIGN:
            return "language"
    return None


def _audible_s(frame: Frame) -> float:
    """Time words can have taken: a VAD misses soft beginnings and ends, so more than it found."""
    if frame.speech_ms is None:
        return frame.seconds
    return min(frame.seconds, 0.5 + 1.4 * frame.speech_ms / 1000)


def _loops(words: list[str]) -> bool:
    for length in range(1, min(_LONGEST_PHRASE, len(words) // 2) + 1):
        times = _longest_run(words, length)
        enough = times >= _TIMES.get(length, _TIMES_ELSE)
        if enough and 2 * times * length >= len(words):
            return True
    return False


def _longest_run(words: list[str], length: int) -> int:
    """How often some phrase of so many words follows itself without a break."""
    best = same = 0
    for index in range(length, len(words)):
        same = same + 1 if words[index] == words[index - length] else 0
        best = max(best, same)
    return best // length + 1


def _echoes(words: list[str], terms: tuple[str, ...]) -> bool:
    told = [(word, number) for number, term in enumerate(terms) for word in words_of(term)]
    lengths = [0] * (len(told) + 1)  # of the common run that ends at each word told
    for word in words:
        ended, lengths = lengths, [0] * (len(told) + 1)
        for at, (expected, number) in enumerate(told):
            if word != expected:
                continue
            run = lengths[at + 1] = ended[at] + 1
            touched = number - told[at - run + 1][1] + 1
            long = touched >= _ECHOED_TERMS or (touched > 1 and run >= _ECHOED_WORDS)
            if long and 2 * run >= len(words):
                return True
    return False


class Guarded:
    """An engine whose suspicious texts are asked for once more, differently, then marked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def capabilities(self) -> Capabilities:
        return self._engine.capabilities

    async def transcribe(
        self, pcm: Pcm, hints: Hints = NO_HINTS, speech_ms: int | None = None
    ) -> Transcription:
        """As the engine, with ``doubt`` and low ``confidence`` where the text stays suspicious."""
        first = await self._ask(pcm, hints)
        reason = self._reason(first, pcm, hints, speech_ms)
        if reason is None and not hardly_speech(first, speech_ms):
            return first
        # An engine answers the same to the same samples; silence around them moves its frames.
        bare = _bare(hints, "again")
        second = _earlier(await self._ask(np.pad(pcm, _PAD), bare), pcm)
        if reason is not None:
            if self._reason(second, pcm, bare, speech_ms) is None:
                metrics.STT_SUSPECT.labels(reason).inc()
                return second
        elif not words_of(second.text):
            metrics.STT_SUSPECT.labels("non_speech").inc()
            return second
        elif await self._comes_of_speech(first, second, pcm, hints):
            return first
        else:
            reason = "non_speech"
        metrics.STT_SUSPECT.labels(reason).inc()
        return msgspec.structs.replace(first, confidence=LOW, doubt=reason)

    async def _comes_of_speech(
        self, first: Transcription, second: Transcription, pcm: Pcm, hints: Hints
    ) -> bool:
        words = words_of(first.text)
        if words_of(second.text) != words:
            return False
        backwards = await self._ask(np.ascontiguousarray(pcm[::-1]), _bare(hints, "backwards"))
        return words_of(backwards.text) != words

    async def once(self, pcm: Pcm, hints: Hints = NO_HINTS) -> Transcription | None:
        """As the engine, for words that are only shown meanwhile: None where they look made up."""
        heard = await self._ask(pcm, hints)
        return heard if self._reason(heard, pcm, hints, None) is None else None

    async def close(self) -> None:
        await self._engine.close()

    async def _ask(self, pcm: Pcm, hints: Hints) -> Transcription:
        heard = await self._engine.transcribe(pcm, fitting(hints, self.capabilities))
        if heard.engine is not None:
            return heard
        return msgspec.structs.replace(heard, engine=self.capabilities.name)

    def _reason(
        self, heard: Transcription, pcm: Pcm, hints: Hints, speech_ms: int | None
    ) -> Suspicion | None:
        return suspicion(heard, frame(len(pcm) / SAMPLE_RATE, speech_ms, hints, self.capabilities))


def _earlier(heard: Transcription, pcm: Pcm) -> Transcription:
    """Words of padded audio at the times they have in ``pcm``."""
    end = len(pcm) * 1000 // SAMPLE_RATE

    def at(ms: int) -> int:
        return min(max(0, ms - _PAD_MS), end)

    words = tuple(
        HeardWord(w.text, at(w.start_ms), at(w.end_ms), w.confidence) for w in heard.words
    )
    return msgspec.structs.replace(heard, words=words) if words else heard


def _bare(hints: Hints, what: str) -> Hints:
    """Without what can be echoed, and a request of its own."""
    key = f"{hints.key}-{what}" if hints.key else ""
    return msgspec.structs.replace(hints, terms=(), key=key)
