"""The stream as Zoom runs it, without sockets: messages and time in, actions out."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest
from emulator_client import Client, say, tape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.base.secret import Secret
from pipeline.emulator.actions import Abort, Close, Notify
from pipeline.emulator.handshake import Identity
from pipeline.rtms.enums import EVERY_MEDIA, MediaType, StopReason


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    turns = [say("ada", f"turn {n}", 1.0 if n else 0.0) for n in range(10)]
    return tape(tmp_path, *turns, {"silence": 200}, say("bob", "late", 0))


# -- handshakes and the one-connection rule ----------------------------------------------------


def test_a_client_joins_and_hears(plain: Path) -> None:
    client = Client(plain)
    signaling, media = client.join()
    first = client.got[signaling][0]
    assert first["status_code"] == 0
    assert set(first["media_server"]["server_urls"]) == {
        "audio",
        "video",
        "deskshare",
        "transcript",
        "chat",
        "all",
    }
    answer = client.got[media][0]
    assert answer["payload_encrypted"] is False
    assert answer["media_params"]["audio"]["send_rate"] == 100
    states = [(m["msg_type"], m["state"]) for m in client.got[signaling] if "state" in m]
    assert states == [(9, 2), (8, 1)]
    client.run(6)
    assert client.texts(media) == ["turn 0"]
    assert client.stamps(media)[0] == 2400
    assert client.events(signaling, 1)[0]["timestamp"] == client.playback.header.start_ms + 2400
    people = client.events(signaling, 3)[0]["participants"]
    assert [p["user_name"] for p in people] == ["Ada", "Bob"]


def test_only_scopes_are_offered(plain: Path) -> None:
    poor = Identity("MU==", "S1", "cid", Secret("csec"), frozenset({MediaType.TRANSCRIPT}))
    client = Client(plain, poor)
    signaling = client.signaling()
    urls = client.got[signaling][0]["media_server"]["server_urls"]
    assert list(urls) == ["transcript", "all"]
    assert client.status(client.media(1, MediaType.ALL)) == 9
    media = client.media(32)
    client.ready(signaling)
    client.run(8)
    assert client.texts(media) == ["turn 0", "turn 1"]
    assert client.of(media, 14) == []


def test_a_refusal_is_answered_and_closed(plain: Path) -> None:
    client = Client(plain)
    number = client.connect()
    client.send(number, client.hello(1, signature="0" * 64))
    (answer,) = client.got[number]
    assert (answer["msg_type"], answer["status_code"]) == (2, 3)
    assert "media_server" not in answer
    assert client.ended == {number: Close(number, 1000)}
    assert client.stream.phase == "announced"


def test_a_second_signaling_is_refused_until_the_first_is_gone(plain: Path) -> None:
    client = Client(plain)
    first = client.signaling()
    second = client.signaling()
    assert client.status(second) == 8
    client.vanish(second)  # its own end changes nothing
    assert client.stream.phase == "live"
    client.vanish(first)
    assert client.status(client.signaling()) == 0


def test_media_needs_signaling(plain: Path) -> None:
    client = Client(plain)
    assert client.status(client.media()) == 2


def test_media_types_are_connected_once(plain: Path) -> None:
    client = Client(plain)
    client.signaling()
    assert client.status(client.media(1)) == 0
    assert client.status(client.media(1)) == 16
    assert client.status(client.media(32)) == 15
    assert client.status(client.media(8)) == 0


@pytest.mark.parametrize("data", [b"\xff\xfe", "", "[]", "7", '{"msg_type":99}', "{", b"{}"])
def test_nonsense_before_the_handshake(plain: Path, data: bytes | str) -> None:
    client = Client(plain)
    for path in (None, MediaType.AUDIO):
        number = client.connect(path)
        client.send(number, data)
        assert client.got[number][0]["msg_type"] == (2 if path is None else 4)
        assert client.status(number) == 1
        assert number in client.ended


@pytest.mark.parametrize("data", [b"\xff", "[]", '{"msg_type":99}', '{"msg_type":14}', "{"])
def test_nonsense_after_the_handshake_is_counted(plain: Path, data: bytes | str) -> None:
    client = Client(plain)
    signaling, media = client.join()
    client.send(signaling, data)
    client.send(media, data)
    assert sum(client.stream.faults.values()) == 2
    assert client.ended == {}
    client.run(6)
    assert client.texts(media) == ["turn 0"]


# -- readiness, buffer, subscriptions ----------------------------------------------------------


def test_nothing_flows_before_ready(plain: Path) -> None:
    client = Client(plain)
    signaling = client.signaling()
    client.send(signaling, {"msg_type": 7, "rtms_stream_id": "S1"})  # before any media
    assert client.stream.faults["ready_ack_before_media"] == 1
    media = client.media()
    client.run(6)
    assert [m["msg_type"] for m in client.got[media]] == [4]
    client.ready(signaling)
    assert client.texts(media) == ["turn 0"]  # at once, as a burst
    assert client.stamps(media)[0] == 2400


def test_what_was_said_before_the_client_came_is_buffered(plain: Path) -> None:
    early = Client(plain)
    _, media = early.join()
    early.run(12)
    late = Client(plain)
    late.run(8)
    signaling, other = late.join()
    assert len(late.of(other, 14)) > 20
    late.run(4)
    assert late.stamps(other) == early.stamps(media)
    assert late.texts(other) == early.texts(media)
    assert late.events(signaling, 3)[0]["participants"]
    assert len(late.events(signaling, 1)) == 1


def test_the_buffer_holds_a_minute(tmp_path: Path) -> None:
    path = tape(tmp_path, say("ada", "old"), {"silence": 50}, say("ada", "new", 0), {"silence": 30})
    client = Client(path, connect=90_000)
    client.run(66)
    _, media = client.join()
    assert client.texts(media) == ["new"]
    assert min(client.stamps(media)) > 4_000


def test_buffer_data_false_drops_it(plain: Path) -> None:
    client = Client(plain)
    client.run(8)
    signaling = client.signaling(buffer_data=False)
    media = client.media()
    client.ready(signaling)
    assert client.of(media, 14) == []
    client.run(3)
    assert client.texts(media) == ["turn 2", "turn 3"]


def test_buffer_data_false_is_about_the_start_only(plain: Path) -> None:
    client = Client(plain)
    client.run(5)
    signaling = client.signaling(buffer_data=False)
    first = client.media()
    client.ready(signaling)
    client.run(3)
    client.vanish(signaling)
    client.run(4)
    again = client.signaling(buffer_data=False)
    second = client.media()
    client.ready(again)
    stamps = client.stamps(first) + client.stamps(second)
    assert min(stamps) > 4_800
    gaps = [b - a for a, b in itertools.pairwise(stamps)]
    assert max(gaps) < 1_000
    assert len(client.stamps(second)) > 20  # the burst


def test_a_minute_is_kept_after_a_loss_too(tmp_path: Path) -> None:
    turns = [say("ada", f"turn {n}", 1.0 if n else 0.0) for n in range(70)]
    client = Client(tape(tmp_path, *turns), media=200_000)
    _, media = client.join()
    client.run(10)
    client.vanish(media)
    client.run(100)
    back = client.media()
    burst = client.stamps(back)
    assert 49_000 < min(burst) <= 51_500
    assert max(burst) > 108_000


def test_events_are_filtered_by_subscription(plain: Path) -> None:
    client = Client(plain)
    signaling = client.signaling()
    client.media()
    client.send(signaling, {"msg_type": 7, "rtms_stream_id": "S1"})
    client.run(4)
    assert [m["event"]["event_type"] for m in client.of(signaling, 6)] == [1]
    client.send(signaling, {"msg_type": 5, "events": [{"event_type": 2, "subscribe": True}]})
    client.run(2)
    assert client.events(signaling, 2) == []  # Ada goes on speaking: no change
    client.send(signaling, {"msg_type": 5, "events": [{"event_type": 2, "subscribe": False}]})
    client.run(300)
    assert client.events(signaling, 2) == []
    assert client.events(signaling, 4) == []


@pytest.mark.parametrize(
    ("events", "fault"),
    [
        (None, "subscription_5_invalid_events"),
        (1, "subscription_5_invalid_events"),
        ([1], "subscription_6_invalid_event_type"),
        ([{}], "subscription_6_invalid_event_type"),
        ([{"event_type": "2", "subscribe": True}], "subscription_6_invalid_event_type"),
        ([{"event_type": 77, "subscribe": True}], "subscription_6_invalid_event_type"),
        ([{"event_type": 2}], "subscription_42_invalid_event_subscribe"),
        ([{"event_type": 2, "subscribe": 1}], "subscription_42_invalid_event_subscribe"),
    ],
)
def test_bad_subscriptions_are_counted(plain: Path, events: object, fault: str) -> None:
    client = Client(plain)
    signaling = client.signaling()
    client.send(signaling, {"msg_type": 5, "events": events})
    assert client.stream.faults == {fault: 1}
    assert client.ended == {}
    assert len(client.got[signaling]) == 1


def test_split_sockets_carry_one_media_each(plain: Path) -> None:
    client = Client(plain)
    signaling = client.signaling()
    audio, words = client.media(1), client.media(8)
    client.ready(signaling)
    client.run(6)
    assert {m["msg_type"] for m in client.got[audio]} == {4, 14}
    assert {m["msg_type"] for m in client.got[words]} == {4, 17}


# -- keep-alives ---------------------------------------------------------------------------


def test_keep_alives_on_every_socket(plain: Path) -> None:
    client = Client(plain)
    numbers = client.join()
    client.run(35)
    for number in numbers:
        pings = client.of(number, 12)
        assert [p["sequence"] for p in pings] == [1, 2, 3]
        start = client.playback.header.start_ms
        assert [p["timestamp"] - start for p in pings] == [10_000, 20_000, 30_000]


def test_a_client_that_does_not_answer_is_lost(plain: Path) -> None:
    client = Client(plain)
    signaling, media = client.join()
    client.answers = False
    client.run(39)
    assert client.ended == {}
    client.run(2)
    assert client.ended == {signaling: Abort(signaling), media: Abort(media)}
    assert [w.what for w in client.webhooks] == ["interrupted"]
    client.run(58)
    assert client.stream.phase == "interrupted"
    client.run(2)
    assert client.webhooks[-1] == Notify("stopped", client.webhooks[-1].at, StopReason(24))
    assert client.stream.phase == "over"


# -- losses --------------------------------------------------------------------------------


def lossy(folder: Path, **lost: object) -> Path:
    return tape(
        folder,
        say("ada", "before", 0),
        {"lost": 8, "media": "all", **lost},
        say("bob", "inside", 1.0),
        say("ada", "after", 12.0),
        {"silence": 100},
    )


def test_a_loss_that_is_not_replayed(tmp_path: Path) -> None:
    client = Client(lossy(tmp_path))
    signaling, media = client.join()
    client.run(6)
    assert client.ended == {media: Abort(media)}
    event = client.events(signaling, 7)[0]
    assert event["media_type"] == 32
    lost_at = event["timestamp"] - client.playback.header.start_ms
    states = [(m["state"], m["reason"]) for m in client.of(signaling, 8)]
    assert states == [(1, 0), (2, 14)]
    client.run(6)
    assert client.stream.refuses(MediaType.ALL, client.now)
    assert client.stream.refuses(MediaType.AUDIO, client.now)
    client.run(3)
    assert not client.stream.refuses(MediaType.ALL, client.now)
    back = client.media()
    client.send(signaling, {"msg_type": 7, "rtms_stream_id": "S1"})
    assert [(m["state"], m["reason"]) for m in client.of(signaling, 8)][-1] == (1, 0)
    assert client.of(back, 14) == []
    client.run(15)
    assert client.texts(media) + client.texts(back) == ["before", "after"]
    heard = client.stamps(media) + client.stamps(back)
    assert not [s for s in heard if lost_at <= s < lost_at + 8_000]
    assert max(client.stamps(back)) > lost_at + 12_000


def test_a_loss_that_is_replayed_loses_nothing(tmp_path: Path) -> None:
    undisturbed = Client(lossy(tmp_path, lost=0.001, replay=True))
    _, whole = undisturbed.join()
    undisturbed.vanish(whole)  # keep only what the tape holds
    again = undisturbed.media()
    undisturbed.run(40)
    client = Client(lossy(tmp_path, replay=True))
    signaling, media = client.join()
    client.run(14.5)
    back = client.media()
    assert len(client.of(back, 14)) > 10  # the burst
    client.run(26)
    stamps = client.stamps(media) + client.stamps(back)
    expected = {m["content"]["timestamp"] for m in undisturbed.of(again, 14)}
    assert len(stamps) == len(set(stamps))
    assert client.texts(media) + client.texts(back) == ["before", "inside", "after"]
    assert expected <= {s + client.playback.header.start_ms for s in stamps}
    assert client.of(signaling, 8)[-1]["state"] == 1


def test_a_client_that_drops_its_media_socket(plain: Path) -> None:
    client = Client(plain)
    signaling, media = client.join()
    client.run(8)
    client.vanish(media)
    assert client.events(signaling, 7)[0]["media_type"] == 32
    client.run(5)
    back = client.media()  # no new ready ack is needed for it to be served
    assert client.texts(media) == ["turn 0", "turn 1"]
    client.run(40)
    stamps = client.stamps(media) + client.stamps(back)
    assert len(stamps) == len(set(stamps))
    assert client.texts(media) + client.texts(back) == [f"turn {n}" for n in range(10)]


def test_media_that_does_not_return_ends_the_stream(plain: Path) -> None:
    client = Client(plain)
    signaling, media = client.join()
    client.vanish(media)
    client.run(64)
    assert client.stream.phase == "live"
    client.run(2)
    assert client.stream.stopped is StopReason.AWAIT_RECONNECTION_TIMEOUT
    assert client.of(signaling, 8)[-1]["state"] == 4
    assert client.webhooks[-1].reason == 19


def test_one_of_two_sockets_lost(plain: Path) -> None:
    client = Client(plain)
    signaling = client.signaling()
    audio, words = client.media(1), client.media(8)
    client.ready(signaling)
    client.vanish(audio)
    client.vanish(words)
    assert [e["media_type"] for e in client.events(signaling, 7)] == [1, 8]
    assert [m["state"] for m in client.of(signaling, 8)] == [1, 2]
    client.media(1)
    assert [m["state"] for m in client.of(signaling, 8)] == [1, 2]
    client.media(8)
    assert [m["state"] for m in client.of(signaling, 8)] == [1, 2, 1]


def test_a_killed_client_comes_back_and_misses_nothing(plain: Path) -> None:
    client = Client(plain)
    signaling, media = client.join()
    client.run(9)
    client.vanish(media)
    client.vanish(signaling)
    assert [w.what for w in client.webhooks] == ["interrupted"]
    client.run(20)
    again, back = client.join()
    assert client.stream.phase == "live"
    heard = client.texts(media) + client.texts(back)
    assert heard == [f"turn {n}" for n in range(10)]
    assert client.events(again, 1)
    assert client.events(again, 3)[0]["participants"]
    client.run(5)
    stamps = client.stamps(media) + client.stamps(back)
    assert len(stamps) == len(set(stamps))
    assert max(b - a for a, b in zip(sorted(stamps), sorted(stamps)[1:], strict=False)) < 1_000
    assert [w.what for w in client.webhooks] == ["interrupted"]


def test_another_format_after_a_loss_gets_the_rest(plain: Path) -> None:
    client = Client(plain)
    _, media = client.join()
    client.run(9)
    client.vanish(media)
    client.run(3)
    back = client.media(32, None, send_rate=20, sample_rate=3)
    client.run(3)
    assert len(client.of(back, 14)) > 50
    assert min(client.stamps(back)) >= max(client.stamps(media))
    heard = client.texts(media) + client.texts(back)
    assert heard == [f"turn {n}" for n in range(len(heard))]
    assert len(heard) >= 5


def test_nobody_comes_at_all(plain: Path) -> None:
    client = Client(plain)
    client.run(59)
    assert client.webhooks == []
    client.run(2)
    assert client.webhooks == [Notify("stopped", client.webhooks[0].at, StopReason(11))]


def test_nobody_comes_back(plain: Path) -> None:
    client = Client(plain)
    signaling, _ = client.join()
    client.vanish(signaling)
    client.run(59)
    assert client.stream.phase == "interrupted"
    client.run(2)
    assert client.webhooks[-1].reason == 19
    assert client.status(client.signaling()) == 2
    assert client.stream.phase == "over"


# -- the end -------------------------------------------------------------------------------


def test_the_end_is_told_in_order(tmp_path: Path) -> None:
    client = Client(tape(tmp_path, say("ada", "short")))
    signaling, media = client.join()
    client.run(20)
    assert client.texts(media) == ["short"]
    assert len(client.events(signaling, 4)) == 2
    last = client.got[signaling][-2:]
    assert [(m["msg_type"], m["state"], m["reason"]) for m in last] == [(9, 5, 6), (8, 4, 6)]
    assert last[0]["stop_reason"] == 6
    assert client.ended == {signaling: Close(signaling), media: Close(media)}
    assert list(client.ended) == [media, signaling]
    assert [(w.what, w.reason) for w in client.webhooks] == [("stopped", 6)]
    assert client.stream.told_in_band


def test_stopping_from_outside(plain: Path) -> None:
    client = Client(plain)
    client.join()
    client.stream.finish(StopReason.HOST_TRIGGERED, 5)
    client.stream.finish(StopReason.MEETING_ENDED, 6)
    client.take()
    assert [(w.what, w.reason) for w in client.webhooks] == [("stopped", 1)]


def test_the_state_is_plain_json(plain: Path) -> None:
    client = Client(plain)
    client.join()
    client.run(6)
    state = msgspec.json.decode(msgspec.json.encode(client.stream.describe()))
    assert state["phase"] == "live"
    assert state["present"][0]["user_name"] == "Ada"
    assert [c["socket"] for c in state["connections"]] == ["signaling", "all"]
    assert state["sent"]["transcript"] == 1


# -- anything at all -----------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.sampled_from([0.1, 1.0, 7.0, 31.0])),
        st.tuples(st.just("signaling"), st.none()),
        st.tuples(st.just("media"), st.sampled_from([1, 8, 9, 16, 32, 33])),
        st.tuples(st.just("ready"), st.none()),
        st.tuples(st.just("vanish"), st.integers(0, 5)),
        st.tuples(st.just("garbage"), st.binary(max_size=20)),
    ),
    max_size=25,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_whatever_a_client_does(plain: Path, steps: list[tuple[str, Any]]) -> None:
    """Never an exception, never a message after the end, never a packet twice, one signaling."""
    client = Client(plain)
    open_: list[int] = []
    for what, value in steps:
        alive = [n for n in open_ if n not in client.ended]
        match what:
            case "run":
                client.run(value, step=500)
            case "signaling":
                open_.append(client.signaling())
            case "media":
                open_.append(client.media(value, MediaType.ALL))
            case "ready":
                for number in alive:
                    client.send(number, {"msg_type": 7, "rtms_stream_id": "S1"})
            case "vanish" if alive:
                number = alive[value % len(alive)]
                open_.remove(number)
                client.vanish(number)
            case "garbage" if alive:
                client.send(alive[0], value)
            case _:
                pass
        live = client.stream.describe()["connections"]
        assert sum(c["socket"] == "signaling" and c["greeted"] for c in live) <= 1
    keys = [
        (m["content"]["user_id"], m["content"]["timestamp"])
        for messages in client.got.values()
        for m in messages
        if m["msg_type"] == 14
    ]
    assert len(keys) == len(set(keys))
    stopped = [w for w in client.webhooks if w.what == "stopped"]
    assert len(stopped) == (client.stream.phase == "over")
    client.playback.close()


def test_every_media_can_be_asked_for(plain: Path) -> None:
    client = Client(plain)
    client.signaling()
    for media in EVERY_MEDIA:
        assert client.status(client.media(int(media))) == 0
