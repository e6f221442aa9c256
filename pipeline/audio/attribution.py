"""Who spoke in mixed audio, by what Zoom told of the active speaker. Pure.

Zoom says who is active some time after they began, and nothing of a short word thrown in. When they
began is a guess: after one of the pauses around the news, or in the midst of somebody's words. How
late news come in this meeting is learned from those pauses. So a name has a confidence, and the
caller names nobody below a threshold.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

Span = tuple[int, int]
"""From, to; Unix ms."""

EARLY_MS: Final = 400
"""News may come so much before the first word: the clocks of Zoom's events and of its audio need
not agree, and a breath is a voice to some. (Told 0.2 s early: wrong names 2.7 % with 200 ms, 0.8
with 400.)"""

_STEP_MS: Final = 32
_REMEMBERED: Final = 512
"""Changes of speaker: over four minutes of one each half second."""
_SPANS: Final = 64
"""Of speech, remembered for news that come late: a segment of 12 s has up to twenty."""

_PAUSE_MS: Final = 64
"""Silence after which somebody else may have begun; what is shorter is within words."""

_AFTER_PAUSE: Final = 0.5
"""How likely somebody begins after a pause, for each of the one or two within the lag."""
_IN_WORDS: Final = 0.3
"""And in the midst of words, anywhere within the lag. (0.2: 1.4 % wrong
names instead of 0.9 where turns overlap by up to 20 %.)"""

_CUT: Final = 0.15
"""A pause after which the speaker changed with this probability is worth a cut: both sides of two
such are sure, only what is between them is not. The same figures from 0.08 to 0.25."""
_AROUND_MS: Final = 200
"""On each side of the likeliest place in the midst of words, where the quietest is looked for."""

_BIN_MS: Final = 100
_DOUBT: Final = 2.0
"""As many news as not knowing anything about their lags weighs."""
_FORGET: Final = 0.97
"""What a lag still counts after each further one: about thirty are remembered."""
_MOST: Final = 0.8
"""Of news are waited for. With 0.95 wrong and unknown are the same, and finals 1 s later where the
lag is 0.3 s."""

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


class Lags:
    """How late news come, from ``-EARLY_MS`` to ``most_ms``: as likely all, until learned."""

    def __init__(self, most_ms: int) -> None:
        bins = (most_ms + EARLY_MS) // _BIN_MS + 1
        self._unknown = _DOUBT / bins
        self._counts = [0.0] * bins

    def likelihood(self, lag_ms: int) -> float:
        """Of news that come so late, up to a factor."""
        at = (lag_ms + EARLY_MS) // _BIN_MS
        if not 0 <= at < len(self._counts):
            return 0.0
        return self._unknown + sum(self._counts[max(0, at - 1) : at + 2]) / 3

    def learn(self, lags: Sequence[tuple[int, float]]) -> None:
        """News came late by one of these, with weights."""
        total = sum(weight for _, weight in lags)
        if total > 0.0:
            self._counts = [count * _FORGET for count in self._counts]
            for lag_ms, weight in lags:
                self._counts[(lag_ms + EARLY_MS) // _BIN_MS] += weight / total

    def usual_ms(self) -> int:
        """The lag that ``_MOST`` do not exceed."""
        sums = list(accumulate(count + self._unknown for count in self._counts))
        return (bisect_right(sums, _MOST * sums[-1]) + 1) * _BIN_MS - EARLY_MS


@dataclass(slots=True, eq=False)
class _Change:
    """``places``: where they may have begun; ``sums``: with which probability there or before.
    Empty as long as nothing is known of it."""

    at_ms: int
    participant: str | None
    speaker: str | None
    before: _Change | None
    places: tuple[int, ...] = ()
    sums: tuple[float, ...] = ()

    def begun(self, at_ms: int) -> float:
        """The probability that they had begun at a time."""
        if not self.places:
            return float(at_ms >= self.at_ms)
        index = bisect_right(self.places, at_ms)
        return self.sums[index - 1] if index else 0.0


class ActiveSpeakers:
    """The changes Zoom told, in the order of their times, and the speech around them. ``lag_ms``:
    how late they are told at most."""

    def __init__(self, lag_ms: int) -> None:
        self._lag_ms = lag_ms
        self._lags = Lags(lag_ms)
        self._speech: deque[Span] = deque(maxlen=_SPANS)
        self._changes: deque[_Change] = deque(maxlen=_REMEMBERED)
        self._new: deque[_Change] = deque()

    def told(self, at_ms: int, participant: str | None, speaker: str | None) -> bool:
        """Somebody is the active speaker since about ``at_ms``; whether that is news."""
        before = self._changes[-1] if self._changes else None
        if before is not None and before.at_ms > at_ms:
            return False  # told again after a reconnection
        if before is not None and before.participant == participant:
            before.speaker = speaker
            return False
        change = _Change(at_ms, participant, speaker, before)
        self._changes.append(change)
        self._new.append(change)
        return True

    def heard(self, speech: Sequence[Span]) -> None:
        """Speech of a segment that is complete."""
        self._speech.extend(speech)

    def ripe(self, now_ms: float) -> bool:
        """Whether there are news that are old enough for ``cuts``."""
        return bool(self._new) and self._new[0].at_ms + EARLY_MS <= now_ms

    def cuts(self, now_ms: float, speech: Sequence[Span]) -> list[Span]:
        """Where (from, to) somebody else has begun, by news that are old enough now: an open
        segment, with this speech so far, must be cut there. In order, each told once."""
        found: list[Span] = []
        while self.ripe(now_ms):
            found += self._place(self._new.popleft(), _merged([*self._speech, *speech]))
        return sorted(found)

    def due_ms(self, speech: Sequence[Span]) -> int:
        """When news of who spoke in a complete segment have probably come."""
        return speech[-1][1] + self._lags.usual_ms() if speech else 0

    def judge(self, speech: Sequence[Span]) -> Verdict:
        """Who spoke in these spans (in order) of one segment."""
        if not speech or not self._changes:
            return NOBODY
        weights: dict[str | None, float] = {}
        for at_ms in _steps(speech):
            self._weigh(at_ms, weights)
        participant = max(weights, key=lambda one: weights[one])
        if participant is None:
            return NOBODY
        own = [change for change in self._changes if change.participant == participant]
        share = weights[participant] / sum(weights.values())
        return Verdict(participant, own[-1].speaker, share * _trust(own, speech))

    def _weigh(self, at_ms: int, weights: dict[str | None, float]) -> None:
        """Add who may have spoken at a time: the last one who had begun."""
        left = 1.0
        for change in reversed(self._changes):
            begun = change.begun(at_ms)
            if begun:
                one = change.participant
                weights[one] = weights.get(one, 0.0) + left * begun
                left *= 1.0 - begun
            if begun >= 1.0:
                return
        weights[None] = weights.get(None, 0.0) + left

    def _place(self, change: _Change, spans: list[Span]) -> list[Span]:
        """Guess where they began, learn from it how late the news came; where to cut for it."""
        before, change.before = change.before, None
        found = self._places(change.at_ms, before, spans)
        total = sum(found.values())
        if not total:
            return []
        change.places = tuple(sorted(found))
        sums = accumulate(found[place] for place in change.places)
        change.sums = tuple(min(1.0, weight / total) for weight in sums)
        pauses = [(a, b) for (_, a), (b, _) in pairwise([(0, 0), *spans]) if b in found]
        self._lags.learn([(change.at_ms - place, found[place]) for _, place in pauses])
        cuts = [pause for pause in pauses if found[pause[1]] >= _CUT * total]
        if sum(found[place] for _, place in cuts) < total / 2:
            after = {place for _, place in pauses}
            words = [place for place in change.places if place not in after]
            likeliest = max(words, key=lambda place: found[place], default=change.at_ms)
            cuts.append((likeliest - _AROUND_MS, likeliest + _AROUND_MS))
        return cuts

    def _places(self, at_ms: int, before: _Change | None, spans: list[Span]) -> dict[int, float]:
        """Where who is told at a time may have begun, with weights; not before the one before."""
        first, last = at_ms - self._lag_ms, at_ms + EARLY_MS
        found: dict[int, float] = {}
        for start, end in spans:
            places = range(start, min(end, last), _STEP_MS)
            found.update((p, _IN_WORDS * _STEP_MS / self._lag_ms) for p in places if p >= first)
            if start in found:
                found[start] = _AFTER_PAUSE
        for place in found:
            found[place] *= self._lags.likelihood(at_ms - place)
            if before is not None:
                found[place] *= before.begun(place)
        return found


def _trust(own: list[_Change], speech: Sequence[Span]) -> float:
    """In a name: short speech must be what the news were of."""
    first, last = speech[0][0] - 1, speech[-1][1]
    lasts = sum(end - start for start, end in speech)
    if lasts >= _SHORT_MS or any(c.begun(last) - c.begun(first) > 0.5 for c in own):
        return 1.0
    return _SHORT_TRUST + (1.0 - _SHORT_TRUST) * lasts / _SHORT_MS


def _merged(spans: Sequence[Span]) -> list[Span]:
    """In order, with a pause between any two."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start - found[-1][1] < _PAUSE_MS:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _steps(speech: Sequence[Span]) -> list[int]:
    return [at for start, end in speech for at in range(start + _STEP_MS // 2, end, _STEP_MS)]
