"""Zoom's REST API over real sockets: tokens, the start call, and everything that may go wrong."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer

from pipeline.base.clock import ManualClock
from pipeline.base.errors import ConfigError
from pipeline.base.secret import Secret
from pipeline.base.url_guard import UrlGuard
from pipeline.rtms.credentials import ApiSettings
from pipeline.rtms.products import Announcement
from pipeline.rtms.rest import RestError, ZoomApi, start_path

SECRET = "s3cret/with:odd+signs"
PEM = Path(__file__).with_name("test_rtms_localhost.pem")


def offer(
    product: Any = "meeting", zoom_id: str = "MU==", number: str | None = "8123"
) -> Announcement:
    return Announcement(product, zoom_id, "S1", "wss://x.zoom.us", 1, number=number)


class FakeApi:
    """Zoom's two hosts in one: answers from queues, else well."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], str]] = []
        self.tokens: list[web.Response] = []
        self.answers: list[web.Response] = []
        self.expires_in: object = 3600
        self.stall = asyncio.Event()
        self.stalling = False
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        self.asked.append((request.method, request.raw_path, dict(request.headers), body))
        if self.stalling:
            await self.stall.wait()
        if request.path == "/oauth/token":
            number = sum(path == "/oauth/token" for _, path, _, _ in self.asked)
            told = {"access_token": f"token-{number}", "expires_in": self.expires_in}
            return self.tokens.pop(0) if self.tokens else web.json_response(told)
        return self.answers.pop(0) if self.answers else web.Response(status=204)

    def paths(self) -> list[str]:
        return [path for _, path, _, _ in self.asked]


@pytest.fixture
async def fake() -> AsyncIterator[FakeApi]:
    fake = FakeApi()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.handle)
    server = TestServer(app, host="localhost")
    await server.start_server()
    fake.url = str(server.make_url("")).rstrip("/")
    yield fake
    fake.stall.set()
    await server.close()


class Asking:
    def __init__(self, fake: FakeApi, **options: Any) -> None:
        options = {
            "account_id": "acc 1",
            "client_id": "api-id",
            "client_secret": Secret(SECRET),
            "api_url": fake.url + "/v2",
            "token_url": fake.url + "/oauth/token",
            **options,
        }
        self.clock = ManualClock()
        self.api = ZoomApi(
            ApiSettings(**options),
            app_client_id="app-id",
            guard=UrlGuard(("zoom.us",), allow_loopback=True),
            clock=self.clock,
        )

    async def __aenter__(self) -> Asking:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.api.close()

    async def refused(self, announcement: Announcement | None = None) -> RestError:
        with pytest.raises(RestError) as caught:
            await self.api.start(announcement or offer())
        assert SECRET not in str(caught.value)
        assert "token-" not in str(caught.value)
        assert "\n" not in str(caught.value)
        return caught.value


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


async def test_a_meeting_is_started_with_the_accounts_token(fake: FakeApi) -> None:
    async with Asking(fake) as asking:
        await asking.api.start(offer())
    (grant, start) = fake.asked
    assert (grant[0], grant[1]) == ("POST", "/oauth/token")
    assert grant[2]["Authorization"] == basic("api-id", SECRET)
    assert grant[2]["Content-Type"] == "application/x-www-form-urlencoded"
    assert grant[3] == "grant_type=account_credentials&account_id=acc%201"
    assert (start[0], start[1]) == ("PATCH", "/v2/live_meetings/8123/rtms_app/status")
    assert start[2]["Authorization"] == "Bearer token-1"
    assert start[3] == '{"action":"start","settings":{"client_id":"app-id"}}'


async def test_a_phone_call_by_its_id_and_a_named_participant(fake: FakeApi) -> None:
    async with Asking(fake, participant_user_id="u1") as asking:
        await asking.api.start(offer("phone", "call/../1?x", None))
    _, path, _, body = fake.asked[-1]
    assert path == "/v2/phone/calls/call%2F..%2F1%3Fx/rtms_app/status"
    assert body == '{"action":"start","settings":{"client_id":"app-id","participant_user_id":"u1"}}'


async def test_without_an_account_the_grant_is_client_credentials(fake: FakeApi) -> None:
    async with Asking(fake, account_id="") as asking:
        await asking.api.start(offer())
    assert fake.asked[0][3] == "grant_type=client_credentials"


async def test_a_token_is_kept_until_shortly_before_it_expires(fake: FakeApi) -> None:
    async with Asking(fake) as asking:
        await asking.api.start(offer())
        await asking.clock.advance(3500)
        await asking.api.start(offer())
        assert fake.paths().count("/oauth/token") == 1
        await asking.clock.advance(60)
        await asking.api.start(offer())
    assert fake.paths().count("/oauth/token") == 2
    assert fake.asked[-1][2]["Authorization"] == "Bearer token-2"


async def test_a_token_that_is_refused_is_renewed_once(fake: FakeApi) -> None:
    expired = web.json_response({"code": 124, "message": "expired"}, status=401)
    fake.answers = [expired]
    async with Asking(fake) as asking:
        await asking.api.start(offer())
        fake.answers = [
            web.json_response({"code": 124, "message": "expired"}, status=401) for _ in range(2)
        ]
        error = await asking.refused()
    assert (error.kind, error.status, error.retryable) == ("unauthorized", 401, False)
    assert "ZOOM_API_CLIENT_SECRET" in str(error)


