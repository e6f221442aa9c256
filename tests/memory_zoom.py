"""A Zoom without sockets or I/O, for the state machine test of the whole client.

It keeps to the reference where losses are concerned: media is produced on the clock whoever is
connected; what is produced while the client is away is kept for it or not (``keep``); a connection
lost is told in-band, by webhook, or not at all.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from pipeline.base.clock import Clock
from pipeline.base.errors import ZoomError
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.transport import ConnectionEnded, Take, Transport

START_MS: Final = 1_790_000_000_000
STREAM: Final = "S1"
ZOOM_ID: Final = "MU=="
EVERY_MS: Final = 200
WORDS_EVERY: Final = 5
BUFFER_MS: Final = 60_000
CLOSE_S: Final = 0.1
"""A close takes its time: until then the server has the connection."""

KINDS: Final = {"audio": 1, "transcript": 8}


Told = Literal["not", "some", "which"]


class Wire:
    """One connection, both ends of it."""

    def __init__(self, zoom: MemoryZoom, path: str) -> None:
        self.path = path
        self.greeted = False
        self.carries: tuple[str, ...] = ()
        self._zoom = zoom
        self._early: deque[bytes] = deque()
        self._take: Take | None = None
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._why: str | None = None

    # -- the server's end --------------------------------------------------------------------

    def push(self, message: dict[str, Any]) -> None:
        frame = msgspec.json.encode(message)
        if self._take is None:
            self._early.append(frame)
        elif not self._over.done() and not self._take(frame):
            self._take = None
            self._over.set_result(None)

    def end(self, why: str) -> None:
        self._why = why
        self._take = None
        if not self._over.done():
            self._over.set_result(None)

    # -- the client's end (Transport) ----------------------------------------------------------

    def send(self, data: bytes) -> None:
        if self._why is not None:
            raise ConnectionEnded(self._why)
        self._zoom.received(self, msgspec.json.decode(data))

    async def receive(self, take: Take) -> None:
        while self._early:
            if not take(self._early.popleft()):
                return
        self._take = take
        if self._why is None:
            await self._over
        if self._why is not None:
            raise ConnectionEnded(self._why)

    async def close(self) -> None:
        self._take = None
        if self._why is None:
            await self._zoom.clock.sleep(CLOSE_S)
        self._zoom.gone(self)


class MemoryZoom:
    """``connect`` is what ``RtmsStream`` dials with; rules of the test do the rest."""

    def __init__(self, clock: Clock, layout: str) -> None:
        self.clock = clock
        self.layout = layout
        self.open: list[Wire] = []  # as far as the client can know
        self.live: dict[str, Wire] = {}  # as far as the server knows
        self.doubles: list[str] = []
        self.ready = False
        self.keep = True
        self.over = False
        self.refuse: deque[int | None] = deque()  # for the next dials: a status, or no connection
        self.produced: dict[str, list[int]] = {"audio": [], "transcript": []}
        self.twice = 0
        self.held_back = 0
        self.stalled = False
        self._held: dict[str, Any] | None = None
        self._kept: dict[str, deque[tuple[int, dict[str, Any]]]] = {k: deque() for k in KINDS}
        self._waiting: deque[tuple[str, int, dict[str, Any]]] = deque()
        self.interrupted: Callable[[], None] = lambda: None

    @property
    def whole(self) -> bool:
        """Every connection the client wants is up."""
        return self.ready and all(self._wire_of(kind) is not None for kind in KINDS)

    async def connect(self, url: str, *, address: str, settings: RtmsSettings) -> Transport:
        path = url.rpartition("/")[2]
        if self.over or (self.refuse and self.refuse[0] is None):
            if self.refuse:
                self.refuse.popleft()
            raise ZoomError("cannot connect", kind="refused", retryable=True)
        if any(wire.path == path for wire in self.open):
            self.doubles.append(path)
        if path == "signaling" and self.open:
            self.doubles.append(f"{self.open[0].path} beside a new signaling")
        wire = Wire(self, path)
        self.open.append(wire)
        return wire

    def received(self, wire: Wire, message: dict[str, Any]) -> None:
        match message["msg_type"]:
            case 1 | 3 as kind:
                self._greet(wire, kind, message)
            case 7:
                self.ready = True
                self._flush()

    def gone(self, wire: Wire) -> None:
        if wire in self.open:
            self.open.remove(wire)
        if self.live.get(wire.path) is wire:
            del self.live[wire.path]
            if wire.path == "signaling":
                self._lose_signaling("closed")

    def _greet(self, wire: Wire, kind: int, message: dict[str, Any]) -> None:
        status = self.refuse.popleft() if self.refuse else 0
        answer: dict[str, Any] = {
            "msg_type": kind + 1,
            "protocol_version": 1,
            "sequence": 0,
            "status_code": status or 0,
            "reason": "because" if status else "",
        }
        if status:
            wire.push(answer)
            wire.end("closed with code 1000")
            return
        wire.greeted = True
        self.live[wire.path] = wire
        if kind == 1:
            self.ready = False
            paths = ["all"] if self.layout == "all" else list(KINDS)
            urls = {key: f"ws://localhost:1/media/{key}" for key in paths}
            answer["media_server"] = {"server_urls": urls}
        else:
            wire.carries = tuple(k for k, bit in KINDS.items() if message["media_type"] & bit)
            answer |= {"payload_encrypted": False, "media_params": message["media_params"]}
        wire.push(answer)
        if kind == 3:
            self._flush()

    # -- media ---------------------------------------------------------------------------------

    async def speak(self) -> None:
        """Produce media for as long as the meeting lasts."""
        count = 0
        while not self.over:
            await self.clock.sleep(EVERY_MS / 1000)
            at = START_MS + count * EVERY_MS
            count += 1
            data = base64.b64encode(b"\0" * 320).decode()
            content = {"user_id": 5, "user_name": "Ada", "timestamp": at, "data": data}
            self._produce("audio", at, {"msg_type": 14, "content": content})
            if count % WORDS_EVERY == 0:
                words = {
                    **{"user_id": 5, "user_name": "Ada", "data": f"words {at}", "language": 9},
                    **{"start_time": at - 900, "end_time": at, "timestamp": at + 100},
                }
                self._produce("transcript", at, {"msg_type": 17, "content": words})

    async def ping(self) -> None:
        """Keep-alives on every connection."""
        sequence = 0
        while True:
            await self.clock.sleep(10.0)
            sequence += 1
            for wire in list(self.live.values()):
                wire.push({"msg_type": 12, "sequence": sequence, "timestamp": self._now()})

    def _produce(self, kind: str, at: int, message: dict[str, Any]) -> None:
        if self.over:
            return
        self.produced[kind].append(at)
        wire = self._wire_of(kind)
        if wire is None or not self.ready:
            self._store(kind, at, message)
        elif self.stalled:
            self._waiting.append((kind, at, message))
        elif kind == "audio":
            self._speak_to(wire, message)
        else:
            wire.push(message)

    def _speak_to(self, wire: Wire, message: dict[str, Any]) -> None:
        if self.held_back:
            self.held_back -= 1
            if self._held is None:
                self._held = message
                return
        wire.push(message)
        if self.twice:
            self.twice -= 1
            wire.push(message)
        if self._held is not None:
            held, self._held = self._held, None
            wire.push(held)

    def release(self) -> None:
        """What was held up goes on its way."""
        self.stalled = False
        self._let_go_of_held()
        while self._waiting:
            kind, at, message = self._waiting.popleft()
            wire = self._wire_of(kind)
            if wire is None or not self.ready:
                self._store(kind, at, message)
            else:
                wire.push(message)

    def _let_go_of_held(self) -> None:
        held, self._held = self._held, None
        self.held_back = 0
        if held is not None:
            wire = self._wire_of("audio")
            if wire is not None and self.ready:
                wire.push(held)
            else:
                self._store("audio", held["content"]["timestamp"], held)

    def _store(self, kind: str, at: int, message: dict[str, Any]) -> None:
        if self.keep:
            kept = self._kept[kind]
            kept.append((at, message))
            now = START_MS + round(self.clock.monotonic() * 1000)
            while kept and kept[0][0] < now - BUFFER_MS:
                kept.popleft()

    def _flush(self) -> None:
        if not self.ready:
            return
        for kind, kept in self._kept.items():
            wire = self._wire_of(kind)
            while wire is not None and kept:
                wire.push(kept.popleft()[1])

    def _wire_of(self, kind: str) -> Wire | None:
        return next((w for w in self.live.values() if kind in w.carries), None)

    # -- losses --------------------------------------------------------------------------------

    def drop(self, path: str, why: str, *, told: Told) -> None:
        """A media connection is lost on the server's side. ``told``: on signaling, which media it
        was or only that it was some (the layout of event 7 is not documented)."""
        self._settle_up()
        wire = self.live.pop(path)
        self._requeue(wire.carries)
        wire.end(why)
        signaling = self.live.get("signaling")
        if told != "not" and signaling is not None:
            event = {"event_type": 7, "timestamp": self._now()}
            if told == "which":
                event["media_type"] = sum(KINDS[kind] for kind in wire.carries)
            signaling.push({"msg_type": 6, "event": event})
            state = {"msg_type": 8, "state": 2, "reason": 14, "timestamp": self._now()}
            signaling.push(state)

    def lose_everything(self, why: str) -> None:
        """Signaling is lost, and with it everything."""
        self._settle_up()
        wire = self.live.pop("signaling", None)
        self._lose_signaling(why)
        if wire is not None:
            wire.end(why)

    def _lose_signaling(self, why: str) -> None:
        self.ready = False
        for path in [path for path in self.live if path != "signaling"]:
            wire = self.live.pop(path)
            self._requeue(wire.carries)
            wire.end(why)

    def _settle_up(self) -> None:
        """Where nothing is kept, what was held up arrives before the loss: else nobody could know
        when it began."""
        if not self.keep:
            stalled = self.stalled
            self.release()
            self.stalled = stalled

    def _requeue(self, kinds: tuple[str, ...]) -> None:
        """What never left is kept like what comes now, or goes with the connection."""
        if self._held is not None and "audio" in kinds:
            held, self._held = self._held, None
            self._store("audio", held["content"]["timestamp"], held)
        rest: deque[tuple[str, int, dict[str, Any]]] = deque()
        for kind, at, message in self._waiting:
            if kind in kinds:
                self._store(kind, at, message)
            else:
                rest.append((kind, at, message))
        self._waiting = rest

    def say(self, message: dict[str, Any]) -> None:
        """On signaling, if somebody is there."""
        wire = self.live.get("signaling")
        if wire is not None:
            wire.push({**message, "timestamp": self._now()})

    def _now(self) -> int:
        return START_MS + round(self.clock.monotonic() * 1000)
