"""Names and glossary words put where a near-homophone was heard; listed, and taken back on request.

Careful by rule: a word is replaced only by one that sounds alike and is expected in this meeting,
and only where it was probably not meant itself. An ordinary English word was meant; so was a word
in small letters where a person's name is written with a capital one.
"""

from __future__ import annotations

import msgspec

from pipeline.model.speech import Correction, Utterance, Word
from pipeline.transcribe.engine import HeardWord, Transcription
from pipeline.transcribe.mishearing import Change, Span, at_span, misheard
from pipeline.transcribe.vocabulary import Terms


class Corrected(msgspec.Struct, frozen=True):
    """What was heard with corrections put in, and what they were, in order."""

    transcription: Transcription
    corrections: tuple[Correction, ...] = ()


def correct(heard: Transcription, terms: Terms) -> Corrected:
    """Near-homophones of terms replaced by them."""
    if not terms or not heard.text:
        return Corrected(heard)
    changes = misheard(heard, terms)
    if not changes:
        return Corrected(heard)
    text, corrections = _replaced(heard.text, changes)
    words = _words(heard, changes)
    return Corrected(msgspec.structs.replace(heard, text=text, words=words), tuple(corrections))


def undo(utterance: Utterance, number: int | None = None) -> Utterance | None:
    """The utterance's next revision without its ``number``-th correction (from 1; None: without
    any). None when there is nothing to take back: no such one, undone already, or the text has
    been changed since."""
    wanted = {
        index
        for index, made in enumerate(utterance.corrections)
        if not made.undone
        and number in (None, index + 1)
        and utterance.text[made.at : made.at + len(made.now)] == made.now
    }
    if not wanted:
        return None
    text = utterance.text
    words = list(utterance.words)
    shift, corrections = 0, []
    for index, made in enumerate(utterance.corrections):
        at = made.at + shift
        if index in wanted:
            words = _word_back(words, made, text[:at])
            text = text[:at] + made.was + text[at + len(made.now) :]
            shift += len(made.was) - len(made.now)
        corrections.append(
            msgspec.structs.replace(made, at=at, undone=made.undone or index in wanted)
        )
    return msgspec.structs.replace(
        utterance,
        revision=utterance.revision + 1,
        text=text,
        words=tuple(words),
        corrections=tuple(corrections),
    )


# -- replacing ----------------------------------------------------------------------------------


def _replaced(text: str, changes: list[Change]) -> tuple[str, list[Correction]]:
    parts: list[str] = []
    corrections: list[Correction] = []
    done, length = 0, 0
    for change in changes:
        before = text[done : change.span.start]
        parts += (before, change.now)
        corrections.append(
            Correction(
                at=length + len(before),
                was=at_span(text, change.span),
                now=change.now,
                source=change.term.source,
                why=change.why,
            )
        )
        length += len(before) + len(change.now)
        done = change.span.end
    return "".join((*parts, text[done:])), corrections


def _words(heard: Transcription, changes: list[Change]) -> tuple[HeardWord, ...]:
    """The words with their times; several that were one become one. As they were when they cannot
    be found in the text."""
    places = _places(heard.text, [word.text for word in heard.words])
    if places is None:
        return heard.words
    words: list[HeardWord] = []
    joins: dict[int, int] = {}  # index in words, by change
    for word, place in zip(heard.words, places, strict=True):
        at = next(
            (
                i
                for i, c in enumerate(changes)
                if place.start < c.span.end and c.span.start < place.end
            ),
            None,
        )
        if at is None:
            words.append(word)
            continue
        change = changes[at]
        if at in joins:
            first = words[joins[at]]
            tail = heard.text[change.span.end : place.end]
            told = [c for c in (first.confidence, word.confidence) if c is not None]
            words[joins[at]] = HeardWord(
                first.text + tail, first.start_ms, word.end_ms, min(told, default=None)
            )
            continue
        head = heard.text[place.start : change.span.start]
        tail = heard.text[change.span.end : place.end]
        joins[at] = len(words)
        words.append(msgspec.structs.replace(word, text=head + change.now + tail))
    return tuple(words)


def _places(text: str, words: list[str]) -> list[Span] | None:
    """Where in the text each word stands; None when one does not."""
    places: list[Span] = []
    at = 0
    for word in (word.strip() for word in words):
        start = text.find(word, at)
        if start < 0 or any(c.isalnum() for c in text[at:start]):
            return None
        at = start + len(word)
        places.append(Span(start, at))
    return places


def _word_back(words: list[Word], made: Correction, before: str) -> list[Word]:
    """The words with what was heard; ``before``: the text up to the correction."""
    skip = before.count(made.now)
    for index, word in enumerate(words):
        if made.now not in word.text:
            continue
        if skip:
            skip -= 1
            continue
        changed = word.text.replace(made.now, made.was, 1)
        return [*words[:index], msgspec.structs.replace(word, text=changed), *words[index + 1 :]]
    return words
