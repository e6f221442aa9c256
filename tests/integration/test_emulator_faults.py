"""Every fault as a client sees it: real sockets, virtual time, so that each effect is exact."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import websockets
from websockets.asyncio.client import connect

from pipeline.emulator.emulator import Emulator
from pipeline.emulator.script import BadFault
from pipeline.emulator.settings import EmulatorSettings
from pipeline.rtms.enums import StopReason
from tests.idle_clock import IdleClock, run
from tests.integration.zoom_client import TURNS, Client, Receiver, make_tape, receiving, rendered

START = 1_782_900_000_000
T = TypeVar("T")
Fault = dict[str, object]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech from 2.4 to 4.7, 5.2 to 6.7 and 7.2 to 8.7 s."""
    return make_tape(tmp_path_factory.mktemp("plain"), TURNS)


@dataclass
class Scene:
    """A fake Zoom that runs, and who watches it."""

    zoom: Emulator
    clock: IdleClock
    playing: asyncio.Task[StopReason]
    receiver: Receiver | None = None
    begun: float = 0.0

    def client(self, stream: int = 1) -> Client:
        return Client(self.zoom.wheres[stream - 1], clock=self.clock)

    async def over(self) -> StopReason:
        async with asyncio.timeout(30):
            return await self.playing

    def at(self, message: dict[str, Any]) -> float:
        """When it came: seconds of the tape."""
        return float(round(message["came"] - self.started, 2))

    @property
    def started(self) -> float:
        found = self.zoom.state()["started_at"]
        assert isinstance(found, float)
        return found

    async def until(self, seconds: float) -> None:
        """That time of the tape."""
        await self.clock.sleep(self.started + seconds - self.clock.monotonic())


def play(
    tape: Path,
    faults: list[Fault],
    act: Callable[[Scene], Awaitable[T]],
    *,
    webhook: bool = False,
    **settings: Any,
) -> T:
    async def main(clock: IdleClock) -> T:
        async with contextlib.AsyncExitStack() as stack:
            receiver = await stack.enter_async_context(receiving(clock)) if webhook else None
            url = {"webhook": receiver.url} if receiver else {}
            zoom = await stack.enter_async_context(
                Emulator(tape, EmulatorSettings(**url, **settings), clock=clock, faults=faults)
            )
            playing = asyncio.create_task(zoom.run())
            try:
                return await act(Scene(zoom, clock, playing, receiver))
            finally:
                playing.cancel()
                await asyncio.gather(playing, return_exceptions=True)

    return run(main, start_ms=START)


async def whole(scene: Scene) -> Client:
    """Somebody who is there from the beginning to the end."""
    client = scene.client()
    await client.join()
    await scene.over()
    await client.until(client.said, "closed")
    return client


def watched(tape: Path, *faults: Fault, **settings: Any) -> tuple[Client, Callable[[Any], float]]:
    """A client that hears the tape through, and when its messages came."""

    async def act(scene: Scene) -> tuple[Client, float]:
        return await whole(scene), scene.started

    client, started = play(tape, list(faults), act, **settings)
    return client, lambda message: round(message["came"] - started, 2)


def kind(client: Client, number: int) -> list[dict[str, Any]]:
    return [m for m in (*client.media, *client.said) if m["msg_type"] == number]


def events(client: Client, number: int) -> list[dict[str, Any]]:
    return [m["event"] for m in client.said if m.get("event", {}).get("event_type") == number]


def states(client: Client) -> list[tuple[int, int]]:
    return [(m["state"], m["reason"]) for m in client.said if m["msg_type"] == 8]


# -- nothing wrong -----------------------------------------------------------------------------


def test_without_faults_everything_comes_in_time(plain: Path) -> None:
    client, at = watched(plain)
    assert client.audio() == rendered(plain)
    for message in kind(client, 14):
        due = (message["content"]["timestamp"] + 100 - START) / 1000
        assert at(message) == pytest.approx(due, abs=0.011)


# -- connections -------------------------------------------------------------------------------


