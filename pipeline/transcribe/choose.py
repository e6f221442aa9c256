"""Which engine runs, from the settings: names to engines, checked before a meeting needs them.

Heavy imports (the HTTP client, websockets) happen only for an engine that is chosen.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, get_args
from urllib.parse import urlsplit

import msgspec

from pipeline.base.backoff import Backoff
from pipeline.base.clock import Clock
from pipeline.base.errors import ConfigError, EngineError
from pipeline.transcribe.engine import Engine, StreamEngine
from pipeline.transcribe.languages import primary, tag_of
from pipeline.transcribe.settings import REMOTE, EngineName, SttSettings, TranscribeSettings

STREAMING: Final[tuple[EngineName, ...]] = ("openai-realtime", "deepgram")
"""Engines that hear audio as it comes; for whole segments they are adapted."""

_CHEAP: Final[tuple[EngineName, ...]] = ("local", *STREAMING)
"""Engines whose partials are affordable: Whisper pays for 30 s at each look (reference speech 3),
and a request a look would cost money."""

RETRY: Final = Backoff(base=0.5, cap=20.0, jitter=0.3)
"""Between tries at a server; ``stt.retries`` bounds them. ``cap`` is also the longest Retry-After
that is waited for."""

_API: Final = ("/audio/transcriptions", "/realtime", "/listen", "/models")


def chosen(stt: str, transcribe: TranscribeSettings) -> EngineName:
    """The engine of ``general.stt``, which may be an engine's name, or ``both`` or ``native``: then
    it is ``transcribe.engine``."""
    return next((name for name in get_args(EngineName) if name == stt), transcribe.engine)


def partial_engine(name: EngineName, transcribe: TranscribeSettings) -> EngineName | None:
    """Who gives the partials of an engine's meetings; None: nobody."""
    if transcribe.partials == "off":
        return None
    if transcribe.partials == "same":
        return name if name in _CHEAP else None
    return transcribe.partials


def check_engines(name: EngineName, transcribe: TranscribeSettings, stt: SttSettings) -> None:
    """Whether an engine, its fallback and its partials can work with these settings.

    Raises ConfigError, one line that says what to set."""
    check_engine(name, transcribe, stt, asked="--stt")
    if transcribe.fallback:
        if transcribe.fallback == name:
            raise ConfigError(f"transcribe.fallback: {name} is the engine itself")
        check_engine(transcribe.fallback, transcribe, stt, asked="transcribe.fallback")
    second = partial_engine(name, transcribe)
    if second is not None and second != name:
        check_engine(second, transcribe, stt, asked="transcribe.partials")


def check_engine(
    name: EngineName, transcribe: TranscribeSettings, stt: SttSettings, *, asked: str
) -> None:
    """The same for one engine; ``asked``: the setting that names it. Raises ConfigError."""
    if transcribe.language and not primary(transcribe.language):
        meant = tag_of(transcribe.language) or "en or pt-BR"
        raise ConfigError(
            f"transcribe.language: {transcribe.language!r} is no language tag; use one like {meant}"
        )
    if name == "local" and primary(transcribe.language) not in ("", "en"):
        raise ConfigError(
            f"{asked} local understands English only, and transcribe.language is"
            f" {transcribe.language!r}; use whisper, or a server"
        )
    if name == "whisper" and not transcribe.whisper_model:
        raise ConfigError(
            f"{asked} whisper needs RTMS_NOTES_TRANSCRIBE_WHISPER_MODEL=FOLDER"
            " (docs/transcription.md says where from)"
        )
    if name in REMOTE:
        _check_server(name, stt, asked)


