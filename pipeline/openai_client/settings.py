"""Settings of the language model. Nothing leaves the machine while ``base_url`` is empty."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import msgspec

from pipeline.base.secret import Secret

Structured = Literal["auto", "schema", "json", "text"]
"""How the server is asked for JSON: by schema, in JSON mode, or by the prompt alone. ``auto``
begins with the schema and steps down for good when the server refuses it."""


class LlmSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which server, which model, and how patient we are with it. Times are seconds of the machine.

    ``base_url`` turns the model on; a shell's ``OPENAI_*`` never does. An empty ``model`` is right
    for servers that have just one.
    """

    base_url: str = ""  # such as http://localhost:8080/v1; empty: notes are extracted, not written
    model: str = ""  # empty: the only model the server lists
    api_key: Secret = Secret("")
    structured: Structured = "auto"
    max_output_tokens: int = 2_000  # of one answer
    context_tokens: int = 16_000  # the model's window, input and output together
    connect_timeout_s: float = 5.0
    write_timeout_s: float = 10.0
    read_timeout_s: float = 60.0  # between two pieces of an answer
    pool_timeout_s: float = 30.0  # waiting for a free connection
    call_timeout_s: float = 120.0  # of one try as a whole, so that an endless answer ends
    retries: int = 2  # after the first try, of errors that can pass
    retry_base_s: float = 0.5
    retry_cap_s: float = 20.0  # also the longest Retry-After that is waited for
    parallel_calls: int = 4  # over all meetings
    max_answer_bytes: int = 4_000_000
    ca_file: str = ""  # certificates of a private authority; empty: the system's

    def __post_init__(self) -> None:
        if self.base_url:
            parts = urlsplit(self.base_url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("base_url must be like http://localhost:8080/v1")
            if parts.username is not None or parts.password is not None:
                raise ValueError("base_url must not hold a password; use api_key")
            if "?" in self.base_url or "#" in self.base_url:  # a key may be in it; it is shown
                raise ValueError("base_url must not hold a query or fragment; use api_key")
        for name in ("max_output_tokens", "context_tokens", "parallel_calls", "max_answer_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        if self.max_output_tokens >= self.context_tokens:
            raise ValueError("max_output_tokens must be smaller than context_tokens")
        if self.retries < 0:
            raise ValueError("retries must not be negative")
        for name in _TIMES:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")

    @property
    def is_on(self) -> bool:
        """Whether a server is configured."""
        return bool(self.base_url)


_TIMES = (
    "connect_timeout_s",
    "write_timeout_s",
    "read_timeout_s",
    "pool_timeout_s",
    "call_timeout_s",
    "retry_base_s",
    "retry_cap_s",
)
