"""What is asked of a language model and what comes back."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")


class Message(msgspec.Struct, frozen=True):
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A call to make. ``name`` is the prompt's, for metrics; ``schema`` a JSON Schema of the
    answer; None leaves a parameter to the client's settings or the server."""

    name: str
    messages: tuple[Message, ...]
    schema: dict[str, Any]
    max_output_tokens: int | None = None
    temperature: float | None = None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens as the server reported them; ``tokens_cached`` are part of ``tokens_in``."""

    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try over the network. ``outcome``: ``ok`` or the kind of the error."""

    outcome: str
    model: str
    milliseconds: int
    usage: Usage = Usage()
    bytes_in: int = 0
    """UTF-8 bytes of the messages sent; with ``usage`` it tells how many bytes a token has."""


class Answer(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """An accepted answer and the tries it took, the last of which is the one that served."""

    value: T
    attempts: tuple[Attempt, ...]
