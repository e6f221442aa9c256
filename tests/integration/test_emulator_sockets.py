"""The fake Zoom over real sockets, with a plain websocket client and a plain webhook receiver."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import math
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import numpy as np
import pytest
import websockets
import zstandard
from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect

from pipeline.base.clock import SystemClock
from pipeline.base.errors import InUse, TapeError
from pipeline.base.secret import Secret
from pipeline.emulator.emulator import Emulator, Where
from pipeline.emulator.playback import Playback
from pipeline.emulator.rendering import AudioFormat
from pipeline.emulator.settings import EmulatorSettings
from pipeline.emulator.webhook import WebhookFailed
from pipeline.rtms.enums import StopReason
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


def make_tape(folder: Path, turns: list[dict[str, object]], name: str = "t") -> Path:
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


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tape(tmp_path_factory.mktemp("plain"), TURNS)


class Client:
    """A client of the old school: handshakes by hand, everything kept."""

    def __init__(self, where: Where, *, secret: str = "csec", context: Any = None) -> None:
        self.where = where
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
        self.frames: set[type] = set()

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
        connection = await connect(url, compression=None, ssl=self.context)
        await connection.send(hello)
        answer = json.loads(await connection.recv())
        return connection, answer

    async def greet(self, **more: Any) -> dict[str, Any]:
        self.signaling, answer = await self.open(self.where.signaling_url, self.hello(1, **more))
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
                message = json.loads(raw)
                if message["msg_type"] == 12:
                    await connection.send(json.dumps({**message, "msg_type": 13}))
                async with self.changed:
                    into.append(message)
                    self.changed.notify_all()
        async with self.changed:
            into.append({"msg_type": "closed", "code": connection.close_code})
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
        self.signaling.transport.abort()

    def texts(self) -> list[str]:
        return [m["content"]["data"] for m in self.media if m["msg_type"] == 17]

    def audio(self) -> list[tuple[int, int, bytes]]:
        found = [m["content"] for m in self.media if m["msg_type"] == 14]
        return [(c["user_id"], c["timestamp"], base64.b64decode(c["data"])) for c in found]


class Receiver:
    """A webhook endpoint that checks signatures and keeps what it got."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.verdicts: list[Verdict] = []
        self.status: dict[str, int] = {}
        self.changed = asyncio.Condition()
        self.url = ""

    async def post(self, request: web.Request) -> web.Response:
        body = await request.read()
        verdict = verify_webhook(
            TOKEN,
            request.headers.get("x-zm-signature"),
            request.headers.get("x-zm-request-timestamp"),
            body,
            SystemClock().now_ms(),
        )
        message = json.loads(body)
        async with self.changed:
            self.verdicts.append(verdict)
            self.got.append(message)
            self.changed.notify_all()
        if verdict is not Verdict.VALID:
            return web.Response(status=401)
        if message["event"] == "endpoint.url_validation":
            plain = message["payload"]["plainToken"]
            return web.json_response(
                {"plainToken": plain, "encryptedToken": challenge_answer(TOKEN, plain)}
            )
        return web.Response(status=self.status.pop(message["event"], 200))

    async def until(self, event: str) -> dict[str, Any]:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: event in [m["event"] for m in self.got])
        return next(m for m in self.got if m["event"] == event)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.router.add_post("/webhook", found.post)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    found.url = f"http://127.0.0.1:{port}/webhook"
    yield found
    await runner.cleanup()


@contextlib.asynccontextmanager
async def emulator(
    tape: Path, **settings: Any
) -> AsyncIterator[tuple[Emulator, asyncio.Task[Any]]]:
    settings = {"speed": 20.0, **settings}
    async with Emulator(tape, EmulatorSettings(**settings)) as zoom:
        task = asyncio.create_task(zoom.run())
        try:
            yield zoom, task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_whole_meeting(plain: Path) -> None:
    async with emulator(plain) as (zoom, task):
        client = Client(zoom.where)
        await client.join()
        assert await asyncio.wait_for(task, 20) is StopReason.MEETING_ENDED
        await client.until(client.said, "closed", code=1000)
        await client.until(client.media, "closed", code=1000)
    assert client.texts() == ["turn 0", "turn 1", "turn 2", "turn 3"]
    assert [m["content"]["data"]["data"] for m in client.media if m["msg_type"] == 18] == ["typed"]
    kinds = [m["event"]["event_type"] for m in client.said if m["msg_type"] == 6]
    assert sorted(set(kinds)) == [1, 2, 3, 4]
    assert [m["state"] for m in client.said if m["msg_type"] == 8] == [1, 4]
    assert client.frames == {str}
    expected = await asyncio.to_thread(rendered, plain)
    assert client.audio() == expected  # sample-exact, in order, nothing missing


