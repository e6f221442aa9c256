"""Events of all products."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.model.events import Product
from pipeline.rtms import effects as fx
from pipeline.rtms import messages as m
from pipeline.rtms.enums import EventType, MediaType, VoiceEventType
from pipeline.rtms.layout import subscription
from pipeline.rtms.outputs import (
    CallEvent,
    CamerasChanged,
    ChatGroupChanged,
    FirstPacket,
    PeopleJoined,
    PeopleLeft,
    ProtocolFault,
    SharingStarted,
    SharingStopped,
)
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.signaling import Signaling
from pipeline.rtms.standing import Standing
from pipeline.rtms.timing import Timing

T0 = 1_790_000_000_000
MEETINGS: list[Product] = ["meeting", "webinar", "session"]
CALLS: list[Product] = ["contact_center", "phone"]


class Peer:
    def __init__(self, product: Product = "meeting") -> None:
        self.machine = Signaling(
            m.SignalingRequest(rtms_stream_id="S1"),
            product=product,
            start_ms=T0,
            standing=Standing(),
            now=0.0,
            timing=Timing.of(RtmsSettings()),
        )
        self.sends({"msg_type": 2, "status_code": 0})

    def sends(self, message: dict[str, Any] | str) -> list[fx.Effect]:
        frame = json.dumps(message) if isinstance(message, dict) else message
        return self.machine.receive(frame, 0.0)

    def event(self, number: int, **fields: Any) -> list[fx.Effect]:
        return self.sends(
            {"msg_type": 6, "event": {"event_type": number, "timestamp": T0, **fields}}
        )

    def call(self, number: int, **info: Any) -> list[fx.Effect]:
        event = {"event_type": number, "event_ts": T0, "participant_info": info}
        return self.sends({"msg_type": 6, "event": event})


def faults(effects: list[fx.Effect]) -> list[str]:
    return [e.reason for e in effects if isinstance(e, ProtocolFault)]


@pytest.mark.parametrize("product", MEETINGS)
def test_sharing_and_cameras(product: Product) -> None:
    peer = Peer(product)
    assert peer.event(5, user_id=16778240, user_name="Ada") == [SharingStarted(16778240, "Ada", T0)]
    assert peer.event(5, user_id="7") == [SharingStarted(7, None, T0)]
    assert peer.event(6) == [SharingStopped(T0)]
    people = [{"user_id": 7}, {"user_id": "8"}, 9, {"user_id": 0}]
    assert peer.event(8, participants=people) == [CamerasChanged(("7", "8", "9"), True, T0)]
    assert peer.event(9, user_id=7) == [CamerasChanged(("7",), False, T0)]
    assert peer.event(9) == []


def test_events_at_top_level_are_read_too() -> None:
    peer = Peer()
    flat = {"msg_type": 6, "event_type": 8, "timestamp": T0, "participants": [{"user_id": 7}]}
    assert peer.sends(flat) == [CamerasChanged(("7",), True, T0)]
    group = {"msg_type": 6, "event_type": 10, "timestamp": T0, "chat_groups": []}
    (told,) = peer.sends(group)
    assert isinstance(told, ChatGroupChanged)
    assert json.loads(told.raw) == group


@pytest.mark.parametrize(
    ("number", "change", "key"),
    [
        (10, "created", "chat_groups"),
        (11, "deleted", "chat_groups"),
        (12, "members_added", "members_update_list"),
        (13, "members_removed", "members_update_list"),
        (14, "member_status", "member_status_update_list"),
    ],
)
def test_chat_groups_keep_the_events_own_json(number: int, change: Any, key: str) -> None:
    event = {"event_type": number, "timestamp": T0, key: [{"new": 1.5}, "x"], "more": {"a": None}}
    peer = Peer()
    text = json.dumps({"event": event, "msg_type": 6})
    (told,) = peer.sends(text)
    assert isinstance(told, ChatGroupChanged)
    assert (told.change, told.at_ms, json.loads(told.raw)) == (change, T0, event)
    assert told.raw in text.encode()
    long = {**event, key: ["x" * 70_000]}
    assert faults(peer.sends({"msg_type": 6, "event": long})) == ["too_long"]


@pytest.mark.parametrize("product", CALLS)
def test_every_call_event_has_its_name(product: Product) -> None:
    peer = Peer(product)
    for kind in VoiceEventType:
        told = peer.call(kind, channel_id="3", display_name="Cy", participant_mode="caller")[0]
        assert told == CallEvent(kind.name.lower(), "3", "Cy", "caller", T0)
    for number in range(30, 35):
        assert peer.call(number) == [CallEvent(f"event_{number}", None, None, None, T0)]
    assert faults(peer.call(35)) == ["unknown_event"]
    assert peer.event(1) == [FirstPacket(T0)]
    assert peer.event(7) == [fx.MediaInterrupted(MediaType.NONE)]


def test_arrivals_and_departures_of_a_call() -> None:
    peer = Peer("contact_center")
    assert peer.call(8, channel_id=1, display_name="Cy") == [
        CallEvent("consumer_answered", "1", "Cy", None, T0),
        PeopleJoined((("1", "Cy"),), T0),
    ]
    assert peer.call(10, channel_id="456edf", user_id="u2hfFE", participant_mode="callee")[1:] == [
        PeopleJoined(((str(_text_id("456edf")), "callee"),), T0)
    ]
    assert peer.call(9, channel_id="1")[1:] == [PeopleLeft(("1",), T0)]
    left = peer.call(11, user_id="u2hfFE")
    assert left[1:] == [PeopleLeft((str(_text_id("456edf")),), T0)], "known by channel"
    assert peer.call(29, user_id="nobody")[1:] == [PeopleLeft((str(_text_id("nobody")),), T0)]
    assert peer.call(8) == [CallEvent("consumer_answered", None, None, None, T0)]
    misspelt = {"event_type": 18, "event_ts": T0, "paticipant_info": {"channel_id": "1"}}
    assert peer.sends({"msg_type": 6, "event": misspelt}) == [
        CallEvent("transfer_initiated", "1", None, None, T0)
    ]


def _text_id(text: str) -> int:
    from pipeline.rtms.people import number_of

    number = number_of(text)
    assert number is not None
    assert number >= 2**32
    return number


def test_the_same_number_means_another_thing_by_product() -> None:
    info = {"participant_info": {"channel_id": "1"}, "participants": [{"user_id": 7}]}
    assert Peer("meeting").event(8, **info) == [CamerasChanged(("7",), True, T0)]
    assert Peer("phone").event(8, **info)[0] == CallEvent("consumer_answered", "1", None, None, T0)


@pytest.mark.parametrize("product", MEETINGS)
def test_what_is_subscribed_follows_the_media_granted(product: Product) -> None:
    def numbers(media: MediaType) -> list[int]:
        choices = subscription(product, media)
        assert all(choice.subscribe for choice in choices)
        return [choice.event_type for choice in choices]

    assert numbers(MediaType.AUDIO | MediaType.TRANSCRIPT) == [2, 3, 4]
    assert numbers(MediaType.DESKSHARE) == [2, 3, 4, 5, 6]
    assert numbers(MediaType.VIDEO) == [2, 3, 4, 8, 9]
    assert numbers(MediaType.CHAT) == [2, 3, 4, 10, 11, 12, 13, 14]
    assert not {EventType.FIRST_PACKET_TIMESTAMP, EventType.MEDIA_CONNECTION_INTERRUPTED} & set(
        numbers(MediaType(31))
    ), "never asked for"


def test_calls_ask_for_their_own_events_or_none() -> None:
    numbers = [c.event_type for c in subscription("contact_center", MediaType(31))]
    assert numbers == list(range(8, 35))
    assert subscription("phone", MediaType(31)) == []
