"""`rtms-notes recheck`: words that may be made up, heard again or settled by a person."""

from __future__ import annotations

import asyncio
import io
import sys
import wave
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.audio.packet import encode_l16
from pipeline.audio.spool import discard
from pipeline.audio.spool import load as load_audio
from pipeline.base.clock import SystemClock
from pipeline.base.errors import BadInput, EngineError, NotFound, StorageError
from pipeline.base.ids import RandomIds
from pipeline.cli.reading import write_private
from pipeline.config import Settings, load
from pipeline.export.escape import clean
from pipeline.meeting import batch as batches
from pipeline.meeting.doubts import Doubt, accepted, doubts, rejected, retranscribed, settled
from pipeline.model import events as ev
from pipeline.model.state import MeetingState
from pipeline.store import layout
from pipeline.store.reader import Reader
from pipeline.store.store import Store
from pipeline.summarize.afterwards import with_checks
from pipeline.transcribe.choose import check_engine, open_engine
from pipeline.transcribe.engine import Hints
from pipeline.transcribe.guards import Guarded
from pipeline.transcribe.settings import EngineName

WHY = {
    "loop": "the same words over and over",
    "rate": "more words than anybody says in that time",
    "echo": "only names and words the engine was told to expect",
    "language": "another language or script than can have been spoken",
    "non_speech": "hardly any speech, and other words when heard again",
}
"""What people read for each doubt of a guard."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One doubtful segment, as ``--json`` prints it; ``segment`` is what the options take."""

    segment: str
    utterance: str | None
    at_ms: int
    speaker: str | None
    doubt: str
    why: str
    text: str
    engine: str | None


def run(
    *,
    meeting: str,
    engine: str | None,
    accept: Sequence[str],
    reject: Sequence[str],
    audio: Path | None,
    json: bool,
    home: Path | None,
    config: Path | None,
) -> None:
    """Settle what is named, hear the rest again when an engine is named, list what is left."""
    if audio is not None and not audio.is_dir():
        raise NotFound(f"{audio}: no such folder")
    settings = load(file=config).settings
    folder = home or settings.home
    both = set(accept) & set(reject)
    if both:
        raise BadInput(f"{min(both)}: accepted or rejected, not both")
    reader = Reader.open(folder)
    found = reader.resolve(meeting)
    if engine is not None:
        settings = _with_engine(settings, engine)
    if engine is not None or accept or reject:
        asyncio.run(_change(folder, found, settings, engine, accept, reject))
    state = reader.state(found)
    left = doubts(state)
    if audio is not None:
        for doubt in left:
            _write_sound(doubt, layout.spool(folder, found), audio)
    rows = [_row(doubt) for doubt in left]
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode() + "\n")
    else:
        _print(rows, state)


def _with_engine(settings: Settings, engine: str) -> Settings:
    """Raises BadInput for an engine that does not exist, ConfigError for one that is not set up."""
    name: EngineName | None = next((n for n in get_args(EngineName) if n == engine), None)
    if name is None:
        raise BadInput(f"--engine {engine}: there are {', '.join(get_args(EngineName))}")
    check_engine(name, settings.transcribe, settings.stt, asked="--engine")
    return msgspec.structs.replace(
        settings, transcribe=msgspec.structs.replace(settings.transcribe, engine=name)
    )


