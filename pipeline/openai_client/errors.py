"""How calls to a server of models fail, and what the server's words mean.

Kinds, and whether trying the same again later can help:

| kind | retryable | situation |
|---|---|---|
| connect | yes | nobody answers at the address, or the connection broke |
| timeout | yes | no answer in time |
| rate_limited | yes | 429; ``retry_after_s`` if the server said how long |
| server | yes | 5xx |
| empty | yes | an answer without a choice or text |
| bad_output | yes | not the JSON that was asked for, twice |
| quota | no | no money left |
| auth | no | 401, 403 |
| not_found | no | 404: no such model, or not the API's address |
| no_model | no | none configured and the server has not exactly one |
| context_exceeded | no | the question is too long for the model |
| truncated | no | the answer was cut at the token limit |
| too_long | no | the answer did not end within ``max_answer_bytes`` |
| bad_answer | no | JSON of another form than the API's |
| refused | no | the model or a content filter declines |
| redirected | no | 3xx: we do not carry words to another address |
| bad_request | no | any other 4xx |
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.base.errors import ModelError
from pipeline.openai_client.answer import Attempt

RETRYABLE = frozenset({"connect", "timeout", "rate_limited", "server", "empty", "bad_output"})

_CONTEXT = re.compile(
    r"context.{0,20}(?:length|size|window)|exceed_context|maximum context|too many tokens"
    r"|prompt is too long|reduce the length|input is too long",
    re.IGNORECASE,
)
_FILTER = re.compile(r"content.?(?:filter|policy|management)", re.IGNORECASE)
_QUOTA = re.compile(r"insufficient_quota|billing|credit balance|exceeded your current quota", re.I)
_STRUCTURE = re.compile(
    r"response_format|json_schema|json_object|json mode|structured output|grammar|schema",
    re.IGNORECASE,
)
_CODE = re.compile(r"[\w.:-]{1,60}")
_SHOWN = 160
_ECHO = 20


class CallFailed(ModelError):
    """A call that gave nothing usable. ``attempts`` are its tries; ``server_words`` are what the
    server said, for decisions only: they may repeat the question."""

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        retry_after_s: float | None = None,
        server_words: str = "",
    ) -> None:
        super().__init__(message, kind=kind, retryable=kind in RETRYABLE)
        self.retry_after_s = retry_after_s
        self.server_words = server_words
        self.attempts: tuple[Attempt, ...] = ()


def from_status(
    status: int, body: Any, headers: Mapping[str, str], *, now_ms: int, sent: Iterable[str]
) -> CallFailed:
    """The failure an HTTP status stands for; ``sent`` are texts the message must not repeat."""
    code, words = _said(body)
    said = f"{code} {words}"
    kind = _kind(status, said)
    retry_after = _retry_after(headers, now_ms) if status in (429, 503) else None
    message = f"server answered {status}"
    if code:
        message += f" ({code})"
    if words and kind in ("bad_request", "not_found") and not _repeats(words, sent):
        message += f": {' '.join(words.split())[:_SHOWN]}"
    return CallFailed(message, kind=kind, retry_after_s=retry_after, server_words=said)


def _kind(status: int, said: str) -> str:
    if status in (401, 403):
        return "auth"
    if status == 429:
        return "quota" if _QUOTA.search(said) else "rate_limited"
    if status == 402:
        return "quota"
    if status == 404:
        return "not_found"
    if status in (408, 504):
        return "timeout"
    if 300 <= status < 400:
        return "redirected"
    if status == 413 or _CONTEXT.search(said):
        return "context_exceeded"
    if _FILTER.search(said):
        return "refused"
    if status in (409, 425) or (status >= 500 and status != 501 and not _STRUCTURE.search(said)):
        return "server"
    return "bad_request"


def _said(body: Any) -> tuple[str, str]:
    """Code (a harmless word) and text of an error body in OpenAI's form or one near it."""
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    if not isinstance(body, dict):
        return "", body if isinstance(body, str) else ""
    code = next(
        (
            str(body[name])
            for name in ("code", "type")
            if isinstance(body.get(name), str) and _CODE.fullmatch(body[name])
        ),
        "",
    )
    words = next(
        (body[n] for n in ("message", "detail", "error") if isinstance(body.get(n), str)), ""
    )
    return code, f"{words} {body['type']}" if isinstance(body.get("type"), str) else words


def _retry_after(headers: Mapping[str, str], now_ms: int) -> float | None:
    """Seconds of a Retry-After header, which holds seconds or an HTTP date (RFC 9110 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", value):
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, when.timestamp() - now_ms / 1000)


def _repeats(words: str, sent: Iterable[str]) -> bool:
    """Whether a message shares a longer stretch with what was sent, or holds all of it."""
    stretches = {words[i : i + _ECHO] for i in range(max(1, len(words) - _ECHO + 1))}
    return any(
        (text and text in words) or any(stretch in text for stretch in stretches) for text in sent
    )
