"""Ids of people: 32-bit numbers in meetings, texts or channels elsewhere (section 10)."""

from __future__ import annotations

import zlib
from typing import Final

_TEXT_IDS_FROM: Final = 1 << 32
_NUMBERS_BELOW: Final = 1 << 63


def number_of(value: int | str | None) -> int | None:
    """A user id as a number of 63 bits; None for none and for 0, which means mixed.

    Digits are read; any other text (and a number that is none of Zoom's) gets a number above all
    of Zoom's, always the same one.
    """
    if isinstance(value, str):
        text = value.strip()
        if text.isascii() and text.isdigit() and len(text) <= 18:
            value = int(text)
        elif text:
            return _made_up(text)
        else:
            return None
    if not value:
        return None
    return value if 0 < value < _NUMBERS_BELOW else _made_up(str(value))


def speaker_of(user_id: int | str | None, channel_id: int | str | None) -> int | None:
    """Who speaks in a media message. Meetings number their users; voice products tell people apart
    by channel, and their users' ids, if there are any, are texts (section 10.2)."""
    if type(user_id) is int and 0 < user_id < _NUMBERS_BELOW:
        return user_id
    number = number_of(user_id)
    if number is not None and number < _TEXT_IDS_FROM:
        return number
    return number_of(channel_id) or number


def person_of(value: int | str | None) -> str | None:
    """The same id as the text participants go by."""
    number = number_of(value)
    return None if number is None else str(number)


def _made_up(text: str) -> int:
    return _TEXT_IDS_FROM + zlib.crc32(text.encode("utf-8", "replace"))
