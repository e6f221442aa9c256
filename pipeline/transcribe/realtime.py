"""OpenAI's realtime transcription over a websocket, at any server that speaks it.

A transcription session (``type: transcription``) with the server's turn detection off: our segments
decide where speech begins and ends. Wire forms: OpenAI's guide "Realtime transcription" and the
types of ``openai`` 3.57 (``openai.types.realtime``).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
import numpy as np
import soxr

from pipeline.audio.packet import encode_l16
from pipeline.base.clock import Clock
from pipeline.openai_client.transcriptions import prompt_of
from pipeline.transcribe.engine import (
    SAMPLE_RATE,
    Capabilities,
    Heard,
    Hints,
    Pcm,
    Transcription,
)
from pipeline.transcribe.languages import primary, tag_of
from pipeline.transcribe.settings import SttSettings, TranscribeSettings
from pipeline.transcribe.socket_errors import SocketClosed, bad_answer, told, wrong_segment
from pipeline.transcribe.socket_stream import Call, SocketEngine
from pipeline.transcribe.websocket import Frame, socket_url

NAME: Final = "openai-realtime"
DEFAULT_MODEL: Final = "gpt-live-transcribe"
"""OpenAI's own recommendation for live audio; other servers need ``stt.model``."""

RATE: Final = 24_000
"""Hz of what is sent: the only rate of ``audio/pcm`` there."""

MOST_TERMS: Final = 100

_PIECE: Final = RATE // 4
"""Samples of one message: a quarter of a second, 16 kB of base64."""

_LEAST: Final = RATE // 10
"""A commit of less than 100 ms is refused (``input_audio_buffer_commit_empty``)."""

_KEYWORD_MODELS: Final = ("gpt-transcribe", "gpt-live-transcribe")
"""These take ``keywords`` and ``languages``, and refuse a session with ``language``."""

_NO_PROMPT: Final = ("gpt-realtime-whisper",)
_UNSAFE: Final = str.maketrans("<>\r\n", "    ")
"""Characters that keywords must not have."""


class OpenAiRealtime(SocketEngine):
    """One transcription session for each stretch of speech."""

    def __init__(
        self, stt: SttSettings, transcribe: TranscribeSettings, *, clock: Clock | None = None
    ) -> None:
        super().__init__(stt, transcribe, clock=clock)
        self._model = stt.model or DEFAULT_MODEL
        takes_terms = not self._model.startswith(_NO_PROMPT)
        self.capabilities = Capabilities(
            name=NAME,
            streaming=True,
            partials=True,
            detects_language=self._model.startswith("gpt-transcribe"),
            terms=takes_terms,
            most_terms=MOST_TERMS if takes_terms else 0,
            remote=True,
        )

    def _call(self, hints: Hints) -> Call:
        language = hints.language or self._transcribe.language
        terms = hints.terms[: self.capabilities.most_terms]
        return Call(
            url=socket_url(self._stt.base_url, "realtime", [("intent", "transcription")]),
            scheme="Bearer",
            dialogue=RealtimeDialogue(
                transcription(self._model, language, terms),
                language=tag_of(language),
                sent=(self._stt.api_key.reveal(), *terms),
            ),
        )


def transcription(model: str, language: str, terms: Iterable[str]) -> dict[str, Any]:
    """The session's ``transcription`` object in the form the model takes."""
    found: dict[str, Any] = {"model": model}
    words = [clean for term in terms if (clean := " ".join(term.translate(_UNSAFE).split()))]
    keywords = model.startswith(_KEYWORD_MODELS)
    if spoken := primary(language):
        found |= {"languages": [spoken]} if keywords else {"language": spoken}
    if keywords and words:
        found["keywords"] = words
    elif words and not model.startswith(_NO_PROMPT):
        found["prompt"] = prompt_of(words)
    return found


class _Typed(msgspec.Struct):
    type: str


class _OfItem(msgspec.Struct):
    item_id: str


class _Delta(_OfItem):
    delta: str | None = None


class _Language(msgspec.Struct):
    code: str


class _Completed(_OfItem):
    transcript: str
    languages: list[_Language] | None = None


class _Error(msgspec.Struct):
    code: str | None = None
    type: str | None = None


