"""The service against the fake Zoom: what happens around a stream, end to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pipeline.account import Account
from pipeline.base.secret import Secret
from pipeline.config import Settings, load
from pipeline.emulator.emulator import Emulator
from pipeline.emulator.settings import EmulatorSettings
from pipeline.model.events import Event, Product, StageChanged, StreamChanged, StreamEnded
from pipeline.rtms.enums import StopReason
from pipeline.rtms.products import Concurrency
from pipeline.service import Service
from pipeline.tapes.bundled import BUNDLED
from pipeline.tapes.reader import TapeReader
from pipeline.tapes.writer import TapeWriter

SPEED = 40.0
SECRET = "csec-c4nary"


def settings(home: Path, **flags: Any) -> Settings:
    empty = home.with_suffix(".toml")
    empty.touch()
    return load(
        environ={"RTMS_NOTES_CONFIG": str(empty)},
        flags={
            "general.home": str(home),
            "general.port": 0,
            "general.webhook_port": 0,
            "general.zone": "Europe/London",
            "rtms.allow_loopback": True,
            "zoom.client_id": "cid",
            "zoom.client_secret": Secret(SECRET),
            "zoom.secret_token": Secret("tok"),
            **flags,
        },
    ).settings


@asynccontextmanager
async def fake_zoom(
    service: Service, stream: str = "S1", **options: Any
) -> AsyncIterator[Emulator]:
    chosen = EmulatorSettings(
        client_id="cid",
        client_secret=Secret(SECRET),
        secret_token=Secret("tok"),
        meeting_uuid="M/1==",
        stream_id=stream,
        webhook=service.webhook_url,
        speed=SPEED,
        **options,
    )
    async with Emulator(BUNDLED, chosen) as zoom:
        yield zoom


async def until(service: Service, meeting: str, kind: str, count: int = 1) -> list[Event]:
    found: list[Event] = []
    async with asyncio.timeout(60):
        async for event in service.reader.follow(meeting, 0):
            found.append(event)
            if sum(event.kind == kind for event in found) == count:
                return found
    raise AssertionError("the log ended")


@pytest.fixture
async def api() -> AsyncIterator[tuple[str, list[str], list[Any]]]:
    """Zoom's API: its address, the calls it got, and what is done at each start call."""
    calls: list[str] = []
    then: list[Any] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        calls.append(f"{request.method} {request.path} {await request.text()}")
        if request.path == "/oauth/token":
            return web.json_response({"access_token": "t", "expires_in": 3600})
        action = then.pop(0)
        return web.json_response({"code": 3000}, status=400) if action is None else action()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app, host="localhost") as server:
        yield str(server.make_url("")).rstrip("/"), calls, then


async def test_a_stream_that_breaks_off_is_started_again_by_rest(
    tmp_path: Path, api: tuple[str, list[str], list[Any]]
) -> None:
    url, calls, then = api
    chosen = settings(
        tmp_path / "home",
        **{
            "zoom_api.account_id": "acc",
            "zoom_api.client_id": "api-id",
            "zoom_api.client_secret": Secret("api-secret"),
            "zoom_api.api_url": url,
            "zoom_api.token_url": url + "/oauth/token",
        },
    )
    async with Service.open(chosen, speed=SPEED) as service, fake_zoom(service) as first:
        playing = asyncio.create_task(first.run())
        meeting = await service.began("M/1==")
        await until(service, meeting, "utterance_said")
        started = asyncio.Event()

        def start() -> web.Response:
            started.set()
            return web.Response(status=204)

        then += [None, start]
        first.stop(StopReason.SIGNAL_CONNECTION_CLOSED_ABNORMALLY)
        await playing
        async with asyncio.timeout(60):
            await started.wait()
        async with fake_zoom(service, "S2") as second:
            await asyncio.wait_for(second.run(), 60)
            events = await until(service, meeting, "meeting_finished")
    patch = 'PATCH /live_meetings/81234567890/rtms_app/status {"action":"start","settings":'
    assert [call.startswith(patch) for call in calls] == [False, True, True]
    stages = [e.body for e in events if isinstance(e.body, StageChanged)]
    told = [(s.state, s.count) for s in stages if s.stage == "stream"]
    assert told == [("degraded", 1), ("degraded", 2), ("ok", 0)]
    ends = [e.body.reason for e in events if isinstance(e.body, StreamEnded)]
    assert ends == [15, 6]


