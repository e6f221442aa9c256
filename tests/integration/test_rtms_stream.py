"""The socket shell against a small scripted server, over real sockets.

Zoom's times run 20 times faster (``speed``); nothing here waits by sleeping.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import socket as sockets
import ssl
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from pipeline.base import metrics
from pipeline.base.clock import SystemClock
from pipeline.base.errors import ZoomError
from pipeline.base.secret import Secret
from pipeline.base.url_guard import UrlGuard
from pipeline.rtms import transport
from pipeline.rtms.credentials import Credentials
from pipeline.rtms.enums import MediaType
from pipeline.rtms.link import dial
from pipeline.rtms.outputs import (
    AudioFormat,
    AudioReceived,
    CamerasChanged,
    ChatReceived,
    ConnectionBack,
    ConnectionLost,
    Output,
    PeopleJoined,
    ProtocolFault,
    SessionChanged,
    StreamLive,
    StreamOver,
    StreamPaused,
    StreamResumed,
    TranscriptReceived,
    VideoSubscribed,
)
from pipeline.rtms.products import Announcement
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.signature import handshake_signature
from pipeline.rtms.stream import RtmsStream

T0 = 1_790_000_000_000
CREDENTIALS = Credentials("cid", Secret("csec"))
PEM = Path(__file__).with_name("test_rtms_localhost.pem")
WANTED = MediaType.AUDIO | MediaType.TRANSCRIPT | MediaType.CHAT
PATIENCE_S = 30
"""How long a test waits for what must come."""
KEYS = {"audio": 1, "transcript": 8, "chat": 16}


class FakeZoom:
    """Answers handshakes; the test does the rest. ``refuse`` queues statuses by path;
    ``silent`` paths never answer."""

    def __init__(self, keys: Iterable[str] = ("all", *KEYS), secret: str = "csec") -> None:
        self.keys = tuple(keys)
        self.signature = handshake_signature("cid", "MU==", "S1", Secret(secret))
        self.refuse: dict[str, list[int]] = defaultdict(list)
        self.silent: set[str] = set()
        self.live: dict[str, ServerConnection] = {}
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.opened: list[str] = []
        self.doubles: list[str] = []
        self.scopes = set(KEYS)
        self.data_opt = 2
        self.url = ""
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something the server sees makes ``condition`` true."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def ready(self, acks: int = 1) -> None:
        """Wait for the client's ready ack and the subscription after the first."""
        await self.until(lambda: len(self.of_type(7)) >= acks and len(self.of_type(5)) > 0)

    def of_type(self, number: int) -> list[dict[str, Any]]:
        return [message for _, message in self.got if message.get("msg_type") == number]

    async def send(self, socket: str, message: dict[str, Any] | str | bytes) -> None:
        await self.live[socket].send(json.dumps(message) if isinstance(message, dict) else message)

    async def audio(self, at_ms: int, data: bytes = b"\x01\x00", socket: str = "all") -> None:
        content = {
            "user_id": 5,
            "user_name": "Ada",
            "timestamp": at_ms,
            "length": len(data),
            "data": base64.b64encode(data).decode(),
        }
        await self.send(socket, {"msg_type": 14, "content": content})

    def cut(self, socket: str) -> None:
        """Drop the TCP connection without a close frame."""
        self.live.pop(socket).transport.abort()

    async def handle(self, connection: ServerConnection) -> None:
        path = connection.request.path if connection.request is not None else ""
        socket = path.rpartition("/")[2]
        self.opened.append(socket)
        if socket in self.live:
            self.doubles.append(socket)
        if socket == "signaling" and any(key in self.live for key in self.keys):
            self.doubles.append("media beside a new signaling")
        self.live[socket] = connection
        self._changed.set()
        try:
            async for frame in connection:
                message = json.loads(frame)
                self.got.append((socket, message))
                await self._answer(socket, connection, message)
                self._changed.set()
        except ConnectionClosed:
            pass
        finally:
            if self.live.get(socket) is connection:
                del self.live[socket]
            self._changed.set()

    async def _answer(
        self, socket: str, connection: ServerConnection, message: dict[str, Any]
    ) -> None:
        if socket in self.silent or message["msg_type"] not in (1, 3):
            return
        status = self._status(socket, message)
        answer: dict[str, Any] = {
            "msg_type": message["msg_type"] + 1,
            "protocol_version": 1,
            "sequence": 0,
            "status_code": status,
            "reason": "because" if status else "",
        }
        if status == 0 and message["msg_type"] == 1:
            base = self.url.rpartition("/")[0]
            answer["media_server"] = {"server_urls": {k: f"{base}/media/{k}" for k in self.keys}}
        if message["msg_type"] == 3:
            answer["payload_encrypted"] = False
            answer["media_params"] = message["media_params"]
            if "audio" in answer["media_params"]:
                answer["media_params"]["audio"]["data_opt"] = self.data_opt
        await connection.send(json.dumps(answer))
        if status:
            await connection.close()

    def _status(self, socket: str, message: dict[str, Any]) -> int:
        if self.refuse[socket]:
            return self.refuse[socket].pop(0)
        if message["meeting_uuid"] != "MU==" or message["rtms_stream_id"] != "S1":
            return 2
        if message["signature"] != self.signature:
            return 3
        for place, (name, bit) in enumerate(KEYS.items()):
            if message.get("media_type", 0) & bit and name not in self.scopes:
                return (9, 12, 13)[place]
        return 0


