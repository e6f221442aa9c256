"""What a voice tells becomes files of the spool, and gets its speaker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.audio import packet
from pipeline.audio.attribution import ActiveSpeakers, Verdict
from pipeline.audio.closing import ClosedSegment, Closing
from pipeline.audio.notices import Notices
from pipeline.audio.open_speech import OpenSpeech
from pipeline.audio.segmenter import Closed, Cue, Grown, Opened, Patched
from pipeline.audio.settings import AudioSettings
from pipeline.audio.soundness import is_clipped
from pipeline.audio.spool import PER_MS, Head, OpenSegment
from pipeline.audio.track import Person, Track
from pipeline.base.ids import Ids
from pipeline.model.speech import Attribution

_GUESS_SAMPLES = 8_000
"""An open segment of mixed audio that grew by so much (0.5 s) is judged anew."""


class _Change(NamedTuple):
    """Somebody else spoke from a cut on, told at a time; ``sure``: the cut is where they began."""

    told_ms: int
    sure: bool


class Writer:
    """``speakers``: what Zoom told of who is active; it names the segments of mixed audio."""

    def __init__(
        self,
        spool: Path,
        settings: AudioSettings,
        ids: Ids,
        closing: Closing,
        notices: Notices,
    ) -> None:
        self.speakers = ActiveSpeakers(settings.speaker_lag_ms)
        self._spool = spool
        self._ids = ids
        self._closing = closing
        self._notices = notices
        self._lag_ms = settings.speaker_lag_ms
        self._least = settings.min_speaker_confidence
        self._unsynced = settings.spool_ms * PER_MS

    def apply(
        self, person: Person, track: Track, cues: list[Cue], change: _Change | None = None
    ) -> None:
        """Do what a voice says. ``change``: a cut in it is for a change of speaker."""
        closed: ClosedSegment | None = None
        for cue in cues:
            match cue:
                case Opened(at, samples):
                    before = closed.file if closed is not None and closed.end == at else None
                    track.fresh = before is None or (change is not None and change.sure)
                    head = Head(
                        at=at,
                        participant=person.participant,
                        speaker=person.speaker,
                        continues=before,
                        joined=before is not None and change is None,
                    )
                    track.open = OpenSegment(self._spool, head, self._ids)
                    track.open.append(packet.encode_l16(samples))
                    if before is not None:  # before the first part is shortened
                        self._closing.sync(track.open)
                case Grown(samples):
                    assert track.open is not None
                    track.open.append(packet.encode_l16(samples))
                case Patched(start, samples):
                    assert track.open is not None
                    track.open.patch(start, packet.encode_l16(samples))
                case Closed(length, speech):
                    assert track.open is not None
                    closed = self._close(person, track, track.open, length, speech, change)
                    self._closing.add(closed)
        if track.open is not None and track.open.pending >= self._unsynced:
            self._closing.sync(track.open)

    def speaker_changed(self, mixed: Person, track: Track, at_ms: int) -> None:
        """Somebody else is active since ``at_ms`` or shortly before: cut there what is open."""
        track.guess = None
        speech = track.voice.speech()
        if track.open is None or not speech:
            return
        first = (at_ms - self._lag_ms) * PER_MS
        if track.open.head.at + speech[0][0] < first:  # else all of it is theirs
            cues, sure = track.voice.split(first, at_ms * PER_MS)
            self.apply(mixed, track, cues, _Change(at_ms, sure))

    def speech(self, person: Person, track: Track, segment: OpenSegment) -> OpenSpeech:
        """An open segment, as it is told."""
        if track.guess is None or segment.length - track.guess[0] >= _GUESS_SAMPLES:
            verdict = self._verdict(person, track, segment, track.voice.speech())
            track.guess = (segment.length, verdict)
        verdict = track.guess[1]
        return OpenSpeech(
            file=segment.file,
            participant=verdict.participant,
            speaker=verdict.speaker,
            attribution=_attribution(person, verdict),
            start_ms=segment.head.at // PER_MS,
            samples=segment.length,
            speaker_confidence=_confidence(person, verdict),
        )

    def _close(
        self,
        person: Person,
        track: Track,
        segment: OpenSegment,
        length: int,
        speech: Sequence[tuple[int, int]],
        change: _Change | None,
    ) -> ClosedSegment:
        until_ms = change.told_ms if change is not None and change.sure else None
        verdict = self._verdict(person, track, segment, speech, until_ms)
        track.open = track.guess = None
        if is_clipped(segment.heard()[:length]):
            packet.count("clipped")
            at_ms = segment.head.at // PER_MS
            self._notices.tell("clipped", at_ms, person.participant)
        return ClosedSegment(
            segment=segment,
            length=length,
            participant=verdict.participant,
            speaker=verdict.speaker,
            attribution=_attribution(person, verdict),
            speaker_confidence=_confidence(person, verdict),
            speech_ms=sum(end - start for start, end in speech) // PER_MS,
            joined=segment.head.joined,
        )

    def _verdict(
        self,
        person: Person,
        track: Track,
        segment: OpenSegment,
        speech: Sequence[tuple[int, int]],
        until_ms: int | None = None,
    ) -> Verdict:
        if _own(person):
            return Verdict(person.participant, person.speaker, 1.0)
        at = segment.head.at
        spans = [((at + start) // PER_MS, (at + end) // PER_MS) for start, end in speech]
        verdict = self.speakers.judge(spans, fresh=track.fresh, until_ms=until_ms)
        if verdict.confidence < self._least:
            return Verdict(None, None, verdict.confidence)
        return verdict


def _own(person: Person) -> bool:
    """Whether the packets said whose audio it is."""
    return person.participant is not None or person.speaker is not None


def _attribution(person: Person, verdict: Verdict) -> Attribution:
    if _own(person):
        return "stream"
    return "unknown" if verdict.participant is None else "active_speaker"


def _confidence(person: Person, verdict: Verdict) -> float | None:
    known = _attribution(person, verdict) == "active_speaker"
    return round(verdict.confidence, 2) if known else None
