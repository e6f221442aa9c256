"""Audio and video files as a stream: what Zoom would have sent, as fast as it can be heard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import structlog

from pipeline.audio.media_file import MediaFile
from pipeline.audio.packet import Samples, encode_l16
from pipeline.base.errors import BadInput
from pipeline.meeting.source import StreamSink
from pipeline.model import events as ev
from pipeline.model.gaps import Hole
from pipeline.model.log import MeetingLog
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out
from pipeline.rtms.products import Announcement

log = structlog.get_logger()

READ_TO_THE_END: Final = "read to the end"
"""How a stream of files ends well."""

RATE: Final = 16_000
PACKET_MS: Final = 100
_PACKET: Final = RATE * PACKET_MS // 1000
_AT_ONCE: Final = 20
"""Packets of each file that are read in one go: 2 s, some milliseconds of work."""


class FileSource(msgspec.Struct, frozen=True, kw_only=True):
    """A file and who speaks in it: empty when nobody said who, or whether it is one person; then it
    is heard as mixed audio is. ``size`` (bytes) and ``mtime_ns`` tell whether it is still the same;
    the participant's id is its place in the list, from 1."""

    path: str
    speaker: str
    size: int
    mtime_ns: int


class FileStream:
    """Reads all ``sources`` side by side, each from where the last segment of it in ``state`` ends:
    earlier streams heard what is before. ``zero_ms``: meeting time of their first sample.

    It waits while the chain is busy, and while ``most_pending`` segments are not transcribed: the
    spool never holds more than a minute or two, whatever the file's length.
    """

    def __init__(
        self,
        sink: StreamSink,
        *,
        sources: tuple[FileSource, ...],
        zero_ms: int,
        meeting_log: MeetingLog,
        state: MeetingState,
        most_pending: int,
    ) -> None:
        self._sink = sink
        self._sources = sources
        self._zero_ms = zero_ms
        self._log = meeting_log
        self._state = state
        self._most_pending = most_pending
        self._few = asyncio.Event()
        self._closing = asyncio.Event()
        self._done = asyncio.Event()
        self._ended = False

    # -- a stream's interface ---------------------------------------------------------------

    def interrupted(self, at_ms: int | None = None) -> None:
        """A file has no connection that could be."""

    def replaced(self, announcement: Announcement) -> None:
        """A file has no address that could change."""

    def stopped(self, reason: int | None) -> None:  # noqa: ARG002 (Zoom's)
        """Read no further."""
        self._ended = True
        self._closing.set()

    async def end(self) -> None:
        """Read no further."""
        self.stopped(None)
        await self._done.wait()

    async def close(self) -> None:
        """Leave the rest for another process."""
        self._closing.set()
        await self._done.wait()

    async def run(self) -> None:
        """Until every file is read to its end, or closed."""
        try:
            counting = asyncio.create_task(self._count_pending())
            try:
                detail = await self._read()
            finally:
                counting.cancel()
                await asyncio.wait({counting})
        finally:
            self._done.set()
        if detail is not None or self._ended:
            self._sink.put(out.StreamOver(None, detail or "stopped", False))

    # -- reading ----------------------------------------------------------------------------

    async def _read(self) -> str | None:
        """How it ended; None when closed."""
        with ExitStack() as stack:
            try:
                tracks = await asyncio.to_thread(self._open, stack)
            except BadInput as error:
                return str(error)
            self._sink.put(out.StreamLive(first=True))
            self._sink.put(out.AudioFormat("L16", RATE, 1, True, PACKET_MS))
            at = min(track.at for track in tracks)
            people = tuple((str(t.user_id), t.name) for t in tracks if t.user_id is not None)
            if people:
                self._sink.put(out.PeopleJoined(people, self._zero_ms + at * 1000 // RATE))
            while not self._closing.is_set():
                reading = asyncio.create_task(asyncio.to_thread(_together, tracks, at))
                try:
                    packets = await asyncio.shield(reading)
                finally:
                    await asyncio.wait({reading})  # no thread may be in FFmpeg when files close
                if packets is None:
                    return self._how(tracks)
                at += _AT_ONCE * _PACKET
                for user_id, name, start, data in packets:
                    ms = self._zero_ms + start * 1000 // RATE
                    self._sink.put(out.AudioReceived(user_id, name or None, ms, data))
                self._tell_missing(tracks)
                await self._room()
        return None

    def _open(self, stack: ExitStack) -> list[_Track]:
        heard = heard_until(self._state, self._zero_ms)
        tracks = []
        for number, source in enumerate(self._sources, 1):
            path = Path(source.path)
            media = MediaFile(path)
            stack.callback(media.close)
            now = path.stat()
            if (now.st_size, now.st_mtime_ns) != (source.size, source.mtime_ns):
                raise BadInput(f"{path}: has changed since its transcription began")
            whose = participant_of(number, source)
            user_id = None if whose is None else number
            tracks.append(_Track(user_id, source.speaker, media, heard.get(whose, 0)))
        return tracks

    def _how(self, tracks: list[_Track]) -> str:
        broken = [track.fault for track in tracks if track.fault is not None]
        self._tell_missing(tracks)
        return broken[0] if broken else READ_TO_THE_END

    def _tell_missing(self, tracks: list[_Track]) -> None:
        for track in tracks:
            for start, end in track.missing():
                self._sink.missing(
                    Hole(
                        media="audio",
                        cause="unusable_audio",
                        from_ms=self._zero_ms + start * 1000 // RATE,
                        to_ms=self._zero_ms + max(end, start + RATE // 1000) * 1000 // RATE,
                        participant=None if track.user_id is None else str(track.user_id),
                        detail=f"{Path(track.media.name).name} could not be decoded here",
                    )
                )

    # -- not faster than it can be heard ----------------------------------------------------

    async def _room(self) -> None:
        closing = asyncio.create_task(self._closing.wait())
        waiting = asyncio.create_task(self._wait_for_room())
        done, _ = await asyncio.wait({closing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        for task in (closing, waiting):
            task.cancel()
        await asyncio.wait({closing, waiting})
        if waiting in done:
            waiting.result()

    async def _wait_for_room(self) -> None:
        await self._sink.room()
        await self._few.wait()

    async def _count_pending(self) -> None:
        pending = len(self._state.pending)
        self._tell(pending)
        async for event in self._log.follow(self._state.last_seq):
            match event.body:
                case ev.SegmentSpooled():
                    pending += 1
                case ev.SegmentClosed():
                    pending -= 1
                case _:
                    continue
            self._tell(pending)

    def _tell(self, pending: int) -> None:
        if pending < self._most_pending:
            self._few.set()
        else:
            self._few.clear()


def participant_of(number: int, source: FileSource) -> str | None:
    """Whose the segments of the ``number``-th file are, from 1; None where nobody is named."""
    return str(number) if source.speaker else None


def heard_until(state: MeetingState, zero_ms: int) -> dict[str | None, int]:
    """By participant, the samples of each file up to the end of the last segment of it."""
    heard: dict[str | None, int] = {}
    for segment in state.segments.values():
        end = (segment.start_ms - zero_ms) * RATE // 1000 + segment.samples
        heard[segment.participant] = max(heard.get(segment.participant, 0), end)
    return heard


_Packet = tuple[int | None, str, int, bytes]
"""Participant, name, position of the first sample in the file, samples as L16."""


class _Track:
    """One file being read, in packets; used by one thread at a time."""

    def __init__(self, user_id: int | None, name: str, media: MediaFile, at: int) -> None:
        self.user_id = user_id
        self.name = name
        self.media = media
        self.at = at
        """Position of the next packet."""
        self.fault: str | None = None
        self._pieces: Iterator[Samples] | None = media.read()
        self._rest: Samples = np.zeros(0, np.float32)
        self._skip = at
        self._told = 0

    @property
    def over(self) -> bool:
        """Everything is read."""
        return self._pieces is None and not len(self._rest)

    def missing(self) -> list[tuple[int, int]]:
        """What could not be decoded, since the last call; not what an earlier stream read."""
        spans = self.media.missing[self._told :]
        self._told += len(spans)
        return [(start, end) for start, end in spans if end > self._skip]

    def until(self, end: int) -> list[_Packet]:
        """The packets that begin before ``end``."""
        packets: list[_Packet] = []
        while self.at < end and (data := self._take()) is not None:
            packets.append((self.user_id, self.name, self.at, encode_l16(data)))
            self.at += len(data)
        return packets

    def _take(self) -> Samples | None:
        while len(self._rest) < _PACKET and self._pieces is not None:
            try:
                piece = next(self._pieces)
            except StopIteration:
                self._pieces = None
            except BadInput as error:
                self.fault = str(error)
                self._pieces = None
            else:
                before = self.media.position - len(piece)
                self._rest = np.concatenate((self._rest, piece[max(0, self._skip - before) :]))
        packet, self._rest = self._rest[:_PACKET], self._rest[_PACKET:]
        return packet if len(packet) else None


def _together(tracks: list[_Track], at: int) -> list[_Packet] | None:
    """What begins within the next ``_AT_ONCE`` packets, by time; None when all are read."""
    packets = [packet for track in tracks for packet in track.until(at + _AT_ONCE * _PACKET)]
    if not packets and all(track.over for track in tracks):
        return None
    return sorted(packets, key=lambda packet: packet[2])