class Heard:
    """A sink that can be waited on."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self._changed = asyncio.Event()

    def put(self, output: Output) -> None:
        self.outputs.append(output)
        self._changed.set()

    def of(self, kind: type[Any]) -> list[Any]:
        return [output for output in self.outputs if isinstance(output, kind)]

    async def until(self, kind: type[Any], count: int = 1) -> Any:
        while len(self.of(kind)) < count:
            self._changed.clear()
            await self._changed.wait()
        return self.of(kind)[count - 1]

    @property
    def over(self) -> StreamOver:
        last = self.outputs[-1]
        assert isinstance(last, StreamOver)
        assert len(self.of(StreamOver)) == 1
        return last


class Client:
    """A stream that runs, and what it told."""

    def __init__(
        self, url: str, *, speed: float = 20.0, media: MediaType = WANTED, **options: Any
    ) -> None:
        resolver = options.pop("resolver", None)
        connect = options.pop("connect", transport.connect)
        taps = {name: options.pop(name) for name in ("tap", "on_lost") if name in options}
        options.setdefault("allow_loopback", True)
        options.setdefault("drain_s", 0.2)
        self.heard = Heard()
        extra = {"resolver": resolver} if resolver else {}
        self.stream = RtmsStream(
            announcement(url),
            self.heard,
            credentials=CREDENTIALS,
            settings=RtmsSettings(**options),
            media=media,
            clock=SystemClock(),
            rng=random.Random(1),
            speed=speed,
            connect=connect,
            **taps,
            **extra,
        )
        self.task = asyncio.create_task(self.stream.run())

    async def ended(self) -> StreamOver:
        async with asyncio.timeout(PATIENCE_S):
            await self.task
        return self.heard.over


def announcement(url: str) -> Announcement:
    return Announcement("meeting", "MU==", "S1", url, T0)


@pytest.fixture(autouse=True)
async def nothing_is_left_behind() -> AsyncIterator[None]:
    """No orphan tasks: what a test started has ended with it."""
    before = asyncio.all_tasks()
    async with asyncio.timeout(20):
        yield
        for task in asyncio.all_tasks() - before:
            if "RtmsStream" in repr(task.get_coro()):
                raise AssertionError(f"left behind: {task}")


async def started(zoom: FakeZoom, **options: Any) -> Server:
    server = await serve(zoom.handle, "127.0.0.1", 0, ping_interval=None, **options)
    port = server.sockets[0].getsockname()[1]
    scheme = "wss" if "ssl" in options else "ws"
    zoom.url = f"{scheme}://localhost:{port}/signaling"
    return server


@pytest.fixture
async def zoom() -> AsyncIterator[FakeZoom]:
    fake = FakeZoom()
    server = await started(fake)
    yield fake
    server.close()
    await server.wait_closed()


async def end(zoom: FakeZoom, client: Client, reason: int = 6) -> StreamOver:
    await zoom.send("signaling", {"msg_type": 8, "state": 4, "reason": reason, "timestamp": T0})
    return await client.ended()


# -- the usual way --------------------------------------------------------------------------


async def test_a_meeting_from_handshake_to_end(zoom: FakeZoom) -> None:
    client = Client(zoom.url)
    heard = client.heard
    await zoom.until(lambda: len(zoom.of_type(5)) == 1)
    assert [message["msg_type"] for _, message in zoom.got] == [1, 3, 7, 5]
    (hello,), (media,) = zoom.of_type(1), zoom.of_type(3)
    assert (hello["protocol_version"], hello["meeting_uuid"]) == (1, "MU==")
    assert media["media_type"] == 25
    assert media["media_params"]["audio"] == {
        "content_type": 2,
        "sample_rate": 1,
        "channel": 1,
        "codec": 1,
        "data_opt": 2,
        "send_rate": 100,
    }
    assert zoom.of_type(7) == [{"msg_type": 7, "rtms_stream_id": "S1"}]
    asked = [event["event_type"] for event in zoom.of_type(5)[0]["events"]]
    assert asked == [2, 3, 4, 10, 11, 12, 13, 14]

    person = {"user_id": 5, "user_name": "Ada"}
    event = {"event_type": 3, "timestamp": T0, "participants": [person]}
    await zoom.send("signaling", {"msg_type": 6, "event": event})
    await heard.until(PeopleJoined)
    await zoom.audio(T0 + 100, b"\x01\x00" * 1600)
    words = {**person, "start_time": T0, "end_time": T0 + 900, "timestamp": T0, "data": "hi"}
    await zoom.send("all", {"msg_type": 17, "content": words})
    await zoom.send("all", {"msg_type": 18, "content": {**person, "timestamp": T0, "data": "yo"}})
    await heard.until(ChatReceived)
    for socket in ("signaling", "all"):
        await zoom.send(socket, {"msg_type": 12, "sequence": 7, "timestamp": T0 + 5})
    await zoom.until(lambda: len(zoom.of_type(13)) == 2)
    assert zoom.of_type(13) == [{"msg_type": 13, "sequence": 7, "timestamp": T0 + 5}] * 2

    over = await end(zoom, client)
    assert heard.outputs == [
        AudioFormat("L16", 16_000, 1, True, 100),
        StreamLive(True),
        PeopleJoined((("5", "Ada"),), T0),
        AudioReceived(5, "Ada", T0 + 100, b"\x01\x00" * 1600),
        TranscriptReceived(5, "Ada", T0, T0 + 900, T0, "hi", None, "new"),
        ChatReceived(None, 5, "Ada", T0, "yo", "new"),
        over,
    ]
    assert over == StreamOver(6, "Zoom ended the stream: 6 MEETING_ENDED", False)
    assert zoom.doubles == []


async def test_one_socket_for_each_type(zoom: FakeZoom) -> None:
    client = Client(zoom.url, layout="split")
    await zoom.ready()
    assert sorted(zoom.opened) == ["audio", "chat", "signaling", "transcript"]
    requests = {socket: message for socket, message in zoom.got if message["msg_type"] == 3}
    assert {socket: message["media_type"] for socket, message in requests.items()} == KEYS
    assert list(requests["chat"]["media_params"]) == ["chat"]
    await zoom.audio(T0, socket="audio")
    await client.heard.until(AudioReceived)
    await end(zoom, client)


async def test_media_still_under_way_at_the_end_arrives(zoom: FakeZoom) -> None:
    client = Client(zoom.url)
    await client.heard.until(StreamLive)
    await zoom.send("signaling", {"msg_type": 8, "state": 4, "reason": 6, "timestamp": T0})
    for n in range(200):
        await zoom.audio(T0 + n * 100)
    await zoom.live["all"].close()
    over = await client.ended()
    assert len(client.heard.of(AudioReceived)) == 200
    assert over.reason == 6


async def test_wss_is_verified_and_works_with_a_named_authority() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    zoom = FakeZoom()
    server = await started(zoom, ssl=context)
    client = Client(zoom.url, ca_file=str(PEM))
    await zoom.ready()
    await end(zoom, client)
    stranger = await Client(zoom.url).ended()
    assert not stranger.retryable
    assert "certificate not accepted" in stranger.detail
    server.close()
    await server.wait_closed()


async def test_the_environments_proxies_are_not_used(
    zoom: FakeZoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    client = Client(zoom.url)
    await zoom.ready()
    await end(zoom, client)


# -- refusals -------------------------------------------------------------------------------


async def test_wrong_credentials_end_it_with_what_to_check() -> None:
    zoom = FakeZoom(secret="another")
    server = await started(zoom)
    before = metrics.CONNECTION_ERRORS.labels("status_3")._value.get()
    over = await Client(zoom.url).ended()
    assert (over.reason, over.retryable) == (None, False)
    assert "3 INVALID_SIGNATURE" in over.detail
    assert "ZOOM_CLIENT_SECRET" in over.detail
    assert metrics.CONNECTION_ERRORS.labels("status_3")._value.get() == before + 1
    server.close()
    await server.wait_closed()


async def test_a_stored_stream_is_taken_up_once_zoom_lets_go_of_the_old_connection(
    zoom: FakeZoom,
) -> None:
    """After a kill -9 the old TCP connection may linger at Zoom's side: status 8 for a while."""
    zoom.refuse["signaling"] = [8, 8, 8]
    client = Client(zoom.url)
    await zoom.ready()
    assert zoom.opened.count("signaling") == 4
    await end(zoom, client)


