"""The control address: commands over HTTP, and who may not give them."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pipeline.emulator.emulator import Emulator
from pipeline.emulator.settings import EmulatorSettings
from pipeline.rtms.enums import StopReason
from tests.integration.zoom_client import TURNS, Client, make_tape


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tape(tmp_path_factory.mktemp("plain"), TURNS)


class Control:
    """The control address of a fake Zoom that runs."""

    def __init__(self, zoom: Emulator, session: aiohttp.ClientSession) -> None:
        self.zoom = zoom
        self.session = session
        self.playing: asyncio.Task[StopReason]

    async def get(self, path: str = "", **headers: str) -> tuple[int, Any]:
        async with self.session.get(self.zoom.where.control_url + path, headers=headers) as answer:
            return answer.status, await read(answer)

    async def post(self, path: str, body: object, **more: Any) -> tuple[int, Any]:
        async with self.session.post(
            self.zoom.where.control_url + path, json=body, **more
        ) as answer:
            return answer.status, await read(answer)


async def read(answer: aiohttp.ClientResponse) -> Any:
    if answer.content_type == "application/json":
        return await answer.json()
    return await answer.text()


@contextlib.asynccontextmanager
async def controlled(tape: Path, **settings: Any) -> AsyncIterator[Control]:
    async with (
        Emulator(tape, EmulatorSettings(**settings)) as zoom,
        aiohttp.ClientSession() as session,
    ):
        found = Control(zoom, session)
        found.playing = asyncio.create_task(zoom.run())
        try:
            yield found
        finally:
            found.playing.cancel()
            await asyncio.gather(found.playing, return_exceptions=True)


async def test_faults_by_command(plain: Path) -> None:
    async with controlled(plain) as control:
        client = Client(control.zoom.where)
        await client.join()
        await client.until(client.said, 8, state=1)
        status, added = await control.post("faults", {"fault": "pause", "for": 60})
        assert status == 200
        assert [(f["number"], f["state"]) for f in added] == [(1, "begun")]
        await client.until(client.said, 8, state=5)
        assert (await control.get())[1]["paused"] is True
        later = [{"fault": "stall", "at": 3600, "for": 1}, {"fault": "resume"}]
        status, added = await control.post("faults", later)
        assert status == 200
        await client.until(client.said, 8, state=6)
        status, listed = await control.get("faults")
        assert [(f["number"], f["state"], f["fault"]["fault"]) for f in listed] == [
            (1, "begun", "pause"),
            (2, "waiting", "stall"),
            (3, "begun", "resume"),
        ]


async def test_stop_by_command(plain: Path) -> None:
    async with controlled(plain) as control:
        client = Client(control.zoom.where)
        await client.join()
        await client.until(client.said, 8, state=1)
        assert (await control.post("stop", {"reason": 99})) == (
            400,
            "reason = 99: allowed are 0 to 26\n",
        )
        assert await control.post("stop", {"reason": 8}) == (
            200,
            {"reason": 8, "name": "STREAM_REVOKED"},
        )
        assert await control.playing is StopReason.STREAM_REVOKED
        await client.until(client.said, 8, state=4, reason=8)
        assert (await control.get())[1]["phase"] == "over"
        status, said = await control.post("faults", {"fault": "failover"})
        assert (status, said) == (400, "fault 1: the stream is over\n")


async def test_stop_without_a_reason(plain: Path) -> None:
    async with controlled(plain) as control:
        assert (await control.post("stop", {}))[1]["name"] == "EXIT_SIGNAL"
        assert await control.playing is StopReason.EXIT_SIGNAL


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("faults", {"fault": "x"}, "fault: unknown fault 'x'; allowed: camera,"),
        ("faults", [{"fault": "stall"}], "fault 1 (stall): 'for' is missing"),
        ("faults", 3, "fault: not an object like"),
        ("faults", {"fault": "stall", "for": 1, "stream": 2}, "there are streams 1 to 1"),
        ("stop", [], 'not an object like {"reason": 6}'),
        ("stop", {"why": 6}, 'not an object like {"reason": 6}'),
        ("stop", {"reason": True}, "reason = True: allowed are 0 to 26"),
    ],
)
async def test_what_is_not_understood(plain: Path, path: str, body: object, said: str) -> None:
    async with controlled(plain) as control:
        status, text = await control.post(path, body)
        assert status == 400
        assert said in text
        assert text.count("\n") == 1


async def test_its_url_with_a_slash_more(plain: Path) -> None:
    """``CONTROL_URL/faults`` with a CONTROL_URL that ends in a slash."""
    async with controlled(plain) as control:
        assert (await control.get("/faults")) == (200, [])
        assert (await control.post("/faults", {"fault": "replay", "keep": False}))[0] == 200
        assert (await control.get("/nothing"))[0] == 404
        assert (await control.post("/stop", {"reason": 6}))[0] == 200
        assert await control.playing == 6


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
async def test_what_is_not_json(plain: Path, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    async with controlled(plain) as control, aiohttp.ClientSession() as session:
        url = control.zoom.where.control_url + "faults"
        async with session.post(url, data=body, headers=headers) as answer:
            assert answer.status == 400
            assert (await answer.text()).startswith("not JSON: ")


async def test_too_long_a_body(plain: Path) -> None:
    async with controlled(plain) as control:
        url = control.zoom.where.control_url + "faults"
        headers = {"Content-Type": "application/json"}
        body = io.BytesIO(b'"' + b"x" * (1 << 20) + b'"')
        async with control.session.post(url, data=body, headers=headers) as answer:
            assert answer.status == 413


@pytest.mark.parametrize("path", ["faults", "stop"])
async def test_a_web_page_cannot_command_it(plain: Path, path: str) -> None:
    """A page may post only forms and plain text without asking; and by a name of its own."""
    async with controlled(plain) as control:
        url = control.zoom.where.control_url + path
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            headers = {"Content-Type": kind}
            async with control.session.post(url, data=b"{}", headers=headers) as answer:
                assert answer.status == 415
        async with control.session.options(url) as answer:
            assert answer.status == 405
            assert "Access-Control-Allow-Origin" not in answer.headers
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example"):
            assert (await control.post(path, {}, headers={"Host": host}))[0] == 403
            assert (await control.get("", Host=host))[0] == 403
        assert control.zoom.state()["phase"] == "announced"
        assert control.zoom.faults() == []


async def test_the_state_of_many_streams(plain: Path) -> None:
    async with controlled(plain, streams=3, speed=50.0) as control:
        client = Client(control.zoom.wheres[1])
        await client.join()
        _, state = await control.get()
        assert [s["phase"] for s in state["streams"]] == ["announced", "live", "announced"]
        assert [s["lag_ms"] for s in state["streams"]] == [0, 6, 13]
        assert state["streams_live"] == 1
        await client.until(client.media, 17)
        _, state = await control.get()
        assert state["sent_messages"] >= state["sent_audio"] > 0
        assert sum(state["late"].values()) > 0
        assert state["lateness_ms"]["worst"] >= 0
        control.zoom.measure()
        assert control.zoom.state()["lateness_ms"] == {"worst": 0.0, "p99": 0.0}