@pytest.mark.parametrize(("close", "code"), [("abrupt", 1006), ("frame", 1001)])
def test_dropped_media(plain: Path, close: str, code: int) -> None:
    async def act(scene: Scene) -> Client:
        client = scene.client()
        await client.join()
        closed = await client.until(client.media, "closed")
        assert (closed["code"], scene.at(closed)) == (code, 3.02)
        await client.until(client.said, 8, state=2, reason=14)
        await scene.until(5)
        await client.listen()
        await client.ready()
        await scene.over()
        return client

    fault: Fault = {"fault": "drop", "at": 3.02, "socket": "audio", "close": close}
    client = play(plain, [fault], act)
    assert [e["media_type"] for e in events(client, 7)] == [32]
    assert client.audio() == rendered(plain)


def test_dropped_media_that_is_not_replayed(plain: Path) -> None:
    async def act(scene: Scene) -> Client:
        client = scene.client()
        await client.join()
        await client.until(client.media, "closed")
        await scene.until(5.25)
        await client.listen()
        await scene.over()
        return client

    client = play(plain, [{"fault": "drop", "at": 3.02, "replay": False}], act)
    stamps = [(stamp - START) / 1000 for _, stamp, _ in client.audio()]
    assert [s for s in stamps if 2.92 < s < 5.15] == []
    assert max(s for s in stamps if s < 4) == 2.9
    assert [row for row in rendered(plain) if row in client.audio()] == client.audio()


def test_dropped_signaling(plain: Path) -> None:
    async def act(scene: Scene) -> tuple[Client, Client]:
        first, second = scene.client(), scene.client()
        assert scene.receiver is not None
        await scene.receiver.until("meeting.rtms_started")
        await first.join()
        for closed in (await first.until(first.said, "closed"), first.media[-1]):
            assert closed["msg_type"] == "closed"
            assert closed["code"] == 1006
            assert scene.at(closed) == 3.0
        await scene.receiver.until("meeting.rtms_interrupted")
        await second.join()
        await scene.over()
        return first, second

    fault: Fault = {"fault": "drop", "at": 3, "socket": "signaling"}
    first, second = play(plain, [fault], act, webhook=True)
    assert first.audio() + second.audio() == rendered(plain)


def test_an_outage(plain: Path) -> None:
    async def act(scene: Scene) -> Client:
        client = scene.client()
        await client.join()
        await client.until(client.media, "closed")
        await scene.until(4.9)
        with pytest.raises(websockets.InvalidStatus, match="503"):
            await client.listen()
        await scene.until(5)
        await client.listen()
        await scene.over()
        return client

    fault: Fault = {"fault": "outage", "at": 3, "for": 2, "media": "all"}
    assert play(plain, [fault], act).audio() == rendered(plain)


def test_nothing_is_kept_with_the_replay_off(plain: Path) -> None:
    async def act(scene: Scene) -> tuple[Client, Client]:
        first, second = scene.client(), scene.client()
        await first.join()
        await scene.until(3.02)
        first.vanish()
        await scene.until(5.25)
        await second.join()
        await scene.over()
        return first, second

    first, second = play(plain, [{"fault": "replay", "keep": False}], act)
    assert max(stamp for _, stamp, _ in first.audio()) == START + 2_900
    assert min(stamp for _, stamp, _ in second.audio()) == START + 5_200


