"""`rtms-notes emulate`."""

from __future__ import annotations

import asyncio
import gc
import math
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import typer

from pipeline.base import log
from pipeline.base.errors import ConfigError
from pipeline.base.secret import Secret
from pipeline.emulator.emulator import Emulator
from pipeline.emulator.faults import AnyFault
from pipeline.emulator.script import read_script
from pipeline.emulator.settings import EmulatorSettings
from pipeline.export.escape import clean
from pipeline.tapes.bundled import BUNDLED
from pipeline.tapes.describe import describe


def run(
    *,
    tape: Path | None,
    script: Path | None,
    json: bool,
    client_secret: str,
    secret_token: str,
    scopes: str,
    webhook_retries: str,
    **settings: Any,
) -> None:
    """Serve until the tape has ended and the stopped webhook is delivered, or SIGTERM.

    ``settings``: fields of EmulatorSettings under their own names.
    """
    from pipeline.cli.serve import event_loop

    log.set_up(level="warning")
    found = EmulatorSettings(
        client_secret=Secret(client_secret),
        secret_token=Secret(secret_token),
        scopes=tuple(name.strip() for name in scopes.split(",") if name.strip()),
        webhook_retries_s=_seconds(webhook_retries),
        **settings,
    )
    faults = read_script(script) if script is not None else []
    # A broken tape is told before anybody connects, not in the middle.
    if tape is not None and describe(tape).cut_off:
        typer.echo(f"rtms-notes: {tape}: cut off; it is played to its last whole line", err=True)
    event_loop(_serve(tape or BUNDLED, found, faults, json=json))


def _seconds(text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(word) for word in text.split(",") if word.strip())
    except ValueError:
        found = (-1.0,)
    if not all(0 <= seconds < math.inf for seconds in found):
        raise ConfigError(f"--webhook-retries {text!r}: not seconds like 300,1200,3600")
    return found


async def _serve(
    tape: Path, settings: EmulatorSettings, faults: Sequence[AnyFault], *, json: bool
) -> None:
    async with Emulator(tape, settings, faults=faults) as zoom:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, zoom.stop)
        gc.freeze()  # what is loaded by now stays; looking through it again would cost pauses
        sys.stdout.write(_json_line(zoom) if json else _lines(zoom, tape, settings))
        sys.stdout.flush()
        try:
            reason = await zoom.run()
        finally:
            gc.unfreeze()  # else what is frozen outlives the interpreter, and libraries complain
    if not json:
        typer.echo(f"stream over: stop reason {reason.value} {reason.name}")


def _json_line(zoom: Emulator) -> str:
    """The fixed form for one stream; for several also all of them."""
    line = msgspec.to_builtins(zoom.where)
    if len(zoom.wheres) > 1:
        line["streams"] = msgspec.to_builtins(zoom.wheres)
    return msgspec.json.encode(line).decode() + "\n"


def _lines(zoom: Emulator, tape: Path, settings: EmulatorSettings) -> str:
    shown = [
        f"{key.replace('_', ' '):16} {clean(str(value))}"
        for key, value in msgspec.structs.asdict(zoom.where).items()
        if value is not None
    ]
    if settings.streams > 1:
        last = zoom.wheres[-1]
        shown.append(f"{'streams':16} {settings.streams}, to {clean(last.rtms_stream_id)}")
    if settings.webhook:
        shown.append(f"{'secret token':16} {settings.secret_token.reveal()}")
    waiting = "" if settings.webhook else "; the tape starts when a client connects"
    shown.append(f"playing {clean(str(tape))} at {settings.speed:g}x{waiting}")
    return "\n".join(shown) + "\n"