async def test_a_stored_stream_that_zoom_forgot_is_over(zoom: FakeZoom) -> None:
    zoom.refuse["signaling"] = [8, 2]
    over = await Client(zoom.url).ended()
    assert not over.retryable
    assert "stream is over" in over.detail


@pytest.mark.parametrize("layout", ["all", "split"])
async def test_a_missing_scope_costs_only_that_media(zoom: FakeZoom, layout: str) -> None:
    zoom.scopes = {"audio", "transcript"}
    client = Client(zoom.url, layout=layout)
    await client.heard.until(StreamLive)
    assert "going on without chat" in (await client.heard.until(ProtocolFault)).detail
    masks = [message["media_type"] for message in zoom.of_type(3)]
    assert masks == [25, 9] if layout == "all" else sorted(masks) == [1, 8, 16]
    await end(zoom, client)


async def test_a_silent_fall_back_to_mixed_audio_is_told(zoom: FakeZoom) -> None:
    zoom.data_opt = 1
    client = Client(zoom.url)
    told = await client.heard.until(AudioFormat)
    assert not told.multi_stream
    assert client.heard.of(ProtocolFault)[0].reason == "mixed_audio"
    await client.heard.until(StreamLive)
    await end(zoom, client)


# -- addresses ------------------------------------------------------------------------------


async def test_a_dead_first_url_is_followed_by_the_next(zoom: FakeZoom) -> None:
    client = Client(f"ws://localhost:1/dead,{zoom.url}")
    await zoom.ready()
    await end(zoom, client)


async def test_a_url_whose_addresses_are_all_dead_does_not_use_up_the_window() -> None:
    tried: list[tuple[str, str]] = []

    async def connect(url: str, *, address: str, settings: RtmsSettings) -> transport.Transport:
        tried.append((url, address))
        raise ZoomError("no answer to the connection", kind="timeout", retryable=True)

    def resolver(host: str, port: int) -> list[str]:
        return ["127.0.0.1", "127.0.0.2", "127.0.0.3"]

    urls = ("ws://localhost:1/a", "ws://localhost:2/b")
    with pytest.raises(ZoomError, match="no answer"):
        await dial(
            urls,
            guard=UrlGuard(allow_loopback=True),
            resolver=resolver,
            connect=connect,
            settings=RtmsSettings(),
        )
    assert [address for _, address in tried] == [f"127.0.0.{n}" for n in (1, 1, 2, 3, 2, 3)]
    assert [url for url, _ in tried[:2]] == list(urls)


