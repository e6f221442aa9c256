"""What the chain knows of each participant."""

from __future__ import annotations

from pipeline.audio.attribution import Verdict
from pipeline.audio.spool import OpenSegment
from pipeline.audio.timeline import Coverage
from pipeline.audio.unpack import Unpacker
from pipeline.audio.voice import Voice


class Track:
    """A voice and the segment it has open. A participant has one, and one more while audio older
    than the newest arrives (a burst of buffered audio after a reconnect)."""

    def __init__(self, unpacker: Unpacker, voice: Voice) -> None:
        self.unpacker = unpacker
        self.voice = voice
        self.open: OpenSegment | None = None
        self.fed_at = 0  # the newest time of all packets when this track got its last one
        self.fed = False  # since the last tick
        self.quiet_since: int | None = None  # tick that first found nothing new
        self.away = False  # the connection was lost since the last packet
        self.guess: tuple[int, Verdict] | None = None  # at this length of the open segment


class Person:
    """A participant of a multi-stream meeting; None: everybody, in mixed audio."""

    def __init__(self, participant: str | None) -> None:
        self.participant = participant
        self.speaker: str | None = None
        self.coverage = Coverage()
        self.tracks: list[Track] = []
