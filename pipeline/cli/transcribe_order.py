"""What `rtms-notes transcribe` is asked to do, checked before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import typer

from pipeline.audio.media_file import MediaFile, MediaInfo
from pipeline.config import Settings
from pipeline.export.escape import clean
from pipeline.meeting.file_meeting import source
from pipeline.meeting.file_stream import FileSource

_LONGEST_TITLE = 100


class Order(NamedTuple):
    """What is to be transcribed. ``length_ms``: of the longest file, None when one does not tell
    its length. ``guessed``: nobody said when it was recorded. ``told``: options that only a new
    transcription obeys."""

    sources: tuple[FileSource, ...]
    title: str
    started_ms: int
    length_ms: int | None
    again: bool
    guessed: bool
    told: tuple[str, ...]


def check_out(out: Path | None) -> None:
    """Now, not after an hour of transcribing. Raises BadParameter."""
    if out is None or out.is_dir():
        return
    if out.suffix.lower() not in (".md", ".json"):
        raise typer.BadParameter(
            "name a folder that exists, or a file that ends in .md or .json", param_hint="--out"
        )
    if not out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.parent}", param_hint="--out")


def order_of(
    files: Sequence[Path],
    speakers: Sequence[str],
    start: str | None,
    title: str | None,
    settings: Settings,
    again: bool,
) -> Order:
    """Raises NotFound and BadInput before anything is written, BadParameter for wrong usage."""
    if speakers and len(speakers) != len(files):
        raise typer.BadParameter(
            f"{len(speakers)} speakers for {len(files)} files: name one for each, in their order",
            param_hint="--speaker",
        )
    infos = [_probe(path) for path in files]
    # One file may be one person or a room full: its name is nobody's until somebody says so.
    names = [""] if not speakers and len(files) == 1 else _names(speakers or _stems(files))
    lengths = [info.length_ms for info in infos if info.length_ms is not None]
    length_ms = max(lengths) if len(lengths) == len(infos) else None
    stems = ", ".join(_stems(files))
    return Order(
        sources=tuple(source(path, name) for path, name in zip(files, names, strict=True)),
        title=(title or clean(stems))[:_LONGEST_TITLE],
        started_ms=_started_ms(start, files[0], infos[0], settings.zone),
        length_ms=length_ms,
        again=again,
        guessed=start is None and infos[0].created_ms is None,
        told=tuple(
            name for name, value in (("--start", start), ("--title", title)) if value is not None
        ),
    )


def _stems(files: Sequence[Path]) -> list[str]:
    return [path.stem for path in files]


def _probe(path: Path) -> MediaInfo:
    """Whether a file can be read at all. Raises NotFound, BadInput."""
    with closing(MediaFile(path)) as media:
        next(media.read(), None)
        return media.info


def _names(names: Sequence[str]) -> list[str]:
    """Each once: two people are two, whatever their files are called."""
    made: list[str] = []
    for name in names:
        told = clean(name).strip() or "Speaker"
        count = sum(other == told or other.startswith(f"{told} (") for other in made)
        made.append(told if not count else f"{told} ({count + 1})")
    return made


def _started_ms(start: str | None, path: Path, info: MediaInfo, zone: str) -> int:
    """When it was recorded: what the person says, else the file, else the time of its end."""
    if start is not None:
        try:
            at = datetime.fromisoformat(start)
        except ValueError:
            raise typer.BadParameter(
                f"{start!r} is no time like 2026-03-02T09:00", param_hint="--start"
            ) from None
        return int((at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).timestamp() * 1000)
    if info.created_ms is not None:
        return info.created_ms
    return int(path.stat().st_mtime * 1000) - (info.length_ms or 0)


def local_time(ms: int, zone: str) -> str:
    """``2026-03-02 09:00``."""
    return datetime.fromtimestamp(ms / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")
