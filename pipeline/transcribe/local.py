"""The engine on this machine: Moonshine tiny-en, weights in its wheel (extra ``local``)."""

from __future__ import annotations

import asyncio
import ctypes
import queue
import re
import threading
from concurrent.futures import Future
from typing import Any, ClassVar

from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import (
    NO_HINTS,
    SAMPLE_RATE,
    Capabilities,
    Hints,
    Pcm,
    Transcription,
)
from pipeline.transcribe.settings import TranscribeSettings

OPTIONS = {"vad_threshold": "0", "identify_speakers": "false", "return_audio_data": "false"}
"""Its own VAD cuts inside words (WER 12.9 against 8.6), its diarization costs 1.7 CPU-s an audio
second (reference speech 1, 2), and nobody needs the samples back."""

MOST_STUCK = 4
"""Threads that may hang at the same time, each with a model of 150 MB, before no more are made."""

_LEAST = SAMPLE_RATE // 10
"""Samples below which there is no word; on digital silence Moonshine answers "You"."""

_DOUBLED = re.compile(r",(?:\s*,)+")
"""The model writes "Oh no,, our oven": one comma was meant."""

_LOADING = threading.Lock()
"""The library's first use is not thread-safe: a second thread finds it half made."""

_Job = tuple[Pcm, "Future[str]"]


class LocalEngine:
    """One native transcriber and the daemon thread it runs on; a pool opens one a worker.

    The event loop is never blocked, and a decode that hangs does not keep the process alive.
    """

    capabilities = Capabilities(name="moonshine-tiny-en", languages=("en",), partials=True)

    _stuck: ClassVar[list[threading.Thread]] = []

    def __init__(self, transcriber: Any, failures: tuple[type[Exception], ...]) -> None:
        self._transcriber = transcriber
        self._failures = failures
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._busy = False
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="stt-local", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, settings: TranscribeSettings) -> LocalEngine:  # noqa: ARG003 (no model setting yet)
        """Load the model: about 0.4 s, 150 MB. Blocking; call it on a thread.

        Raises EngineError: ``missing_extra`` when moonshine-voice is not installed, ``load`` when
        it does not load, ``hangs`` when earlier decodes hang for good.
        """
        cls._stuck[:] = [thread for thread in cls._stuck if thread.is_alive()]
        if len(cls._stuck) >= MOST_STUCK:
            raise EngineError(
                f"the local engine hangs in {len(cls._stuck)} decodes; restart the service",
                kind="hangs",
            )
        with _LOADING:
            return cls(*_load())

    async def transcribe(self, pcm: Pcm, hints: Hints = NO_HINTS) -> Transcription:  # noqa: ARG002
        """The words of one segment.

        Raises EngineError (retryable ``decode``; ``closed`` after ``close``).
        """
        if self._closed:
            raise EngineError("the local engine is closed", kind="closed")
        if len(pcm) < _LEAST or not pcm.any():
            return Transcription("")
        future: Future[str] = Future()
        self._jobs.put((pcm, future))
        text = await asyncio.wrap_future(future)
        return Transcription(text, language="en")

    async def close(self) -> None:
        """Free the model. A decode that is running is left to end by itself."""
        if self._closed:
            return
        self._closed = True
        if self._busy:
            self._stuck.append(self._thread)
        self._jobs.put(None)

    def _work(self) -> None:
        """The thread: one decode after another, then free the model where it was used."""
        while (job := self._jobs.get()) is not None:
            pcm, future = job
            if not future.set_running_or_notify_cancel():
                continue
            self._busy = True
            try:
                future.set_result(self._decode(pcm))
            except EngineError as error:
                future.set_exception(error)
            except BaseException as error:
                self._closed = True
                future.set_exception(error)
                raise
            finally:
                self._busy = False
        self._transcriber.close()

    def _decode(self, pcm: Pcm) -> str:
        try:
            found = self._transcriber.transcribe_without_streaming(pcm.tolist(), SAMPLE_RATE)
            text = " ".join(line.text.strip() for line in found.lines).strip()
            return _DOUBLED.sub(",", text)
        except self._failures as error:
            raise EngineError(
                f"the local engine failed on a segment ({error})", kind="decode", retryable=True
            ) from error


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
