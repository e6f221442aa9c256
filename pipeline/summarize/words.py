"""Words, stems and sentences of spoken text, without models or downloads."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

STOP_WORDS = frozenset(
    """
    a about above actually after again all already also although always am an and any anybody
    anyone anything are around as at be because been before being below between both but by can
    cannot could did do does doing done down during each either else even ever every everybody
    everyone few for from further get gets getting go goes going gone gonna gotta got had has have
    having he hello her here hers him his how i if in into is it its itself just kind know let lets
    like little lot lots many may maybe me mean might mine more most much must my myself need needs
    neither no nobody none nor not nothing now of off oh ok okay on once one only onto or other
    ought our ours out over own perhaps please pretty probably quite rather really right same say
    see shall she should so some somebody somehow someone something sort still stuff such sure take
    than thank thanks that the their theirs them themselves then there these they thing things think
    this those though through to too um uh er hmm under until up upon us very want wants was way we
    well were what when where whether which while who whom whose why will with within without would
    yeah yep yes yet you your yours yourself i'm i'll i've i'd we're we'll we've we'd you're you'll
    you've you'd he's she's it's that's there's what's who's let's they're they'll they've don't
    doesn't didn't can't couldn't won't wouldn't isn't aren't wasn't weren't shouldn't haven't hasn't
    """.split()
)
"""English words that carry no topic of their own in a meeting."""

_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*%?|[^\W\d_]+(?:['’][^\W\d_]+)*")
_UNSPACED = re.compile(r"[぀-ヿ㐀-鿿가-힯฀-๿]")
_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s|$)|[。！？]|\n+")
_ABBREVIATION = re.compile(
    r"\b(?:mr|mrs|ms|dr|prof|vs|approx|e\.g|i\.e|a\.m|p\.m|no(?=\.\s\d))\.", re.IGNORECASE
)
_FILLER = re.compile(
    r"(?:^|(?<!\blet)(?<!\bdo)(?<!\bif)(?<!\bas),?\s+)"
    r"(?:u+m+|u+h+|e+r+m?|h+m+|mm+(?:-?hm+)?|you know|i mean)(?=[\s,.!?]|$),?",
    re.IGNORECASE,
)
_STRAY = re.compile(r"\s+([.,!?;])")
_LEAD_IN = re.compile(
    r"^(?:(?:okay|ok|so|well|um+|uh+|er+|hmm+|yeah|yes|yep|right|alright|all right|and|but|then|now"
    r"|great|good|cool|perfect|fine|oh|ah|actually|basically|anyway|also|sure|look|listen|you know"
    r"|i mean|i think|i guess|like|because|cause|in that case|to be clear|to be honest|of course"
    r"|no problem|thanks|thank you)\b(?![’'])[,.!;:…-]*\s+)+",
    re.IGNORECASE,
)
_ENDINGS = ("ingly", "edly", "ings", "ing", "ied", "ies", "ed", "ly", "es", "s")
_SHORTEST_STEM = 3


def fold(text: str) -> str:
    """Lower case without accents, straight apostrophes: for comparing words."""
    plain = unicodedata.normalize("NFKD", text.replace("’", "'"))
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()


def tokens(text: str) -> list[str]:
    """Words and numbers in lower case, in order.

    Scripts written without spaces give overlapping pairs of characters, the usual index unit
    for them.
    """
    found: list[str] = []
    for match in _TOKEN.finditer(text):
        word = match.group().replace("’", "'").lower()
        if len(word) > 2 and _UNSPACED.search(word):
            found.extend(word[i : i + 2] for i in range(len(word) - 1))
        else:
            found.append(word)
    return found


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without its commonest English endings; enough to match "decided" and "deciding"."""
    word = word.removesuffix("'s")
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            if ending == "s" and word.endswith("ss"):
                break
            cut = word[: -len(ending)]
            if ending in ("ied", "ies"):
                return cut + "y"
            if ending in ("ing", "ed", "ings") and cut[-1] == cut[-2] and cut[-1] not in "lsz":
                cut = cut[:-1]
            return cut.removesuffix("e")
    return word.removesuffix("e") if len(word) > _SHORTEST_STEM else word


def content(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order, with repeats."""
    return [stem(word) for word in tokens(text) if word not in STOP_WORDS and len(word) > 1]


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences of a text: ``text[start:end]``, trimmed, in order."""
    spans: list[tuple[int, int]] = []
    abbreviated = {match.end() - 1 for match in _ABBREVIATION.finditer(text)}
    start = 0
    for match in _END.finditer(text):
        if text[match.start()] == "." and match.start() in abbreviated:
            continue
        _append_trimmed(spans, text, start, match.end())
        start = match.end()
    _append_trimmed(spans, text, start, len(text))
    return spans


def _append_trimmed(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if end > start:
        spans.append((start, end))


def without_lead_in(text: str) -> str:
    """The text after words like "okay so"; the text itself when nothing else is in it."""
    return _LEAD_IN.sub("", text) or text


def tidy(text: str) -> str:
    """The speaker's own words as one line of notes: no lead-in, no fillers, a capital first."""
    line = _STRAY.sub(r"\1", " ".join(_FILLER.sub(" ", text).split()))
    line = without_lead_in(line.lstrip(" ,;:-–—.…"))
    line = line.rstrip(" ,;:-–—…")
    return line[:1].upper() + line[1:]


def function_word_share(texts: Iterable[str]) -> float | None:
    """Share of English function words in 0..1; None below twelve words (too few to tell).

    English talk lies near 0.5 or above; other European languages below 0.2.
    """
    words = [word for text in texts for word in tokens(text)]
    if len(words) < _ENOUGH_TO_TELL:
        return None
    return sum(word in STOP_WORDS for word in words) / len(words)


_ENOUGH_TO_TELL = 12
