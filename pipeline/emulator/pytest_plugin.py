"""A fake Zoom for the tests of any RTMS client, as the pytest fixture ``fake_zoom``.

pytest loads this file wherever the package is installed, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.emulator.faults import AnyFault
    from pipeline.emulator.settings import EmulatorSettings
    from pipeline.emulator.threaded import ThreadedEmulator


class FakeZoom(Protocol):
    """The fixture's type: makes fake Zooms."""

    def __call__(
        self,
        tape: Path | str | None = None,
        *,
        settings: EmulatorSettings | None = None,
        faults: Iterable[AnyFault | Mapping[str, Any]] | None = None,
    ) -> ThreadedEmulator:
        """One that listens; ``tape`` None is the bundled meeting."""
        ...


@pytest.fixture
def fake_zoom() -> Iterator[FakeZoom]:
    """Makes fake Zooms, each in a thread of its own; all are stopped when the test is over.

    ``zoom = fake_zoom(tape, settings=EmulatorSettings(...), faults=[...])``, then ``zoom.where``,
    ``zoom.state()``, ``zoom.fault({...})``, ``zoom.stop()``, ``zoom.wait(timeout)``.
    """
    with ExitStack() as stack:

        def make(
            tape: Path | str | None = None,
            *,
            settings: EmulatorSettings | None = None,
            faults: Iterable[AnyFault | Mapping[str, Any]] | None = None,
        ) -> ThreadedEmulator:
            from pipeline.emulator.threaded import ThreadedEmulator

            return stack.enter_context(ThreadedEmulator(tape, settings, faults=faults))

        yield make
