"""A unit in real time through the service's own stages, from packets to committed utterances.

Only Zoom's sockets are missing: packets are handed to the stream's ``put`` when they are due, as
the receiving task does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import msgspec
import numpy as np

from pipeline.audio.packet import Samples
from pipeline.audio.resample import RATE
from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import WINDOW, SileroVad, Vad
from pipeline.base.clock import Clock
from pipeline.evaluate.stt.corpus.mixer import ROOM_DB, decibels, pink
from pipeline.evaluate.stt.heard import Heard, Hearing
from pipeline.evaluate.stt.offline import speaker_changes
from pipeline.evaluate.stt.processor import processor_s
from pipeline.evaluate.stt.units import Unit, packets
from pipeline.meeting.parts import Parts
from pipeline.meeting.run import MeetingRun
from pipeline.model import events as ev
from pipeline.model.live import LiveWords
from pipeline.model.log import MeetingLog
from pipeline.model.speech import Segment, Utterance
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out
from pipeline.rtms.products import Announcement
from pipeline.rtms.stream import RtmsStream, Sink

_STREAM: Final = "S"
ROOM_S: Final = 2.0
_WINDOW_MS: Final = WINDOW * 1000 // RATE
_ENDED: Final = 6
"""Zoom's stop reason for a meeting that is over."""


class Due(msgspec.Struct, frozen=True, gc=False):
    """An output and when it is due, seconds after the first."""

    at_s: float
    output: out.Output


