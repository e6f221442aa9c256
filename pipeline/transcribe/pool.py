"""Decodes for all meetings of the process: few at a time, fair between meetings, finals first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from pipeline.base import metrics
from pipeline.base.clock import Clock, SystemClock
from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import (
    NO_HINTS,
    SAMPLE_RATE,
    Capabilities,
    Engine,
    Hints,
    Pcm,
    Transcription,
)
from pipeline.transcribe.load import Backlog, Load
from pipeline.transcribe.pool_worker import Worker
from pipeline.transcribe.settings import TranscribeSettings

log = structlog.get_logger()

_DEFAULTS = TranscribeSettings()

UNKNOWN = Capabilities(name="", terms=True, most_terms=100)
"""Before an engine is open. Workers give an engine no more hints than it can take."""


@dataclass(eq=False)
class _Final:
    pcm: Pcm
    hints: Hints
    speech_ms: int | None
    answer: asyncio.Future[Transcription]


@dataclass(eq=False)
class _Look:
    pcm: Pcm
    hints: Hints
    since: float
    answer: asyncio.Future[Transcription | None]

    def drop(self, outcome: str) -> None:
        """Answer that there is nothing to show."""
        if not self.answer.done():
            metrics.STT_PARTIALS.labels(outcome).inc()
            self.answer.set_result(None)


class DecodePool:
    """Round-robin between meetings, first come first served within one; looks at open segments
    (partials) only when no final waits, and never on the last free worker of several.

    ``open_engine`` makes one engine for each worker, on a thread, when its first segment comes;
    ``open_partial`` another one for partials (two-pass; None: the same engine). A local failure
    that says it can help is repeated once; a decode that takes longer than ``timeout_s`` costs the
    worker its engine, and a new one is opened. Overflow rules: with ``waiting`` finals queued,
    callers wait (their audio is on disk); of a voice's partials only the newest waits, and none
    for long.
    """

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        *,
        open_partial: Callable[[], Engine] | None = None,
        settings: TranscribeSettings = _DEFAULTS,
        clock: Clock | None = None,
    ) -> None:
        self._open_engine = open_engine
        self._open_partial = open_partial
        self.settings = settings
        self._clock = clock or SystemClock()
        self.backlog = Backlog(self._clock)
        self._finals: dict[str, deque[_Final]] = {}  # its order is whose turn it is
        self._looks: dict[str, dict[str, _Look]] = {}  # by meeting and voice; the same
        self._looking = 0
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._workers: list[Worker] = []
        self._under_way: dict[asyncio.Task[None], _Final | _Look] = {}
        self._closing = False
        self._depth = metrics.QUEUE_DEPTH.labels("decode")

    @property
    def workers(self) -> int:
        """Decodes at a time."""
        return self.settings.workers

    @property
    def waiting(self) -> int:
        """Finals that no worker has taken yet."""
        return sum(len(jobs) for jobs in self._finals.values())

    @property
    def capabilities(self) -> Capabilities:
        """What the engine of finals can do; ``UNKNOWN`` until one is open."""
        known = (worker.capabilities for worker in self._workers)
        return next((found for found in known if found is not None), UNKNOWN)

    def load(self, meeting: str) -> Load:
        """How far this meeting's final words are behind."""
        return self.backlog.of(meeting)

    async def transcribe(
        self,
        meeting: str,
        pcm: Pcm,
        hints: Hints = NO_HINTS,
        *,
        speech_ms: int | None = None,
        voice: str = "",
        counted: bool = False,
    ) -> Transcription:
        """The final words of a segment (mono 16 kHz float32 in -1..1).

        ``speech_ms``: how much of it is speech, if known. A waiting partial of ``voice`` is
        dropped. ``counted``: the caller has put the segment into the ``backlog`` itself.

        Raises EngineError: the engine's own, ``timeout``, ``fault`` (a defect of ours), or
        ``closing`` after ``close``.
        """
        own = None if counted else self.backlog.add(meeting, len(pcm) / SAMPLE_RATE)
        try:
            async with self._changed:
                await self._changed.wait_for(
                    lambda: self._closing or self.waiting < self.settings.waiting
                )
                if self._closing:
                    raise EngineError("the decode pool is closed", kind="closing")
                self._start()
                self._drop_look(meeting, voice, "stale")
                answer = asyncio.get_running_loop().create_future()
                job = _Final(pcm, hints, speech_ms, answer)
                self._finals.setdefault(meeting, deque()).append(job)
                self._depth.set(self.waiting)
                self._changed.notify_all()
            return await job.answer
        finally:
            if own is not None:
                own.settled()

    async def partial(
        self, meeting: str, voice: str, pcm: Pcm, hints: Hints = NO_HINTS
    ) -> Transcription | None:
        """Tentative words of an open segment. ``voice``: the segment's file.

        None when there is nothing to show: a newer look at the voice or its final came, the look
        waited too long, the meeting's finals are late (``shed_after_s``), or the words look made
        up. Raises EngineError as ``transcribe``; it is not repeated.
        """
        if self._closing:
            raise EngineError("the decode pool is closed", kind="closing")
        if self._late(meeting):
            metrics.STT_PARTIALS.labels("shed").inc()
            return None
        async with self._changed:
            self._start()
            self._drop_look(meeting, voice, "stale")
            answer = asyncio.get_running_loop().create_future()
            look = _Look(pcm, hints, self._clock.monotonic(), answer)
            self._looks.setdefault(meeting, {})[voice] = look
            self._changed.notify_all()
        return await look.answer

    async def close(self) -> None:
        """Settle the finals that somebody waits for, drop the rest, then free the engines. New
        segments are refused at once."""
        async with self._changed:
            self._closing = True
            for voices in self._looks.values():
                for look in voices.values():
                    look.drop("stale")
            self._looks.clear()
            self._changed.notify_all()
        answers = [job.answer for jobs in self._finals.values() for job in jobs]
        answers += [job.answer for job in self._under_way.values() if isinstance(job, _Final)]
        if answers:
            await asyncio.wait(answers)
        for task, job in self._under_way.items():  # a decode may hang: nobody waits for these
            if isinstance(job, _Look):
                job.drop("stale")
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._workers.clear()
        for fault in ended:
            if isinstance(fault, Exception):
                raise fault

    def _start(self) -> None:
        while len(self._tasks) < self.settings.workers:
            worker = Worker(self._open_engine, self._open_partial, self.settings, self._clock)
            self._workers.append(worker)
            name = f"decode-{len(self._workers)}"
            self._tasks.append(asyncio.create_task(self._work(worker), name=name))

    async def _work(self, worker: Worker) -> None:
        try:
            while (job := await self._next()) is not None:
                task = asyncio.current_task()
                assert task is not None
                self._under_way[task] = job
                try:
                    await _settle(worker, job)
                finally:
                    del self._under_way[task]
                    self._looking -= isinstance(job, _Look)
                async with self._changed:
                    self._changed.notify_all()
        finally:
            await worker.close()

    async def _next(self) -> _Final | _Look | None:
        """What is to be decoded next; None when closed and all done."""
        async with self._changed:
            while True:
                await self._changed.wait_for(
                    lambda: bool(self._finals) or self._may_look() or self._done()
                )
                job = self._next_final() or self._next_look()
                if job is not None or self._done():
                    return job

    def _next_final(self) -> _Final | None:
        """The oldest final of the meeting whose turn it is."""
        if not self._finals:
            return None
        meeting = next(iter(self._finals))
        jobs = self._finals.pop(meeting)
        job = jobs.popleft()
        if jobs:
            self._finals[meeting] = jobs  # to the end of the round
        self._depth.set(self.waiting)
        self._changed.notify_all()
        return job

    def _next_look(self) -> _Look | None:
        """The oldest look of the meeting whose turn it is that is still worth it."""
        while self._may_look():
            meeting = next(iter(self._looks))
            voices = self._looks.pop(meeting)
            look = voices.pop(next(iter(voices)))
            if voices:
                self._looks[meeting] = voices
            waited = self._clock.monotonic() - look.since
            if self._late(meeting):
                look.drop("shed")
            elif waited > 2 * self.settings.partial_every_s:
                look.drop("stale")  # its caller has newer audio by now
            elif not look.answer.done():
                self._looking += 1
                return look
        return None

    def _may_look(self) -> bool:
        return bool(self._looks) and self._looking < max(1, self.settings.workers - 1)

    def _drop_look(self, meeting: str, voice: str, outcome: str) -> None:
        voices = self._looks.get(meeting, {})
        look = voices.pop(voice, None)
        if look is not None:
            look.drop(outcome)
            if not voices:
                del self._looks[meeting]

    def _late(self, meeting: str) -> bool:
        return self.backlog.lag_s(meeting) > self.settings.shed_after_s

    def _done(self) -> bool:
        return self._closing and not self._finals


async def _settle(worker: Worker, job: _Final | _Look) -> None:
    if job.answer.done():  # the caller was cancelled meanwhile
        return
    try:
        heard = await _decoded(worker, job)
    except EngineError as error:
        if not job.answer.done():
            job.answer.set_exception(error)
    except Exception as error:  # told as a failure of the engine: the meeting goes on
        log.exception("decode.fault")
        if not job.answer.done():
            fault = EngineError(
                f"a fault in this program: {type(error).__name__}", kind="fault", retryable=True
            )
            fault.__cause__ = error
            job.answer.set_exception(fault)
        await worker.close()
    else:
        if not job.answer.done():
            job.answer.set_result(heard)  # type: ignore[arg-type]  # None for a look only


async def _decoded(worker: Worker, job: _Final | _Look) -> Transcription | None:
    if isinstance(job, _Final):
        return await worker.transcribe(job.pcm, job.hints, job.speech_ms)
    return await worker.look(job.pcm, job.hints)
