"""Zoom's own SDK against the fake Zoom: the eleven cases of sdk-observations.md, section 8.

Every case runs over ws and over wss, the SDK each time in a process of its own; and whatever a case
is about, the SDK's protocol log holds no error but the known ones.
"""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import itertools
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.emulator.pytest_plugin import FakeZoom
from pipeline.emulator.settings import EmulatorSettings
from pipeline.emulator.threaded import ThreadedEmulator
from tests.conformance.sdk import Known, Sdk
from tests.tone_tape import ADA, BOB, CLEO, SESSION, START_MS, Spurt, ToneTape, event

ZoomWith = Callable[..., AbstractAsyncContextManager[tuple[ThreadedEmulator, Sdk]]]

L16_MIXED = (2, 1, 1, 1, 1, 20, 320)
L16_MULTI = (2, 1, 1, 1, 2, 100, 1600)
SPEED = 5.0
TOLD = ["people", "speaker", "cameras"]


@pytest.fixture(autouse=True, scope="module")
def sdk_is_here() -> None:
    if importlib.util.find_spec("rtms") is not None:
        return
    missing = "Zoom's SDK is not installed (rtms==1.1.0: Linux x86-64, CPython 3.11 to 3.13)"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(params=["ws", "wss"])
def tls(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "wss")


def picture(kind: int, at: int, who: Any, data: bytes) -> dict[str, Any]:
    """Message 15 or 16."""
    return {
        "msg_type": kind,
        "content": {
            "user_id": who.user_id,
            "user_name": who.name,
            "data": base64.b64encode(data).decode(),
            "length": len(data),
            "timestamp": START_MS + at,
        },
    }


def tape(folder: Path, *extra: Any, seconds: float = 6.0, **options: Any) -> ToneTape:
    """Three voices, and whatever else is told."""
    ms = round(seconds * 1000)
    spurts = [Spurt(CLEO, 400, ms - 600), Spurt(ADA, 600, 900), Spurt(BOB, 1_200, 700)]
    made = ToneTape(spurts=spurts, extra=extra, **options)
    return made.write(folder / "tones.rtms.zst")


@pytest.fixture
def zoom_with(fake_zoom: FakeZoom) -> ZoomWith:
    """Makes a fake Zoom that plays a tape, and the SDK on its way to it."""

    @contextlib.asynccontextmanager
    async def opened(
        made: ToneTape, tls: bool, folder: Path, *, speed: float = SPEED, **spec: Any
    ) -> AsyncIterator[tuple[ThreadedEmulator, Sdk]]:
        options = spec.pop("settings", {})
        settings = EmulatorSettings(speed=speed, tls=tls, **options)
        zoom = fake_zoom(made.path, settings=settings)
        async with Sdk(zoom.where, folder / "sdk", **spec) as sdk:
            yield zoom, sdk

    return opened


async def left(sdk: Sdk, *allowed: Known) -> None:
    """The end of a case: the log so far is clean, and leaving works."""
    assert sdk.errors(*allowed) == []
    assert await sdk.leave() == 0
    assert sdk.errors(*allowed, "dropped") == []  # the process ends without closing


async def test_1_audio_is_equal_to_the_sample(
    tmp_path: Path, tls: bool, zoom_with: ZoomWith
) -> None:
    made = tape(tmp_path)
    expected = {p.timestamp_ms: p.data for p in made.heard(16_000, 1, 20, mixed=True)}
    async with zoom_with(made, tls, tmp_path, audio=L16_MIXED) as (_, sdk):
        assert await sdk.until("join") == [0]
        assert sdk.times("join")[0] - sdk.times("joining")[0] < 1.0
        await sdk.until("audio", 280)
        heard = sdk.media("audio")[:280]
        await left(sdk)
    assert [h.timestamp for h in heard] == [START_MS + 20 * n for n in range(280)]
    assert [h.data for h in heard] == [expected[h.timestamp] for h in heard]
    assert {h.size for h in heard} == {640}