def test_failover_to_another_port(plain: Path) -> None:
    async def act(scene: Scene) -> tuple[Client, Client, list[str]]:
        receiver = scene.receiver
        assert receiver is not None
        await receiver.until("meeting.rtms_started")
        first, second = scene.client(), scene.client()
        await first.join()
        assert (await first.until(first.said, "closed"))["code"] == 1006
        async with asyncio.timeout(10), receiver.changed:
            await receiver.changed.wait_for(lambda: len(receiver.got) == 3)
        again = receiver.got[2]
        assert again["event"] == "meeting.rtms_started"
        assert again["event_ts"] == START + 3_000
        dead, good = again["payload"]["server_urls"].split(",")
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await connect(dead)
        with pytest.raises(websockets.InvalidStatus, match="503"):
            await connect(first.where.signaling_url)
        second.url = good
        await second.join()
        assert second.urls["audio"].startswith(good.removesuffix("/signaling"))
        await scene.over()
        return first, second, [m["event"] for m in receiver.got]

    fault: Fault = {"fault": "failover", "at": 3, "dead_first": True}
    first, second, told = play(plain, [fault], act, webhook=True)
    assert first.audio() + second.audio() == rendered(plain)
    assert told == [
        "endpoint.url_validation",
        "meeting.rtms_started",
        "meeting.rtms_started",
        "meeting.rtms_stopped",
    ]


def test_failing_over_twice_leads_back_to_the_first_port(plain: Path) -> None:
    async def act(scene: Scene) -> list[str]:
        assert scene.receiver is not None
        await scene.receiver.until("meeting.rtms_started")
        client = scene.client()
        await client.join()
        scene.zoom.fault([{"fault": "failover"}, {"fault": "failover"}])
        while len(scene.receiver.got) < 4:
            await scene.clock.sleep(0.1)
        return [m["payload"]["server_urls"] for m in scene.receiver.got[1:]]

    one, two, three = play(plain, [], act, webhook=True)
    port = one.split(":")[2].split("/")[0]
    assert f":{port}/" not in two
    assert three == one.replace("/signaling", "/f2/signaling")
    assert two.endswith("/f1/signaling")


def test_handshakes_that_are_refused(plain: Path) -> None:
    async def act(scene: Scene) -> None:
        client = scene.client()
        with pytest.raises(websockets.InvalidStatus, match="502"):
            await client.greet()
        assert [(await client.greet())["status_code"] for _ in range(3)] == [8, 8, 0]
        assert (await client.listen())["status_code"] == 45
        assert (await client.listen())["status_code"] == 0

    faults: list[Fault] = [
        {"fault": "refuse", "http": 502},
        {"fault": "refuse", "status": 8, "times": 2},
        {"fault": "refuse", "socket": "media"},
    ]
    play(plain, faults, act)


# -- slow and silent ---------------------------------------------------------------------------


def test_a_stall(plain: Path) -> None:
    client, at = watched(plain, {"fault": "stall", "at": 3, "for": 2.5})
    assert client.audio() == rendered(plain)
    times = [at(m) for m in (*client.media, *client.said)]
    assert [t for t in times if 3.02 < t < 5.5] == []
    assert len([t for t in times if 5.5 <= t <= 5.52]) >= 20


def test_a_stall_longer_than_three_keep_alives_is_no_loss(plain: Path) -> None:
    settings = {"keepalive_s": 1.0, "misses": 3}
    client, _ = watched(plain, {"fault": "stall", "at": 3, "for": 6}, **settings)
    assert client.audio() == rendered(plain)
    assert states(client) == [(1, 0), (4, 6)]


def test_a_trickle(plain: Path) -> None:
    fault: Fault = {"fault": "trickle", "at": 2, "for": 40, "bytes_per_s": 20_000}
    client, at = watched(plain, fault)
    assert client.audio() == rendered(plain)  # put together again from fragments
    times = [at(m) for m in kind(client, 14)]
    size = len(base64.b64encode(bytes(3200))) + 100  # of a packet, with its words
    for first, last in zip(times[5:], times[15:], strict=False):
        assert last - first >= 10 * size / 20_000 - 0.35


def test_late_keep_alives(plain: Path) -> None:
    settings = {"keepalive_s": 2.0}
    client, at = watched(plain, {"fault": "late_keep_alives", "at": 3, "late": 1.5}, **settings)
    pings = [m for m in client.said if m["msg_type"] == 12]
    assert [at(p) for p in pings] == pytest.approx([2, 5.5, 7.5, 9.5, 11.5], abs=0.011)
    assert [p["timestamp"] - START for p in pings] == pytest.approx(
        [2_000, 4_000, 6_000, 8_000, 10_000], abs=2
    )
    assert client.audio() == rendered(plain)


