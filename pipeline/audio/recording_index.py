"""From recordings back to the meeting's log. Pure.

``recordings/index.json`` tells for every file which stretches of it are silence because nothing was
heard, and at which sample each segment and utterance of the log begins and ends.
"""

from __future__ import annotations

import msgspec

from pipeline.model.speech import SHOWN, Recording
from pipeline.model.state import MeetingState


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the log in a file, in samples of the file. ``at_ms``: meeting time."""

    id: str
    at_ms: int
    first: int
    end: int


class IndexedTrack(msgspec.Struct, frozen=True, kw_only=True):
    """One file. ``holes``: first sample and the one after the last of each stretch without audio;
    none are told of a file that is still written."""

    recording: Recording
    holes: tuple[tuple[int, int], ...] = ()
    segments: tuple[Place, ...] = ()
    utterances: tuple[Place, ...] = ()


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """All files of one meeting; ``seq``: the log was read up to here."""

    meeting: str
    seq: int
    tracks: tuple[IndexedTrack, ...]
    version: int = 1


def index(state: MeetingState, holes: dict[str, tuple[tuple[int, int], ...]]) -> Index:
    """``holes`` by recording, in samples of the finished file."""
    return Index(
        meeting=state.meeting,
        seq=state.last_seq,
        tracks=tuple(
            _track(state, recording, holes.get(recording.id, ()))
            for recording in state.recordings.values()
        ),
    )


def encoded(index: Index) -> bytes:
    """As in the file."""
    return msgspec.json.format(msgspec.json.encode(index), indent=1)


def decoded(data: bytes) -> Index:
    """Raises msgspec.DecodeError for what is no index."""
    return msgspec.json.decode(data, type=Index)


def _track(
    state: MeetingState, recording: Recording, holes: tuple[tuple[int, int], ...]
) -> IndexedTrack:
    segments = [
        place
        for s in state.segments.values()
        if _is_of(recording, s.stream, s.participant)
        and (place := _place(recording, s.id, s.start_ms, s.end_ms))
    ]
    utterances = [
        place
        for u in state.utterances.values()
        if u.role in SHOWN
        and not u.deleted
        and _is_of(recording, u.stream, u.participant)
        and (place := _place(recording, u.id, u.start_ms, u.end_ms))
    ]
    return IndexedTrack(
        recording=recording,
        holes=holes,
        segments=tuple(sorted(segments, key=lambda place: (place.first, place.id))),
        utterances=tuple(sorted(utterances, key=lambda place: (place.first, place.id))),
    )


def _is_of(recording: Recording, stream: str, participant: str | None) -> bool:
    if recording.stream != stream:
        return False
    return recording.mixed or recording.participant == participant


def _place(recording: Recording, id: str, start_ms: int, end_ms: int) -> Place | None:  # noqa: A002
    """None when nothing of it is inside the file."""
    per_ms = recording.sample_rate / 1000
    first = round((start_ms - recording.from_ms) * per_ms)
    end = round((end_ms - recording.from_ms) * per_ms)
    if recording.state == "complete" and first >= recording.samples:
        return None
    if end <= 0:
        return None
    if recording.state == "complete":
        end = min(end, recording.samples)
    return Place(id=id, at_ms=start_ms, first=max(0, first), end=end)
