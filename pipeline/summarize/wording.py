"""A small notation for the wording of spoken acts, compiled to regular expressions.

One pattern a line, written as people speak: a blank stands for white space with or without a
comma before it, an apostrophe may be missing or curly, case does not matter. ``<what>`` stands
for the rest of the clause, ``<some>`` for as few words as possible, ``<who>`` for a name or
"you", ``<verb>`` for one word. Everything else is the notation of ``re``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

_PLACES = {
    "<what>": ("what", r"\S.*"),
    "<some>": ("what", r"[^\s,.;][^.;]*?"),
    "<who>": ("who", r"(?:[^\W\d_][\w’'-]*\s+)?[^\W\d_][\w’'-]*"),
    "<verb>": ("verb", r"[^\W\d_]+"),
}
_PLACE = re.compile("|".join(_PLACES))

Span = tuple[int, int]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Where a wording stands in a text, and the spans of its parts, if it has them."""

    start: int
    end: int
    what: Span | None = None
    who: Span | None = None
    verb: Span | None = None


class Wording:
    """Several ways to say the same thing."""

    def __init__(self, *patterns: str) -> None:
        self._names: list[str] = []
        self._pattern = re.compile(
            "|".join(self._spoken(pattern) for pattern in patterns), re.IGNORECASE
        )

    def _spoken(self, pattern: str) -> str:
        def group(match: re.Match[str]) -> str:
            name, expression = _PLACES[match.group()]
            self._names.append(name)
            return f"(?P<g{len(self._names)}>{expression})"

        # "well" is "we'll" only without a comma after it; other apostrophes may just be missing.
        spoken = pattern.replace("we'll", "\0").replace("'", "['’]?").replace(" ", r",?\s+")
        spoken = spoken.replace("\0", r"(?:we['’]ll|well(?!,))")
        return _PLACE.sub(group, spoken)

    def matches(self, text: str) -> Iterator[Found]:
        """Every place where the wording stands, left to right."""
        for match in self._pattern.finditer(text):
            parts = {
                name: match.span(f"g{number}")
                for number, name in enumerate(self._names, 1)
                if match[f"g{number}"] is not None
            }
            yield Found(start=match.start(), end=match.end(), **parts)

    def search(self, text: str, accept: Callable[[Found], bool] | None = None) -> Found | None:
        """The first place that ``accept`` does not refuse."""
        return next((f for f in self.matches(text) if accept is None or accept(f)), None)

    def __contains__(self, text: str) -> bool:
        return self._pattern.search(text) is not None


LEAD = (
    r"^(?:(?:okay|ok|so|well|um+|uh+|er+|hmm+|yeah|yes|yep|right|alright|all right|and|but|then|now"
    r"|great|good|cool|perfect|fine|sure|oh|ah|actually|also|no problem|thanks|thank you|of course"
    r"|you know|i mean|i think|i guess|in that case|because|maybe|anyway|absolutely|no|nope|agreed"
    r"|sorry|listen|look|please|exactly)\b[,.!;:…-]*\s+)*"
)
"""Start of a clause, with the words it may begin with before it says anything."""