class _Failed(msgspec.Struct):
    error: _Error | str | None = None
    code: str | None = None


_typed = msgspec.json.Decoder(_Typed)
_of_item = msgspec.json.Decoder(_OfItem)
_delta = msgspec.json.Decoder(_Delta)
_completed = msgspec.json.Decoder(_Completed)
_failed = msgspec.json.Decoder(_Failed)


class RealtimeDialogue:
    """The messages of one session that hears one item."""

    keep_alive: Frame | None = None

    def __init__(
        self, asked: dict[str, Any], *, language: str | None = None, sent: tuple[str, ...] = ()
    ) -> None:
        self._asked = asked
        self._language = language
        self._unshown = sent
        self._to_24k = soxr.ResampleStream(SAMPLE_RATE, RATE, 1, dtype="float32", quality="HQ")
        self._sent = 0
        self._ended = False
        self._item: str | None = None
        self._text = ""

    def opening(self, headers: Mapping[str, str]) -> Iterator[Frame]:  # noqa: ARG002 (Dialogue)
        heard = {
            "format": {"type": "audio/pcm", "rate": RATE},
            "transcription": self._asked,
            "turn_detection": None,
        }
        session = {"type": "transcription", "audio": {"input": heard}}
        yield _message({"type": "session.update", "session": session})

    def audio(self, pcm: Pcm) -> Iterator[Frame]:
        return self._append(self._to_24k.resample_chunk(np.ascontiguousarray(pcm, np.float32)))

    def ending(self) -> Iterator[Frame]:
        yield from self._append(self._to_24k.resample_chunk(np.zeros(0, np.float32), last=True))
        if self._sent < _LEAST:
            yield from self._append(np.zeros(_LEAST - self._sent, np.float32))
        self._ended = True
        yield _message({"type": "input_audio_buffer.commit"})

    def take(self, message: Frame) -> Heard | None:
        try:
            return self._take(message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise bad_answer("is no JSON of the form it should have") from error

    def closed(self, error: SocketClosed) -> Heard:
        raise error  # the final words come before the end, or not at all

    def _append(self, samples: Pcm) -> Iterator[Frame]:
        for at in range(0, len(samples), _PIECE):
            piece = samples[at : at + _PIECE]
            self._sent += len(piece)
            data = base64.b64encode(encode_l16(piece)).decode("ascii")
            yield _message({"type": "input_audio_buffer.append", "audio": data})

    def _take(self, message: Frame) -> Heard | None:
        match _typed.decode(message).type:
            case "conversation.item.input_audio_transcription.delta":
                piece = _delta.decode(message)
                self._must_be_ours(piece.item_id)
                self._text += piece.delta or ""
                return _so_far(self._text)
            case "input_audio_buffer.committed":
                if not self._ended:
                    raise wrong_segment("the server cuts by itself")
                self._must_be_ours(_of_item.decode(message).item_id)
            case "conversation.item.input_audio_transcription.completed":
                done = _completed.decode(message)
                if not self._ended:
                    raise wrong_segment("completed before it was all sent")
                self._must_be_ours(done.item_id)
                text = " ".join(done.transcript.split())
                found = Transcription(text, language=self._spoken(done), engine=NAME)
                return Heard(committed=text, final=found)
            case "conversation.item.input_audio_transcription.failed" | "error":
                failed = _failed.decode(message)
                words = (
                    (failed.error.code, failed.error.type)
                    if isinstance(failed.error, _Error)
                    else (failed.code,)
                )
                raise told(words, sent=self._unshown)
        return None

    def _must_be_ours(self, item: str) -> None:
        """One connection hears one item; the first id that is told is its."""
        if self._item is None:
            self._item = item
        elif item != self._item:
            raise wrong_segment("of another item")

    def _spoken(self, done: _Completed) -> str | None:
        if done.languages:
            return tag_of(done.languages[0].code)
        return self._language


def _so_far(text: str) -> Heard:
    """Deltas are pieces of words that are never taken back: the last word may go on."""
    cut = max(text.rfind(" "), text.rfind("\n")) + 1
    return Heard(committed=" ".join(text[:cut].split()), tentative=" ".join(text[cut:].split()))


def _message(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