async def test_2_four_sockets_and_one_ready_ack(
    tmp_path: Path, tls: bool, zoom_with: ZoomWith
) -> None:
    video = [picture(15, 300 * n, ADA, b"\x00\x00\x01" + bytes([n]) * 900) for n in range(1, 9)]
    share = [picture(16, 700 * n, BOB, b"\x89PNG" + bytes([n]) * 5_000) for n in range(1, 4)]
    extra = [(m["content"]["timestamp"] - START_MS, "video", m) for m in video]
    extra += [(m["content"]["timestamp"] - START_MS, "deskshare", m) for m in share]
    said = [(ADA, 600, 1_500, "one"), (BOB, 1_200, 1_900, "two")]
    made = tape(tmp_path, *extra, said=said)
    spec: dict[str, Any] = {"want": ["audio", "transcript", "video", "deskshare"]}
    async with zoom_with(made, tls, tmp_path, audio=L16_MULTI, speed=1.0, **spec) as (zoom, sdk):
        assert await sdk.until("join") == [0]
        paths = [c["socket"] for c in zoom.state()["connections"]]
        assert sorted(paths) == ["audio", "deskshare", "signaling", "transcript", "video"]
        await sdk.until("transcript", 2)
        await sdk.until("video", 3)
        await sdk.until("deskshare", 2)
        await sdk.until("audio", 20)
        assert len(sdk.sent(7)) == 1
        assert len(sdk.sent(3)) == 4
        frames = {(h.timestamp, h.data, h.user_id) for h in sdk.media("video")}
        shared = {(h.timestamp, h.data, h.user_id) for h in sdk.media("deskshare")}
        await left(sdk)

    def sent(messages: list[dict[str, Any]]) -> set[tuple[int, bytes, int]]:
        contents = [m["content"] for m in messages]
        return {(c["timestamp"], base64.b64decode(c["data"]), c["user_id"]) for c in contents}

    assert frames <= sent(video)
    assert shared <= sent(share)


async def test_3_transcript_text_and_times(tmp_path: Path, tls: bool, zoom_with: ZoomWith) -> None:
    texts = ["good morning", "Zażółć gęślą jaźń 🙂", "真理は人を自由にする", 'quote " and \\ slash']
    said = [(ADA, 500 + 600 * n, 900 + 600 * n, text) for n, text in enumerate(texts)]
    made = tape(tmp_path, said=said)
    async with zoom_with(made, tls, tmp_path, want=["transcript"]) as (_, sdk):
        await sdk.until("transcript", len(texts))
        heard = sdk.media("transcript")
        await left(sdk)
    assert [(h.data.decode(), h.start - START_MS, h.end - START_MS) for h in heard] == [
        (text, start, end) for _, start, end, text in said
    ]
    assert [(h.user_id, h.user_name) for h in heard] == [(ADA.user_id, ADA.name)] * len(texts)


async def test_4_events_as_they_are(tmp_path: Path, tls: bool, zoom_with: ZoomWith) -> None:
    people = [{"user_id": p.user_id, "user_name": p.name} for p in (ADA, BOB, CLEO)]
    dave = {"user_id": 16_781_312, "user_name": "Dave O'Neil"}
    told = [
        event(0, 3, participants=people),
        event(400, 1),
        event(900, 2, user_id=ADA.user_id, user_name=ADA.name),
        event(1_000, 8, participants=[{"user_id": ADA.user_id}]),
        event(1_100, 3, participants=[dave]),
        event(1_500, 9, participants=[{"user_id": ADA.user_id}]),
        event(1_600, 5, user_id=BOB.user_id, user_name=BOB.name),
        event(1_900, 6),
        event(2_000, 4, participants=[{"user_id": dave["user_id"]}]),
    ]
    rows = [(m["event"]["timestamp"] - START_MS, "signaling", m) for m in told[1:]]
    made = tape(tmp_path, *rows)
    spec: dict[str, Any] = {"tell": [*TOLD, "sharing"]}
    async with zoom_with(made, tls, tmp_path, audio=L16_MULTI, speed=2.0, **spec) as (_, sdk):
        await sdk.until("join")
        sdk.tell("subscribe_event", [5, 6])  # which the SDK does not do by itself
        await sdk.until("event", len(told))
        await sdk.until("people", 3)  # told after the raw form of the same event
        assert sdk.of("speaker") == [[START_MS + 900, ADA.user_id, ADA.name]]
        assert sdk.of("cameras") == [[[ADA.user_id], True], [[ADA.user_id], False]]
        assert sdk.of("sharing")[0] == ["start", START_MS + 1_600, BOB.user_id, BOB.name]
        assert [row[0] for row in sdk.of("sharing")] == ["start", "stop"]
        assert [row[0] for row in sdk.of("people")] == ["join", "join", "leave"]
        assert [0, dave["user_id"], dave["user_name"]] in sdk.of("user")
        events = sdk.events()
        await left(sdk, "left")
    assert sorted(events, key=lambda e: e["timestamp"]) == [m["event"] for m in told]


async def test_5_a_wrong_secret_is_status_3(tmp_path: Path, tls: bool, zoom_with: ZoomWith) -> None:
    made = tape(tmp_path)
    async with zoom_with(made, tls, tmp_path, client_secret="wrong") as (zoom, sdk):
        assert await sdk.until("join") == [3]
        assert zoom.state()["faults"] == {"refused_3_invalid_signature": 1}
        await left(sdk, "refused")


