"""A client of the fake Zoom's core that keeps everything it is told; no sockets, no clock."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from pipeline.base.secret import Secret
from pipeline.emulator.actions import Abort, Close, Notify, Send, Windows
from pipeline.emulator.handshake import Identity
from pipeline.emulator.playback import Playback
from pipeline.emulator.rules import Rules
from pipeline.emulator.stream import Stream
from pipeline.rtms.enums import MediaType
from pipeline.tapes.build import build
from pipeline.tapes.header import TapeHeader
from pipeline.tapes.lines import Line, SocketName, TapeMessage
from pipeline.tapes.opus import CODING
from pipeline.tapes.script import Script
from pipeline.tapes.writer import TapeWriter

START = 1_782_900_000_000

WHO = Identity("MU==", "S1", "cid", Secret("csec"))
EVENTS = [{"event_type": kind, "subscribe": True} for kind in (2, 3, 4)]


def tape(folder: Path, *turns: dict[str, object], name: str = "test") -> Path:
    document = {
        "title": "Test",
        "zone": "UTC",
        "start": "2026-07-01T10:00:00",
        "participants": [
            {"id": "ada", "user_id": 1, "name": "Ada"},
            {"id": "bob", "user_id": 2, "name": "Bob"},
        ],
        "turns": turns,
    }
    script = msgspec.convert(document, Script)
    ramp = np.arange(16_000)
    sound = (np.sin(ramp * 2 * math.pi * 300 / 16_000) * 6000).astype(np.int16)
    voices = {i: sound for i, turn in enumerate(script.turns) if turn.say is not None}
    path = folder / f"{name}.rtms.zst"
    header, lines = build(script, voices)
    with TapeWriter(path, header, level=1) as writer:
        for line in lines:
            writer.write(line)
    return path


def say(who: str, text: str, gap: float | None = None) -> dict[str, object]:
    return {"who": who, "say": text, "gap": gap}


class Client:
    """Talks to a Stream and keeps everything it says, by connection."""

    def __init__(
        self,
        path: Path,
        who: Identity = WHO,
        rules: Rules | None = None,
        *,
        loop: bool = False,
        media_form: Literal["object", "flat"] = "object",
        **windows: int,
    ) -> None:
        self.path = path
        self.who = who
        self.playback = Playback(path, loop=loop, media_form=media_form)
        self.stream = Stream(
            who, self.playback, base="ws://x", windows=Windows(**windows), rules=rules
        )
        self.now = 0
        self.got: dict[int, list[dict[str, Any]]] = {}
        self.ended: dict[int, Close | Abort] = {}
        self.webhooks: list[Notify] = []
        self.answers = True
        self.silent: set[int] = set()  # connections that do not answer keep-alives
        self._numbers = 0

    def take(self) -> None:
        """Read what the stream says; call it after a method of the stream."""
        for action in self.stream.drain():
            match action:
                case Send():
                    assert action.connection not in self.ended
                    message = msgspec.json.decode(action.payload)
                    self.got.setdefault(action.connection, []).append(message)
                    if message["msg_type"] == 12 and self._lives(action.connection):
                        answer = {"msg_type": 13, "timestamp": message["timestamp"]}
                        self.stream.received(
                            action.connection, msgspec.json.encode(answer), self.now
                        )
                case Notify():
                    self.webhooks.append(action)
                case _:
                    self.ended[action.connection] = action

    def _lives(self, number: int) -> bool:
        return self.answers and number not in self.silent

    def connect(self, path: MediaType | None = None) -> int:
        self._numbers += 1
        self.stream.opened(self._numbers, path)
        self.got[self._numbers] = []
        return self._numbers

    def send(self, number: int, message: Any) -> None:
        data = message if isinstance(message, bytes | str) else msgspec.json.encode(message)
        self.stream.received(number, data, self.now)
        self.take()

    def hello(self, kind: int, **more: Any) -> dict[str, Any]:
        return {
            "msg_type": kind,
            "protocol_version": 1,
            "meeting_uuid": self.who.zoom_id,
            "rtms_stream_id": self.who.stream,
            "signature": self.who.signature(),
            **more,
        }

    def signaling(self, **more: Any) -> int:
        number = self.connect()
        self.send(number, self.hello(1, **more))
        return number

    def media(
        self,
        bits: int = 32,
        path: MediaType | None = None,
        video: dict[str, int] | None = None,
        **audio: int,
    ) -> int:
        number = self.connect(MediaType(bits) if path is None else path)
        wanted = {"data_opt": 2, "send_rate": 100, **audio}
        params = {"audio": wanted, "video": video}
        self.send(number, self.hello(3, media_type=bits, media_params=params))
        return number

    def ready(self, signaling: int) -> None:
        self.send(signaling, {"msg_type": 7, "rtms_stream_id": "S1"})
        self.send(signaling, {"msg_type": 5, "events": EVENTS})

    def join(self) -> tuple[int, int]:
        signaling = self.signaling()
        media = self.media()
        self.ready(signaling)
        return signaling, media

    def vanish(self, number: int) -> None:
        self.stream.closed(number, self.now)
        self.take()

    def run(self, seconds: float, step: int = 50) -> None:
        until = self.now + round(seconds * 1000)
        while self.now < until:
            self.now = min(until, self.now + step)
            self.stream.advance(self.now, self.playback.advance(self.now))
            self.take()

    def of(self, number: int, kind: int) -> list[dict[str, Any]]:
        return [m for m in self.got[number] if m["msg_type"] == kind]

    def texts(self, number: int) -> list[str]:
        return [m["content"]["data"] for m in self.of(number, 17)]

    def events(self, number: int, kind: int) -> list[dict[str, Any]]:
        found = [m["event"] for m in self.of(number, 6)]
        return [event for event in found if event["event_type"] == kind]

    def stamps(self, number: int) -> list[int]:
        start = self.playback.header.start_ms
        return [m["content"]["timestamp"] - start for m in self.of(number, 14)]

    def status(self, number: int) -> int:
        code = self.got[number][0]["status_code"]
        assert isinstance(code, int)
        return code

    def states(self, number: int) -> list[tuple[int, int]]:
        """Messages 8 and 9 in order: type and state."""
        return [(m["msg_type"], m["state"]) for m in self.got[number] if m["msg_type"] in (8, 9)]

    def subscribe(self, number: int, *kinds: int) -> None:
        choices = [{"event_type": kind, "subscribe": True} for kind in kinds]
        self.send(number, {"msg_type": 5, "events": choices})


def lines_tape(folder: Path, *lines: Line, name: str = "lines", **header: Any) -> Path:
    """A tape of exactly these lines, in order of time."""
    path = folder / f"{name}.rtms.zst"
    fields: dict[str, Any] = {"id": "MU==", "stream": "S1", "start_ms": START, "audio": (CODING,)}
    with TapeWriter(path, TapeHeader(**(fields | header)), level=1) as writer:
        for line in sorted(lines, key=lambda line: line.t):
            writer.write(line)
    return path


def message(t: int, socket: SocketName, kind: int, **fields: Any) -> TapeMessage:
    """A server's message at a time."""
    raw = msgspec.json.encode({"msg_type": kind, **fields})
    return TapeMessage(t=t, socket=socket, msg=msgspec.Raw(raw))


def event(t: int, kind: int, **fields: Any) -> TapeMessage:
    return message(t, "signaling", 6, event={"event_type": kind, "timestamp": START + t, **fields})


def image(t: int, user: int, text: str = "", kind: int = 15) -> TapeMessage:
    """A frame that says whose it is and when."""
    content = {
        "user_id": user,
        "user_name": f"user {user}",
        "data": text or f"{user}@{t}",
        "length": 3,
        "timestamp": START + t,
    }
    return message(t, "video" if kind == 15 else "deskshare", kind, content=content)


def quiet(until: int) -> TapeMessage:
    """Keeps the tape from ending before."""
    return message(until, "transcript", 17, content={"user_id": 1, "data": "last"})
