"""Requests and answers of ``/v1/audio/transcriptions``, in OpenAI's words. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, cast, get_args

import msgspec

from pipeline.transcribe.engine import SAMPLE_RATE, Capabilities, Hints, Transcription
from pipeline.transcribe.languages import primary

AnswerForm = Literal["json", "text", "verbose_json", "srt", "vtt"]
FORMS: Final[tuple[str, ...]] = get_args(AnswerForm)

ALIAS: Final = "whisper-1"
"""A model name that many programs have built in; here it means whatever engine runs."""

_MOST_TERMS: Final = 100
_LONGEST_TERM: Final = 60


class ApiError(Exception):
    """A request that is refused, as OpenAI would: ``code`` is a stable word, ``param`` the field
    that is wrong. ``retry_after_s``: trying again so much later can help."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, Any]:
        """The JSON of OpenAI's errors."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        if self.status == 429:
            kind = "rate_limit_error"
        fields = {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        return {"error": fields}


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for, beside its file."""

    form: AnswerForm = "json"
    stream: bool = False
    words: bool = False
    segments: bool = True
    hints: Hints = Hints()


class Piece(NamedTuple):
    """Words of one stretch of speech, samples ``start`` to ``end`` of the file."""

    start: int
    end: int
    heard: Transcription

    @property
    def text(self) -> str:
        """On one line."""
        return " ".join(self.heard.text.split())


def wish(fields: Mapping[str, Sequence[str]], engine: Capabilities) -> Wish:
    """What the form fields ask for. Raises ApiError naming the field that cannot be met."""

    def one(name: str, default: str = "") -> str:
        values = fields.get(name, ())
        return values[-1] if values else default

    def many(name: str) -> list[str]:
        return [*fields.get(name, ()), *fields.get(f"{name}[]", ())]

    model = one("model")
    if not model:
        raise ApiError("name a model: " + engine.name, param="model", code="missing_parameter")
    if model not in (engine.name, ALIAS):
        raise ApiError(
            f"there is no model {model[:60]!r} here, only {engine.name!r} (or {ALIAS!r})",
            status=404,
            param="model",
            code="model_not_found",
        )
    form = one("response_format", "json")
    if form not in FORMS:
        raise ApiError(
            f"response_format must be one of {', '.join(FORMS)}", param="response_format"
        )
    stream = one("stream", "false").lower()
    if stream not in ("true", "false", "1", "0"):
        raise ApiError("stream must be true or false", param="stream")
    wanted = many("timestamp_granularities")
    if set(wanted) - {"word", "segment"}:
        raise ApiError(
            "timestamp_granularities are word and segment", param="timestamp_granularities"
        )
    if wanted and form != "verbose_json":
        raise ApiError(
            "timestamp_granularities need response_format verbose_json",
            param="timestamp_granularities",
        )
    if "word" in wanted and not engine.word_times:
        raise ApiError(
            f"the engine {engine.name} does not tell the times of words",
            param="timestamp_granularities",
        )
    if many("include"):
        raise ApiError("include is not supported", param="include")
    return Wish(
        form=cast(AnswerForm, form),
        stream=stream in ("true", "1"),
        words="word" in wanted,
        segments=not wanted or "segment" in wanted,
        hints=Hints(terms=_terms(one("prompt"), many("keywords")), language=_language(one, engine)),
    )


def _terms(prompt: str, keywords: Sequence[str]) -> tuple[str, ...]:
    """Words to expect. A prompt is text that came before or a list of names: its parts between
    commas and sentences, the short ones."""
    parts = [*keywords, *prompt.replace("\n", ",").replace(".", ",").split(",")]
    terms = dict.fromkeys(" ".join(part.split()) for part in parts)
    return tuple(term for term in terms if 0 < len(term) <= _LONGEST_TERM)[:_MOST_TERMS]


