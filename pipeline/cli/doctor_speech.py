"""The doctor's look at speech-to-text: does what the settings choose load, or answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sized
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.base.clock import SystemClock
from pipeline.base.errors import BadInput, ConfigError, EngineError
from pipeline.base.loopback import is_loopback
from pipeline.cli.finding import Finding
from pipeline.config import Settings
from pipeline.transcribe import calendar, glossary
from pipeline.transcribe.choose import (
    STREAMING,
    check_engine,
    check_engines,
    chosen,
    open_engine,
    open_stream_engine,
    partial_engine,
)
from pipeline.transcribe.settings import REMOTE, EngineName

_ADVICE = {
    "auth": "check RTMS_NOTES_STT_API_KEY",
    "connect": "check RTMS_NOTES_STT_BASE_URL and that the server runs",
    "timeout": "check RTMS_NOTES_STT_BASE_URL and that the server is not overloaded",
    "not_found": "check RTMS_NOTES_STT_BASE_URL (it ends in /v1 at most servers)",
}


async def engines(settings: Settings) -> list[Finding]:
    """Every engine that a meeting would use; with ``--stt native`` only whether ``local`` could
    be used."""
    options, stt = settings.transcribe, settings.stt
    if settings.general.stt == "native":
        return [await _loads("local", settings, wanted=False)]
    name = chosen(settings.general.stt, options)
    try:
        check_engines(name, options, stt)
    except ConfigError as error:
        detail = "the settings do not fit"
        return [Finding(check="speech-to-text", state="failed", detail=detail, advice=str(error))]
    names: list[EngineName] = [name]
    for other in (options.fallback, partial_engine(name, options)):
        if other and other not in names:
            names.append(other)
    found = [_address(settings)] if any(one in REMOTE for one in names) else []
    for one in names:
        if one in REMOTE:
            found.append(await _answers(one, settings))
        else:
            found.append(await _loads(one, settings, wanted=True))
    return found


async def vocabulary(settings: Settings) -> list[Finding]:
    """Whether glossary and calendar can be read, where the settings name one."""
    files: tuple[tuple[str, str, Callable[[Path], Sized], str], ...] = (
        ("glossary", settings.transcribe.glossary, glossary.read, "terms"),
        ("calendar", settings.transcribe.calendar, calendar.read, "appointments"),
    )
    found = []
    for check, path, read, what in files:
        if not path:
            continue
        try:
            count = len(await asyncio.to_thread(read, Path(path)))
        except BadInput as error:
            detail = "cannot be used: no meeting would start"
            found.append(
                Finding(check=check, state="failed", detail=detail, advice=f"mend it: {error}")
            )
        else:
            found.append(Finding(check=check, state="ok", detail=f"{count} {what}"))
    return found


async def _loads(name: EngineName, settings: Settings, *, wanted: bool) -> Finding:
    check = f"{name} engine"
    started = time.monotonic()
    try:
        check_engine(name, settings.transcribe, settings.stt, asked="the engine")
        engine = await asyncio.to_thread(
            open_engine, name, settings.transcribe, settings.stt, clock=SystemClock()
        )
    except ConfigError as error:
        return Finding(check=check, state="skipped", detail="not of use", advice=str(error))
    except EngineError as error:
        return Finding(
            check=check,
            state="failed" if wanted else "skipped",
            detail="not installed" if error.kind == "missing_extra" else "does not load",
            advice=str(error),
        )
    await engine.close()
    return Finding(check=check, state="ok", detail=f"loads in {time.monotonic() - started:.1f} s")


def _address(settings: Settings) -> Finding:
    """Where audio goes, and whether others can listen on the way."""
    parts = urlsplit(settings.stt.base_url)
    host = parts.hostname or ""
    here = is_loopback(host)
    if parts.scheme in ("http", "ws") and not here:
        detail = f"audio and key go to {host} unencrypted"
        advice = "use https:// in RTMS_NOTES_STT_BASE_URL"
        return Finding(check="speech address", state="warning", detail=detail, advice=advice)
    detail = f"audio stays on this machine ({host})" if here else f"audio goes to {host}"
    return Finding(check="speech address", state="ok", detail=detail)


async def _answers(name: EngineName, settings: Settings) -> Finding:
    """Whether the server lets us in: its list of models, or a connection without audio."""
    check = f"{name} server"
    try:
        if name in STREAMING:
            detail = await _connects(name, settings)
        else:
            return await _lists(check, settings)
    except ConfigError as error:
        return Finding(check=check, state="failed", detail="refused", advice=str(error))
    except EngineError as error:
        return _refusal(check, error)
    return Finding(check=check, state="ok", detail=detail)


async def _connects(name: EngineName, settings: Settings) -> str:
    engine = open_stream_engine(name, settings.transcribe, settings.stt, clock=SystemClock())
    try:
        stream = await engine.open()
        await stream.close()
    finally:
        await engine.close()
    return "takes a connection"


async def _lists(check: str, settings: Settings) -> Finding:
    from pipeline.transcribe.openai_http import OpenAiHttp

    engine = OpenAiHttp(settings.stt, settings.transcribe, clock=SystemClock())
    try:
        names = await engine.models()
    except EngineError as error:
        if error.kind != "no_model":
            raise
        names = []
    finally:
        await engine.close()
    model = settings.stt.model
    if model in names or (not model and len(names) == 1):
        return Finding(check=check, state="ok", detail=f"has the model {_shown(model or names[0])}")
    known = ", ".join(_shown(one) for one in names[:5]) or "none"
    if model:
        detail = f"does not list the model {model}"
        advice = f"check RTMS_NOTES_STT_MODEL; listed: {known}"
        return Finding(check=check, state="warning", detail=detail, advice=advice)
    advice = f"set RTMS_NOTES_STT_MODEL; listed: {known}"
    return Finding(check=check, state="failed", detail="no model is named", advice=advice)


def _refusal(check: str, error: EngineError) -> Finding:
    advice = _ADVICE.get(error.kind, "see docs/transcription.md")
    return Finding(check=check, state="failed", detail=str(error), advice=advice)


def _shown(name: str) -> str:
    """A name out of a server's list, for a terminal."""
    return "".join(c for c in name[:60] if c.isprintable())
