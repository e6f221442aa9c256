"""Any server with OpenAI's ``/v1/audio/transcriptions``: one request a segment."""

from __future__ import annotations

import math
from urllib.parse import urlsplit

import httpx2

from pipeline.base.clock import Clock
from pipeline.base.errors import EngineError
from pipeline.openai_client.errors import CallFailed
from pipeline.openai_client.transcriptions import Ask, Spoken, Transcriptions
from pipeline.transcribe.engine import (
    NO_HINTS,
    SAMPLE_RATE,
    Capabilities,
    HeardWord,
    Hints,
    Pcm,
    Transcription,
)
from pipeline.transcribe.languages import primary, tag_of
from pipeline.transcribe.settings import SttSettings, TranscribeSettings
from pipeline.transcribe.wav import wav_of

MOST_TERMS = 50

MOST_BYTES = 25_000_000
"""OpenAI's limit of a file: 13 minutes of our audio, where a segment has 12 s."""

_FASTEST = 60
"""Characters a second of audio beyond which an answer is no speech: fast talkers reach 25."""

_LEAST = SAMPLE_RATE // 10
"""Samples below which there is no word."""

_ADVICE = {
    "auth": " (RTMS_NOTES_STT_API_KEY)",
    "not_found": " (RTMS_NOTES_STT_BASE_URL, RTMS_NOTES_STT_MODEL)",
    "connect": " (RTMS_NOTES_STT_BASE_URL)",
}


class OpenAiHttp:
    """One client, one request at a time; a pool opens one a worker."""

    def __init__(
        self,
        stt: SttSettings,
        transcribe: TranscribeSettings,
        *,
        clock: Clock,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """No I/O, but for ``ca_file``: raises ConfigError when that cannot be read. ``transport``
        replaces the network."""
        self._stt = stt
        self._language = primary(transcribe.language)
        self._model = stt.model
        self._server = Transcriptions(
            base_url=_with_version(stt.base_url),
            api_key=stt.api_key,
            connect_timeout_s=stt.connect_timeout_s,
            read_timeout_s=stt.read_timeout_s,
            max_answer_bytes=stt.max_answer_bytes,
            clock=clock,
            ca_file=stt.ca_file,
            transport=transport,
        )
        self.capabilities = Capabilities(
            name="openai",
            languages=(self._language,) if self._language else (),
            word_times=stt.word_times,
            detects_language=not self._language
            and (stt.word_times or "gpt-transcribe" in stt.model),
            terms=True,
            most_terms=MOST_TERMS,
            remote=True,
        )

    async def transcribe(self, pcm: Pcm, hints: Hints = NO_HINTS) -> Transcription:
        """The words of one segment.

        Raises EngineError: the kinds of ``openai_client.errors``, ``audio_too_long``, and
        ``closed`` after ``close``.
        """
        if len(pcm) < _LEAST or not pcm.any():
            return Transcription("", engine=self.capabilities.name)
        wav = wav_of(pcm)
        if len(wav) > MOST_BYTES:
            raise EngineError(
                f"{len(pcm) / SAMPLE_RATE:.0f} s of audio are too long for one request",
                kind="audio_too_long",
            )
        language = self._language or primary(hints.language)
        try:
            if not self._model:
                self._model = await self._only_model()
            spoken = await self._server.transcribe(
                Ask(
                    wav=wav,
                    model=self._model,
                    language=language,
                    terms=hints.terms[:MOST_TERMS],
                    word_times=self._stt.word_times,
                    stream=self._stt.stream,
                    key=hints.key,
                )
            )
        except CallFailed as error:
            raise failure(error) from error
        except RuntimeError as error:  # what a closed httpx2 client raises
            raise EngineError("the openai engine is closed", kind="closed") from error
        return _transcription(spoken, language, len(pcm))

    async def models(self) -> list[str]:
        """The models the server lists. Raises EngineError."""
        try:
            return await self._server.models()
        except CallFailed as error:
            raise failure(error) from error

    async def close(self) -> None:
        """Close connections."""
        await self._server.close()

    async def _only_model(self) -> str:
        names = await self._server.models()
        if len(names) != 1:
            known = ", ".join(name[:60] for name in names[:5]) or "none"
            raise CallFailed(f"set RTMS_NOTES_STT_MODEL; the server has: {known}", kind="no_model")
        return names[0]


def _with_version(base_url: str) -> str:
    """An address of a host alone means its ``/v1``, as for the websocket engines."""
    return base_url if urlsplit(base_url).path.strip("/") else f"{base_url.rstrip('/')}/v1"


def failure(error: CallFailed) -> EngineError:
    """The same as a failure of speech-to-text."""
    kind = "audio_too_long" if error.kind == "context_exceeded" else error.kind
    return EngineError(
        f"speech-to-text: {error}{_ADVICE.get(kind, '')}",
        kind=kind,
        retryable=error.retryable,
        retry_after_s=error.retry_after_s,
    )


def _transcription(spoken: Spoken, language: str, samples: int) -> Transcription:
    """What the server said, as far as it can be true of so much audio. Raises EngineError."""
    text = _clean(spoken.text)
    if len(text) > 200 + _FASTEST * samples / SAMPLE_RATE:
        raise EngineError(
            f"speech-to-text: {len(text)} characters for {samples / SAMPLE_RATE:.1f} s of audio"
            " are no transcription",
            kind="bad_answer",
        )
    told = tag_of(spoken.language)
    if told is None and spoken.languages:
        told = tag_of(spoken.languages[0].code)
    return Transcription(
        text,
        language=(told or language or None) if text else None,
        confidence=_confidence(spoken) if text else None,
        words=_words(spoken, samples * 1000 // SAMPLE_RATE) if text else (),
        engine="openai",
    )


def _confidence(spoken: Spoken) -> float | None:
    """The mean probability of a token, weighted by the time of the parts it is told for."""
    parts = [
        (max(0.01, part.end - part.start), part.avg_logprob)
        for part in spoken.segments or ()
        if part.avg_logprob is not None and math.isfinite(part.end - part.start)
    ]
    if not parts:
        return None
    mean = sum(length * logprob for length, logprob in parts) / sum(length for length, _ in parts)
    return round(math.exp(min(0.0, mean)), 3) if math.isfinite(mean) else None


def _words(spoken: Spoken, length_ms: int) -> tuple[HeardWord, ...]:
    """Words with times inside the segment; none at all when one has no possible time."""
    words: list[HeardWord] = []
    for one in spoken.words or ():
        if not (math.isfinite(one.start) and math.isfinite(one.end)) or one.end < one.start:
            return ()
        if not (text := _clean(one.word)):
            continue
        start, end = (round(min(max(0.0, at) * 1000, length_ms)) for at in (one.start, one.end))
        sure = one.probability
        if sure is not None and not 0.0 <= sure <= 1.0:
            sure = None
        words.append(HeardWord(text, start, end, sure))
    return tuple(words)


def _clean(text: str) -> str:
    """One line of printable text."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
