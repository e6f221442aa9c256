"""The recording of one stream: its voices' working files, fed by position."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from pipeline.audio.packet import Samples
from pipeline.audio.recording import Codec, Track
from pipeline.base import metrics
from pipeline.base.errors import StorageError
from pipeline.base.ids import Ids

log = structlog.get_logger()

AHEAD_MS = 300_000
"""A packet so far ahead of the meeting's time is a clock that jumped: it is not recorded. One that
is behind always is: it may have waited for the disk, or the meeting's time is wrong for a while.
"""


class StreamTracks:
    """``tap`` is called by the chain's thread, ``sync`` by another; neither raises.

    ``now`` is meeting time (Unix ms), None while unknown. ``left``: working files of the stream
    that an earlier process left; they go on. ``lost_ms``: audio that the disk refused; it is
    silence in the files.
    """

    def __init__(
        self,
        stream: str,
        folder: Path,
        codec: Codec,
        *,
        ids: Ids,
        now: Callable[[], int | None],
        left: Iterable[Track] = (),
    ) -> None:
        self.stream = stream
        self.lost_ms = 0.0
        self._unwritten: StorageError | None = None
        self._unsynced: StorageError | None = None
        self._folder = folder
        self._codec = codec
        self._ids = ids
        self._now = now
        self._rate = 16_000
        self._lock = threading.Lock()
        self._tracks: list[Track] = list(left)
        self._by_voice: dict[tuple[str | None, int], list[Track]] = {}
        for track in self._tracks:
            self._of(track.head.participant, track.head.rate).append(track)

    @property
    def trouble(self) -> StorageError | None:
        """The last refusal of the disk, None once everything is written again."""
        return self._unwritten or self._unsynced

    @property
    def tracks(self) -> list[Track]:
        """Everybody's files, in the order they were begun."""
        with self._lock:
            return list(self._tracks)

    def format(self, sample_rate: int) -> None:
        """The rate of what is tapped from here on."""
        self._rate = sample_rate

    def tap(self, participant: str | None, at: int, samples: Samples) -> None:
        """Mono samples from position ``at`` (samples since the epoch at the stream's rate)."""
        if not len(samples) or not self._is_now(at):
            return
        try:
            self._place(participant, at).write(at, samples)
        except StorageError as error:
            self.lost_ms += len(samples) * 1000 / self._rate
            self._unwritten = self._refused(self._unwritten, error)
        else:
            self._unwritten = None

    def sync(self) -> None:
        """Make durable what was tapped. May block as long as the disk does."""
        refused = None
        for track in self.tracks:
            try:
                track.sync()
            except StorageError as error:
                refused = self._refused(self._unsynced, error)
        self._unsynced = refused

    def close(self) -> None:
        """Let go of all files; what was written stays for another process."""
        for track in self.tracks:
            track.close()

    def _place(self, participant: str | None, at: int) -> Track:
        of_voice = self._of(participant, self._rate)
        for known in reversed(of_voice):
            if known.fits(at):
                return known
        track = Track.begin(
            self._folder,
            id=self._ids.new(),
            stream=self.stream,
            participant=participant,
            rate=self._rate,
            at=at,
            codec=self._codec,
        )
        of_voice.append(track)
        with self._lock:
            self._tracks.append(track)
        return track

    def _of(self, participant: str | None, rate: int) -> list[Track]:
        return self._by_voice.setdefault((participant, rate), [])

    def _is_now(self, at: int) -> bool:
        now = self._now()
        if now is None or at * 1000 // self._rate - now <= AHEAD_MS:
            return True
        metrics.RECORDING_REFUSED.labels("bad_time").inc()
        return False

    def _refused(self, before: StorageError | None, error: StorageError) -> StorageError:
        metrics.RECORDING_REFUSED.labels(error.kind).inc()
        if before is None or before.kind != error.kind:
            log.error("recording.refused", kind=error.kind, error=str(error))
        return error
