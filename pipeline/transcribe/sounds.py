"""Do two spellings sound alike? Pure, made for English ears.

``jellyfish`` gives consonants (metaphone) and distances; metaphone drops vowels, and "Maria" is not
"Murray": so both are respelled first and vowels are compared where they carry the word.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import jellyfish

_RULES = [
    (re.compile(pattern), with_)
    for pattern, with_ in (
        (r"ell?e$", "elE"),  # Danielle is not Daniel
        (r"^(kn|gn|pn)", "n"),
        (r"^wr", "r"),
        (r"^ps", "s"),
        (r"^x", "z"),
        (r"tch", "ch"),
        (r"sch", "sh"),
        (r"ph", "f"),
        (r"igh", "i"),
        (r"gh(?=[aeiouy])", "g"),
        (r"gh", ""),
        (r"wh", "w"),
        (r"ck|cq", "k"),
        (r"c(?=[eiy])", "s"),
        (r"ch(?=[rl])|c(?!h)|q(?:u(?=e$))?", "k"),
        (r"x", "ks"),
        (r"dg(?=e)", "j"),
        (r"dt$", "t"),
        (r"^th(?=om|er)", "t"),
        (r"([aeiouy][^aeiou]{1,3})[ae]y$", r"\1I"),
        (r"iy?(?=[ao])", "I"),
        (r"^([^aeiou]*[aeiou][^aeiou])e$", r"\1E"),  # Rose is not Ross
        (r"y$|(?<=[^aeiou])y(?=[aeiou])|ee|ea|ie|ei", "I"),  # long: Tim is not a team
        (r"y(?=[^aeiou])", "i"),
        (r"ai|ay|ey|ae", "e"),
        (r"oo|ou|ew|ue(?=.)", "u"),
        (r"ow|oa|oe", "o"),
        (r"au|aw", "o"),
        (r"(?<=[aeiou])h(?![aeiou])", ""),
        (r"(?<=[kgr])h", ""),
        (r"(?<=..)e$", ""),
        (r"(.)\1+", r"\1"),
    )
]
_VOICED = str.maketrans("BDGVZ", "PTKFS")
_VOWELS = frozenset("aeiouEI")

_NEAR_FROM = 5
"""Respelled letters from which one may differ; below, names like Dana and Dina would be one."""
_FAR_FROM = 9
"""Respelled letters from which two may differ, and b counts as p, d as t and so on."""


@lru_cache(maxsize=8192)
def respelled(word: str) -> str:
    """Lower-case letters for how a word sounds; empty for one without Latin letters."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    letters = re.sub(r"[^a-z]", "", plain)
    for rule, with_ in _RULES:
        letters = rule.sub(with_, letters)
    return letters


@lru_cache(maxsize=8192)
def skeleton(word: str) -> str:
    """The consonants one hears, voiced ones like their unvoiced sisters: what sounds alike has the
    same."""
    return _consonants(respelled(word)).translate(_VOICED)


def unlike(one: str, other: str) -> int | None:
    """How far two spellings are from one another: 0 for homophones, 1 or 2 for near ones, None for
    words that nobody takes for one another."""
    left, right = respelled(one), respelled(other)
    if not left or not right:
        return None
    if left == right:
        return 0
    shortest = min(len(left), len(right))
    if shortest < _NEAR_FROM or skeleton(one) != skeleton(other):
        return None
    if shortest < _FAR_FROM and _consonants(left) != _consonants(right):
        return None
    if _first_vowel(left) != _first_vowel(right):
        return None
    if left[-1] != right[-1] and (left[-1] in _VOWELS or right[-1] in _VOWELS):
        return None
    distance = jellyfish.damerau_levenshtein_distance(left, right)
    return distance if distance <= (1 if shortest < _FAR_FROM else 2) else None


def _consonants(word: str) -> str:
    return jellyfish.metaphone(word)


def _first_vowel(word: str) -> tuple[int, str]:
    return next(((at, c) for at, c in enumerate(word) if c in _VOWELS), (-1, ""))
