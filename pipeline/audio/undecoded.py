"""Packets that could not be decoded, put together to losses worth telling. Pure."""

from __future__ import annotations

from pipeline.audio.closing import Lost

_APART_MS = 1_000
"""Packets that cannot be decoded, so far apart, are two losses."""

_TOLD_MS = 60_000
"""A loss that goes on is told so often."""


class Undecoded:
    """By participant. ``lost`` is what was put together so far; taken by the chain."""

    def __init__(self) -> None:
        self._spans: dict[str | None, tuple[int, int]] = {}
        self.lost: list[Lost] = []

    def add(self, participant: str | None, start_ms: int, end_ms: int) -> None:
        """A packet of this time could not be decoded."""
        first, last = self._spans.get(participant, (start_ms, end_ms))
        if abs(start_ms - last) > _APART_MS or last - first >= _TOLD_MS:
            self._give_up(participant)
            first, last = start_ms, end_ms
        self._spans[participant] = (min(first, start_ms), max(last, end_ms))

    def settle(self, now_ms: int) -> None:
        """What was not followed by more for a while is a loss."""
        for participant, (_, end_ms) in list(self._spans.items()):
            if now_ms - end_ms > _APART_MS:
                self._give_up(participant)

    def end(self) -> None:
        """Nothing follows."""
        for participant in list(self._spans):
            self._give_up(participant)

    def _give_up(self, participant: str | None) -> None:
        known = self._spans.pop(participant, None)
        if known is not None:
            self.lost.append(
                Lost(
                    participant=participant,
                    start_ms=known[0],
                    end_ms=known[1],
                    cause="unusable_audio",
                )
            )
