"""Audio of one stream from the receiving task to durable segments in the log.

It has a task of its own: the chain may take long after a reconnection delivered a minute of
buffered audio, and words must not wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
import structlog

from pipeline.audio.chain import AudioChain
from pipeline.audio.notices import Notice
from pipeline.audio.open_speech import HeardSoFar, OpenSpeech
from pipeline.audio.packet import Samples, UnusableAudio
from pipeline.audio.settings import AudioSettings
from pipeline.audio.spool import SpokenSegment
from pipeline.base.channel import Channel, Closed
from pipeline.base.clock import Clock
from pipeline.base.errors import EngineError
from pipeline.meeting.patient_log import RETRY
from pipeline.meeting.recorder import Recorder
from pipeline.meeting.words import sound
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.rtms import outputs as out

log = structlog.get_logger()

AUDIO = 20_000
"""Packets waiting for the audio chain: over eight minutes of four voices at 100 ms. The chain only
waits for the disk, so this fills when the disk stands still. Overflow rule: refused, measured as
a gap."""

_BATCH = 64

_AWAKE_S = 0.4
"""Two ticks: more between them means that this process stood still, and with it the receiving."""

_FASTEST = 4.0
"""In a replay at a higher speed, a stall of this machine would look like seconds of silence."""


class _Mark(Enum):
    """Things that happen to the queue, in their place among what is in it."""

    BREAK = "the connection was lost here"
    TICK = "look at the time"


_Heard = out.AudioReceived | out.AudioFormat | out.SpeakerChanged | _Mark


class PartialFeed(Protocol):
    """Shows words of what is still being said; one for all streams of a meeting."""

    def show(self, stream: str, speaking: Sequence[OpenSpeech], heard: HeardSoFar) -> None:
        """What is open in a stream now. Must return at once; ``heard`` may be called within this
        call only."""
        ...


class RecordingFeed(Protocol):
    """Keeps the audio of one stream; failures are its own business, the meeting goes on."""

    def format(self, sample_rate: int) -> None:
        """The rate of what ``tap`` gets from here on (on the event loop)."""
        ...

    def tap(self, participant: str | None, at: int, samples: Samples) -> None:
        """See ``open_speech.Tap``: in the chain's thread, never while ``format`` or ``finish``
        runs."""
        ...

    async def finish(self) -> None:
        """The stream is over, or closed: nothing more comes."""
        ...


class AudioIntake:
    """``put``, ``format``, ``break_off`` and ``tick`` never wait; ``run`` until ``close``.

    ``refuse`` is told the time of each packet that could not be used; ``on_engine`` is told when
    no audio can be used at all, and why. ``hears`` False: nothing is to be transcribed, the audio
    is only recorded.
    """

    def __init__(
        self,
        *,
        stream: str,
        spool: Path,
        settings: AudioSettings,
        recorder: Recorder,
        meeting_log: MeetingLog,
        machine: Clock,
        speed: float,
        now: Callable[[], int],
        refuse: Callable[[str, int], None],
        on_engine: Callable[[EngineError | None], Awaitable[None]],
        partials: PartialFeed | None = None,
        recording: RecordingFeed | None = None,
        hears: bool = True,
    ) -> None:
        self._stream = stream
        self._spool = spool
        self._settings = settings
        self._recorder = recorder
        self._log = meeting_log
        self._machine = machine
        self._speed = speed
        self._now = now
        self._refuse = refuse
        self._on_engine = on_engine
        self._partials = partials
        self._recording = recording
        self._hears = hears
        self._forgets = False
        self._chain: AudioChain | None = None
        self._waiting: Channel[_Heard] = Channel("audio", AUDIO)
        self._heard_ms = 0
        self._ran_on_s = 0.0  # meeting time
        self._looked_at = 0.0

    def put(self, packet: out.AudioReceived) -> bool:
        """A packet; False when there is no room."""
        return self._waiting.offer(packet)

    async def room(self) -> None:
        """Wait until less than a batch waits: for a source that could send faster than life."""
        await self._waiting.room(_BATCH)

    def format(self, told: out.AudioFormat) -> None:
        """What the packets from here on are."""
        self._waiting.offer(told)

    def speaker(self, told: out.SpeakerChanged) -> None:
        """Who speaks from here on, by Zoom's word."""
        self._waiting.offer(told)

    def break_off(self) -> None:
        """The connection was lost here."""
        self._waiting.offer(_Mark.BREAK)

    def tick(self) -> None:
        """Time passes: it must end what fell silent. Not while packets still wait."""
        if not len(self._waiting):
            self._waiting.offer(_Mark.TICK)

    def forget_open(self) -> None:
        """What somebody is saying at the end will be heard again from its beginning."""
        self._forgets = True

    def close(self) -> None:
        """Nothing more comes."""
        self._waiting.close()

    async def run(self) -> None:
        """Until closed; all audio is durable, and in the log, when it returns."""
        while (batch := await self._batch()) is not None:
            for kind, group in groupby(batch, key=type):
                if kind is out.AudioReceived:
                    await self._hear([p for p in group if isinstance(p, out.AudioReceived)])
                    continue
                for mark in group:
                    await self._mark(mark)
            self._show()
        if self._forgets and self._chain is not None:
            await self._commit(await asyncio.to_thread(self._chain.forget_open))
            self._chain = None
        await self._flush()
        self._show()
        if self._recording is not None:
            await self._recording.finish()

    def _show(self) -> None:
        """What is being said, for who shows words before they are final."""
        if self._partials is None:
            return
        if self._chain is None:
            self._partials.show(self._stream, [], _nothing)
        else:
            self._partials.show(self._stream, self._chain.speaking(), self._chain.heard)

    async def _batch(self) -> list[_Heard] | None:
        """What is waiting, at most ``_BATCH`` of it; None when there will be nothing more."""
        try:
            batch = [await self._waiting.get()]
            while len(self._waiting) and len(batch) < _BATCH:
                batch.append(await self._waiting.get())
        except Closed:
            return None
        return batch

    async def _hear(self, packets: list[out.AudioReceived]) -> None:
        if self._chain is None:
            for packet in packets:
                self._refuse("unusable_audio", packet.timestamp_ms)
            return
        try:
            spoken = await asyncio.to_thread(_push_all, self._chain, packets)
        except EngineError as error:
            log.exception("stream.no_vad", stream=self._stream)
            await self._on_engine(error)
            self._chain = None
            await self._hear(packets)
            return
        self._heard_ms = packets[-1].timestamp_ms
        self._ran_on_s = 0.0
        self._looked_at = self._machine.monotonic()
        await self._commit(spoken)

    async def _mark(self, mark: _Heard) -> None:
        if isinstance(mark, out.AudioFormat):
            await self._flush()
            await self._make_chain(mark)
        elif self._chain is None:
            return
        elif isinstance(mark, out.SpeakerChanged):
            await self._speaker(self._chain, mark)
        elif mark is _Mark.BREAK:
            await self._commit(await asyncio.to_thread(self._chain.break_off))
        elif self._heard_ms:
            await self._commit(await asyncio.to_thread(self._chain.tick, self._ran_on()))

    def _ran_on(self) -> int:
        """Meeting time at this tick. It runs on since the last packet as far as this process was
        awake to receive another: between two ticks no more than ``_AWAKE_S``, and no faster than
        ``_FASTEST``."""
        now = self._machine.monotonic()
        self._ran_on_s += min(now - self._looked_at, _AWAKE_S) * min(self._speed, _FASTEST)
        self._looked_at = now
        return self._heard_ms + int(self._ran_on_s * 1000)

    async def _speaker(self, chain: AudioChain, told: out.SpeakerChanged) -> None:
        participant = None if told.user_id is None else str(told.user_id)
        name = sound(told.user_name) if told.user_name else None
        if name is None and participant is not None:
            name = self._recorder.name_of(participant)
        await asyncio.to_thread(chain.speaker_changed, told.at_ms, participant, name)
        await self._commit([])

    async def _make_chain(self, told: out.AudioFormat) -> None:
        try:
            self._chain = AudioChain(
                spool=self._spool,
                settings=self._settings,
                codec=told.codec,
                sample_rate=told.sample_rate,
                channels=told.channels,
                tap=None if self._recording is None else self._recording.tap,
                hears=self._hears,
            )
            if self._recording is not None:
                self._recording.format(told.sample_rate)
        except UnusableAudio as error:
            log.exception("stream.unusable_audio", stream=self._stream)
            await self._on_engine(EngineError(str(error), kind=error.kind))

    async def _flush(self) -> None:
        if self._chain is None:
            return
        await self._commit(await asyncio.to_thread(self._chain.flush))
        for delay in RETRY.delays():
            if not self._chain.pending:
                break
            await self._machine.sleep(delay)
            await self._commit(await asyncio.to_thread(self._chain.tick, self._now()))
        self._chain = None

    async def _commit(self, spoken: list[SpokenSegment]) -> None:
        assert self._chain is not None
        for segment in spoken:
            await self._log.append(*spooled(self._recorder, self._stream, segment))
        for notice in self._chain.notices():
            log.warning("audio.odd", stream=self._stream, kind=notice.kind, detail=notice.detail)
            await self._log.append(*odd(self._recorder, self._stream, notice))
        for lost in self._chain.lost():
            await self._log.append(
                *self._recorder.gap(
                    from_ms=lost.start_ms,
                    to_ms=lost.end_ms,
                    media="audio",
                    cause=lost.cause,
                    stream=self._stream,
                    participant=lost.participant,
                )
            )


