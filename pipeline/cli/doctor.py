"""`rtms-notes doctor`: what a meeting needs, checked one by one, each with what to do."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from pipeline.cli.doctor_speech import engines, vocabulary
from pipeline.cli.finding import Finding
from pipeline.config import Settings, load

LEAST_FREE_BYTES = 1_000_000_000
MOST_SKEW_S = 120.0
"""Zoom's webhook signatures are refused beyond 300 s; warn well before."""


class _Health(msgspec.Struct):
    status: str
    meetings: int
    reasons: list[str]
    account: str | None = None


def run(*, json: bool, home: Path | None, config: Path | None) -> None:
    """Print all findings; exit status 1 when one failed."""
    settings = load(file=config, flags={"general.home": str(home) if home else None}).settings
    findings = asyncio.run(examine(settings))
    if json:
        sys.stdout.write(msgspec.json.encode(findings).decode() + "\n")
    else:
        # folded, never cut short: what to do must be readable to the letter
        columns = (Column(name, overflow="fold") for name in ("", "check", "found", "what to do"))
        table = Table(*columns, box=None)
        colours = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}
        for finding in findings:
            table.add_row(
                Text(finding.state, style=colours[finding.state]),
                finding.check,
                Text(finding.detail),
                Text(finding.advice),
            )
        Console().print(table)
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(1)


async def examine(settings: Settings) -> list[Finding]:
    """All checks, in the order in which a meeting would fail on them."""
    checks: tuple[Callable[[Settings], Awaitable[list[Finding]]], ...] = (
        _credentials,
        _api,
        _ports,
        _service,
        _disk,
        _zone,
        engines,
        vocabulary,
        _model_server,
    )
    found: list[Finding] = []
    for check in checks:
        found += await check(settings)
    return found


async def _credentials(settings: Settings) -> list[Finding]:
    zoom = settings.zoom
    found = []
    for name, value in (
        ("ZOOM_CLIENT_ID", zoom.client_id),
        ("ZOOM_CLIENT_SECRET", zoom.client_secret),
        ("ZOOM_SECRET_TOKEN", zoom.secret_token),
    ):
        if value:
            found.append(Finding(check=name, state="ok", detail="set"))
        else:
            advice = "copy it from the Zoom app, see docs/zoom-setup.md (not needed for the demo)"
            found.append(Finding(check=name, state="failed", detail="not set", advice=advice))
    if zoom.client_secret and zoom.client_secret == zoom.secret_token:
        advice = "they are two different values: Client Secret, and Secret Token under Access"
        found.append(
            Finding(
                check="credentials",
                state="warning",
                detail="client secret and secret token are the same",
                advice=advice,
            )
        )
    return found


async def _api(settings: Settings) -> list[Finding]:
    """Whether a stream that breaks off can be started again; asks Zoom for a token."""
    from pipeline.base.clock import SystemClock
    from pipeline.base.errors import ConfigError
    from pipeline.base.url_guard import UrlGuard
    from pipeline.rtms.rest import RestError, ZoomApi

    check = "Zoom REST API"
    if not settings.zoom_api.is_on:
        detail = "no credentials: a stream that breaks off has to be started again by hand"
        return [Finding(check=check, state="skipped", detail=detail)]
    guard = UrlGuard(settings.rtms.allowed_domains, settings.rtms.allow_loopback)
    try:
        api = ZoomApi(
            settings.zoom_api,
            app_client_id=settings.zoom.client_id,
            guard=guard,
            clock=SystemClock(),
        )
    except ConfigError as error:
        return [Finding(check=check, state="failed", detail="refused", advice=str(error))]
    try:
        await api.log_in()
    except RestError as error:
        advice = "check ZOOM_ACCOUNT_ID, ZOOM_API_CLIENT_ID, ZOOM_API_CLIENT_SECRET"
        return [Finding(check=check, state="failed", detail=str(error), advice=advice)]
    finally:
        await api.close()
    return [Finding(check=check, state="ok", detail="gives a token")]


