"""`rtms-notes corrections`: which heard words were replaced in a meeting, and taking that back."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.base.clock import SystemClock
from pipeline.base.errors import BadInput, NotFound
from pipeline.base.ids import RandomIds
from pipeline.config import load
from pipeline.export.escape import clean
from pipeline.model import events as ev
from pipeline.model.speech import Correction, Utterance
from pipeline.model.state import MeetingState
from pipeline.store.reader import Reader
from pipeline.store.store import Store
from pipeline.summarize.afterwards import with_checks
from pipeline.transcribe.corrections import undo as without


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One correction, as ``--json`` prints it. ``id`` is what ``--undo`` takes."""

    id: str
    utterance: str
    at_ms: int
    speaker: str | None
    was: str
    now: str
    source: str
    why: str
    undone: bool
    text: str


def run(*, meeting: str, undo: str | None, json: bool, home: Path | None) -> None:
    """List them, or take back those of one utterance (``UTTERANCE``), or one of them
    (``UTTERANCE:N``)."""
    settings = load().settings
    folder = home or settings.home
    reader = Reader.open(folder)
    found = reader.resolve(meeting)
    if undo is not None:
        utterance, number = _named(undo)
        changed = asyncio.run(
            _take_back(folder, found, utterance, number, settings.summarize.unverified)
        )
        typer.echo(f"{changed.id} is now: {clean(changed.text)}", err=json)
    rows = _rows(reader.state(found))
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode() + "\n")
    elif undo is None:
        _print(rows, ZoneInfo(reader.state(found).view().zone))


async def _take_back(
    folder: Path,
    meeting: str,
    utterance: str,
    number: int | None,
    unverified: Literal["show", "hold"],
) -> Utterance:
    """Commit the utterance's next revision, and what it means for the notes. Raises InUse while
    another process writes there."""
    clock = SystemClock()
    store = Store.open(folder, clock=clock, ids=RandomIds())
    try:
        state = store.reader.state(meeting)
        known = state.utterances.get(utterance)
        if known is None or known.deleted:
            raise NotFound(f"meeting {meeting} has no utterance {utterance!r}")
        changed = without(known, number)
        if changed is None:
            which = f"correction {number}" if number is not None else "correction"
            raise BadInput(
                f"{utterance} has no {which} to take back; `rtms-notes corrections {meeting}`"
                " lists them"
            )
        bodies = [ev.UtteranceSaid(utterance=changed)]
        now_ms = clock.now_ms()
        await store.log(meeting).append(
            *with_checks(state, bodies, at_ms=now_ms, unverified=unverified)
        )
        return changed
    finally:
        await store.close()


def _named(text: str) -> tuple[str, int | None]:
    utterance, colon, number = text.partition(":")
    if not colon:
        return utterance, None
    if not number.isascii() or not number.isdigit() or int(number) < 1:
        raise BadInput(f"--undo {text}: write UTTERANCE or UTTERANCE:N, like u12:1")
    return utterance, int(number)


def _rows(state: MeetingState) -> list[Row]:
    made = sorted(
        (u for u in state.utterances.values() if u.corrections and not u.deleted),
        key=lambda u: (u.start_ms, int(u.id[1:])),
    )
    return [
        _row(utterance, number, correction)
        for utterance in made
        for number, correction in enumerate(utterance.corrections, 1)
    ]


def _row(utterance: Utterance, number: int, correction: Correction) -> Row:
    return Row(
        id=f"{utterance.id}:{number}",
        utterance=utterance.id,
        at_ms=utterance.start_ms,
        speaker=utterance.speaker,
        was=correction.was,
        now=correction.now,
        source=correction.source,
        why=correction.why,
        undone=correction.undone,
        text=utterance.text,
    )


def _print(rows: list[Row], zone: ZoneInfo) -> None:
    if not rows:
        typer.echo("no word of this meeting was corrected")
        return
    table = Table("id", "time", "speaker", "heard", "corrected to", "known from", box=None)
    for row in rows:
        at = datetime.fromtimestamp(row.at_ms / 1000, zone).strftime("%H:%M:%S")
        now = f"{row.now} (taken back)" if row.undone else row.now
        cells = (row.speaker or "Unknown speaker", row.was, now, row.source)
        table.add_row(row.id, at, *(Text(clean(cell)) for cell in cells))
    Console().print(table)
