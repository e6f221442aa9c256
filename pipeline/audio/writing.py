"""What a voice tells becomes files of the spool, and gets its speaker."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

from pipeline.audio import packet
from pipeline.audio.attribution import NOBODY, ActiveSpeakers, Span, Verdict
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
        self._wait_ms = settings.hangover_ms + settings.speaker_wait_ms
        self._unnamed: deque[tuple[float, ClosedSegment, list[Span]]] = deque()
        self._least = settings.min_speaker_confidence
        self._unsynced = settings.spool_ms * PER_MS

    def apply(self, person: Person, track: Track, cues: list[Cue], *, change: bool = False) -> None:
        """Do what a voice says. ``change``: a cut in it is for a change of speaker."""
        closed: ClosedSegment | None = None
        for cue in cues:
            match cue:
                case Opened(at, samples):
                    before = closed.file if closed is not None and closed.end == at else None
                    head = Head(
                        at=at,
                        participant=person.participant,
                        speaker=person.speaker,
                        continues=before,
                        joined=before is not None and not change,
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
                    closed = self._close(person, track, track.open, length, speech)
                    self._closing.add(closed)
        if track.open is not None and track.open.pending >= self._unsynced:
            self._closing.sync(track.open)

    def settle(self, mixed: Person, now_ms: float) -> None:
        """Mixed audio is heard up to ``now_ms``: cut what is open where somebody else began, and
        name what waited long enough."""
        if self.speakers.ripe(now_ms):
            speech = [s for t in mixed.tracks for s in _spans(t.open, t.voice.speech())]
            for first, last in self.speakers.cuts(now_ms, speech):
                for track in mixed.tracks:
                    cues = track.voice.split(first * PER_MS, last * PER_MS)
                    self.apply(mixed, track, cues, change=True)
        while self._unnamed and self._unnamed[0][0] <= now_ms:
            _, closed, spans = self._unnamed.popleft()
            self._name(closed, mixed, self._verdict(mixed, spans))

    def speech(self, person: Person, track: Track, segment: OpenSegment) -> OpenSpeech:
        """An open segment, as it is told."""
        if track.guess is None or segment.length - track.guess[0] >= _GUESS_SAMPLES:
            verdict = self._verdict(person, _spans(segment, track.voice.speech()))
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
            patches=segment.patches,
        )

    def _close(
        self,
        person: Person,
        track: Track,
        segment: OpenSegment,
        length: int,
        speech: Sequence[Span],
    ) -> ClosedSegment:
        track.open = track.guess = None
        if is_clipped(segment.heard()[:length]):
            packet.count("clipped")
            at_ms = segment.head.at // PER_MS
            self._notices.tell("clipped", at_ms, person.participant)
        closed = ClosedSegment(
            segment=segment,
            length=length,
            participant=None,
            speaker=None,
            attribution="unknown",
            speaker_confidence=None,
            speech_ms=sum(end - start for start, end in speech) // PER_MS,
            joined=segment.head.joined,
        )
        spans = _spans(segment, speech)
        if _own(person) or not spans:
            self._name(closed, person, self._verdict(person, spans))
        else:
            closed.named = False
            self.speakers.heard(spans)
            due_ms = min(self.speakers.due_ms(spans), spans[-1][1] + self._wait_ms)
            self._unnamed.append((due_ms, closed, spans))
        return closed

    def _name(self, closed: ClosedSegment, person: Person, verdict: Verdict) -> None:
        closed.participant, closed.speaker = verdict.participant, verdict.speaker
        closed.attribution = _attribution(person, verdict)
        closed.speaker_confidence = _confidence(person, verdict)
        closed.named = True

    def _verdict(self, person: Person, spans: Sequence[Span]) -> Verdict:
        if _own(person):
            return Verdict(person.participant, person.speaker, 1.0)
        verdict = self.speakers.judge(spans)
        return verdict if verdict.confidence >= self._least else NOBODY


def _spans(segment: OpenSegment | None, speech: Sequence[Span]) -> list[Span]:
    """Speech in a segment (samples since its beginning), in Unix ms."""
    if segment is None:
        return []
    at = segment.head.at
    return [((at + start) // PER_MS, (at + end) // PER_MS) for start, end in speech]


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