def _check_server(name: EngineName, stt: SttSettings, asked: str) -> None:
    if not stt.is_on:
        raise ConfigError(
            f"{asked} {name} needs RTMS_NOTES_STT_BASE_URL (such as {_EXAMPLES[name]}):"
            " audio leaves this machine only for an address you set"
        )
    parts = urlsplit(stt.base_url)
    if name == "openai" and parts.scheme not in ("http", "https"):
        raise ConfigError(f"{asked} openai needs an http(s):// RTMS_NOTES_STT_BASE_URL")
    path = parts.path.rstrip("/")
    wrong = next((end for end in _API if path.endswith(end)), None)
    if wrong is not None:
        raise ConfigError(
            f"RTMS_NOTES_STT_BASE_URL must end before {wrong} (such as {_EXAMPLES[name]})"
        )
    if name == "openai" and stt.stream and stt.word_times:
        raise ConfigError(
            "stt.stream and stt.word_times exclude one another: a streamed answer has no times"
        )


_EXAMPLES: Final[dict[EngineName, str]] = {
    "openai": "https://api.openai.com/v1",
    "openai-realtime": "https://api.openai.com/v1",
    "deepgram": "https://api.deepgram.com/v1",
}


def open_engine(
    name: EngineName,
    transcribe: TranscribeSettings,
    stt: SttSettings,
    *,
    clock: Clock,
    rng: random.Random | None = None,
) -> Engine:
    """An engine for whole segments. Blocking when it loads a model; call it on a thread.

    Raises EngineError: of the engine, or ``settings`` for what ``check_engine`` refuses."""
    try:
        check_engine(name, transcribe, stt, asked="the engine")
        if name not in REMOTE:
            from pipeline.transcribe.child_engine import ChildEngine

            return ChildEngine(name, transcribe)
        return _patient(_remote(name, transcribe, stt, clock), stt, clock, rng)
    except ConfigError as error:
        raise EngineError(str(error), kind="settings") from error


def _remote(
    name: EngineName, transcribe: TranscribeSettings, stt: SttSettings, clock: Clock
) -> Engine:
    if name == "openai":
        from pipeline.transcribe.openai_http import OpenAiHttp

        return OpenAiHttp(stt, transcribe, clock=clock)
    from pipeline.transcribe.as_segments import StreamAsSegments

    return StreamAsSegments(open_stream_engine(name, transcribe, stt, clock=clock))


def _patient(engine: Engine, stt: SttSettings, clock: Clock, rng: random.Random | None) -> Engine:
    from pipeline.transcribe.patient import Patient

    backoff = Backoff(base=RETRY.base, cap=RETRY.cap, jitter=RETRY.jitter, attempts=stt.retries)
    return Patient(engine, backoff=backoff, clock=clock, rng=rng)


def open_stream_engine(
    name: EngineName, transcribe: TranscribeSettings, stt: SttSettings, *, clock: Clock
) -> StreamEngine:
    """One of ``STREAMING``; connects when a stream is opened. Raises ConfigError."""
    check_engine(name, transcribe, stt, asked="the engine")
    if name == "deepgram":
        from pipeline.transcribe.deepgram import Deepgram

        return Deepgram(stt, transcribe, clock=clock)
    if name == "openai-realtime":
        from pipeline.transcribe.realtime import OpenAiRealtime

        return OpenAiRealtime(stt, transcribe, clock=clock)
    raise ConfigError(f"{name} hears whole segments only")


class Opened:
    """Hands out an engine that was opened to see whether it can be, then opens more.

    Thread-safe; ``close`` frees the first one when nobody took it."""

    def __init__(self, first: Engine, open_another: Callable[[], Engine]) -> None:
        self.capabilities = first.capabilities
        self._first = [first]
        self._open_another = open_another

    def __call__(self) -> Engine:
        try:
            return self._first.pop()
        except IndexError:
            return self._open_another()

    async def close(self) -> None:
        while self._first:
            await self._first.pop().close()


def workers_for(
    name: EngineName, transcribe: TranscribeSettings, stt: SttSettings
) -> TranscribeSettings:
    """The settings of a pool: a server is asked ``stt.parallel_calls`` times at once, for its work
    costs this machine nothing."""
    if name not in REMOTE:
        return transcribe
    return msgspec.structs.replace(transcribe, workers=min(64, stt.parallel_calls))
