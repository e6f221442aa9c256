"""A meeting made of files: how it begins, and how another process goes on with it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from pipeline.base.errors import BadInput, NotFound
from pipeline.meeting.file_stream import RATE, FileSource, FileStream, heard_until, participant_of
from pipeline.meeting.parts import Parts
from pipeline.meeting.source import StreamSink
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.model.state import MeetingState
from pipeline.rtms.products import Announcement

_decoder: Final = msgspec.json.Decoder(tuple[FileSource, ...])


def source(path: Path, speaker: str) -> FileSource:
    """A file as it is now. Raises NotFound, BadInput."""
    try:
        known = path.stat()
    except FileNotFoundError:
        raise NotFound(f"{path}: no such file") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
    return FileSource(
        path=str(path.resolve()), speaker=speaker, size=known.st_size, mtime_ns=known.st_mtime_ns
    )


def identity(sources: tuple[FileSource, ...], engine: str, number: int) -> str:
    """What stands for Zoom's id: the same for the same files, speakers and engine, so that the same
    command goes on with what was begun. ``number``: of the transcription, from 1."""
    told = msgspec.json.encode((sources, engine))
    return f"file-{hashlib.sha256(told).hexdigest()[:24]}-{number}"


def opening(
    sources: tuple[FileSource, ...],
    *,
    zoom_id: str,
    started_ms: int,
    zone: str,
    title: str,
    engine: str,
) -> tuple[ev.MeetingOpened, ev.StreamOpened]:
    """The first events of such a meeting; the files stand where Zoom's addresses would."""
    return (
        ev.MeetingOpened(
            product="file",
            zoom_id=zoom_id,
            started_ms=started_ms,
            zone=zone,
            title=title,
            engine=engine,
        ),
        ev.StreamOpened(
            stream="files-1",
            server_urls=msgspec.json.encode(sources).decode(),
            announced_ms=started_ms,
        ),
    )


async def go_on(meeting_log: MeetingLog, state: MeetingState) -> Announcement | None:
    """The stream that reads what is not read yet; None when everything is. ``state`` is brought up
    to date.

    A stream that another process left open ends where its last segment does, and a new one takes
    its place in the same commit.
    """
    health = state.stages.get("transcribe")
    if health is not None and health.state != "ok":  # a failure of this process must be news
        await _take_in(
            state,
            meeting_log,
            ev.StageChanged(
                stage="transcribe",
                state="ok",
                at_ms=health.at_ms,
                detail="another process tries again",
                count=health.count,
            ),
        )
    current = next((s for s in state.streams.values() if s.state != "ended"), None)
    if current is None or state.opened is None:
        return None
    if current.state == "connecting":  # nothing of it was read
        return _announcement(state, current.id, current.server_urls, current.announced_ms)
    zero_ms = state.opened.started_ms
    heard = heard_until(state, zero_ms)
    files = _decoder.decode(current.server_urls)
    read = min(heard.get(participant_of(number, file), 0) for number, file in enumerate(files, 1))
    at_ms = zero_ms + read * 1000 // RATE
    stream = f"files-{len(state.streams) + 1}"
    await _take_in(
        state,
        meeting_log,
        ev.StreamEnded(stream=current.id, at_ms=at_ms, detail="left by its process"),
        ev.StreamOpened(
            stream=stream, server_urls=current.server_urls, announced_ms=at_ms, cause="resume"
        ),
    )
    return _announcement(state, stream, current.server_urls, at_ms)


async def _take_in(state: MeetingState, meeting_log: MeetingLog, *bodies: ev.Body) -> None:
    for event in await meeting_log.append(*bodies):
        state.apply(event)


def for_files(parts: Parts, meeting_log: MeetingLog, state: MeetingState) -> Parts:
    """``parts`` for a meeting of files: its streams read them, and nobody watches live."""
    assert state.opened is not None, "the log begins with meeting_opened"
    zero_ms = state.opened.started_ms

    def stream(announcement: Announcement, sink: StreamSink) -> FileStream:
        return FileStream(
            sink,
            sources=_decoder.decode(announcement.server_urls),
            zero_ms=zero_ms,
            meeting_log=meeting_log,
            state=state,
            most_pending=2 * parts.pool.workers + 2,
        )

    return replace(parts, stream=stream, speed=0.0, partials=None)


def _announcement(state: MeetingState, stream: str, files: str, at_ms: int) -> Announcement:
    assert state.opened is not None
    return Announcement(
        product="file",
        zoom_id=state.opened.zoom_id,
        stream=stream,
        server_urls=files,
        announced_ms=at_ms,
        title=state.opened.title,
    )
