"""Figures of a run. Pure."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Sequence
from typing import Final

import jiwer
import msgspec

from pipeline.evaluate.bench.figure import percentile
from pipeline.evaluate.stt.errors import Errors, characters, normalized, words
from pipeline.evaluate.stt.heard import Heard, Hearing
from pipeline.evaluate.stt.speakers import Attribution, Turn, attribution, cp_errors
from pipeline.evaluate.stt.units import Unit

SHORT_S: Final = 1.0
"""Segments shorter than this must not add a word that is not there."""

_DRAWS: Final = 2_000


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """A word that nobody said, in a short segment."""

    unit: str
    start_ms: int
    seconds: float
    word: str
    text: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One unit. ``words``: its word errors; of a meeting cpWER."""

    name: str
    seconds: float
    is_meeting: bool
    words: Errors
    characters: Errors
    attribution: Attribution | None
    said: tuple[Turn, ...]
    hearing: Hearing
    added: tuple[Added, ...] = ()

    @property
    def silent(self) -> bool:
        """Nobody speaks in it: every word heard is made up."""
        return not self.words.reference


class Quantiles(msgspec.Struct, frozen=True, kw_only=True):
    """Of a set of delays in seconds."""

    p50: float
    p95: float
    count: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All units together. Rates are shares (0..1), None where there is nothing to measure.

    ``wer`` and ``cer`` are of single clips, ``wer_low`` and ``wer_high`` the 95 % interval
    (bootstrap over clips); ``cp_wer`` of meetings. ``made_up``: words in units where nobody speaks,
    ``silent_s`` how long those are. ``rtf``: wall clock for a second of audio, ``cpu``: processor
    time for one.
    """

    units: int
    seconds: float
    segments: int
    words: int
    wer: float | None
    wer_low: float | None
    wer_high: float | None
    cer: float | None
    cp_wer: float | None
    attribution: float | None
    attribution_unknown: float | None
    made_up: int
    silent_s: float
    added: int
    doubts: int
    rtf: float
    cpu: float
    first: Quantiles | None = None
    final: Quantiles | None = None
    lag_s: float | None = None


def result(unit: Unit, hearing: Hearing) -> Result:
    """Compare what was said with what was heard."""
    heard = [Turn(speaker=h.speaker, start_ms=h.start_ms, text=h.text) for h in hearing.heard]
    text = " ".join(turn.text for turn in heard)
    named = len(unit.tracks) > 1
    return Result(
        name=unit.name,
        seconds=unit.seconds,
        is_meeting=unit.is_meeting,
        words=cp_errors(unit.turns, heard) if named else words(unit.text, text),
        characters=Errors() if named else characters(unit.text, text),
        attribution=attribution(unit.turns, heard) if named else None,
        said=unit.turns,
        hearing=hearing,
        added=added_words(unit, hearing.heard),
    )


def summary(results: Sequence[Result]) -> Summary:
    """All results together. ``results`` must not be empty."""
    clips = [r for r in results if not r.is_meeting and not r.silent]
    silent = [r for r in results if r.silent]
    wer = _sum(r.words for r in clips)
    cp = _sum(r.words for r in results if r.is_meeting)
    named = Attribution()
    for found in results:
        named += found.attribution or Attribution()
    low, high = interval([r.words for r in clips])
    heard = [h for r in results for h in r.hearing.heard]
    seconds = sum(r.seconds for r in results)
    lags = [r.hearing.lag_s for r in results if r.hearing.lag_s is not None]
    return Summary(
        units=len(results),
        seconds=seconds,
        segments=len(heard),
        words=wer.reference + cp.reference,
        wer=wer.rate,
        wer_low=low,
        wer_high=high,
        cer=_sum(r.characters for r in clips).rate,
        cp_wer=cp.rate,
        attribution=named.share,
        attribution_unknown=named.unknown / named.words if named.words else None,
        made_up=sum(r.words.insertions for r in silent),
        silent_s=sum(r.seconds for r in silent),
        added=sum(len(r.added) for r in results),
        doubts=sum(h.doubt is not None for h in heard),
        rtf=sum(r.hearing.wall_s for r in results) / seconds,
        cpu=sum(r.hearing.cpu_s for r in results) / seconds,
        first=quantiles([h.first_s for h in heard if h.first_s is not None]),
        final=quantiles([h.final_s for h in heard if h.final_s is not None]),
        lag_s=max(lags) if lags else None,
    )


def quantiles(values: Sequence[float]) -> Quantiles | None:
    """None when there are no values."""
    if not values:
        return None
    return Quantiles(p50=statistics.median(values), p95=percentile(values, 0.95), count=len(values))


def interval(errors: Sequence[Errors]) -> tuple[float | None, float | None]:
    """95 % of the error rate, by drawing clips again and again (bootstrap, always the same)."""
    if len(errors) < 2 or not any(e.reference for e in errors):
        return None, None
    rng = random.Random(1)  # noqa: S311 - not a secret
    rates = sorted(
        total.rate
        for _ in range(_DRAWS)
        if (total := _sum(rng.choices(errors, k=len(errors)))).rate is not None
    )
    return percentile(rates, 0.025), percentile(rates, 0.975)


def added_words(unit: Unit, heard: Sequence[Heard]) -> tuple[Added, ...]:
    """Words of short segments that stand where nothing was said, voice by voice."""
    found: list[Added] = []
    for speaker in unit.tracks:
        own = [h for h in heard if h.speaker == speaker or len(unit.tracks) == 1]
        said = [t for t in unit.turns if t.speaker == speaker]
        found += _added(unit.name, normalized(" ".join(t.text for t in said)).split(), own)
    return tuple(sorted(found, key=lambda added: added.start_ms))


def _added(name: str, said: Sequence[str], heard: Sequence[Heard]) -> list[Added]:
    labelled = [(word, h) for h in heard for word in normalized(h.text).split()]
    output = jiwer.process_words(" ".join(said), " ".join(word for word, _ in labelled))
    return [
        Added(unit=name, start_ms=h.start_ms, seconds=h.seconds, word=word, text=h.text)
        for chunk in output.alignments[0]
        if chunk.type == "insert"
        for word, h in labelled[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if h.seconds < SHORT_S
    ]


def _sum(errors: Iterable[Errors]) -> Errors:
    total = Errors()
    for each in errors:
        total += each
    return total
