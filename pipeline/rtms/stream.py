"""The socket shell of one stream: does what ``Recovery`` orders, feeds the state machines.

Receiving is a callback of the socket: it decodes, answers keep-alives, hands outputs to the sink,
and does nothing else. One task a connection dials and waits for its end, one watches the time. All
live in the task group of ``run``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Final, Literal, Protocol

import structlog
from msgspec import structs

from pipeline.base import metrics
from pipeline.base.clock import Clock
from pipeline.base.errors import OutsideError
from pipeline.base.url_guard import Resolver, UrlGuard, resolve
from pipeline.rtms import effects as fx
from pipeline.rtms import transport
from pipeline.rtms.credentials import Credentials
from pipeline.rtms.enums import MediaType, StatusCode, is_known
from pipeline.rtms.follow import FOLLOWED, Follow, Wish
from pipeline.rtms.greeting import Greeting
from pipeline.rtms.hearing import Hearing
from pipeline.rtms.layout import single
from pipeline.rtms.link import Link, Tap, dial, until
from pipeline.rtms.media import Media
from pipeline.rtms.messages import KeepAliveResponse, Message
from pipeline.rtms.orders import Close, Open, Order
from pipeline.rtms.outputs import AudioFormat, ConnectionLost, ImageFormat, Output, StreamLive
from pipeline.rtms.products import Announcement, url_list
from pipeline.rtms.recovery import SIGNALING, Recovery
from pipeline.rtms.requests import state_queries, video_subscription
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.signaling import Signaling
from pipeline.rtms.standing import Standing
from pipeline.rtms.timing import Timing
from pipeline.rtms.transport import ConnectionEnded

log = structlog.get_logger()

_CONTROL: Final = frozenset(
    {
        fx.Send,
        fx.SignalingAccepted,
        fx.MediaAccepted,
        fx.Refused,
        fx.MediaInterrupted,
        fx.Terminating,
        fx.Terminated,
        fx.StreamClosed,
        AudioFormat,
        ImageFormat,
    }
)

END_S: Final = 5.0
"""So long Zoom has to end a stream that we asked it to end."""

OnLost = Callable[[str, Literal["abrupt", "frame"]], None]
"""Told when a connection that was up is gone unasked: the socket's name, and whether there was a
close frame."""


class Sink(Protocol):
    """Takes what a stream tells, on the receiving task; must not block."""

    def put(self, output: Output) -> None:
        """One output, in the order in which things arrived."""
        ...


class RtmsStream:
    """Receives one stream until it is over.

    ``credentials`` sign the handshakes. ``media``: the types wanted. At ``speed`` N all of Zoom's
    times are divided by N. ``connect`` and ``resolver`` can be replaced in tests; every address
    that ``connect`` is given was checked against the settings. ``tap`` is told every frame,
    ``on_lost`` every connection that was lost.
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
        tap: Tap | None = None,
        on_lost: OnLost | None = None,
    ) -> None:
        self._on_lost = on_lost
        self._tap = tap
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
        self._links: dict[str, Link] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._early: list[Callable[[], None]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._returned = asyncio.Event()
        self._formats: dict[str, AudioFormat | ImageFormat] = {}
        self._known: set[str] = set()
        self._hearing = Hearing(keepalive=self._timing.keepalive, speed=speed)
        individual = settings.video == "individual" and MediaType.VIDEO in single(media)
        self._follow = Follow(settings.follow if individual else None)
        self._control = _CONTROL | FOLLOWED

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

    def interrupted(self, at_ms: int | None = None) -> None:
        """A webhook says that Zoom lost the connection, at ``at_ms`` of Zoom's clock, and waits
        for us."""
        past = self._hearing.was_before(at_ms, self._recovery.up_since)
        self._outside(lambda: self._recovery.interrupted(self._clock.monotonic(), past=past))

    def replaced(self, announcement: Announcement) -> None:
        """The stream was announced anew (a server failed): drop everything, connect there."""
        urls = url_list(announcement.server_urls)
        self._outside(lambda: self._recovery.replaced(urls, self._clock.monotonic()))

    def stopped(self, reason: int | None) -> None:
        """A webhook says that the stream is over."""
        self._outside(lambda: self._recovery.terminated(reason, self._clock.monotonic()))

    def subscribe_video(self, user_id: int, subscribe: bool = True) -> None:
        """Ask for one participant's camera, or for none any more; needs ``rtms.video`` to be
        ``individual``. Zoom answers with ``VideoSubscribed``. Asked again after a reconnection, and
        when a camera that was off comes on; goes before ``rtms.follow``."""
        self._subscribe(self._follow.choose(user_id, subscribe))

    def ask_states(self) -> None:
        """Ask how the stream and its sessions stand; the answers come as if Zoom had told by
        itself. Done after each reconnection, for a pause may have been missed."""
        self._say(state_queries(self._announcement.stream, self._standing.sessions()))

    async def end(self, timeout_s: float = END_S) -> None:
        """Ask Zoom to end the stream and wait until ``run`` returns: when Zoom ended it, or after
        so many seconds of this machine."""
        self._outside(lambda: self._recovery.leave(self._clock.monotonic(), timeout_s))
        if self._group is not None:
            await self._returned.wait()

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
        live: StreamLive | None = None
        for order in orders:
            if isinstance(order, Open):
                self._open(order)
            elif isinstance(order, Close):
                self._let_go(order.socket)
            elif isinstance(order, fx.Send):
                sends.append(order.message)
            elif isinstance(order, ConnectionLost):
                self._sink.put(self._since_when(order))
            else:
                self._sink.put(order)
                if isinstance(order, StreamLive):
                    live = order
        self._say(sends)
        if live is not None:
            self._subscribe(self._follow.take(live))
            if not live.first:
                self.ask_states()
        self._wake.set()

    def _say(self, messages: Iterable[Message]) -> None:
        """Send on signaling, if there is one; what is lost with it is asked again after the
        reconnection."""
        link = self._links.get(SIGNALING)
        if link is None or not link.machine.ready:
            return
        try:
            for message in messages:
                link.send(message)
        except ConnectionEnded:
            log.debug("stream.not_sent", stream=self._announcement.stream)

    def _subscribe(self, wishes: Iterable[Wish]) -> None:
        now_ms = self._clock.now_ms()
        self._say([video_subscription(user_id, on, now_ms) for user_id, on in wishes])

    def _open(self, order: Open) -> None:
        self._let_go(order.socket)
        if self._group is not None:
            # Nothing is connected before what it replaces is gone: never two live connections.
            before = tuple(self._leaving)
            self._tasks[order.socket] = self._group.create_task(self._link(order, before))

    def _let_go(self, socket: str) -> None:
        link = self._links.pop(socket, None)
        if link is not None:
            self._forget(link)
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
            wire = await dial(
                order.urls,
                guard=self._guard,
                resolver=self._resolver,
                connect=self._connect,
                settings=self._settings,
            )
        except OutsideError as error:
            metrics.CONNECTION_ERRORS.labels(error.kind).inc()
            now = self._clock.monotonic()
            self._obey(self._recovery.failed(socket, str(error), now, retryable=error.retryable))
            return
        link = Link(socket, wire, self._machine(order), self._tap)
        self._links[socket] = link
        try:
            await self._receive(link)
        except ConnectionEnded as error:
            self._ended(link, str(error), frame=error.frame)
        finally:
            link.machine.tally.flush()
            await wire.close()

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

    async def _receive(self, link: Link) -> None:
        """Frames until the connection ends (ConnectionEnded) or is let go of."""
        receive, put, control = link.machine.receive, self._sink.put, self._control
        monotonic = self._clock.monotonic

        def take(frame: bytes) -> bool:
            if link.gone:
                return False  # let go of, and its task has not run since
            for effect in receive(frame, monotonic()):
                if type(effect) not in control:
                    put(effect)  # type: ignore[arg-type]
                elif not self._act(link, effect):
                    return False
            return True

        tap, socket = self._tap, link.socket

        def tapped(frame: bytes) -> bool:
            assert tap is not None
            tap(socket, "server", frame)
            return take(frame)

        link.send(link.machine.hello)
        self._wake.set()
        await link.wire.receive(take if tap is None else tapped)

    def _act(self, link: Link, effect: fx.Effect) -> bool:
        """Do what a machine wants; False: no more of this connection."""
        if isinstance(effect, fx.Send):
            self._answer(link, effect.message)
            return True
        if isinstance(effect, fx.Refused):
            self._refused(link, effect)
            return False
        self._control_effect(link, effect)
        return not link.gone  # what it said may have made us let go

    def _answer(self, link: Link, message: Message) -> None:
        if isinstance(message, KeepAliveResponse) and link.socket == SIGNALING:
            self._hearing.clock(message.timestamp, self._clock.monotonic())
        try:
            link.send(message)
        except ConnectionEnded:
            log.debug("stream.not_sent", stream=self._announcement.stream)

    def _control_effect(self, link: Link, effect: fx.Effect) -> None:
        now = self._clock.monotonic()
        match effect:
            case AudioFormat():
                self._tell_format("audio", effect)
            case ImageFormat():
                self._tell_format(effect.media, effect)
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
            case fx.StreamClosed(status=status, reason=text):
                if status != 0:
                    self._obey(self._recovery.leave_refused(status, text, now))
            case fx.Send() | fx.Refused():
                raise AssertionError("done before")
            case _:
                self._sink.put(effect)
                self._subscribe(self._follow.take(effect))

    def _tell_format(self, media: str, told: AudioFormat | ImageFormat) -> None:
        """Each handshake tells the format; the sink is told what is news."""
        if self._formats.get(media) != told:
            self._formats[media] = told
            self._sink.put(told)

    def _refused(self, link: Link, effect: fx.Refused) -> None:
        known = is_known(StatusCode, effect.status)
        metrics.CONNECTION_ERRORS.labels(
            f"status_{effect.status}" if known else "status_other"
        ).inc()
        now = self._clock.monotonic()
        self._obey(self._recovery.refused(link.socket, effect.status, effect.reason, now))

    def _ended(self, link: Link, detail: str, *, silent: bool = False, frame: bool = False) -> None:
        """The connection is gone by itself or was cut by the watchdog."""
        if self._links.get(link.socket) is not link:
            return
        del self._links[link.socket]
        self._forget(link)
        if link.machine.ready and self._on_lost is not None:
            self._on_lost(link.socket, "frame" if frame else "abrupt")
        kind = "closed" if not silent else "silent" if link.machine.ready else "timeout"
        metrics.CONNECTION_ERRORS.labels(kind).inc()
        now = self._clock.monotonic()
        if link.machine.ready:
            orders = self._recovery.closed(link.socket, detail, now, silent=silent)
        else:
            orders = self._recovery.failed(link.socket, detail, now)
        self._obey(orders)

    def _since_when(self, lost: ConnectionLost) -> ConnectionLost:
        link = self._links.get(lost.media)
        if link is not None:
            self._note_heard(link)
        silent_ms = self._hearing.silent_ms(lost.media, self._clock.monotonic())
        return structs.replace(lost, silent_ms=silent_ms)

    def _forget(self, link: Link) -> None:
        link.gone = True
        self._note_heard(link)

    def _note_heard(self, link: Link) -> None:
        if link.machine.ready:
            self._hearing.heard(link.socket, link.machine.deadline - self._timing.keepalive)

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
            await until(self._clock, self._wake, min(times, default=None))

    def _cut(self, link: Link) -> None:
        what = "nothing heard for too long" if link.machine.ready else "no answer to the handshake"
        task = self._tasks.pop(link.socket, None)
        if task is not None and not task.done():
            self._leave(task)
        self._ended(link, what, silent=True)
