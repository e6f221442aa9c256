"""The webhook listener over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from aiohttp.test_utils import TestClient, TestServer

from pipeline.base import metrics
from pipeline.base.clock import ManualClock
from pipeline.base.secret import Secret
from pipeline.rtms import webhook
from pipeline.rtms.products import Announcement, Concurrency
from pipeline.rtms.signature import webhook_signature
from pipeline.rtms.webhook import Interrupted, Notice, Started, Stopped, webhook_app
from pipeline.web.listener import Limits, start_listening

TOKEN = Secret("tok")
NOW_S = 1_790_000_000


class Zoom:
    """Sends webhooks the way Zoom does, and what it never would."""

    def __init__(self, client: Any, notices: list[Notice]) -> None:
        self.client = client
        self.notices = notices

    async def post(
        self,
        body: dict[str, Any] | bytes,
        *,
        at: int = NOW_S,
        signature: str | None = "right",
        token: Secret = TOKEN,
    ) -> tuple[int, str]:
        headers: dict[str, str] = {}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        if signature == "right":
            signature = webhook_signature(token, str(at), raw)
        if signature is not None:
            headers["x-zm-signature"] = signature
            headers["x-zm-request-timestamp"] = str(at)
        async with self.client.post("/webhook", data=raw, headers=headers) as answer:
            text = await answer.text()
            await asyncio.sleep(0)
            return answer.status, text


@pytest.fixture
async def zoom() -> AsyncIterator[Zoom]:
    notices: list[Notice] = []
    app = webhook_app(secret_token=TOKEN, clock=ManualClock(NOW_S * 1000), on_notice=notices.append)
    async with TestClient(TestServer(app)) as client:
        yield Zoom(client, notices)


def started(**changes: Any) -> dict[str, Any]:
    payload = {
        "meeting_uuid": "Zk9/+A==",
        "operator_id": "op",
        "rtms_stream_id": "S1",
        "server_urls": "wss://a.zoom.us/s",
    }
    payload.update({k: v for k, v in changes.items() if k != "event_ts"})
    return {
        "event": "meeting.rtms_started",
        "event_ts": changes.get("event_ts", NOW_S * 1000 + 123),
        "payload": {k: v for k, v in payload.items() if v is not None},
    }


STARTED = Started(
    Announcement(
        "meeting",
        "Zk9/+A==",
        "S1",
        "wss://a.zoom.us/s",
        NOW_S * 1000 + 123,
        id_key="meeting_uuid",
    )
)


def count(outcome: str) -> float:
    return float(metrics.WEBHOOKS.labels(outcome)._value.get())


async def test_a_started_webhook_is_answered_and_then_told(zoom: Zoom) -> None:
    before = count("accepted")
    assert await zoom.post(started()) == (200, "")
    assert zoom.notices == [STARTED]
    assert count("accepted") == before + 1


async def test_nested_payload_and_several_urls(zoom: Zoom) -> None:
    flat = started(server_urls=" srt://x , wss://a.zoom.us/s,wss://b.zoom.us/s", topic="Weekly")
    nested = {**flat, "payload": {"account_id": "a", "object": flat["payload"]}}
    assert await zoom.post(nested) == (200, "")
    (notice,) = zoom.notices
    assert isinstance(notice, Started)
    assert notice.announcement.server_urls == "wss://a.zoom.us/s,wss://b.zoom.us/s"
    assert notice.announcement.title == "Weekly"


@pytest.mark.parametrize(
    ("event", "key", "product"),
    [
        ("meeting.rtms_{}", "meeting_uuid", "meeting"),
        ("webinar.rtms_{}", "webinar_uuid", "webinar"),
        ("webinar.rtms_{}", "meeting_uuid", "webinar"),
        ("session.rtms_{}", "session_id", "session"),
        ("contact_center.voice_rtms_{}", "engagement_id", "contact_center"),
        ("phone.rtms_{}", "call_id", "phone"),
        ("phone.call_rtms_{}", "call_id", "phone"),
    ],
)
async def test_every_product_by_its_names(zoom: Zoom, event: str, key: str, product: Any) -> None:
    ids = {key: "ID", "rtms_stream_id": "S1"}
    for what, extra in (
        ("started", {"server_urls": "wss://a.zoom.us"}),
        ("interrupted", {}),
        ("stopped", {"stop_reason": 6}),
    ):
        body = {"event": event.format(what), "event_ts": NOW_S * 1000, "payload": {**ids, **extra}}
        assert (await zoom.post(body))[0] == 200
    assert zoom.notices == [
        Started(Announcement(product, "ID", "S1", "wss://a.zoom.us", NOW_S * 1000, id_key=key)),
        Interrupted(product, "ID", "S1", NOW_S * 1000),
        Stopped(product, "ID", "S1", 6),
    ]


async def test_the_challenge_is_answered_signed_or_not(zoom: Zoom) -> None:
    body = {"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "abc"}}
    expected = {
        "plainToken": "abc",
        "encryptedToken": "6685cdc20d366e5335b55d65ca514a0515c98395dada3d158d19ba601af2acc2",
    }
    for signature in ("right", None):
        status, text = await zoom.post(body, signature=signature)
        assert (status, json.loads(text)) == (200, expected)
    assert (await zoom.post(body, signature="v0=00"))[0] == 401


async def test_the_challenge_signs_nothing_that_could_be_a_webhook(zoom: Zoom) -> None:
    forged_body = json.dumps(started(rtms_stream_id="evil"))
    wish = f"v0:{NOW_S}:{forged_body}"
    body = {"event": "endpoint.url_validation", "payload": {"plainToken": wish}}
    status, text = await zoom.post(body, signature=None)
    signed = hmac.new(b"tok", wish.encode(), hashlib.sha256).hexdigest()
    assert status == 400
    assert signed not in text
    for odd in (None, 5, "", "a:b", "x" * 300, {"a": 1}):
        body["payload"] = {"plainToken": odd}
        assert (await zoom.post(body, signature=None))[0] == 400


async def test_a_signature_off_by_one_byte_is_refused(zoom: Zoom) -> None:
    raw = json.dumps(started()).encode()
    right = webhook_signature(TOKEN, str(NOW_S), raw)
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    before = count("bad_signature")
    status, text = await zoom.post(raw, signature=wrong)
    assert (status, text.count("\n")) == (401, 1)
    assert "ZOOM_SECRET_TOKEN" in text
    assert (await zoom.post(raw[:-1] + b" ", signature=right))[0] == 401
    assert (await zoom.post(started(), token=Secret("other")))[0] == 401
    assert count("bad_signature") == before + 3
    assert zoom.notices == []


async def test_old_and_future_webhooks_are_refused(zoom: Zoom) -> None:
    for off in (-301, 301):
        status, text = await zoom.post(started(), at=NOW_S + off)
        assert status == 401
        assert "300 s" in text
    for off in (-300, 300):
        assert (await zoom.post(started(event_ts=NOW_S * 1000 + off), at=NOW_S + off))[0] == 200
    assert len(zoom.notices) == 2


async def test_unsigned_requests_are_refused_whatever_they_hold(zoom: Zoom) -> None:
    for body in (started(), b"", b"{", b"[" * 50_000, b"\xff\x00"):
        status, text = await zoom.post(body, signature=None)
        assert (status, "x-zm-signature" in text) == (401, True)
    assert zoom.notices == []


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "JSON"),
        (b"[1]", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[" * 60_000, "JSON"),
        ({"payload": {}}, "event"),
        ({"event": 5, "payload": {}}, "event"),
        (started(meeting_uuid=None), "meeting_uuid"),
        (started(rtms_stream_id=None), "rtms_stream_id"),
        (started(rtms_stream_id=7), "rtms_stream_id"),
        (started(server_urls=None), "server_urls"),
        (started(server_urls="https://a.zoom.us"), "server_urls"),
        ({"event": "meeting.rtms_stopped", "payload": "x"}, "meeting_uuid"),
    ],
)
async def test_signed_nonsense_is_a_400_in_one_line(
    zoom: Zoom, body: dict[str, Any] | bytes, word: str
) -> None:
    status, text = await zoom.post(body)
    assert (status, text.count("\n"), word in text) == (400, 1, True)
    assert zoom.notices == []


async def test_repeated_deliveries_are_answered_and_not_told_again(zoom: Zoom) -> None:
    before = count("duplicate")
    for at in (NOW_S, NOW_S + 1, NOW_S + 200):
        assert await zoom.post(started(), at=at) == (200, "")
    assert zoom.notices == [STARTED]
    assert count("duplicate") == before + 2
    stopped = {
        "event": "meeting.rtms_stopped",
        "event_ts": NOW_S * 1000,
        "payload": {"meeting_uuid": "Zk9/+A==", "rtms_stream_id": "S1", "stop_reason": "6"},
    }
    await zoom.post(stopped)
    await zoom.post(stopped)
    assert zoom.notices[1:] == [Stopped("meeting", "Zk9/+A==", "S1", 6)]


async def test_a_failover_is_news(zoom: Zoom) -> None:
    await zoom.post(started())
    await zoom.post(started(server_urls="wss://b.zoom.us/s"))
    await zoom.post(started(event_ts=NOW_S * 1000 + 999))
    assert len(zoom.notices) == 3


async def test_without_an_event_time_repeats_are_told_apart_by_the_request(zoom: Zoom) -> None:
    body = {
        "event": "meeting.rtms_interrupted",
        "payload": {"meeting_uuid": "m", "rtms_stream_id": "S1"},
    }
    await zoom.post(body)
    await zoom.post(body)
    await zoom.post(body, at=NOW_S + 100)
    assert zoom.notices == [Interrupted("meeting", "m", "S1", None)] * 2


async def test_unknown_events_are_taken_and_ignored(zoom: Zoom) -> None:
    before = count("ignored")
    assert await zoom.post({"event": "meeting.started", "payload": {}}) == (200, "")
    assert count("ignored") == before + 1
    assert zoom.notices == []


@pytest.mark.parametrize(
    ("event", "payload", "expected"),
    [
        (
            "rtms.concurrency_limited",
            {"id_field": {"session_id": "S/1"}, "concurrency_number": 5, "operator_id": "o"},
            (True, 5, "S/1"),
        ),
        (
            "rtms.concurrency_near_limit",
            {"object": {"id_field": {"webinar_uuid": "W="}, "concurrency_number": 4}},
            (False, 4, "W="),
        ),
        ("rtms.concurrency_limited", {}, (True, None, None)),
        (
            "rtms.concurrency_limited",
            {"id_field": "M", "concurrency_number": "many", "meeting_uuid": "M="},
            (True, None, "M="),
        ),
    ],
)
async def test_the_accounts_limit_is_told_once(
    zoom: Zoom, event: str, payload: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    before = count("account")
    body = {"event": event, "event_ts": NOW_S * 1000, "payload": payload}
    for _ in range(2):
        assert await zoom.post(body) == (200, "")
    assert count("account") == before + 1
    limited, number, found = expected
    assert zoom.notices == [Concurrency(limited, number, found, NOW_S * 1000)]


async def test_what_a_started_webhook_says_beside_the_ids(zoom: Zoom) -> None:
    """The meeting's number for the REST API, the name of a Video SDK session."""
    await zoom.post(started(meeting_id="81234567890", webinar_uuid="no=", is_original_host=True))
    session = {
        "event": "session.rtms_started",
        "event_ts": NOW_S * 1000,
        "payload": {
            "session_id": "abc==",
            "session_key": "room-7",
            "rtms_stream_id": "S2",
            "server_urls": {"signaling": "wss://a.zoom.us/s"},
        },
    }
    await zoom.post(session)
    await zoom.post(started(meeting_id="../x", rtms_stream_id="S3"))
    told = [notice.announcement for notice in zoom.notices if isinstance(notice, Started)]
    assert [(a.id_key, a.number, a.session_key, a.title) for a in told] == [
        ("meeting_uuid", "81234567890", None, None),
        ("session_id", None, "room-7", "room-7"),
        ("meeting_uuid", None, None, None),
    ]


