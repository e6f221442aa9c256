"""Whatever a peer sends, nothing raises and nothing grows; one connection at a time."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipeline.base import metrics
from pipeline.base.clock import ManualClock
from pipeline.base.secret import Secret
from pipeline.rtms import messages as m
from pipeline.rtms.effects import Send
from pipeline.rtms.enums import MediaType
from pipeline.rtms.greeting import wanted_params
from pipeline.rtms.media import Media
from pipeline.rtms.moments import EARLIEST_MS, LATEST_MS
from pipeline.rtms.orders import Close, Open, Order, Phase
from pipeline.rtms.outputs import (
    AudioFormat,
    ConnectionBack,
    ConnectionLost,
    ImageFormat,
    ProtocolFault,
    StreamLive,
    TranscriptReceived,
)
from pipeline.rtms.products import EVENT_NAMES, payload_fields, url_list
from pipeline.rtms.recovery import Recovery
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.signaling import Signaling
from pipeline.rtms.signature import webhook_signature
from pipeline.rtms.standing import Standing
from pipeline.rtms.tally import KINDS, TOLD
from pipeline.rtms.timing import Timing
from pipeline.rtms.webhook import _Listener

T0 = 1_790_000_000_000
TIMING = Timing.of(RtmsSettings())

scalars = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["AAA=", "AAA", "ws://x", "1790000000000", "STOP_BC_MEETING_ENDED", "7"])
)
names = st.sampled_from(
    [
        *("event_code", "chat_groups", "members_update_list", "receiver", "parent_message_id"),
        *("interpreter", "subscribe", "video", "deskshare", "transcript", "fps", "resolution"),
        *("msg_type", "content", "event", "data", "user_id", "user_name", "timestamp", "length"),
        *("event_type", "participants", "participant_info", "state", "reason", "stop_reason"),
        *("status_code", "status", "media_server", "server_urls", "media_params", "audio", "codec"),
        *("sequence", "channel_id", "start_time", "end_time", "attribute", "language", "text"),
        *("message_id", "operation_type", "sender", "files", "chat_session", "media_type"),
        *("rtms_session_id", "data_opt", "channel", "sample_rate", "delete_file_id_list", "all"),
    ]
) | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=8),
    max_leaves=20,
)
typed = st.builds(
    lambda kind, fields: {**fields, "msg_type": kind},
    st.integers(0, 31),
    st.dictionaries(names, values, max_size=8),
)
_WHO = {"user_id": 5, "user_name": "Ada", "timestamp": T0}
_BYTES = {**_WHO, "data": "AAABAAIA", "length": 6}
_CHAT = {
    "data": "hi",
    "message_id": "m1",
    "operation_type": 1,
    "parent_message_id": "m0",
    "sender": {"user_id": 5, "user_name": "Ada"},
    "receiver": {"user_id": 6, "user_name": "Bo"},
    "chat_session": {"type": 3, "id": "g"},
    "files": [{"file_id": "f", "file_name": "a", "file_size": 9}],
    "delete_file_id_list": ["f"],
}
_CALLER = {"channel_id": "c1", "user_id": "u1", "display_name": "Cy", "participant_mode": "caller"}
_PARAMS = {
    "audio": {"content_type": 2, "sample_rate": 1, "channel": 1, "codec": 1, "data_opt": 2},
    "video": {"content_type": 3, "codec": 5, "resolution": 2, "fps": 5, "data_opt": 3},
    "deskshare": {"content_type": 3, "codec": 5, "resolution": 3, "fps": 1},
    "transcript": {"content_type": 5, "src_language": 9, "enable_lid": True},
    "chat": {"content_type": 5},
}
GOOD: list[dict[str, Any]] = [
    {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": {"all": "ws://m"}}},
    {"msg_type": 4, "status_code": 0, "payload_encrypted": False, "media_params": _PARAMS},
    *(
        {"msg_type": 6, "event": {"event_type": n, "participants": [_WHO], **_WHO}}
        for n in range(1, 10)
    ),
    *(
        {"msg_type": 6, "event": {"event_type": n, "timestamp": T0, "chat_groups": [{"id": 1}]}}
        for n in range(10, 15)
    ),
    *(
        {"msg_type": 6, "event": {"event_type": n, "event_ts": T0, "participant_info": _CALLER}}
        for n in range(8, 36)
    ),
    *({"msg_type": 8, "state": n, "reason": 6, "timestamp": T0} for n in range(7)),
    *({"msg_type": 9, "rtms_session_id": "a", "state": n, "timestamp": T0} for n in range(6)),
    {"msg_type": 11, "rtms_session_id": "a", "state": 3, "timestamp": T0, "status_code": 0},
    {"msg_type": 12, "sequence": 7, "timestamp": T0},
    *({"msg_type": n, "content": _BYTES} for n in (14, 15, 16)),
    {"msg_type": 17, "content": {**_WHO, "data": "hi", "start_time": T0, "end_time": T0 + 1}},
    {"msg_type": 18, "content": {"timestamp": T0, "data": _CHAT}},
    {"msg_type": 18, "content": {"timestamp": T0, "data": json.dumps(_CHAT)}},
    {"msg_type": 20, "rtms_stream_id": "S1", "state": 5, "timestamp": T0},
    {"msg_type": 22, "rtms_stream_id": "S1", "status_code": 0, "reason": "", "timestamp": T0},
    {"msg_type": 23, "interpreter": {"target": [{"language": 9}]}, "timestamp": T0},
    *({"msg_type": n, "content": {}} for n in range(24, 28)),
    {"msg_type": 29, "user_id": 5, "status_code": 0, "reason": "OK", "timestamp": T0},
]
"""Every message a server sends, in the documented shape."""


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good message with a few of its fields, at any depth, missing or something else."""
    message = json.loads(json.dumps(draw(st.sampled_from(GOOD))))
    for _ in range(draw(st.integers(0, 3))):
        at: Any = message
        while isinstance(at, dict | list) and at:
            keys = sorted(at) if isinstance(at, dict) else range(len(at))
            key = draw(st.sampled_from(keys))
            if isinstance(at[key], dict | list) and at[key] and draw(st.booleans()):
                at = at[key]
                continue
            if isinstance(at, dict) and draw(st.booleans()):
                del at[key]
            else:
                at[key] = draw(values)
            break
    return json.dumps(message)


