"""Names as heard, matched against the people in the meeting. Never a guess."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from pipeline.summarize.words import fold

_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "professor", "sir", "madam"})
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_ASIDE = re.compile(r"\s*(?:\([^)]*\)|\[[^\]]*\]|[|/•·].*$|\s[-–—]\s.*$)")


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who is meant by ``heard``.

    Exactly one of: ``name`` is set and ``on_roster`` (one person of the meeting fits);
    ``candidates`` are set (several fit); ``name`` is set and not ``on_roster`` (nobody fits: the
    name as it was heard, to be shown as unverified).
    """

    heard: str
    name: str | None = None
    candidates: tuple[str, ...] = ()
    on_roster: bool = False


def resolve_owner(words: str, roster: Iterable[str]) -> Owner | None:
    """The person that ``words`` ("Tom", "Dr. Meyer") name among the display names of ``roster``.

    Compared by whole words, without case, accents, titles and what follows a name in brackets;
    a misheard name is never bent into a similar one. None when ``words`` hold no name at all.
    """
    heard = " ".join(words.split()).strip(" ,.;:!?")
    asked = _name_words(heard)
    if not asked:
        return None
    people = list(dict.fromkeys(roster))
    exact = [p for p in people if _name_words(p) == asked]
    fitting = exact or [p for p in people if _is_part(asked, _name_words(p))]
    if len(fitting) == 1:
        return Owner(heard=heard, name=fitting[0], on_roster=True)
    if fitting:
        return Owner(heard=heard, candidates=tuple(fitting))
    return Owner(heard=heard, name=heard)


def call_names(roster: Iterable[str]) -> frozenset[str]:
    """Every word the people of the roster may be called by, folded to lower case."""
    return frozenset(word for person in roster for word in _name_words(person) if len(word) > 1)


def same_person(name: str, other: str) -> bool:
    """Whether one display name can stand for the other ("Tom" and "Tom Weber")."""
    first, second = _name_words(name), _name_words(other)
    return bool(first and second) and (_is_part(first, second) or _is_part(second, first))


def _is_part(asked: tuple[str, ...], person: tuple[str, ...]) -> bool:
    return all(word in person for word in asked)


def _name_words(name: str) -> tuple[str, ...]:
    plain = _ASIDE.sub("", name) or name
    words = (fold(word).removesuffix("'s") for word in _WORD.findall(plain))
    return tuple(word for word in words if word not in _TITLES)
