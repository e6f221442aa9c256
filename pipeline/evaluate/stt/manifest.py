"""A manifest: which recordings there are, and what is said in them (NeMo's form)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from pipeline.base.errors import BadInput, NotFound

_MOST_LINES = 1_000_000


class Clip(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. ``audio_filepath``: absolute, or relative to the manifest; the clip begins
    ``offset`` seconds into it and lasts ``duration`` seconds (None: to its end). ``text``: what is
    said in it; empty: nobody speaks.

    ``meeting`` is ours: clips with the same one are turns of one meeting. Every ``speaker`` of it
    has one audio file, all files begin together, and ``offset`` is when the turn begins.
    """

    audio_filepath: str
    text: str
    duration: float | None = None
    offset: float = 0.0
    speaker: str | None = None
    meeting: str | None = None

    def __post_init__(self) -> None:
        if not self.audio_filepath:
            raise ValueError("audio_filepath is empty")
        if self.duration is not None and not 0 < self.duration < 1e6:
            raise ValueError("duration must be above 0")
        if not 0 <= self.offset < 1e6:
            raise ValueError("offset must not be negative")
        if self.meeting is not None and (self.speaker is None or self.duration is None):
            raise ValueError("a clip of a meeting needs speaker and duration")


def read(path: Path) -> list[Clip]:
    """The clips of a manifest, their files resolved and known to exist.

    Raises NotFound when there is no such file, BadInput (with the line's number) for a line that
    is no clip or whose audio does not exist, and for a manifest without clips.
    """
    try:
        with path.open("rb") as lines:
            clips = [
                _clip(path, number, line)
                for number, line in enumerate(lines, start=1)
                if line.strip() and number <= _MOST_LINES
            ]
    except FileNotFoundError:
        raise NotFound(f"no manifest {path}") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
    if not clips:
        raise BadInput(f"{path}: no clips in it")
    _check_tracks(path, clips)
    return clips


def write(path: Path, clips: Sequence[Clip]) -> None:
    """Write a manifest; files beside or below it are named relative to it."""
    with path.open("wb") as out:
        for clip in clips:
            file = Path(clip.audio_filepath)
            if file.is_relative_to(path.parent):
                clip = msgspec.structs.replace(
                    clip, audio_filepath=file.relative_to(path.parent).as_posix()
                )
            out.write(msgspec.json.encode(clip) + b"\n")


def _clip(path: Path, number: int, line: bytes) -> Clip:
    try:
        clip = msgspec.json.decode(line, type=Clip)
    except (msgspec.DecodeError, ValueError) as error:
        raise BadInput(f"{path}:{number}: {error}") from error
    file = path.parent / clip.audio_filepath
    if not file.is_file():
        raise BadInput(f"{path}:{number}: no audio file {file}")
    return msgspec.structs.replace(clip, audio_filepath=str(file))


def _check_tracks(path: Path, clips: Sequence[Clip]) -> None:
    """One audio file for each speaker of a meeting."""
    files: dict[tuple[str, str], str] = {}
    for clip in clips:
        if clip.meeting is None or clip.speaker is None:
            continue
        known = files.setdefault((clip.meeting, clip.speaker), clip.audio_filepath)
        if known != clip.audio_filepath:
            raise BadInput(f"{path}: {clip.speaker} has two audio files in {clip.meeting}")