def test_missing_keep_alives(plain: Path) -> None:
    fault: Fault = {"fault": "missing_keep_alives", "at": 3, "for": 4}
    client, at = watched(plain, fault, keepalive_s=1.0, misses=2)
    times = [at(m) for m in client.said if m["msg_type"] == 12]
    assert times[:2] == pytest.approx([1, 2], abs=0.011)
    assert 7 <= times[2] <= 8.01
    assert client.audio() == rendered(plain)


# -- media that is lost, broken, twice or in another order -----------------------------------------


def test_lost_media(plain: Path) -> None:
    client, _ = watched(plain, {"fault": "lose_media", "at": 3.05, "for": 3, "media": "audio"})
    lost = [row for row in rendered(plain) if 3_050 <= row[1] + 100 - START < 6_050]
    assert len(lost) > 20
    assert client.audio() == [row for row in rendered(plain) if row not in lost]
    assert len(client.texts()) == 4


def test_corrupt_frames(plain: Path) -> None:
    faults: list[Fault] = [
        {"fault": "corrupt", "at": 3, "how": how}
        for how in ("truncated", "not_json", "empty", "bad_base64", "wrong_length")
    ]
    client, _ = watched(plain, *faults)
    broken = [m["raw"] for m in client.media if m["msg_type"] == "broken"]
    assert [len(raw) > 100 for raw in broken] == [True, False, False]
    assert broken[1:] == ["<html>502 Bad Gateway</html>", ""]
    contents = [m["content"] for m in kind(client, 14)]
    bad = [c for c in contents if c["data"] == "?not base64?"]
    wrong = [c for c in contents if c["length"] == 3207]
    assert (len(bad), len(wrong)) == (1, 1)
    assert len(contents) == len(rendered(plain)) - 3


def test_a_text_frame_that_is_no_text_breaks_the_connection(plain: Path) -> None:
    async def act(scene: Scene) -> Client:
        client = scene.client()
        await client.join()
        closed = await client.until(client.media, "closed")
        assert closed["code"] == 1006  # the client's own library refuses it, with 1007
        await client.until(client.said, 8, state=2, reason=14)
        await client.listen()
        await scene.over()
        return client

    client = play(plain, [{"fault": "corrupt", "at": 3, "how": "not_utf8"}], act)
    assert len(client.audio()) == len(rendered(plain)) - 1


def test_a_broken_event_and_state(plain: Path) -> None:
    faults: list[Fault] = [
        {"fault": "corrupt", "kind": "state", "how": "wrong_types", "extra": True},
        {"fault": "corrupt", "kind": "event", "how": "not_json", "extra": True},
    ]
    client, _ = watched(plain, *faults)
    first = next(m for m in client.said if m["msg_type"] in (8, 9))
    assert first["state"] == "soon"
    assert Counter(m["msg_type"] for m in client.said)["broken"] == 1
    assert states(client) == [(1, 0), (4, 6)]


def test_packets_twice_and_out_of_order(plain: Path) -> None:
    client, _ = watched(plain, {"fault": "repeat", "at": 3.05, "for": 1})
    counts = Counter(client.audio())
    assert set(counts.values()) == {1, 2}
    assert list(dict.fromkeys(client.audio())) == rendered(plain)
    client, _ = watched(plain, {"fault": "reorder", "at": 3.05, "for": 3, "by": 2})
    assert client.audio() != rendered(plain)
    assert sorted(client.audio()) == sorted(rendered(plain))
    assert client.audio()[-15:] == rendered(plain)[-15:]


def test_flat_media(plain: Path) -> None:
    client, _ = watched(plain, {"fault": "flat_media", "at": 5})
    forms = [type(m["content"]) for m in kind(client, 14)]
    assert set(forms) == {dict, str}
    assert forms == sorted(forms, key=lambda form: form is str)
    flat = [m for m in kind(client, 14) if isinstance(m["content"], str)]
    expected = rendered(plain)[-len(flat) :]
    found = [(m["user_id"], m["timestamp"], base64.b64decode(m["content"])) for m in flat]
    assert found == expected
    assert {m["user_name"] for m in flat} == {"Ada", "Bob"}


