"""Quoted words found again in what was said: literally, but for case, spacing and punctuation."""

from __future__ import annotations

import re

from pipeline.summarize.words import fold

_ELLIPSIS = re.compile(r"\s*(?:\.{3,}|\u2026|\[\.+\])\s*")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")
_JOINS = "'\u2019\u02bc"
"""Left out within a word, so that "don't" is "dont"; all else between words is a blank."""


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """The span of ``text`` that ``quote`` stands for, or None.

    Parts of a quote around an ellipsis must follow one another; whole words only, except in
    scripts written without blanks.
    """
    said, places = _plain(text)
    found: list[tuple[int, int]] = []
    at = 0
    for part in _ELLIPSIS.split(quote):
        words, _ = _plain(part)
        if not words.strip():
            continue
        if _UNSPACED.search(words):
            words = words.strip()
        start = said.find(words, at)
        if start < 0:
            return None
        end = start + len(words)
        inner = [p for p in places[start:end] if p >= 0]
        found.append((inner[0], inner[-1] + 1))
        at = end - 1
    return (found[0][0], found[-1][1]) if found else None


def _plain(text: str) -> tuple[str, list[int]]:
    """Folded words between single blanks, and for each character its place in ``text`` (-1: a
    blank)."""
    plain = [" "]
    places = [-1]
    for place, char in enumerate(text):
        if char in _JOINS:
            continue
        letters = [c for c in fold(char) if c.isalnum()]
        if letters:
            plain.extend(letters)
            places.extend([place] * len(letters))
        elif plain[-1] != " ":
            plain.append(" ")
            places.append(-1)
    if plain[-1] != " ":
        plain.append(" ")
        places.append(-1)
    return "".join(plain), places
