"""`rtms-notes transcribe`: audio and video files as if they had been a meeting."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import typer

from pipeline.base import log
from pipeline.base.clock import SystemClock
from pipeline.base.errors import EngineError, OutsideError
from pipeline.base.ids import RandomIds
from pipeline.cli.reading import render, write_private
from pipeline.cli.serve import event_loop
from pipeline.cli.transcribe_bars import Bars
from pipeline.cli.transcribe_order import Order, check_out, local_time, order_of
from pipeline.config import Settings, load
from pipeline.export.formats import FORMATS, file_name
from pipeline.meeting.file_meeting import for_files, go_on, identity, opening
from pipeline.meeting.file_stream import READ_TO_THE_END
from pipeline.meeting.run import MeetingRun
from pipeline.model import events as ev
from pipeline.model.state import MeetingState
from pipeline.store.store import Store, StoredLog
from pipeline.transcribe.choose import chosen
from pipeline.wiring import open_parts

_LOOK_S = 0.2


def run(
    *,
    files: Sequence[Path],
    speakers: Sequence[str],
    start: str | None,
    title: str | None,
    stt: str | None,
    language: str | None,
    glossary: Path | None,
    calendar: Path | None,
    out: Path | None,
    again: bool,
    record: str | None,
    json: bool,
    home: Path | None,
    config: Path | None,
) -> None:
    """Transcribe, note and keep; print the meeting."""
    flags = {
        "general.home": home,
        "audio.record": record,
        "transcribe.language": language,
        "transcribe.glossary": glossary,
        "transcribe.calendar": calendar,
    }
    settings = _settings(stt, {name: str(value) for name, value in flags.items() if value}, config)
    log.set_up(level="error")
    order = order_of(files, speakers, start, title, settings, again)
    check_out(out)
    state = event_loop(_transcribe(settings, order))
    if state is None:
        typer.echo("rtms-notes: stopped; the same command goes on from here", err=True)
        raise typer.Exit(130)
    _print(state, settings, out=out, json=json)
    _complain(state)


def _settings(stt: str | None, flags: dict[str, str], config: Path | None) -> Settings:
    """The person's settings, with an engine of ours: a file has no transcript of Zoom's."""
    told: dict[str, str | None] = {**flags, "general.stt": stt, "transcribe.partials": "off"}
    if stt in ("native", "both"):
        raise typer.BadParameter(
            f"{stt} needs Zoom's transcript; a file has none. Name an engine, such as local",
            param_hint="--stt",
        )
    settings = load(file=config, flags=told).settings
    engine = chosen(settings.general.stt, settings.transcribe)
    return load(file=config, flags={**told, "general.stt": engine}).settings


# -- transcribing -----------------------------------------------------------------------------


async def _transcribe(settings: Settings, order: Order) -> MeetingState | None:
    """The finished meeting; None when the person stopped it."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = Store.open(settings.home, clock=clock, ids=RandomIds(), settings=settings.store)
        stack.push_async_callback(store.close)
        count, known = _known(store, order, settings.general.stt)
        if known is not None and known.finished is not None and not order.again:
            typer.echo(
                f"transcribed before, as {known.meeting}; --again does it once more{_obeys(order)}",
                err=True,
            )
            return known
        parts = await open_parts(  # before anything is written: an engine may be missing
            stack,
            settings,
            find=lambda _: None,
            clock=clock,
            speed=1.0,
            ids=RandomIds(),
            rng=random.Random(),  # noqa: S311 - jitter
        )
        meeting_log, state = await _meeting(store, order, settings, count, known)
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


def _obeys(order: Order) -> str:
    return f", and obeys {' and '.join(order.told)}" if order.told else ""


def _known(store: Store, order: Order, engine: str) -> tuple[int, MeetingState | None]:
    """How often these files were transcribed, and the newest of these transcriptions."""
    count, found = 0, None
    while (known := store.find("file", identity(order.sources, engine, count + 1))) is not None:
        count, found = count + 1, known
    return count, None if found is None else store.reader.state(found)


async def _meeting(
    store: Store, order: Order, settings: Settings, count: int, known: MeetingState | None
) -> tuple[StoredLog, MeetingState]:
    """What was begun and is not finished, or a new one."""
    if known is not None and known.finished is None:
        kept = f"; {' and '.join(order.told)} cannot change it now" if order.told else ""
        typer.echo(f"goes on with {known.meeting}, which was begun before{kept}", err=True)
        return store.log(known.meeting), known
    engine = settings.general.stt
    if order.guessed:
        began = local_time(order.started_ms, settings.zone)
        typer.echo(
            f"taken to begin at {began}, by the file's date; if that is wrong, dates in the notes"
            " are, too: say --start",
            err=True,
        )
    if not order.sources[0].speaker:
        typer.echo(
            "who speaks is not known: say --speaker NAME if it is one person, or give each"
            " person's own file",
            err=True,
        )
    meeting_log = await store.create(
        *opening(
            order.sources,
            zoom_id=identity(order.sources, engine, count + 1),
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
            ends = bars.take(event.body)
            if event.seq <= begun:
                continue
            if ends:
                assert isinstance(event.body, ev.StageChanged)
                bars.fault = event.body.detail
                await meeting.close()
            else:
                bars.tell(event.body)
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
    if state.recordings:
        folder = settings.home / "meetings" / state.meeting / "recordings"
        typer.echo(f"recordings in {folder}", err=True)


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
