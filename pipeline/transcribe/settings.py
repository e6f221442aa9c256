"""Settings of speech-to-text. Each default has its figure beside it."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import msgspec

from pipeline.base.secret import Secret

EngineName = Literal["local", "whisper", "openai", "openai-realtime", "deepgram"]
REMOTE: tuple[EngineName, ...] = ("openai", "openai-realtime", "deepgram")
"""Engines that send audio to the server named in ``[stt]``."""


class TranscribeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How segments become text. Raises ValueError for values that cannot work."""

    engine: EngineName = "local"
    """The engine of ``--stt both``; ``--stt`` with an engine's name is that engine alone."""
    fallback: Literal["", "local", "whisper", "openai", "openai-realtime", "deepgram"] = ""
    """Takes a segment when the engine fails on it; empty: the segment waits and is tried again."""
    partials: Literal["same", "off", "local", "whisper", "openai-realtime", "deepgram"] = "same"
    """Who hears words while somebody speaks: the same engine if it can, or another (two-pass)."""
    partial_every_s: float = 0.5
    """Between two looks at an open segment: first text 0.6 s after speech onset (reference speech
    3); 1 s doubles that and saves 8 % of the CPU."""
    language: str = ""
    """BCP-47 of what is spoken; empty: what the engine knows or detects."""
    workers: int = 2
    """Decodes at a time. Two workers of one thread each beat one with two threads: a second
    thread costs 15-35 % more CPU and buys nothing under load (reference speech 3)."""
    timeout_s: float = 60.0
    """Machine time one decode may take. A 12 s segment takes about 1.5 CPU-s; the rest is load."""
    waiting: int = 512
    """Segments waiting in all meetings together; more callers wait before they may queue."""
    retry_wait_s: float = 0.5
    """Machine time before the one retry of a failure that says it can help."""
    shed_after_s: float = 2.5
    """Lag of a meeting's final words beyond which it gets no tentative ones: the p95 of a machine
    that keeps up."""
    merge_after_s: float = 8.0
    """Lag beyond which waiting segments of one voice are decoded together."""
    defer_after_s: float = 30.0
    """Lag beyond which the meeting's state says that words come later than they are said."""
    whisper_model: str = ""
    """Folder of a CTranslate2 model for ``whisper``."""
    whisper_beam: int = 5
    """WER 5.9 with 5 beams against 6.8 with one, for 13 % more CPU (reference speech 3)."""
    glossary: str = ""
    """File of words to expect, one a line (docs/transcription.md)."""
    calendar: str = ""
    """Calendar file (.ics) whose titles and people to expect."""
    correct: bool = True
    """Put names and glossary words where a near-homophone was heard; listed and reversible."""

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= 64:
            raise ValueError("workers must be between 1 and 64")
        if self.timeout_s <= 0 or self.waiting < 1 or self.retry_wait_s < 0:
            raise ValueError("timeout_s and waiting must be positive, retry_wait_s not negative")
        if not 0.1 <= self.partial_every_s <= 10:
            raise ValueError("partial_every_s must be between 0.1 and 10")
        if not 0 < self.shed_after_s <= self.merge_after_s <= self.defer_after_s:
            raise ValueError("0 < shed_after_s <= merge_after_s <= defer_after_s must hold")
        if not 1 <= self.whisper_beam <= 20:
            raise ValueError("whisper_beam must be between 1 and 20")


class SttSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server of the remote engines. Audio leaves this machine only when ``base_url`` is set
    *and* a remote engine is chosen; a shell's ``OPENAI_*`` never does that.

    Raises ValueError for an address that cannot be one."""

    base_url: str = ""
    """``http(s)://host/v1`` for ``openai``, ``ws(s)://`` or ``http(s)://`` for the others."""
    model: str = ""
    api_key: Secret = Secret("")
    stream: bool = False
    """``openai``: ask for the words as they are found (server-sent events)."""
    word_times: bool = False
    """``openai``: ask for ``verbose_json`` with word times; not every model can."""
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    retries: int = 2
    parallel_calls: int = 4
    max_answer_bytes: int = 1_000_000
    ca_file: str = ""

    def __post_init__(self) -> None:
        if self.base_url:
            parts = urlsplit(self.base_url)
            if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
                raise ValueError("base_url must be like https://localhost:8089/v1")
            if parts.username is not None or parts.password is not None:
                raise ValueError("base_url must not hold a password; use api_key")
            if "?" in self.base_url or "#" in self.base_url:  # a key may be in it; it is shown
                raise ValueError("base_url must not hold a query or fragment; use api_key")
        if min(self.connect_timeout_s, self.read_timeout_s) <= 0:
            raise ValueError("connect_timeout_s and read_timeout_s must be above 0")
        if self.retries < 0 or self.parallel_calls < 1 or self.max_answer_bytes < 1:
            raise ValueError("retries must not be negative; parallel_calls and max_answer_bytes 1")

    @property
    def is_on(self) -> bool:
        """Whether a server is configured."""
        return bool(self.base_url)
