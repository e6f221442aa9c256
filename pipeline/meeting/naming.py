"""What a meeting's words are likely to be: hints before a decode, corrections after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pipeline.model.speech import Correction
from pipeline.transcribe.corrections import correct
from pipeline.transcribe.engine import Capabilities, Hints, Transcription
from pipeline.transcribe.settings import TranscribeSettings
from pipeline.transcribe.vocabulary import Terms, Vocabulary


class Naming(Protocol):
    """Of one meeting."""

    def hints(self, capabilities: Capabilities, key: str) -> Hints:
        """What may help such an engine. ``key``: as ``Hints.key``."""
        ...

    def corrected(self, heard: Transcription) -> tuple[Transcription, tuple[Correction, ...]]:
        """Text and words with names put where a near-homophone was heard, and what was changed."""
        ...


class Plain:
    """Nothing is known but the language (BCP-47; empty: unknown)."""

    def __init__(self, language: str = "") -> None:
        self._language = language

    def hints(self, capabilities: Capabilities, key: str) -> Hints:  # noqa: ARG002
        return Hints(language=self._language, key=key)

    def corrected(self, heard: Transcription) -> tuple[Transcription, tuple[Correction, ...]]:
        return heard, ()


PLAIN = Plain()


class MeetingNaming:
    """By who was there so far (``people``), the glossary and the calendar at ``at_ms``."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        settings: TranscribeSettings,
        *,
        people: Callable[[], tuple[str, ...]],
        at_ms: int,
    ) -> None:
        self._vocabulary = vocabulary
        self._settings = settings
        self._people = people
        self._at_ms = at_ms

    def hints(self, capabilities: Capabilities, key: str) -> Hints:
        return self._terms().hints(capabilities, language=self._settings.language, key=key)

    def corrected(self, heard: Transcription) -> tuple[Transcription, tuple[Correction, ...]]:
        if not self._settings.correct:
            return heard, ()
        fixed = correct(heard, self._terms())
        return fixed.transcription, fixed.corrections

    def _terms(self) -> Terms:
        return self._vocabulary.terms(self._people(), self._at_ms)