frames = (
    mutated()
    | st.binary(max_size=200)
    | st.text(max_size=100)
    | typed.map(json.dumps)
    | values.map(json.dumps)
)
products = st.sampled_from(["meeting", "webinar", "session", "contact_center", "phone"])
asking = st.sampled_from(
    [
        RtmsSettings(),
        RtmsSettings(channels=2, mixed=True, video="individual", video_codec="H264"),
        RtmsSettings(codec="OPUS", sample_rate=48000, content_type="rtp", language="de"),
        RtmsSettings(codec="G711", sample_rate=8000, content_type="rtp", share_codec="H264"),
    ]
)


def signaling(product: Any, ready: bool) -> Signaling:
    machine = Signaling(
        m.SignalingRequest(),
        product=product,
        start_ms=T0,
        standing=Standing(),
        now=0.0,
        timing=TIMING,
    )
    machine.ready = ready
    return machine


def media(ready: bool, asked: RtmsSettings | None = None) -> Media:
    wanted = MediaType.ALL
    machine = Media(
        "all",
        m.MediaRequest(media_params=wanted_params(wanted, asked or RtmsSettings())),
        start_ms=T0,
        standing=Standing(),
        now=0.0,
        timing=TIMING,
    )
    machine.ready = ready
    return machine


@settings(max_examples=400, deadline=None)
@given(frames)
def test_decode_never_raises(frame: bytes | str) -> None:
    found = m.decode(frame)
    if isinstance(found, m.Unreadable):
        assert len(found.detail) < 300


