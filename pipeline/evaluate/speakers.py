"""How well speakers of mixed audio are told: a simulated meeting through our segmenter. Pure.

Four people take turns of 0.8 to 12 s, 0.1 to 1.2 s apart, a fifth of them begun before the turn
before is over, with pauses of 0.2 to 1.2 s in them; now and then somebody throws in a word of 0.25
to 0.8 s. Zoom tells of who speaks for at least ``_ACTIVE_MS``, some time later, and never of who
only throws in a word while another speaks. What Zoom really takes for active is not documented:
there is a kind meeting, told within 1.4 s, one that is told late, and a harsh one, told late and
not always.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from pipeline.audio.attribution import ActiveSpeakers, Span, Verdict
from pipeline.audio.segmenter import Closed, Cue, Opened, Segmenter
from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import WINDOW

_WINDOW_MS: Final = WINDOW // 16
_ACTIVE_MS: Final = 600
_PEOPLE: Final = 4
_STEP_MS: Final = 8


class Turn(NamedTuple):
    """Somebody speaks, from and to a time."""

    start_ms: int
    end_ms: int
    who: str


class Zoom(NamedTuple):
    """How the active speaker is told: so late (ms, from and to), and so often not at all."""

    lag_ms: tuple[int, int] = (200, 1_400)
    silent: float = 0.0


KIND: Final = Zoom()
LATE: Final = Zoom((200, 2_500))
HARSH: Final = Zoom((200, 2_500), 0.1)


class Judged(NamedTuple):
    """One segment: who was named, and for how many milliseconds of its speech this one spoke."""

    verdict: Verdict
    speech_ms: int
    right_ms: int


class Told(NamedTuple):
    """Shares of speech time, 0..1: named at all, and of that, by a wrong name."""

    named: float
    wrong: float


def meeting(seed: int, minutes: int) -> list[Turn]:
    """Turns of a meeting, by start."""
    rng = random.Random(seed)  # noqa: S311
    turns: list[Turn] = []
    now, who = 1_000, "0"
    while now < minutes * 60_000:
        who = rng.choice([str(n) for n in range(_PEOPLE) if str(n) != who])
        end = now + int(rng.triangular(800, 12_000, 2_500))
        turns.append(Turn(now, end, who))
        if rng.random() < 0.3:
            other = rng.choice([str(n) for n in range(_PEOPLE) if str(n) != who])
            at = rng.randint(now, end + 1_000)
            turns.append(Turn(at, at + rng.randint(250, 800), other))
        now = end + rng.randint(-500, 0) if rng.random() < 0.2 else end + rng.randint(100, 1_200)
    return sorted(turns)


def news(turns: list[Turn], seed: int, zoom: Zoom = KIND) -> list[tuple[int, str]]:
    """What Zoom tells of the active speaker: time and name."""
    rng = random.Random(seed)  # noqa: S311
    told: list[tuple[int, str]] = []
    for turn in turns:
        alone = not any(
            other.start_ms < turn.start_ms and turn.end_ms < other.end_ms for other in turns
        )
        lasts = turn.end_ms - turn.start_ms
        if alone and lasts >= _ACTIVE_MS and rng.random() >= zoom.silent:
            told.append((turn.start_ms + rng.randint(*zoom.lag_ms), turn.who))
    return sorted(told)


def judged(turns: list[Turn], told: list[tuple[int, str]], settings: AudioSettings) -> list[Judged]:
    """The segments of the meeting, cut and named as the chain does it."""
    rng = np.random.default_rng(7)
    length = max(turn.end_ms for turn in turns) // _WINDOW_MS + 60
    voices = np.zeros(length, np.int64)
    for turn in turns:
        for start_ms, end_ms in _talk(turn):
            voices[start_ms // _WINDOW_MS : end_ms // _WINDOW_MS] += 1
    # Words and the short pauses between them: what is loud or soft within a turn.
    loud = np.where(voices > 0, rng.uniform(0.05, 0.3, length) * np.maximum(1, voices), 0.001)
    segmenter, speakers = Segmenter(settings), ActiveSpeakers(settings.speaker_lag_ms)
    segmenter.begin(0)
    news_left = deque(told)
    unnamed: deque[tuple[int, list[Span]]] = deque()
    found: list[Judged] = []
    at = 0

    def take(cues: list[Cue]) -> None:
        nonlocal at
        for cue in cues:
            match cue:
                case Opened(begins, _):
                    at = begins
                case Closed(_, speech) if speech:
                    spans = _in_ms(at, speech)
                    speakers.heard(spans)
                    longest_ms = spans[-1][1] + settings.hangover_ms + settings.speaker_wait_ms
                    unnamed.append((min(speakers.due_ms(spans), longest_ms), spans))

    def settle(now_ms: float) -> None:
        speech = _in_ms(at, segmenter.speech()) if speakers.ripe(now_ms) else []
        for first_ms, last_ms in speakers.cuts(now_ms, speech):
            take(segmenter.split(first_ms * 16, last_ms * 16))
        while unnamed and unnamed[0][0] <= now_ms:
            _, spans = unnamed.popleft()
            verdict = speakers.judge(spans)
            lasts = sum(end - start for start, end in spans)
            found.append(Judged(verdict, lasts, _right(turns, spans, verdict)))

    for index in range(length):
        now_ms = index * _WINDOW_MS
        while news_left and news_left[0][0] <= now_ms:
            told_ms, who = news_left.popleft()
            speakers.told(told_ms, who, who)
        window = np.full(WINDOW, loud[index], np.float32)
        take(segmenter.push(window, 0.95 if voices[index] else 0.05))
        settle(now_ms)
    take(segmenter.end())
    settle(math.inf)
    return found


def _in_ms(at: int, speech: Sequence[Span]) -> list[Span]:
    return [((at + start) // 16, (at + end) // 16) for start, end in speech]


def score(found: list[Judged], least: float) -> Told:
    """What a threshold makes of the verdicts."""
    whole = sum(one.speech_ms for one in found)
    named = [one for one in found if one.verdict.confidence >= least]
    wrong = sum(one.speech_ms - one.right_ms for one in named)
    lasts = sum(one.speech_ms for one in named)
    return Told(lasts / max(1, whole), wrong / max(1, lasts))


def _talk(turn: Turn) -> list[tuple[int, int]]:
    """A turn without its pauses: one about every three seconds."""
    rng = random.Random(turn.start_ms)  # noqa: S311
    spans: list[tuple[int, int]] = []
    at = turn.start_ms
    while at < turn.end_ms:
        end = at + rng.randint(1_500, 4_500)
        spans.append((at, min(end, turn.end_ms)))
        at = end + rng.randint(200, 1_200)
    return spans


def _right(turns: list[Turn], spans: list[tuple[int, int]], verdict: Verdict) -> int:
    """For how long in these spans who was named spoke."""
    own = [turn for turn in turns if turn.who == verdict.participant]
    steps = [at for start, end in spans for at in range(start + _STEP_MS // 2, end, _STEP_MS)]
    return sum(_STEP_MS for at in steps if _speaks(own, at))


def _speaks(turns: list[Turn], at_ms: int) -> bool:
    after = bisect_right(turns, at_ms, key=lambda turn: turn.start_ms)
    return any(at_ms < turn.end_ms for turn in turns[max(0, after - 3) : after])
