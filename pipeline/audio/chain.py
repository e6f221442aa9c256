"""The audio of one stream: packets of everybody in, durable segments of speech out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from pipeline.audio import packet
from pipeline.audio.packet import UnusableAudio
from pipeline.audio.segmenter import Closed, Cue, Grown, Opened
from pipeline.audio.settings import AudioSettings
from pipeline.audio.spool import PER_MS, Head, OpenSegment, SpokenSegment, discard
from pipeline.audio.timeline import Coverage
from pipeline.audio.unpack import Coding, Unpacker
from pipeline.audio.vad import SileroVad, Vad
from pipeline.audio.voice import Voice
from pipeline.base.errors import StorageError
from pipeline.base.ids import Ids, RandomIds

log = structlog.get_logger()


_APART_MS = 1_000
"""Packets that cannot be decoded, so far apart, are two losses."""

_TOLD_MS = 60_000
"""A loss that goes on is told so often."""


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """Audio that came and could not be kept (the disk refused for too long) or decoded."""

    participant: str | None
    start_ms: int
    end_ms: int
    cause: Literal["disk_full", "unusable_audio"] = "disk_full"


class _Closing(msgspec.Struct):
    """A complete segment that is not durable yet."""

    segment: OpenSegment
    length: int

    @property
    def file(self) -> str:
        return self.segment.file

    @property
    def end(self) -> int:
        return self.segment.head.at + self.length


class _Track:
    """A voice and the segment it has open. A participant has one, and one more while audio older
    than the newest arrives (a burst of buffered audio after a reconnect)."""

    def __init__(self, voice: Voice, unpacker: Unpacker) -> None:
        self.voice = voice
        self.unpacker = unpacker
        self.open: OpenSegment | None = None
        self.fed_at = 0  # the newest time of all packets when this track got its last one
        self.fed = False  # since the last tick
        self.quiet_since: int | None = None  # tick that first found nothing new


class _Person:
    def __init__(self, participant: str | None) -> None:
        self.participant = participant
        self.speaker: str | None = None
        self.coverage = Coverage()
        self.tracks: list[_Track] = []


class AudioChain:
    """Not thread-safe: called by one worker thread at a time.

    ``spool`` must exist. Times are meeting time, Unix ms. Broken packets are counted
    (``audio_faults_total``) and never raise. While the disk refuses, audio waits in memory up to
    ``memory_s``; ``trouble`` tells the last refusal, ``pending`` what waits and ``lost`` what had
    to be given up or could not be decoded.

    Stereo is mixed down. Each participant has a decoder of her own.

    Raises UnusableAudio for a codec, rate or channel count that Zoom does not offer, EngineError
    (kind ``vad``) from the first packet when the VAD does not load.
    """

    def __init__(
        self,
        *,
        spool: Path,
        settings: AudioSettings,
        codec: str = "L16",
        sample_rate: int = 16_000,
        channels: int = 1,
        vad: Callable[[], Vad] = SileroVad,
        ids: Ids | None = None,
    ) -> None:
        self._coding = Coding(codec, sample_rate, channels)
        self._spool = spool
        self._settings = settings
        self._per_ms = sample_rate // 1000
        self._rate = sample_rate
        self._make_vad = vad
        self._ids = ids or RandomIds()
        self._spare_vads: list[Vad] = []
        self._people: dict[str | None, _Person] = {}
        self._closing: deque[_Closing] = deque()
        self._newest = 0
        self._unsynced = settings.spool_ms * 16
        self._lost: list[Lost] = []
        self._undecoded: dict[str | None, tuple[int, int]] = {}  # from and to, by participant
        self._reported: str | None = None
        self.trouble: StorageError | None = None
        """The last refusal of the disk, None once everything could be written."""

    def push(
        self, participant: str | None, speaker: str | None, timestamp_ms: int, data: bytes
    ) -> list[SpokenSegment]:
        """A packet as it arrived, in the codec told: it begins at ``timestamp_ms``. None: mixed.

        Returns segments that are complete and durable by now, anybody's.
        """
        data = self._coding.whole(data)
        if not 0 <= timestamp_ms < packet.LAST_TIME_MS:
            packet.count("bad_time")
            return self._collect()
        length = self._coding.frames(data)
        if not length:
            if data:
                self._not_decoded(participant, timestamp_ms, timestamp_ms + packet.USUAL_MS)
            return self._collect()
        if length > packet.LONGEST_MS * self._per_ms:
            packet.count("too_long")
        person = self._people.setdefault(participant, _Person(participant))
        person.speaker = speaker or person.speaker
        end_ms = timestamp_ms + length // self._per_ms
        is_news, self._newest = end_ms > self._newest, max(self._newest, end_ms)
        self._feed(person, timestamp_ms * self._per_ms, data, length)
        if is_news:
            self._end_silent(person)
        return self._collect()

    def tick(self, now_ms: int) -> list[SpokenSegment]:
        """Time passes; call it about every half second, from the same queue as the packets.

        Ends segments of people who fell silent (muted streams send nothing) and makes open ones
        durable that stopped growing. A burst that is still queued counts as not silent: a voice is
        judged by the time since the first tick that found nothing new of it.
        """
        self._retry()
        for person in self._people.values():
            for track in list(person.tracks):
                self._tick(person, track, now_ms)
        for participant, (_, end_ms) in list(self._undecoded.items()):
            if now_ms - end_ms > _APART_MS:
                self._give_up(participant)
        return self._collect()

    def break_off(self) -> list[SpokenSegment]:
        """The connection is lost: everything open ends where its audio ends."""
        for person in self._people.values():
            for track in list(person.tracks):
                self._end(person, track)
        for participant in list(self._undecoded):
            self._give_up(participant)
        self._retry()
        return self._collect()

    def flush(self) -> list[SpokenSegment]:
        """The stream is over. While ``pending``, call ``tick`` until the disk takes the rest."""
        segments = self.break_off()
        self._people.clear()
        self._spare_vads.clear()
        return segments

    @property
    def pending(self) -> int:
        """Complete segments that the disk has not taken yet."""
        return len(self._closing)

    def lost(self) -> list[Lost]:
        """What was given up since the last call; each is a gap to record. What cannot be decoded is
        told a while after the last of it."""
        lost, self._lost = self._lost, []
        return lost

    # -- packets to cues ------------------------------------------------------------------

    def _feed(self, person: _Person, at: int, data: bytes, length: int) -> None:
        for track in person.tracks:
            place = track.voice.place(at, length)
            if place == "known":
                packet.count("repeated")
                return
            if place == "ahead" and (track is person.tracks[0] or self._follows(track, at)):
                break
        else:
            if person.tracks:
                packet.count("late")
            track = _Track(
                Voice(self._rate, self._settings, person.coverage, self._lend, self._take_back),
                Unpacker(self._coding, self._settings.bridge_ms * self._per_ms),
            )
            person.tracks.append(track)
        track.fed, track.fed_at, track.quiet_since = True, self._newest, None
        try:
            samples = track.unpacker.samples(at, data)
        except UnusableAudio:
            start_ms = at // self._per_ms
            self._not_decoded(person.participant, start_ms, start_ms + length // self._per_ms)
            return
        self._apply(person, track, track.voice.push(at, samples))

    def _not_decoded(self, participant: str | None, start_ms: int, end_ms: int) -> None:
        packet.count("undecodable")
        first, last = self._undecoded.get(participant, (start_ms, end_ms))
        if abs(start_ms - last) > _APART_MS or last - first >= _TOLD_MS:
            self._give_up(participant)
            first, last = start_ms, end_ms
        self._undecoded[participant] = (min(first, start_ms), max(last, end_ms))

    def _give_up(self, participant: str | None) -> None:
        """What could not be decoded so far is one loss."""
        known = self._undecoded.pop(participant, None)
        if known is not None:
            self._lost.append(
                Lost(
                    participant=participant,
                    start_ms=known[0],
                    end_ms=known[1],
                    cause="unusable_audio",
                )
            )

    def _follows(self, track: _Track, at: int) -> bool:
        end = track.voice.end
        return end is None or at - end <= self._settings.idle_ms * self._per_ms

    def _end_silent(self, speaking: _Person) -> None:
        """End runs of people who sent nothing while others sent ``idle_ms`` of audio.

        The order of arrival alone decides, not when this machine got round to it: a replay at any
        speed yields the same segments.
        """
        for person in self._people.values():
            for track in list(person.tracks):
                if person is speaking and track is person.tracks[0]:
                    continue
                if self._newest - track.fed_at >= self._settings.idle_ms:
                    self._end(person, track)

    def _tick(self, person: _Person, track: _Track, now_ms: int) -> None:
        if not track.voice.running and track.open is None:
            return
        if track.fed or track.quiet_since is None:
            track.fed, track.quiet_since = False, now_ms
            return
        quiet = now_ms - track.quiet_since
        if quiet >= self._settings.alone_ms:
            self._end(person, track)
            return
        self._apply(person, track, track.voice.settle(now_ms * self._per_ms))
        if track.open is not None:
            self._sync(track.open)

    def _end(self, person: _Person, track: _Track) -> None:
        if track.voice.running:
            self._apply(person, track, track.voice.finish())
        if track is not person.tracks[0]:
            person.tracks.remove(track)

    def _lend(self) -> Vad:
        if not self._spare_vads:
            return self._make_vad()
        vad = self._spare_vads.pop()
        vad.reset()
        return vad

    def _take_back(self, vad: Vad) -> None:
        self._spare_vads.append(vad)

    # -- cues to files --------------------------------------------------------------------

    def _apply(self, person: _Person, track: _Track, cues: list[Cue]) -> None:
        closed: _Closing | None = None
        for cue in cues:
            match cue:
                case Opened(at, samples):
                    continues = closed.file if closed is not None and closed.end == at else None
                    head = Head(
                        at=at,
                        participant=person.participant,
                        speaker=person.speaker,
                        continues=continues,
                    )
                    track.open = OpenSegment(self._spool, head, self._ids)
                    track.open.append(packet.encode_l16(samples))
                    if continues is not None:  # before the first part is shortened
                        self._sync(track.open)
                case Grown(samples):
                    assert track.open is not None
                    track.open.append(packet.encode_l16(samples))
                case Closed(length):
                    assert track.open is not None
                    closed = _Closing(track.open, length)
                    track.open = None
                    self._closing.append(closed)
        if track.open is not None and track.open.pending >= self._unsynced:
            self._sync(track.open)

    def _sync(self, segment: OpenSegment) -> None:
        """Make an open segment durable; after a refusal only a tick tries again."""
        if self.trouble is None:
            try:
                segment.sync()
            except StorageError as error:
                self._refused(error)

    def _collect(self) -> list[SpokenSegment]:
        """Finish what is complete, in order."""
        done: list[SpokenSegment] = []
        while self._closing and self.trouble is None:
            closing = self._closing[0]
            try:
                done.append(closing.segment.finish(closing.length))
            except StorageError as error:
                self._refused(error)
            else:
                self._closing.popleft()
        if self.trouble is not None:
            self._bound()
        return done

    def _retry(self) -> None:
        """Try again what the disk refused."""
        if self.trouble is None:
            return
        refused, self.trouble = self.trouble, None
        for segment in self._unwritten():
            self._sync(segment)
        if self.trouble is None:
            self._reported = None
            log.info("spool.writes_again", after=refused.kind)

    def _refused(self, error: StorageError) -> None:
        if self._reported != error.kind:
            self._reported = error.kind
            log.error("spool.refused", kind=error.kind, error=str(error))
        self.trouble = error

    def _bound(self) -> None:
        """Give up the oldest complete segments beyond what memory may hold."""
        while len(self._closing) > 1 and self._in_memory() > self._settings.memory_s * 16_000:
            closing = self._closing.popleft()
            segment = closing.segment
            segment.abandon()
            discard(self._spool, segment.file)
            self._lost.append(
                Lost(
                    participant=segment.head.participant,
                    start_ms=segment.head.at // PER_MS,
                    end_ms=closing.end // PER_MS,
                )
            )
            log.error("spool.lost", samples=closing.length)

    def _in_memory(self) -> int:
        return sum(segment.pending for segment in self._unwritten())

    def _unwritten(self) -> list[OpenSegment]:
        opened = (t.open for person in self._people.values() for t in person.tracks)
        return [*(c.segment for c in self._closing), *(s for s in opened if s is not None)]