async def test_forbidden_addresses_are_never_connected_to(zoom: FakeZoom) -> None:
    connected: list[str] = []

    async def connect(url: str, *, address: str, settings: RtmsSettings) -> transport.Transport:
        connected.append(url)
        raise AssertionError("must not be called")

    for url, options in (
        (zoom.url, {"allow_loopback": False}),
        ("wss://zoom.us.evil.example/s", {}),
        ("ws://a.zoom.us/s", {}),
        ("wss://a.zoom.us:8443/s", {}),
        ("wss://user:pw@a.zoom.us/s", {}),
        ("wss://a.zoom.us/s", {"resolver": lambda host, port: ["10.0.0.1"]}),
        ("wss://a.zoom.us/s", {"resolver": lambda host, port: ["8.8.8.8", "127.0.0.1"]}),
    ):
        over = await Client(url, connect=connect, **options).ended()
        assert not over.retryable
    assert connected == []


async def test_media_urls_are_checked_too(zoom: FakeZoom) -> None:
    zoom.url = zoom.url.replace("/signaling", "/x/signaling")
    client = Client(zoom.url)
    zoom.url = "wss://evil.example/signaling"
    over = await client.ended()
    assert not over.retryable
    assert "not under zoom.us" in over.detail


async def test_the_connection_goes_to_the_address_that_was_checked(zoom: FakeZoom) -> None:
    addresses: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def connect(url: str, *, address: str, settings: RtmsSettings) -> transport.Transport:
        addresses.append(address)
        return await transport.connect(url, address=address, settings=settings)

    client = Client(zoom.url, resolver=resolver, connect=connect)
    await zoom.ready()
    assert addresses == ["127.0.0.1", "127.0.0.1"]
    await end(zoom, client)


