"""Takes secrets out of wire messages before they are written to a tape."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

REMOVED: Final = "removed"
SHORTEST: Final = 8
"""Characters; shorter values are removed under their keys, but not looked for elsewhere."""
_MOST_LEARNED: Final = 256

_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_SECRET_WORDS: Final = frozenset(
    {"signature", "sign", "token", "tokens", "secret", "secrets", "passphrase", "password"}
    | {"passwd", "passcode", "pwd", "pass", "credential", "credentials", "authorization", "auth"}
    | {"bearer", "cookie", "cookies", "key", "keys", "apikey", "jwt"}
)
_SECRET_ENDS: Final = ("signature", "token", "secret", "passphrase", "password", "key")
_URL: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.\-]*://)(?P<user>[^/?#\s]*@)?(?P<host>[^/?#;\s]*)"
    r"(?P<path>(?:(?!,[a-z][a-z0-9+.\-]*://)[^?#;\s])*)"
    r"(?P<rest>[?#;](?:(?!,[a-z][a-z0-9+.\-]*://)\S)*)?",
    re.IGNORECASE,
)
_LONG_SEGMENT: Final = re.compile(r"[^/,]{24,}")
_TEXT: Final = (17, 18)
"""Transcript and chat: what people said and typed stands as it is."""


class Redactor:
    """One recording's: what was removed once is looked for in every later message too."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: dict[str, None] = {}
        for secret in secrets:
            self._learn(secret)

    def message(self, message: dict[str, Any]) -> dict[str, Any]:
        """The message without secrets: values under keys that name one, and of URLs all but
        scheme, host and path. Words people said or typed (17, 18) keep their links.

        Raises RecursionError for one nested too deeply.
        """
        self._find(message)
        kind = message.get("msg_type")
        worded = type(kind) is int and kind in _TEXT
        return {
            self.text(key): self._under(key, value, words=worded and key == "content")
            for key, value in message.items()
        }

    def text(self, text: str) -> str:
        """The text without the secrets that are known by now."""
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, REMOVED)
        return text

    def _under(self, key: str, value: Any, *, words: bool) -> Any:
        if _names_secret(key):
            return value if value is None or isinstance(value, bool) else REMOVED
        if isinstance(value, dict):
            return {
                self.text(inner): self._under(inner, below, words=words)
                for inner, below in value.items()
            }
        if isinstance(value, list):
            return [self._under(key, below, words=words) for below in value]
        if not isinstance(value, str):
            return value
        parsed = _object_in(value)
        if parsed is not None:
            self._find(parsed)
            clean = {k: self._under(k, below, words=words) for k, below in parsed.items()}
            return value if clean == parsed else msgspec.json.encode(clean).decode()
        if words and key in ("data", "text"):
            return self.text(value)
        return self.text(_without_query(value, "url" in key.lower() or "uri" in key.lower()))

    def _find(self, value: Any) -> None:
        """Learn what stands under keys that name a secret, wherever in the message."""
        if isinstance(value, dict):
            for key, below in value.items():
                if _names_secret(key):
                    self._learn_all(below)
                else:
                    self._find(below)
        elif isinstance(value, list):
            for below in value:
                self._find(below)

    def _learn_all(self, value: Any) -> None:
        if isinstance(value, str):
            self._learn(value)
        elif isinstance(value, dict):
            for below in value.values():
                self._learn_all(below)
        elif isinstance(value, list):
            for below in value:
                self._learn_all(below)

    def _learn(self, secret: str) -> None:
        if len(secret) < SHORTEST or secret == REMOVED:
            return
        self._known.pop(secret, None)
        self._known[secret] = None
        if len(self._known) > _MOST_LEARNED:
            del self._known[next(iter(self._known))]


def _names_secret(key: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(key)]
    return not _SECRET_WORDS.isdisjoint(words) or key.lower().endswith(_SECRET_ENDS)


def _without_query(text: str, is_url: bool) -> str:
    if "://" in text:
        return _URL.sub(_bare, text)
    return re.split(r"[?#;]", text, maxsplit=1)[0] if is_url else text


def _bare(found: re.Match[str]) -> str:
    path = _LONG_SEGMENT.sub(REMOVED, found["path"])
    return f"{found['scheme']}{found['host']}{path}"


def _object_in(text: str) -> dict[str, Any] | None:
    """A JSON object that travels as a string (chat's ``data`` may)."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
