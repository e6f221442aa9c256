"""Faults between a stream and its sockets: actions in, other actions out, on the tape's clock.

Pure. Without faults everything passes unchanged and the shell need not ask (``idle``).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable
from typing import Final, TypeVar, assert_never

from pipeline.emulator import garble
from pipeline.emulator.actions import Abort, Action, Close, Notify, Send
from pipeline.emulator.faults import (
    ClockJump,
    Corrupt,
    FlatMedia,
    HugeImage,
    LateKeepAlives,
    LoseMedia,
    MessageFault,
    Reorder,
    Repeat,
    Say,
    Stall,
    Trickle,
    Unknown,
    WebhookFault,
)
from pipeline.emulator.frames import MAX_WAITING
from pipeline.emulator.gate import Gate, Piece
from pipeline.emulator.hooks import Hook, Hooks
from pipeline.emulator.schedule import NEVER
from pipeline.rtms.enums import MEDIA_URL_KEY, MediaType

MEDIA: Final = frozenset({"audio", "video", "deskshare", "transcript", "chat"})
"""Kinds of ``Send`` that are media."""

F = TypeVar("F")
Out = Send | Close | Abort | Piece | Hook


def selects(socket: str, path: MediaType | None) -> bool:
    """Whether a fault's ``socket`` word means the connection on this path (None: signaling)."""
    if socket == "all":
        return True
    if path is None or socket == "signaling":
        return path is None and socket == "signaling"
    return socket == "media" or path is MediaType.ALL or socket == MEDIA_URL_KEY[path]


