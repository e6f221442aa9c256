"""`rtms-notes emulate` and `tape info`."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import msgspec
import typer

from pipeline.base import log
from pipeline.base.secret import Secret
from pipeline.emulator.emulator import Emulator
from pipeline.emulator.settings import EmulatorSettings
from pipeline.export.escape import clean
from pipeline.tapes.bundled import BUNDLED
from pipeline.tapes.describe import Description, describe


def run(
    *,
    tape: Path | None,
    host: str,
    port: int,
    tls: bool,
    client_id: str,
    client_secret: str,
    secret_token: str,
    meeting_uuid: str | None,
    stream_id: str | None,
    webhook: str | None,
    speed: float,
    loop: bool,
    json: bool,
) -> None:
    """Serve until the tape has ended and the stopped webhook is delivered, or SIGTERM."""
    from pipeline.cli.serve import event_loop

    log.set_up(level="warning")
    settings = EmulatorSettings(
        host=host,
        port=port,
        tls=tls,
        client_id=client_id,
        client_secret=Secret(client_secret),
        secret_token=Secret(secret_token),
        meeting_uuid=meeting_uuid,
        stream_id=stream_id,
        webhook=webhook,
        speed=speed,
        loop=loop,
    )
    if tape is not None:
        describe(tape)  # a broken tape is told before anybody connects, not in the middle
    event_loop(_serve(tape or BUNDLED, settings, json=json))


async def _serve(tape: Path, settings: EmulatorSettings, *, json: bool) -> None:
    async with Emulator(tape, settings) as zoom:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, zoom.stop)
        if json:
            sys.stdout.write(msgspec.json.encode(zoom.where).decode() + "\n")
        else:
            where = msgspec.structs.asdict(zoom.where)
            for key, value in where.items():
                if value is not None:
                    sys.stdout.write(f"{key.replace('_', ' '):16} {value}\n")
            waiting = "" if settings.webhook else "; the tape starts when a client connects"
            sys.stdout.write(f"playing {tape} at {settings.speed:g}x{waiting}\n")
        sys.stdout.flush()
        reason = await zoom.run()
    if not json:
        typer.echo(f"stream over: stop reason {reason.value} {reason.name}")


def info(*, tape: Path, json: bool) -> None:
    """Print what is on a tape."""
    found = describe(tape)
    if json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        return
    _print(found)


def _print(found: Description) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    rows: list[tuple[str, str]] = [
        ("tape", found.file),
        ("title", found.title),
        ("product", found.product),
        ("id", found.id),
        ("stream", found.stream),
        ("start", found.start),
        ("length", f"{found.duration_ms / 1000:.1f} s"),
        ("size", f"{found.bytes / 1e6:.2f} MB, {found.lines} lines"),
        *(("lost", f"{m.media} for {m.ms / 1000:g} s at {m.t / 1000:.1f} s") for m in found.lost),
        ("messages", ", ".join(f"{name} {count}" for name, count in found.messages.items())),
        ("credits", found.credits),
    ]
    for name, value in rows:
        table.add_row(Text(name), Text(clean(value)))
    console.print(table)
    people = Table("user id", "name", "speech")
    for person in found.participants:
        seconds = f"{person.audio_ms / 1000:.1f} s"
        people.add_row(Text(str(person.user_id)), Text(clean(person.user_name)), Text(seconds))
    console.print(people)
