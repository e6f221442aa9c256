"""What people should know about the audio, told once for each kind and participant. Pure."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Kind = Literal["vad", "wrong_rate", "all_zero", "clipped", "missing"]

_TEXTS: Final[dict[Kind, str]] = {
    "vad": "the detector of speech does not load; a simpler one is used, which takes music and"
    " noise for speech",
    "wrong_rate": "the audio is of another sample rate than announced; it is heard as what it is",
    "all_zero": "ten seconds of audio were digital silence: the microphone gives nothing",
    "clipped": "the audio is too loud: its peaks are cut off, and words may be misheard",
    "missing": "packets are missing in the midst of speech; they are heard as silence",
}


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """``kind``: see the texts. ``participant`` None: mixed audio, or everybody's."""

    kind: Kind
    at_ms: int
    detail: str
    participant: str | None = None


class Notices:
    """Bounded by the kinds and the participants."""

    def __init__(self) -> None:
        self._told: set[tuple[Kind, str | None]] = set()
        self._news: list[Notice] = []

    def tell(
        self, kind: Kind, at_ms: int, participant: str | None = None, *, detail: str = ""
    ) -> None:
        """Something is not as it should be; only the first of its kind is news."""
        if (kind, participant) in self._told:
            return
        self._told.add((kind, participant))
        text = f"{_TEXTS[kind]} ({detail})" if detail else _TEXTS[kind]
        self._news.append(Notice(kind=kind, at_ms=at_ms, detail=text, participant=participant))

    def take(self) -> list[Notice]:
        """What is news since the last call."""
        news, self._news = self._news, []
        return news