def test_a_clock_jump(plain: Path) -> None:
    client, _ = watched(plain, {"fault": "clock_jump", "at": 5, "by": 3600})
    jumped = [
        (user, stamp + (3_600_000 if stamp + 100 >= START + 5_000 else 0), data)
        for user, stamp, data in rendered(plain)
    ]
    assert client.audio() == jumped
    last = states(client)[-1]
    assert last == (4, 6)
    assert kind(client, 8)[-1]["timestamp"] > START + 3_600_000


def test_a_huge_image(plain: Path) -> None:
    fault: Fault = {"fault": "huge_image", "at": 3, "mib": 3, "user_id": 2}

    async def act(scene: Scene) -> Client:
        client = scene.client()
        client.most = None
        await client.join()
        await scene.over()
        return client

    client = play(plain, [fault], act)
    (image,) = kind(client, 16)
    assert image["content"]["user_id"] == 2
    data = base64.b64decode(image["content"]["data"])
    assert abs(len(data) - (3 << 20)) < 8
    assert (data[:2], data[-2:]) == (b"\xff\xd8", b"\xff\xd9")
    assert client.audio() == rendered(plain)


# -- what signaling tells --------------------------------------------------------------------------


def test_unknown_messages_and_events_and_any_other(plain: Path) -> None:
    faults: list[Fault] = [
        {"fault": "unknown", "at": 3, "number": 77},
        {"fault": "unknown", "at": 3, "what": "event", "number": 88},
        {"fault": "say", "at": 4, "message": {"msg_type": 8, "state": 3, "reason": 0}},
    ]
    client, at = watched(plain, *faults)
    assert [at(m) for m in kind(client, 77)] == [3.0, 3.0]
    assert len(events(client, 88)) == 1
    assert states(client) == [(1, 0), (3, 0), (4, 6)]


def test_pause_and_resume(plain: Path) -> None:
    client, _ = watched(plain, {"fault": "pause", "at": 3.05, "for": 3})
    assert [state for state, _ in states(client)] == [1, 5, 6, 4]
    assert list(dict.fromkeys(m["state"] for m in kind(client, 9))) == [2, 3, 4, 5]
    stamps = [stamp - START for _, stamp, _ in client.audio()]
    assert [s for s in stamps if 2_950 < s + 100 <= 6_000] == [2_900]
    assert set(client.audio()) < set(rendered(plain))


def test_pause_and_resume_by_command(plain: Path) -> None:
    async def act(scene: Scene) -> list[tuple[int, int]]:
        client = scene.client()
        await client.join()
        await client.until(client.said, 8, state=1)
        scene.zoom.fault({"fault": "pause"})
        await client.until(client.said, 8, state=5)
        assert scene.zoom.state()["paused"] is True
        scene.zoom.fault({"fault": "resume"})
        await client.until(client.said, 8, state=6)
        scene.zoom.fault({"fault": "stop", "reason": 7})
        assert await scene.over() is StopReason.STREAM_CANCELED
        await client.until(client.said, "closed")
        return states(client)

    assert play(plain, [], act) == [(1, 0), (5, 0), (6, 0), (4, 7)]


def test_cameras(plain: Path) -> None:
    faults: list[Fault] = [
        {"fault": "camera", "at": 3, "user_id": 1, "on": True},
        {"fault": "camera", "at": 4, "user_id": 1, "on": False},
    ]

    async def act(scene: Scene) -> Client:
        client = scene.client()
        await client.join()
        subscribe = [{"event_type": kind, "subscribe": True} for kind in (8, 9)]
        await client.signaling.send(json.dumps({"msg_type": 5, "events": subscribe}))
        await scene.over()
        return client

    client = play(plain, faults, act)
    on, off = events(client, 8), events(client, 9)
    assert [(e["participants"][0]["user_id"], e["timestamp"] - START) for e in on + off] == [
        (1, 3_000),
        (1, 4_000),
    ]


