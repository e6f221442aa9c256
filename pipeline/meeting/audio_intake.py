"""Audio of one stream from the receiving task to durable segments in the log.

It has a task of its own: the chain may take long after a reconnection delivered a minute of
buffered audio, and words must not wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from itertools import groupby
from pathlib import Path

import structlog

from pipeline.audio.chain import AudioChain
from pipeline.audio.packet import UnusableAudio
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


class _Mark(Enum):
    """Things that happen to the queue, in their place among what is in it."""

    BREAK = "the connection was lost here"
    TICK = "look at the time"


_Heard = out.AudioReceived | out.AudioFormat | _Mark


class AudioIntake:
    """``put``, ``format``, ``break_off`` and ``tick`` never wait; ``run`` until ``close``.

    ``refuse`` is told the time of each packet that could not be used; ``on_engine`` is told when
    no audio can be used at all, and why.
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
        self._chain: AudioChain | None = None
        self._waiting: Channel[_Heard] = Channel("audio", AUDIO)
        self._heard_ms = 0
        self._heard_at = 0.0

    def put(self, packet: out.AudioReceived) -> bool:
        """A packet; False when there is no room."""
        return self._waiting.offer(packet)

    def format(self, told: out.AudioFormat) -> None:
        """What the packets from here on are."""
        self._waiting.offer(told)

    def break_off(self) -> None:
        """The connection was lost here."""
        self._waiting.offer(_Mark.BREAK)

    def tick(self) -> None:
        """Time passes: it must end what fell silent. Not while packets still wait."""
        if not len(self._waiting):
            self._waiting.offer(_Mark.TICK)

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
        await self._flush()

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
        self._heard_at = self._machine.monotonic()
        await self._commit(spoken)

    async def _mark(self, mark: _Heard) -> None:
        if isinstance(mark, out.AudioFormat):
            await self._flush()
            await self._make_chain(mark)
        elif self._chain is None:
            return
        elif mark is _Mark.BREAK:
            await self._commit(await asyncio.to_thread(self._chain.break_off))
        elif self._heard_ms:
            ran_on = (self._machine.monotonic() - self._heard_at) * self._speed
            now = self._heard_ms + int(ran_on * 1000)
            await self._commit(await asyncio.to_thread(self._chain.tick, now))

    async def _make_chain(self, told: out.AudioFormat) -> None:
        try:
            self._chain = AudioChain(
                spool=self._spool,
                settings=self._settings,
                codec=told.codec,
                sample_rate=told.sample_rate,
                channels=told.channels,
            )
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
