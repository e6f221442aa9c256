"""Who spoke in mixed audio, by what Zoom told of the active speaker. Pure.

Zoom says who is active some time after they began (``lag``), and says nothing of a short word
thrown in. So a name is a guess with a confidence; the caller names nobody below a threshold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

_STEP_MS: Final = 32
_REMEMBERED: Final = 512
"""Changes of speaker: over four minutes of one each half second."""

_SHORT_MS: Final = 1_200
"""With less speech than this, and nobody told meanwhile, it may have been a word of somebody whom
Zoom did not take for active: half a second to a second of speech is what such detectors ask for."""

_SHORT_TRUST: Final = 0.5
"""How far a single syllable is trusted to be the active speaker's: short segments are answers as
often as not."""


class Verdict(NamedTuple):
    """Who spoke, probably; ``confidence`` 0..1, 0 with nobody."""

    participant: str | None
    speaker: str | None
    confidence: float


NOBODY: Final = Verdict(None, None, 0.0)


class _Change(NamedTuple):
    at_ms: int
    participant: str | None
    speaker: str | None


class ActiveSpeakers:
    """The changes Zoom told, in the order of their times."""

    def __init__(self, lag_ms: int) -> None:
        self._lag_ms = lag_ms
        self._changes: deque[_Change] = deque(maxlen=_REMEMBERED)

    def told(self, at_ms: int, participant: str | None, speaker: str | None) -> bool:
        """Somebody is the active speaker since ``at_ms`` or before; whether that is news."""
        if self._changes and self._changes[-1].at_ms > at_ms:
            return False  # told again after a reconnection
        before = self._changes[-1].participant if self._changes else None
        self._changes.append(_Change(at_ms, participant, speaker))
        return participant != before

    def judge(
        self, speech: Sequence[tuple[int, int]], *, fresh: bool, until_ms: int | None = None
    ) -> Verdict:
        """Who spoke in these spans (Unix ms, in order) of one segment. ``fresh``: it began after a
        pause, or was split off where somebody else began. ``until_ms``: it was split for who is
        told then, who has no part in it."""
        changes = [c for c in self._changes if until_ms is None or c.at_ms < until_ms]
        if not speech or not changes:
            return NOBODY
        weights: dict[str | None, float] = {}
        for at_ms in _steps(speech):
            for participant, weight in self._weights(
                changes, at_ms, speech[0][0] if fresh else None
            ).items():
                weights[participant] = weights.get(participant, 0.0) + weight
        participant = max(weights, key=lambda one: weights[one])
        if participant is None:
            return NOBODY
        share = weights[participant] / sum(weights.values())
        name = next(c.speaker for c in reversed(changes) if c.participant == participant)
        return Verdict(participant, name, share * self._trust(changes, speech, fresh))

    def _weights(
        self, changes: list[_Change], at_ms: int, fresh_ms: int | None
    ) -> dict[str | None, float]:
        """Who may have spoken at a time: the last one told before for sure, but for who was told
        within the lag after it. ``fresh_ms``: where the segment began, if after a pause."""
        found: dict[str | None, float] = {}
        left = 1.0
        for index in range(len(changes) - 1, -1, -1):
            change = changes[index]
            if change.at_ms <= at_ms:
                found[change.participant] = found.get(change.participant, 0.0) + left
                return found
            before_ms = changes[index - 1].at_ms if index else 0
            began = self._had_begun(change.at_ms, before_ms, at_ms, fresh_ms)
            if began:
                found[change.participant] = found.get(change.participant, 0.0) + left * began
                left *= 1.0 - began
        found[None] = found.get(None, 0.0) + left
        return found

    def _had_begun(self, told_ms: int, before_ms: int, at_ms: int, fresh_ms: int | None) -> float:
        """The probability that who is told at ``told_ms`` was speaking at ``at_ms`` before. Every
        lag is as likely, but none that reaches behind who was told before (at ``before_ms``); and
        the first who is told shortly after a pause began with what follows it. Of two who are told
        then, the first may be late news of what was said before the pause."""
        if fresh_ms is not None and told_ms - self._lag_ms <= fresh_ms < told_ms:
            if before_ms <= fresh_ms:
                return 1.0
            if at_ms < before_ms:
                return 0.5
        first_ms = max(told_ms - self._lag_ms, before_ms)
        return max(0.0, (at_ms - first_ms) / (told_ms - first_ms)) if first_ms < told_ms else 0.0

    def _trust(
        self, changes: list[_Change], speech: Sequence[tuple[int, int]], fresh: bool
    ) -> float:
        lasts = sum(end - start for start, end in speech)
        start_ms = speech[0][0]
        told = any(start_ms < c.at_ms <= start_ms + self._lag_ms for c in changes)
        if lasts >= _SHORT_MS or (fresh and told):
            return 1.0
        return _SHORT_TRUST + (1.0 - _SHORT_TRUST) * lasts / _SHORT_MS


def _steps(speech: Sequence[tuple[int, int]]) -> list[int]:
    return [at for start, end in speech for at in range(start + _STEP_MS // 2, end, _STEP_MS)]