async def test_a_name_is_not_looked_up_again_when_connecting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that meanwhile resolves to something else (DNS rebinding) leads nowhere new."""
    asked: list[str | None] = []
    looked_up: list[object] = []
    real = sockets.getaddrinfo

    def spy(host: Any, *args: Any, **kwargs: Any) -> Any:
        looked_up.append(host)
        return real(host, *args, **kwargs)

    async def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        asked.append(connection.request.headers.get("Host"))
        await connection.wait_closed()

    async with asyncio.timeout(PATIENCE_S), serve(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setattr(sockets, "getaddrinfo", spy)
        made = await transport.connect(
            f"ws://a.zoom.us:{port}/signaling", address="127.0.0.1", settings=RtmsSettings()
        )
        await made.close()
    assert asked == [f"a.zoom.us:{port}"]
    assert "a.zoom.us" not in [h.decode() if isinstance(h, bytes) else h for h in looked_up]


async def test_a_resolver_that_hangs_holds_up_nobody(zoom: FakeZoom) -> None:
    """Not the next URL, not the threads that others use, not the end of the process."""
    hangs = threading.Event()

    def resolver(host: str, port: int) -> list[str]:
        if host != "localhost":
            hangs.wait()
        return ["127.0.0.1"]

    wire = await dial(
        ("wss://rtms.zoom.us/", zoom.url),
        guard=UrlGuard(allow_loopback=True),
        resolver=resolver,
        connect=transport.connect,
        settings=RtmsSettings(connect_timeout_s=0.2),
    )
    await wire.close()
    with pytest.raises(ZoomError, match="not found within") as caught:
        await dial(
            ("wss://rtms.zoom.us/",),
            guard=UrlGuard(),
            resolver=resolver,
            connect=transport.connect,
            settings=RtmsSettings(connect_timeout_s=0.2),
        )
    assert caught.value.retryable
    hangs.set()


async def test_redirects_are_not_followed(zoom: FakeZoom) -> None:
    asked: list[str] = []

    def redirect(connection: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        answer = connection.respond(302, "elsewhere")
        answer.headers["Location"] = zoom.url
        return answer

    server = await serve(zoom.handle, "127.0.0.1", 0, process_request=redirect)
    port = server.sockets[0].getsockname()[1]
    over = await Client(f"ws://localhost:{port}/s", signaling_window_s=2).ended()
    assert over.retryable
    assert set(asked) == {"/s"}
    assert zoom.opened == []
    server.close()
    await server.wait_closed()


# -- losses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [True, False], ids=["close frame", "no close frame"])
async def test_lost_media_comes_back_alone(zoom: FakeZoom, frame: bool) -> None:
    client = Client(zoom.url)
    await client.heard.until(StreamLive)
    await zoom.ready()
    if frame:
        await zoom.live["all"].close(1001)
    else:
        zoom.cut("all")
    lost = await client.heard.until(ConnectionLost)
    assert (lost.media, lost.cause) == ("all", "media_lost")
    assert lost.detail == ("closed with code 1001" if frame else "dropped without a close frame")
    await client.heard.until(ConnectionBack)
    await zoom.ready(2)
    assert zoom.opened == ["signaling", "all", "all"]
    await zoom.audio(T0 + 5)
    await client.heard.until(AudioReceived)
    await end(zoom, client)
    assert zoom.doubles == []
    assert len(client.heard.of(AudioFormat)) == 1, "told once, as nothing changed"


@pytest.mark.parametrize("frame", [True, False], ids=["close frame", "no close frame"])
async def test_lost_signaling_rebuilds_both(zoom: FakeZoom, frame: bool) -> None:
    before = metrics.RECONNECTS.labels("signaling")._value.get()
    client = Client(zoom.url)
    await client.heard.until(StreamLive)
    await zoom.ready()
    if frame:
        await zoom.live["signaling"].close(1000)
    else:
        zoom.cut("signaling")
    await zoom.audio(T0 + 1)
    await client.heard.until(AudioReceived)
    lost = await client.heard.until(ConnectionLost)
    assert (lost.media, lost.cause) == ("all", "signaling_lost")
    assert await client.heard.until(StreamLive, 2) == StreamLive(first=False)
    assert zoom.opened == ["signaling", "all", "signaling", "all"]
    await zoom.until(lambda: len(zoom.of_type(5)) == 2)
    await end(zoom, client)
    assert zoom.doubles == []
    assert metrics.RECONNECTS.labels("signaling")._value.get() == before + 1


async def test_an_event_that_media_is_lost_rebuilds_it(zoom: FakeZoom) -> None:
    client = Client(zoom.url, layout="split")
    await client.heard.until(StreamLive)
    event = {"event_type": 7, "timestamp": T0, "media_type": 1}
    await zoom.send("signaling", {"msg_type": 6, "event": event})
    await zoom.send("signaling", {"msg_type": 8, "state": 2, "reason": 14, "timestamp": T0})
    assert (await client.heard.until(ConnectionLost)).media == "audio"
    await client.heard.until(ConnectionBack)
    assert zoom.opened.count("audio") == 2
    assert zoom.opened.count("transcript") == 1
    await end(zoom, client)
    assert zoom.doubles == []


async def test_an_interruption_webhook_rebuilds_both(zoom: FakeZoom) -> None:
    client = Client(zoom.url, speed=1000)
    await client.heard.until(StreamLive)
    told = 0
    while not client.heard.of(ConnectionLost):  # at first it is about a connection before ours
        client.stream.interrupted()
        await zoom.audio(T0)
        told += 1
        if not client.heard.of(ConnectionLost):
            await client.heard.until(AudioReceived, told)
    await client.heard.until(StreamLive, 2)
    await end(zoom, client)
    assert zoom.doubles == []


async def test_letting_go_does_not_wait_for_what_is_still_being_sent(zoom: FakeZoom) -> None:
    client = Client(zoom.url, close_timeout_s=15)
    await client.heard.until(StreamLive)
    frame = json.dumps({"msg_type": 99})
    for _ in range(2_000):
        await zoom.send("all", frame)
    await client.stream.close()
    await client.task
    await zoom.until(lambda: not zoom.live)


async def test_not_back_in_time_is_the_end_with_advice(zoom: FakeZoom) -> None:
    client = Client(zoom.url, signaling_window_s=6)
    await client.heard.until(StreamLive)
    zoom.refuse["signaling"] = [45] * 100
    zoom.cut("signaling")
    over = await client.ended()
    assert over.retryable
    assert "start RTMS again" in over.detail
    assert "45 INTERNAL_EXCEPTION" in over.detail
    assert zoom.opened.count("signaling") > 1


async def test_a_server_that_is_gone_is_given_up(zoom: FakeZoom) -> None:
    before = metrics.CONNECTION_ERRORS.labels("refused")._value.get()
    over = await Client("ws://localhost:1/s", signaling_window_s=4).ended()
    assert over.retryable
    assert "cannot connect" in over.detail
    assert metrics.CONNECTION_ERRORS.labels("refused")._value.get() > before


async def test_silence_is_noticed(zoom: FakeZoom) -> None:
    client = Client(zoom.url, keepalive_timeout_s=0.3, speed=1)
    await client.heard.until(StreamLive, 2)
    assert zoom.opened[:3] == ["signaling", "all", "signaling"]
    [lost] = client.heard.of(ConnectionLost)
    assert 150 <= lost.silent_ms < 3_000, "the hole began when it was heard last"
    await end(zoom, client)
    assert zoom.doubles == []


async def test_a_socket_that_was_heard_until_now_was_not_silent(zoom: FakeZoom) -> None:
    client = Client(zoom.url)
    await client.heard.until(StreamLive)
    zoom.cut("all")
    assert (await client.heard.until(ConnectionLost)).silent_ms == 0
    await end(zoom, client)


async def test_a_handshake_without_an_answer_is_tried_again(zoom: FakeZoom) -> None:
    zoom.silent = {"signaling"}
    client = Client(zoom.url, handshake_timeout_s=0.1)
    await zoom.until(lambda: zoom.opened.count("signaling") == 2)
    zoom.silent = set()
    await zoom.ready()
    await end(zoom, client)
    assert zoom.doubles == []


async def test_a_message_over_the_limit_costs_the_connection_not_the_stream(
    zoom: FakeZoom,
) -> None:
    client = Client(zoom.url, max_message_bytes=64 * 1024)
    await client.heard.until(StreamLive)
    await zoom.audio(T0, b"\x00" * 80_000)
    await client.heard.until(ConnectionBack)
    await zoom.audio(T0 + 1)
    assert (await client.heard.until(AudioReceived)).timestamp_ms == T0 + 1
    await end(zoom, client)


async def test_failover_moves_to_the_new_server_at_once(zoom: FakeZoom) -> None:
    other = FakeZoom()
    server = await started(other)
    client = Client(zoom.url, close_timeout_s=0.1)
    await client.heard.until(StreamLive)
    client.stream.replaced(announcement(other.url))
    await client.heard.until(StreamLive, 2)
    assert zoom.live == {}
    assert other.opened == ["signaling", "all"]
    await end(other, client)
    server.close()
    await server.wait_closed()


# -- ends -----------------------------------------------------------------------------------


async def test_a_stopped_webhook_ends_it(zoom: FakeZoom) -> None:
    client = Client(zoom.url)
    await client.heard.until(StreamLive)
    client.stream.stopped(13)
    over = await client.ended()
    assert (over.reason, over.retryable) == (13, True)
    assert "start RTMS again" in over.detail


async def test_a_stop_before_the_start_and_two_stops(zoom: FakeZoom) -> None:
    client = Client(zoom.url)
    client.stream.stopped(6)
    client.stream.stopped(7)
    assert (await client.ended()).reason == 6


async def test_close_says_nothing_and_leaves_the_stream_to_zoom(zoom: FakeZoom) -> None:
    client = Client(zoom.url)
    await client.heard.until(StreamLive)
    await client.stream.close()
    await client.task
    assert client.heard.of(StreamOver) == []
    await zoom.until(lambda: not zoom.live)
    again = Client(zoom.url)
    await again.heard.until(StreamLive)
    await end(zoom, again)


async def test_close_while_waiting_to_reconnect() -> None:
    client = Client("ws://localhost:1/s", speed=0.01)
    await asyncio.sleep(0)
    await client.stream.close()
    await client.task
    assert client.heard.outputs == []


async def test_cancelling_run_closes_its_sockets(zoom: FakeZoom) -> None:
    client = Client(zoom.url)
    await client.heard.until(StreamLive)
    client.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.task
    await zoom.until(lambda: not zoom.live)


# -- bad input ------------------------------------------------------------------------------


async def test_garbage_is_counted_and_the_stream_goes_on(zoom: FakeZoom) -> None:
    client = Client(zoom.url)
    await client.heard.until(StreamLive)
    counted = metrics.PROTOCOL_ERRORS
    reasons = ("bad_json", "not_an_object", "no_type", "unknown_type", "bad_base64", "bad_field")
    before = {reason: counted.labels("all", reason)._value.get() for reason in reasons}
    for frame in (
        "{not json",
        b"\x00\xff\x00",
        "[]",
        "{}",
        '{"msg_type":4711}',
        '{"msg_type":14,"content":{"data":"AAA","user_id":5,"timestamp":1}}',
        '{"msg_type":14,"content":5}',
    ):
        await zoom.send("all", frame)
        await zoom.send("signaling", frame)
    good = {"msg_type": 14, "content": {"data": "AQA=", "user_id": "5", "timestamp": T0 // 1000}}
    await zoom.send("all", json.dumps(good).encode())
    assert await client.heard.until(AudioReceived) == AudioReceived(5, None, T0, b"\x01\x00")
    for reason in reasons:
        expected = 2 if reason == "bad_json" else 1
        assert counted.labels("all", reason)._value.get() - before[reason] == expected
    assert {fault.reason for fault in client.heard.of(ProtocolFault)} >= set(reasons)
    await end(zoom, client)


async def test_a_bug_in_the_sink_is_not_swallowed(zoom: FakeZoom) -> None:
    client = Client(zoom.url)
    await client.heard.until(StreamLive)

    def broken(output: Output) -> None:
        raise RuntimeError("sink")

    client.heard.put = broken  # type: ignore[method-assign]
    await zoom.audio(T0)
    with pytest.raises(ExceptionGroup) as caught:
        await client.task
    assert caught.group_contains(RuntimeError, match="sink")
    await zoom.until(lambda: not zoom.live)


# -- what a client may ask while it runs ------------------------------------------------------


async def answered(zoom: FakeZoom, message: dict[str, Any]) -> None:
    await zoom.send("signaling", {"reason": "", "timestamp": T0, **message})


async def test_individual_video_follows_the_speaker_and_comes_back_with_the_camera(
    zoom: FakeZoom,
) -> None:
    zoom.keys = ("all",)
    client = Client(zoom.url, media=MediaType.VIDEO | MediaType.CHAT, video="individual")
    await zoom.ready()
    assert zoom.of_type(3)[0]["media_params"]["video"]["data_opt"] == 4

    async def event(number: int, **fields: Any) -> None:
        body = {"event_type": number, "timestamp": T0, **fields}
        await zoom.send("signaling", {"msg_type": 6, "event": body})

    def asked() -> list[tuple[int, bool]]:
        return [(m["user_id"], m["subscribe"]) for m in zoom.of_type(28)]

    await event(2, user_id=5, user_name="Ada")
    await zoom.until(lambda: asked() == [(5, True)])
    await answered(zoom, {"msg_type": 29, "user_id": 5, "status_code": 44})
    await event(9, participants=[{"user_id": 5}])
    await event(8, participants=[{"user_id": 5}])
    await zoom.until(lambda: asked() == [(5, True)] * 2)
    await client.heard.until(CamerasChanged, 2)
    assert [v.status for v in client.heard.of(VideoSubscribed)] == [44]

    zoom.cut("signaling")
    await zoom.until(lambda: asked() == [(5, True)] * 3)
    client.stream.subscribe_video(9)
    await zoom.until(lambda: asked()[3:] == [(9, True)])
    client.stream.subscribe_video(9, False)
    await zoom.until(lambda: asked()[4:] == [(9, False)])
    await end(zoom, client)


async def test_states_are_asked_after_a_reconnection(zoom: FakeZoom) -> None:
    """A pause that was told while we were away is known afterwards."""
    client = Client(zoom.url)
    await client.heard.until(StreamLive)
    session = {"msg_type": 9, "rtms_session_id": "X1", "state": 2, "timestamp": T0}
    await zoom.send("signaling", session)
    await client.heard.until(SessionChanged)
    assert zoom.of_type(19) == zoom.of_type(10) == []
    zoom.cut("signaling")
    await zoom.until(lambda: len(zoom.of_type(10)) == 1)
    assert zoom.of_type(19) == [{"msg_type": 19, "rtms_stream_id": "S1"}]
    assert zoom.of_type(10) == [{"msg_type": 10, "rtms_session_id": "X1"}]
    await answered(zoom, {"msg_type": 20, "rtms_stream_id": "S1", "state": 5, "status_code": 0})
    await client.heard.until(StreamPaused)
    client.stream.ask_states()
    await zoom.until(lambda: len(zoom.of_type(19)) == 2)
    await answered(zoom, {"msg_type": 20, "rtms_stream_id": "S1", "state": 6, "status_code": 0})
    await client.heard.until(StreamResumed)
    await end(zoom, client)


async def test_the_stream_is_ended_gracefully(zoom: FakeZoom) -> None:
    client = Client(zoom.url)
    await client.heard.until(StreamLive)
    ending = asyncio.create_task(client.stream.end(20))
    await zoom.until(lambda: len(zoom.of_type(21)) == 1)
    assert zoom.of_type(21) == [{"msg_type": 21, "rtms_stream_id": "S1"}]
    await answered(zoom, {"msg_type": 22, "rtms_stream_id": "S1", "status_code": 0})
    await zoom.audio(T0 + 1)
    await zoom.send("signaling", {"msg_type": 8, "state": 4, "reason": 20, "timestamp": T0})
    await ending
    over = await client.ended()
    assert (over.reason, over.retryable) == (20, False)
    assert len(client.heard.of(AudioReceived)) == 1


@pytest.mark.parametrize("status", [None, 4])
async def test_a_server_that_does_not_end_it_is_left(zoom: FakeZoom, status: int | None) -> None:
    client = Client(zoom.url)
    await client.heard.until(StreamLive)
    ending = asyncio.create_task(client.stream.end(0.2 if status is None else 20))
    await zoom.until(lambda: len(zoom.of_type(21)) == 1)
    if status is not None:
        await answered(zoom, {"msg_type": 22, "rtms_stream_id": "S1", "status_code": status})
    await ending
    over = await client.ended()
    assert over.reason == 20
    assert ("did not answer" if status is None else "INVALID_PAYLOAD") in over.detail
    await zoom.until(lambda: not zoom.live)


async def test_an_interruption_webhook_of_the_past_costs_no_connection(zoom: FakeZoom) -> None:
    """Delivered minutes late: Zoom's own keep-alives tell what is past (speed 1 here)."""
    client = Client(zoom.url, speed=1.0)
    await client.heard.until(StreamLive)
    now_ms = T0 + 600_000
    ping = {"msg_type": 12, "sequence": 1, "timestamp": now_ms}
    await zoom.send("signaling", ping)
    await zoom.until(lambda: len(zoom.of_type(13)) == 1)
    client.stream.interrupted(now_ms - 300_000)
    assert "signaling" in zoom.live
    assert client.heard.of(ConnectionLost) == []
    client.stream.interrupted(now_ms + 11_000)
    assert client.heard.of(ConnectionLost) != [], "one of now is acted on, young or not"
    await client.stream.close()
    await client.task