async def test_large_bodies_and_other_paths(zoom: Zoom) -> None:
    big = b'{"a":"' + b"x" * 70_000 + b'"}'
    status, text = await zoom.post(big)
    assert (status, text.count("\n")) == (413, 1)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 10_000

    async with zoom.client.post("/webhook", data=chunks()) as answer:
        assert answer.status == 413
    async with zoom.client.get("/webhook") as answer:
        assert (answer.status, (await answer.text()).count("\n")) == (405, 1)
        assert answer.headers["Allow"] == "POST"
    for path in ("/", "/metrics", "/webhook/x"):
        async with zoom.client.post(path, data=b"{}") as answer:
            assert (answer.status, await answer.text()) == (
                404,
                "there is only POST /webhook here\n",
            )


async def test_a_body_that_is_not_what_its_headers_say(zoom: Zoom) -> None:
    headers = {"Content-Encoding": "gzip"}
    async with zoom.client.post("/webhook", data=b"this is not gzip", headers=headers) as answer:
        assert answer.status == 400


async def test_without_a_secret_token_nothing_is_valid() -> None:
    notices: list[Notice] = []
    app = webhook_app(
        secret_token=Secret(""), clock=ManualClock(NOW_S * 1000), on_notice=notices.append
    )
    async with TestClient(TestServer(app)) as client:
        zoom = Zoom(client, notices)
        challenge = {"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}}
        assert (await zoom.post(started(), token=Secret("")))[0] == 401
        assert (await zoom.post(challenge, token=Secret("")))[0] == 401
        assert (await zoom.post(challenge, signature=None))[0] == 401
    assert notices == []


async def test_the_answer_does_not_wait_for_the_work() -> None:
    told = asyncio.Event()
    failures: list[Any] = []

    def work(notice: Notice) -> None:
        told.set()
        raise RuntimeError("the service has a bug")

    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    app = webhook_app(secret_token=TOKEN, clock=ManualClock(NOW_S * 1000), on_notice=work)
    async with TestClient(TestServer(app)) as client:
        assert (await Zoom(client, []).post(started()))[0] == 200
        await told.wait()
    assert len(failures) == 1


async def test_nothing_secret_is_logged(zoom: Zoom) -> None:
    with structlog.testing.capture_logs() as logs:
        await zoom.post({"event": "canary-body", "payload": {}}, signature="v0=canary-signature")
        await zoom.post(b"canary-body")
        await zoom.post(
            {"event": "endpoint.url_validation", "payload": {"plainToken": "canary:token"}}
        )
        await zoom.post(started())
    assert logs
    assert "canary" not in repr(logs)
    assert "tok" not in repr(logs)


async def test_a_body_that_does_not_come_is_answered(
    zoom: Zoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "BODY_TIMEOUT_S", 0.02)
    server = zoom.client.server
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert b"did not arrive" in await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert zoom.notices == []


async def test_a_client_that_leaves_in_the_middle_is_no_fault_of_ours() -> None:
    """Anybody can do it, as often as they like: one line a second, no traceback."""
    before = count("gone")
    clock = ManualClock(NOW_S * 1000)
    app = webhook_app(secret_token=TOKEN, clock=clock, on_notice=[].append)
    with structlog.testing.capture_logs() as logs:
        port, stop, _ = await start_listening(
            app, "127.0.0.1", 0, name="webhook", limits=Limits(connections=3), clock=clock
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await stop()
    assert count("gone") == before + 1
    assert [line["event"] for line in logs] == ["webhook.refused"]


async def test_refusals_are_logged_once_a_second_and_counted_each(zoom: Zoom) -> None:
    before = metrics.WEBHOOKS.labels("bad_signature")._value.get()
    with structlog.testing.capture_logs() as logs:
        for _ in range(5):
            status, _ = await zoom.post(started(), signature="v0=00")
            assert status == 401
    assert [(line["event"], line["count"]) for line in logs] == [("webhook.refused", 1)]
    assert metrics.WEBHOOKS.labels("bad_signature")._value.get() == before + 5


@pytest.mark.parametrize("reason", [-1, 2**31, True, 6.0, [6]])
async def test_a_stop_reason_that_is_none_still_stops(zoom: Zoom, reason: object) -> None:
    body = started()
    body["event"] = "meeting.rtms_stopped"
    body["payload"]["stop_reason"] = reason
    assert (await zoom.post(body))[0] == 200
    assert zoom.notices == [Stopped("meeting", "Zk9/+A==", "S1", None)]
