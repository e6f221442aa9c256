"""What every speech-to-text engine is: one segment in, its words out."""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Hz of everything given to an engine."""

Pcm = NDArray[np.float32]
"""Mono samples at 16 kHz in -1..1, one dimension."""


class Transcription(msgspec.Struct, frozen=True):
    """Words of one segment; empty ``text`` when nothing was said.

    ``language`` is a BCP-47 tag or None when unknown. ``confidence`` is 0..1 or None when the
    engine gives none and nothing speaks against the text.
    """

    text: str
    language: str | None = None
    confidence: float | None = None


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine can do, as data. Empty ``languages``: any."""

    name: str
    languages: tuple[str, ...] = ()
    streaming: bool = False
    partials: bool = False
    word_times: bool = False
    prompts: bool = False
    remote: bool = False


class Engine(Protocol):
    """Transcribes one segment at a time; a pool opens one engine for each of its workers."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        ...

    async def transcribe(self, pcm: Pcm) -> Transcription:
        """The words of a segment. Never blocks the event loop. Raises EngineError."""
        ...

    async def close(self) -> None:
        """Free everything. A decode that hangs is abandoned, not waited for."""
        ...
