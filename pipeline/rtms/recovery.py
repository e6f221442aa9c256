"""Which sockets of a stream to open, close and give up, and when (reference section 15). Pure.

Told what happened and the time, it answers with orders for the socket shell. There is one
signaling connection, and media connections only while signaling is up; a lost signaling connection
takes media with it when it is built anew, not before: what still flows is received.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pipeline.model.events import Product
from pipeline.rtms.effects import Send
from pipeline.rtms.ending import forgotten, stopped, window_missed
from pipeline.rtms.enums import MEDIA_URL_KEY, MediaType, StatusCode, StopReason
from pipeline.rtms.layout import Layout, media_sockets, single, subscription, total
from pipeline.rtms.media_set import MediaSet, unoffered
from pipeline.rtms.messages import EventSubscription, ReadyAck
from pipeline.rtms.orders import Close, Open, Order, Phase, Socket
from pipeline.rtms.outputs import (
    ProtocolFault,
    StreamLive,
    StreamOver,
)
from pipeline.rtms.requests import close_request
from pipeline.rtms.timing import Timing
from pipeline.rtms.verdict import Cause, Verdict, ends_the_stream, explained, media_refused, verdict

SIGNALING: Final = "signaling"


class Recovery:
    """The life of one stream's connections. ``over`` is set when there is nothing more to do;
    ``wake_at`` is a timer as data: call ``tick`` then. Times are monotonic seconds."""

    def __init__(
        self,
        *,
        product: Product,
        stream: str,
        urls: Sequence[str],
        media: MediaType,
        layout: Layout,
        timing: Timing,
        rng: random.Random,
    ) -> None:
        self.over: StreamOver | None = None
        self._product = product
        self._stream = stream
        self._layout = layout
        self._timing = timing
        self._rng = rng
        self._wanted = media
        self._signaling = Socket(SIGNALING, tuple(urls), MediaType.NONE)
        self._media = MediaSet()
        self._acked = False
        self._ack_due = False
        self._ending: StreamOver | None = None
        self._drain_until = 0.0
        self._terminating: StreamOver | None = None
        self._asked_until: float | None = None

    @property
    def up_since(self) -> float | None:
        """When the signaling connection came up; None while there is none."""
        return self._signaling.up_since if self._signaling.phase is Phase.UP else None

    @property
    def wake_at(self) -> float | None:
        """When ``tick`` has something to do, if nothing happens before."""
        if self.over is not None:
            return None
        if self._ending is not None:
            return self._drain_until
        times = [
            min(socket.at, socket.until)
            for socket in self._sockets()
            if socket.phase is Phase.WAITING
        ]
        if self._asked_until is not None:
            times.append(self._asked_until)
        return min(times, default=None)

    # -- from the sockets -------------------------------------------------------------------

    def start(self, now: float) -> list[Order]:
        """Connect for the first time; there are 60 s for it (section 2.5)."""
        if self.over is not None:
            return []
        return self._open_signaling(now, window=True)

    def signaling_ready(self, urls: Mapping[str, str], now: float) -> list[Order]:
        """Message 2 was good; ``urls`` are where media is."""
        if self._done or self._signaling.phase is not Phase.OPENING:
            return []
        self._up(self._signaling, now)
        self._acked = False
        planned = media_sockets(self._layout, self._product, self._wanted, urls)
        orders = unoffered(self._wanted, planned)
        if not planned:
            detail = "Zoom offers no media connection: check the app's RTMS scopes"
            return [*orders, *self._end(StreamOver(None, detail, False))]
        orders += self._media.plan(planned)
        for socket in self._media.sockets.values():
            socket.until = now + self._timing.media_window
            orders += self._open(socket)
        return orders

    def media_ready(self, name: str, now: float) -> list[Order]:
        """Message 4 was good."""
        socket = self._media.sockets.get(name)
        if self._done or socket is None or socket.phase is not Phase.OPENING:
            return []
        self._up(socket, now)
        self._ack_due = True
        return self._resolved()

    def refused(self, name: str, status: int, reason: str, now: float) -> list[Order]:
        """A handshake was answered with another status than 0."""
        socket = self._socket(name)
        if self._done or socket is None or socket.phase is not Phase.OPENING:
            return []
        socket.why = explained(name, status, reason)
        match verdict(status, _cause(socket)):
            case Verdict.FATAL:
                if self._goes_on_without(socket) and not ends_the_stream(status):
                    return self._lose(socket, "media_refused", socket.why)
                if status == StatusCode.INVALID_RTMS_STREAM_ID:
                    return self._end(forgotten(self._media.live, socket.why))
                return self._end(StreamOver(None, socket.why, False))
            case Verdict.WITHOUT:
                return self._without(socket, media_refused(status))
            case Verdict.RETRY_SOON:
                return self._later(socket, now, soon=True)
            case _:
                return self._later(socket, now)

    def failed(self, name: str, detail: str, now: float, *, retryable: bool = True) -> list[Order]:
        """There was no answer: not connected, timed out, or closed before the handshake."""
        socket = self._socket(name)
        if self._done or socket is None or socket.phase is not Phase.OPENING:
            return []
        socket.why = f"{name}: {detail}"
        if not retryable:
            if self._goes_on_without(socket):
                return self._lose(socket, "media_refused", socket.why)
            return self._end(StreamOver(None, socket.why, False))
        socket.urls = (*socket.urls[1:], *socket.urls[:1])
        return self._later(socket, now)

    def closed(self, name: str, detail: str, now: float, *, silent: bool = False) -> list[Order]:
        """A connection that was up is gone. ``silent``: it was not heard for too long, so nobody
        will tell us; act at once."""
        socket = self._socket(name)
        if self.over is not None or socket is None or socket.phase is not Phase.UP:
            return []
        socket.why = f"{name}: {detail}"
        if self._ending is not None:
            socket.phase = Phase.IDLE
            return self._finish() if not self._media.any_up else []
        wait = 0.0 if silent else self._timing.trigger_wait
        if socket is self._signaling:
            if self._terminating is not None:
                return self._begin_end(self._terminating, now)
            if self._asked_until is not None:
                return self._begin_end(_left("Zoom closed the connection"), now)
            self._wait(socket, now + wait, now + self._timing.signaling_window)
            return self._media.rest(detail)
        if self._signaling.phase is not Phase.UP:
            socket.phase = Phase.IDLE
            return self._media.tell_lost(socket, "signaling_lost", detail)
        self._wait(socket, now + wait, now + self._timing.media_window)
        return self._media.tell_lost(socket, "media_lost", detail)

    def media_interrupted(self, media: MediaType, now: float) -> list[Order]:
        """Zoom says that media is lost while signaling is alive."""
        if self._done or self._signaling.phase is not Phase.UP:
            return []
        orders: list[Order] = []
        for socket in self._media.concerned(media):
            soon = now + next(self._timing.reconnect.delays(self._rng))
            if socket.phase is Phase.WAITING:
                socket.at = min(socket.at, soon)
            elif socket.phase is Phase.UP:
                self._wait(socket, soon, now + self._timing.media_window)
                socket.reconnect = self._after_first()
                orders.append(Close(socket.name))
                orders += self._media.tell_lost(
                    socket, "media_lost", "Zoom lost the media connection"
                )
        return orders

    def terminating(self, reason: int | None) -> list[Order]:
        """The end is announced; if the socket just closes now, that was it."""
        self._terminating = stopped(reason)
        return []

    def terminated(self, reason: int | None, now: float) -> list[Order]:
        """The end, in the stream or by webhook. Media still under way is received first."""
        if reason is None and self._terminating is not None:
            return self._begin_end(self._terminating, now)
        return self._begin_end(stopped(reason), now)

    # -- from us ----------------------------------------------------------------------------

    def leave(self, now: float, patience: float) -> list[Order]:
        """Ask Zoom to end the stream (section 11.4). It is over when Zoom says so, or does not
        within ``patience`` seconds; at once when there is no connection to ask on."""
        if self._done or self._asked_until is not None:
            return []
        if self._signaling.phase is not Phase.UP:
            return self._end(_left("there was no connection to ask on; Zoom gives it up by itself"))
        self._asked_until = now + patience
        return [Send(close_request(self._stream))]

    def leave_refused(self, status: int, reason: str, now: float) -> list[Order]:
        """Message 22 with another status than 0: Zoom goes on, we do not."""
        if self._done or self._asked_until is None:
            return []
        return self._begin_end(_left(explained("close", status, reason)), now)

    # -- from webhooks ----------------------------------------------------------------------

    def interrupted(self, now: float, *, past: bool | None = None) -> list[Order]:
        """Zoom lost signaling, and with it media. ``past``: whether it says so of a time before the
        connection came up that we have, for a webhook may be minutes late (section 2.5). None: that
        is not known; then it is taken to be while the connection is young."""
        signaling = self._signaling
        if self._done:
            return []
        soon = now + next(self._timing.reconnect.delays(self._rng))
        if signaling.phase is Phase.WAITING:
            signaling.at = min(signaling.at, soon)
            return self._media.close("Zoom lost the connection")
        if past is None:
            past = now - signaling.up_since < self._timing.stale_trigger
        if signaling.phase is not Phase.UP or past:
            return []
        self._wait(signaling, soon, now + self._timing.signaling_window)
        signaling.reconnect = self._after_first()
        return [Close(SIGNALING), *self._media.close("Zoom lost the connection")]

    def replaced(self, urls: Sequence[str], now: float) -> list[Order]:
        """A server failed and the stream was announced anew: both connections from scratch."""
        if self._done:
            return []
        self._signaling.urls = tuple(urls)
        self._terminating = None
        orders: list[Order] = [Close(SIGNALING)]
        orders += self._media.close("Zoom moved the stream to another server")
        return [*orders, *self._open_signaling(now, window=True)]

    # -- time -------------------------------------------------------------------------------

    def tick(self, now: float) -> list[Order]:
        """Do what is due."""
        if self.over is not None:
            return []
        if self._ending is not None:
            return self._finish() if now >= self._drain_until else []
        if self._asked_until is not None and now >= self._asked_until:
            return self._begin_end(_left("Zoom did not answer in time"), now)
        orders: list[Order] = []
        for socket in list(self._sockets()):
            if socket.phase is not Phase.WAITING or now < min(socket.at, socket.until):
                continue
            if now >= socket.until:
                orders += self._give_up(socket)
            elif socket is self._signaling:
                orders += self._media.close("the connection to Zoom is built anew")
                orders += self._open_signaling(now, window=False)
            elif self._signaling.phase is Phase.UP:
                orders += self._open(socket)
            if self._done:
                break
        return orders

    # -- inside -----------------------------------------------------------------------------

    @property
    def _done(self) -> bool:
        return self.over is not None or self._ending is not None

    def _sockets(self) -> Iterator[Socket]:
        yield self._signaling
        yield from self._media.sockets.values()

    def _socket(self, name: str) -> Socket | None:
        return self._signaling if name == SIGNALING else self._media.sockets.get(name)

    def _open_signaling(self, now: float, *, window: bool) -> list[Order]:
        if window:
            self._signaling.until = now + self._timing.signaling_window
            self._signaling.reconnect = self._signaling.duplicate = None
        return self._open(self._signaling)

    def _open(self, socket: Socket) -> list[Order]:
        socket.phase = Phase.OPENING
        return [Open(socket.name, socket.urls, socket.media)]

    def _up(self, socket: Socket, now: float) -> None:
        socket.phase = Phase.UP
        socket.up_since = now
        socket.before = True
        socket.reconnect = socket.duplicate = None

    def _wait(self, socket: Socket, at: float, until: float) -> None:
        socket.phase, socket.at, socket.until = Phase.WAITING, at, until
        socket.reconnect = socket.duplicate = None

    def _after_first(self) -> Iterator[float]:
        delays = self._timing.reconnect.delays(self._rng)
        next(delays)
        return delays

    def _later(self, socket: Socket, now: float, *, soon: bool = False) -> list[Order]:
        """Another try after the next delay. When the delays for a duplicate are used up, Zoom's
        usual ones follow: it takes up to 30 s to miss a connection that died without a word."""
        delay = None
        if soon:
            socket.duplicate = socket.duplicate or self._timing.duplicate.delays(self._rng)
            delay = next(socket.duplicate, None)
        if delay is None:
            socket.reconnect = socket.reconnect or self._timing.reconnect.delays(self._rng)
            delay = next(socket.reconnect)
        socket.phase, socket.at = Phase.WAITING, now + delay
        socket.before = True
        if now >= socket.until:
            return self._give_up(socket)
        return [] if socket is self._signaling else self._resolved()

    def _give_up(self, socket: Socket) -> list[Order]:
        if self._goes_on_without(socket):
            return self._lose(socket, "media_given_up", f"not back in time; {socket.why}")
        return self._end(window_missed(self._media.live, socket.why))

    def _goes_on_without(self, socket: Socket) -> bool:
        return socket is not self._signaling and self._media.others(socket)

    def _lose(self, socket: Socket, reason: str, detail: str) -> list[Order]:
        """Go on without this media socket."""
        socket.phase = Phase.GONE
        return [ProtocolFault(socket.name, reason, detail), *self._resolved()]

    def _without(self, socket: Socket, missing: MediaType) -> list[Order]:
        """Scope missing: the same socket with fewer media types, or no such socket. A status about
        a type that this socket does not carry can only be about the socket."""
        own = total(single(socket.media))
        missing = own & missing or own
        names = ", ".join(MEDIA_URL_KEY[one] for one in single(missing))
        wanted = own & ~missing
        self._wanted = total(single(self._wanted)) & ~missing
        fault = ProtocolFault(
            socket.name,
            "media_refused",
            f"{socket.why}; going on without {names}",
        )
        if wanted and wanted != socket.media:
            socket.media = wanted
            return [fault, *self._open(socket)]
        socket.phase = Phase.GONE
        if all(other.phase is Phase.GONE for other in self._media.sockets.values()):
            return [fault, *self._end(StreamOver(None, socket.why, False))]
        return [fault, *self._resolved()]

    def _resolved(self) -> list[Order]:
        """Ready ack (section 8): the first when every media socket was answered or failed, then
        one for each that came back."""
        sockets = self._media.sockets.values()
        opening = any(socket.phase is Phase.OPENING for socket in sockets)
        if not self._ack_due or not self._media.any_up or (opening and not self._acked):
            return []
        self._ack_due = False
        orders: list[Order] = [Send(ReadyAck(rtms_stream_id=self._stream))]
        first_ack = not self._acked
        if first_ack:
            self._acked = True
            granted = total(s.media for s in sockets if s.phase is Phase.UP)
            events = subscription(self._product, total(single(granted)))
            if events:
                orders.append(Send(EventSubscription(events=events)))
        orders += self._media.tell_back()
        if first_ack:
            orders.append(StreamLive(not self._media.live))
            self._media.live = True
            for socket in sockets:
                if socket.phase is Phase.WAITING:
                    orders += self._media.tell_lost(socket, "media_lost", socket.why)
        return orders

    def _begin_end(self, output: StreamOver, now: float) -> list[Order]:
        if self._done:
            return []
        self._ending = output
        self._drain_until = now + self._timing.drain
        return [] if self._media.any_up else self._finish()

    def _finish(self) -> list[Order]:
        assert self._ending is not None
        return self._end(self._ending)

    def _end(self, output: StreamOver) -> list[Order]:
        self.over = output
        return [Close(socket.name) for socket in self._sockets()]


def _left(how: str) -> StreamOver:
    return StreamOver(StopReason.RECEIVER_REQUEST_CLOSE, f"we ended the stream: {how}", False)


def _cause(socket: Socket) -> Cause:
    if socket.name == SIGNALING:
        return "signaling_again" if socket.before else "signaling_first"
    return "media_again" if socket.before else "media_first"
