"""An engine over a manifest, with what the service itself is made of."""

from __future__ import annotations

import os
import platform
import random
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from pipeline.base.clock import SystemClock
from pipeline.base.ids import RandomIds
from pipeline.config import Settings
from pipeline.evaluate.stt import offline
from pipeline.evaluate.stt.heard import Hearing
from pipeline.evaluate.stt.manifest import Clip
from pipeline.evaluate.stt.paced import paced
from pipeline.evaluate.stt.report import Mode
from pipeline.evaluate.stt.score import Result, result
from pipeline.evaluate.stt.units import Unit, units
from pipeline.meeting.parts import Parts
from pipeline.model.events import MeetingOpened
from pipeline.store.store import Store
from pipeline.transcribe.engine import Hints
from pipeline.wiring import open_parts

Progress = Callable[[Unit], None]
"""Told each unit when it is done."""


async def evaluate(
    clips: Sequence[Clip],
    settings: Settings,
    *,
    mode: Mode = "segments",
    mixed: bool = False,
    progress: Progress = lambda _: None,
) -> list[Result]:
    """Every unit of the manifest; ``settings`` (``general.stt``) name the engine.

    Raises BadInput and NotFound (sound files), ConfigError and EngineError (the engine).
    """
    results: list[Result] = []
    async with AsyncExitStack() as stack:
        parts = await parts_of(stack, settings)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        hints = Hints(language=settings.transcribe.language)
        for unit in units(clips):
            if mode == "paced":
                hearing = await in_real_time(unit, parts, folder / unit.name, mixed=mixed)
            elif mode == "whole":
                hearing = await offline.whole(unit, parts.pool, hints)
            else:
                hearing = await offline.segmented(
                    unit, parts.pool, settings.audio, hints, mixed=mixed
                )
            results.append(result(unit, hearing))
            progress(unit)
    return results


async def parts_of(stack: AsyncExitStack, settings: Settings) -> Parts:
    """What the service makes its meetings of. Raises ConfigError, BadInput, EngineError."""
    return await open_parts(
        stack,
        settings,
        find=lambda _: None,
        clock=SystemClock(),
        speed=1.0,
        ids=RandomIds(),
        rng=random.Random(1),  # noqa: S311 - not a secret
    )


async def in_real_time(unit: Unit, parts: Parts, folder: Path, *, mixed: bool) -> Hearing:
    """One unit as a meeting of its own, in a store in ``folder``. Raises StorageError."""
    clock = SystemClock()
    store = Store.open(folder, clock=clock, ids=RandomIds())
    try:
        log = await store.create(
            MeetingOpened(
                product="meeting", zoom_id="Z", started_ms=clock.now_ms(), engine=parts.engine
            )
        )
        return await paced(unit, log=log, spool=store.spool(log.meeting), parts=parts, mixed=mixed)
    finally:
        await store.close()


def machine() -> str:
    """What ran it."""
    return (
        f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores,"
        f" load {os.getloadavg()[0]:.1f}"
    )


def chosen(settings: Settings) -> dict[str, object]:
    """The settings that decide what is heard."""
    return {
        "audio": msgspec.to_builtins(settings.audio),
        "transcribe": msgspec.to_builtins(settings.transcribe),
    }