def rendered(tape: Path) -> list[tuple[int, int, bytes]]:
    """What the tape's audio decodes to in the format the client asks for."""
    playback = Playback(tape)
    lane = playback.audio(AudioFormat(16_000, 1, 100, mixed=False))
    playback.advance(60_000)
    playback.close()
    found = [msgspec.json.decode(row.payload)["content"] for row in lane.since(0)]
    return [(c["user_id"], c["timestamp"], base64.b64decode(c["data"])) for c in found]


async def test_frames_can_be_binary(plain: Path) -> None:
    async with emulator(plain, frames="binary", speed=100.0) as (zoom, task):
        client = Client(zoom.where)
        await client.join()
        await asyncio.wait_for(task, 20)
        await client.until(client.said, "closed")
    assert client.frames == {bytes}
    assert len(client.texts()) == 4


async def test_a_wrong_secret(plain: Path) -> None:
    async with emulator(plain) as (zoom, _):
        client = Client(zoom.where, secret="other")
        answer = await client.greet()
        assert answer["status_code"] == 3
        await client.until(client.said, "closed", code=1000)
        assert zoom.state()["faults"] == {"refused_3_invalid_signature": 1}


async def test_a_second_connection_is_refused_and_the_first_goes_on(plain: Path) -> None:
    async with emulator(plain) as (zoom, _):
        first, second = Client(zoom.where), Client(zoom.where)
        await first.join()
        assert (await second.greet())["status_code"] == 8
        second.urls = first.urls
        assert (await second.listen())["status_code"] == 16
        assert (await second.listen("audio", 1))["status_code"] == 15
        await first.until(first.media, 17)


async def test_unknown_paths_are_not_found(plain: Path) -> None:
    async with emulator(plain) as (zoom, _):
        url = zoom.where.signaling_url.replace("signaling", "elsewhere")
        with pytest.raises(websockets.InvalidStatus) as caught:
            await connect(url)
        assert caught.value.response.status_code == 404


async def test_both_loopback_addresses(plain: Path) -> None:
    async with emulator(plain) as (zoom, _):
        port = zoom.where.signaling_url.split(":")[2].split("/")[0]
        for host in ("127.0.0.1", "[::1]") if socket.has_ipv6 else ("127.0.0.1",):
            try:
                connection = await connect(f"ws://{host}:{port}/signaling")
            except OSError:
                assert host == "[::1]"  # a machine without IPv6 loopback
            else:
                await connection.close()


async def test_webhooks_from_start_to_end(plain: Path, receiver: Receiver) -> None:
    async with emulator(plain, webhook=receiver.url) as (zoom, task):
        started = await receiver.until("meeting.rtms_started")
        payload = started["payload"]
        assert payload["meeting_uuid"] == zoom.where.meeting_uuid
        assert payload["rtms_stream_id"] == zoom.where.rtms_stream_id
        assert payload["server_urls"] == zoom.where.signaling_url
        assert started["event_ts"] == 1_782_900_000_000
        client = Client(zoom.where)
        await client.join()
        await asyncio.wait_for(task, 20)
        assert zoom.state()["webhooks"] == ["meeting.rtms_started", "meeting.rtms_stopped"]
    assert [m["event"] for m in receiver.got] == [
        "endpoint.url_validation",
        "meeting.rtms_started",
        "meeting.rtms_stopped",
    ]
    assert set(receiver.verdicts) == {Verdict.VALID}
    assert receiver.got[-1]["payload"]["stop_reason"] == 6
    assert receiver.got[-1]["event_ts"] > started["event_ts"] + 10_000


async def zoom_clock(zoom: Emulator, until_ms: int) -> None:
    """Wait for a meeting time."""
    async with asyncio.timeout(20):
        while zoom.state()["meeting_ms"] < until_ms:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0)


