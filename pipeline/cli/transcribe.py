"""`rtms-notes transcribe`: audio and video files as if they had been a meeting."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import typer

from pipeline.audio.media_file import MediaFile, MediaInfo
from pipeline.base import log
from pipeline.base.clock import SystemClock
from pipeline.base.errors import EngineError, OutsideError
from pipeline.base.ids import RandomIds
from pipeline.cli.reading import render, write_private
from pipeline.cli.serve import event_loop
from pipeline.cli.transcribe_bars import Bars
from pipeline.config import Settings, load
from pipeline.export.escape import clean
from pipeline.export.formats import FORMATS, file_name
from pipeline.meeting.file_meeting import for_files, go_on, identity, opening, source
from pipeline.meeting.file_stream import READ_TO_THE_END, FileSource
from pipeline.meeting.run import MeetingRun
from pipeline.model import events as ev
from pipeline.model.state import MeetingState
from pipeline.store.store import Store, StoredLog
from pipeline.transcribe.choose import chosen
from pipeline.wiring import open_parts

_LOOK_S = 0.2
_LONGEST_TITLE = 100


class _Order(NamedTuple):
    """What is to be transcribed. ``length_ms``: of the longest file, None when one does not tell
    its length."""

    sources: tuple[FileSource, ...]
    title: str
    started_ms: int
    length_ms: int | None
    again: bool


def run(
    *,
    files: Sequence[Path],
    speakers: Sequence[str],
    start: str | None,
    title: str | None,
    stt: str | None,
    out: Path | None,
    again: bool,
    record: str | None,
    json: bool,
    home: Path | None,
    config: Path | None,
) -> None:
    """Transcribe, note and keep; print the meeting."""
    settings = _settings(stt=stt, record=record, home=home, config=config)
    log.set_up(level="error")
    order = _order(files, speakers, start, title, settings, again)
    if out is not None and not out.is_dir() and out.suffix.lower() not in (".md", ".json"):
        raise typer.BadParameter(
            "name a folder, or a file that ends in .md or .json", param_hint="--out"
        )
    state = event_loop(_transcribe(settings, order))
    if state is None:
        typer.echo("rtms-notes: stopped; the same command goes on from here", err=True)
        raise typer.Exit(130)
    _print(state, settings, out=out, json=json)
    _complain(state)


def _settings(
    *, stt: str | None, record: str | None, home: Path | None, config: Path | None
) -> Settings:
    """The person's settings, with an engine of ours: a file has no transcript of Zoom's."""
    flags = {
        "general.stt": stt,
        "general.home": str(home) if home else None,
        "audio.record": record,
        "transcribe.partials": "off",
    }
    if stt in ("native", "both"):
        raise typer.BadParameter(
            f"{stt} needs Zoom's transcript; a file has none. Name an engine, such as local",
            param_hint="--stt",
        )
    settings = load(file=config, flags=flags).settings
    engine = chosen(settings.general.stt, settings.transcribe)
    return load(file=config, flags={**flags, "general.stt": engine}).settings


def _order(
    files: Sequence[Path],
    speakers: Sequence[str],
    start: str | None,
    title: str | None,
    settings: Settings,
    again: bool,
) -> _Order:
    """Raises NotFound and BadInput before anything is written, BadParameter for wrong usage."""
    if speakers and len(speakers) != len(files):
        raise typer.BadParameter(
            f"{len(speakers)} speakers for {len(files)} files: name one for each, in their order",
            param_hint="--speaker",
        )
    infos = [_probe(path) for path in files]
    names = _names(speakers or [path.stem for path in files])
    lengths = [info.length_ms for info in infos if info.length_ms is not None]
    length_ms = max(lengths) if len(lengths) == len(infos) else None
    stems = ", ".join(path.stem for path in files)
    return _Order(
        sources=tuple(source(path, name) for path, name in zip(files, names, strict=True)),
        title=(title or clean(stems))[:_LONGEST_TITLE],
        started_ms=_started_ms(start, files[0], infos[0], settings.zone),
        length_ms=length_ms,
        again=again,
    )


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


# -- transcribing -----------------------------------------------------------------------------


async def _transcribe(settings: Settings, order: _Order) -> MeetingState | None:
    """The finished meeting; None when the person stopped it."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = Store.open(settings.home, clock=clock, ids=RandomIds(), settings=settings.store)
        stack.push_async_callback(store.close)
        meeting_log, state = await _meeting(store, order, settings)
        if state.finished is not None:
            typer.echo(
                f"transcribed before, as {state.meeting}; --again does it once more", err=True
            )
            return state
        parts = await open_parts(
            stack,
            settings,
            find=lambda _: None,
            clock=clock,
            speed=1.0,
            ids=RandomIds(),
            rng=random.Random(),  # noqa: S311 - jitter
        )
        announcement = await go_on(meeting_log, state)
        meeting = MeetingRun(
            meeting_log=meeting_log,
            state=state,
            spool=store.spool(meeting_log.meeting),
            parts=for_files(parts, meeting_log, state),
        )
        if announcement is not None:
            meeting.announce(announcement)
        with Bars(order.started_ms, order.length_ms) as bars:
            watching = asyncio.create_task(_watch(store, meeting, bars, state.last_seq))
            try:
                finished, stopped = await _until_done(meeting)
            finally:
                watching.cancel()
                await asyncio.wait({watching})
        if bars.fault is not None:
            raise EngineError(
                f"{bars.fault}; what was heard is kept as {meeting.meeting}, and the same command"
                " goes on once that is mended"
            )
        if stopped and not finished:
            return None
        if not finished:
            raise OutsideError(
                f"some audio could not be transcribed by this process; it is kept as"
                f" {meeting.meeting}, and the same command goes on"
            )
        return store.reader.state(meeting.meeting)