def fits_everywhere(value: Any) -> bool:
    """Numbers of 64 bits and texts that can be written: no output breaks who stores it."""
    if isinstance(value, dict):
        return all(fits_everywhere(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return all(fits_everywhere(inner) for inner in value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return not isinstance(value, str) or value.encode() is not None


def check(effect: Any) -> None:
    """What holds for everything that comes out."""
    msgspec.json.encode(effect)
    if isinstance(effect, Send):
        m.encode(effect.message)
        return
    fields = msgspec.structs.asdict(effect)
    assert fits_everywhere(fields)
    for name, value in fields.items():
        if name in ("at_ms", "timestamp_ms", "start_ms", "end_ms"):
            assert EARLIEST_MS <= value < LATEST_MS
        if name in ("raw", "sample"):
            assert len(value) <= 64 * 1024
    if isinstance(effect, TranscriptReceived):
        assert effect.start_ms <= effect.end_ms
    if isinstance(effect, AudioFormat):
        assert 0 < effect.send_rate_ms <= 60_000
    if isinstance(effect, ImageFormat):
        assert 0 < effect.fps <= 1000


@settings(max_examples=600, deadline=None)
@given(st.lists(frames, max_size=6), st.booleans(), products, asking)
def test_machines_never_raise_and_give_a_bounded_answer(
    received: list[bytes | str], ready: bool, product: Any, asked: RtmsSettings
) -> None:
    for machine in (signaling(product, ready), media(ready, asked)):
        for frame in received:
            effects = machine.receive(frame, 1.0)
            assert len(effects) <= 40
            for effect in effects:
                check(effect)


@pytest.mark.parametrize("product", ["meeting", "contact_center"])
def test_every_good_message_means_something_on_its_socket(product: Any) -> None:
    """So that the fuzzing starts from messages the machines really understand."""
    for good in GOOD:
        frame = json.dumps(good)
        ready = good["msg_type"] not in (2, 4)
        found = [signaling(product, ready).receive(frame, 1.0), media(ready).receive(frame, 1.0)]
        kinds = [{e.reason for e in effects if isinstance(e, ProtocolFault)} for effects in found]
        strange = {"reserved_type", "unknown_event"}
        assert any(kind <= strange for kind in kinds), (good, kinds)


def test_a_flood_of_new_types_and_faults_makes_nothing_grow() -> None:
    machine = signaling("contact_center", True)
    standing = machine._standing
    told = 0
    before = len(list(metrics.PROTOCOL_ERRORS.collect()[0].samples))
    for number in range(5_000):
        frame = json.dumps({"msg_type": 1000 + number})
        told += len(machine.receive(frame, 1.0))
        told += len(machine.receive(b"{%d" % number, 1.0))
        state = {"msg_type": 9, "rtms_session_id": str(number), "state": 2, "timestamp": 1}
        machine.receive(json.dumps(state), 1.0)
        caller = {"channel_id": f"c{number}", "user_id": f"u{number}", "display_name": "x"}
        for kind in (8, 100 + number):
            event = {"event_type": kind, "event_ts": T0, "participant_info": caller}
            machine.receive(json.dumps({"msg_type": 6, "event": event}), 1.0)
    assert told == KINDS // 2 + TOLD, "types and events share the places"
    assert len(machine.tally._types) <= 4
    assert len(machine.tally._strange) == KINDS
    assert len(machine.tally._faults) <= 3
    assert len(standing.sessions()) <= 1_000
    assert len(machine._happenings._channels) <= 1_000
    after = len(list(metrics.PROTOCOL_ERRORS.collect()[0].samples))
    assert after - before <= 8, "labels do not come from a peer"


@given(values)
def test_webhook_fields_and_urls_never_raise(value: Any) -> None:
    payload_fields({"payload": value})
    assert all(url.lower().startswith(("ws://", "wss://")) for url in url_list(value))


webhook_names = st.sampled_from(
    [
        *("event", "event_ts", "payload", "object", "plainToken", "meeting_uuid", "stop_reason"),
        *("rtms_stream_id", "server_urls", "signaling", "topic", "engagement_id"),
    ]
)
webhooks = st.builds(
    lambda event, fields: json.dumps({**fields, "event": event}).encode(),
    st.sampled_from([*EVENT_NAMES, "endpoint.url_validation", "rtms.concurrency_limited", "?"]),
    st.dictionaries(webhook_names, st.dictionaries(webhook_names, values) | values, max_size=5),
)


@settings(max_examples=300, deadline=None)
@given(webhooks | st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
def test_any_signed_webhook_is_answered(body: bytes) -> None:
    listener = _Listener(Secret("tok"), ManualClock(T0), lambda notice: None)
    at = str(T0 // 1000)
    reply = listener._judge(body, webhook_signature(Secret("tok"), at, body), at)
    assert reply.status in (200, 400)
    assert "\n" not in reply.text


class Connections(RuleBasedStateMachine):
    """Any order of happenings: never two connections, every loss told once and taken back once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.recovery = Recovery(
            product="meeting",
            stream="S1",
            urls=["ws://s"],
            media=MediaType.AUDIO | MediaType.TRANSCRIPT,
            layout="split",
            timing=TIMING,
            rng=random.Random(0),
        )
        self.opening: set[str] = set()
        self.up: set[str] = set()
        self.lost: set[str] = set()
        self.live = False
        self.over_by: float | None = None
        self.obey(self.recovery.start(self.now))

    def obey(self, orders: list[Order]) -> None:
        for order in orders:
            if isinstance(order, Close):
                self.opening.discard(order.socket)
                self.up.discard(order.socket)
            elif isinstance(order, Open):
                assert order.socket not in self.opening | self.up, "a second live connection"
                if order.socket == "signaling":
                    assert not self.up | self.opening, "media from before is still there"
                else:
                    assert "signaling" in self.up, "media without signaling"
                self.opening.add(order.socket)
            elif isinstance(order, ConnectionLost):
                assert order.media not in self.lost, "lost twice"
                self.lost.add(order.media)
            elif isinstance(order, ConnectionBack):
                assert order.media in self.lost, "back without having been lost"
                self.lost.discard(order.media)
            elif isinstance(order, StreamLive):
                self.live = True
            elif isinstance(order, ProtocolFault):
                assert order.detail

    def one(self, data: Any, names: set[str]) -> str:
        return str(data.draw(st.sampled_from(sorted(names))))

    @precondition(lambda self: self.opening)
    @rule(data=st.data())
    def succeeds(self, data: Any) -> None:
        name = self.one(data, self.opening)
        self.opening.discard(name)
        self.up.add(name)
        if name == "signaling":
            urls = {"audio": "ws://a", "transcript": "ws://t"}
            self.obey(self.recovery.signaling_ready(urls, self.now))
        else:
            self.obey(self.recovery.media_ready(name, self.now))

    @precondition(lambda self: self.opening)
    @rule(data=st.data(), status=st.sampled_from([None, 3, 8, 9, 12, 16, 36, 45, 47, 99]))
    def fails(self, data: Any, status: int | None) -> None:
        name = self.one(data, self.opening)
        self.opening.discard(name)
        if status is None or name == "signaling":
            self.obey(self.recovery.failed(name, "refused", self.now))
        else:
            self.obey(self.recovery.refused(name, status, "", self.now))

    @precondition(lambda self: self.up)
    @rule(data=st.data(), silent=st.booleans())
    def drops(self, data: Any, silent: bool) -> None:
        name = self.one(data, self.up)
        self.up.discard(name)
        self.obey(self.recovery.closed(name, "reset", self.now, silent=silent))

    @rule(bits=st.sampled_from([0, 1, 8, 9, 32]))
    def media_interrupted(self, bits: int) -> None:
        self.obey(self.recovery.media_interrupted(MediaType(bits), self.now))

    @rule(past=st.sampled_from([True, False, None]))
    def interrupted(self, past: bool | None) -> None:
        had = set(self.up)
        self.obey(self.recovery.interrupted(self.now, past=past))
        if past and "signaling" in had:
            assert self.up == had, "a late webhook cost a connection"

    @rule(patience=st.sampled_from([0.0, 2.0]))
    def leaves(self, patience: float) -> None:
        self.obey(self.recovery.leave(self.now, patience))
        if self.over_by is None:
            self.over_by = self.now + patience + TIMING.drain

    @rule(status=st.sampled_from([4, 41]))
    def is_not_let_go(self, status: int) -> None:
        self.obey(self.recovery.leave_refused(status, "", self.now))

    @rule()
    def replaced(self) -> None:
        self.obey(self.recovery.replaced(["ws://n"], self.now))

    @rule(reason=st.sampled_from([None, 6, 13]))
    def terminating(self, reason: int | None) -> None:
        self.obey(self.recovery.terminating(reason))

    @rule(seconds=st.sampled_from([0.5, 1.5, 3.0, 12.0]))
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(100):
            at = self.recovery.wake_at
            if at is None or at > end:
                break
            self.now = max(self.now, at)
            self.obey(self.recovery.tick(self.now))
        else:
            raise AssertionError("timers without end")
        self.now = end

    @rule()
    def stops_at_last(self) -> None:
        if self.now > 30:
            self.obey(self.recovery.terminated(6, self.now))

    @invariant()
    def what_is_not_up_was_told(self) -> None:
        if not self.live or self.recovery._done:
            return
        for name, socket in self.recovery._media.sockets.items():
            if socket.phase is not Phase.GONE and name not in self.up:
                assert name in self.lost, "a loss nobody was told"

    @invariant()
    def leaving_takes_no_longer_than_was_said(self) -> None:
        if self.over_by is not None and self.now > self.over_by + 0.001:
            assert self.recovery.over is not None

    @invariant()
    def it_is_going_on_or_over(self) -> None:
        waiting = self.recovery.wake_at is not None
        assert self.recovery.over is not None or self.opening or self.up or waiting
        if self.recovery.over is not None:
            assert not self.opening | self.up


TestConnections = Connections.TestCase
TestConnections.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