async def _service(settings: Settings) -> list[Finding]:
    """What a service that runs already says of itself."""
    import aiohttp

    general = settings.general
    if general.port == 0:
        return []
    url = f"http://{general.host}:{general.port}/health"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            found = msgspec.json.decode(await response.read(), type=_Health)
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        return []  # none runs there, or it is something else: the ports say so
    reasons = [Finding(check="service", state="warning", detail=one) for one in found.reasons]
    if found.account is not None and found.account not in found.reasons:
        reasons.append(Finding(check="account", state="warning", detail=found.account))
    if reasons:
        return reasons
    return [Finding(check="service", state="ok", detail=f"runs, {found.meetings} meetings")]


async def _ports(settings: Settings) -> list[Finding]:
    general = settings.general
    found = []
    for check, host, port in (
        ("webhook port", general.webhook_host, general.webhook_port),
        ("page port", general.host, general.port),
    ):
        try:
            with socket.create_server((host, port)):
                pass
        except OSError as error:
            advice = "serve is running already, or choose another port (--port, --webhook-port)"
            detail = f"{host}:{port}: {error.strerror}"
            found.append(Finding(check=check, state="warning", detail=detail, advice=advice))
        else:
            found.append(Finding(check=check, state="ok", detail=f"{host}:{port} is free"))
    return found


async def _disk(settings: Settings) -> list[Finding]:
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        advice = "choose a folder with --home"
        return [Finding(check="disk", state="failed", detail=f"{folder} is a file", advice=advice)]
    free = shutil.disk_usage(folder).free
    shown = f"{free / 1e9:.1f} GB free at {settings.home}"
    if not os.access(folder, os.W_OK):
        advice = f"make {folder} writable, or choose another folder with --home"
        return [Finding(check="disk", state="failed", detail="not writable", advice=advice)]
    if free == 0:
        advice = f"{folder} can hold nothing; choose another folder with --home"
        return [Finding(check="disk", state="failed", detail=shown, advice=advice)]
    if free < LEAST_FREE_BYTES:
        advice = "free some space; an hour of four voices spools at most 460 MB at a time"
        return [Finding(check="disk", state="warning", detail=shown, advice=advice)]
    return [Finding(check="disk", state="ok", detail=shown)]


async def _zone(settings: Settings) -> list[Finding]:
    try:
        now = datetime.now(ZoneInfo(settings.zone))
    except (ZoneInfoNotFoundError, ValueError):
        advice = "set RTMS_NOTES_ZONE to an IANA name like Europe/Berlin"
        return [Finding(check="zone", state="failed", detail=settings.zone, advice=advice)]
    return [Finding(check="zone", state="ok", detail=f"{settings.zone}, now {now:%Y-%m-%d %H:%M}")]


async def _model_server(settings: Settings) -> list[Finding]:
    """Reachability of the language model, and the machine's clock against that server's."""
    if not settings.llm.base_url:
        detail = "none configured: notes are extracted, not written"
        return [
            Finding(check="language model", state="skipped", detail=detail),
            Finding(check="clock", state="skipped", detail="no server to compare with"),
        ]
    import aiohttp

    url = settings.llm.base_url.rstrip("/") + "/models"
    headers = {"Authorization": f"Bearer {settings.llm.api_key.reveal()}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            status, date = response.status, response.headers.get("Date")
    except (TimeoutError, aiohttp.ClientError) as error:
        advice = "check RTMS_NOTES_LLM_BASE_URL and that the server runs"
        detail = f"{url}: {type(error).__name__}"
        return [Finding(check="language model", state="failed", detail=detail, advice=advice)]
    if status in (401, 403):
        advice = "check RTMS_NOTES_LLM_API_KEY"
        found = [
            Finding(
                check="language model", state="failed", detail=f"answers {status}", advice=advice
            )
        ]
    else:
        found = [Finding(check="language model", state="ok", detail=f"{url} answers {status}")]
    return found + _skew(date)


def _skew(date: str | None) -> list[Finding]:
    if date is None:
        return [Finding(check="clock", state="skipped", detail="the server sends no date")]
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return [Finding(check="clock", state="skipped", detail="the server's date is unreadable")]
    skew = abs((datetime.now(UTC) - theirs).total_seconds())
    if skew > MOST_SKEW_S:
        advice = "set the clock (NTP): webhooks are refused beyond 300 s"
        return [
            Finding(check="clock", state="failed", detail=f"off by {skew:.0f} s", advice=advice)
        ]
    return [Finding(check="clock", state="ok", detail=f"within {max(skew, 1):.0f} s of the server")]
