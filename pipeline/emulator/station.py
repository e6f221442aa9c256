"""One stream and what stands around it: its faults, its webhooks, its way to the sockets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, assert_never

from pipeline.emulator.actions import Abort, Action, Close, Notify, Send
from pipeline.emulator.addresses import Target
from pipeline.emulator.announcer import Announcer
from pipeline.emulator.faults import (
    AnyFault,
    Camera,
    Concurrency,
    Drop,
    Failover,
    MissingKeepAlives,
    Outage,
    Pause,
    Refuse,
    Replay,
    Resume,
    Stall,
    Stop,
)
from pipeline.emulator.gate import Piece
from pipeline.emulator.hooks import Hook
from pipeline.emulator.listener import Listener
from pipeline.emulator.meddler import MEDIA, Meddler, Out
from pipeline.emulator.playback import Due
from pipeline.emulator.schedule import NEVER
from pipeline.emulator.stream import Stream
from pipeline.emulator.where import Addresses, Where
from pipeline.rtms.enums import MediaType, StopReason


class Tally:
    """Messages handed to the sockets, of all streams."""

    sent: int = 0


class Station:
    """``number`` counts from 1, ``lag`` is how far it is served behind the tape.

    Times are ms of the tape; whoever calls ``serve`` sees to it that every item due on the tape is
    handed over exactly once.
    """

    def __init__(
        self,
        number: int,
        where: Where,
        stream: Stream,
        announcer: Announcer,
        listener: Listener,
        addresses: Addresses,
        tally: Tally,
        *,
        start_ms: int,
        lag: int = 0,
    ) -> None:
        self.number = number
        self.lag = lag
        self.where = where
        self.stream = stream
        self.announcer = announcer
        self._tally = tally
        self._listener = listener
        self._addresses = addresses
        self._start_ms = start_ms
        self._meddler = Meddler(start_ms)
        self._turn = 0
        self._urls = where.signaling_url
        self._http: dict[str, list[int]] = {}  # statuses the next requests are refused with
        self._resume_at = NEVER
        self._pings_at = 0
        self._finished = False

    # -- sockets ---------------------------------------------------------------------------

    def refuses(self, target: Target, now: int) -> int | None:
        """The HTTP status a request for this socket is refused with, if it is."""
        if target.turn != self._turn:
            return 503  # the server that had this URL is gone
        coming = self._http.get("signaling" if target.path is None else "media")
        if coming:
            return coming.pop()
        if target.path is not None and self.stream.refuses(target.path, now):
            return 503
        return None

    def opened(self, number: int, path: MediaType | None) -> None:
        """A websocket was opened."""
        self._meddler.opened(number, path)
        self.stream.opened(number, path)

    def received(self, number: int, data: bytes | str, now: int) -> None:
        """A message came in."""
        self.stream.received(number, data, now)
        self.act(now)

    def closed(self, number: int, now: int) -> None:
        """A websocket is gone."""
        self._meddler.closed(number)
        self.stream.closed(number, now)
        self.act(now)

    # -- time ------------------------------------------------------------------------------

    def serve(self, now: int, due: Sequence[Due]) -> None:
        """Do what is due."""
        if now >= self._resume_at:
            self._resume_at = NEVER
            self.stream.resume(now)
        self.stream.advance(now, due)
        self.act(now)
        if not self._meddler.resting:
            self._do(self._meddler.release(now))

    def next_at(self, now: int) -> int:
        """When ``serve`` has something to do at the latest, apart from the tape."""
        at = NEVER if self.stream.phase == "over" else self.stream.next_at(now)
        if not self._meddler.resting:
            at = min(at, self._meddler.next_at(now))
        return min(at, self._resume_at)

    @property
    def over(self) -> bool:
        """The stream has ended and nothing of it is still to be sent."""
        return self.stream.phase == "over" and not self._meddler.waiting

    @property
    def live(self) -> bool:
        """A client is on signaling."""
        return self.stream.phase == "live"

    def act(self, now: int) -> None:
        """Do what the stream asks for."""
        actions = self.stream.drain()
        if actions:
            if self._meddler.idle:
                self._pass(actions, now)
            else:
                self._do(self._meddler.meddle(actions, now))
        if self.stream.phase == "live":
            self.announcer.give_up("interrupted")  # it is back; a late retry would only mislead
        elif self.stream.phase == "over" and not self._finished:
            self._finished = True
            self._do(self._meddler.finish(now))

    def finish(self, reason: StopReason, now: int) -> None:
        """End the stream; with EXIT_SIGNAL nothing that a fault holds back is waited for."""
        self.stream.finish(reason, now)
        self.act(now)
        if reason is StopReason.EXIT_SIGNAL:
            self._do(self._meddler.let_go(now))

    def announce(self, now: int, *, vital: bool = False, dead_first: bool = False) -> None:
        """Send the started webhook."""
        hooks = self._meddler.meddle([Notify("started", now)], now, dead_first=dead_first)
        self._do(hooks, vital=vital)

    # -- faults ----------------------------------------------------------------------------

    def begin(self, fault: AnyFault, now: int) -> None:
        """A fault begins. Raises ValueError with what is wrong when it cannot be done now."""
        stream = self.stream
        match fault:
            case Drop():
                stream.drop(fault.socket, fault.close, now, replay=fault.replay)
            case Outage():
                ms = round(fault.length * 1000)
                stream.lose(fault.media, ms, fault.replay, now, close=fault.close)
            case Replay():
                stream.replay(fault.keep)
            case Failover():
                self._fail_over(fault, now)
            case Pause():
                stream.pause(now)
                length = fault.length
                self._resume_at = NEVER if length is None else now + round(length * 1000)
            case Resume():
                self._resume_at = NEVER
                stream.resume(now)
            case Camera():
                stream.camera(fault.user_id, fault.on, now)
            case Refuse(http=None):
                stream.deny(fault.status, fault.socket, fault.times)
            case Refuse():
                assert fault.http is not None
                self._http.setdefault(fault.socket, []).extend([fault.http] * fault.times)
            case MissingKeepAlives():
                self._hold_pings(fault.length, now)
            case Stop():
                stream.finish(StopReason(fault.reason), now)
            case Concurrency():
                self.announcer.limit(fault.event, fault.number, self._start_ms + now)
            case _:
                if isinstance(fault, Stall):  # what is not sent cannot go unanswered
                    self._hold_pings(fault.length, now)
                self._do(self._meddler.begin(fault, now))
        self.act(now)

    def _hold_pings(self, seconds: float, now: int) -> None:
        self._pings_at = max(self._pings_at, now + round(seconds * 1000))
        self.stream.hold_pings(self._pings_at, now)

    def _fail_over(self, fault: Failover, now: int) -> None:
        if self.stream.phase == "over":
            raise ValueError("the stream is over")
        self._turn += 1
        base = self._addresses.base(self.number, self._turn)
        self._urls = f"{base}/signaling"
        self.stream.failover(base, now)
        self.act(now)
        self.announce(now, dead_first=fault.dead_first)

    # -- out -------------------------------------------------------------------------------

    def _pass(self, actions: Iterable[Action], now: int) -> None:
        """Without faults media goes straight out; of the rest the meddler keeps track."""
        send = self._listener.send
        for action in actions:
            if type(action) is Send and action.kind in MEDIA:
                send(action.connection, action.payload)
                self._tally.sent += 1
            else:
                self._do(self._meddler.meddle((action,), now))

    def _do(self, actions: Iterable[Out], *, vital: bool = False) -> None:
        listener = self._listener
        for action in actions:
            match action:
                case Send():
                    listener.send(action.connection, action.payload)
                    self._tally.sent += 1
                case Piece():
                    listener.piece(
                        action.connection, action.payload, first=action.first, last=action.last
                    )
                    self._tally.sent += action.last
                case Close():
                    listener.close(action.connection, action.code)
                case Abort():
                    listener.abort(action.connection)
                case Hook():
                    self._tell(action, vital=vital)
                case _:
                    assert_never(action)

    def _tell(self, hook: Hook, *, vital: bool) -> None:
        what = hook.notify.what
        # Whoever was told in-band may have gone by now; whoever was not is told until it is heard.
        again = what != "stopped" or not self.stream.told_in_band
        if self.stream.stopped is StopReason.EXIT_SIGNAL:
            again = False
        urls = f"{self._addresses.dead_url()},{self._urls}" if hook.dead_first else self._urls
        self.announcer.tell(hook, urls, again=again, vital=vital)

    def describe(self) -> dict[str, Any]:
        """State for people and tests; plain JSON values."""
        ids = {
            "meeting_uuid": self.where.meeting_uuid,
            "rtms_stream_id": self.where.rtms_stream_id,
            "lag_ms": self.lag,
        }
        return {**ids, **self.stream.describe()}
