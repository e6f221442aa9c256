"""Decodes of native code on a daemon thread: the event loop goes on, and one that hangs does not
keep the process alive."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import ClassVar

from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import Hints, Pcm, Transcription

MOST_STUCK = 4
"""Threads that may hang at the same time, each with a model of 150 MB, before no more are made."""

Decode = Callable[[Pcm, Hints], Transcription]
_Job = tuple[Pcm, Hints, "Future[Transcription]"]


class NativeThread:
    """Runs one decode after another, then frees the model where it was used.

    ``decode`` raises EngineError; anything else ends the thread, and the caller gets it.
    """

    _stuck: ClassVar[list[threading.Thread]] = []

    def __init__(self, name: str, decode: Decode, free: Callable[[], None]) -> None:
        self._name = name
        self._decode = decode
        self._free = free
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._busy = False
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"stt-{name}", daemon=True)
        self._thread.start()

    @classmethod
    def check(cls) -> None:
        """Call before a model is loaded. Raises EngineError (``hangs``) when too many decodes of
        engines that were closed hang for good."""
        cls._stuck[:] = [thread for thread in cls._stuck if thread.is_alive()]
        if len(cls._stuck) >= MOST_STUCK:
            raise EngineError(
                f"speech-to-text hangs in {len(cls._stuck)} decodes; restart the service",
                kind="hangs",
            )

    async def run(self, pcm: Pcm, hints: Hints) -> Transcription:
        """What ``decode`` makes of it. Raises EngineError, ``closed`` after ``close``."""
        if self._closed:
            raise EngineError(f"the {self._name} engine is closed", kind="closed")
        future: Future[Transcription] = Future()
        self._jobs.put((pcm, hints, future))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Take nothing more and free the model. A decode that runs is left to end by itself."""
        if self._closed:
            return
        self._closed = True
        if self._busy:
            self._stuck.append(self._thread)
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            pcm, hints, future = job
            if not future.set_running_or_notify_cancel():
                continue
            self._busy = True
            try:
                future.set_result(self._decode(pcm, hints))
            except EngineError as error:
                future.set_exception(error)
            except BaseException as error:
                self._closed = True
                future.set_exception(error)
                raise
            finally:
                self._busy = False
        self._free()