async def test_the_tap_is_told_every_frame_both_ways(zoom: FakeZoom) -> None:
    frames: list[tuple[str, str, bytes]] = []
    lost: list[tuple[str, str]] = []
    client = Client(
        zoom.url,
        tap=lambda socket, sender, frame: frames.append((socket, sender, frame)),
        on_lost=lambda socket, how: lost.append((socket, how)),
    )
    await client.heard.until(StreamLive)
    await zoom.audio(T0, b"\x01\x00\x02\x00")
    await zoom.send("all", {"msg_type": 12, "sequence": 7, "timestamp": T0})
    await zoom.until(lambda: len(zoom.of_type(13)) == 1)
    zoom.cut("all")
    await client.heard.until(ConnectionBack)
    await zoom.live["all"].close()
    await client.heard.until(ConnectionBack, 2)
    await end(zoom, client)
    told = [(socket, sender, json.loads(frame)["msg_type"]) for socket, sender, frame in frames]
    assert told[:6] == [
        ("signaling", "client", 1),
        ("signaling", "server", 2),
        ("all", "client", 3),
        ("all", "server", 4),
        ("signaling", "client", 7),
        ("signaling", "client", 5),
    ]
    assert told[6:9] == [("all", "server", 14), ("all", "server", 12), ("all", "client", 13)]
    assert told[-1] == ("signaling", "server", 8)
    assert lost == [("all", "abrupt"), ("all", "frame")]


