"""Word and character errors between what was said and what was heard. Pure."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import cast

import jiwer
import msgspec


class Errors(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of an alignment; sums of them are those of all the text together."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def reference(self) -> int:
        """How much was said."""
        return self.hits + self.substitutions + self.deletions

    @property
    def wrong(self) -> int:
        """Edits from what was said to what was heard."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float | None:
        """Edits for each thing said; None when nothing was said."""
        return self.wrong / self.reference if self.reference else None

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            hits=self.hits + other.hits,
            substitutions=self.substitutions + other.substitutions,
            deletions=self.deletions + other.deletions,
            insertions=self.insertions + other.insertions,
        )


def normalized(text: str) -> str:
    """Text as Whisper's English normalizer writes it: no case, punctuation or fillers, numbers as
    digits, British spelling as American. Both sides of every figure go through it."""
    return _normalizer()(text).strip()


def words(said: str, heard: str) -> Errors:
    """Word errors; both texts are normalized first."""
    return _errors(jiwer.process_words(normalized(said), normalized(heard)))


def characters(said: str, heard: str) -> Errors:
    """Character errors, spaces included; both texts are normalized first."""
    return _errors(jiwer.process_characters(normalized(said), normalized(heard)))


def word_errors(said: list[str], heard: list[str]) -> Errors:
    """Word errors of texts that are normalized already."""
    return _errors(jiwer.process_words(" ".join(said), " ".join(heard)))


def _errors(found: jiwer.WordOutput | jiwer.CharacterOutput) -> Errors:
    return Errors(
        hits=found.hits,
        substitutions=found.substitutions,
        deletions=found.deletions,
        insertions=found.insertions,
    )


@functools.cache
def _normalizer() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer  # its tables take 30 ms

    return cast(Callable[[str], str], EnglishTextNormalizer())
