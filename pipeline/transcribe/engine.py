"""What every speech-to-text engine is: one segment in, its words out; or a stream of both.

Two kinds, told apart by ``Capabilities.streaming``: a segment ``Engine`` takes a whole segment, a
``StreamEngine`` takes audio as it comes and gives tentative words on the way. Adapters make either
of the other; nothing else in the program needs to know which one runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Hz of everything given to an engine."""

Pcm = NDArray[np.float32]
"""Mono samples at 16 kHz in -1..1, one dimension."""


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """What may help an engine that can take it. ``terms``: names and words of this meeting, most
    likely first. ``language``: BCP-47, empty when it is to be detected. ``key``: the same for every
    try at one segment, for servers that know repeated requests."""

    terms: tuple[str, ...] = ()
    language: str = ""
    key: str = ""


NO_HINTS = Hints()


class HeardWord(msgspec.Struct, frozen=True):
    """A word with its times in milliseconds from the segment's beginning."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None = None


class Transcription(msgspec.Struct, frozen=True):
    """Words of one segment; empty ``text`` when nothing was said.

    ``language`` is a BCP-47 tag or None when unknown. ``confidence`` is 0..1 or None when the
    engine gives none and nothing speaks against the text. ``doubt``: why it may be made up (a
    guard's word), None when nothing speaks against it. ``engine``: which one it was.
    """

    text: str
    language: str | None = None
    confidence: float | None = None
    words: tuple[HeardWord, ...] = ()
    doubt: str | None = None
    engine: str | None = None


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine can do, as data. Empty ``languages``: any.

    ``streaming``: it is a ``StreamEngine``. ``partials``: its tentative words are cheap enough to
    be asked for while somebody speaks. ``terms``: it takes ``Hints.terms`` (at most
    ``most_terms``). ``remote``: audio leaves this machine.
    """

    name: str
    languages: tuple[str, ...] = ()
    streaming: bool = False
    partials: bool = False
    word_times: bool = False
    detects_language: bool = False
    terms: bool = False
    most_terms: int = 0
    remote: bool = False


class Engine(Protocol):
    """Transcribes one segment at a time; a pool opens one engine for each of its workers."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        ...

    async def transcribe(self, pcm: Pcm, hints: Hints = NO_HINTS) -> Transcription:
        """The words of a segment. Never blocks the event loop. Raises EngineError."""
        ...

    async def close(self) -> None:
        """Free everything. A decode that hangs is abandoned, not waited for."""
        ...


class Heard(msgspec.Struct, frozen=True):
    """What a stream has heard so far: ``committed`` words do not change any more, ``tentative``
    ones may. ``final``: set on the last one only, with all the words."""

    committed: str
    tentative: str = ""
    final: Transcription | None = None


class SpeechStream(Protocol):
    """One stretch of speech being heard. ``heard`` ends after the final one."""

    async def send(self, pcm: Pcm) -> None:
        """More samples, in order. Raises EngineError."""
        ...

    async def finish(self) -> None:
        """No more samples: the final words follow on ``heard``. Raises EngineError."""
        ...

    def heard(self) -> AsyncIterator[Heard]:
        """What was heard, each time it changed. Raises EngineError."""
        ...

    async def close(self) -> None:
        """Let go at once; what was not told is lost."""
        ...


class StreamEngine(Protocol):
    """Opens one stream for each stretch of speech."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do; ``streaming`` is set."""
        ...

    async def open(self, hints: Hints = NO_HINTS) -> SpeechStream:
        """A new stream. Raises EngineError."""
        ...

    async def close(self) -> None:
        """Close what is open and free everything."""
        ...
