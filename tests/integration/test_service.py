"""One process, several meetings and several kinds of trouble."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yarl

from pipeline.base import metrics
from pipeline.base.clock import SystemClock
from pipeline.base.errors import InUse
from pipeline.base.secret import Secret
from pipeline.config import Settings, load
from pipeline.emulator.emulator import Emulator
from pipeline.emulator.settings import EmulatorSettings
from pipeline.model.events import Event, GapFound, StageChanged, StreamEnded
from pipeline.rtms.enums import StopReason
from pipeline.rtms.signature import webhook_signature
from pipeline.service import Service
from pipeline.tapes.bundled import BUNDLED

SPEED = 40.0


def settings(home: Path, **flags: Any) -> Settings:
    return load(
        environ={"RTMS_NOTES_CONFIG": str(_empty(home))},
        flags={
            "general.home": str(home),
            "general.port": 0,
            "general.webhook_port": 0,
            "general.zone": "Europe/London",
            "general.restart_grace_s": 0,
            "rtms.allow_loopback": True,
            "zoom.client_id": "cid",
            "zoom.client_secret": Secret("csec"),
            "zoom.secret_token": Secret("tok"),
            **flags,
        },
    ).settings


def _empty(home: Path) -> Path:
    file = home.with_suffix(".toml")
    file.touch()
    return file


@asynccontextmanager
async def fake_zoom(service: Service, uuid: str, secret: str = "csec") -> AsyncIterator[Emulator]:
    chosen = EmulatorSettings(
        client_id="cid",
        client_secret=Secret(secret),
        secret_token=Secret("tok"),
        meeting_uuid=uuid,
        stream_id=f"stream-of-{uuid.encode().hex()}",
        webhook=service.webhook_url,
        speed=SPEED,
    )
    async with Emulator(BUNDLED, chosen) as zoom:
        yield zoom


async def until(service: Service, meeting: str, kind: str) -> list[Event]:
    found: list[Event] = []
    async with asyncio.timeout(60):
        async for event in service.reader.follow(meeting, 0):
            found.append(event)
            if event.kind == kind:
                return found
    raise AssertionError("the log ended")


async def test_wrong_credentials_of_one_meeting_do_not_touch_another(tmp_path: Path) -> None:
    async with Service.open(settings(tmp_path / "home"), speed=SPEED) as service:
        async with fake_zoom(service, "/bad==", secret="other") as bad:
            refused = asyncio.create_task(bad.run())
            first = await service.began("/bad==")
            async with fake_zoom(service, "/good==") as good:
                playing = asyncio.create_task(good.run())
                events = await until(service, first, "meeting_finished")
                [ended] = [e.body for e in events if isinstance(e.body, StreamEnded)]
                assert "INVALID_SIGNATURE" in ended.detail
                assert "ZOOM_CLIENT_SECRET" in ended.detail
                other = await service.began("/good==")
                await until(service, other, "meeting_finished")
                await playing
            refused.cancel()
        state = service.reader.state(other)
        assert len(state.transcript()) == 34
        assert service.health()["status"] == "ok"
        assert [g.cause for g in state.missing()] == ["media_lost"]


async def test_bad_webhooks_are_counted_and_change_nothing(tmp_path: Path) -> None:
    body = (
        b'{"event":"meeting.rtms_started","event_ts":1,"payload":{"meeting_uuid":"M",'
        b'"rtms_stream_id":"S","server_urls":"wss://evil.example/x"}}'
    )
    now = str(SystemClock().now_ms() // 1000)
    good = webhook_signature(Secret("tok"), now, body)
    old = str(int(now) - 301)
    async with (
        Service.open(settings(tmp_path / "home")) as service,
        aiohttp.ClientSession() as session,
    ):

        async def post(data: bytes, timestamp: str, signature: str) -> int:
            headers = {"x-zm-signature": signature, "x-zm-request-timestamp": timestamp}
            async with session.post(service.webhook_url, data=data, headers=headers) as answer:
                assert len((await answer.text()).splitlines()) <= 1
                return answer.status

        assert await post(body[:-1] + b" ", now, good) == 401
        assert await post(body, old, webhook_signature(Secret("tok"), old, body)) == 401
        assert await post(b"{", now, webhook_signature(Secret("tok"), now, b"{")) == 400
        assert service.reader.meetings() == []
        async with session.get(service.page_url + "metrics") as answer:
            text = await answer.text()
        assert 'rtms_webhooks_total{outcome="bad_signature"}' in text
        assert 'rtms_webhooks_total{outcome="stale"}' in text
        # A signed one that points elsewhere is a meeting that says why it has nothing.
        assert await post(body, now, good) == 200
        meeting = await service.began("M")
        events = await until(service, meeting, "stream_ended")
        assert "evil.example" in events[-1].body.detail  # type: ignore[union-attr]
        assert "rtms.allowed_domains" in events[-1].body.detail  # type: ignore[union-attr]


async def test_silent_strangers_do_not_keep_zoom_out(tmp_path: Path) -> None:
    before = metrics.WEBHOOKS.labels("bad_http")._value.get()
    async with (
        asyncio.timeout(60),
        Service.open(settings(tmp_path / "home")) as service,
        aiohttp.ClientSession() as session,
    ):
        where = yarl.URL(service.webhook_url)
        silent = [await asyncio.open_connection(where.host, where.port) for _ in range(220)]
        async with session.post(service.webhook_url, data=b"{}") as answer:
            assert answer.status == 401
        closed = 0
        for reader, _ in silent[:21]:  # the oldest had to go
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
            closed += 1
        assert closed == 21
        reader, writer = silent[-1]
        writer.write(b"not http\r\n\r\n")
        assert b" 400 " in await reader.readline()
        for _, writer in silent:
            writer.close()
    assert metrics.WEBHOOKS.labels("bad_http")._value.get() == before + 1


async def test_the_webhook_listener_serves_nothing_else(tmp_path: Path) -> None:
    async with (
        Service.open(settings(tmp_path / "home")) as service,
        aiohttp.ClientSession() as session,
    ):
        root = service.webhook_url.removesuffix("webhook")
        for path in ("", "api/meetings", "metrics", "health"):
            async with session.get(root + path) as answer:
                assert answer.status == 404
        async with session.get(service.page_url, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 421


async def test_a_port_in_use_is_one_line_and_a_second_writer_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        chosen = settings(tmp_path / "home", **{"general.port": port})
        with pytest.raises(InUse, match=f"port {port} .*--port"):
            async with Service.open(chosen):
                raise AssertionError("it must not open")
    async with Service.open(settings(tmp_path / "home")):
        with pytest.raises(InUse, match="writes here"):
            async with Service.open(settings(tmp_path / "home")):
                raise AssertionError("it must not open")


async def test_closing_in_the_middle_leaves_a_live_meeting(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with (
        Service.open(settings(home), speed=SPEED) as service,
        fake_zoom(service, "M") as zoom,
    ):
        playing = asyncio.create_task(zoom.run())
        meeting = await service.began("M")
        await until(service, meeting, "utterance_said")
        playing.cancel()
    async with Service.open(settings(home), speed=SPEED) as service:
        assert service.live(meeting) is not None
        # Nobody answers any more: the stream is over when Zoom's window has passed.
        events = await until(service, meeting, "meeting_finished")
    assert "meeting_ended" in [e.kind for e in events]


async def announce(session: aiohttp.ClientSession, service: Service, uuid: str, n: int) -> None:
    """Tell of a stream at an address where nobody listens."""
    now_ms = int(time.time() * 1000)
    payload = {
        "meeting_uuid": uuid,
        "rtms_stream_id": f"{uuid}-{n}",
        "operator_id": "o",
        "server_urls": "ws://127.0.0.1:9/",
    }
    told = {"event": "meeting.rtms_started", "event_ts": now_ms, "payload": payload}
    body, at = json.dumps(told).encode(), str(now_ms // 1000)
    headers = {
        "x-zm-request-timestamp": at,
        "x-zm-signature": webhook_signature(Secret("tok"), at, body),
    }
    async with session.post(service.webhook_url, data=body, headers=headers) as answer:
        assert answer.status == 200


async def test_what_was_announced_just_before_a_shutdown_is_in_the_log(tmp_path: Path) -> None:
    """Zoom was answered 200 and says it no second time: the next process has to know."""
    home = tmp_path / "home"
    async with aiohttp.ClientSession() as session:
        async with Service.open(settings(home)) as service:
            await announce(session, service, "running", 0)
            running = await service.began("running")
            await asyncio.gather(
                announce(session, service, "running", 1),
                *(announce(session, service, f"new{n}", 0) for n in range(8)),
            )
        async with Service.open(settings(home)) as service:
            assert len(service.reader.meetings()) == 9
            assert set(service.reader.state(running).streams) == {"running-0", "running-1"}
            assert all(service.live(meeting.id) for meeting in service.reader.meetings())


async def test_a_stream_that_zoom_ended_while_the_process_was_down(tmp_path: Path) -> None:
    """It was received until then, and the meeting may still be on: both are said."""
    home = tmp_path / "home"
    async with AsyncExitStack() as zooms:
        async with Service.open(settings(home), speed=SPEED) as service:
            zoom = await zooms.enter_async_context(fake_zoom(service, "M"))
            playing = asyncio.create_task(zoom.run())
            meeting = await service.began("M")
            await until(service, meeting, "utterance_said")
        zoom.stop(StopReason.AWAIT_RECONNECTION_TIMEOUT)
        playing.cancel()
        async with Service.open(settings(home), speed=SPEED) as service:
            events = await until(service, meeting, "meeting_finished")
    gaps = [e.body.gap.cause for e in events if isinstance(e.body, GapFound)]
    assert gaps == ["process_down"], "what was received is no gap"
    [told] = [
        e.body for e in events if isinstance(e.body, StageChanged) and e.body.stage == "stream"
    ]
    assert "status 2" in told.detail
    assert "start RTMS again" in told.detail
