"""What the doctor finds out from other programs: Zoom's API, and a service that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from pipeline.base.secret import Secret
from pipeline.cli.doctor import _api, _service
from pipeline.cli.finding import Finding
from pipeline.config import Settings, load
from pipeline.rtms.products import Concurrency
from pipeline.service import Service


def settings(home: Path, **flags: Any) -> Settings:
    empty = home.with_suffix(".toml")
    empty.touch()
    chosen = {
        "general.home": str(home),
        "general.port": 0,
        "general.webhook_port": 0,
        "rtms.allow_loopback": True,
        "zoom.client_id": "cid",
        "zoom.client_secret": Secret("csec"),
        "zoom.secret_token": Secret("tok"),
        **flags,
    }
    return load(environ={"RTMS_NOTES_CONFIG": str(empty)}, flags=chosen).settings


async def test_the_api_is_asked_for_a_token(tmp_path: Path) -> None:
    answers = [web.json_response({"access_token": "t"}), web.json_response({}, status=401)]

    async def token(request: web.Request) -> web.Response:
        return answers.pop(0)

    app = web.Application()
    app.router.add_post("/oauth/token", token)
    async with TestServer(app, host="localhost") as server:
        api = {
            "zoom_api.client_id": "id",
            "zoom_api.client_secret": Secret("s"),
            "zoom_api.token_url": str(server.make_url("/oauth/token")),
        }
        chosen = settings(tmp_path / "h", **api)
        assert [f.state for f in await _api(chosen)] == ["ok"]
        [found] = await _api(chosen)
        assert found.state == "failed"
        assert "ZOOM_API_CLIENT_SECRET" in found.advice
        elsewhere = settings(tmp_path / "h", **{**api, "zoom_api.api_url": "https://x.example"})
        [found] = await _api(elsewhere)
        assert found.state == "failed"
        assert "zoom_api.api_url" in found.advice
    [found] = await _api(settings(tmp_path / "h"))
    assert found.state == "skipped"


async def test_a_running_service_tells_of_itself_and_of_the_account(tmp_path: Path) -> None:
    async with Service.open(settings(tmp_path / "h")) as service:
        port = int(service.page_url.rsplit(":", 1)[1].rstrip("/"))
        chosen = settings(tmp_path / "h", **{"general.port": port})
        assert [f.state for f in await _service(chosen)] == ["ok"]
        service._account.take(Concurrency(False, 9, None, 1))
        [near] = await _service(chosen)
        assert (near.check, near.state) == ("account", "warning")
        service._account.take(Concurrency(True, 10, None, 1))
        [limited] = await _service(chosen)
        assert limited == Finding(check="service", state="warning", detail=limited.detail)
        assert "10 streams" in limited.detail
    assert await _service(chosen) == [], "nothing runs there: the ports say so"
