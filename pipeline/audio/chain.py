"""The audio of one stream: packets of everybody in, durable segments of speech out."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.audio import packet
from pipeline.audio.closing import Closing, Lost
from pipeline.audio.codecs import CODECS
from pipeline.audio.detectors import Detectors
from pipeline.audio.gate import Gate, WebrtcGate
from pipeline.audio.notices import Notice, Notices
from pipeline.audio.open_speech import OpenSpeech, Tap
from pipeline.audio.packet import Samples, UnusableAudio
from pipeline.audio.rate_check import Arrived, Early
from pipeline.audio.settings import AudioSettings
from pipeline.audio.spool import PER_MS, OpenSegment, SpokenSegment, discard
from pipeline.audio.tapping import Tapping
from pipeline.audio.track import Person, Track
from pipeline.audio.undecoded import Undecoded
from pipeline.audio.unpack import Coding, Unpacker
from pipeline.audio.vad import SileroVad, Vad
from pipeline.audio.voice import Oddity, Outside, Voice
from pipeline.audio.writing import Writer
from pipeline.base.errors import EngineError, StorageError
from pipeline.base.ids import Ids, RandomIds

_LOOK_MS = 100
"""Of audio, between two looks for people who fell silent."""


class AudioChain:
    """Not thread-safe: called by one worker thread at a time.

    ``spool`` must exist. Times are meeting time, Unix ms. Broken packets are counted
    (``audio_faults_total``) and never raise. While the disk refuses, audio waits in memory up to
    ``memory_s``; ``trouble`` tells the last refusal, ``pending`` what waits and ``lost`` what had
    to be given up or could not be decoded.

    Stereo is mixed down. Each participant has a decoder of her own. ``hears`` False: nothing is
    looked for, ``tap`` alone gets the audio.

    Raises UnusableAudio for a codec, rate or channel count that Zoom does not offer, EngineError
    (kind ``vad``) from the first sound when neither detector loads.
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
        gate: Callable[[], Gate] = WebrtcGate,
        ids: Ids | None = None,
        tap: Tap | None = None,
        hears: bool = True,
    ) -> None:
        self._spool = spool
        self._settings = settings
        self._gate = gate
        self._hears = hears
        self._tapping = None if tap is None else Tapping(tap, sample_rate)
        self._detectors = Detectors(vad, self._simpler)
        self._people: dict[str | None, Person] = {}
        self._newest = 0
        self._looked_at = 0
        self._undecoded = Undecoded()
        self._notices = Notices()
        self._closing = Closing(spool, int(settings.memory_s * 1000) * PER_MS, self._open_segments)
        self._writer = Writer(spool, settings, ids or RandomIds(), self._closing, self._notices)
        self._early: Early | None = Early(sample_rate, CODECS["L16"][0])
        self._be(Coding(codec, sample_rate, channels))
        if self._coding.codec != "L16":  # of the others, a byte says what it lasts
            self._are_sure()

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
        if self._early is not None:
            rate = self._early.saw((participant, speaker, timestamp_ms, data), length)
            if rate == self._rate:
                self._are_sure()
            elif rate is not None:
                return self._start_again(rate, self._early.packets)
        self._take(participant, speaker, timestamp_ms, data, length)
        self._name(self._newest)
        return self._collect()

    def tick(self, now_ms: int) -> list[SpokenSegment]:
        """Time passes; call it about every half second, from the same queue as the packets.

        Ends segments of people who fell silent (muted streams send nothing) and makes open ones
        durable that stopped growing. A burst that is still queued counts as not silent: a voice is
        judged by the time since the first tick that found nothing new of it.
        """
        self._closing.retry()
        for person in self._people.values():
            for track in list(person.tracks):
                self._tick(person, track, now_ms)
        self._undecoded.settle(now_ms)
        self._name(now_ms)
        return self._collect()

    def break_off(self) -> list[SpokenSegment]:
        """The connection is lost. What is open waits ``outage_ms`` for what Zoom has kept: words
        that go on where they broke off are not cut."""
        for person in self._people.values():
            for track in person.tracks:
                track.away = True
                if track.open is not None:
                    self._closing.sync(track.open)
        self._undecoded.end()
        self._closing.retry()
        return self._collect()

    def flush(self) -> list[SpokenSegment]:
        """The stream is over. While ``pending``, call ``tick`` until the disk takes the rest."""
        self._are_sure()
        for person in self._people.values():
            for track in list(person.tracks):
                self._end(person, track)
        self._name(math.inf)
        self._undecoded.end()
        self._closing.retry()
        segments = self._collect()
        self._people.clear()
        self._detectors.clear()
        return segments

    def forget_open(self) -> list[SpokenSegment]:
        """For a source that is read again from behind the last segment: what is open is dropped, so
        that no word is cut in two. What is complete by now is told as ever."""
        self._discard_open()
        for person in self._people.values():
            for track in person.tracks:
                track.open = None
        self._name(math.inf)
        return self._collect()

    def speaker_changed(self, at_ms: int, participant: str | None, name: str | None) -> None:
        """Zoom says who speaks from about now on. In mixed audio that names the segments, and one
        that is open is cut where they probably began."""
        self._writer.speakers.told(at_ms, participant, name)

    def speaking(self) -> list[OpenSpeech]:
        """The segments that are open, by person. Call it between pushes."""
        return [
            self._writer.speech(person, track, track.open)
            for person in self._people.values()
            for track in person.tracks
            if track.open is not None
        ]

    def heard(self, file: str, since: int = 0) -> Samples:
        """See ``HeardSoFar``. Call it between pushes."""
        for segment in self._open_segments():
            if segment.file == file:
                return segment.heard(since)
        return np.zeros(0, np.float32)

    @property
    def trouble(self) -> StorageError | None:
        """The last refusal of the disk, None once everything could be written."""
        return self._closing.trouble

    @property
    def pending(self) -> int:
        """Complete segments that the disk has not taken yet."""
        return len(self._closing)

    def lost(self) -> list[Lost]:
        """What was given up since the last call; each is a gap to record. What cannot be decoded is
        told a while after the last of it."""
        lost = self._closing.lost + self._undecoded.lost
        self._closing.lost, self._undecoded.lost = [], []
        return lost

    def notices(self) -> list[Notice]:
        """What should be told since the last call."""
        return self._notices.take()

    # -- is the rate as announced? ----------------------------------------------------------

    def _be(self, coding: Coding) -> None:
        self._coding = coding
        self._rate = coding.rate
        self._per_ms = coding.rate // 1000
        self._outside = Outside(
            self._settings,
            coding.rate,
            self._detectors.lend,
            self._detectors.take_back,
            self._gate,
        )

    def _discard_open(self) -> None:
        for segment in self._open_segments():
            segment.abandon()
            discard(self._spool, segment.file)

    def _are_sure(self) -> None:
        self._early = None
        if self._tapping is not None:
            self._tapping.sure()

    def _start_again(self, rate: int, early: list[Arrived]) -> list[SpokenSegment]:
        """The samples are of another rate: what was misheard so far is heard anew."""
        told, self._early = self._rate, None
        packet.count("wrong_rate")
        self._notices.tell("wrong_rate", early[-1][2], detail=f"announced {told}, really {rate} Hz")
        self._discard_open()
        self._closing.drop()
        self._people.clear()
        self._be(Coding(self._coding.codec, rate, self._coding.channels))
        if self._tapping is not None:
            self._tapping.really(rate)
        for participant, speaker, timestamp_ms, data in early:
            self._take(participant, speaker, timestamp_ms, data, self._coding.frames(data))
        return self._collect()

    # -- packets to cues --------------------------------------------------------------------

    def _take(
        self,
        participant: str | None,
        speaker: str | None,
        timestamp_ms: int,
        data: bytes,
        length: int,
    ) -> None:
        person = self._people.get(participant)
        if person is None:
            person = self._people[participant] = Person(participant)
        person.speaker = speaker or person.speaker
        end_ms = timestamp_ms + length // self._per_ms
        self._newest = max(self._newest, end_ms)
        self._feed(person, timestamp_ms * self._per_ms, data, length)
        if self._newest - self._looked_at >= _LOOK_MS:
            self._looked_at = self._newest
            self._end_silent(person)

    def _feed(self, person: Person, at: int, data: bytes, length: int) -> None:
        for track in person.tracks:
            place = track.voice.place(at, length)
            if place == "known":
                packet.count("repeated")
                return
            if place == "hole" and self._fill(person, track, at, data):
                return
            if place == "ahead" and (track is person.tracks[0] or self._follows(track, at)):
                break
        else:
            if person.tracks:
                packet.count("late")
                person.tracks[0].voice.late(at)
            track = self._track(person)
        track.fed, track.fed_at, track.quiet_since = True, self._newest, None
        track.away = False
        self._writer.apply(person, track, track.voice.push(at, length, data))

    def _fill(self, person: Person, track: Track, at: int, data: bytes) -> bool:
        """Put a late packet in its place, where silence stands for it; whether there was one."""
        try:
            samples = track.unpacker.late(at, data)
        except UnusableAudio:
            return False  # told when it is decoded for a track of its own
        cues = track.voice.fill(at, samples)
        if cues is None:
            return False
        packet.count("late")
        track.voice.late(at)
        self._writer.apply(person, track, cues)
        return True

    def _track(self, person: Person) -> Track:
        unpacker = Unpacker(self._coding, self._settings.bridge_ms * self._per_ms)

        def unpack(at: int, data: bytes) -> Samples:
            try:
                return unpacker.samples(at, data)
            except UnusableAudio:
                start_ms = at // self._per_ms
                lasts_ms = self._coding.frames(data) // self._per_ms
                self._not_decoded(person.participant, start_ms, start_ms + lasts_ms)
                return np.zeros(0, np.float32)

        def odd(kind: Oddity) -> None:
            packet.count(kind)
            self._notices.tell(kind, self._newest, person.participant)

        tap = None if self._tapping is None else self._tapping.voice(person.participant)
        track = Track(
            unpacker, Voice(self._outside, person.coverage, unpack, tap, odd, self._hears)
        )
        person.tracks.append(track)
        return track

    def _not_decoded(self, participant: str | None, start_ms: int, end_ms: int) -> None:
        packet.count("undecodable")
        self._undecoded.add(participant, start_ms, end_ms)

    def _follows(self, track: Track, at: int) -> bool:
        end = track.voice.end
        return end is None or at - end <= self._settings.idle_ms * self._per_ms

    def _end_silent(self, speaking: Person) -> None:
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

    def _tick(self, person: Person, track: Track, now_ms: int) -> None:
        if not track.voice.running and track.open is None:
            return
        if track.fed or track.quiet_since is None:
            track.fed, track.quiet_since = False, now_ms
            return
        if now_ms - track.quiet_since >= self._patience(track):
            self._end(person, track)
            return
        self._writer.apply(person, track, track.voice.settle(now_ms * self._per_ms))
        if track.open is not None:
            self._closing.sync(track.open)

    def _patience(self, track: Track) -> int:
        if track.away:
            return self._settings.outage_ms
        return self._settings.stall_ms if track.voice.mid_speech else self._settings.alone_ms

    def _end(self, person: Person, track: Track) -> None:
        if track.voice.running:
            self._writer.apply(person, track, track.voice.finish())
        if track is not person.tracks[0]:
            person.tracks.remove(track)

    def _name(self, now_ms: float) -> None:
        mixed = self._people.get(None)
        if mixed is not None:
            self._writer.settle(mixed, now_ms)

    def _simpler(self, error: EngineError) -> None:
        self._notices.tell("vad", self._newest, detail=str(error))

    def _open_segments(self) -> list[OpenSegment]:
        opened = (track.open for person in self._people.values() for track in person.tracks)
        return [segment for segment in opened if segment is not None]

    def _collect(self) -> list[SpokenSegment]:
        return self._closing.collect()