async def _change(
    folder: Path,
    meeting: str,
    settings: Settings,
    engine: str | None,
    accept: Sequence[str],
    reject: Sequence[str],
) -> None:
    """Raises InUse while another process writes there."""
    clock = SystemClock()
    store = Store.open(folder, clock=clock, ids=RandomIds())
    try:
        log, spool = store.log(meeting), store.spool(meeting)

        async def commit(doubt: Doubt, bodies: list[ev.Body], told: str) -> None:
            await log.append(
                *with_checks(
                    store.reader.state(meeting),
                    bodies,
                    at_ms=clock.now_ms(),
                    unverified=settings.summarize.unverified,
                )
            )
            for segment in doubt.segments:
                discard(spool, segment.file)
            typer.echo(f"{doubt.id}: {told}", err=True)

        state = store.reader.state(meeting)
        for segment in settled(state):  # a recheck that was killed may have left some
            discard(spool, segment.file)
        known = {doubt.id: doubt for doubt in doubts(state)}
        for name in [*accept, *reject]:
            if name not in known:
                raise NotFound(
                    f"{name} is no doubtful segment; `rtms-notes recheck {meeting}` lists them"
                )
        for name in accept:
            doubt = known.pop(name)
            await commit(doubt, accepted(doubt, clock.now_ms()), "accepted, its audio is deleted")
        for name in reject:
            doubt = known.pop(name)
            await commit(
                doubt, rejected(doubt, clock.now_ms()), "rejected, words and audio are gone"
            )
        if engine is None or not known:
            return
        guarded = Guarded(
            await asyncio.to_thread(
                open_engine,
                settings.transcribe.engine,
                settings.transcribe,
                settings.stt,
                clock=clock,
            )
        )
        try:
            for doubt in known.values():
                bodies, told = await _again(doubt, guarded, spool, settings, meeting)
                if bodies:
                    await commit(doubt, bodies, told)
                else:
                    typer.echo(f"{doubt.id}: {told}", err=True)
        finally:
            await guarded.close()
    finally:
        await store.close()


async def _again(
    doubt: Doubt, engine: Guarded, spool: Path, settings: Settings, meeting: str
) -> tuple[list[ev.Body], str]:
    """What settles a doubt by hearing it again, and what to tell; nothing when it stays."""
    try:
        pieces = [await asyncio.to_thread(load_audio, spool, s.file) for s in doubt.segments]
        heard = await engine.transcribe(
            np.concatenate(pieces),
            Hints(language=settings.transcribe.language, key=f"{meeting}/{doubt.id}-recheck"),
            batches.speech_ms(doubt.segments),
        )
    except StorageError as error:
        return [], f"not heard again ({error}); accept or reject it"
    except EngineError as error:
        return [], f"not heard again ({clean(str(error))})"
    bodies = retranscribed(doubt, heard, SystemClock().now_ms())
    if not bodies:
        return [], f"still doubtful ({heard.doubt})"
    words = clean(heard.text).strip()
    return bodies, f"is now: {words}" if words else "no words in it; the utterance is gone"


def _write_sound(doubt: Doubt, spool: Path, to: Path) -> None:
    """A person can only judge what she has heard. Only its owner can read the file."""
    path = to / f"{doubt.id}.wav"
    try:
        pieces = [load_audio(spool, segment.file) for segment in doubt.segments]
        made = io.BytesIO()
        with wave.open(made, "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(encode_l16(np.concatenate(pieces)))
        write_private(path, made.getvalue())
    except StorageError as error:
        typer.echo(f"{doubt.id}: not to be heard ({error})", err=True)
    else:
        typer.echo(f"{doubt.id}: wrote {path}", err=True)


def _row(doubt: Doubt) -> Row:
    said, first = doubt.utterance, doubt.segments[0]
    return Row(
        segment=doubt.id,
        utterance=None if said is None else said.id,
        at_ms=first.start_ms,
        speaker=first.speaker,
        doubt=doubt.why,
        why=WHY.get(doubt.why, doubt.why),
        text="" if said is None else said.text,
        engine=None if said is None else said.engine,
    )


def _print(rows: list[Row], state: MeetingState) -> None:
    if not rows:
        typer.echo("no words of this meeting are in doubt")
        return
    zone = ZoneInfo(state.view().zone)
    table = Table("segment", "time", "speaker", "why", "text", box=None)
    for row in rows:
        at = datetime.fromtimestamp(row.at_ms / 1000, zone).strftime("%H:%M:%S")
        cells = (row.speaker or "Unknown speaker", row.why, row.text)
        table.add_row(row.segment, at, *(Text(clean(cell)) for cell in cells))
    Console().print(table)
