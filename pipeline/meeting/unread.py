"""What messages that could not be read have cost: bursts of them become holes. Pure.

A lost packet of audio shows as a hole in the stream of one participant, right to the packet. What
else was in a message cannot be told, so the time around it is.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pipeline.model.gaps import Hole

BURST_MS: Final = 5_000
"""Messages nearer to each other than this are told together, once nothing follows for so long;
words come more seldom: within ``LATE_MS``."""

LONGEST_MS: Final = 60_000
"""A burst that goes on for longer is told in parts."""

LATE_MS: Final = 10_000
"""Words come so long after they were said, at most."""

SPURT_MS: Final = 2_000
"""Whose last packet is older than this was not speaking when a message was lost."""

MOST_HOLES: Final = 50
"""Told packet by packet of one burst, or one for each who speaks where these are more."""

_WORDS: Final = frozenset({"all", "transcript"})


class _Burst(msgspec.Struct, kw_only=True):
    media: str
    from_ms: int
    first_ms: int
    last_ms: int
    count: int = 1
    ends: dict[str | None, int] = {}  # of those who spoke: where their audio goes on
    holes: list[Hole] = []
    found: int = 0  # messages that the holes account for


class Unreads:
    """Told of all media in the order of arrival, in meeting time. ``every_ms``: a packet's length.
    What is held is bounded by the kinds of media and by who speaks within a burst."""

    def __init__(self, every_ms: int = 100) -> None:
        self.every_ms = every_ms
        self._ends: dict[str | None, int] = {}
        self._words_ms = 0
        self._bursts: dict[str, _Burst] = {}

    def said(self, end_ms: int) -> None:
        """Words that could be read end here."""
        self._words_ms = max(self._words_ms, end_ms)

    def heard(self, participant: str | None, timestamp_ms: int) -> None:
        """A packet of audio that could be read."""
        end_ms = timestamp_ms + self.every_ms
        self._ends[participant] = end_ms
        told = False
        for burst in self._bursts.values():
            due_ms = burst.ends.get(participant)
            if due_ms is None:
                continue
            burst.ends[participant] = max(due_ms, end_ms)
            missing = round((timestamp_ms - due_ms) / self.every_ms)
            if not told and 0 < missing <= burst.count - burst.found:
                told = True
                burst.found += missing
                _add(burst.holes, participant, due_ms, timestamp_ms)

    def lost(self, media: str, now_ms: int) -> list[Hole]:
        """A message could not be read; the holes of a burst that is over with that."""
        told = self.tick(now_ms)
        burst = self._bursts.get(media)
        if burst is None:
            self._bursts[media] = burst = _Burst(
                media=media,
                from_ms=self._since(media, now_ms),
                first_ms=now_ms,
                last_ms=now_ms,
            )
        else:
            burst.last_ms = max(burst.last_ms, now_ms)
            burst.count += 1
        if media in _WORDS:
            self._words_ms = max(self._words_ms, now_ms)  # what is lost next was said later
        if media in ("all", "audio"):
            burst.ends = {**self._ends, **burst.ends}
        return told

    def _since(self, media: str, now_ms: int) -> int:
        if media in _WORDS:  # said since the words before, as far as can be told
            return min(now_ms - self.every_ms, max(now_ms - LATE_MS, self._words_ms))
        return now_ms - self.every_ms

    def tick(self, now_ms: int) -> list[Hole]:
        """The holes of bursts that are over."""
        if self._ends:
            self._ends = {who: ms for who, ms in self._ends.items() if ms >= now_ms - SPURT_MS}
        over = [
            burst
            for burst in self._bursts.values()
            if now_ms >= min(burst.last_ms + _window(burst.media), burst.first_ms + LONGEST_MS)
        ]
        for burst in over:
            del self._bursts[burst.media]
        return [hole for burst in over for hole in self._measured(burst)]

    def end(self) -> list[Hole]:
        """Nothing more comes."""
        bursts, self._bursts = self._bursts, {}
        return [hole for burst in bursts.values() for hole in self._measured(burst)]

    def _measured(self, burst: _Burst) -> list[Hole]:
        rest = burst.count - burst.found
        if not rest:
            return burst.holes
        what = "1 message" if rest == 1 else f"{rest} messages"
        words = "audio" if burst.media == "audio" else "words"
        hole = Hole(
            media=burst.media,
            cause="unreadable",
            from_ms=burst.from_ms,
            to_ms=max(burst.last_ms, burst.first_ms) + 1,
            detail=f"{what} from Zoom could not be read; {words} may be missing",
        )
        return [*burst.holes, hole]


def _window(media: str) -> int:
    return LATE_MS if media in _WORDS else BURST_MS


def _add(holes: list[Hole], participant: str | None, from_ms: int, to_ms: int) -> None:
    """Right to the packet, but for a flood: then the last hole of the participant is widened."""
    if len(holes) >= MOST_HOLES:
        for at in range(len(holes) - 1, -1, -1):
            if holes[at].participant == participant:
                holes[at] = msgspec.structs.replace(holes[at], to_ms=to_ms)
                return
    holes.append(
        Hole(
            media="audio",
            cause="unreadable",
            from_ms=from_ms,
            to_ms=to_ms,
            participant=participant,
            detail="audio from Zoom could not be read",
        )
    )
