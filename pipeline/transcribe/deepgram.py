"""Deepgram's streaming speech-to-text (``/v1/listen``), at any server that speaks it.

One connection for each stretch of speech: audio as binary messages, ``Finalize`` and
``CloseStream`` at its end. Wire forms: developers.deepgram.com (Live Audio, Finalize, Close Stream,
Audio Keep Alive, Keyterm Prompting).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from pipeline.audio.packet import encode_l16
from pipeline.base.clock import Clock
from pipeline.transcribe.engine import (
    SAMPLE_RATE,
    Capabilities,
    Heard,
    HeardWord,
    Hints,
    Pcm,
    Transcription,
)
from pipeline.transcribe.languages import tag_of
from pipeline.transcribe.settings import SttSettings, TranscribeSettings
from pipeline.transcribe.socket_errors import SocketClosed, bad_answer, told, wrong_segment
from pipeline.transcribe.socket_stream import Call, SocketEngine
from pipeline.transcribe.websocket import Frame, socket_url

NAME: Final = "deepgram"
DEFAULT_MODEL: Final = "nova-3"
"""Their most accurate one, and the one that takes key terms."""

MOST_TERMS: Final = 50
_TERM_BYTES: Final = 500
"""All key terms together. The limit is 500 tokens, above which every connection is refused; a token
has at least one byte, so this can never be above it."""

_PIECE: Final = SAMPLE_RATE // 4
"""Samples of one message; 20 to 250 ms are advised."""

_SLACK_S: Final = 0.1
"""Times of results are rounded, and overlap by no more."""

_BEYOND_S: Final = 1.0
"""Words later than the audio by more than that are not of it."""

_TAIL_S: Final = 0.5
"""So much at the end may lack results when a server closes without saying that it is done."""

_NORMAL: Final = 1000


class Deepgram(SocketEngine):
    """One connection for each stretch of speech."""

    def __init__(
        self, stt: SttSettings, transcribe: TranscribeSettings, *, clock: Clock | None = None
    ) -> None:
        super().__init__(stt, transcribe, clock=clock)
        self._model = stt.model or DEFAULT_MODEL
        takes_terms = self._model.startswith("nova-3")
        self.capabilities = Capabilities(
            name=NAME,
            streaming=True,
            partials=True,
            word_times=True,
            terms=takes_terms,
            most_terms=MOST_TERMS if takes_terms else 0,
            remote=True,
        )

    def _call(self, hints: Hints) -> Call:
        language = hints.language or self._transcribe.language
        terms = key_terms(hints.terms[: self.capabilities.most_terms])
        query = [
            ("encoding", "linear16"),
            ("sample_rate", str(SAMPLE_RATE)),
            ("channels", "1"),
            ("model", self._model),
            ("interim_results", "true"),
            ("punctuate", "true"),
            ("endpointing", "false"),  # our segments decide
            *([("language", language)] if language else []),
            *(("keyterm", term) for term in terms),
        ]
        return Call(
            url=socket_url(self._stt.base_url, "listen", query),
            scheme="Token",
            dialogue=DeepgramDialogue(
                language=tag_of(language), sent=(self._stt.api_key.reveal(), *terms)
            ),
            sent=terms,
        )


def key_terms(terms: Iterable[str]) -> tuple[str, ...]:
    """As many of the first terms as surely fit."""
    kept: list[str] = []
    room = _TERM_BYTES
    for term in (" ".join(term.split()) for term in terms):
        room -= len(term.encode())
        if room < 0:
            break
        if term:
            kept.append(term)
    return tuple(kept)


class _Typed(msgspec.Struct):
    type: str = ""


class _Word(msgspec.Struct):
    word: str
    start: float
    end: float
    confidence: float | None = None
    punctuated_word: str | None = None


class _Alternative(msgspec.Struct):
    transcript: str
    words: list[_Word] = []
    languages: list[str] = []


class _Channel(msgspec.Struct):
    alternatives: list[_Alternative]


class _Request(msgspec.Struct):
    request_id: str = ""


class _Results(msgspec.Struct):
    channel: _Channel
    start: float
    duration: float
    is_final: bool = False
    from_finalize: bool = False
    metadata: _Request | None = None


class _Error(msgspec.Struct):
    code: str | None = None
    variant: str | None = None


_typed = msgspec.json.Decoder(_Typed)
_results = msgspec.json.Decoder(_Results)
_request = msgspec.json.Decoder(_Request)
_error = msgspec.json.Decoder(_Error)


class DeepgramDialogue:
    """The messages of one connection that hears one stretch of speech."""

    keep_alive: Frame | None = '{"type":"KeepAlive"}'

    def __init__(self, *, language: str | None = None, sent: tuple[str, ...] = ()) -> None:
        self._language = language
        self._unshown = sent
        self._request: str | None = None
        self._sent_s = 0.0
        self._ended = False
        self._covered_s = 0.0
        self._finals: list[_Alternative] = []
        self._tentative = ""

    def opening(self, headers: Mapping[str, str]) -> Iterable[Frame]:
        self._request = headers.get("dg-request-id") or None
        return ()

    def audio(self, pcm: Pcm) -> Iterator[Frame]:
        for at in range(0, len(pcm), _PIECE):
            piece = pcm[at : at + _PIECE]
            self._sent_s += len(piece) / SAMPLE_RATE
            yield encode_l16(piece)

    def ending(self) -> Iterator[Frame]:
        self._ended = True
        yield '{"type":"Finalize"}'  # the last words now
        yield '{"type":"CloseStream"}'  # and an end, for Finalize is not always answered

    def take(self, message: Frame) -> Heard | None:
        try:
            return self._take(message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise bad_answer("is no JSON of the form it should have") from error

    def closed(self, error: SocketClosed) -> Heard:
        if error.code != _NORMAL or self._covered_s < self._sent_s - _TAIL_S:
            raise error
        return self._final(error)

    def _take(self, message: Frame) -> Heard | None:
        match _typed.decode(message).type:
            case "Results":
                return self._result(_results.decode(message))
            case "Metadata" if self._ended:
                self._must_be_ours(_request.decode(message))
                return self._final(bad_answer("lacks the last words"))
            case "Error":
                found = _error.decode(message)
                raise told((found.code, found.variant), sent=self._unshown)
        return None

    def _result(self, result: _Results) -> Heard | None:
        self._must_be_ours(result.metadata)
        if not result.channel.alternatives:
            raise bad_answer("has no alternatives")
        end_s = result.start + result.duration
        if not 0 <= result.start <= end_s <= self._sent_s + _BEYOND_S:
            raise wrong_segment(f"from {result.start:g} s of {self._sent_s:.1f} s on")
        best = result.channel.alternatives[0]
        if not result.is_final:
            if end_s <= self._covered_s:
                return None  # older than what is settled
            self._tentative = " ".join(best.transcript.split())
            return self._so_far()
        if result.start < self._covered_s - _SLACK_S:
            raise bad_answer("repeats what was final")
        self._covered_s = end_s
        self._tentative = ""
        if best.transcript.strip():
            self._finals.append(best)
        if self._ended and result.from_finalize and end_s >= self._sent_s - _SLACK_S:
            return self._final(None)
        return self._so_far()

    def _must_be_ours(self, request: _Request | None) -> None:
        if request is None or not request.request_id:
            return
        if self._request is None:
            self._request = request.request_id
        elif request.request_id != self._request:
            raise wrong_segment("of another request")

    def _so_far(self) -> Heard:
        return Heard(committed=self._text(), tentative=self._tentative)

    def _text(self) -> str:
        return " ".join(" ".join(best.transcript.split()) for best in self._finals)

    def _final(self, lacking: Exception | None) -> Heard:
        """All the words; raises ``lacking`` when some were never made final."""
        if lacking is not None and (not self._ended or self._tentative):
            raise lacking
        words = tuple(self._word(word) for best in self._finals for word in best.words)
        sure = [word.confidence for word in words if word.confidence is not None]
        found = Transcription(
            self._text(),
            language=self._spoken(),
            confidence=round(sum(sure) / len(sure), 4) if sure else None,
            words=words,
            engine=NAME,
        )
        return Heard(committed=found.text, final=found)

    def _word(self, word: _Word) -> HeardWord:
        if not 0 <= word.start <= word.end <= self._sent_s + _BEYOND_S:
            raise bad_answer("has words at impossible times")
        sure = None if word.confidence is None else min(1.0, max(0.0, word.confidence))
        text = word.punctuated_word or word.word
        return HeardWord(text, round(word.start * 1000), round(word.end * 1000), sure)

    def _spoken(self) -> str | None:
        """What the server detected (``language=multi``), else what it was told."""
        tags = (tag_of(tag) for best in self._finals for tag in best.languages[:1])
        return next((tag for tag in tags if tag), self._language)
