"""The fixture for other people's tests, used as they would: in a project of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.base.errors import InUse, NotFound
from pipeline.emulator.pytest_plugin import FakeZoom
from pipeline.emulator.script import BadFault
from pipeline.emulator.settings import EmulatorSettings
from pipeline.emulator.webhook import WebhookFailed
from pipeline.rtms.enums import StopReason
from tests.integration.zoom_client import Client

PROJECT = """
import asyncio
import json
import sys

LOADED = {"aiohttp", "numpy", "msgspec", "websockets", "av"} & set(sys.modules)

import pytest
from websockets.asyncio.client import connect as aconnect
from websockets.sync.client import connect

from pipeline.base.secret import Secret
from pipeline.emulator.settings import EmulatorSettings
from pipeline.rtms.signature import handshake_signature


def hello(where):
    return json.dumps({
        "msg_type": 1,
        "protocol_version": 1,
        "meeting_uuid": where.meeting_uuid,
        "rtms_stream_id": where.rtms_stream_id,
        "signature": handshake_signature(
            where.client_id, where.meeting_uuid, where.rtms_stream_id, Secret(where.client_secret)
        ),
    })


def test_the_plugin_is_light():
    assert LOADED == set()


def test_sync(fake_zoom):
    zoom = fake_zoom(settings=EmulatorSettings(speed=10), faults=[{"fault": "refuse", "status": 8}])
    for status in (8, 0):
        with connect(zoom.where.signaling_url) as signaling:
            signaling.send(hello(zoom.where))
            assert json.loads(signaling.recv(timeout=10))["status_code"] == status
    zoom.fault({"fault": "stop", "reason": 6})
    assert zoom.wait(10) == 6
    assert zoom.state()["stop_reason"] == 6


@pytest.mark.asyncio
async def test_async_and_two_at_once(fake_zoom):
    zooms = [fake_zoom(), fake_zoom(settings=EmulatorSettings(streams=2))]
    for where in (zooms[0].where, *zooms[1].wheres):
        async with aconnect(where.signaling_url) as signaling:
            await signaling.send(hello(where))
            assert json.loads(await signaling.recv())["status_code"] == 0


def test_left_running(fake_zoom):
    fake_zoom()


def test_a_failure_nobody_was_told_of(fake_zoom):
    zoom = fake_zoom(settings=EmulatorSettings(webhook="http://127.0.0.1:9/webhook"))
    while not zoom.over:
        zoom.state()
"""


def test_in_a_project_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(PROJECT)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "WebhookFailed: webhook http://127.0.0.1:9/webhook: cannot be reached" in done.stdout
    assert "5 passed" in done.stdout
    assert "1 error" in done.stdout


def test_what_is_wrong_is_said_at_once(fake_zoom: FakeZoom, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such tape"):
        fake_zoom(str(tmp_path / "none"))
    with pytest.raises(BadFault, match="unknown fault 'x'"):
        fake_zoom(faults=[{"fault": "x"}])
    port = int(fake_zoom().where.signaling_url.split(":")[2].split("/")[0])
    with pytest.raises(InUse):
        fake_zoom(settings=EmulatorSettings(port=port))


def test_a_failure_is_raised_where_it_is_waited_for(
    fake_zoom: FakeZoom, unused_tcp_port: int
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}/webhook"
    zoom = fake_zoom(settings=EmulatorSettings(webhook=url))
    with pytest.raises(WebhookFailed, match="cannot be reached"):
        zoom.wait(20)


async def test_a_client_on_its_own_loop(fake_zoom: FakeZoom) -> None:
    zoom = fake_zoom(settings=EmulatorSettings(speed=50))
    client = Client(zoom.where)
    await client.join()
    await client.until(client.media, 14)
    with pytest.raises(BadFault, match="unknown fault"):
        zoom.fault({"fault": "x"})
    zoom.fault({"fault": "say", "message": {"msg_type": 99}})
    await client.until(client.said, 99)
    assert [f["state"] for f in zoom.faults()] == ["begun"]
    zoom.stop(7)
    assert await asyncio.to_thread(zoom.wait, 20) is StopReason.STREAM_CANCELED
    await client.until(client.said, "closed")


def test_after_closing(fake_zoom: FakeZoom) -> None:
    zoom = fake_zoom()
    with pytest.raises(TimeoutError, match=r"not over within 0\.01 s"):
        zoom.wait(0.01)
    zoom.close()
    zoom.close()
    with pytest.raises(RuntimeError, match="was closed"):
        zoom.state()
    with pytest.raises(RuntimeError, match="was closed"):
        zoom.wait(1)
