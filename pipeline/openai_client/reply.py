"""The body of a chat completion as servers really send it: every field may be missing."""

from __future__ import annotations

import msgspec

from pipeline.openai_client.answer import Usage
from pipeline.openai_client.errors import CallFailed


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    model: str | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a server answered. ``text`` may be empty; ``cut`` says the token limit ended it."""

    text: str
    cut: bool
    usage: Usage
    model: str | None = None
    refusal: str | None = None
    has_choice: bool = True

    def raise_for_refusal(self) -> None:
        """Raise CallFailed when there is nothing to read: refused, truncated or empty."""
        if self.refusal is not None:
            raise CallFailed("the model declined to answer", kind="refused")
        if self.text.strip():
            return
        if self.cut:
            raise CallFailed("the answer was cut before it said anything", kind="truncated")
        missing = "text" if self.has_choice else "choices"
        raise CallFailed(f"the server's answer has no {missing}", kind="empty")


_decoder = msgspec.json.Decoder(_Completion)


def read_reply(body: bytes) -> Reply:
    """The reply in a response body. Raises CallFailed (``server``) when it is no completion."""
    try:
        completion = _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CallFailed("the server's answer is not a chat completion", kind="server") from error
    choice = completion.choices[0] if completion.choices else None
    message = choice.message if choice else None
    reason = choice.finish_reason if choice else None
    refusal = message.refusal if message else None
    return Reply(
        text=(message.content if message else None) or "",
        cut=reason == "length",
        usage=_usage(completion.usage),
        model=completion.model,
        refusal=refusal or ("content_filter" if reason == "content_filter" else None),
        has_choice=choice is not None,
    )


def _usage(reported: _Usage | None) -> Usage:
    if reported is None:
        return Usage()
    details = reported.prompt_tokens_details
    return Usage(
        tokens_in=max(0, reported.prompt_tokens or 0),
        tokens_cached=max(0, (details.cached_tokens if details else None) or 0),
        tokens_out=max(0, reported.completion_tokens or 0),
    )