class PlayedStream:
    """Stands where a stream's sockets would be. ``lag_s``: the most that an output was late, by
    the machine's clock, when it was handed over."""

    def __init__(
        self, sink: Sink, due: Iterable[Due], clock: Clock, *, multi_stream: bool = True
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._format = out.AudioFormat("L16", RATE, 1, multi_stream, send_rate_ms=20)
        self._due = due
        self._over = asyncio.Event()
        self.began = 0.0
        self.lag_s = 0.0

    async def run(self) -> None:
        """Hand over everything in time, then the end."""
        self._sink.put(out.StreamLive(first=True))
        self._sink.put(self._format)
        self.began = self._clock.monotonic()
        for due in self._due:
            left = self.began + due.at_s - self._clock.monotonic()
            if left > 0:
                await self._clock.sleep(left)
                left = self.began + due.at_s - self._clock.monotonic()
            self.lag_s = max(self.lag_s, -left)
            self._sink.put(due.output)
            if self._over.is_set():
                break
        self._sink.put(out.StreamOver(_ENDED, "the end of the recording", False))

    def stopped(self, _reason: int | None) -> None:
        """The meeting is left."""
        self._over.set()

    def interrupted(self, _at_ms: int | None = None) -> None:
        """Nothing can be lost here."""

    def replaced(self, _announcement: Announcement) -> None:
        """There is no other address."""

    async def close(self) -> None:
        """The meeting is left."""
        self._over.set()

    async def end(self) -> None:
        """The meeting is left."""
        self._over.set()


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """A meeting that was played: its state at the end, when words appeared and when the
    first packet was due (``monotonic`` of the parts' clock), and the most a packet was late."""

    state: MeetingState
    began: float
    start_ms: int
    first: dict[str, float]
    committed: dict[str, float]
    lag_s: float


async def play(
    due: Iterable[Due],
    *,
    log: MeetingLog,
    spool: Path,
    parts: Parts,
    start_ms: int,
    multi_stream: bool = True,
) -> Played:
    """One meeting whose stream gives ``due``; returns when it is finished. Raises StorageError."""
    streams: list[PlayedStream] = []

    def stream(_announcement: Announcement, sink: Sink) -> RtmsStream:
        streams.append(PlayedStream(sink, due, parts.clock, multi_stream=multi_stream))
        return cast(RtmsStream, streams[-1])

    state = MeetingState.replay(log.meeting, await log.events())
    run = MeetingRun(meeting_log=log, state=state, spool=spool, parts=replace(parts, stream=stream))
    run.announce(Announcement("meeting", "Z", _STREAM, "wss://localhost/s", start_ms))
    committed: dict[str, float] = {}
    first: dict[str, float] = {}
    watching = [
        asyncio.create_task(_commits(log, parts.clock, committed)),
        asyncio.create_task(_partials(parts.live, log.meeting, parts.clock, first)),
    ]
    try:
        await run.run()
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    return Played(
        state=MeetingState.replay(log.meeting, await log.events()),
        began=streams[0].began,
        start_ms=start_ms,
        first=first,
        committed=committed,
        lag_s=streams[0].lag_s,
    )


async def paced(
    unit: Unit,
    *,
    log: MeetingLog,
    spool: Path,
    parts: Parts,
    mixed: bool = False,
) -> Hearing:
    """A unit, 20 ms packets each when it is due. Raises StorageError."""
    wall, cpu, start_ms = time.perf_counter(), processor_s(), parts.clock.now_ms()
    sent = in_room(unit)
    played = await play(
        unit_outputs(sent, start_ms, mixed=mixed),
        log=log,
        spool=spool,
        parts=parts,
        start_ms=start_ms,
        multi_stream=not mixed,
    )
    took = time.perf_counter() - wall, processor_s() - cpu
    return Hearing(
        heard=await asyncio.to_thread(heard, played, sent, parts.audio),
        wall_s=took[0],
        cpu_s=took[1],
        lag_s=played.lag_s,
    )


def in_room(unit: Unit) -> Unit:
    """The unit followed by ``ROOM_S`` of an almost silent room in every track: people do not leave
    with their last word, and what ends a segment is to be measured."""
    length = unit.length + round(ROOM_S * RATE)
    tracks = {}
    for number, (name, track) in enumerate(unit.tracks.items()):
        tracks[name] = pink(length, number) * np.float32(decibels(ROOM_DB))
        tracks[name][: len(track)] += track
    return msgspec.structs.replace(unit, tracks=tracks)


def unit_outputs(unit: Unit, start_ms: int, *, mixed: bool = False) -> list[Due]:
    """What a stream gives of a unit: a packet is due when its last sample has been said."""
    ids = {name: number for number, name in enumerate(unit.tracks, start=1)}
    people = tuple((str(number), name) for name, number in ids.items())
    due: list[Due] = [Due(0.0, out.PeopleJoined(people, start_ms))]
    if mixed:
        due += [
            Due(at_ms / 1000, out.SpeakerChanged(ids[name], name, start_ms + at_ms))
            for at_ms, name in speaker_changes(unit)
        ]
    for packet in packets(unit, mixed=mixed):
        number = None if packet.speaker is None else ids[packet.speaker]
        at_ms = packet.at * 1000 // RATE
        said = out.AudioReceived(number, packet.speaker, start_ms + at_ms, packet.data)
        due.append(Due((packet.at + len(packet.data) // 2) / RATE, said))
    return sorted(due, key=lambda d: d.at_s)


def heard(
    played: Played, unit: Unit, settings: AudioSettings, vad: Callable[[], Vad] = SileroVad
) -> tuple[Heard, ...]:
    """The utterances of our own engine, with their delays; by time. ``unit``: as it was played.

    Takes 4 ms a second of audio: where speech begins and ends is judged anew, by the VAD alone.
    """
    spoken = {name: _Spoken(track, settings, vad()) for name, track in unit.tracks.items()}
    everybody = list(spoken.values())
    segments = played.state.segments
    found = []
    for said in played.state.utterances.values():
        if said.segment is None or said.deleted:
            continue
        own = everybody if said.speaker not in spoken else [spoken[said.speaker]]
        found.append(_heard(played, said, segments[said.segment], own))
    return tuple(sorted(found, key=lambda h: h.start_ms))


class _Spoken:
    """When somebody speaks, in windows of the VAD."""

    def __init__(self, track: Samples, settings: AudioSettings, vad: Vad) -> None:
        whole = len(track) - len(track) % WINDOW
        values = np.array([vad.probability(track[n : n + WINDOW]) for n in range(0, whole, WINDOW)])
        self._begins = np.flatnonzero(values >= settings.vad_start)
        self._goes_on = np.flatnonzero(values >= settings.vad_stop)

    def first_ms(self, start_ms: int, end_ms: int) -> float | None:
        """Beginning of the first window of speech within."""
        found = self._begins[(self._begins >= start_ms / _WINDOW_MS)]
        return (
            float(found[0] * _WINDOW_MS) if len(found) and found[0] * _WINDOW_MS < end_ms else None
        )

    def last_ms(self, start_ms: int, end_ms: int) -> float | None:
        """End of the last window of speech within."""
        found = self._goes_on[(self._goes_on + 1) * _WINDOW_MS <= end_ms + 1]
        return (
            float((found[-1] + 1) * _WINDOW_MS)
            if len(found) and found[-1] * _WINDOW_MS >= start_ms
            else None
        )


def _heard(played: Played, said: Utterance, segment: Segment, spoken: Sequence[_Spoken]) -> Heard:
    start_ms, end_ms = said.start_ms - played.start_ms, said.end_ms - played.start_ms
    firsts = [ms for s in spoken if (ms := s.first_ms(start_ms, end_ms)) is not None]
    lasts = [ms for s in spoken if (ms := s.last_ms(start_ms, end_ms)) is not None]

    def since(at: float | None, said_ms: float) -> float | None:
        return None if at is None else at - played.began - said_ms / 1000

    return Heard(
        speaker=said.speaker,
        start_ms=start_ms,
        end_ms=end_ms,
        text=said.text,
        attribution=said.attribution,
        speaker_confidence=said.speaker_confidence,
        doubt=said.doubt,
        first_s=since(played.first.get(segment.file), min(firsts, default=start_ms)),
        final_s=since(played.committed.get(said.id), max(lasts, default=end_ms)),
    )


async def _commits(log: MeetingLog, clock: Clock, at: dict[str, float]) -> None:
    """When each utterance was committed."""
    async for event in log.follow(0):
        if isinstance(event.body, ev.UtteranceSaid):
            at.setdefault(event.body.utterance.id, clock.monotonic())


async def _partials(live: LiveWords, meeting: str, clock: Clock, at: dict[str, float]) -> None:
    """When each open segment first had words."""
    with live.watch(meeting) as watch:
        async for partials in watch:
            for partial in partials:
                if partial.committed or partial.tentative:
                    at.setdefault(partial.file, clock.monotonic())
