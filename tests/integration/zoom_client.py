"""A plain websocket client, a webhook receiver and small tapes, for tests of the fake Zoom."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import websockets
from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect

from pipeline.base.clock import Clock, SystemClock
from pipeline.base.secret import Secret
from pipeline.emulator.playback import Playback
from pipeline.emulator.rendering import AudioFormat
from pipeline.emulator.where import Where
from pipeline.rtms.signature import (
    Verdict,
    challenge_answer,
    handshake_signature,
    verify_webhook,
)
from pipeline.tapes.build import build
from pipeline.tapes.script import Script
from pipeline.tapes.writer import TapeWriter

TOKEN = Secret("tok")
TURNS: list[dict[str, object]] = [
    {"who": "ada", "say": "turn 0", "gap": 0},
    {"who": "bob", "say": "turn 1", "gap": -0.2},
    {"who": "ada", "chat": "typed"},
    {"who": "ada", "say": "turn 2", "gap": 1},
    {"who": "bob", "say": "turn 3", "gap": 1},
]
PLAIN_S = 12.5  # about how long it is


def make_tape(
    folder: Path, turns: list[dict[str, object]], name: str = "t", product: str = "meeting"
) -> Path:
    document = {
        "title": "Test",
        "product": product,
        "zone": "UTC",
        "start": "2026-07-01T10:00:00",
        "participants": [
            {"id": "ada", "user_id": 1, "name": "Ada"},
            {"id": "bob", "user_id": 2, "name": "Bob"},
        ],
        "turns": turns,
    }
    script = msgspec.convert(document, Script)
    ramp = np.arange(16_000) * 2 * math.pi / 16_000
    voices = {
        index: (np.sin(ramp * (300 + 50 * index)) * 6000).astype(np.int16)
        for index, turn in enumerate(script.turns)
        if turn.say is not None
    }
    path = folder / f"{name}.rtms.zst"
    header, lines = build(script, voices)
    with TapeWriter(path, header, level=1) as writer:
        for line in lines:
            writer.write(line)
    return path


class Client:
    """A client of the old school: handshakes by hand, everything kept."""

    def __init__(
        self,
        where: Where,
        *,
        secret: str = "csec",
        context: Any = None,
        clock: Clock | None = None,
    ) -> None:
        self.where = where
        self.clock = clock or SystemClock()
        self.context = context
        self.signature = handshake_signature(
            where.client_id, where.meeting_uuid, where.rtms_stream_id, Secret(secret)
        )
        self.urls: dict[str, str] = {}
        self.said: list[dict[str, Any]] = []
        self.media: list[dict[str, Any]] = []
        self.changed = asyncio.Condition()
        self.tasks: list[asyncio.Task[None]] = []
        self.signaling: ClientConnection
        self.connections: list[ClientConnection] = []
        self.frames: set[type] = set()
        self.answers = True
        self.url = where.signaling_url
        self.most: int | None = 1 << 20
        """Bytes of a message it takes."""

    def hello(self, kind: int, **more: Any) -> str:
        return json.dumps(
            {
                "msg_type": kind,
                "protocol_version": 1,
                "meeting_uuid": self.where.meeting_uuid,
                "rtms_stream_id": self.where.rtms_stream_id,
                "signature": self.signature,
                **more,
            }
        )

    async def open(self, url: str, hello: str) -> tuple[ClientConnection, dict[str, Any]]:
        connection = await connect(url, compression=None, ssl=self.context, max_size=self.most)
        self.connections.append(connection)
        await connection.send(hello)
        answer = json.loads(await connection.recv())
        return connection, answer

    async def greet(self, **more: Any) -> dict[str, Any]:
        self.signaling, answer = await self.open(self.url, self.hello(1, **more))
        self.urls = answer.get("media_server", {}).get("server_urls", {})
        self.tasks.append(asyncio.create_task(self._read(self.signaling, self.said)))
        return answer

    async def listen(self, key: str = "all", bits: int = 32, **audio: int) -> dict[str, Any]:
        wanted = {"data_opt": 2, "send_rate": 100, **audio}
        hello = self.hello(3, media_type=bits, media_params={"audio": wanted})
        connection, answer = await self.open(self.urls[key], hello)
        if answer["status_code"] == 0:
            self.tasks.append(asyncio.create_task(self._read(connection, self.media)))
        return answer

    async def ready(self) -> None:
        ack = {"msg_type": 7, "rtms_stream_id": self.where.rtms_stream_id}
        events = [{"event_type": kind, "subscribe": True} for kind in (2, 3, 4)]
        await self.signaling.send(json.dumps(ack).encode())  # binary, as Zoom's SDK does
        await self.signaling.send(json.dumps({"msg_type": 5, "events": events}))

    async def join(self, **audio: int) -> None:
        await self.greet()
        await self.listen(**audio)
        await self.ready()

    async def _read(self, connection: ClientConnection, into: list[dict[str, Any]]) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for raw in connection:
                self.frames.add(type(raw))
                message = decoded(raw)
                message["came"] = self.clock.monotonic()
                if message["msg_type"] == 12 and self.answers:
                    await connection.send(json.dumps({**message, "msg_type": 13, "came": None}))
                async with self.changed:
                    into.append(message)
                    self.changed.notify_all()
        async with self.changed:
            closed = {"msg_type": "closed", "code": connection.close_code}
            into.append({**closed, "came": self.clock.monotonic()})
            self.changed.notify_all()

    async def until(self, into: list[dict[str, Any]], kind: Any, **fields: Any) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            for message in into:
                if message["msg_type"] == kind and fields.items() <= message.items():
                    return message
            return None

        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: found() is not None)
        message = found()
        assert message is not None
        return message

    def vanish(self) -> None:
        """As if the process had been killed."""
        for task in self.tasks:
            task.cancel()
        for connection in self.connections:
            connection.transport.abort()

    def texts(self) -> list[str]:
        return [m["content"]["data"] for m in self.media if m["msg_type"] == 17]

    def audio(self) -> list[tuple[int, int, bytes]]:
        found = [m["content"] for m in self.media if m["msg_type"] == 14]
        return [(c["user_id"], c["timestamp"], base64.b64decode(c["data"])) for c in found]


def decoded(raw: str | bytes) -> dict[str, Any]:
    """A message, or what came instead of one."""
    try:
        message = json.loads(raw)
    except ValueError:
        message = None
    return message if isinstance(message, dict) else {"msg_type": "broken", "raw": raw}


class Receiver:
    """A webhook endpoint that checks signatures and keeps what it got."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.got: list[dict[str, Any]] = []
        self.verdicts: list[Verdict] = []
        self.status: dict[str, int] = {}
        """What the next webhook of a name is answered with."""
        self.always: dict[str, int] = {}
        self.changed = asyncio.Condition()
        self.url = ""

    async def post(self, request: web.Request) -> web.Response:
        body = await request.read()
        verdict = verify_webhook(
            TOKEN,
            request.headers.get("x-zm-signature"),
            request.headers.get("x-zm-request-timestamp"),
            body,
            self.clock.now_ms(),
        )
        message = json.loads(body)
        async with self.changed:
            self.verdicts.append(verdict)
            self.got.append({**message, "came": self.clock.monotonic()})
            self.changed.notify_all()
        if verdict is not Verdict.VALID:
            return web.Response(status=401)
        if message["event"] == "endpoint.url_validation":
            plain = message["payload"]["plainToken"]
            return web.json_response(
                {"plainToken": plain, "encryptedToken": challenge_answer(TOKEN, plain)}
            )
        event = message["event"]
        return web.Response(status=self.status.pop(event, self.always.get(event, 200)))

    async def until(self, event: str) -> dict[str, Any]:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: event in [m["event"] for m in self.got])
        return next(m for m in self.got if m["event"] == event)


@contextlib.asynccontextmanager
async def receiving(clock: Clock | None = None) -> AsyncIterator[Receiver]:
    """A webhook endpoint that listens."""
    found = Receiver(clock)
    app = web.Application()
    app.router.add_post("/webhook", found.post)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    found.url = f"http://127.0.0.1:{port}/webhook"
    try:
        yield found
    finally:
        await runner.cleanup()


def rendered(tape: Path) -> list[tuple[int, int, bytes]]:
    """What the tape's audio decodes to in the format the client asks for."""
    playback = Playback(tape)
    lane = playback.audio(AudioFormat(16_000, 1, 100, mixed=False))
    playback.advance(60_000)
    playback.close()
    found = [msgspec.json.decode(row.payload)["content"] for row in lane.since(0)]
    return [(c["user_id"], c["timestamp"], base64.b64decode(c["data"])) for c in found]
