"""The working files of streams that are over, made one file a voice and one of all. Blocks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from pipeline.audio.recording import LONGEST_HOLE_S, Track
from pipeline.audio.recording_files import encode
from pipeline.audio.recording_spans import Spans
from pipeline.model.speech import Recording

_LONGEST_MIX_S = 48 * 3600
"""A voice that begins so long before the end has a wrong time: it is not mixed in."""

Holes = tuple[tuple[int, int], ...]
"""First sample and the one after the last of each stretch nobody was heard in."""


class Kept(msgspec.Struct, frozen=True):
    """A finished file."""

    recording: Recording
    holes: Holes


def make_files(
    folder: Path,
    tracks: list[Track],
    *,
    mixed: bool,
    name_of: Callable[[str], str | None],
    stopped: Callable[[], bool],
) -> list[Kept]:
    """All of them, whole and durable. ``mixed``: of all together too; ``name_of`` a participant.

    Raises StorageError, or Stopped when ``stopped`` says so. May be repeated: the same files again.
    """
    groups: dict[tuple[str, int], list[Track]] = {}
    for track in tracks:
        groups.setdefault((track.head.stream, track.head.rate), []).append(track)
    kept: list[Kept] = []
    for group in groups.values():
        end = max(track.end for track in group)  # a file ends where the stream's audio does
        wanted = [([track], track.head.id) for track in group]
        together = [t for t in group if end - t.first <= _LONGEST_MIX_S * t.head.rate]
        if mixed and any(track.head.participant is not None for track in together):
            wanted.append((together, f"{min(t.head.id for t in together)}mix"))
        kept += [_file(folder, these, name, end, name_of, stopped) for these, name in wanted]
    return kept


def _file(
    folder: Path,
    tracks: list[Track],
    id: str,  # noqa: A002
    stream_end: int,
    name_of: Callable[[str], str | None],
    stopped: Callable[[], bool],
) -> Kept:
    head = tracks[0].head
    first = min(track.first for track in tracks)
    heard = max(track.end for track in tracks)
    end = min(stream_end, heard + LONGEST_HOLE_S * head.rate)
    participant = head.participant if id == head.id else None
    name = f"{first * 1000 // head.rate:013d}-{id}.{head.codec}"
    samples, rate = encode(
        tracks, first=first, end=end, codec=head.codec, target=folder / name, stopped=stopped
    )
    recording = Recording(
        id=id,
        stream=head.stream,
        file=name,
        codec=head.codec,
        from_ms=first * 1000 // head.rate,
        sample_rate=rate,
        samples=samples,
        participant=participant,
        speaker=None if participant is None else name_of(participant),
        mixed=participant is None,
        state="complete",
    )
    return Kept(recording, _holes(tracks, first, end, rate))


def _holes(tracks: list[Track], first: int, end: int, rate: int) -> Holes:
    heard = Spans()
    for track in tracks:
        for span in track.spans:
            heard.add(*span)
    scale = rate / tracks[0].head.rate
    return tuple(
        (round((start - first) * scale), round((stop - first) * scale))
        for start, stop in heard.holes(first, end)
    )
