"""Virtual time that moves when the event loop has nothing to do, for real sockets and fake ones.

``run``: the clock jumps to the next sleeper by itself, so a test takes as long as its code,
whatever windows and back-offs it waits through, and no machine's lag shows in what it measures.
``Steps``: the test itself says how far time goes, and each step ends when nothing moves any more.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from typing import Any, Final, TypeVar

from pipeline.base.clock import ManualClock

T = TypeVar("T")

GRACE_S: Final = 0.001
"""The kernel may take so long to carry bytes from one end of a loopback socket to the other."""


class IdleClock(ManualClock):
    """A clock that is moved by its event loop."""

    def jump(self, to: float | None = None) -> bool:
        """Wake those who are due next, if that is not after ``to``; False when there are none."""
        woken = False
        while self._sleepers and not (woken and self._sleepers[0][0] > self._elapsed):
            due, _, future = self._sleepers[0]
            if to is not None and due > to and not future.done():
                break
            heapq.heappop(self._sleepers)
            if not future.done():
                self._elapsed = max(self._elapsed, due)
                future.set_result(None)
                woken = True
        return woken

    def move(self, to: float) -> None:
        """It is that late now, and nobody sleeps for anything before."""
        self._elapsed = max(self._elapsed, to)


def run(
    main: Callable[[IdleClock], Coroutine[Any, Any, T]], *, start_ms: int, grace_s: float = GRACE_S
) -> T:
    """Run ``main(clock)`` to its end on a loop of its own. ``start_ms``: the wall clock's time.
    ``grace_s``: 0 where there are no sockets."""
    clock = IdleClock(start_ms)
    with asyncio.Runner(loop_factory=lambda: _loop(clock.jump, grace_s)) as runner:
        return runner.run(main(clock))


class Steps:
    """A loop and its clock, moved step by step from code that is not async."""

    def __init__(self, start_ms: int) -> None:
        self.clock = IdleClock(start_ms)
        self._loop = _loop(self._stop, 0.0)
        self._tasks: set[asyncio.Task[Any]] = set()

    def _stop(self) -> bool:
        self._loop.stop()
        return True

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return self.clock.monotonic()

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task; it runs in ``settle``."""
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        return task

    def settle(self) -> None:
        """Until nothing moves. Raises what a task of ``spawn`` raised."""
        self._loop.run_forever()
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.discard(task)
            if not task.cancelled():
                task.result()

    def do(self, act: Callable[[], object]) -> None:
        """Call something on the loop, and let it settle."""
        self._loop.call_soon(act)
        self.settle()

    def advance(self, seconds: float) -> None:
        """Let time pass, stopping at whoever wakes up meanwhile."""
        to = self.now + seconds
        self.settle()
        while self.clock.jump(to):
            self.settle()
        self.clock.move(to)
        self.settle()

    def close(self) -> None:
        """End what still runs."""
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_forever()
        self._loop.close()


class _Idle(selectors.DefaultSelector):
    """Where a loop waits; before it would, ``idle`` may give it something to do."""

    def __init__(self, idle: Callable[[], bool], grace_s: float) -> None:
        super().__init__()
        self._idle = idle
        self._grace_s = grace_s

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if found or timeout == 0:
            return found
        if self._grace_s:
            found = super().select(
                self._grace_s if timeout is None else min(self._grace_s, timeout)
            )
        if found or self._idle():
            return found
        return super().select(timeout)


class _Inline(Executor):
    """``asyncio.to_thread`` without a thread: what runs beside the loop would be overtaken."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - handed to whoever awaits it
            future.set_exception(error)
        return future


def _loop(idle: Callable[[], bool], grace_s: float) -> asyncio.AbstractEventLoop:
    loop = asyncio.SelectorEventLoop(_Idle(idle, grace_s))
    # Its setter insists on a thread pool; ours has nothing to shut down.
    loop._default_executor = _Inline()  # type: ignore[attr-defined]
    return loop
