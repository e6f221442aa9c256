"""Speech streams over websockets: the part that is the same whatever the server's messages are.

A ``Dialogue`` is the pure part (which messages to send, what the answers mean); ``SocketStream``
runs one over a socket, ``SocketEngine`` opens one for each stretch of speech. One connection hears
one stretch: words of another one cannot slip in, and nothing is left over after a fault.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from pipeline.base.clock import Clock, SystemClock
from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import NO_HINTS, Capabilities, Heard, Hints, Pcm
from pipeline.transcribe.settings import SttSettings, TranscribeSettings
from pipeline.transcribe.socket_errors import SocketClosed
from pipeline.transcribe.websocket import Frame, Socket, open_socket

KEEP_ALIVE_S: Final = 4.0
"""Without audio for so long, a server that wants to be told is told that we are still there:
Deepgram gives up after 10 s and asks for one every 3 to 5 s."""


class Dialogue(Protocol):
    """What is said over one connection. Sans I/O."""

    @property
    def keep_alive(self) -> Frame | None:
        """Said while nothing else is; None: not needed."""
        ...

    def opening(self, headers: Mapping[str, str]) -> Iterable[Frame]:
        """First messages; ``headers`` are those of the handshake's answer."""
        ...

    def audio(self, pcm: Pcm) -> Iterable[Frame]:
        """Messages for more samples."""
        ...

    def ending(self) -> Iterable[Frame]:
        """Messages that ask for the final words."""
        ...

    def take(self, message: Frame) -> Heard | None:
        """What is heard by now, None when that message says nothing of it. Raises EngineError."""
        ...

    def closed(self, error: SocketClosed) -> Heard:
        """The final words, if that is how the server ends a stretch; else raises ``error``."""
        ...


@dataclass(frozen=True)
class Call:
    """A connection to make. ``scheme``: of its ``Authorization`` header; ``sent``: texts in the
    address that no error may repeat."""

    url: str
    scheme: str
    dialogue: Dialogue
    sent: tuple[str, ...] = ()


