"""How long words take in live meetings on the local engine, in real time, 20 ms packets.

The speech is that inside moonshine's wheel: a reading, and short turns of others. Everything runs
in this process as in the service: chain, pool, partials, notes, store. Only the sockets are left
out; what they cost is in ``receive``.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from pipeline.audio.packet import Samples
from pipeline.audio.resample import RATE
from pipeline.base.errors import BadInput, EngineError
from pipeline.base.ids import RandomIds
from pipeline.config import load
from pipeline.evaluate.bench.figure import Figure, Progress, Unmeasured, figure, percentile
from pipeline.meeting.parts import Parts
from pipeline.model.events import MeetingOpened
from pipeline.rtms import outputs as out
from pipeline.store.store import Store

if TYPE_CHECKING:
    from pipeline.evaluate.stt.heard import Heard
    from pipeline.evaluate.stt.paced import Due, Played
    from pipeline.evaluate.stt.units import Unit

_NATIVE: Final = 4
"""Meetings on Zoom's own transcript beside the one on the local engine."""

_LINE_S: Final = 2.0
"""Of a native transcript: one line of each of two people in so long."""

_LAG_MS: Final = 100.0


async def one_voice(progress: Progress) -> Sequence[Figure]:
    """One person reads for three quarters of a minute. Raises Unmeasured."""
    with _needed():
        progress("45 s of one voice")
        heard, lag_s = await _measured(_reading())
    return [
        *_delays("one", heard, first_s=1.0, final_s=0.9, note="one person speaks"),
        _lag("one", lag_s, "one person speaks"),
    ]


async def two_voices(progress: Progress) -> Sequence[Figure]:
    """Two people talk over each other for three quarters of a minute. Raises Unmeasured."""
    with _needed():
        progress("45 s of two voices at once")
        heard, lag_s = await _measured(_both())
    note = "two people talk over each other all the time"
    found = _delays("two", heard, first_s=1.0, final_s=1.2, note=note)
    finals = [h.final_s for h in heard if h.final_s is not None]
    found.append(_figure("final_two_p95", percentile(finals, 0.95), "s", 2.5, len(finals), note))
    return [*found, _lag("two", lag_s, note)]


async def beside_native(progress: Progress) -> Sequence[Figure]:
    """Two voices on the local engine beside four meetings on native passthrough: does the delay
    grow? Raises Unmeasured."""
    with _needed():
        progress(f"45 s of two voices, and {_NATIVE} native meetings")
        heard, lag_s = await _measured(_both(), native=_NATIVE)
    finals = [h.final_s for h in sorted(heard, key=lambda h: h.end_ms) if h.final_s is not None]
    third = max(1, len(finals) // 3)
    grown = statistics.median(finals[-third:]) - statistics.median(finals[:third])
    note = f"two voices beside {_NATIVE} native meetings"
    return [
        _figure("final_beside_native", statistics.median(finals), "s", 1.2, len(finals), note),
        Figure(
            name="lag_growth",
            value=round(grown, 3),
            unit="s",
            floor=0.3,
            ratio=None,
            runs=len(finals),
            spread=0.0,
            note=f"delay of the last third of finals less that of the first, {note};"
            " floor: what chance makes of it",
        ),
        _lag("beside_native", lag_s, note),
    ]


@contextmanager
def _needed() -> Iterator[None]:
    """What is missing here, in words."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise Unmeasured(f"{error.name} is missing: pip install 'rtms-notes[local,eval]'") from None
    except (EngineError, BadInput) as error:
        raise Unmeasured(str(error)) from error


def _clips() -> tuple[Unit, Unit]:
    """The reading, and everything else, as a unit each."""
    import numpy as np

    from pipeline.evaluate.stt.corpus import sources
    from pipeline.evaluate.stt.sound import load_clip
    from pipeline.evaluate.stt.units import Unit

    gap = np.zeros(RATE * 7 // 10, np.float32)
    reading: list[Samples] = []
    others: list[Samples] = []
    for clip in sources.moonshine():
        place = reading if clip.speaker == "dickens" else others
        place.append(load_clip(clip))
    spaced = [piece for samples in others for piece in (samples, gap)]
    return (
        Unit(name="one", tracks={"Reader": np.concatenate(reading)}, turns=()),
        Unit(name="other", tracks={"Other": np.concatenate(spaced)}, turns=()),
    )


def _reading() -> Unit:
    return _clips()[0]


def _both() -> Unit:
    one, other = _clips()
    return msgspec.structs.replace(one, name="two", tracks={**one.tracks, **other.tracks})


async def _measured(unit: Unit, native: int = 0) -> tuple[tuple[Heard, ...], float]:
    """Final utterances of the local engine, and the most that any packet was late."""
    from pipeline.evaluate.stt.paced import heard, in_room, unit_outputs
    from pipeline.evaluate.stt.runner import parts_of

    settings = load(environ={}, flags={"general.stt": "local"}).settings
    async with AsyncExitStack() as stack:
        parts = await parts_of(stack, settings)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = Store.open(folder, clock=parts.clock, ids=RandomIds())
        stack.push_async_callback(store.close)
        start_ms = parts.clock.now_ms()
        sent = in_room(unit)
        passing = replace(parts, engine="native")
        beside = [
            _play(store, passing, _lines(start_ms, sent.length / RATE), start_ms)
            for _ in range(native)
        ]
        mine, *others = await asyncio.gather(
            _play(store, parts, unit_outputs(sent, start_ms), start_ms), *beside
        )
        lag_s = max(p.lag_s for p in (mine, *others))
        found = await asyncio.to_thread(heard, mine, sent, settings.audio)
    return found, lag_s


async def _play(store: Store, parts: Parts, due: Sequence[Due], start_ms: int) -> Played:
    from pipeline.evaluate.stt.paced import play

    log = await store.create(
        MeetingOpened(product="meeting", zoom_id="Z", started_ms=start_ms, engine=parts.engine)
    )
    return await play(due, log=log, spool=store.spool(log.meeting), parts=parts, start_ms=start_ms)


def _lines(start_ms: int, seconds: float) -> list[Due]:
    """Two people's native transcript."""
    from pipeline.evaluate.stt.paced import Due

    due = []
    for number in range(int(seconds / _LINE_S)):
        for user in (1, 2):
            at_s = number * _LINE_S + user * 0.7
            at_ms = start_ms + round(at_s * 1000)
            text = f"This is line {number} of what person {user} had to say about the plan."
            said = out.TranscriptReceived(
                user, f"Person {user}", at_ms - 1_500, at_ms, at_ms, text, "en-US", "new"
            )
            due.append(Due(at_s, said))
    return due


def _delays(
    name: str, heard: Sequence[Heard], *, first_s: float, final_s: float, note: str
) -> list[Figure]:
    first = [h.first_s for h in heard if h.first_s is not None]
    final = [h.final_s for h in heard if h.final_s is not None]
    if not final:
        raise Unmeasured("the local engine heard nothing in moonshine's recordings")
    found = []
    if first:
        median = statistics.median(first)
        found.append(_figure(f"first_{name}", median, "s p50", first_s, len(first), note))
    median = statistics.median(final)
    found.append(_figure(f"final_{name}", median, "s p50", final_s, len(final), note))
    return found


def _lag(name: str, lag_s: float, note: str) -> Figure:
    return _figure(f"receive_lag_{name}", lag_s * 1000, "ms worst", _LAG_MS, 1, note)


def _figure(name: str, value: float, unit: str, allowed: float, count: int, note: str) -> Figure:
    found = figure(name, [value], unit, [allowed], f"{note}; floor: the most allowed")
    return msgspec.structs.replace(found, runs=count)
