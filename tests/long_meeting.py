"""Hours of a meeting on virtual time: two voices through chain, pool and log, and what they leave.

Everything is as in the service but for the engine (scripted; it takes its time on the same clock),
the detector of speech (loudness, so that a tone is speech), the notes and the log (in memory).
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from pipeline.audio.settings import AudioSettings
from pipeline.base.clock import MeetingClock
from pipeline.base.ids import SequentialIds
from pipeline.evaluate.stt.paced import Due, play
from pipeline.meeting.parts import Parts
from pipeline.model.events import MeetingOpened
from pipeline.model.log import MeetingLog
from pipeline.model.notes import Author
from pipeline.rtms import outputs as out
from pipeline.store.memory import MemoryLog
from pipeline.summarize.notes import NotesStage
from pipeline.summarize.settings import SummarizeSettings
from pipeline.summarize.writer import Proposal, Window
from pipeline.transcribe.engine import NO_HINTS, Capabilities, Hints, Pcm, Transcription
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.settings import TranscribeSettings
from tests.idle_clock import IdleClock

START_MS = 1_790_000_000_000
PACKET_MS = 100
_TALK = 48
"""Packets of a turn: 4.8 s."""
_PAUSE = 12
"""Packets of silence after it: 1.2 s."""


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch: median seconds from the end of a turn to its words, and memory at its end."""

    delay_s: float
    utterances: int
    memory_mb: float


async def meeting(clock: IdleClock, spool: Path, stretches: int, stretch_s: int) -> list[Hour]:
    """Play it; a row for each stretch."""
    parts, pool = parts_on(clock)
    log = MemoryLog("m", clock)
    await log.append(
        MeetingOpened(product="meeting", zoom_id="Z", started_ms=START_MS, engine="local")
    )
    memory: list[float] = []
    played = await play(
        _outputs(stretches * stretch_s, stretch_s, memory),
        log=log,
        spool=spool,
        parts=parts,
        start_ms=START_MS,
    )
    await pool.close()
    ends = {u.id: u.end_ms for u in played.state.utterances.values()}
    rows = []
    for number in range(stretches):
        first = START_MS + number * stretch_s * 1000
        delays = [
            played.committed[name] - played.began - (end - START_MS) / 1000
            for name, end in ends.items()
            if first <= end < first + stretch_s * 1000
        ]
        rows.append(
            Hour(
                delay_s=statistics.median(delays),
                utterances=len(delays),
                memory_mb=memory[number],
            )
        )
    return rows


def parts_on(clock: IdleClock) -> tuple[Parts, DecodePool]:
    """What the meeting is made of, and its pool, which must be closed."""
    pool = DecodePool(lambda: _Engine(clock), settings=TranscribeSettings(workers=2), clock=clock)
    parts = Parts(
        engine="local",
        clock=clock,
        speed=1.0,
        audio=AudioSettings(),
        pool=pool,
        stream=_never,
        notes=lambda meeting_log, meeting_clock: _notes(meeting_log, meeting_clock, clock),
    )
    return parts, pool


def _outputs(seconds: int, stretch_s: int, memory: list[float]) -> Iterator[Due]:
    """Two voices whose turns overlap all the time; after each stretch, what memory is in use."""
    at = np.arange(PACKET_MS * 16) / 16_000
    loud = (8_000 * np.sin(2 * np.pi * 220 * at)).astype("<i2").tobytes()
    quiet = np.zeros(PACKET_MS * 16, "<i2").tobytes()
    per_stretch = stretch_s * 1000 // PACKET_MS
    for number in range(seconds * 1000 // PACKET_MS):
        at_ms = START_MS + number * PACKET_MS
        for user in (1, 2):
            talks = (number + user * 31) % (_TALK + _PAUSE) < _TALK
            data = loud if talks else quiet
            said = out.AudioReceived(user, f"Person {user}", at_ms, data)
            yield Due((number + 1) * PACKET_MS / 1000, said)
        if (number + 1) % per_stretch == 0:
            memory.append(_memory_mb())


def _memory_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _notes(log: MeetingLog, meeting_clock: MeetingClock, clock: IdleClock) -> NotesStage:
    return NotesStage(
        log=log,
        clock=meeting_clock,
        machine=clock,
        writer=_Silent(),
        fallback=None,
        settings=SummarizeSettings(),
        ids=SequentialIds(),
    )


class _Engine:
    """Takes 0.1 s and a tenth of the audio's length, and keeps nothing."""

    capabilities = Capabilities(name="timed")

    def __init__(self, clock: IdleClock) -> None:
        self._clock = clock

    async def transcribe(self, pcm: Pcm, hints: Hints = NO_HINTS) -> Transcription:
        await self._clock.sleep(0.1 + len(pcm) / 160_000)
        return Transcription("so we said")

    async def close(self) -> None:
        """Nothing is held."""


class _Silent:
    """Has nothing to note."""

    author: Author = "model"

    async def propose(self, _window: Window) -> Proposal:
        return Proposal()


def _never(*_: object) -> object:  # type: ignore[misc]
    raise AssertionError("the meeting is played")
