"""Whisper on this machine by faster-whisper (extra ``whisper``), with a model the user names."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Protocol

from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import (
    NO_HINTS,
    SAMPLE_RATE,
    Capabilities,
    HeardWord,
    Hints,
    Pcm,
    Transcription,
)
from pipeline.transcribe.languages import primary
from pipeline.transcribe.native_thread import NativeThread
from pipeline.transcribe.settings import TranscribeSettings

NEEDED = ("model.bin", "config.json", "tokenizer.json")
"""Without the last one the library would look for it on the internet."""

MOST_TERMS = 40
"""A prompt takes half of the 448 tokens that prompt and answer share, a name takes two to four."""

_LEAST = SAMPLE_RATE // 10
"""Samples below which there is no word."""

_DECODE = {
    "vad_filter": False,  # segments are speech already: our VAD decided that
    "no_speech_threshold": None,
    "without_timestamps": False,  # with True, tiny.en stops after a sentence (reference speech 3)
    "word_timestamps": True,
    "condition_on_previous_text": False,  # segments of other voices and meetings come between
    "temperature": 0.0,  # nothing is sampled: same audio, same text; guards judge what it says
}


class Model(Protocol):
    """What is used of ``faster_whisper.WhisperModel``."""

    @property
    def supported_languages(self) -> list[str]:
        """Whisper's codes of them."""
        ...

    def transcribe(self, audio: Pcm, **options: Any) -> tuple[Any, Any]:
        """An iterator of segments, and what is known of the whole."""
        ...


class WhisperEngine:
    """One model of one thread; a pool opens one a worker."""

    def __init__(
        self, model: Model, failures: tuple[type[Exception], ...], settings: TranscribeSettings
    ) -> None:
        """Raises EngineError (``language``) when the model does not know the language set."""
        self._model = model
        self._failures = failures
        self._known = frozenset(model.supported_languages)
        self._language = primary(settings.language)
        if self._language and self._language not in self._known:
            raise EngineError(
                f"{settings.whisper_model}: the model does not know the language"
                f" {settings.language!r} (RTMS_NOTES_TRANSCRIBE_LANGUAGE)",
                kind="language",
            )
        self._beam = settings.whisper_beam
        several = len(self._known) > 1
        self.capabilities = Capabilities(
            name="whisper",
            languages=(self._language,) if self._language else () if several else ("en",),
            word_times=True,
            detects_language=several and not self._language,
            terms=True,
            most_terms=MOST_TERMS,
        )
        self._thread = NativeThread("whisper", self._decode, _nothing)

    @classmethod
    def open(cls, settings: TranscribeSettings) -> WhisperEngine:
        """Load the model: about 1 s and 200 MB for ``base``. Blocking; call it on a thread.

        Raises EngineError: ``missing_extra``, ``load`` (no folder named, no model in it, or one
        that does not load), ``language``, ``hangs`` when earlier decodes hang for good.
        """
        NativeThread.check()
        model, failures = _load(settings)
        return cls(model, failures, settings)

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

    def _decode(self, pcm: Pcm, hints: Hints) -> Transcription:
        hinted = primary(hints.language)
        language = self._language or (hinted if hinted in self._known else "")
        try:
            found, info = self._model.transcribe(
                pcm,
                language=language or None,
                beam_size=self._beam,
                hotwords=", ".join(hints.terms[:MOST_TERMS]) or None,
                **_DECODE,
            )
            return _transcription(list(found), info.language, len(pcm))
        except self._failures as error:
            raise EngineError(
                f"whisper failed on a segment ({error})", kind="decode", retryable=True
            ) from error


def _transcription(segments: list[Any], language: str | None, samples: int) -> Transcription:
    """``confidence``: the mean probability of a token, each as likely to be one as the next."""
    text = " ".join(" ".join(segment.text for segment in segments).split())
    length_ms = samples * 1000 // SAMPLE_RATE
    words = tuple(
        HeardWord(
            word.word.strip(),
            min(round(word.start * 1000), length_ms),
            min(round(word.end * 1000), length_ms),
            round(float(word.probability), 3),
        )
        for segment in segments
        for word in segment.words or ()
        if word.word.strip()
    )
    tokens = sum(len(segment.tokens) for segment in segments)
    confidence = None
    if text and tokens:
        logprob = sum(segment.avg_logprob * len(segment.tokens) for segment in segments) / tokens
        confidence = round(min(1.0, math.exp(logprob)), 3)
    return Transcription(
        text,
        language=language if text else None,
        confidence=confidence,
        words=words,
        engine="whisper",
    )


def _load(settings: TranscribeSettings) -> tuple[Model, tuple[type[Exception], ...]]:
    """The model, and what it raises when a decode fails."""
    folder = check_folder(settings.whisper_model)
    try:
        from faster_whisper import WhisperModel
    except ModuleNotFoundError as error:
        raise EngineError(
            "the whisper engine is not installed: pip install 'rtms-notes[whisper]'"
            " (in a checkout: .venv/bin/pip install -c constraints.txt -e '.[whisper]')",
            kind="missing_extra",
        ) from error
    except (ImportError, OSError) as error:
        raise EngineError(f"faster-whisper does not load ({error})", kind="load") from error
    try:
        model = WhisperModel(
            str(folder),
            device="cpu",
            compute_type="int8",
            cpu_threads=1,
            num_workers=1,
            local_files_only=True,
        )
        wanted, made = model.model.n_mels, model.feature_extractor.mel_filters.shape[0]
    except Exception as error:  # the libraries below raise bare Exception for broken files
        raise EngineError(
            f"{folder}: not a model that faster-whisper can load ({_first_line(error)})",
            kind="load",
        ) from error
    if wanted != made:
        raise EngineError(
            f"{folder}: preprocessor_config.json is missing (the model hears {wanted} bands,"
            f" not {made})",
            kind="load",
        )
    return model, (RuntimeError, ValueError, OSError, MemoryError)


def check_folder(name: str) -> Path:
    """The folder of a model as far as file names tell. Raises EngineError (``load``) in one line
    that says what to do."""
    if not name:
        raise EngineError(
            "--stt whisper needs a model: RTMS_NOTES_TRANSCRIBE_WHISPER_MODEL=FOLDER with a"
            " CTranslate2 form of Whisper (docs/transcription.md)",
            kind="load",
        )
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise EngineError(
            f"{folder}: no such folder (RTMS_NOTES_TRANSCRIBE_WHISPER_MODEL)", kind="load"
        )
    missing = [needed for needed in NEEDED if not (folder / needed).is_file()]
    if missing:
        raise EngineError(
            f"{folder}: no CTranslate2 model of Whisper, {', '.join(missing)} missing"
            " (RTMS_NOTES_TRANSCRIBE_WHISPER_MODEL)",
            kind="load",
        )
    return folder


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200] or type(error).__name__


def _nothing() -> None:
    """The model goes with its last reference."""