async def _meeting(
    store: Store, order: _Order, settings: Settings
) -> tuple[StoredLog, MeetingState]:
    """The newest transcription of these files, or a new one."""
    engine = settings.general.stt
    number, known = 0, None
    while (found := store.find("file", identity(order.sources, engine, number + 1))) is not None:
        number, known = number + 1, found
    if known is not None:
        state = store.reader.state(known)
        if state.finished is None or not order.again:
            return store.log(known), state
    meeting_log = await store.create(
        *opening(
            order.sources,
            zoom_id=identity(order.sources, engine, number + 1),
            started_ms=order.started_ms,
            zone=settings.zone,
            title=order.title,
            engine=engine,
        )
    )
    return meeting_log, store.reader.state(meeting_log.meeting)


async def _until_done(meeting: MeetingRun) -> tuple[bool, bool]:
    """Whether it was finished, and whether somebody asked it to stop. A second Ctrl-C does not
    wait for anything."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def asked() -> None:
        stop.set()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, asked)
    running = asyncio.create_task(meeting.run())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await meeting.close()
        return await running, stop.is_set()
    finally:
        stopping.cancel()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)


async def _watch(store: Store, meeting: MeetingRun, bars: Bars, begun: int) -> None:
    """Feed the bars with the log; end the run when only an installation can help (``begun``: what
    came before is an earlier process's)."""

    async def tick() -> None:
        while True:
            bars.read(meeting.now_ms)
            await asyncio.sleep(_LOOK_S)

    ticking = asyncio.create_task(tick())
    try:
        async for event in store.reader.follow(meeting.meeting, 0):
            if bars.take(event.body) and event.seq > begun:
                assert isinstance(event.body, ev.StageChanged)
                bars.fault = event.body.detail
                await meeting.close()
    finally:
        ticking.cancel()


# -- the result -------------------------------------------------------------------------------


def _print(state: MeetingState, settings: Settings, *, out: Path | None, json: bool) -> None:
    if out is not None:
        kind = "json" if json or out.suffix.lower() == ".json" else "md"
        path = out / file_name(state, kind) if out.is_dir() else out
        write_private(path, FORMATS[kind].render(state))
        typer.echo(f"wrote {path}", err=True)
    elif json:
        sys.stdout.write(FORMATS["json"].render(state) + "\n")
    else:
        text = FORMATS["md"].render(state)
        render(text.split("\n---\n", 1)[-1] if sys.stdout.isatty() else text)
    typer.echo(f"kept as {state.meeting} in {settings.home}", err=True)


def _complain(state: MeetingState) -> None:
    """Raises OutsideError when words are missing that should be there."""
    ends = [stream.detail for stream in state.streams.values() if stream.state == "ended"]
    if ends and ends[-1] != READ_TO_THE_END:
        raise OutsideError(f"not read to the end: {ends[-1]}")
    failed = [closed for closed in state.outcomes.values() if closed.outcome == "failed"]
    if failed:
        raise OutsideError(
            f"{len(failed)} of {len(state.outcomes)} segments could not be transcribed, and are"
            f" marked as missing ({failed[0].detail})"
        )
