"""Names and words as plain text inside markdown and YAML: they can never become markup.

Covers CommonMark, GitHub (strikethrough, tables, math, bare links) and Obsidian (``==``, ``%%``,
``#tag``, ``^block``, ``[[link]]``).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection

_ALWAYS = re.compile(r"[\\`*_{}\[\]<>|~^$#=%&]")
_AT_START = re.compile(r"^(?:[-+:](?=$|[\s\-+:])|\d{1,9}(?=[.)]))")
_ADDRESS = re.compile(r"https?://\S+")
_SAFE_ADDRESS = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9\-._~:/?#@!&'()*+,;=%]*")
_TRAILING = ".,;:!?)'"
_JOINERS = "\u200c\u200d"
"""The only invisible characters that words and emoji need."""


def clean(text: str) -> str:
    """One line: control characters and every run of white space become one space.

    Invisible characters (category Cf) are dropped: they reorder the text around them (bidi marks),
    hide words (tags) or make two names of one (zero-width spaces). Joiners stay where there is
    something to join.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept = []
    for char in text:
        category = unicodedata.category(char)
        if category == "Cf" and char not in _JOINERS:
            continue
        if category == "Cs":
            kept.append("\ufffd")
        else:
            kept.append(" " if category in ("Cc", "Zl", "Zp") else char)
    line = " ".join("".join(kept).split())
    return line if line.strip(_JOINERS + " ") else ""


def inline(text: str) -> str:
    """Untrusted text for any place in a line of markdown, its start included."""
    line = clean(text)
    start = _AT_START.match(line)
    escaped = _ALWAYS.sub(r"\\\g<0>", line)
    if start:  # a list, a rule, a numbered list: digits keep, the sign after them is escaped
        end = start.end()
        first = line[:end]
        escaped = (
            first + "\\" + _ALWAYS.sub(r"\\\g<0>", line[end:])
            if first[0].isdigit()
            else "\\" + escaped
        )
    # No viewer may make a link of its own of a name or a sentence.
    return escaped.replace("://", ":\\//").replace("www.", "www&#46;")


def web_addresses(text: str) -> frozenset[str]:
    """The web addresses that ``prose`` finds in a text."""
    return frozenset(m.group().rstrip(_TRAILING) for m in _ADDRESS.finditer(clean(text)))


def prose(text: str, known: Collection[str] | None = None) -> str:
    """Like ``inline``, but a web address that was typed stays one: its text is its target.

    With ``known``, only those addresses become links; others are shown as text.
    """
    line = clean(text)
    parts: list[str] = []
    done = 0
    for match in _ADDRESS.finditer(line):
        address = match.group().rstrip(_TRAILING)
        if known is not None and address not in known:
            continue
        if "%%" in address or "==" in address or not _SAFE_ADDRESS.fullmatch(address):
            continue
        parts += [_piece(line[done : match.start()], first=done == 0), f"<{address}>"]
        done = match.start() + len(address)
    parts.append(_piece(line[done:], first=done == 0))
    return "".join(parts)


def quoted(text: str) -> str:
    """Untrusted text as a double-quoted YAML scalar on one line."""
    return json.dumps(clean(text), ensure_ascii=False)


def _piece(text: str, *, first: bool) -> str:
    """A part of a line with the spaces at its edges kept; only the first can start the line."""
    body = text.strip(" ")
    if not body:
        return text
    lead = text[: len(text) - len(text.lstrip(" "))]
    tail = text[len(text.rstrip(" ")) :]
    safe = inline(body)
    if not first and safe.startswith("\\") and body[0] in "-+:":
        safe = safe[1:]
    return lead + safe + tail