async def test_a_refused_restart_is_seen_in_the_meetings_state(
    tmp_path: Path, api: tuple[str, list[str], list[Any]]
) -> None:
    url, calls, then = api
    chosen = settings(
        tmp_path / "home",
        **{
            "general.restart_grace_s": 0,
            "zoom_api.client_id": "api-id",
            "zoom_api.client_secret": Secret("api-secret"),
            "zoom_api.api_url": url,
            "zoom_api.token_url": url + "/oauth/token",
            "zoom_api.tries": 2,
        },
    )
    async with Service.open(chosen, speed=SPEED) as service, fake_zoom(service) as zoom:
        playing = asyncio.create_task(zoom.run())
        meeting = await service.began("M/1==")
        await until(service, meeting, "utterance_said")
        then += [None, None]
        zoom.stop(StopReason.INTERNAL_EXCEPTION)
        await playing
        events = await until(service, meeting, "meeting_finished")
        [stage] = [s for s in service.reader.view(meeting).stages if s.stage == "stream"]
    assert len(calls) == 3
    assert "the meeting is not running" in stage.detail
    assert not stage.retryable
    [ended] = [e.body for e in events if isinstance(e.body, StreamEnded)]
    assert ended.reason == 10


async def test_every_stream_is_recorded_as_a_tape_that_plays(tmp_path: Path) -> None:
    tapes = tmp_path / "tapes"
    chosen = settings(
        tmp_path / "home",
        **{
            "general.tapes": str(tapes),
            "general.restart_grace_s": 0,
            "general.media": ["audio"],
        },
    )
    async with Service.open(chosen, speed=SPEED) as service:
        async with fake_zoom(service) as zoom:
            await zoom.run()
            meeting = await service.began("M/1==")
            await until(service, meeting, "meeting_finished")
        said = [u.text for u in service.reader.state(meeting).transcript()]
    [tape] = tapes.iterdir()
    assert tape.name == f"{meeting}.rtms.zst", "our id; Zoom's text is no part of it"
    assert (tapes.stat().st_mode & 0o777, tape.stat().st_mode & 0o777) == (0o700, 0o600)
    with TapeReader(tape) as reader:
        lines = repr(list(reader))
        assert reader.header.stream == "S1"
    assert SECRET not in lines

    again = settings(tmp_path / "again", **{"general.restart_grace_s": 0})
    async with Service.open(again, speed=SPEED) as service:
        options = EmulatorSettings(
            client_secret=Secret(SECRET), webhook=service.webhook_url, speed=SPEED
        )
        async with Emulator(tape, options) as zoom:
            await zoom.run()
            meeting = await service.began("M/1==")
            await until(service, meeting, "meeting_finished")
        assert [u.text for u in service.reader.state(meeting).transcript()] == said


async def test_at_a_shutdown_zoom_ends_the_stream_if_that_is_wanted(tmp_path: Path) -> None:
    chosen = settings(tmp_path / "home", **{"rtms.on_shutdown": "close"})
    async with asyncio.timeout(60):
        async with Service.open(chosen, speed=SPEED) as service:
            zoom_context = fake_zoom(service)
            zoom = await zoom_context.__aenter__()
            playing = asyncio.create_task(zoom.run())
            meeting = await service.began("M/1==")
            await until(service, meeting, "utterance_said")
        assert await playing is StopReason.RECEIVER_REQUEST_CLOSE
        await zoom_context.__aexit__(None, None, None)
    async with Service.open(chosen, speed=SPEED) as service:
        events = await until(service, meeting, "meeting_finished")
    [ended] = [e.body for e in events if isinstance(e.body, StreamEnded)]
    assert ended.reason == 20


