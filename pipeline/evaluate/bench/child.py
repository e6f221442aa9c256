"""A process of the bench, from both sides. It reads a plan, and writes answers, as JSON lines."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO, Final, TextIO, TypeVar

import msgspec

from pipeline.base.errors import RtmsNotesError
from pipeline.evaluate.bench.cores import keep_to
from pipeline.evaluate.bench.plan import ClientPlan, ClientReport, ClientSteady

T = TypeVar("T")


_GOODBYE_S: Final = 10.0

_LINE: Final = 1 << 26
"""Bytes of one line at most: the arrivals of a window."""


class ChildFailed(RtmsNotesError):
    """A process of the bench ended without an answer; the message holds its last words."""


# -- the parent's side ---------------------------------------------------------------------


class Child:
    """A running process of the bench."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, errors: BinaryIO) -> None:
        self._name = name
        self._process = process
        self._errors = errors

    async def tell(self, value: object) -> None:
        """Send one line."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write(msgspec.json.encode(value) + b"\n")
            await self._process.stdin.drain()

    async def answer(self, kind: type[T], seconds: float) -> T:
        """Its next line. Raises ChildFailed when it ends, or is silent for so long."""
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), seconds)
        except TimeoutError:
            raise ChildFailed(f"{self._name}: no answer in {seconds:g} s") from None
        if not line:
            raise ChildFailed(f"{self._name}: {await self._last_words()}")
        return msgspec.json.decode(line, type=kind)

    async def _last_words(self) -> str:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _GOODBYE_S)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").splitlines()
        told = next((line for line in reversed(lines) if line.strip()), "no word")
        return f"ended with {self._process.returncode}: {told.strip()[:300]}"


@contextlib.asynccontextmanager
async def child(name: str, folder: Path | None = None) -> AsyncIterator[Child]:
    """Run ``pipeline.evaluate.bench.NAME`` until the block ends; ``folder``: where it runs."""
    with tempfile.TemporaryFile() as errors:  # a file never fills up, as a pipe would
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            f"pipeline.evaluate.bench.{name}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env=_environment(),
            limit=_LINE,
        )
        try:
            yield Child(name, process, errors)
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """The end of its input is the word to stop."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _GOODBYE_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _environment() -> dict[str, str]:
    """Ours, with this very package found from any folder."""
    root = str(Path(__file__).resolve().parents[3])
    found = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{found}" if found else root}


# -- the child's side ----------------------------------------------------------------------


def reserve_stdout() -> TextIO:
    """Standard output for answers alone: what libraries print goes to standard error."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return answers


def allow_many_sockets() -> None:
    """As many open files as the system lets this process have."""
    try:
        import resource
    except ImportError:  # not on Windows, which has no such limit
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def say(answers: TextIO, value: object) -> None:
    """One line to the parent."""
    answers.write(msgspec.json.encode(value).decode() + "\n")
    answers.flush()


class Parent:
    """Whom a receiving process answers to."""

    def __init__(self, answers: TextIO) -> None:
        self._answers = answers
        self.plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=ClientPlan)

    def steady(self) -> None:
        """Every stream has been heard."""
        say(self._answers, ClientSteady(streams=len(self.plan.targets)))

    def report(self, report: ClientReport) -> None:
        """What was measured, and the end of this process as soon as the parent gives leave: sockets
        that close now would disturb the fake Zoom while its own counters are read. Blocks."""
        say(self._answers, report)
        sys.stdin.buffer.read()
        os._exit(0)  # sockets are dropped without a word, threads of libraries not waited for


def serve_client(receive: Callable[[Parent], None]) -> None:
    """The main program of a receiving process. ``receive``: connects as planned, calls ``steady``,
    settles, measures, and reports."""
    parent = Parent(reserve_stdout())
    keep_to(parent.plan.core)
    allow_many_sockets()
    gc.collect()
    receive(parent)