def _language(one: Any, engine: Capabilities) -> str:
    asked = str(one("language")).strip()
    if not asked:
        return ""
    if not primary(asked):
        raise ApiError("language must be a tag like en or de", param="language")
    if engine.languages and primary(asked) not in {primary(tag) for tag in engine.languages}:
        known = ", ".join(engine.languages)
        raise ApiError(f"the engine {engine.name} only hears {known}", param="language")
    return asked


# -- answers ----------------------------------------------------------------------------------


def whole_text(pieces: Sequence[Piece]) -> str:
    """All of it on one line."""
    return " ".join(piece.text for piece in pieces if piece.text)


def answer(wish: Wish, pieces: Sequence[Piece], samples: int) -> tuple[str, str]:
    """The body and its content type; ``samples``: length of the file."""
    said = [piece for piece in pieces if piece.text]
    match wish.form:
        case "text":
            return whole_text(said) + "\n", "text/plain"
        case "srt":
            return _srt(said), "application/x-subrip"
        case "vtt":
            return _vtt(said), "text/vtt"
        case "verbose_json":
            return _json(_verbose(wish, said, samples)), "application/json"
        case "json":
            usage = {"type": "duration", "seconds": math.ceil(samples / SAMPLE_RATE)}
            return _json({"text": whole_text(said), "usage": usage}), "application/json"


def delta_event(text: str) -> dict[str, Any]:
    """A stream's next words."""
    return {"type": "transcript.text.delta", "delta": text}


def done_event(pieces: Sequence[Piece]) -> dict[str, Any]:
    """A stream's end."""
    return {"type": "transcript.text.done", "text": whole_text(pieces)}


def models(engine: Capabilities) -> list[dict[str, Any]]:
    """What ``/v1/models`` lists."""
    return [{"id": engine.name, "object": "model", "created": 0, "owned_by": "rtms-notes"}]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _verbose(wish: Wish, said: Sequence[Piece], samples: int) -> dict[str, Any]:
    languages = Counter(piece.heard.language for piece in said if piece.heard.language)
    told = languages.most_common(1)
    language = told[0][0] if told else wish.hints.language
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": language or "unknown",
        "duration": samples / SAMPLE_RATE,
        "text": whole_text(said),
    }
    if wish.segments:
        body["segments"] = [_segment(number, piece) for number, piece in enumerate(said)]
    if wish.words:
        body["words"] = [
            {
                "word": word.text,
                "start": round(piece.start / SAMPLE_RATE + word.start_ms / 1000, 3),
                "end": round(piece.start / SAMPLE_RATE + word.end_ms / 1000, 3),
            }
            for piece in said
            for word in piece.heard.words
        ]
    body["usage"] = {"type": "duration", "seconds": math.ceil(samples / SAMPLE_RATE)}
    return body


def _segment(number: int, piece: Piece) -> dict[str, Any]:
    """``avg_logprob`` of an engine that tells no confidence is 0, and -2 ("failed") where our
    guards doubt the words; fields of Whisper's decoder that we do not have are empty."""
    confidence = piece.heard.confidence
    logprob = 0.0 if confidence is None else math.log(max(confidence, 1e-4))
    return {
        "id": number,
        "seek": 0,
        "start": round(piece.start / SAMPLE_RATE, 3),
        "end": round(piece.end / SAMPLE_RATE, 3),
        "text": piece.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(min(logprob, -2.0) if piece.heard.doubt else logprob, 4),
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }


def _srt(said: Sequence[Piece]) -> str:
    return "".join(
        f"{number}\n{_clock(p.start, ',')} --> {_clock(p.end, ',')}\n{_cue(p.text)}\n\n"
        for number, p in enumerate(said, 1)
    )


def _vtt(said: Sequence[Piece]) -> str:
    cues = "".join(
        f"{_clock(p.start, '.')} --> {_clock(p.end, '.')}\n{_escaped(p.text)}\n\n" for p in said
    )
    return "WEBVTT\n\n" + cues


def _cue(text: str) -> str:
    """An arrow in what was said is no cue's."""
    return text.replace("-->", "->")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(samples: int, point: str) -> str:
    ms = samples * 1000 // SAMPLE_RATE
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"
