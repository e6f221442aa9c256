"""What meetings are made of and share: built once by the service, handed to every run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from pipeline.audio.settings import AudioSettings
from pipeline.base.backoff import ZOOM_RECONNECT, Backoff
from pipeline.base.clock import Clock, MeetingClock
from pipeline.meeting.partials import HintsFor, Partials
from pipeline.meeting.patient_log import RETRY
from pipeline.meeting.recorder import Engine
from pipeline.meeting.settings import MeetingSettings
from pipeline.meeting.source import OpenStream
from pipeline.model.live import LiveWords
from pipeline.model.log import MeetingLog
from pipeline.rtms.products import Announcement
from pipeline.summarize.notes import NotesStage
from pipeline.transcribe.engine import Capabilities
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.vocabulary import Vocabulary

START_TRIES = replace(ZOOM_RECONNECT, attempts=4)


@dataclass(frozen=True)
class Parts:
    """Functions and shared objects of the process.

    ``speed``: of meeting time; 0 for files, whose time only moves with what is read.
    ``stream`` opens a client for one announcement; ``notes`` makes the notes stage of one meeting;
    ``pool`` opens its engine when the first segment comes. ``start_again`` asks Zoom to start RTMS
    of what was announced, and raises RestError; None: there are no credentials for that.
    ``start_tries`` are the delays between such tries, in seconds of this machine at speed 1.
    ``restart_grace_s`` is meeting time. ``end_streams``: at a shutdown Zoom is asked to end them.
    ``partials`` makes one meeting's words of what is still being said, given where hints come
    from, and shows them in ``live``; None: there are none. ``vocabulary``: words to expect.
    ``capabilities``: of the pool's engine, None while none is open.
    """

    engine: Engine
    clock: Clock
    speed: float
    audio: AudioSettings
    pool: DecodePool
    stream: OpenStream
    notes: Callable[[MeetingLog, MeetingClock], NotesStage]
    meeting: MeetingSettings = field(default_factory=MeetingSettings)
    restart_grace_s: float = 60.0
    start_again: Callable[[Announcement], Awaitable[None]] | None = None
    start_tries: Backoff = START_TRIES
    end_streams: bool = False
    storage_retry: Backoff = RETRY
    live: LiveWords = field(default_factory=LiveWords)
    capabilities: Capabilities | None = None
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    partials: Callable[[str, HintsFor], Partials] | None = None
