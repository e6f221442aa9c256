"""The fake Zoom in a thread of its own, for callers that have no event loop or do not share it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec

from pipeline.emulator.emulator import Emulator, Where
from pipeline.emulator.faults import AnyFault
from pipeline.emulator.settings import EmulatorSettings
from pipeline.rtms.enums import StopReason
from pipeline.tapes.bundled import BUNDLED

T = TypeVar("T")

_ANSWER_S: Final = 30.0
"""How long its loop may take for a command."""


class ThreadedEmulator:
    """Listens when made, plays until the tape's end or ``stop``. Use it with ``with``.

    What it offers may be called from any thread, and from an event loop too: nothing waits longer
    than a command takes. Raises what ``Emulator`` raises.
    """

    where: Where
    wheres: list[Where]

    def __init__(
        self,
        tape: Path | str | None = None,
        settings: EmulatorSettings | None = None,
        *,
        faults: Iterable[AnyFault | Mapping[str, Any]] | None = None,
    ) -> None:
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._over: concurrent.futures.Future[StopReason] = concurrent.futures.Future()
        self._told = False
        self._loop: asyncio.AbstractEventLoop
        self._zoom: Emulator
        self._leave: asyncio.Event
        arguments = (tape or BUNDLED, settings or EmulatorSettings(), list(faults or ()))
        self._thread = threading.Thread(
            target=self._main, args=arguments, name="fake-zoom", daemon=True
        )
        self._thread.start()
        try:
            self._ready.result(_ANSWER_S)
        except BaseException:
            self._thread.join(_ANSWER_S)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def state(self) -> dict[str, Any]:
        """What the control address tells, as plain values."""
        found: dict[str, Any] = msgspec.to_builtins(self._ask(self._zoom_state))
        return found

    def fault(self, fault: object) -> None:
        """One fault or a list of them, at their ``at`` or now. Raises BadFault."""
        self._ask(lambda: self._zoom.fault(fault))

    def faults(self) -> list[dict[str, Any]]:
        """Every fault so far, with what became of it."""
        return self._ask(lambda: self._zoom.faults())

    def stop(self, reason: int = StopReason.EXIT_SIGNAL) -> None:
        """End all streams, if they have not ended; ``wait`` for it."""
        self._ask(lambda: self._zoom.stop(StopReason(reason)))

    def wait(self, timeout: float = 60.0) -> StopReason:
        """Until the streams are over; the first one's stop reason.

        Raises TimeoutError, and what made it fail: WebhookFailed, TapeError.
        """
        try:
            return self._over.result(timeout)
        except concurrent.futures.TimeoutError:
            raise TimeoutError(f"the fake Zoom was not over within {timeout:g} s") from None
        except concurrent.futures.CancelledError:
            raise RuntimeError("the fake Zoom was closed") from None
        finally:
            self._told = self._told or self._over.done()

    @property
    def over(self) -> bool:
        """``wait`` would not wait."""
        return self._over.done()

    def close(self) -> None:
        """Stop at once, close the sockets and end the thread. A failure nobody was told of is
        raised now."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._leave.set)
            self._thread.join(_ANSWER_S)
        if not self._told and self._over.done() and not self._over.cancelled():
            self._told = True
            self._over.result()

    def _zoom_state(self) -> dict[str, Any]:
        return self._zoom.state()

    def _ask(self, command: Callable[[], T]) -> T:
        answer: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            try:
                answer.set_result(command())
            except Exception as error:  # noqa: BLE001 - it is raised where it was asked
                answer.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(run)
        except RuntimeError:
            raise RuntimeError("the fake Zoom was closed") from None
        return answer.result(_ANSWER_S)

    def _main(self, *arguments: Any) -> None:
        try:
            asyncio.run(self._serve(*arguments))
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
            if not self._ready.done():
                self._ready.set_exception(error)
            elif not self._over.done():
                self._over.set_exception(error)

    async def _serve(self, tape: Path | str, settings: EmulatorSettings, faults: list[Any]) -> None:
        self._loop = asyncio.get_running_loop()
        self._leave = asyncio.Event()
        async with Emulator(tape, settings, faults=faults) as zoom:
            self._zoom = zoom
            self.where, self.wheres = zoom.where, zoom.wheres
            self._ready.set_result(None)
            running = asyncio.ensure_future(zoom.run())
            running.add_done_callback(self._ended)
            await self._leave.wait()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def _ended(self, running: asyncio.Future[StopReason]) -> None:
        if running.cancelled():
            self._over.cancel()
        elif (error := running.exception()) is not None:
            self._over.set_exception(error)
        else:
            self._over.set_result(running.result())