async def test_the_burst_after_a_late_join(plain: Path, receiver: Receiver) -> None:
    """The clock starts with the webhook; what was said until the client came is not lost."""
    async with emulator(plain, webhook=receiver.url) as (zoom, task):
        client = Client(zoom.where)
        await receiver.until("meeting.rtms_started")
        await zoom_clock(zoom, 6_000)
        await client.join()
        await asyncio.wait_for(task, 20)
        await client.until(client.media, "closed")
    assert client.audio() == await asyncio.to_thread(rendered, plain)
    assert client.texts() == ["turn 0", "turn 1", "turn 2", "turn 3"]


async def test_a_webhook_nobody_answers(plain: Path, unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}/webhook"
    async with emulator(plain, webhook=url) as (_, task):
        with pytest.raises(WebhookFailed, match="cannot be reached") as caught:
            await asyncio.wait_for(task, 20)
    assert "\n" not in str(caught.value)


async def test_a_webhook_with_another_token(plain: Path, receiver: Receiver) -> None:
    async with emulator(plain, webhook=receiver.url, secret_token=Secret("else")) as (_, task):
        with pytest.raises(WebhookFailed, match=r"answered 401 to .*another secret token\?"):
            await asyncio.wait_for(task, 20)
    assert receiver.verdicts == [Verdict.FORGED]


async def test_a_busy_receiver_is_tried_again(plain: Path, receiver: Receiver) -> None:
    receiver.status["meeting.rtms_started"] = 503
    retries = (0.2, 0.2)
    async with emulator(plain, webhook=receiver.url, webhook_retries_s=retries) as (zoom, _):
        client = Client(zoom.where)
        await receiver.until("meeting.rtms_started")
        async with asyncio.timeout(20), receiver.changed:
            await receiver.changed.wait_for(
                lambda: [m["event"] for m in receiver.got].count("meeting.rtms_started") >= 2
            )
        await client.join()
        await client.until(client.media, 17)


LOSSY: list[dict[str, object]] = [
    {"who": "ada", "say": "before", "gap": 0},
    {"lost": 8, "media": "all"},
    {"who": "bob", "say": "inside", "gap": 1},
    {"who": "ada", "say": "after", "gap": 12},
]


async def test_a_loss_that_is_not_replayed(tmp_path: Path) -> None:
    tape = make_tape(tmp_path, LOSSY)
    async with emulator(tape) as (zoom, task):
        client = Client(zoom.where)
        await client.join()
        closed = await client.until(client.media, "closed")
        assert closed["code"] == 1006  # without a close frame
        await client.until(client.said, 8, state=2, reason=14)
        refused = []
        async with asyncio.timeout(20):
            while len(client.tasks) < 3:
                try:
                    await client.listen()
                except websockets.InvalidStatus as error:
                    refused.append(error.response.status_code)
        assert set(refused) == {503}
        await client.ready()
        await client.until(client.said, 8, state=1)
        await asyncio.wait_for(task, 20)
        await client.until(client.said, "closed")
    assert client.texts() == ["before", "after"]
    start = 1_782_900_000_000
    lost = next(
        m["event"]["timestamp"] for m in client.said if m.get("event", {}).get("event_type") == 7
    )
    stamps = [stamp for _, stamp, _ in client.audio()]
    assert not [s for s in stamps if lost <= s < lost + 8_000]
    assert min(stamps) == start + 2400


async def test_a_killed_client_comes_back(plain: Path, receiver: Receiver) -> None:
    async with emulator(plain, webhook=receiver.url) as (zoom, task):
        first, second = Client(zoom.where), Client(zoom.where)
        await receiver.until("meeting.rtms_started")
        await first.join()
        await first.until(first.media, 17)
        first.vanish()
        await receiver.until("meeting.rtms_interrupted")
        await second.join()
        await asyncio.wait_for(task, 20)
        await second.until(second.media, "closed")
    heard = first.audio() + second.audio()
    whole = await asyncio.to_thread(rendered, plain)
    assert len(heard) == len(set(heard))
    assert set(heard) <= set(whole)
    assert len(whole) - len(heard) <= 3  # what was on its way when it died
    assert first.texts() + second.texts() == ["turn 0", "turn 1", "turn 2", "turn 3"]


