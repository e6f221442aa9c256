"""Whatever a peer sends, nothing raises and nothing grows; one connection at a time."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipeline.base.clock import ManualClock
from pipeline.base.secret import Secret
from pipeline.rtms import messages as m
from pipeline.rtms.enums import MediaType
from pipeline.rtms.greeting import wanted_params
from pipeline.rtms.media import Media
from pipeline.rtms.moments import EARLIEST_MS, LATEST_MS
from pipeline.rtms.orders import Close, Open, Order, Phase
from pipeline.rtms.outputs import (
    AudioReceived,
    ConnectionBack,
    ConnectionLost,
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
frames = (
    st.binary(max_size=200) | st.text(max_size=100) | typed.map(json.dumps) | values.map(json.dumps)
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


def media(ready: bool) -> Media:
    wanted = MediaType.ALL
    machine = Media(
        "all",
        m.MediaRequest(media_params=wanted_params(wanted, RtmsSettings())),
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


@settings(max_examples=300, deadline=None)
@given(st.lists(frames, max_size=6), st.booleans(), st.sampled_from(["meeting", "contact_center"]))
def test_machines_never_raise_and_give_a_bounded_answer(
    received: list[bytes | str], ready: bool, product: Any
) -> None:
    for machine in (signaling(product, ready), media(ready)):
        for frame in received:
            effects = machine.receive(frame, 1.0)
            assert len(effects) <= 10
            for effect in effects:
                if isinstance(effect, AudioReceived):
                    assert EARLIEST_MS <= effect.timestamp_ms < LATEST_MS
                if isinstance(effect, TranscriptReceived):
                    assert EARLIEST_MS <= effect.start_ms <= effect.end_ms < LATEST_MS


def test_a_flood_of_new_types_and_faults_makes_nothing_grow() -> None:
    machine = signaling("meeting", True)
    told = 0
    for number in range(5_000):
        frame = json.dumps({"msg_type": 1000 + number})
        told += len(machine.receive(frame, 1.0))
        told += len(machine.receive(b"{%d" % number, 1.0))
        state = {"msg_type": 9, "rtms_session_id": str(number), "state": 2, "timestamp": 1}
        machine.receive(json.dumps(state), 1.0)
    assert told == 10
    assert len(machine.tally._types) <= 3


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
    @rule(data=st.data(), status=st.sampled_from([None, 8, 9, 12, 16, 45, 99]))
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

    @rule()
    def interrupted(self) -> None:
        self.obey(self.recovery.interrupted(self.now))

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
        for name, socket in self.recovery._media.items():
            if socket.phase is not Phase.GONE and name not in self.up:
                assert name in self.lost, "a loss nobody was told"

    @invariant()
    def it_is_going_on_or_over(self) -> None:
        waiting = self.recovery.wake_at is not None
        assert self.recovery.over is not None or self.opening or self.up or waiting
        if self.recovery.over is not None:
            assert not self.opening | self.up


TestConnections = Connections.TestCase
TestConnections.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
