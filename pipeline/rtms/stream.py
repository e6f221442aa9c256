"""The socket shell of one stream: does what ``Recovery`` orders, feeds the state machines.

One task a connection receives: it decodes, answers keep-alives, hands outputs to the sink, and
does nothing else. One task watches the time. All live in the task group of ``run``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import structlog

from pipeline.base import metrics
from pipeline.base.clock import Clock
from pipeline.base.errors import OutsideError, ZoomError
from pipeline.base.url_guard import Resolver, UrlGuard, resolve
from pipeline.rtms import effects as fx
from pipeline.rtms import transport
from pipeline.rtms.credentials import Credentials
from pipeline.rtms.enums import MediaType, StatusCode, is_known
from pipeline.rtms.greeting import Greeting
from pipeline.rtms.media import Media
from pipeline.rtms.messages import Message, encode
from pipeline.rtms.orders import Close, Open, Order
from pipeline.rtms.outputs import AudioFormat, Output
from pipeline.rtms.products import Announcement, url_list
from pipeline.rtms.recovery import SIGNALING, Recovery
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.signaling import Signaling
from pipeline.rtms.standing import Standing
from pipeline.rtms.timing import Timing
from pipeline.rtms.transport import ConnectionEnded, Transport

log = structlog.get_logger()

_ADDRESSES: Final = 4
"""So many addresses of a host are tried."""

_CONTROL: Final = frozenset(
    {
        fx.Send,
        fx.SignalingAccepted,
        fx.MediaAccepted,
        fx.Refused,
        fx.MediaInterrupted,
        fx.Terminating,
        fx.Terminated,
        AudioFormat,
    }
)


class Sink(Protocol):
    """Takes what a stream tells, on the receiving task; must not block."""

    def put(self, output: Output) -> None:
        """One output, in the order in which things arrived."""
        ...


class _Link:
    """A connection that is shaking hands or up."""

    def __init__(self, socket: str, wire: Transport, machine: Signaling | Media) -> None:
        self.socket = socket
        self.wire = wire
        self.machine = machine


class RtmsStream:
    """Receives one stream until it is over.

    ``credentials`` sign the handshakes. ``media``: the types wanted. At ``speed`` N all of Zoom's
    times are divided by N. ``connect`` and ``resolver`` can be replaced in tests; every address
    that ``connect`` is given was checked against the settings.
    """

    def __init__(
        self,
        announcement: Announcement,
        sink: Sink,
        *,
        credentials: Credentials,
        settings: RtmsSettings,
        media: MediaType,
        clock: Clock,
        rng: random.Random,
        speed: float = 1.0,
        connect: transport.Connect = transport.connect,
        resolver: Resolver = resolve,
    ) -> None:
        self._announcement = announcement
        self._sink = sink
        self._settings = settings
        self._clock = clock
        self._connect = connect
        self._resolver = resolver
        self._guard = UrlGuard(settings.allowed_domains, settings.allow_loopback)
        self._timing = Timing.of(settings, speed)
        self._greeting = Greeting(announcement, credentials, settings)
        self._standing = Standing()
        self._recovery = Recovery(
            product=announcement.product,
            stream=announcement.stream,
            urls=url_list(announcement.server_urls),
            media=media,
            layout=settings.layout,
            timing=self._timing,
            rng=rng,
        )
        self._links: dict[str, _Link] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._early: list[Callable[[], None]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._returned = asyncio.Event()
        self._format: AudioFormat | None = None
        self._known: set[str] = set()

    async def run(self) -> None:
        """Receive until the stream is over, which is the last output, or until ``close``.

        Raises nothing for what Zoom or the network does.
        """
        if self._closing:
            return
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._obey(self._recovery.start(self._clock.monotonic()))
                for early in self._early:
                    early()
                await self._watch()
                for task in self._tasks.values():
                    task.cancel()
        finally:
            self._group = None
            self._returned.set()
        if self._recovery.over is not None:
            log.info(
                "stream.over", stream=self._announcement.stream, detail=self._recovery.over.detail
            )
            self._sink.put(self._recovery.over)

    def interrupted(self) -> None:
        """A webhook says that Zoom lost the connection and waits for us."""
        self._outside(lambda: self._recovery.interrupted(self._clock.monotonic()))

    def replaced(self, announcement: Announcement) -> None:
        """The stream was announced anew (a server failed): drop everything, connect there."""
        urls = url_list(announcement.server_urls)
        self._outside(lambda: self._recovery.replaced(urls, self._clock.monotonic()))

    def stopped(self, reason: int | None) -> None:
        """A webhook says that the stream is over."""
        self._outside(lambda: self._recovery.terminated(reason, self._clock.monotonic()))

    async def close(self) -> None:
        """Let go of the sockets without a word; Zoom keeps the stream for a reconnection."""
        self._closing = True
        self._wake.set()
        if self._group is not None:
            await self._returned.wait()

    def _outside(self, act: Callable[[], list[Order]]) -> None:
        def obey() -> None:
            self._obey(act())

        if self._group is None:
            self._early.append(obey)
        else:
            obey()

    # -- orders -----------------------------------------------------------------------------

    def _obey(self, orders: Iterable[Order]) -> None:
        """Carry orders out, whoever brought them about."""
        sends: list[Message] = []
        for order in orders:
            if isinstance(order, Open):
                self._open(order)
            elif isinstance(order, Close):
                self._let_go(order.socket)
            elif isinstance(order, fx.Send):
                sends.append(order.message)
            else:
                self._sink.put(order)
        if sends and self._group is not None:
            self._group.create_task(self._send_signaling(sends))
        self._wake.set()

    def _open(self, order: Open) -> None:
        self._let_go(order.socket)
        if self._group is not None:
            # Nothing is connected before what it replaces is gone: never two live connections.
            before = tuple(self._leaving)
            self._tasks[order.socket] = self._group.create_task(self._link(order, before))

    def _let_go(self, socket: str) -> None:
        self._links.pop(socket, None)
        task = self._tasks.pop(socket, None)
        if task is not None and not task.done():
            self._leave(task)

    def _leave(self, task: asyncio.Task[None]) -> None:
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        if task is not asyncio.current_task():
            task.cancel()

    # -- a connection -----------------------------------------------------------------------

    async def _link(self, order: Open, before: tuple[asyncio.Task[None], ...]) -> None:
        """One connection from dialling to its end."""
        if before:
            await asyncio.wait(before)
        socket = order.socket
        try:
            wire = await self._dial(order.urls)
        except OutsideError as error:
            metrics.CONNECTION_ERRORS.labels(error.kind).inc()
            now = self._clock.monotonic()
            self._obey(self._recovery.failed(socket, str(error), now, retryable=error.retryable))
            return
        link = _Link(socket, wire, self._machine(order))
        self._links[socket] = link
        try:
            await self._receive(link)
        except ConnectionEnded as error:
            self._ended(link, str(error))
        finally:
            link.machine.tally.flush()
            await wire.close()

    async def _dial(self, urls: tuple[str, ...]) -> Transport:
        """The first URL and address that takes a connection. Raises an OutsideError, one that may
        pass if there is one."""
        errors: list[OutsideError] = []
        for url in urls:
            try:
                addresses = await asyncio.to_thread(self._guard.addresses, url, self._resolver)
            except OutsideError as error:
                errors.append(error)
                continue
            for address in addresses[:_ADDRESSES]:
                try:
                    return await self._connect(url, address=address, settings=self._settings)
                except ZoomError as error:
                    errors.append(error)
        raise next(
            (error for error in errors if error.retryable),
            errors[-1] if errors else ZoomError("no websocket URL", kind="no_url"),
        )

    def _machine(self, order: Open) -> Signaling | Media:
        now = self._clock.monotonic()
        start_ms = self._announcement.announced_ms
        if order.socket == SIGNALING:
            return Signaling(
                self._greeting.signaling(),
                product=self._announcement.product,
                start_ms=start_ms,
                standing=self._standing,
                now=now,
                timing=self._timing,
            )
        return Media(
            order.socket,
            self._greeting.media(order.media),
            start_ms=start_ms,
            standing=self._standing,
            now=now,
            timing=self._timing,
        )

    async def _receive(self, link: _Link) -> None:
        """Frames until the connection ends (ConnectionEnded) or is refused."""
        wire, machine, sink, clock = link.wire, link.machine, self._sink, self._clock
        await wire.send(encode(machine.hello))
        self._wake.set()
        while True:
            frame = await wire.receive()
            for effect in machine.receive(frame, clock.monotonic()):
                if type(effect) not in _CONTROL:
                    sink.put(effect)  # type: ignore[arg-type]
                elif isinstance(effect, fx.Send):
                    await wire.send(encode(effect.message))
                elif isinstance(effect, fx.Refused):
                    self._refused(link, effect)
                    return
                else:
                    await self._control(link, effect)
                    if self._links.get(link.socket) is not link:
                        return  # what it said made us let go of it

    async def _control(self, link: _Link, effect: fx.Effect) -> None:
        now = self._clock.monotonic()
        match effect:
            case AudioFormat():
                if effect != self._format:
                    self._format = effect
                    self._sink.put(effect)
            case fx.SignalingAccepted(urls=urls):
                self._count_return(link.socket)
                self._obey(self._recovery.signaling_ready(urls, now))
            case fx.MediaAccepted():
                self._count_return(link.socket)
                self._obey(self._recovery.media_ready(link.socket, now))
            case fx.MediaInterrupted(media=media):
                self._obey(self._recovery.media_interrupted(media, now))
            case fx.Terminating(reason=reason):
                self._obey(self._recovery.terminating(reason))
            case fx.Terminated(reason=reason):
                self._obey(self._recovery.terminated(reason, now))

    async def _send_signaling(self, messages: list[Message]) -> None:
        link = self._links.get(SIGNALING)
        if link is not None:
            try:
                for message in messages:
                    await link.wire.send(encode(message))
            except ConnectionEnded:
                log.debug("stream.ack_not_sent", stream=self._announcement.stream)

    def _refused(self, link: _Link, effect: fx.Refused) -> None:
        known = is_known(StatusCode, effect.status)
        metrics.CONNECTION_ERRORS.labels(
            f"status_{effect.status}" if known else "status_other"
        ).inc()
        now = self._clock.monotonic()
        self._obey(self._recovery.refused(link.socket, effect.status, effect.reason, now))

    def _ended(self, link: _Link, detail: str, *, silent: bool = False) -> None:
        """The connection is gone by itself or was cut by the watchdog."""
        if self._links.get(link.socket) is not link:
            return
        del self._links[link.socket]
        kind = "closed" if not silent else "silent" if link.machine.ready else "timeout"
        metrics.CONNECTION_ERRORS.labels(kind).inc()
        now = self._clock.monotonic()
        if link.machine.ready:
            orders = self._recovery.closed(link.socket, detail, now, silent=silent)
        else:
            orders = self._recovery.failed(link.socket, detail, now)
        self._obey(orders)

    def _count_return(self, socket: str) -> None:
        if socket in self._known:
            metrics.RECONNECTS.labels(socket).inc()
        self._known.add(socket)

    # -- time -------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Timers of all machines; returns when the stream is over or closed."""
        while not self._closing:
            self._wake.clear()
            now = self._clock.monotonic()
            for link in [link for link in self._links.values() if now >= link.machine.deadline]:
                self._cut(link)
            self._obey(self._recovery.tick(now))
            if self._recovery.over is not None:
                return
            times = [link.machine.deadline for link in self._links.values()]
            if self._recovery.wake_at is not None:
                times.append(self._recovery.wake_at)
            self._wake.clear()
            await self._until(min(times, default=None))

    def _cut(self, link: _Link) -> None:
        what = "nothing heard for too long" if link.machine.ready else "no answer to the handshake"
        task = self._tasks.pop(link.socket, None)
        if task is not None and not task.done():
            self._leave(task)
        self._ended(link, what, silent=True)

    async def _until(self, at: float | None) -> None:
        """Wait for a time of the clock, or for something to change before."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._wake.wait())]
        if at is not None:
            seconds = max(0.0, at - self._clock.monotonic())
            waits.append(asyncio.create_task(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