async def test_a_client_that_does_not_come_back(plain: Path, receiver: Receiver) -> None:
    async with emulator(plain, webhook=receiver.url, signaling_window_s=2.0) as (zoom, task):
        client = Client(zoom.where)
        await receiver.until("meeting.rtms_started")
        await client.join()
        client.vanish()
        assert await asyncio.wait_for(task, 20) is StopReason.AWAIT_RECONNECTION_TIMEOUT
    assert receiver.got[-1]["event"] == "meeting.rtms_stopped"
    assert receiver.got[-1]["payload"]["stop_reason"] == 19


async def test_tls_with_a_certificate_made_now(plain: Path) -> None:
    async with emulator(plain, tls=True, speed=100.0) as (zoom, task):
        assert zoom.where.signaling_url.startswith("wss://localhost:")
        ca_file = zoom.where.ca_file
        assert ca_file is not None
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(zoom.where.signaling_url)
        client = Client(zoom.where, context=ssl.create_default_context(cafile=ca_file))
        await client.join()
        assert client.urls["audio"].startswith("wss://")
        await asyncio.wait_for(task, 20)
        await client.until(client.media, "closed")
    assert len(client.texts()) == 4
    assert not await asyncio.to_thread(Path(ca_file).exists)


async def test_the_control_address_tells_the_state(plain: Path) -> None:
    async with emulator(plain) as (zoom, _), aiohttp.ClientSession() as session:
        client = Client(zoom.where)
        await client.join()
        async with session.get(zoom.where.control_url) as response:
            state = await response.json()
        assert state["phase"] == "live"
        assert state["speed"] == 20
        assert [c["socket"] for c in state["connections"]] == ["signaling", "all"]
        other = {"Host": "evil.example"}
        async with session.get(zoom.where.control_url, headers=other) as response:
            assert response.status == 403


async def test_a_port_in_use(plain: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InUse, match=f"port {port} is in use"):
            async with Emulator(plain, EmulatorSettings(port=port)):
                pass


def cut_short(tape: Path, to: Path) -> Path:
    """The first twenty lines of a tape, well compressed."""
    text = zstandard.ZstdDecompressor().decompressobj().decompress(tape.read_bytes())
    to.write_bytes(zstandard.compress(b"".join(text.splitlines(keepends=True)[:20])))
    return to


async def test_a_tape_that_breaks_on_the_way(tmp_path: Path, plain: Path) -> None:
    async with emulator(cut_short(plain, tmp_path / "cut.rtms.zst")) as (zoom, task):
        client = Client(zoom.where)
        with contextlib.suppress(websockets.ConnectionClosed):
            await client.join()
        with pytest.raises(TapeError, match="cut off"):
            await asyncio.wait_for(task, 20)


async def test_stop_says_goodbye(plain: Path) -> None:
    async with emulator(plain, speed=1.0) as (zoom, task):
        client = Client(zoom.where)
        await client.join()
        zoom.stop()
        assert await asyncio.wait_for(task, 20) is StopReason.EXIT_SIGNAL
        await client.until(client.said, 8, state=4, reason=17)
        await client.until(client.said, "closed", code=1000)


async def test_stop_before_anybody_came(plain: Path) -> None:
    async with emulator(plain) as (zoom, task):
        zoom.stop()
        assert await asyncio.wait_for(task, 20) is StopReason.EXIT_SIGNAL


async def test_a_loop_goes_round(plain: Path) -> None:
    async with emulator(plain, loop=True, speed=100.0) as (zoom, task):
        client = Client(zoom.where)
        await client.join()
        async with asyncio.timeout(20), client.changed:
            await client.changed.wait_for(lambda: len(client.texts()) >= 9)
        assert client.texts()[:8] == ["turn 0", "turn 1", "turn 2", "turn 3"] * 2
        starts = [m["content"]["start_time"] for m in client.media if m["msg_type"] == 17]
        assert starts == sorted(starts)
        zoom.stop()
        await asyncio.wait_for(task, 20)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", "{", "[]", "null", "1" * 10_000])
async def test_nonsense_is_refused_and_others_unaffected(plain: Path, data: bytes | str) -> None:
    async with emulator(plain) as (zoom, _):
        good = Client(zoom.where)
        await good.join()
        bad = await connect(zoom.where.signaling_url)
        await bad.send(data)
        assert json.loads(await bad.recv())["status_code"] == 1
        await bad.wait_closed()
        await good.until(good.media, 17)
