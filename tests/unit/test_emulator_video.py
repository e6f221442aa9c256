"""Whose images a client gets, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from emulator_client import Client, event, image, lines_tape, quiet

from pipeline.emulator.rules import Rules
from pipeline.rtms.enums import MediaType

ACTIVE = {"data_opt": 3}
INDIVIDUAL = {"data_opt": 4}


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two cameras, four frames a second each, for ten seconds; the second speaks from 5 s on."""
    people = [{"user_id": n, "user_name": f"P{n}"} for n in (1, 2)]
    rows: list[Any] = [
        event(0, 3, participants=people),
        event(0, 2, user_id=1, user_name="P1"),
        event(5_000, 2, user_id=2, user_name="P2"),
        event(8_000, 9, participants=[{"user_id": 2}]),
        quiet(20_000),
    ]
    for t in range(100, 10_000, 250):
        rows += [image(t, 1)] + ([image(t, 2)] if not 8_000 < t < 9_000 else [])
    return lines_tape(tmp_path, *rows)


def frames(client: Client, number: int) -> list[str]:
    return [m["content"]["data"] for m in client.of(number, 15)]


def owners(client: Client, number: int) -> set[int]:
    return {m["content"]["user_id"] for m in client.of(number, 15)}


def joined(path: Path, video: dict[str, int], **options: Any) -> tuple[Client, int, int]:
    client = Client(path, **options)
    signaling = client.signaling()
    media = client.media(2, video=video)
    client.ready(signaling)
    return client, signaling, media


def subscribe(client: Client, signaling: int, user: object, on: object = True) -> dict[str, Any]:
    client.send(signaling, {"msg_type": 28, "user_id": user, "subscribe": on, "timestamp": 1216446})
    answer = client.got[signaling][-1]
    assert answer["msg_type"] == 29
    return answer


def test_who_speaks_is_seen(two: Path) -> None:
    client, _, media = joined(two, ACTIVE)
    client.run(5)
    assert owners(client, media) == {1}
    client.run(0.2)  # the second has no picture yet when the first sends once more
    before = len(frames(client, media))
    client.run(3)
    assert {f.split("@")[0] for f in frames(client, media)[before:]} == {"2"}


def test_video_is_never_buffered(two: Path) -> None:
    client = Client(two)
    client.run(3)
    signaling = client.signaling()
    media = client.media(2, video=ACTIVE)
    client.run(1)
    client.ready(signaling)
    assert frames(client, media) == []
    client.run(1)
    assert [int(f.split("@")[1]) for f in frames(client, media)] == [4100, 4350, 4600, 4850]
    client.vanish(media)
    client.run(1)
    back = client.media(2, video=ACTIVE)
    assert frames(client, back) == []
    client.run(0.5)
    assert min(int(f.split("@")[1]) for f in frames(client, back)) > 6_000


def test_nothing_of_anybody_without_a_subscription(two: Path) -> None:
    client, _, media = joined(two, INDIVIDUAL)
    client.run(6)
    assert frames(client, media) == []


def test_one_participant_at_a_time(two: Path) -> None:
    client, signaling, media = joined(two, INDIVIDUAL)
    client.run(1)
    answer = subscribe(client, signaling, 2)
    assert (answer["user_id"], answer["status_code"], answer["reason"]) == (2, 0, "OK")
    assert answer["timestamp"] == client.playback.header.start_ms + 1000
    assert frames(client, media) == []
    client.run(1)
    assert frames(client, media) == ["2@1100", "2@1350", "2@1600", "2@1850"]
    assert subscribe(client, signaling, 2)["status_code"] == 44
    assert subscribe(client, signaling, 1)["status_code"] == 0
    client.run(1)
    assert frames(client, media)[4:] == ["1@2100", "1@2350", "1@2600", "1@2850"]
    assert subscribe(client, signaling, 1, False)["status_code"] == 0
    client.run(1)
    assert len(frames(client, media)) == 8
    assert subscribe(client, signaling, 1)["status_code"] == 0  # no duplicate: it had ended


def test_a_camera_that_goes_off_must_be_asked_for_anew(two: Path) -> None:
    client, signaling, media = joined(two, INDIVIDUAL)
    subscribe(client, signaling, 2)
    client.run(9.8)
    assert max(int(f.split("@")[1]) for f in frames(client, media)) < 8_000
    assert subscribe(client, signaling, 2)["status_code"] == 0


@pytest.mark.parametrize(
    ("user", "on", "code"),
    [("2", True, 4), (None, True, 4), (-1, True, 4), (1 << 40, True, 4), (2, 1, 4), (99, True, 4)],
)
def test_subscriptions_that_cannot_be(two: Path, user: object, on: object, code: int) -> None:
    client, signaling, _ = joined(two, INDIVIDUAL)
    client.run(1)
    assert subscribe(client, signaling, user, on)["status_code"] == code
    assert client.ended == {}


def test_a_tolerant_server_takes_a_number_as_text(two: Path) -> None:
    client, signaling, media = joined(two, INDIVIDUAL, rules=Rules(mode="tolerant"))
    assert subscribe(client, signaling, "2") == {
        "msg_type": 29,
        "user_id": 2,
        "subscribe": True,
        "status_code": 0,
        "reason": "OK",
        "timestamp": client.playback.header.start_ms,
    }
    client.run(1)
    assert owners(client, media) == {2}


def test_individual_video_must_have_been_asked_for(two: Path) -> None:
    client, signaling, _ = joined(two, ACTIVE)
    assert subscribe(client, signaling, 2)["status_code"] == 29


def test_a_new_client_subscribes_anew(two: Path) -> None:
    client, signaling, media = joined(two, INDIVIDUAL)
    subscribe(client, signaling, 2)
    client.vanish(media)
    back = client.media(2, video=INDIVIDUAL)  # the same client: its wish stands
    client.run(1)
    assert owners(client, back) == {2}
    client.vanish(signaling)
    again = client.signaling()
    new = client.media(2, video=INDIVIDUAL)
    client.ready(again)
    client.run(1)
    assert frames(client, new) == []
    assert subscribe(client, again, 2)["status_code"] == 0


def test_cameras_switched_by_command(two: Path) -> None:
    client, signaling, media = joined(two, ACTIVE)
    client.subscribe(signaling, 8, 9)
    client.run(1)
    client.stream.camera(1, False, client.now)
    client.take()
    assert client.events(signaling, 9)[0]["participants"] == [{"user_id": 1}]
    before = len(frames(client, media))
    client.run(2)
    assert len(frames(client, media)) == before
    client.stream.camera(1, True, client.now)
    client.run(1)
    assert len(client.events(signaling, 8)) == 1
    assert len(frames(client, media)) == before + 4


def test_a_camera_switched_off_ends_its_subscription(two: Path) -> None:
    client, signaling, media = joined(two, INDIVIDUAL)
    subscribe(client, signaling, 2)
    client.stream.camera(2, False, client.now)
    client.stream.camera(2, True, client.now)
    client.run(1)
    assert frames(client, media) == []
    assert client.events(signaling, 9) == []  # not subscribed to


def test_shared_screens_are_of_everybody(tmp_path: Path) -> None:
    rows = [image(t, user, kind=16) for t in (500, 1_000) for user in (1, 2)]
    client = Client(lines_tape(tmp_path, *rows, quiet(9_000)))
    signaling = client.signaling()
    media = client.media(4, MediaType.DESKSHARE)
    client.ready(signaling)
    client.run(2)
    assert len(client.of(media, 16)) == 4