async def test_6_keep_alives_are_answered(tmp_path: Path, tls: bool, zoom_with: ZoomWith) -> None:
    made = tape(tmp_path, seconds=10)
    fast = {"keepalive_s": 2.5}
    async with zoom_with(made, tls, tmp_path, audio=L16_MULTI, settings=fast) as (zoom, sdk):
        await sdk.until("audio", 80)  # more than two rounds of both sockets
        connections = zoom.state()["connections"]
        assert [c["socket"] for c in connections] == ["signaling", "audio"]
        assert all(c["keep_alives"] >= 2 for c in connections)
        assert all(c["unanswered"] <= 1 for c in connections)
        answers = sdk.sent(13)
        await left(sdk)
    for socket in {socket for socket, _ in answers}:
        sequences = [message["sequence"] for by, message in answers if by == socket]
        assert sequences[:2] == [1, 2]
    assert len({socket for socket, _ in answers}) == 2
    assert all(message["timestamp"] > START_MS for _, message in answers)


async def test_7_pause_and_resume(tmp_path: Path, tls: bool, zoom_with: ZoomWith) -> None:
    made = tape(tmp_path)
    async with zoom_with(made, tls, tmp_path, audio=L16_MULTI) as (zoom, sdk):
        await sdk.until("session")
        await sdk.until("audio", 5)
        zoom.fault({"fault": "pause", "for": 1.0})
        await sdk.until("session", 3)
        await sdk.until("audio", len(sdk.of("audio")) + 10)
        assert sdk.of("session") == [[1, SESSION], [3, SESSION], [4, SESSION]]
        stamps = [h.timestamp for h in sdk.media("audio") if h.user_id == CLEO.user_id]
        await left(sdk)
    jumps = [b - a for a, b in itertools.pairwise(stamps) if b - a > 100]
    assert len(jumps) == 1
    assert 900 <= jumps[0] <= 1_300


async def test_8_the_end_with_its_reason(tmp_path: Path, tls: bool, zoom_with: ZoomWith) -> None:
    made = tape(tmp_path, end_ms=2_000, reason=6)
    async with zoom_with(made, tls, tmp_path, audio=L16_MULTI) as (zoom, sdk):
        assert await sdk.until("leave") == [6]
        assert zoom.state()["stop_reason"] == 6
        await left(sdk, "dropped")


async def test_9_an_abrupt_drop_is_survived(tmp_path: Path, tls: bool, zoom_with: ZoomWith) -> None:
    made = tape(tmp_path, seconds=12)
    async with zoom_with(made, tls, tmp_path, audio=L16_MULTI, speed=2.0) as (zoom, sdk):
        await sdk.until("audio", 10)
        zoom.fault({"fault": "drop", "socket": "all"})
        before = len(sdk.of("audio"))
        await sdk.until("audio", before + 20)
        hellos = [r for r in sdk.log() if "send signal handshake" in r]
        heard = sdk.media("audio")
        await left(sdk, "dropped")
    assert sdk.of("leave") == []
    assert len(sdk.sent(1)) == 2, hellos
    expected = {(p.user_id, p.timestamp_ms): p.data for p in made.heard(16_000, 1, 100)}
    assert all(expected[h.user_id, h.timestamp] == h.data for h in heard)
    assert len({(h.user_id, h.timestamp) for h in heard}) == len(heard)


@pytest.mark.parametrize("trusted", [True, False], ids=["its CA", "not its CA"])
async def test_10_tls_with_a_test_ca(tmp_path: Path, trusted: bool, fake_zoom: FakeZoom) -> None:
    made = tape(tmp_path)
    zoom, other = (fake_zoom(made.path, settings=EmulatorSettings(tls=True)) for _ in range(2))
    where = zoom.where
    assert where.signaling_url.startswith("wss://localhost:")
    if not trusted:
        where = msgspec.structs.replace(where, ca_file=other.where.ca_file)
    async with Sdk(where, tmp_path / "sdk", audio=L16_MULTI) as sdk:
        (code,) = await sdk.until("join")
        if trusted:
            await sdk.until("audio", 3)
            await left(sdk)
        assert (code == 0) is trusted


async def test_11_individual_video(tmp_path: Path, tls: bool, zoom_with: ZoomWith) -> None:
    frames = [picture(15, 100 * n, ADA, bytes([n]) * 400) for n in range(1, 55)]
    rows = [(m["content"]["timestamp"] - START_MS, "video", m) for m in frames]
    on = event(0, 8, participants=[{"user_id": ADA.user_id}])
    made = tape(tmp_path, (0, "signaling", on), *rows)
    spec: dict[str, Any] = {
        "want": ["video"],
        "tell": [*TOLD, "subscribed"],
        "video": (3, 7, 2, 4, 25),
    }
    async with zoom_with(made, tls, tmp_path, speed=1.0, **spec) as (_, sdk):
        assert await sdk.until("join") == [0]
        await sdk.until("event")
        assert sdk.of("video") == []
        sdk.tell("subscribe_video", ADA.user_id, True)
        assert await sdk.until("subscribed") == [ADA.user_id, 0, ""]
        await sdk.until("video", 5)
        heard = sdk.media("video")
        await left(sdk)
    assert {h.user_id for h in heard} == {ADA.user_id}
    assert heard[0].timestamp > START_MS
