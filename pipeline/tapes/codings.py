"""The table of codings of a tape that is being made from others. Pure."""

from __future__ import annotations

from pipeline.base.errors import TapeError
from pipeline.tapes.header import VERSION, AudioCoding, Version
from pipeline.tapes.reader import MAX_CODINGS


class CodingTable:
    """Gives every coding its place, in order of first use."""

    def __init__(self) -> None:
        self._places: dict[AudioCoding, int] = {}

    def place(self, coding: AudioCoding) -> int:
        """Where it stands in the header. Raises TapeError for more than a tape may have."""
        if coding not in self._places and len(self._places) >= MAX_CODINGS:
            raise TapeError(f"a tape has at most {MAX_CODINGS} ways audio is packed")
        return self._places.setdefault(coding, len(self._places))

    def entries(self) -> tuple[AudioCoding, ...]:
        """The table."""
        return tuple(self._places)

    def version(self, least: Version) -> Version:
        """The version a tape with this table needs."""
        plain = all((c.codec, c.channels) == ("opus", 1) for c in self._places)
        return least if plain or least != VERSION else 2
