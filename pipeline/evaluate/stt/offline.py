"""A unit as fast as it goes: through our audio chain segment by segment, or whole."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.audio.chain import AudioChain
from pipeline.audio.resample import RATE
from pipeline.audio.settings import AudioSettings
from pipeline.audio.spool import SpokenSegment, load
from pipeline.evaluate.stt.heard import Heard, Hearing
from pipeline.evaluate.stt.processor import processor_s
from pipeline.evaluate.stt.units import Unit, packets
from pipeline.transcribe.engine import Hints
from pipeline.transcribe.pool import DecodePool

_START_MS = 1_790_000_000_000
"""Meeting time of a unit's first sample."""

SPEAKER_TOLD_MS = 300
"""After somebody began, Zoom says so, in mixed audio: it must first hear that she does."""


async def segmented(
    unit: Unit, pool: DecodePool, settings: AudioSettings, hints: Hints, *, mixed: bool = False
) -> Hearing:
    """20 ms packets through the chain, what comes out of it through the pool. Raises EngineError.

    ``mixed``: all voices in one stream, with word of who speaks ``SPEAKER_TOLD_MS`` late.
    """
    wall, cpu = time.perf_counter(), processor_s()
    with tempfile.TemporaryDirectory() as folder:
        spool = Path(folder)
        spoken = await asyncio.to_thread(_segments, unit, spool, settings, mixed)
        heard = await asyncio.gather(*(_decoded(pool, spool, segment, hints) for segment in spoken))
    return Hearing(
        heard=tuple(sorted(heard, key=lambda h: h.start_ms)),
        wall_s=time.perf_counter() - wall,
        cpu_s=processor_s() - cpu,
    )


async def whole(unit: Unit, pool: DecodePool, hints: Hints) -> Hearing:
    """Each voice in one piece, without our chain. Raises EngineError."""
    wall, cpu = time.perf_counter(), processor_s()
    heard = []
    for speaker, samples in unit.tracks.items():
        found = await pool.transcribe(unit.name, samples, hints)
        end_ms = len(samples) * 1000 // RATE
        heard.append(Heard(speaker=speaker, start_ms=0, end_ms=end_ms, text=found.text))
    return Hearing(
        heard=tuple(heard),
        wall_s=time.perf_counter() - wall,
        cpu_s=processor_s() - cpu,
    )


def _segments(
    unit: Unit, spool: Path, settings: AudioSettings, mixed: bool
) -> Sequence[SpokenSegment]:
    chain = AudioChain(spool=spool, settings=settings)
    ids = {name: str(number) for number, name in enumerate(unit.tracks, start=1)}
    changes = speaker_changes(unit) if mixed else []
    spoken: list[SpokenSegment] = []
    for packet in packets(unit, mixed=mixed):
        at_ms = packet.at * 1000 // RATE
        while changes and changes[0][0] <= at_ms:
            changed_ms, name = changes.pop(0)
            chain.speaker_changed(_START_MS + changed_ms, ids[name], name)
        participant = None if packet.speaker is None else ids[packet.speaker]
        spoken += chain.push(participant, packet.speaker, _START_MS + at_ms, packet.data)
    return spoken + chain.flush()


def speaker_changes(unit: Unit) -> list[tuple[int, str]]:
    """When Zoom would say who speaks now, and whose name."""
    changes: list[tuple[int, str]] = []
    for turn in sorted(unit.turns, key=lambda turn: turn.start_ms):
        if turn.speaker is not None and (not changes or changes[-1][1] != turn.speaker):
            changes.append((turn.start_ms + SPEAKER_TOLD_MS, turn.speaker))
    return changes


async def _decoded(pool: DecodePool, spool: Path, segment: SpokenSegment, hints: Hints) -> Heard:
    pcm = await asyncio.to_thread(load, spool, segment.file)
    found = await pool.transcribe(
        "evaluation", pcm, hints, speech_ms=segment.speech_ms, voice=segment.file
    )
    return Heard(
        speaker=segment.speaker,
        start_ms=segment.start_ms - _START_MS,
        end_ms=segment.end_ms - _START_MS,
        text=found.text,
        attribution=segment.attribution,
        speaker_confidence=segment.speaker_confidence,
        doubt=found.doubt,
    )
