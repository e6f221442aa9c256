"""Words to expect in a meeting: who is there, the glossary, the calendar.

``Vocabulary`` is what the settings name, read once a process; ``Terms`` is what one meeting may
hear by now. They bias an engine (``hints``) and stand behind corrections (``corrections.correct``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from pipeline.transcribe import calendar, glossary
from pipeline.transcribe.common_words import is_common
from pipeline.transcribe.engine import Capabilities, Hints
from pipeline.transcribe.settings import TranscribeSettings
from pipeline.transcribe.sounds import respelled, skeleton

Source = Literal["roster", "glossary", "calendar"]

MOST_PEOPLE = 300
"""Names of one meeting that count; a webinar has thousands, and most of them are never said."""

LONGEST_HINTS = 800
"""Characters of all terms given to an engine: Whisper reads about 220 tokens before the audio."""

_KEPT = 32
_LONGEST_NAME = 64
_SHORTEST_PART = 3

_BESIDE = re.compile(r"\([^)]*\)|\[[^\]]*\]|[|/,\u2013\u2014].*$")
"""What people put beside their names: pronouns, companies, places."""
_PART = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_WORD = re.compile(r"[^\W_]+(?:['\u2019.+#-]*[^\W_]+)*[+#]*")


class Term(msgspec.Struct, frozen=True):
    """A word, or a few, that may be misheard. ``name``: the whole name it is a part of; empty for
    what is no person."""

    text: str
    source: Source
    name: str = ""

    @property
    def person(self) -> bool:
        """Whether it is (part of) somebody's name."""
        return bool(self.name)

    @property
    def joined(self) -> str:
        """All of it as one word, as one hears it."""
        return "".join(self.text.split())


class Terms:
    """What one meeting may hear. Earlier names win over later ones that are spelled the same."""

    def __init__(self, listed: Iterable[Term], sounds: dict[str, Term], hints: list[str]) -> None:
        self._hints = hints
        self._said_as = sounds
        self._known: set[str] = set()
        self._by_skeleton: dict[str, list[Term]] = {}
        for term in listed:
            words = term.text.casefold()
            if words in self._known:
                continue
            self._known.add(words)
            if respelled(term.joined):
                self._by_skeleton.setdefault(skeleton(term.joined), []).append(term)

    def __bool__(self) -> bool:
        return bool(self._known)

    def knows(self, words: str) -> bool:
        """Whether words are spelled as in some term: they were heard right."""
        return words.casefold() in self._known

    def said_as(self, words: str) -> Term | None:
        """The term that the glossary says is heard as these words."""
        return self._said_as.get(words.casefold())

    def alike(self, word: str) -> list[Term]:
        """Terms with the consonants of a word; letters of several words are given as one."""
        return self._by_skeleton.get(skeleton(word), []) if respelled(word) else []

    def hints(self, capabilities: Capabilities, *, language: str, key: str) -> Hints:
        """As much as the engine takes; ``key`` is the same for every try at one segment."""
        most = capabilities.most_terms if capabilities.terms else 0
        taken: list[str] = []
        room = LONGEST_HINTS
        for text in self._hints[:most]:
            room -= len(text) + 2
            if room < 0:
                break
            taken.append(text)
        return Hints(terms=tuple(taken), language=language, key=key)


class Vocabulary:
    """Glossary and calendar of the settings; empty by default."""

    def __init__(
        self,
        lines: Iterable[glossary.GlossaryLine] = (),
        events: Iterable[calendar.CalendarEvent] = (),
    ) -> None:
        self._lines = tuple(lines)
        self._events = tuple(events)
        self._made: dict[tuple[tuple[str, ...], int], Terms] = {}

    @classmethod
    def open(cls, settings: TranscribeSettings) -> Vocabulary:
        """Raises BadInput for a file that is missing or broken; blocks while it reads."""
        return cls(
            glossary.read(Path(settings.glossary)) if settings.glossary else (),
            calendar.read(Path(settings.calendar)) if settings.calendar else (),
        )

    def terms(self, people: Iterable[str], at_ms: int) -> Terms:
        """What a meeting that began at ``at_ms`` may hear by now; ``people``: names of who was
        there, untrusted. The newest answers are kept: people change less often than they speak."""
        asked = (tuple(people)[:MOST_PEOPLE], at_ms)
        known = self._made.get(asked)
        if known is None:
            known = self._made[asked] = self._terms(*asked)
            while len(self._made) > _KEPT:
                del self._made[next(iter(self._made))]
        return known

    def _terms(self, people: tuple[str, ...], at_ms: int) -> Terms:
        events = [event for event in self._events if event.concerns(at_ms)]
        present = [name for name in map(name_of, people) if name]
        invited = [name for event in events for name in map(name_of, event.people) if name]
        titles = [word for event in events for word in _title_words(event.title)]
        listed = [
            *(part for name in present for part in _parts(name, "roster")),
            *(Term(line.term, "glossary") for line in self._lines),
            *(part for name in invited for part in _parts(name, "calendar")),
            *(Term(word, "calendar") for word in titles),
        ]
        sounds = {
            sound.casefold(): Term(line.term, "glossary")
            for line in self._lines
            for sound in line.sounds
        }
        hints = [*present, *(line.term for line in self._lines), *invited, *titles]
        return Terms(listed, sounds, list(dict.fromkeys(hints)))


def name_of(told: str) -> str:
    """The name in a display name, without what people put beside it; empty when it has none."""
    plain = "".join(c if c.isprintable() else " " for c in told[: 4 * _LONGEST_NAME])
    parts = _PART.findall(_BESIDE.sub(" ", plain))
    return " ".join(parts)[:_LONGEST_NAME].strip()


def _parts(name: str, source: Source) -> Iterator[Term]:
    """Given and family names, each of which may be said alone."""
    for part in name.split():
        if len(part) >= _SHORTEST_PART:
            yield Term(part, source, name)


def _title_words(title: str) -> Iterator[str]:
    """The words of a title that are no ordinary ones."""
    for word in _WORD.findall(title):
        if len(word) >= _SHORTEST_PART and not is_common(word) and not word.isdigit():
            yield word
