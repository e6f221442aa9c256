"""The fake Zoom over real sockets, with a plain websocket client and a plain webhook receiver."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import websockets
import zstandard
from websockets.asyncio.client import connect

from pipeline.base.errors import InUse, TapeError
from pipeline.base.secret import Secret
from pipeline.emulator.emulator import Emulator
from pipeline.emulator.settings import EmulatorSettings
from pipeline.emulator.webhook import WebhookFailed
from pipeline.rtms.enums import StopReason
from pipeline.rtms.signature import (
    Verdict,
)
from tests.integration.zoom_client import TURNS, Client, Receiver, make_tape, receiving, rendered


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tape(tmp_path_factory.mktemp("plain"), TURNS)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


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


async def test_a_stop_does_not_wait_for_webhooks_nobody_takes(
    plain: Path, receiver: Receiver
) -> None:
    receiver.status["meeting.rtms_stopped"] = 503
    settings = {"webhook": receiver.url, "speed": 100.0, "webhook_retries_s": (0.0, 3600.0)}
    async with emulator(plain, **settings) as (zoom, task):
        async with asyncio.timeout(20), receiver.changed:
            await receiver.changed.wait_for(
                lambda: [m["event"] for m in receiver.got].count("meeting.rtms_stopped") >= 2
            )
        zoom.stop()
        assert await asyncio.wait_for(task, 20) is StopReason.MEETING_ENDED


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


def broken(tape: Path, to: Path) -> Path:
    """A tape whose twenty-first line is nonsense, well compressed."""
    text = zstandard.ZstdDecompressor().decompressobj().decompress(tape.read_bytes())
    lines = text.splitlines(keepends=True)
    to.write_bytes(zstandard.compress(b"".join([*lines[:20], b"nonsense\n", *lines[20:]])))
    return to


async def test_a_tape_that_breaks_on_the_way(tmp_path: Path, plain: Path) -> None:
    async with emulator(broken(plain, tmp_path / "broken.rtms.zst")) as (zoom, task):
        client = Client(zoom.where)
        with contextlib.suppress(websockets.ConnectionClosed):
            await client.join()
        with pytest.raises(TapeError, match="line 21"):
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
