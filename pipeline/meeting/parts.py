"""What meetings are made of and share: built once by the service, handed to every run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from pipeline.audio.settings import AudioSettings
from pipeline.base.backoff import ZOOM_RECONNECT, Backoff
from pipeline.base.clock import Clock, MeetingClock
from pipeline.meeting.patient_log import RETRY
from pipeline.meeting.recorder import Engine
from pipeline.meeting.settings import MeetingSettings
from pipeline.model.log import MeetingLog
from pipeline.rtms.products import Announcement
from pipeline.rtms.stream import RtmsStream, Sink
from pipeline.summarize.notes import NotesStage
from pipeline.transcribe.pool import DecodePool

START_TRIES = replace(ZOOM_RECONNECT, attempts=4)


@dataclass(frozen=True)
class Parts:
    """Functions and shared objects of the process.

    ``stream`` opens a client for one announcement; ``notes`` makes the notes stage of one meeting;
    ``pool`` opens its engine when the first segment comes. ``start_again`` asks Zoom to start RTMS
    of what was announced, and raises RestError; None: there are no credentials for that.
    ``start_tries`` are the delays between such tries, in seconds of this machine at speed 1.
    ``restart_grace_s`` is meeting time. ``end_streams``: at a shutdown Zoom is asked to end them.
    """

    engine: Engine
    clock: Clock
    speed: float
    audio: AudioSettings
    pool: DecodePool
    stream: Callable[[Announcement, Sink], RtmsStream]
    notes: Callable[[MeetingLog, MeetingClock], NotesStage]
    meeting: MeetingSettings = field(default_factory=MeetingSettings)
    restart_grace_s: float = 60.0
    start_again: Callable[[Announcement], Awaitable[None]] | None = None
    start_tries: Backoff = START_TRIES
    end_streams: bool = False
    storage_retry: Backoff = RETRY