class SocketStream:
    """A ``SpeechStream``. Answers are read as they come, whether or not somebody asks for them, and
    only the newest is kept: nothing to overflow, and the server is never held up.

    The final words must come within ``read_timeout_s`` after ``finish``, and all messages together
    be no longer than ``max_answer_bytes``.
    """

    def __init__(
        self,
        socket: Socket,
        dialogue: Dialogue,
        settings: SttSettings,
        clock: Clock,
        *,
        gone: Callable[[SocketStream], None] = lambda _: None,
    ) -> None:
        self._socket = socket
        self._dialogue = dialogue
        self._settings = settings
        self._clock = clock
        self._gone = gone
        self._heard: Heard | None = None
        self._failure: Exception | None = None
        self._finished = False
        self._closed = False
        self._sent = 0
        self._changed = asyncio.Event()
        self._tasks = [asyncio.create_task(self._read(), name="stt-read")]
        if dialogue.keep_alive is not None:
            self._tasks.append(asyncio.create_task(self._keep_alive(), name="stt-keep-alive"))

    async def begin(self) -> None:
        """The first messages. Raises EngineError."""
        await self._say(self._dialogue.opening(self._socket.headers))

    async def send(self, pcm: Pcm) -> None:
        if self._finished:
            raise EngineError("no audio is taken after finish", kind="closed")
        await self._say(self._dialogue.audio(pcm))

    async def finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        await self._say(self._dialogue.ending())
        self._tasks.append(asyncio.create_task(self._expire(), name="stt-limit"))

    async def heard(self) -> AsyncIterator[Heard]:
        told: Heard | None = None
        while True:
            if self._heard is not None and self._heard != told:
                told = self._heard
                yield told
                continue
            if told is not None and told.final is not None:
                return
            if self._failure is not None:
                raise self._failure
            if self._closed:
                return
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._changed.set()
        try:
            for task in self._tasks:
                task.cancel()
            await self._socket.close()
        finally:
            self._gone(self)

    # -- inside -------------------------------------------------------------------------------

    async def _say(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            if self._failure is not None:
                raise self._failure
            if self._closed:
                raise EngineError("the stream is closed", kind="closed")
            try:
                await self._socket.send(frame)
            except SocketClosed:
                await self._why()
                raise
            self._sent += 1

    async def _why(self) -> None:
        """The server closed while we were sending: what it said before that is the better reason,
        and the reader is about to find it. Raises it."""
        await asyncio.wait(self._tasks[:1])
        if self._failure is not None:
            raise self._failure

    async def _read(self) -> None:
        """The task that reads until the final words or a failure."""
        size = 0
        try:
            while self._heard is None or self._heard.final is None:
                try:
                    message = await self._socket.receive()
                except SocketClosed as error:
                    self._heard = self._dialogue.closed(error)
                else:
                    size += len(message)
                    if size > self._settings.max_answer_bytes:
                        raise EngineError("the server's answer does not end", kind="too_long")
                    heard = self._dialogue.take(message)
                    if heard is None:
                        continue
                    self._heard = heard
                self._changed.set()
        except Exception as error:  # noqa: BLE001 (handed to whoever sends or listens)
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._failure is None and (self._heard is None or self._heard.final is None):
            self._failure = error
            self._changed.set()

    async def _expire(self) -> None:
        await self._clock.sleep(self._settings.read_timeout_s)
        self._fail(
            EngineError(
                f"no final words within {self._settings.read_timeout_s:g} s",
                kind="timeout",
                retryable=True,
            )
        )

    async def _keep_alive(self) -> None:
        frame = self._dialogue.keep_alive
        assert frame is not None
        sent = -1
        while not self._finished:
            if sent == self._sent:
                try:
                    await self._socket.send(frame)
                except EngineError as error:
                    self._fail(error)
                    return
            sent = self._sent
            await self._clock.sleep(KEEP_ALIVE_S)


class SocketEngine(ABC):
    """A ``StreamEngine`` over websockets. At most ``parallel_calls`` streams at a time; one more is
    refused (``busy``), not kept waiting: streams are as long as people speak."""

    capabilities: Capabilities

    def __init__(
        self, stt: SttSettings, transcribe: TranscribeSettings, *, clock: Clock | None = None
    ) -> None:
        self._stt = stt
        self._transcribe = transcribe
        self._clock = clock or SystemClock()
        self._opening = 0
        self._open: set[SocketStream] = set()
        self._closed = False

    @abstractmethod
    def _call(self, hints: Hints) -> Call:
        """The connection for one stretch of speech."""

    async def open(self, hints: Hints = NO_HINTS) -> SocketStream:
        """Raises EngineError; see ``socket_errors`` for its kinds."""
        self._must_be_open()
        if self._opening + len(self._open) >= self._stt.parallel_calls:
            raise EngineError(
                f"{self._stt.parallel_calls} streams are open (stt.parallel_calls)",
                kind="busy",
                retryable=True,
            )
        self._opening += 1
        try:
            call = self._call(hints)
            socket = await open_socket(
                call.url, scheme=call.scheme, settings=self._stt, clock=self._clock, sent=call.sent
            )
        finally:
            self._opening -= 1
        try:
            self._must_be_open()
        except EngineError:
            await socket.close()
            raise
        stream = SocketStream(
            socket, call.dialogue, self._stt, self._clock, gone=self._open.discard
        )
        self._open.add(stream)
        try:
            await stream.begin()
        except BaseException:
            await stream.close()
            raise
        return stream

    async def close(self) -> None:
        """Close what is open."""
        self._closed = True
        await asyncio.gather(*(stream.close() for stream in self._open))

    def _must_be_open(self) -> None:
        if self._closed:
            raise EngineError(f"{self.capabilities.name} is closed", kind="closed")