# -- webhooks --------------------------------------------------------------------------------------


def told(plain: Path, *faults: Fault, **settings: Any) -> list[tuple[str, float]]:
    """The webhooks of a stream whose client goes at 3 s and does not come back, and when."""

    async def act(scene: Scene) -> list[tuple[str, float]]:
        receiver = scene.receiver
        assert receiver is not None
        await receiver.until("meeting.rtms_started")
        client = scene.client()
        await client.join()
        await scene.until(3)
        client.vanish()
        await scene.over()
        started = scene.started
        return [(m["event"].split("_")[-1], round(m["came"] - started, 1)) for m in receiver.got]

    settings = {"signaling_window_s": 2.0, **settings}
    return play(plain, list(faults), act, webhook=True, **settings)


VALIDATION = ("validation", 0.0)


def test_webhooks_as_they_should_be(plain: Path) -> None:
    assert told(plain) == [
        VALIDATION,
        ("started", 0.0),
        ("interrupted", 3.0),
        ("stopped", 5.0),
    ]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (
            {"fault": "duplicate_webhook", "at": 1},
            [("started", 0.0), ("started", 1.0), ("interrupted", 3.0), ("stopped", 5.0)],
        ),
        (
            {"fault": "duplicate_webhook", "event": "stopped", "times": 2},
            [("started", 0.0), ("interrupted", 3.0), *[("stopped", 5.0)] * 3],
        ),
        ({"fault": "lose_webhook"}, [("started", 0.0), ("stopped", 5.0)]),
        (
            {"fault": "late_webhook", "event": "stopped", "late": 40},
            [("started", 0.0), ("interrupted", 3.0), ("stopped", 45.0)],
        ),
        (
            {"fault": "late_webhook", "late": 4},
            [("started", 0.0), ("stopped", 5.0), ("interrupted", 7.0)],
        ),
        (
            {"fault": "reorder_webhooks"},
            [("started", 0.0), ("stopped", 5.0), ("interrupted", 5.0)],
        ),
    ],
)
def test_webhooks_that_go_astray(
    plain: Path, fault: Fault, expected: list[tuple[str, float]]
) -> None:
    assert told(plain, fault) == [VALIDATION, *expected]


def test_an_interrupted_webhook_that_is_late_comes_though_the_client_is_back(plain: Path) -> None:
    async def act(scene: Scene) -> list[str]:
        receiver = scene.receiver
        assert receiver is not None
        await receiver.until("meeting.rtms_started")
        client = scene.client()
        await client.join()
        await client.until(client.said, "closed")
        again = scene.client()
        await again.join()
        await receiver.until("meeting.rtms_interrupted")
        assert scene.zoom.state()["phase"] == "live"
        scene.zoom.fault({"fault": "duplicate_webhook", "event": "interrupted"})
        await scene.over()
        return [m["event"].split("_")[-1] for m in receiver.got[1:]]

    faults: list[Fault] = [
        {"fault": "drop", "at": 3, "socket": "signaling"},
        {"fault": "late_webhook", "late": 4},
    ]
    got = play(plain, faults, act, webhook=True)
    assert got == ["started", "interrupted", "interrupted", "stopped"]


def test_no_second_try_of_an_interruption_once_the_client_is_back(plain: Path) -> None:
    async def act(scene: Scene) -> list[str]:
        receiver = scene.receiver
        assert receiver is not None
        receiver.always = {"meeting.rtms_interrupted": 503}
        await receiver.until("meeting.rtms_started")
        client = scene.client()
        await client.join()
        await client.until(client.said, "closed")
        await receiver.until("meeting.rtms_interrupted")
        await scene.client().join()
        await scene.over()
        return [m["event"].split("_")[-1] for m in receiver.got[1:]]

    fault: Fault = {"fault": "drop", "at": 3, "socket": "signaling"}
    got = play(plain, [fault], act, webhook=True, webhook_retries_s=(2.0, 2.0))
    assert got == ["started", "interrupted", "stopped"]


