"""Whatever clients say, in whatever order: never an exception, and nothing grows without bound."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from emulator_client import WHO, Client, image, lines_tape, quiet, say, tape
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.emulator.actions import Send
from pipeline.emulator.handshake import ID_KEYS
from pipeline.emulator.rules import Rules
from pipeline.emulator.stream import Stream
from pipeline.rtms.enums import EVERY_MEDIA, MediaType, StatusCode
from pipeline.tapes.lines import TapeMessage

PATHS = (None, *EVERY_MEDIA, MediaType.ALL)

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 50)
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats(allow_nan=False)
    | st.text(max_size=4)
    | st.sampled_from(["S1", "MU==", WHO.signature(), "2", "\ud800"])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
KEYS = (
    *ID_KEYS,
    "rtms_stream_id",
    "rtms_session_id",
    "signature",
    "protocol_version",
    "media_type",
    "media_params",
    "events",
    "user_id",
    "subscribe",
    "timestamp",
    "sequence",
    "buffer_data",
    "event_type",
)
GOOD: dict[str, Any] = {
    "protocol_version": 1,
    "meeting_uuid": "MU==",
    "rtms_stream_id": "S1",
    "signature": WHO.signature(),
}
EVENTS = st.lists(
    st.fixed_dictionaries({"event_type": LEAVES, "subscribe": LEAVES}) | JSON, max_size=3
)
PARAMS = st.dictionaries(
    st.sampled_from(["audio", "video", "deskshare", "transcript", "chat"]),
    st.dictionaries(
        st.sampled_from(
            ["codec", "sample_rate", "channel", "send_rate", "data_opt", "fps", "src_language"]
        ),
        LEAVES,
    )
    | JSON,
)
MESSAGES = st.builds(
    lambda kind, good, fields: {"msg_type": kind, **(GOOD if good else {}), **fields},
    st.integers(0, 30) | st.sampled_from([1, 3, 7]) | JSON,
    st.booleans(),
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(KEYS, JSON)
        | {
            "media_type": st.sampled_from([1, 2, 4, 8, 9, 16, 31, 32, 63]) | JSON,
            "events": EVENTS,
            "media_params": PARAMS,
            "user_id": st.sampled_from([1, 2, "2"]) | LEAVES,
            "subscribe": st.booleans(),
            "rtms_session_id": st.just("S1") | LEAVES,
        },
    ),
)


def raw(value: Any) -> bytes:
    return json.dumps(value).encode("ascii")  # also what msgspec would not write


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 9), MESSAGES.map(raw)),
        st.tuples(st.just("say"), st.integers(0, 9), JSON.map(raw) | st.binary(max_size=30)),
        st.tuples(st.just("open"), st.sampled_from(PATHS), st.none()),
        st.tuples(st.just("join"), st.integers(1, 63), st.none()),
        st.tuples(st.just("vanish"), st.integers(0, 9), st.none()),
        st.tuples(st.just("run"), st.sampled_from([100, 1_000, 11_000, 40_000]), st.none()),
        st.tuples(st.just("pause"), st.booleans(), st.none()),
        st.tuples(st.just("fault"), st.integers(0, 6), st.none()),
    ),
    max_size=30,
)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("anything")
    turns = [say("ada", f"turn {n}", 1.0 if n else 0.0) for n in range(10)]
    return tape(folder, *turns, {"silence": 200}, say("bob", "late", 0))


def fault(client: Client, number: int) -> None:
    stream, now = client.stream, client.now
    match number:
        case 0:
            stream.drop("media", "abrupt", now, replay=False)
        case 1:
            stream.drop("signaling", "frame", now)
        case 2:
            stream.lose("audio", 2_000, False, now)
        case 3:
            stream.failover("ws://y", now)
        case 4:
            stream.hold_pings(now + 15_000, now)
        case 5:
            stream.deny(8, "signaling", 1)
        case _:
            stream.camera(1, now % 2 == 0, now)
    client.take()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, mode=st.sampled_from(["strict", "tolerant"]), kick=st.booleans())
def test_whatever_is_said(
    spoken: Path, steps: list[tuple[str, Any, Any]], mode: Any, kick: bool
) -> None:
    client = Client(spoken, rules=Rules(mode=mode, second="kick" if kick else "refuse"))
    numbers: list[int] = []
    for what, value, data in steps:
        alive = [n for n in numbers if n not in client.ended]
        match what:
            case "open":
                numbers.append(client.connect(value))
            case "join":
                numbers += [client.signaling(), client.media(value, MediaType.ALL)]
                if numbers[-2] not in client.ended:
                    client.ready(numbers[-2])
            case "say" if alive:
                client.send(alive[value % len(alive)], data)
            case "vanish" if alive:
                number = alive[value % len(alive)]
                numbers.remove(number)
                client.vanish(number)
            case "run":
                client.run(value / 1_000, step=500)
            case "pause":
                (client.stream.pause if value else client.stream.resume)(client.now)
                client.take()
            case "fault":
                fault(client, value)
            case _:
                pass
        check(client)
    client.playback.close()


def check(client: Client) -> None:
    """What holds after every step."""
    stream = client.stream
    state = msgspec.json.decode(msgspec.json.encode(stream.describe()))
    live = [c for c in state["connections"] if c["greeted"]]
    assert sum(c["socket"] == "signaling" for c in live) <= 1
    taken = Counter(bit for c in live for bit in EVERY_MEDIA if c["media_type"] & (bit | 32))
    assert not [bit for bit, count in taken.items() if count > 1]
    assert sum(w.what == "stopped" for w in client.webhooks) == (stream.phase == "over")
    assert set(state["subscribed"]) <= set(range(15))
    assert len(stream.faults) < 40
    users = client.playback._users
    assert sum(users.values()) == sum(bool(c["media_type"] & 33) for c in live)
    assert sum(not count for count in users.values()) <= 3
    assert stream.next_at(client.now) >= client.now


WORDS = ("S1", "x" * 50, "", None, 7, [], {"a": 1})


def nagging(client: Client, signaling: int, media: int, n: int) -> None:
    """One of everything, a little different every time."""
    word = WORDS[n % len(WORDS)]
    for message in (
        {"msg_type": 5, "events": [{"event_type": n, "subscribe": True}]},
        {"msg_type": 7, "rtms_stream_id": word},
        {"msg_type": 10, "rtms_session_id": f"session {n}"},
        {"msg_type": 13, "sequence": n, "timestamp": n},
        {"msg_type": 19, "rtms_stream_id": f"stream {n}"},
        {"msg_type": 21, "rtms_stream_id": f"stream {n}"},
        {"msg_type": 28, "user_id": n, "subscribe": True},
        client.hello(1, sequence=n),
        {"msg_type": n + 30, "x": word},
    ):
        client.send(signaling, message)
        client.send(media, message)
    client.send(client.connect(), {"msg_type": 1, "rtms_stream_id": f"other {n}"})
    client.send(client.connect(MediaType.AUDIO), client.hello(3, media_type=n, media_params=word))


def sizes(value: Any, seen: set[int] | None = None) -> Iterator[int]:
    """Lengths of every container of ours that can be reached."""
    seen = seen if seen is not None else set()
    if id(value) in seen or isinstance(value, str | bytes | int | float | None):
        return
    seen.add(id(value))
    if hasattr(value, "__len__"):
        yield len(value)
    inner = list(value.values()) if isinstance(value, dict) else []
    if isinstance(value, list | tuple | set):
        inner = list(value)
    elif type(value).__module__.startswith("pipeline.emulator"):
        slots = getattr(value, "__dict__", {})
        inner = list(slots.values())
    for one in inner:
        yield from sizes(one, seen)


@pytest.mark.parametrize("mode", ["strict", "tolerant"])
def test_a_client_that_nags_fills_nothing(tmp_path: Path, mode: Any) -> None:
    rows = [image(t, t % 7 + 1) for t in range(0, 60_000, 500)]
    client = Client(lines_tape(tmp_path, *rows, quiet(100_000)), rules=Rules(mode=mode))
    signaling, media = client.join()
    totals = []
    for n in range(600):
        nagging(client, signaling, media, n)
        assert client.stream.phase == "live"
        if n in (99, 599):
            totals.append(sum(sizes(client.stream)))
    assert totals[1] <= totals[0] + 40
    assert client.stream.drain() == []


def test_deep_and_huge_json(spoken: Path) -> None:
    client = Client(spoken)
    signaling, _ = client.join()
    for data in (
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 100_000,
        b'{"msg_type":1e400}',
        b'{"msg_type":' + b"9" * 400 + b"}",
        b'{"msg_type":19,"rtms_stream_id":"' + b"x" * 1_000_000 + b'"}',
        b'{"msg_type":28,"subscribe":true,"user_id":' + b"9" * 300 + b"}",
        b'{"msg_type":19,"rtms_stream_id":"\\ud800"}',
    ):
        client.send(signaling, data)
        number = client.connect()
        client.send(number, data)
        assert client.status(number) in set(StatusCode)
    assert client.stream.phase == "live"
    assert max(len(str(m)) for m in client.got[signaling]) < 2_000


def test_nothing_is_sent_before_the_handshake(spoken: Path) -> None:
    client = Client(spoken)
    client.join()
    for path in PATHS:
        client.connect(path)
    client.run(50)
    assert all(not client.got[n] for n in client.got if n > 2)


def test_actions_are_for_connections_that_are_there(spoken: Path) -> None:
    client = Client(spoken)
    client.send(99, {"msg_type": 1})
    client.vanish(99)
    assert client.stream.drain() == []


# -- tapes -------------------------------------------------------------------------------------

SAID = st.builds(
    lambda t, socket, kind, fields: (t, socket, {"msg_type": kind, **fields}),
    st.integers(0, 20_000),
    st.sampled_from(["signaling", "audio", "video", "deskshare", "transcript", "chat", "all"]),
    st.sampled_from([*range(5, 30), 99]) | JSON,
    st.fixed_dictionaries(
        {},
        optional={
            "event": JSON
            | st.fixed_dictionaries(
                {"event_type": st.integers(0, 15) | JSON},
                optional={
                    "participants": st.lists(
                        st.fixed_dictionaries({"user_id": LEAVES}) | JSON, max_size=3
                    ),
                    "user_id": LEAVES,
                    "timestamp": LEAVES,
                },
            ),
            "content": JSON | st.fixed_dictionaries({"user_id": LEAVES, "data": JSON}),
            "state": st.integers(0, 7) | JSON,
            "reason": st.integers(0, 30) | JSON,
            "rtms_session_id": st.sampled_from(["S1", "x"]) | JSON,
            "rtms_stream_id": JSON,
        },
    ),
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    said=st.lists(SAID, max_size=12), form=st.sampled_from(["object", "flat"]), loop=st.booleans()
)
def test_whatever_a_recorded_tape_says(
    tmp_path: Path, said: list[tuple[int, Any, Any]], form: Any, loop: bool
) -> None:
    rows = [TapeMessage(t=t, socket=socket, msg=msgspec.Raw(raw(m))) for t, socket, m in said]
    path = lines_tape(tmp_path, *rows, quiet(21_000), version=2)
    whole = b"".join(bytes(row.msg) for row in rows)
    assume(b"ud800" not in whole and b"Infinity" not in whole)  # no JSON: the reader says so
    client = Client(path, loop=loop, media_form=form)
    client.got.setdefault(0, [])
    signaling = client.signaling()
    for media in EVERY_MEDIA:
        client.media(int(media), video={"data_opt": 4 if loop else 3})
    client.ready(signaling)
    client.subscribe(signaling, *range(15))
    client.run(30, step=500)
    assert client.stream.phase == ("live" if loop else "over") or client.stream.stopped is not None
    client.playback.close()


# -- many at once ------------------------------------------------------------------------------


def test_streams_share_a_playback_and_their_payloads(spoken: Path) -> None:
    """Advanced one after the other within a step, each gets everything once and in order."""
    first = Client(spoken)
    playback = first.playback
    streams = [first.stream, *(Stream(WHO, playback, base=f"ws://x/{n}") for n in (2, 3))]
    sent: list[list[bytes]] = [[], [], []]
    hello = {**GOOD, "msg_type": 1}
    for stream in streams:
        stream.opened(1, None)
        stream.received(1, raw(hello), 0)
        stream.opened(2, MediaType.ALL)
        stream.received(2, raw({**hello, "msg_type": 3, "media_type": 32}), 0)
        stream.received(1, raw({"msg_type": 7}), 0)
        stream.received(
            1, raw({"msg_type": 5, "events": [{"event_type": 2, "subscribe": True}]}), 0
        )
        stream.drain()
    late: list[Any] = []
    for now in range(0, 9_000, 20):
        due = playback.advance(now)
        late += due
        for n, stream in enumerate(streams):
            if n == 2 and now % 100:
                continue  # this one comes to its turn more seldom
            stream.advance(now, late if n == 2 else due)
            sent[n] += [
                a.payload for a in stream.drain() if isinstance(a, Send) and a.kind == "audio"
            ]
        if not now % 100:
            late = []
    assert len(sent[0]) > 100
    assert all(a is b for a, b in zip(sent[0], sent[1], strict=True))
    assert all(a is b for a, b in zip(sent[0], sent[2], strict=False))
    assert len(sent[2]) >= len(sent[0]) - 5
    assert streams[0].sent["event"] == streams[1].sent["event"] == streams[2].sent["event"]
    playback.close()