# -- the socket ------------------------------------------------------------------------------


async def test_fragments_pings_and_binary_frames(zoom: FakeZoom) -> None:
    client = Client(zoom.url)
    await client.heard.until(StreamLive)
    content = {"user_id": 5, "timestamp": T0, "data": "AQA="}
    text = json.dumps({"msg_type": 14, "content": content})

    async def pieces() -> AsyncIterator[str]:
        for at in range(0, len(text), 10):
            yield text[at : at + 10]

    await zoom.live["all"].send(pieces())
    await (await zoom.live["all"].ping())
    await zoom.send("all", text.encode())
    await client.heard.until(AudioReceived, 2)
    await end(zoom, client)


async def test_a_peer_that_takes_nothing_is_let_go(
    zoom: FakeZoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What we send is bounded too: answers to pings that nobody reads do not pile up."""
    monkeypatch.setattr(transport, "WRITE_LIMIT", 20_000)
    client = Client(zoom.url)
    await client.heard.until(StreamLive)
    reading = zoom.live["all"].transport
    reading.pause_reading()
    ping = json.dumps({"msg_type": 12, "sequence": 1, "timestamp": "x" * 60_000})
    for _ in range(400):
        try:
            await zoom.send("all", ping)
        except (ConnectionClosed, KeyError):
            break
    lost = await client.heard.until(ConnectionLost)
    assert "does not take" in lost.detail
    await client.heard.until(ConnectionBack)
    await end(zoom, client)


async def test_answers_to_websocket_pings_do_not_pile_up_either(
    zoom: FakeZoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "WRITE_LIMIT", 20_000)
    client = Client(zoom.url)
    await client.heard.until(StreamLive)
    connection = zoom.live["all"]
    connection.transport.pause_reading()
    pings = (b"\x89\x7d" + bytes(125)) * 5_000
    for _ in range(200):
        if connection.transport.is_closing():
            break
        connection.transport.write(pings)
        with suppress(ConnectionError):
            await connection.drain()
    lost = await client.heard.until(ConnectionLost)
    assert "does not take" in lost.detail
    await client.heard.until(ConnectionBack)
    await end(zoom, client)


@pytest.mark.parametrize("secure", [False, True])
def test_it_works_on_uvloop(secure: bool) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def meeting() -> None:
        fake = FakeZoom()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(PEM)
        server = await started(fake, **({"ssl": context} if secure else {}))
        client = Client(fake.url, ca_file=str(PEM) if secure else "")
        await client.heard.until(StreamLive)
        for n in range(300):
            await fake.audio(T0 + n * 20, bytes(640))
        await client.heard.until(AudioReceived, 300)
        fake.cut("all")
        await client.heard.until(ConnectionBack)
        assert (await end(fake, client)).reason == 6
        server.close()
        await server.wait_closed()

    uvloop.run(meeting())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nno", "403"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "200"),
        (b"HTTP/1.1 302 Found\r\nLocation: ws://localhost:1/\r\n\r\n", "302"),
        (b"SSH-2.0-x\r\n\r\n", "HTTP"),
        (b"x" * 40_000, "does not end"),
        (b"", "closed"),
    ],
)
async def test_what_is_no_websocket_server_is_told(answer: bytes, said: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    url = f"ws://localhost:{server.sockets[0].getsockname()[1]}/s"
    with pytest.raises(ZoomError) as caught:
        await transport.connect(url, address="127.0.0.1", settings=RtmsSettings())
    assert caught.value.kind == "upgrade"
    assert caught.value.retryable
    assert said in str(caught.value)
    server.close()


async def test_a_server_that_never_answers_the_upgrade_is_a_time_out() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    url = f"ws://localhost:{server.sockets[0].getsockname()[1]}/s"
    settings = RtmsSettings(connect_timeout_s=0.1)
    with pytest.raises(ZoomError) as caught:
        await transport.connect(url, address="127.0.0.1", settings=settings)
    assert (caught.value.kind, caught.value.retryable) == ("timeout", True)
    server.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_tls_is_refused() -> None:
    assert transport._tls("").minimum_version is ssl.TLSVersion.TLSv1_2
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    fake = FakeZoom()
    server = await started(fake, ssl=context)
    settings = RtmsSettings(ca_file=str(PEM))
    with pytest.raises(ZoomError) as caught:
        await transport.connect(fake.url, address="127.0.0.1", settings=settings)
    assert caught.value.kind in ("tls", "refused"), "openssl may just hang up"
    server.close()
    await server.wait_closed()


class HandWire:
    """A transport whose frames the test hands over."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.taking: asyncio.Future[transport.Take] = asyncio.get_running_loop().create_future()

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    async def receive(self, take: transport.Take) -> None:
        self.taking.set_result(take)
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


async def test_a_connection_that_was_let_go_of_is_not_listened_to() -> None:
    """What arrives on the old connection before its task has noticed must not open media."""
    wires: list[HandWire] = []

    async def connect(url: str, *, address: str, settings: RtmsSettings) -> HandWire:
        wires.append(HandWire())
        return wires[-1]

    client = Client("ws://localhost:1/s", connect=connect)
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_S):
        while not wires:
            await asyncio.to_thread(lambda: None)
        take = await wires[0].taking
        urls = {"server_urls": {"all": "ws://localhost:1/all"}}
        answer = {"msg_type": 2, "status_code": 0, "media_server": urls}
        client.stream.replaced(announcement("ws://localhost:2/s"))
        assert take(json.dumps(answer).encode()) is False
        while len(wires) < 2:
            await asyncio.to_thread(lambda: None)
        await wires[1].taking
    assert [json.loads(wire.sent[0])["msg_type"] for wire in wires] == [1, 1]
    await client.stream.close()
    await client.task
