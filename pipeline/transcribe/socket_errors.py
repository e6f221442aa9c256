"""How speech-to-text over a websocket fails: refusals, close codes and error messages as errors.

Kinds are those of ``openai_client.errors``, and: ``closed`` (the socket ended too early), ``tls``,
``upgrade`` (no websocket server), ``wrong_segment`` (words for other audio than ours), ``busy``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from pipeline.base.errors import EngineError
from pipeline.openai_client.errors import RETRYABLE, from_status

_WORD = re.compile(r"[\w.:-]{1,60}")
_KINDS: Final = (
    ("quota", re.compile(r"quota|billing|payment|credit|balance", re.I)),
    ("auth", re.compile(r"api_?key|auth|permission|forbidden|credentials", re.I)),
    ("rate_limited", re.compile(r"rate_?limit|too_?many|concurren|overloaded|slow_?down", re.I)),
    ("not_found", re.compile(r"not_?found", re.I)),
    ("server", re.compile(r"server_?error|internal|unavailable|time_?out|expired", re.I)),
)
_CLOSED: Final = {
    1003: "bad_request",
    1007: "bad_request",
    1008: "bad_request",  # Deepgram: DATA-0000, what we send is no audio to it
    1009: "bad_request",
    1011: "server",  # Deepgram: NET-0000, NET-0001
    1012: "server",
    1013: "rate_limited",
    1014: "server",
    3000: "auth",  # IANA: unauthorized; OpenAI uses it for a wrong key
    3003: "auth",
    3008: "timeout",
}
"""What a close code stands for; any other one is ``closed``."""


class SocketClosed(EngineError):
    """The server ended the connection. ``code``: of its close frame, 1006 when there was none."""

    def __init__(self, message: str, *, code: int, kind: str) -> None:
        super().__init__(message, kind=kind, retryable=kind == "closed" or kind in RETRYABLE)
        self.code = code


def refused(
    status: int, body: bytes, headers: Mapping[str, str], *, now_ms: int, sent: Iterable[str]
) -> EngineError:
    """The error of a server that answered the handshake with an HTTP status instead of 101;
    ``sent``: texts (the key, terms) that the message must not repeat."""
    if 200 <= status < 300:
        return EngineError(f"no websocket server (it answered {status})", kind="upgrade")
    told = from_status(status, _body(body), headers, now_ms=now_ms, sent=sent)
    return EngineError(
        str(told), kind=told.kind, retryable=told.retryable, retry_after_s=told.retry_after_s
    )


def closed(code: int, reason: str, *, sent: Iterable[str]) -> SocketClosed:
    """The error a close frame of the server stands for, or its absence (1006)."""
    if code == 1006:
        return SocketClosed("the connection broke off", code=code, kind="closed")
    kind = _CLOSED.get(code, "closed")
    word = _shown(reason.split(" ", 1)[0].rstrip(":"), sent)
    return SocketClosed(f"the server closed with code {code}{word}", code=code, kind=kind)


def told(words: Iterable[object], *, sent: Iterable[str]) -> EngineError:
    """The error a server told in a message; ``words``: its code and type, other things are left
    out. What else it says may repeat what was sent and is not shown."""
    known = [word for word in words if isinstance(word, str) and _WORD.fullmatch(word)]
    kind = next((kind for kind, found in _KINDS if found.search(" ".join(known))), "bad_request")
    shown = _shown(known[0], sent) if known else ""
    return EngineError(
        f"the server reports an error{shown}", kind=kind, retryable=kind in RETRYABLE
    )


def bad_answer(why: str) -> EngineError:
    """A message that cannot be used; ``why`` completes "the server's answer ..."."""
    return EngineError(f"the server's answer {why}", kind="bad_output", retryable=True)


def wrong_segment(what: str) -> EngineError:
    """Words that are not for the audio that was sent: never taken."""
    return EngineError(f"words for other audio ({what})", kind="wrong_segment", retryable=True)


def _shown(word: str, sent: Iterable[str]) -> str:
    if not _WORD.fullmatch(word) or any(text and text in word for text in sent):
        return ""
    return f" ({word})"


def _body(data: bytes) -> Any:
    """An error body in the form ``from_status`` reads; Deepgram calls its fields otherwise."""
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return data[:1000].decode("utf-8", "replace")
    if isinstance(body, dict) and isinstance(body.get("err_code"), str):
        return {"code": body["err_code"], "message": body.get("err_msg")}
    return body
