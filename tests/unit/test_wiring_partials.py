"""Whose words are shown before they are final, by the settings."""

from __future__ import annotations

import importlib.util
import os
import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline.base.clock import SystemClock
from pipeline.base.ids import SequentialIds
from pipeline.config import load
from pipeline.meeting.parts import Parts
from pipeline.transcribe.engine import NO_HINTS
from pipeline.wiring import open_parts

SERVER = {"stt.base_url": "http://127.0.0.1:9/v1"}
needs_local = pytest.mark.skipif(
    importlib.util.find_spec("moonshine_voice") is None and not os.environ.get("CI"),
    reason="the extra 'local' is not installed",
)


async def parts_of(stack: AsyncExitStack, home: Path, **flags: Any) -> Parts:
    settings = load(
        file=None,
        flags={
            "general.home": str(home),
            "zoom.client_id": "x",
            **{name.replace("__", "."): value for name, value in flags.items()},
        },
    ).settings
    return await open_parts(
        stack,
        settings,
        find=lambda announcement: None,
        clock=SystemClock(),
        speed=1.0,
        ids=SequentialIds(),
        rng=random.Random(1),
    )


@pytest.mark.parametrize(
    ("flags", "finals"),
    [
        ({"general.stt": "native"}, None),
        pytest.param({"general.stt": "both"}, None, marks=needs_local),  # they would stand twice
        pytest.param({"general.stt": "local"}, False, marks=needs_local),
        pytest.param(
            {"general.stt": "local", "transcribe.partials": "off"}, None, marks=needs_local
        ),
        ({"general.stt": "openai", **SERVER}, None),  # a request a look would cost money
        ({"general.stt": "deepgram", **SERVER}, True),
        ({"general.stt": "openai-realtime", **SERVER}, True),
        ({"general.stt": "openai", "transcribe.partials": "deepgram", **SERVER}, False),
        pytest.param(
            {"general.stt": "openai", "transcribe.partials": "local", **SERVER},
            False,
            marks=needs_local,
        ),
    ],
)
async def test_who_hears_words_before_they_are_final(
    tmp_path: Path, flags: dict[str, str], finals: bool | None
) -> None:
    async with AsyncExitStack() as stack:
        parts = await parts_of(stack, tmp_path, **flags)
        if finals is None:
            assert parts.partials is None
            return
        assert parts.partials is not None
        made = parts.partials("m", lambda capabilities, key: NO_HINTS)
        assert made._finals is finals
        assert made._live is parts.live
        assert made._engine("a.pcm").capabilities.streaming