def test_a_webhook_is_tried_again_as_zoom_does(plain: Path) -> None:
    async def act(scene: Scene) -> list[tuple[str, float]]:
        receiver = scene.receiver
        assert receiver is not None
        receiver.always = {"meeting.rtms_stopped": 503}
        await receiver.until("meeting.rtms_started")
        await scene.over()
        return [(m["event"].split("_")[-1], round(m["came"] - scene.started)) for m in receiver.got]

    got = play(plain, [], act, webhook=True, connect_window_s=10.0)
    assert got[2:] == [("stopped", 10), ("stopped", 310), ("stopped", 1510), ("stopped", 5110)]


def test_nested_webhooks_and_the_account_being_full(plain: Path) -> None:
    faults: list[Fault] = [
        {"fault": "nested_webhooks"},
        {"fault": "concurrency", "at": 1, "event": "near_limit", "number": 9},
    ]

    async def act(scene: Scene) -> list[dict[str, Any]]:
        receiver = scene.receiver
        assert receiver is not None
        await receiver.until("rtms.concurrency_near_limit")
        return receiver.got

    started, full = play(plain, faults, act, webhook=True)[1:3]
    assert set(started["payload"]) == {"account_id", "object"}
    assert started["payload"]["object"]["rtms_stream_id"]
    assert full["payload"]["concurrency_number"] == 9
    assert full["payload"]["id_field"].keys() == {"meeting_uuid"}


def test_a_dead_url_from_the_beginning(plain: Path) -> None:
    async def act(scene: Scene) -> None:
        assert scene.receiver is not None
        started = await scene.receiver.until("meeting.rtms_started")
        dead, good = started["payload"]["server_urls"].split(",")
        assert good == scene.zoom.where.signaling_url
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await connect(dead)

    play(plain, [{"fault": "dead_url"}], act, webhook=True)


# -- many streams ----------------------------------------------------------------------------------


def test_many_streams_play_one_tape_each_at_its_own_lag(plain: Path) -> None:
    async def act(scene: Scene) -> list[tuple[Client, float]]:
        clients = [scene.client(n) for n in (1, 2, 3, 4)]
        for client in clients:
            await client.join()
        await scene.over()
        return [(client, scene.started) for client in clients]

    fault: Fault = {"fault": "lose_media", "at": 3, "for": 60, "stream": 3, "media": "audio"}
    found = play(plain, [fault], act, streams=4, start="all")
    ids = [(c.where.meeting_uuid, c.where.rtms_stream_id) for c, _ in found]
    assert len(set(ids)) == 4
    assert ids[2][1] == f"{ids[0][1]}-3"
    for number, (client, started) in enumerate(found):
        if number == 2:
            assert {stamp for _, stamp, _ in client.audio()} <= set(range(START, START + 3_000))
            continue
        assert client.audio() == rendered(plain)
        lates = [
            (m["came"] - started) * 1000 - (m["content"]["timestamp"] + 100 - START)
            for m in kind(client, 14)
        ]
        assert min(lates) == pytest.approx(5 * number, abs=1.5)
        assert max(lates) == pytest.approx(5 * number, abs=1.5)


def test_streams_of_one_engagement_have_one_id(tmp_path: Path) -> None:
    tape = make_tape(tmp_path, TURNS, product="contact_center")

    async def act(scene: Scene) -> list[dict[str, Any]]:
        receiver = scene.receiver
        assert receiver is not None
        async with asyncio.timeout(10), receiver.changed:
            await receiver.changed.wait_for(lambda: len(receiver.got) == 3)
        return receiver.got[1:]

    one, two = play(tape, [], act, webhook=True, streams=2)
    assert one["event"] == two["event"] == "contact_center.voice_rtms_started"
    assert one["payload"]["engagement_id"] == two["payload"]["engagement_id"]
    assert two["payload"]["rtms_stream_id"] == one["payload"]["rtms_stream_id"] + "-2"
    assert two["payload"]["server_urls"].endswith("/2/signaling")


