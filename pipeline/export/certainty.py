"""How certain it is who said a line and what was said, in words for people.

Names and words in it are still to be escaped by whoever places them.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from pipeline.export.escape import clean
from pipeline.export.standing import UNKNOWN
from pipeline.model.speech import Attribution, Utterance

_DOUBTS = {
    "loop": "the same words again and again",
    "rate": "more words than can be said in that time",
    "echo": "it repeats the words that were expected",
    "language": "it is in another language than what is spoken",
    "non_speech": "hardly any speech was heard",
}
"""What the guards' words mean (pipeline/transcribe/guards.py)."""


class Spoken(Protocol):
    """What has a speaker: an utterance, or one that is still being said."""

    @property
    def speaker(self) -> str | None: ...
    @property
    def attribution(self) -> Attribution: ...
    @property
    def speaker_confidence(self) -> float | None: ...


class Piece(msgspec.Struct, frozen=True):
    """Part of a line. ``heard``: what the engine heard in its place, empty when just this."""

    text: str
    heard: str = ""


def named(spoken: Spoken) -> str:
    """``Anna``, ``Anna (probably)`` where it is only known who was said to be speaking then, or
    that nobody can be named."""
    name = clean(spoken.speaker or "")
    if not name or spoken.attribution == "unknown":
        return UNKNOWN
    return f"{name} (probably)" if spoken.attribution == "active_speaker" else name


def how_sure(spoken: Spoken) -> str:
    """Why the name is no more than probable, or missing; empty where it is certain."""
    match spoken.attribution:
        case "active_speaker":
            sure = spoken.speaker_confidence
            share = "" if sure is None else f", {sure:.0%} sure"
            return f"by who Zoom said was speaking then{share}"
        case "unknown":
            return "one sound for all, and nobody can be named with confidence"
        case "stream":
            return ""


def doubt_line(utterance: Utterance) -> str:
    """``may be made up: the same words again and again``; empty when nothing speaks against the
    words."""
    if not utterance.doubt:
        return ""
    why = _DOUBTS.get(utterance.doubt, utterance.doubt.replace("_", " "))
    return f"may be made up: {why}"


def pieces(utterance: Utterance) -> tuple[Piece, ...]:
    """The text as shown, its corrected words apart; one piece when there are none. A correction
    that does not fit the text as it stands is left out."""
    text, found, done = utterance.text, [], 0
    for correction in sorted(utterance.corrections, key=lambda c: c.at):
        end = correction.at + len(correction.now)
        if correction.undone or correction.at < done or text[correction.at : end] != correction.now:
            continue
        found += [
            Piece(_part(text[done : correction.at])),
            Piece(_part(correction.now), clean(correction.was)),
        ]
        done = end
    found.append(Piece(_part(text[done:])))
    return tuple(piece for piece in found if piece.text) or (Piece(""),)


def _part(text: str) -> str:
    """Cleaned, with a space wherever it touches another part by white space."""
    return clean(f"x{text}x")[1:-1]
