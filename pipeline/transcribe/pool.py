"""Decodes for all meetings of the process: few at a time, fair between meetings."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from pipeline.base import metrics
from pipeline.base.clock import Clock, SystemClock
from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import Engine, Pcm, Transcription
from pipeline.transcribe.guards import Guarded
from pipeline.transcribe.settings import TranscribeSettings

log = structlog.get_logger()

_DEFAULTS = TranscribeSettings()


@dataclass(eq=False)
class _Job:
    pcm: Pcm
    answer: asyncio.Future[Transcription]


class DecodePool:
    """Round-robin between meetings, first come first served within one.

    ``open_engine`` makes one engine for each worker, on a thread, when its first segment comes. A
    failure that says it can help is repeated once; a decode that takes longer than ``timeout_s``
    costs the worker its engine, and a new one is opened. Overflow rule: with ``waiting`` segments
    queued, callers wait (their audio is on disk).
    """

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        *,
        settings: TranscribeSettings = _DEFAULTS,
        clock: Clock | None = None,
    ) -> None:
        self._open_engine = open_engine
        self._settings = settings
        self._clock = clock or SystemClock()
        self._queues: dict[str, deque[_Job]] = {}  # its order is whose turn it is
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._unsettled = 0
        self._closing = False
        self._depth = metrics.QUEUE_DEPTH.labels("decode")

    @property
    def workers(self) -> int:
        """Decodes at a time."""
        return self._settings.workers

    @property
    def waiting(self) -> int:
        """Segments that no worker has taken yet."""
        return sum(len(jobs) for jobs in self._queues.values())

    async def transcribe(self, meeting: str, pcm: Pcm) -> Transcription:
        """The words of a segment (mono 16 kHz float32 in -1..1).

        Raises EngineError: the engine's own, ``timeout``, or ``closed`` after ``close``.
        """
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._closing or self.waiting < self._settings.waiting
            )
            if self._closing:
                raise EngineError("the decode pool is closed", kind="closed")
            self._start()
            job = _Job(pcm, asyncio.get_running_loop().create_future())
            self._queues.setdefault(meeting, deque()).append(job)
            self._unsettled += 1
            self._depth.set(self.waiting)
            self._changed.notify_all()
        return await job.answer

    async def close(self) -> None:
        """Settle what is queued, then free the engines. New segments are refused at once."""
        async with self._changed:
            self._closing = True
            self._changed.notify_all()
            await self._changed.wait_for(lambda: self._unsettled == 0)
        await asyncio.gather(*self._tasks)
        self._tasks.clear()

    def _start(self) -> None:
        while len(self._tasks) < self._settings.workers:
            name = f"decode-{len(self._tasks) + 1}"
            self._tasks.append(asyncio.create_task(self._work(), name=name))

    async def _work(self) -> None:
        worker = _Worker(self._open_engine, self._settings, self._clock)
        try:
            while (job := await self._next()) is not None:
                try:
                    await self._settle(worker, job)
                finally:
                    async with self._changed:
                        self._unsettled -= 1
                        self._changed.notify_all()
        finally:
            await worker.close()

    async def _next(self) -> _Job | None:
        """The oldest segment of the meeting whose turn it is; None when closed and all done."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._queues) or self._done())
            if not self._queues:
                return None
            meeting = next(iter(self._queues))
            jobs = self._queues.pop(meeting)
            job = jobs.popleft()
            if jobs:
                self._queues[meeting] = jobs  # to the end of the round
            self._depth.set(self.waiting)
            self._changed.notify_all()
            return job

    def _done(self) -> bool:
        return self._closing and not self._queues

    async def _settle(self, worker: _Worker, job: _Job) -> None:
        if job.answer.done():  # the caller was cancelled meanwhile
            return
        try:
            heard = await worker.transcribe(job.pcm)
        except EngineError as error:
            if not job.answer.done():
                job.answer.set_exception(error)
        except Exception as error:  # noqa: BLE001 (handed to the caller; the worker goes on)
            if not job.answer.done():
                job.answer.set_exception(error)
            await worker.close()
        else:
            if not job.answer.done():
                job.answer.set_result(heard)


class _Worker:
    """One engine at a time, opened when needed and again after it hung."""

    def __init__(
        self, open_engine: Callable[[], Engine], settings: TranscribeSettings, clock: Clock
    ) -> None:
        self._open_engine = open_engine
        self._settings = settings
        self._clock = clock
        self._engine: Engine | None = None

    async def transcribe(self, pcm: Pcm) -> Transcription:
        """One try, and one more when the error says that it can help."""
        try:
            return await self._try(pcm)
        except EngineError as error:
            if not error.retryable:
                raise
            log.info("decode.retry", kind=error.kind, error=str(error))
        await self._clock.sleep(self._settings.retry_wait_s)
        return await self._try(pcm)

    async def close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()

    async def _try(self, pcm: Pcm) -> Transcription:
        if self._engine is None:
            self._engine = Guarded(await asyncio.to_thread(self._open_engine))
        decode = asyncio.ensure_future(self._engine.transcribe(pcm))
        limit = asyncio.ensure_future(self._clock.sleep(self._settings.timeout_s))
        try:
            await asyncio.wait((decode, limit), return_when=asyncio.FIRST_COMPLETED)
            if decode.done():
                return decode.result()
        finally:
            limit.cancel()
            decode.cancel()
        await self.close()
        raise EngineError(
            f"no text after {self._settings.timeout_s:g} s", kind="timeout", retryable=True
        )