@pytest.mark.parametrize(
    ("product", "key", "more"),
    [
        ("webinar", "webinar_uuid", {"operator_id", "webinar_id"}),
        ("session", "session_id", {"session_key", "account_id"}),
        ("phone", "call_id", set()),
    ],
)
def test_webhooks_of_other_products(
    plain: Path, tmp_path: Path, product: str, key: str, more: set[str]
) -> None:
    tape = make_tape(tmp_path, TURNS, product=product)

    async def act(scene: Scene) -> list[dict[str, Any]]:
        assert scene.receiver is not None
        client = scene.client()
        await scene.receiver.until(f"{product}.rtms_started")
        await client.join()
        await scene.over()
        assert len(kind(client, 14)) == len(rendered(plain))
        return scene.receiver.got[1:]

    started, stopped = play(tape, [], act, webhook=True)
    assert started["payload"].keys() >= {key, "rtms_stream_id", "server_urls", *more}
    assert stopped["payload"][key] == started["payload"][key]
    assert ("session_key" in stopped["payload"]) is (product == "session")


def test_the_older_names_of_phone(tmp_path: Path) -> None:
    tape = make_tape(tmp_path, TURNS, product="phone")

    async def act(scene: Scene) -> None:
        assert scene.receiver is not None
        await scene.receiver.until("phone.call_rtms_started")

    play(tape, [], act, webhook=True, webhook_alias=True)


# -- commands and limits ---------------------------------------------------------------------------


def test_a_fault_that_cannot_be_done_is_said_and_kept(plain: Path) -> None:
    async def act(scene: Scene) -> None:
        zoom = scene.zoom
        with pytest.raises(BadFault, match="unknown fault 'x'"):
            zoom.fault({"fault": "x"})
        with pytest.raises(BadFault, match="stream = 2: there are streams 1 to 1"):
            zoom.fault({"fault": "stall", "for": 1, "stream": 2})
        zoom.stop()
        with pytest.raises(BadFault, match="fault 1: the stream is over"):
            zoom.fault({"fault": "failover"})
        assert [(f["state"], f["problem"]) for f in zoom.faults()] == [
            ("failed", "the stream is over")
        ]

    play(plain, [], act)


def test_a_script_with_a_stream_that_is_not_there(plain: Path) -> None:
    with pytest.raises(BadFault, match="stream = 3"):
        play(plain, [{"fault": "resume", "stream": 3}], whole)


def test_sigterm_during_a_stall_does_not_wait_for_its_end(plain: Path) -> None:
    async def act(scene: Scene) -> float:
        client = scene.client()
        await client.join()
        await scene.until(4)
        scene.zoom.stop()
        await scene.over()
        await client.until(client.said, 8, state=4, reason=17)
        return scene.clock.monotonic() - scene.started

    assert play(plain, [{"fault": "stall", "at": 3, "for": 3600}], act) < 8


def test_the_end_waits_for_what_a_stall_holds(plain: Path) -> None:
    client, at = watched(plain, {"fault": "stall", "at": 3, "for": 30})
    assert client.audio() == rendered(plain)
    assert {at(m) for m in kind(client, 14) if at(m) > 3} == {33.0}
    assert states(client)[-1] == (4, 6)


def test_a_client_that_does_not_read_is_dropped(plain: Path) -> None:
    async def act(scene: Scene) -> None:
        client = scene.client()
        await client.greet()
        deaf = await connect(client.urls["deskshare"], max_queue=1, max_size=None)
        await deaf.send(client.hello(3, media_type=4))
        assert json.loads(await deaf.recv())["status_code"] == 0
        await client.ready()
        scene.zoom.fault([{"fault": "huge_image", "mib": 20}] * 4)
        await client.until(client.said, 8, state=2, reason=14)
        assert scene.zoom.state()["bytes_waiting"] == 0
        deaf.transport.abort()
        await deaf.wait_closed()

    play(plain, [], act)
