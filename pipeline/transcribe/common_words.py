"""Is that an ordinary English word? Then it was probably said, and no name was misheard.

A list of our own: no package we depend on has one, and nothing is downloaded. Its head says where
it comes from; the cities of the time zones are added. Names are in it too (``mark``, ``john``):
they count as ordinary, which only makes corrections rarer.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from zoneinfo import available_timezones

_SUFFIXES = (
    ("s", ("",)),
    ("es", ("",)),
    ("ies", ("y",)),
    ("ed", ("", "e")),
    ("ing", ("", "e")),
    ("ly", ("",)),
    ("er", ("", "e")),
    ("ers", ("", "e")),
)

FUNCTION_WORDS = frozenset(
    """a about after all am an and any are as at be been before but by can could did do does for
    from get got had has have he her him his how i if in into is it its just me my no nor not now of
    off on one or our out over own she should so some than that the their them then there these they
    this those to too two under up us very was we were what when where which who why will with would
    yes yet you your""".split()  # noqa: SIM905 - a list of words reads best as text
)
"""Words that hold sentences together: they are never part of a misheard word."""


def is_common(word: str) -> bool:
    """Whether a word, or what it is a form of, is on the list; in any case."""
    word = word.casefold().removesuffix("'s").removesuffix("\u2019s")
    if len(word) < 3 or word in FUNCTION_WORDS:
        return True
    known = _words()
    return word in known or any(base in known for base in _bases(word))


def _bases(word: str) -> Iterator[str]:
    for suffix, endings in _SUFFIXES:
        stem = word.removesuffix(suffix)
        if stem != word and len(stem) >= 3:
            yield from (stem + ending for ending in endings)


@cache
def _words() -> frozenset[str]:
    text = Path(__file__).with_name("common_words.txt").read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(word for line in lines for word in line.split()).union(_cities())


def _cities() -> Iterator[str]:
    """Words of the cities that time zones are named after: Sydney is not Sidney."""
    for zone in available_timezones():
        yield from zone.rsplit("/", 1)[-1].casefold().split("_")
