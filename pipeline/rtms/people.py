"""Ids of people: 32-bit numbers in meetings, texts or channels elsewhere (section 10)."""

from __future__ import annotations

import zlib

_TEXT_IDS_FROM = 1 << 32


def number_of(value: int | str | None) -> int | None:
    """A user id as a number; None for none and for 0, which means mixed.

    Digits are read; any other text gets a number above all of Zoom's, always the same one.
    """
    if isinstance(value, str):
        text = value.strip()
        if text.isascii() and text.isdigit() and len(text) <= 18:
            value = int(text)
        elif text:
            return _TEXT_IDS_FROM + zlib.crc32(text.encode("utf-8", "replace"))
        else:
            return None
    return value or None


def person_of(value: int | str | None) -> str | None:
    """The same id as the text participants go by."""
    number = number_of(value)
    return None if number is None else str(number)
