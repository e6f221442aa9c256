"""Which writing a language uses, and whether a text is in it."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

from pipeline.transcribe.languages import primary

UNSPACED: Final = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Characters of scripts that put no space between words, for a regular expression: each counts as
a word."""

_SAME: Final = {
    "nb": "no",
    "nn": "no",
    "iw": "he",
    "cmn": "zh",
    "yue": "zh",
    "fil": "tl",
    "in": "id",
}
"""Tags that engines use for one language."""

_SCRIPTS: Final = {
    "CYRILLIC": "ru uk be bg mk kk ky mn tg tt ba sr bs",
    "GREEK": "el",
    "ARABIC": "ar fa ur ps sd",
    "HEBREW": "he yi",
    "DEVANAGARI": "hi mr ne sa",
    "BENGALI": "bn as",
    "GURMUKHI": "pa",
    "GUJARATI": "gu",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "THAI": "th",
    "LAO": "lo",
    "MYANMAR": "my",
    "KHMER": "km",
    "TIBETAN": "bo",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "ETHIOPIC": "am ti",
    "CJK": "zh ja ko",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "KATAKANA-HIRAGANA": "ja",
    "HANGUL": "ko",
    "BOPOMOFO": "zh",
}
"""Languages by what they are written in beside Latin letters, which occur in every text (names,
products). A language that is not here is written in Latin letters."""


def same_language(one: str, other: str) -> bool:
    """Whether two BCP-47 tags may name the same language, whatever the region; what is no tag
    says nothing."""
    first, second = _primary(one), _primary(other)
    return first == second or not (first and second)


def foreign_share(text: str, languages: tuple[str, ...]) -> float:
    """Which part of the letters belongs to a script that none of the languages uses (0..1)."""
    known = {_primary(language) for language in languages}
    if "" in known:  # no tag: anything may be
        return 0.0
    letters = [_script(char) for char in text if char.isalpha()]
    foreign = sum(1 for script in letters if not _expected(script, known))
    return foreign / len(letters) if letters else 0.0


def _expected(script: str, languages: set[str]) -> bool:
    return script not in _SCRIPTS or not languages.isdisjoint(_SCRIPTS[script].split())


def _primary(tag: str) -> str:
    found = primary(tag)
    return _SAME.get(found, found)


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    """The script in the character's Unicode name: "CYRILLIC SMALL LETTER A"."""
    return unicodedata.name(char, "").split(" ", 1)[0]
