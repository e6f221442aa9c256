"""What meetings are made of and share: built once by the service, handed to every run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.audio.settings import AudioSettings
from pipeline.base.backoff import Backoff
from pipeline.base.clock import Clock, MeetingClock
from pipeline.meeting.patient_log import RETRY
from pipeline.meeting.recorder import Engine
from pipeline.model.log import MeetingLog
from pipeline.rtms.products import Announcement
from pipeline.rtms.stream import RtmsStream, Sink
from pipeline.summarize.notes import NotesStage
from pipeline.transcribe.pool import DecodePool


@dataclass(frozen=True)
class Parts:
    """Functions and shared objects of the process.

    ``stream`` opens a client for one announcement; ``notes`` makes the notes stage of one meeting;
    ``pool`` opens its engine when the first segment comes. ``restart_grace_s`` is meeting time.
    """

    engine: Engine
    clock: Clock
    speed: float
    audio: AudioSettings
    pool: DecodePool
    stream: Callable[[Announcement, Sink], RtmsStream]
    notes: Callable[[MeetingLog, MeetingClock], NotesStage]
    restart_grace_s: float = 60.0
    storage_retry: Backoff = RETRY
