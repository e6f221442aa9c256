"""Recordings of one meeting, on request: kept while it runs, made FLAC or Opus when it is over.

While a stream runs its audio goes into working files (``audio.recording``), made durable each
second; a killed process loses at most that second, and the next one goes on in the same files. When
nothing more is received they are encoded, told in the log, listed in the index and deleted. What
the disk refuses is told as the stage ``recording``; the meeting goes on.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import msgspec
import structlog

from pipeline.audio.packet import Samples
from pipeline.audio.recording import Codec, Track, leftovers
from pipeline.audio.recording_disk import put, typed
from pipeline.audio.recording_index import decoded, encoded, index
from pipeline.audio.recording_stream import StreamTracks
from pipeline.audio.settings import AudioSettings
from pipeline.base.backoff import Backoff
from pipeline.base.clock import Clock
from pipeline.base.errors import StorageError
from pipeline.base.ids import Ids, RandomIds
from pipeline.meeting.recording_files import Holes, Kept, make_files
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.model.speech import Recording
from pipeline.model.state import MeetingState

log = structlog.get_logger()

SYNC_S = 1.0
"""A power cut, or a kill, loses so much of a recording at most."""

RETRY = Backoff(base=1.0, factor=3.0, attempts=3)
"""Encoding that the disk refuses; after it the working files stay as they are."""

INDEX = "index.json"


class Recordings:
    """``open`` for each stream; ``run`` beside the meeting until cancelled; ``finish`` once when
    nothing more is received.

    ``state`` is the meeting so far; ``now`` its time, ``name_of`` a participant's name.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: AudioSettings,
        meeting_log: MeetingLog,
        state: MeetingState,
        clock: Clock,
        now: Callable[[], int | None],
        name_of: Callable[[str], str | None],
        ids: Ids | None = None,
        retry: Backoff = RETRY,
    ) -> None:
        self._folder = folder
        self._codec: Codec = "opus" if settings.record == "opus" else "flac"
        self._is_on = settings.record != "off"
        self._mixed = settings.record_mixed
        self._log = meeting_log
        self._clock = clock
        self._ids = ids or RandomIds()
        self._now = now
        self._started_ms = 0 if state.opened is None else state.opened.started_ms
        self._name_of = name_of
        self._retry = retry
        self._told = {r.id: r.state for r in state.recordings.values()}
        self._streams: list[StreamTracks] = []
        self._well = _is_well(state)
        self._adopted = False
        self._turn = asyncio.Lock()  # what is encoded is not written any more
        self._stop = threading.Event()

    def _adopt(self) -> None:
        """Take up the working files that an earlier process left, the first time."""
        if self._adopted:
            return
        self._adopted = True
        by_stream: dict[str, list[Track]] = {}
        try:
            left = leftovers(self._folder)
        except StorageError as error:
            log.warning("recording.leftovers_unread", error=str(error))
            return
        for track in left:
            if self._told.get(track.head.id) == "complete":
                track.discard()  # killed between the log and this
            else:
                by_stream.setdefault(track.head.stream, []).append(track)
        self._streams += [self._tracks(stream, left) for stream, left in by_stream.items()]

    def open(self, stream: str) -> Feed | None:
        """The recording of a stream that begins, or goes on; None when none is wanted."""
        if not self._is_on:
            return None
        self._adopt()
        known = next((s for s in self._streams if s.stream == stream), None)
        if known is None:
            known = self._tracks(stream, ())
            self._streams.append(known)
        return Feed(known)

    async def run(self) -> None:
        """Make durable what comes, tell what is recorded and what the disk says, until cancelled;
        what was written is durable when it returns."""
        if not self._is_on:
            return
        try:
            while True:
                await self._clock.sleep(SYNC_S)
                await self._sync()
        finally:
            self._stop.set()
            for stream in self._streams:
                await asyncio.to_thread(stream.sync)
                stream.close()

    async def finish(self) -> None:
        """Everything as files. A disk that goes on refusing is told; what was heard then stays in
        the working files. Broken off, it goes on in the next process."""
        self._adopt()
        await self._sync()
        delays = self._retry.delays()
        while True:
            try:
                async with self._turn:
                    await self._complete()
            except StorageError as error:
                log.warning("recording.not_encoded", kind=error.kind, error=str(error))
                delay = next(delays, None) if error.retryable else None
                if delay is None:
                    await self._failed(error)
                    return
                await self._clock.sleep(delay)
            else:
                return

    # -- while it runs ----------------------------------------------------------------------------

    def _tracks(self, stream: str, left: Iterable[Track]) -> StreamTracks:
        return StreamTracks(
            stream, self._folder, self._codec, ids=self._ids, now=self._now, left=left
        )

    async def _sync(self) -> None:
        async with self._turn:
            await self._sync_in_turn()

    async def _sync_in_turn(self) -> None:
        for stream in list(self._streams):
            await asyncio.to_thread(stream.sync)
        bodies: list[ev.Body] = []
        for stream in self._streams:
            for track in stream.tracks:
                if track.spans and track.head.id not in self._told:
                    self._told[track.head.id] = "open"
                    bodies.append(ev.RecordingKept(recording=self._open_recording(track)))
        trouble = next((s.trouble for s in self._streams if s.trouble is not None), None)
        if (trouble is None) != self._well:
            self._well = trouble is None
            bodies.append(self._health(trouble))
        if bodies:
            await self._log.append(*bodies)

    def _health(self, trouble: StorageError | None) -> ev.StageChanged:
        lost_s = sum(stream.lost_ms for stream in self._streams) / 1000
        lost = f"{lost_s:.1f} s of audio are silence in the recordings" if lost_s else ""
        return ev.StageChanged(
            stage="recording",
            state="ok" if trouble is None else "degraded",
            at_ms=self._at(),
            error="" if trouble is None else trouble.kind,
            detail=lost if trouble is None else str(trouble),
            retryable=trouble is not None and trouble.retryable,
        )

    # -- when it is over --------------------------------------------------------------------------

    async def _complete(self) -> None:
        tracks = [t for s in self._streams for t in s.tracks if t.spans]
        if tracks:
            kept = await self._encoded(tracks)
            holes = {k.recording.id: k.holes for k in kept}
            await self._log.append(*(ev.RecordingKept(recording=k.recording) for k in kept))
            await self._write_index(holes)
            for track in tracks:
                self._told[track.head.id] = "complete"
                await asyncio.to_thread(track.discard)
            self._streams.clear()
        elif self._told:  # words may have been added since
            await self._write_index({})

    async def _encoded(self, tracks: list[Track]) -> list[Kept]:
        """In a thread; a cancelled call returns once the thread has stopped."""
        making = partial(
            make_files,
            self._folder,
            tracks,
            mixed=self._mixed,
            name_of=self._name_of,
            stopped=self._stop.is_set,
        )
        work = asyncio.ensure_future(asyncio.to_thread(making))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self._stop.set()
            await asyncio.wait({work})
            if not work.cancelled() and isinstance(work.exception(), StorageError):
                log.warning("recording.not_encoded", error=str(work.exception()))
            raise

    def _open_recording(self, track: Track) -> Recording:
        head = track.head
        participant = head.participant
        return Recording(
            id=head.id,
            stream=head.stream,
            file=f"{track.name}.pcm",
            codec=head.codec,
            from_ms=track.first * 1000 // head.rate,
            sample_rate=head.rate,
            participant=participant,
            speaker=None if participant is None else self._name_of(participant),
            mixed=participant is None,
        )

    async def _write_index(self, holes: dict[str, Holes]) -> None:
        state = MeetingState.replay(self._log.meeting, await self._log.events())
        await asyncio.to_thread(self._put_index, state, holes)

    def _put_index(self, state: MeetingState, holes: dict[str, Holes]) -> None:
        path = self._folder / INDEX
        with typed(f"writing {path.name}"):
            known: dict[str, Holes] = {}
            if path.exists():
                try:
                    before = decoded(path.read_bytes())
                    known = {track.recording.id: track.holes for track in before.tracks}
                except msgspec.DecodeError as error:
                    log.warning("recording.index_lost", error=str(error))
            put(path, encoded(index(state, known | holes)))

    async def _failed(self, error: StorageError) -> None:
        self._well = False
        await self._log.append(
            ev.StageChanged(
                stage="recording",
                state="failed",
                at_ms=self._at(),
                error=error.kind,
                detail=f"{error}; the audio stays as 16-bit PCM in the recordings folder",
                retryable=error.retryable,
            )
        )

    def _at(self) -> int:
        now = self._now()
        return self._started_ms if now is None else now


class Feed:
    """Where the audio of one stream goes; implements ``audio_intake.RecordingFeed``."""

    def __init__(self, tracks: StreamTracks) -> None:
        self._tracks = tracks

    def format(self, sample_rate: int) -> None:
        """See ``StreamTracks.format``."""
        self._tracks.format(sample_rate)

    def tap(self, participant: str | None, at: int, samples: Samples) -> None:
        """See ``StreamTracks.tap``."""
        self._tracks.tap(participant, at, samples)

    async def finish(self) -> None:
        """Nothing more comes for now: what came is durable."""
        await asyncio.to_thread(self._tracks.sync)


def _is_well(state: MeetingState) -> bool:
    health = state.stages.get("recording")
    return health is None or health.state == "ok"