@pytest.mark.parametrize(
    ("status", "body", "kind", "retryable", "said"),
    [
        (400, {"code": 2308, "message": "Not allowed"}, "rejected", False, "host or alternative"),
        (400, {"code": 2310, "message": "Failed"}, "rejected", False, "Developer Pack"),
        (400, {"code": 3000, "message": "Not\nrunning"}, "rejected", True, "(Not running)"),
        (400, {"code": 4711, "message": "scopes"}, "rejected", False, "lacks the scope"),
        (404, {"code": 3001}, "rejected", False, "no such meeting"),
        (429, {}, "rate_limited", True, "429"),
        (500, "<html>", "server_error", True, "500"),
        (503, {"message": ["x"]}, "server_error", True, "503"),
        (302, {}, "rejected", False, "redirects are not followed"),
        (400, [1, 2], "rejected", False, "400"),
    ],
)
async def test_what_zoom_answers_is_told_in_one_line(
    fake: FakeApi, status: int, body: Any, kind: str, retryable: bool, said: str
) -> None:
    headers = {"Location": fake.url + "/elsewhere"}
    fake.answers = [web.json_response(body, status=status, headers=headers)]
    async with Asking(fake) as asking:
        error = await asking.refused()
    assert (error.kind, error.retryable, error.status) == (kind, retryable, status)
    assert said in str(error)
    assert "/elsewhere" not in fake.paths()


async def test_zoom_says_when_to_come_again(fake: FakeApi) -> None:
    fake.answers = [web.Response(status=429, headers={"Retry-After": "7"})]
    async with Asking(fake) as asking:
        assert (await asking.refused()).retry_after_s == 7.0
        fake.answers = [web.Response(status=429, headers={"Retry-After": "999999"})]
        assert (await asking.refused()).retry_after_s == 120.0
        fake.answers = [web.Response(status=429, headers={"Retry-After": "tomorrow"})]
        assert (await asking.refused()).retry_after_s == 0.0


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (web.json_response({"reason": "Invalid client", "error": "x"}, status=400), "rejected"),
        (web.json_response({}, status=401), "unauthorized"),
    ],
)
async def test_wrong_api_credentials_name_what_to_check(
    fake: FakeApi, answer: web.Response, kind: str
) -> None:
    fake.tokens = [answer]
    async with Asking(fake) as asking:
        error = await asking.refused()
    assert (error.kind, error.retryable) == (kind, False)
    assert "ZOOM_ACCOUNT_ID" in str(error)
    assert fake.paths() == ["/oauth/token"], "and they are not tried twice"


@pytest.mark.parametrize("told", [{}, {"access_token": 5}, {"access_token": "a\r\nX: b"}, [], "x"])
async def test_an_answer_without_a_token(fake: FakeApi, told: Any) -> None:
    fake.tokens = [web.json_response(told)]
    async with Asking(fake) as asking:
        assert (await asking.refused()).kind == "bad_answer"


@pytest.mark.parametrize("lasts", [None, -5, "3600", 10**9])
async def test_a_token_of_unknown_life_is_used(fake: FakeApi, lasts: object) -> None:
    fake.expires_in = lasts
    async with Asking(fake) as asking:
        await asking.api.start(offer())


async def test_a_stalled_server_is_a_time_out(fake: FakeApi) -> None:
    fake.stalling = True
    async with Asking(fake, answer_timeout_s=0.05) as asking:
        error = await asking.refused()
    assert (error.kind, error.retryable) == ("timeout", True)


async def test_nobody_there(fake: FakeApi) -> None:
    async with Asking(fake, token_url="http://localhost:1/oauth/token") as asking:
        error = await asking.refused()
    assert (error.kind, error.retryable) == ("refused", True)
    assert "localhost" in str(error)


async def test_a_huge_answer_is_not_read_to_its_end(fake: FakeApi) -> None:
    fake.answers = [web.Response(status=500, body=b"x" * 5_000_000)]
    async with Asking(fake) as asking:
        assert (await asking.refused()).kind == "server_error"


@pytest.mark.parametrize("field", ["api_url", "token_url"])
@pytest.mark.parametrize(
    "url",
    [
        "http://api.zoom.us/v2",
        "https://zoom.us.evil.example/v2",
        "https://api.zoom.us:8443/v2",
        "https://user:pass@api.zoom.us/v2",
        "https://10.0.0.1/v2",
        "ftp://zoom.us",
        "zoom.us",
    ],
)
async def test_credentials_go_to_zooms_hosts_only(field: str, url: str) -> None:
    settings = ApiSettings(client_id="a", client_secret=Secret("b"), **{field: url})
    with pytest.raises(ConfigError, match=f"zoom_api.{field}"):
        ZoomApi(settings, app_client_id="x", guard=UrlGuard(), clock=ManualClock())
    usual = ApiSettings(client_id="a", client_secret=Secret("b"))
    ZoomApi(usual, app_client_id="x", guard=UrlGuard(), clock=ManualClock())


@pytest.mark.parametrize(
    ("announcement", "why"),
    [
        (offer("webinar"), "no REST call that starts RTMS of a webinar"),
        (offer("session"), "Video SDK"),
        (offer("contact_center"), "no REST call"),
        (offer(number=None), "meeting_id"),
    ],
)
async def test_where_there_is_no_call_nothing_is_asked(
    fake: FakeApi, announcement: Announcement, why: str
) -> None:
    with pytest.raises(RestError, match=why):
        start_path(announcement)
    async with Asking(fake) as asking:
        assert (await asking.refused(announcement)).kind == "no_call"
    assert fake.asked == []


async def test_nothing_secret_is_logged(
    fake: FakeApi, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    structlog.reset_defaults()
    fake.answers = [web.Response(status=401), web.Response(status=204)]
    async with Asking(fake) as asking:
        await asking.api.start(offer())
        assert SECRET not in repr(asking.api._settings)
    logged = caplog.text + "".join(capsys.readouterr())
    assert "zoom_api.started" in logged
    for secret in (SECRET, "token-", basic("api-id", SECRET)):
        assert secret not in logged
