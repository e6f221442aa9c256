"""Our own commands as child processes, for tests that kill them or read what a person would."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

CREDENTIALS = {
    "ZOOM_CLIENT_ID": "cid",
    "ZOOM_CLIENT_SECRET": "csec-canary-5f1e",
    "ZOOM_SECRET_TOKEN": "tok-canary-77a0",
}


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without any setting of ours or of a model's vendor."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RTMS_NOTES_", "ZOOM_", "OPENAI_"))
    }
    return {
        **kept,
        "RTMS_NOTES_HOME": str(home),
        "RTMS_NOTES_CONFIG": str(_empty(home)),
        **CREDENTIALS,
        **(extra or {}),
    }


def _empty(home: Path) -> Path:
    file = home.with_suffix(".toml")
    file.touch()
    return file


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Child:
    """One running command."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def first_line(self) -> dict[str, Any]:
        """The JSON line a command prints when it is ready."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 30)
        if not line:
            assert self.process.stderr is not None
            raise AssertionError((await self.process.stderr.read()).decode())
        found: dict[str, Any] = json.loads(line)
        return found

    async def ended(self, seconds: float = 120) -> tuple[int, str]:
        """Exit status and what it wrote to stderr."""
        _, errors = await asyncio.wait_for(self.process.communicate(), seconds)
        assert self.process.returncode is not None
        return self.process.returncode, errors.decode()

    def kill(self) -> None:
        """As `kill -9` does."""
        self.process.kill()


@contextlib.asynccontextmanager
async def command(*words: str | Path, env: Mapping[str, str]) -> AsyncIterator[Child]:
    """Run `rtms-notes WORDS` until the block ends, then kill what is left of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pipeline.cli",
        *map(str, words),
        env=dict(env),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    try:
        yield Child(process)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


async def finished(*words: str | Path, env: Mapping[str, str]) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command that ends by itself."""
    async with command(*words, env=env) as child:
        output, errors = await asyncio.wait_for(child.process.communicate(), 150)
        assert child.process.returncode is not None
        return child.process.returncode, output.decode(), errors.decode()


def needs_local_engine() -> None:
    """Skip without the extra `local`; in CI its absence is a failure."""
    if importlib.util.find_spec("moonshine_voice") is None:
        if os.environ.get("CI"):
            pytest.fail("the local engine must be installed in CI")
        pytest.skip("the local engine is not installed: pip install 'rtms-notes[local]'")