def _nothing(file: str, since: int = 0) -> Samples:  # noqa: ARG001
    return np.zeros(0, np.float32)


def odd(recorder: Recorder, stream: str, notice: Notice) -> list[ev.Body]:
    """What people are told of audio that is not as it should be."""
    if notice.kind == "vad":
        return [
            ev.StageChanged(
                stage="stream",
                state="degraded",
                at_ms=notice.at_ms,
                error="vad",
                detail=notice.detail,
            )
        ]
    name = recorder.name_of(notice.participant) if notice.participant is not None else None
    whose = "" if notice.participant is None else f"{name or notice.participant}: "
    told = out.ProtocolFault(socket="audio", reason=notice.kind, detail=whose + notice.detail)
    return recorder.beside.fault(stream, told, notice.at_ms)


def spooled(recorder: Recorder, stream: str, segment: SpokenSegment) -> list[ev.Body]:
    """The event that makes a durable segment part of the meeting."""
    _, bodies = recorder.spooled(
        stream=stream,
        participant=segment.participant,
        speaker=segment.speaker,
        start_ms=segment.start_ms,
        end_ms=segment.end_ms,
        file=segment.file,
        samples=segment.samples,
        attribution=segment.attribution,
        speaker_confidence=segment.speaker_confidence,
        speech_ms=segment.speech_ms,
        level_db=segment.level_db,
        joined=segment.joined,
    )
    return bodies


def _push_all(chain: AudioChain, packets: list[out.AudioReceived]) -> list[SpokenSegment]:
    return [
        segment
        for packet in packets
        for segment in chain.push(
            None if packet.user_id is None else str(packet.user_id),
            sound(packet.user_name) if packet.user_name else None,
            packet.timestamp_ms,
            packet.data,
        )
    ]
