"""`rtms-notes demo` and `replay`: a fake Zoom in a process of its own, the service in this one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from pipeline.base import log
from pipeline.base.errors import OutsideError
from pipeline.base.secret import Secret
from pipeline.cli.reading import notes_only, render, write_private
from pipeline.cli.screen import Screen
from pipeline.cli.serve import event_loop
from pipeline.config import Settings, load
from pipeline.export.formats import FORMATS, file_name
from pipeline.model.state import MeetingState
from pipeline.service import Service
from pipeline.tapes.bundled import BUNDLED
from pipeline.tapes.describe import describe
from pipeline.tapes.reader import TapeReader


def run(
    *,
    speed: float,
    stt: str | None,
    record: str | None,
    port: int,
    page: bool,
    out: Path,
    stay: bool,
    config: Path | None,
) -> None:
    """Play the bundled meeting and print its notes and where the markdown is."""
    settings = _settings(BUNDLED, config=config, stt=stt, record=record, home=out, port=port)
    log.set_up(level="error")

    def done(state: MeetingState) -> None:
        markdown = FORMATS["md"].render(state)
        path = out / file_name(state, "md")
        write_private(path, markdown)
        console = Console()
        console.rule()
        render(notes_only(markdown))
        console.rule()
        again = f"{_myself()} show {state.meeting[:4]} --home {out}"
        for line in (f"markdown  {path}", f"again     {again}"):
            console.print(Text(line, style="bold"), soft_wrap=True)

    _play(settings, BUNDLED, done, speed=speed, page=page, stay=stay)


def replay(
    *,
    tape: Path,
    speed: float,
    stt: str | None,
    record: str | None,
    json: bool,
    home: Path | None,
    config: Path | None,
) -> None:
    """Play any tape into the person's own store."""
    describe(tape)  # a broken tape is told before it becomes half a meeting
    settings = _settings(tape, config=config, stt=stt, record=record, home=home, port=0)
    log.set_up(level=settings.general.log_level, json=settings.general.log_json)

    def done(state: MeetingState) -> None:
        if json:
            sys.stdout.write(FORMATS["json"].render(state) + "\n")
            return
        render(notes_only(FORMATS["md"].render(state)))
        typer.echo(f"kept as {state.meeting} in {settings.home}")

    _play(settings, tape, done, speed=speed, page=False, stay=False, quiet=json)


def _myself() -> str:
    """How the person called this program."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "rtms-notes" and called.parent != Path() else "rtms-notes"


def _settings(
    tape: Path,
    *,
    config: Path | None,
    stt: str | None,
    record: str | None,
    home: Path | None,
    port: int,
) -> Settings:
    """The person's settings, with made-up credentials and loopback allowed. Dates are resolved in
    the zone the tape was recorded in, unless the person chose one. Raises TapeError, NotFound."""
    with TapeReader.open(tape) as reader:
        zone = reader.header.zone
    return load(
        file=config,
        flags={
            "general.zone": None if load(file=config).settings.general.zone else zone,
            "general.stt": stt,
            "audio.record": record,
            "general.home": str(home) if home else None,
            "general.port": port,
            "general.webhook_port": 0,
            "rtms.allow_loopback": True,
            "zoom.client_id": "fake-zoom",
            "zoom.client_secret": Secret(secrets.token_hex(16)),
            "zoom.secret_token": Secret(secrets.token_hex(16)),
        },
    ).settings


def _play(
    settings: Settings,
    tape: Path,
    done: Callable[[MeetingState], None],
    *,
    speed: float,
    page: bool,
    stay: bool,
    quiet: bool = False,
) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both end the child, too
    console = Console(stderr=True) if quiet else Console()
    event_loop(_watch(settings, tape, console, done, speed=speed, page=page, stay=stay))


async def _watch(
    settings: Settings,
    tape: Path,
    console: Console,
    done: Callable[[MeetingState], None],
    *,
    speed: float,
    page: bool,
    stay: bool,
) -> None:
    zoom_id = secrets.token_hex(12)  # each play is a meeting of its own
    async with Service.open(settings, speed=speed, page=page) as service:
        async with _fake_zoom(settings, tape, zoom_id, service.webhook_url, speed) as fake:
            began = asyncio.ensure_future(service.began(zoom_id))
            ended = asyncio.ensure_future(fake.wait())
            await asyncio.wait({began, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not began.done():
                began.cancel()
                raise OutsideError(f"the fake Zoom ended before the meeting began: {fake.fault()}")
            meeting = began.result()
            url = f"{service.page_url}m/{meeting}" if page else None
            if url:
                console.print(Text(f"live page  {url}", style="bold"), soft_wrap=True)
            with Screen(console, url) as screen:
                drawing = asyncio.ensure_future(_draw(service, meeting, screen))
                showing = asyncio.ensure_future(_show(service, meeting, screen))
                try:
                    await service.over(meeting)
                    if fault := service.fault(meeting):
                        raise OutsideError(f"meeting {meeting}: {fault}")
                    await showing
                finally:
                    drawing.cancel()
                    showing.cancel()
            await ended
            if fake.failed:
                raise OutsideError(f"the fake Zoom failed: {fake.fault()}")
        done(service.reader.state(meeting))
        if stay and page:
            console.print(Text(f"the page stays at {url} until Ctrl-C", style="bold"))
            await asyncio.Event().wait()


async def _show(service: Service, meeting: str, screen: Screen) -> None:
    """Hand every event to the screen until the meeting is finished."""
    async for event in service.reader.follow(meeting, 0):
        screen.take(event)
        if event.kind == "meeting_finished":
            return


async def _draw(service: Service, meeting: str, screen: Screen) -> None:
    """Keep clock, speaker and what is being said fresh between events."""
    looking = service.words.watch(meeting) if screen.is_live else contextlib.nullcontext()
    with looking:
        while True:
            live = service.live(meeting)
            if live is not None:
                screen.speaker, screen.clock_ms = live.speaker, live.now_ms
            screen.saying = service.words.current(meeting)
            screen.draw()
            await asyncio.sleep(0.125)


class FakeZoomProcess:
    """`rtms-notes emulate` as a child process that says when it listens."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said = b""

    async def wait(self) -> None:
        """Until it has ended; what it wrote to stderr is kept for ``fault``."""
        assert self._process.stderr is not None
        self._said = await self._process.stderr.read()
        await self._process.wait()

    @property
    def failed(self) -> bool:
        """Whether it ended with a fault."""
        return bool(self._process.returncode)

    def fault(self) -> str:
        """The last line it wrote to stderr."""
        lines = self._said.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._process.returncode}"


@contextlib.asynccontextmanager
async def _fake_zoom(
    settings: Settings, tape: Path, zoom_id: str, webhook: str, speed: float
) -> AsyncIterator[FakeZoomProcess]:
    zoom = settings.zoom
    arguments = {
        "--client-id": zoom.client_id,
        "--meeting-uuid": zoom_id,
        "--stream-id": secrets.token_hex(16),
        "--webhook": webhook,
        "--speed": str(speed),
    }
    command = [sys.executable, "-m", "pipeline.cli", "emulate", str(tape), "--json", "--port", "0"]
    for name, value in arguments.items():
        command += [name, value]
    hidden = {  # not on the command line, where everybody on this machine could read them
        "EMULATE_CLIENT_SECRET": zoom.client_secret.reveal(),
        "EMULATE_SECRET_TOKEN": zoom.secret_token.reveal(),
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **hidden},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield FakeZoomProcess(process)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
