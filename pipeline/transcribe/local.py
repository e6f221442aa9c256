"""The engine on this machine: Moonshine tiny-en, weights in its wheel (extra ``local``)."""

from __future__ import annotations

import ctypes
import re
import threading
from typing import Any

import numpy as np

from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import (
    NO_HINTS,
    SAMPLE_RATE,
    Capabilities,
    Hints,
    Pcm,
    Transcription,
)
from pipeline.transcribe.native_thread import NativeThread
from pipeline.transcribe.settings import TranscribeSettings

OPTIONS = {"vad_threshold": "0", "identify_speakers": "false", "return_audio_data": "false"}
"""Its own VAD cuts inside words (WER 12.9 against 8.6), its diarization costs 1.7 CPU-s an audio
second (reference speech 1, 2), and nobody needs the samples back."""

_LEAST = SAMPLE_RATE // 10
"""Samples below which there is no word; on digital silence Moonshine answers "You"."""

_TAIL = SAMPLE_RATE // 20
_LOUD_TAIL = 0.2
_PADDING = np.zeros(SAMPLE_RATE // 4, np.float32)
"""Where audio breaks off at the end of a word (mute, end of stream), the model hears it twice: of
"No." it makes "No, no,". A quarter second of silence after a tail louder than 0.2 of the whole
takes WER of the natural corpus from 5.9 to 5.7 %; after every segment it would make it 7.9 %."""

_DOUBLED = re.compile(r",(?:\s*,)+")
"""The model writes "Oh no,, our oven": one comma was meant."""

_LOADING = threading.Lock()
"""The library's first use is not thread-safe: a second thread finds it half made."""


class LocalEngine:
    """One native transcriber on a thread of its own; a pool opens one a worker."""

    capabilities = Capabilities(name="local", languages=("en",), partials=True)

    def __init__(self, transcriber: Any, failures: tuple[type[Exception], ...]) -> None:
        self._transcriber = transcriber
        self._failures = failures
        self._thread = NativeThread("local", self._decode, transcriber.close)

    @classmethod
    def open(cls, settings: TranscribeSettings) -> LocalEngine:  # noqa: ARG003 (it has none)
        """Load the model: about 0.4 s, 150 MB. Blocking; call it on a thread.

        Raises EngineError: ``missing_extra`` when moonshine-voice is not installed, ``load`` when
        it does not load, ``hangs`` when earlier decodes hang for good.
        """
        NativeThread.check()
        with _LOADING:
            return cls(*_load())

    async def transcribe(self, pcm: Pcm, hints: Hints = NO_HINTS) -> Transcription:
        """The words of one segment.

        Raises EngineError (retryable ``decode``; ``closed`` after ``close``).
        """
        if len(pcm) < _LEAST or not pcm.any():
            return Transcription("", engine=self.capabilities.name)
        return await self._thread.run(pcm, hints)

    async def close(self) -> None:
        """Free the model. A decode that is running is left to end by itself."""
        self._thread.close()

    def _decode(self, pcm: Pcm, hints: Hints) -> Transcription:  # noqa: ARG002 (it takes none)
        try:
            found = self._transcriber.transcribe_without_streaming(
                _ended(pcm).tolist(), SAMPLE_RATE
            )
            text = " ".join(line.text.strip() for line in found.lines).strip()
        except self._failures as error:
            raise EngineError(
                f"the local engine failed on a segment ({error})", kind="decode", retryable=True
            ) from error
        name = self.capabilities.name
        return Transcription(_DOUBLED.sub(",", text), language="en", engine=name)


def _ended(pcm: Pcm) -> Pcm:
    """The samples, with silence after them when they break off in the middle of sound."""
    if _rms(pcm[-_TAIL:]) <= _LOUD_TAIL * _rms(pcm):
        return pcm
    return np.concatenate((pcm, _PADDING))


def _rms(pcm: Pcm) -> float:
    return float(np.sqrt(np.mean(np.square(pcm))))


def _load() -> tuple[Any, tuple[type[Exception], ...]]:
    """The native transcriber, and what it raises when a decode fails."""
    try:
        from moonshine_voice.errors import MoonshineError
        from moonshine_voice.moonshine_api import ModelArch
        from moonshine_voice.transcriber import Transcriber
        from moonshine_voice.utils import get_model_path
    except ModuleNotFoundError as error:
        raise EngineError(
            "the local engine is not installed: pip install 'rtms-notes[local]'"
            " (in a checkout: .venv/bin/pip install -c constraints.txt -e '.[local]')",
            kind="missing_extra",
        ) from error
    except (ImportError, OSError) as error:
        raise EngineError(
            f"moonshine-voice does not load ({error}); it needs glibc 2.34 or later",
            kind="load",
        ) from error
    folder = get_model_path("tiny-en")
    if not folder.is_dir():
        raise EngineError(
            "this moonshine-voice has no model inside: pip install 'moonshine-voice==0.1.0'",
            kind="load",
        )
    try:
        transcriber = Transcriber(str(folder), ModelArch.TINY, options=dict(OPTIONS))
    except (MoonshineError, OSError, MemoryError) as error:
        raise EngineError(f"moonshine-voice does not load ({error})", kind="load") from error
    failures = (MoonshineError, OSError, ValueError, MemoryError, ctypes.ArgumentError)
    return transcriber, failures
