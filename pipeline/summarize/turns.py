"""A transcript as turns and sentences that know which utterances their words came from.

Engines and segmenters cut sentences in two; listeners say "mm-hmm" in the middle of them. Here
they are made whole again, so that the rules see what a person would have heard.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

from pipeline.model.notes import Evidence
from pipeline.model.speech import Message, Utterance
from pipeline.summarize.words import sentences, tokens

SAME_TURN_MS = 12_000
"""A longer silence ends a turn although nobody else spoke."""
_RESUMES_MS = 6_000
_RUNS_ON_MS = 1_000
_NO_PAUSE_MS = 300
_INTERJECTION_WORDS = 3

_TERMINAL = re.compile(r"[.!?…][\"'”’)\]]*\s*$|[。！？]\s*$")
_DANGLING = re.compile(
    r"(?<!now )(?<!move )(?<!moving )(?<!go )(?<!going )(?<!hold )(?<!hang )(?<!come )(?<!so )"
    r"\b(?:the|an?|to|of|for|with|by|and|or|but|in|on|at|from|my|our|your|their|his|into|than|will"
    r"|would|can|could|should|i[’']ll|we[’']ll|i[’']m|is|are|was|were|be|because|if|before|until"
    r"|next|every|please)[\s.,…-]*$",
    re.IGNORECASE,
)


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """The text of one utterance or message, at ``text[start:end]`` of its turn."""

    ref: str
    revision: int
    start: int
    end: int
    start_ms: int
    end_ms: int


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What one person said without another taking the word. ``speaker`` is None if unknown."""

    speaker: str | None
    text: str
    pieces: tuple[Piece, ...]
    spans: tuple[tuple[int, int], ...]
    """Its sentences, ``text[start:end]``."""
    language: str | None = None
    chat: bool = False

    @property
    def start_ms(self) -> int:
        return self.pieces[0].start_ms

    @property
    def end_ms(self) -> int:
        return self.pieces[-1].end_ms

    def evidence(self, start: int, end: int) -> tuple[Evidence, ...]:
        """One quote per utterance touched by ``text[start:end]``, literally as it stands there."""
        found: list[Evidence] = []
        for piece in self.pieces:
            quote = self.text[max(start, piece.start) : min(end, piece.end)].strip()
            if piece.start < end and start < piece.end and quote:
                found.append(
                    Evidence(
                        ref=piece.ref,
                        revision=piece.revision,
                        quote=quote,
                        start_ms=piece.start_ms,
                        end_ms=piece.end_ms,
                        speaker=self.speaker,
                    )
                )
        return tuple(found)

    def said_ms(self, end: int) -> int:
        """End of the utterance that holds the character before ``end``."""
        return next((p.end_ms for p in self.pieces if end <= p.end), self.end_ms)


def turns(spoken: Iterable[Utterance | Message]) -> list[Turn]:
    """The turns of a transcript that is in order of start time."""
    groups: list[list[Utterance | Message]] = []
    for line in spoken:
        if not line.text.strip():
            continue
        if (group := _continued(groups, line)) is not None:
            group.append(line)
        else:
            groups.append([line])
    return [_turn(group) for group in groups]


def _continued(
    groups: Sequence[list[Utterance | Message]], line: Utterance | Message
) -> list[Utterance | Message] | None:
    """The group a line goes on with: the last one, or one that only "mm-hmm" came after."""
    for group in reversed(groups[-2:]):
        last = group[-1]
        gap = _start(line) - _end(last)
        if _same_voice(last, line):
            if group is groups[-1]:
                return group if gap <= SAME_TURN_MS else None
            return group if gap <= _RESUMES_MS and not _is_complete(last.text) else None
        if isinstance(last, Message) or not _is_interjection(last.text):
            return None
    return None


# A live meeting's transcript is read again and again; its lines stay the same.
@lru_cache(maxsize=4096)
def _is_interjection(text: str) -> bool:
    return len(tokens(text)) <= _INTERJECTION_WORDS


@lru_cache(maxsize=4096)
def _sentences(text: str) -> tuple[tuple[int, int], ...]:
    return tuple(sentences(text))


def _same_voice(first: Utterance | Message, second: Utterance | Message) -> bool:
    if type(first) is not type(second) or isinstance(first, Message):
        return False
    who = first.participant or first.speaker
    return who is not None and who == (second.participant or second.speaker)


def _turn(group: Sequence[Utterance | Message]) -> Turn:
    text = ""
    pieces: list[Piece] = []
    spans: list[tuple[int, int]] = []
    for previous, line in zip((None, *group), group, strict=False):
        offset = len(text) + 1 if text else 0
        text = f"{text} {line.text}" if text else line.text
        pieces.append(
            Piece(
                ref=line.id,
                revision=line.revision,
                start=offset,
                end=len(text),
                start_ms=_start(line),
                end_ms=_end(line),
            )
        )
        found = [(start + offset, end + offset) for start, end in _sentences(line.text)]
        if previous is not None and spans and found and _runs_on(previous, line):
            found[0] = (spans.pop()[0], found[0][1])
        spans.extend(found)
    first = group[0]
    return Turn(
        speaker=first.speaker,
        text=text,
        pieces=tuple(pieces),
        spans=tuple(spans),
        language=first.language if isinstance(first, Utterance) else None,
        chat=isinstance(first, Message),
    )


def _runs_on(previous: Utterance | Message, line: Utterance | Message) -> bool:
    """Whether a sentence goes on from one utterance to the next.

    Engines end every segment with a full stop, so a stop after "by the" ends nothing; text in
    lower case throughout has no stops at all, so only a pause ends it.
    """
    gap = _start(line) - _end(previous)
    if _DANGLING.search(previous.text):
        return gap <= _RESUMES_MS
    if _TERMINAL.search(previous.text):
        return False
    if previous.text.islower() and line.text.islower():
        return gap <= _NO_PAUSE_MS
    return gap <= _RUNS_ON_MS or line.text.lstrip()[:1].islower()


def _is_complete(text: str) -> bool:
    return bool(_TERMINAL.search(text)) and not _DANGLING.search(text)


def _start(line: Utterance | Message) -> int:
    return line.start_ms if isinstance(line, Utterance) else line.at_ms


def _end(line: Utterance | Message) -> int:
    return line.end_ms if isinstance(line, Utterance) else line.at_ms