async def test_the_accounts_limit_is_seen_in_health(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: asyncio.Queue[Concurrency] = asyncio.Queue()
    take = Account.take

    def tell(account: Account, notice: Concurrency) -> None:
        take(account, notice)
        told.put_nowait(notice)

    monkeypatch.setattr(Account, "take", tell)
    async with (
        asyncio.timeout(60),
        Service.open(settings(tmp_path / "home"), speed=SPEED) as service,
        fake_zoom(service) as zoom,
        aiohttp.ClientSession() as session,
    ):
        assert service.health()["account"] is None
        playing = asyncio.create_task(zoom.run())
        await service.began("M/1==")
        zoom.fault({"fault": "concurrency", "event": "near_limit", "number": 9})
        assert (await told.get()).zoom_id == "M/1=="
        assert "nears its limit of streams: 9" in service.health()["account"]
        assert not any("streams" in reason for reason in service.health()["reasons"])
        zoom.fault({"fault": "concurrency", "event": "limited", "number": 10})
        await told.get()
        assert "10 streams" in service.health()["account"]
        async with session.get(service.page_url + "health") as answer:
            assert any("which is its limit" in one for one in (await answer.json())["reasons"])
        playing.cancel()


async def test_a_late_interruption_webhook_costs_no_second_reconnect(tmp_path: Path) -> None:
    """Zoom says minutes late that signaling was lost; by then we are long back."""
    async with (
        Service.open(settings(tmp_path / "home"), speed=SPEED) as service,
        fake_zoom(service) as zoom,
    ):
        playing = asyncio.create_task(zoom.run())
        meeting = await service.began("M/1==")
        await until(service, meeting, "utterance_said")
        zoom.fault({"fault": "late_webhook", "event": "interrupted", "late": 60})
        zoom.fault({"fault": "drop", "socket": "signaling"})
        await playing
        events = await until(service, meeting, "meeting_finished")
    states = [e.body.state for e in events if isinstance(e.body, StreamChanged)]
    assert states.count("interrupted") == 1 + 1, "the tape has a loss of its own"


@pytest.fixture
def tape_of(tmp_path: Path) -> Any:
    """The bundled meeting as another product's."""

    def made(product: Product) -> Path:
        path = tmp_path / f"{product}.rtms.zst"
        with TapeReader(BUNDLED) as reader:
            header = msgspec.structs.replace(reader.header, product=product)
            with TapeWriter(path, header) as writer:
                for line in reader:
                    writer.write(line)
        return path

    return made


async def test_a_webinar_is_greeted_and_stopped_by_the_id_its_webhooks_carry(
    tmp_path: Path, tape_of: Any
) -> None:
    async with Service.open(
        settings(tmp_path / "home", **{"general.restart_grace_s": 0}), speed=SPEED
    ) as service:
        options = EmulatorSettings(
            client_secret=Secret(SECRET),
            meeting_uuid="W==",
            id_key="meeting_uuid",
            webhook=service.webhook_url,
            webhook_form="nested",
            speed=SPEED,
        )
        async with Emulator(tape_of("webinar"), options) as zoom:
            await zoom.run()
            meeting = await service.began("W==")
            await until(service, meeting, "meeting_finished")
        state = service.reader.state(meeting)
        [stream] = state.streams.values()
        assert (stream.id_key, stream.reason) == ("meeting_uuid", 6)
        assert len(state.transcript()) == 34


async def test_the_streams_of_one_engagement_are_one_meeting(tmp_path: Path, tape_of: Any) -> None:
    async with Service.open(
        settings(tmp_path / "home", **{"general.restart_grace_s": 0}), speed=SPEED
    ) as service:
        options = EmulatorSettings(
            client_secret=Secret(SECRET),
            meeting_uuid="ENG-1",
            stream_id="S",
            streams=2,
            webhook=service.webhook_url,
            speed=SPEED,
        )
        async with Emulator(tape_of("contact_center"), options) as zoom:
            await zoom.run()
            meeting = await service.began("ENG-1")
            await until(service, meeting, "meeting_finished")
        state = service.reader.state(meeting)
        assert {s.id: s.state for s in state.streams.values()} == {"S": "ended", "S-2": "ended"}
        assert [m.id for m in service.reader.meetings()] == [meeting]
