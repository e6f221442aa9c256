"""JSON out of text that should be nothing but JSON, and often is a little more."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)
_STARTS = 40
"""So many opening braces are tried before the text counts as having no JSON."""


def find_object(text: str) -> dict[str, Any]:
    """The first JSON object of ``text``, past thoughts, fences and chatter, with trailing commas
    forgiven. Raises ValueError in one line when there is none or it is cut."""
    text = _THOUGHT.sub("", text).strip()
    for candidate in (text, _TRAILING_COMMA.sub(lambda m: m[1] or "", text)):
        if (found := _first(candidate)) is not None:
            return found
    raise ValueError("no complete JSON object in the answer")


def _first(text: str) -> dict[str, Any] | None:
    decoder = json.JSONDecoder(parse_constant=_refuse)
    start = text.find("{")
    for _ in range(_STARTS):
        if start < 0:
            return None
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            start = text.find("{", start + 1)
            continue
        return value if isinstance(value, dict) else None
    return None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