class Meddler:
    """One stream's faults. ``start_ms``: Unix ms of the tape's beginning."""

    def __init__(self, start_ms: int) -> None:
        self._start_ms = start_ms
        self._paths: dict[int, MediaType | None] = {}
        self._told: set[int] = set()  # connections that were answered and not refused
        self._ready = False
        self._running: list[tuple[int, MessageFault]] = []  # with their ends
        self._corrupting: list[tuple[Corrupt, int]] = []  # with how many more
        self._injecting: list[Unknown | Say | HugeImage] = []  # until somebody can be told
        self._held: dict[tuple[int, str], tuple[Send, int]] = {}  # reordered: until so many
        self._late: list[tuple[int, int, Send]] = []
        self._order = itertools.count()
        self._gates: dict[int, Gate] = {}
        self._hooks = Hooks()
        self.idle = True
        """Nothing is to be done to any message now."""
        self.resting = True
        """Idle, and nothing is to be released later."""

    # -- what it must know -----------------------------------------------------------------

    def opened(self, number: int, path: MediaType | None) -> None:
        """A connection was opened."""
        self._paths[number] = path

    def closed(self, number: int) -> None:
        """A connection is gone."""
        self._forget(number)
        self._paths.pop(number, None)

    def begin(self, fault: MessageFault | WebhookFault, now: int) -> list[Out]:
        """A fault begins; what is sent at once because of it."""
        match fault:
            case Corrupt():
                self._corrupting.append((fault, fault.times))
            case Unknown() | Say() | HugeImage():
                self._injecting.append(fault)
            case (
                Stall()
                | Trickle()
                | LateKeepAlives()
                | LoseMedia()
                | ClockJump()
                | FlatMedia()
                | Repeat()
                | Reorder()
            ):
                until = NEVER if fault.length is None else now + round(fault.length * 1000)
                self._running.append((until, fault))
            case _:
                hooks: list[Out] = list(self._hooks.begin(fault, now))
                self._settle(now)
                return hooks
        out = self._inject(now)
        self._settle(now)
        return out

    # -- messages --------------------------------------------------------------------------

    def meddle(self, actions: Iterable[Action], now: int, *, dead_first: bool = False) -> list[Out]:
        """What becomes of a stream's actions now. ``dead_first``: see ``Hook``."""
        out: list[Out] = []
        for action in actions:
            match action:
                case Send():
                    self._told.add(action.connection)
                    self._ready = self._ready or action.kind == "state"
                    out += self._sent(action, now)
                case Close():
                    out += self._flushed(action.connection, now)
                    out += self._through(action, now)
                    self._leave(action.connection)
                    self._drop_late(action.connection)
                case Abort():
                    self._forget(action.connection)
                    out.append(action)
                case Notify():
                    out += self._hooks.passes(action, now, dead_first=dead_first)
                case _:
                    assert_never(action)
        if self._injecting:
            out += self._inject(now)
        self._settle(now)
        return out

    def release(self, now: int) -> list[Out]:
        """What waited and is due."""
        out: list[Out] = list(self._hooks.release(now))
        while self._late and self._late[0][0] <= now:
            _, _, send = heapq.heappop(self._late)
            out += self._through(send, now)
        if self._held and not self._of(Reorder, now):
            for number, _ in list(self._held):
                out += self._flushed(number, now)
        for number in list(self._gates):
            out += self._open(number, now)
        self._settle(now)
        return out

    def finish(self, now: int) -> list[Out]:
        """The stream is over: webhooks that wait for another one are sent."""
        out: list[Out] = list(self._hooks.finish(now))
        self._settle(now)
        return out

    def let_go(self, now: int) -> list[Out]:
        """Everything that waits, at once; no fault runs any more."""
        self._running, self._corrupting, self._injecting = [], [], []
        self._late = [(now, order, send) for _, order, send in self._late]
        out = self.release(now) + list(self._hooks.release(NEVER))
        self._settle(now)
        return out

    @property
    def waiting(self) -> bool:
        """Whether something is still to come, though the stream may be over."""
        return bool(self._gates or self._late or self._hooks.next_at() != NEVER)

    def next_at(self, now: int) -> int:
        """When ``release`` has something to do, or NEVER."""
        times = [self._hooks.next_at()]
        if self._late:
            times.append(self._late[0][0])
        times += [until for until, _ in self._running]
        for number, gate in self._gates.items():
            stalled, rate = self._waits(number, now)
            times.append(gate.next_at(now, stalled_until=stalled, trickles=rate is not None))
        return min(times)

    # -- one message's way -----------------------------------------------------------------

    def _sent(self, send: Send, now: int) -> list[Out]:
        media = send.kind in MEDIA
        if media and self._means(LoseMedia, send.kind, now):
            return []
        jump = sum(round(fault.by * 1000) for fault in self._of(ClockJump, now))
        flat = media and bool(self._of(FlatMedia, now))
        if jump or flat:
            send = self._changed(send, jump, flat=flat)
        rows = self._corrupted(send)
        if media and self._means(Repeat, send.kind, now):
            rows = [row for row in rows for _ in range(2)]
        if media and self._means(Reorder, send.kind, now):
            rows = [ready for row in rows for ready in self._reordered(row, now)]
        late = [fault.late for fault in self._of(LateKeepAlives, now)]
        if late and send.kind == "keep_alive":
            for row in rows:
                due = now + round(max(late) * 1000)
                heapq.heappush(self._late, (due, next(self._order), row))
            return []
        return [out for row in rows for out in self._through(row, now)]

    def _corrupted(self, send: Send) -> list[Send]:
        for place, (fault, left) in enumerate(self._corrupting):
            if fault.kind != send.kind and (fault.kind != "any" or send.kind == "protocol"):
                continue
            if left == 1:
                del self._corrupting[place]
            else:
                self._corrupting[place] = (fault, left - 1)
            broken = _with(send, garble.GARBLE[fault.how](send.payload))
            return [broken, send] if fault.extra else [broken]
        return [send]

    @staticmethod
    def _changed(send: Send, jump: int, *, flat: bool) -> Send:
        payload = garble.shifted(send.payload, jump) if jump else send.payload
        return _with(send, garble.flattened(payload) if flat else payload)

    def _reordered(self, send: Send, now: int) -> list[Send]:
        key = (send.connection, send.kind)
        held = self._held.get(key)
        if held is None:
            by = max(f.by for f in self._of(Reorder, now) if f.media in ("all", send.kind))
            self._held[key] = (send, by)
            return []
        first, left = held
        if left > 1:
            self._held[key] = (first, left - 1)
            return [send]
        del self._held[key]
        return [send, first]

    def _through(self, row: Send | Close, now: int) -> list[Out]:
        """Past the connection's gate."""
        number = row.connection
        if number not in self._gates:
            stalled, rate = self._waits(number, now)
            if not stalled and rate is None:
                return [row]
            self._gates[number] = Gate()
        gate = self._gates[number]
        gate.put(row)
        if gate.waiting > MAX_WAITING:
            self._forget(number)
            return [Abort(number)]
        return self._open(number, now)

    def _open(self, number: int, now: int) -> list[Out]:
        gate = self._gates[number]
        stalled, rate = self._waits(number, now)
        out: list[Out] = list(gate.take(now, stalled=bool(stalled), bytes_per_s=rate))
        if not gate and not stalled and rate is None:
            del self._gates[number]
        return out

    def _waits(self, number: int, now: int) -> tuple[int, int | None]:
        """Until when a connection is stalled (0: it is not), and its bytes a second."""
        path = self._paths.get(number)
        stalled, rate = 0, None
        for until, fault in self._running:
            if now < until and isinstance(fault, Stall | Trickle) and selects(fault.socket, path):
                if isinstance(fault, Stall):
                    stalled = max(stalled, until)
                else:
                    rate = min(fault.bytes_per_s, rate or fault.bytes_per_s)
        return stalled, rate

    # -- messages of its own ---------------------------------------------------------------

    def _inject(self, now: int) -> list[Out]:
        out: list[Out] = []
        waiting = []
        for fault in self._injecting:
            to = self._addressees(fault)
            if not to:
                waiting.append(fault)
                continue
            at_ms = self._start_ms + now
            match fault:
                case Unknown(what="event"):
                    payload, kind = garble.unknown_event(fault.number, at_ms), "event"
                case Unknown():
                    payload, kind = garble.unknown_message(fault.number, at_ms), "protocol"
                case HugeImage():
                    payload, kind = garble.huge_image(fault, at_ms), fault.media
                case Say():
                    payload, kind = garble.said(fault.message), "protocol"
                case _:
                    assert_never(fault)
            for number in to:
                out += self._sent(Send(number, payload, kind), now)
        self._injecting = waiting
        return out

    def _addressees(self, fault: Unknown | Say | HugeImage) -> list[int]:
        socket: str
        if isinstance(fault, HugeImage):
            socket = fault.media
        elif isinstance(fault, Unknown) and fault.what == "event":
            socket = "signaling"
        else:
            socket = fault.socket
        return [
            number
            for number in sorted(self._told)
            if number in self._paths
            and selects(socket, self._paths[number])
            and (self._ready or self._paths[number] is None)
        ]

    # -- housekeeping ----------------------------------------------------------------------

    def _of(self, kind: type[F], now: int) -> list[F]:
        return [f for until, f in self._running if now < until and isinstance(f, kind)]

    def _means(self, kind: type[LoseMedia | Repeat | Reorder], media: str, now: int) -> bool:
        return any(fault.media in ("all", media) for fault in self._of(kind, now))

    def _flushed(self, number: int, now: int) -> list[Out]:
        """What was held back of a connection, before it is closed or when nothing more comes."""
        out: list[Out] = []
        for key in [key for key in self._held if key[0] == number]:
            out += self._through(self._held.pop(key)[0], now)
        return out

    def _forget(self, number: int) -> None:
        self._leave(number)
        self._gates.pop(number, None)
        for key in [key for key in self._held if key[0] == number]:
            del self._held[key]
        self._drop_late(number)

    def _drop_late(self, number: int) -> None:
        """A keep-alive that is late would come after the end."""
        self._late = [row for row in self._late if row[2].connection != number]
        heapq.heapify(self._late)

    def _leave(self, number: int) -> None:
        """Nothing of ours is said on this connection any more."""
        if number in self._told and self._paths.get(number, MediaType.NONE) is None:
            self._ready = False
        self._told.discard(number)

    def _settle(self, now: int) -> None:
        self._running = [(until, fault) for until, fault in self._running if now < until]
        self.idle = not (
            self._running
            or self._corrupting
            or self._injecting
            or self._held
            or self._late
            or self._gates
        )
        self.resting = self.idle and self._hooks.next_at() == NEVER


def _with(send: Send, payload: bytes) -> Send:
    return Send(send.connection, payload, send.kind)
