"""`rtms-notes serve`: the service until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import typer

from pipeline.base import log
from pipeline.base.errors import ConfigError, OutsideError
from pipeline.config import Settings, load

T = TypeVar("T")


def run(
    *,
    stt: str | None,
    port: int | None,
    webhook_port: int | None,
    stt_port: int | None,
    record: str | None,
    once: bool,
    allow_loopback: bool,
    media: str | None,
    tape: Path | None,
    on_shutdown: str | None,
    speed: float,
    json: bool,
    home: Path | None,
    config: Path | None,
) -> None:
    """Serve until SIGTERM or SIGINT, or with ``once`` until the first meeting is finished."""
    settings = load(
        file=config,
        flags={
            "general.stt": stt,
            "general.port": port,
            "general.webhook_port": webhook_port,
            "general.stt_port": stt_port,
            "audio.record": record,
            "general.home": str(home) if home else None,
            "rtms.allow_loopback": True if allow_loopback else None,
            "rtms.on_shutdown": on_shutdown,
            "general.media": None if media is None else names(media),
            "general.tapes": str(tape) if tape else None,
        },
    ).settings
    missing = [
        name
        for name, value in (
            ("ZOOM_CLIENT_ID", settings.zoom.client_id),
            ("ZOOM_CLIENT_SECRET", settings.zoom.client_secret),
            ("ZOOM_SECRET_TOKEN", settings.zoom.secret_token),
        )
        if not value
    ]
    if missing and settings.general.stt_port is None:
        raise ConfigError(
            f"{', '.join(missing)} not set: copy them from the Zoom app (docs/zoom-setup.md),"
            " or see it work without an account: rtms-notes demo"
        )
    log.set_up(json=settings.general.log_json, level=settings.general.log_level)
    event_loop(_serve(settings, once=once, speed=speed, json=json, missing=missing))


def names(text: str) -> list[str]:
    """The parts of a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def event_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop where it exists, on asyncio elsewhere; its result."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


async def _serve(
    settings: Settings, *, once: bool, speed: float, json: bool, missing: list[str]
) -> None:
    """``missing``: credentials of Zoom that are not set; without them only files and programs of
    this machine are served."""
    from pipeline.service import Service

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with Service.open(settings, speed=speed, webhook=not missing) as service:
        addresses = {
            "page": service.page_url,
            "webhook": service.webhook_url,
            "stt": service.stt_url,
        }
        if json:
            told = {name: address for name, address in addresses.items() if address}
            sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
            sys.stdout.flush()
        else:
            _tell(addresses, missing)
        waits = [asyncio.ensure_future(stop.wait())]
        if once:
            waits.append(asyncio.ensure_future(service.first_finished.wait()))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if once and not stop.is_set():
            faults = list(service.health()["reasons"])
            if faults:
                raise OutsideError(faults[0])


def _tell(addresses: dict[str, str], missing: list[str]) -> None:
    typer.echo(f"page     {addresses['page']}")
    if missing:
        typer.echo(f"webhook  off: {', '.join(missing)} not set (docs/zoom-setup.md)")
    else:
        typer.echo(f"webhook  {addresses['webhook']}  (give Zoom its https address)")
    if addresses["stt"]:
        typer.echo(f"stt      {addresses['stt']}  (OpenAI-compatible)")
    if missing:
        typer.echo("no meetings without Zoom's credentials; Ctrl-C stops")
    else:
        typer.echo("waiting for meetings; Ctrl-C stops, and what is running resumes next time")
