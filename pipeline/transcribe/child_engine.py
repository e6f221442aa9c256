"""An engine of native code in a process of its own: it may crash or hang, the service goes on."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import signal
import subprocess
import sys
import threading
from typing import Final

import structlog

from pipeline.base import metrics
from pipeline.base.errors import EngineError
from pipeline.transcribe.child import Done, Failed, Frame, Job, Ready, Start, receive, send
from pipeline.transcribe.engine import NO_HINTS, Hints, Pcm, Transcription
from pipeline.transcribe.native_thread import NativeThread
from pipeline.transcribe.settings import TranscribeSettings

log = structlog.get_logger()

COMMAND: Final = (sys.executable, "-P", "-m", "pipeline.transcribe.child")
"""``-P``: nothing is imported from the folder the service happens to run in."""

LOAD_S: Final = 120.0
"""Machine time for loading a model: large ones take 20 s from a cold disk. What takes longer (a
folder on a dead network drive) would take its worker for good."""


class ChildEngine:
    """A decode takes as long as on a thread of ours, but the event loop is late by 4 ms at most
    while it runs instead of 20 (moonshine), for nothing else holds the interpreter; opening takes
    0.05 s longer.

    A process that died is started again with the next decode. The segment it died on fails
    retryably the first time; the second time in a row it is the segment's fault and it does not.
    """

    def __init__(
        self,
        name: str,
        settings: TranscribeSettings,
        command: tuple[str, ...] = COMMAND,
        load_s: float = LOAD_S,
    ) -> None:
        """Blocking until the model is loaded; call it on a thread. Raises EngineError: the
        engine's own, ``crashed``, or ``load`` after ``load_s``."""
        self._load_s = load_s
        self._start = Start(name, settings)
        self._command = command
        self._lock = threading.Lock()
        self._closed = False
        self._child: subprocess.Popen[bytes] | None = None
        self._fatal: bytes | None = None
        self.capabilities = self._open().capabilities
        self._thread = NativeThread(name, self._decode, _nothing)

    async def transcribe(self, pcm: Pcm, hints: Hints = NO_HINTS) -> Transcription:
        """The words of one segment.

        Raises EngineError: the engine's own, ``crashed``, or ``closed`` after ``close``.
        """
        return await self._thread.run(pcm, hints)

    async def close(self) -> None:
        """End the process, whatever it is doing."""
        with self._lock:
            self._closed = True
            child, self._child = self._child, None
        if child is not None:
            child.kill()
        self._thread.close()
        if child is not None:
            await asyncio.to_thread(_reap, child)

    def _open(self) -> Ready:
        with self._lock:
            if self._closed:
                raise EngineError(f"the {self._start.name} engine is closed", kind="closed")
            self._child = subprocess.Popen(  # noqa: S603 (our own command)
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us; we end it
            )
            child = self._child
        late = threading.Event()
        timer = threading.Timer(self._load_s, _give_up, (child, late))
        timer.daemon = True
        timer.start()
        try:
            answer = self._ask(self._start)
        except EngineError as error:
            if not late.is_set():
                raise
            raise EngineError(
                f"the {self._start.name} engine did not load within {self._load_s:g} s",
                kind="load",
                retryable=True,
            ) from error
        finally:
            timer.cancel()
        if isinstance(answer, Ready):
            return answer
        self._gone()
        raise _error(answer)

    def _decode(self, pcm: Pcm, hints: Hints) -> Transcription:
        if self._child is None:
            self._open()
        samples = pcm.astype("=f4", copy=False).tobytes()
        try:
            answer = self._ask(Job(samples, hints))
        except EngineError as error:
            digest = hashlib.sha256(samples).digest()
            error.retryable, self._fatal = digest != self._fatal, digest
            raise
        self._fatal = None
        if isinstance(answer, Done):
            metrics.STT_CPU_SECONDS.inc(answer.cpu_s)
            return answer.heard
        raise _error(answer)

    def _ask(self, frame: Frame) -> Frame:
        """Raises EngineError (``crashed``) when the process ends instead of answering."""
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise EngineError(f"the {self._start.name} engine is closed", kind="closed")
        answer = None
        try:
            send(child.stdin, frame)
            answer = receive(child.stdout)
        except (OSError, ValueError) as error:  # ValueError: closed meanwhile
            log.info("engine.pipe", error=type(error).__name__)
        if answer is not None:
            return answer
        how = self._gone()
        raise EngineError(
            f"the {self._start.name} engine's process ended ({how})", kind="crashed", retryable=True
        )

    def _gone(self) -> str:
        """Collect what is left of the process; how it ended."""
        with self._lock:
            child, self._child = self._child, None
        if child is None:
            return "closed"
        child.kill()  # it may have closed its pipe and live on
        code = _reap(child)
        if code >= 0:
            return f"exit status {code}"
        return signal.Signals(-code).name


def _give_up(child: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    child.kill()


def _reap(child: subprocess.Popen[bytes]) -> int:
    with contextlib.suppress(BrokenPipeError), child:  # closes the pipes and waits
        pass
    return child.returncode


def _error(answer: Frame) -> EngineError:
    if isinstance(answer, Failed):
        return EngineError(answer.message, kind=answer.kind, retryable=answer.retryable)
    return EngineError("the engine's process answered something else", kind="crashed")


def _nothing() -> None:
    """The process holds everything there is to free."""
