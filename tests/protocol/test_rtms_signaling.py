"""The signaling socket, without one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.model.events import Product
from pipeline.rtms import effects as fx
from pipeline.rtms import messages as m
from pipeline.rtms.enums import MediaType
from pipeline.rtms.outputs import (
    FirstPacket,
    PeopleJoined,
    PeopleLeft,
    ProtocolFault,
    SessionChanged,
    SpeakerChanged,
    StreamPaused,
    StreamResumed,
    VideoSubscribed,
)
from pipeline.rtms.requests import close_request, state_queries, video_subscription
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.signaling import Signaling
from pipeline.rtms.standing import Standing, stop_reason
from pipeline.rtms.timing import Timing

T0 = 1_790_000_000_000


class Peer:
    """A machine and the clock beside it."""

    def __init__(self, product: Product = "meeting", *, ready: bool = True) -> None:
        self.now = 100.0
        self.machine = Signaling(
            m.SignalingRequest(rtms_stream_id="S1"),
            product=product,
            start_ms=T0,
            standing=Standing(),
            now=self.now,
            timing=Timing.of(RtmsSettings()),
        )
        if ready:
            self.sends(
                {
                    "msg_type": 2,
                    "status_code": 0,
                    "media_server": {"server_urls": {"all": "ws://m"}},
                }
            )

    def sends(self, message: dict[str, Any] | bytes | str) -> list[fx.Effect]:
        frame = json.dumps(message) if isinstance(message, dict) else message
        return self.machine.receive(frame, self.now)

    def event(self, number: int, **fields: Any) -> list[fx.Effect]:
        return self.sends(
            {"msg_type": 6, "event": {"event_type": number, "timestamp": T0 + 5, **fields}}
        )


def faults(effects: list[fx.Effect]) -> list[str]:
    return [e.reason for e in effects if isinstance(e, ProtocolFault)]


def test_a_good_answer_tells_where_media_is() -> None:
    peer = Peer(ready=False)
    urls = {"audio": "ws://a", "all": "ws://m"}
    answer = {"msg_type": 2, "status_code": 0, "media_server": {"server_urls": urls}}
    assert peer.sends(answer) == [fx.SignalingAccepted(urls)]
    assert peer.machine.ready


def test_a_refusal_carries_status_and_reason() -> None:
    peer = Peer(ready=False)
    assert peer.sends({"msg_type": 2, "status": 3, "reason": "bad"}) == [fx.Refused(3, "bad")]
    assert not peer.machine.ready
    assert faults(peer.sends({"msg_type": 2, "status_code": 0})) == ["unexpected"]


def test_handshake_and_keep_alive_deadlines_are_data() -> None:
    peer = Peer(ready=False)
    assert peer.machine.deadline == 110.0
    peer.now = 103.0
    peer.sends({"msg_type": 12, "sequence": 1, "timestamp": T0})
    assert peer.machine.deadline == 110.0, "a ping does not make up for the answer"
    peer.sends({"msg_type": 2, "status_code": 0, "media_server": {"server_urls": {}}})
    assert peer.machine.deadline == 168.0
    peer.now = 120.0
    peer.event(2, user_id=5)
    assert peer.machine.deadline == 168.0, "only a keep-alive shows that signaling lives"
    peer.sends({"msg_type": 12, "sequence": 2, "timestamp": T0})
    assert peer.machine.deadline == 185.0


@pytest.mark.parametrize("ready", [False, True])
def test_keep_alives_are_answered_in_every_state(ready: bool) -> None:
    peer = Peer(ready=ready)
    assert peer.sends({"msg_type": 12, "sequence": 7, "timestamp": T0}) == [
        fx.Send(m.KeepAliveResponse(sequence=7, timestamp=T0))
    ]
    assert peer.sends({"msg_type": 12, "timestamp": T0}) == [
        fx.Send(m.KeepAliveResponse(timestamp=T0))
    ]


def test_people_and_speakers() -> None:
    peer = Peer()
    at = T0 + 5
    people = [{"user_id": 16778240, "user_name": "Ada"}, {"user_id": "7", "user_name": "Bo"}]
    assert peer.event(3, participants=people) == [
        PeopleJoined((("16778240", "Ada"), ("7", "Bo")), at)
    ]
    assert peer.event(4, participants=[{"user_id": 7}, 8]) == [PeopleLeft(("7", "8"), at)]
    assert peer.event(2, user_id=7, user_name="Bo") == [SpeakerChanged(7, "Bo", at)]
    assert peer.event(1) == [FirstPacket(at)]
    assert peer.event(3, participants=[{"user_id": 0}, {"user_name": "?"}]) == []


def test_event_fields_at_top_level_are_read_too() -> None:
    assert Peer().sends(
        {"msg_type": 6, "event_type": 2, "timestamp": T0, "user_id": 5, "user_name": "Ada"}
    ) == [SpeakerChanged(5, "Ada", T0)]


def test_times_come_in_any_unit_and_bad_ones_do_not_move_the_clock() -> None:
    peer = Peer()
    for stamp, at_ms in (
        (T0 // 1000, T0),
        (T0 + 7, T0 + 7),
        ((T0 + 9) * 1000, T0 + 9),
        (None, T0 + 9),
        (10**25, T0 + 9),
        (-1, T0 + 9),
    ):
        message = {"msg_type": 6, "event": {"event_type": 1, "timestamp": stamp}}
        assert peer.sends(message) == [FirstPacket(at_ms)]


def test_media_interruption_by_event_or_state() -> None:
    peer = Peer()
    assert peer.event(7) == [fx.MediaInterrupted(MediaType.NONE)]
    assert peer.event(7, media_type=1) == [fx.MediaInterrupted(MediaType.AUDIO)]
    assert peer.event(7, media_type=4000) == [fx.MediaInterrupted(MediaType.NONE)]
    state = {"msg_type": 8, "state": 2, "reason": 14, "timestamp": T0}
    assert peer.sends(state) == [fx.MediaInterrupted(MediaType.NONE)]


def test_stream_states() -> None:
    peer = Peer()

    def state(number: int, reason: Any = 0) -> list[fx.Effect]:
        return peer.sends({"msg_type": 8, "state": number, "reason": reason, "timestamp": T0})

    assert state(0) == state(1) == []
    assert state(5) == [StreamPaused()]
    assert state(5) == []
    assert state(6) == [StreamResumed()]
    assert state(3, 6) == [fx.Terminating(6)]
    assert state(4, 6) == [fx.Terminated(6)]
    assert state(4, "STOP_BC_MEETING_ENDED") == [fx.Terminated(6)]
    assert state(4, "whatever") == [fx.Terminated(None)]
    assert faults(state(9)) == ["unknown_state"]


def test_pause_told_by_session_and_stream_is_told_once() -> None:
    peer = Peer()

    def session(number: int, name: str = "a") -> list[fx.Effect]:
        effects = peer.sends(
            {"msg_type": 9, "rtms_session_id": name, "state": number, "timestamp": T0}
        )
        return [e for e in effects if not isinstance(e, SessionChanged)]

    def stream(number: int) -> list[fx.Effect]:
        return peer.sends({"msg_type": 8, "state": number, "reason": 0, "timestamp": T0})

    assert session(2) == []
    assert session(3) + stream(5) == [StreamPaused()]
    assert session(4) + stream(6) == [StreamResumed()]
    assert session(2, "b") == []
    assert session(3, "a") == [], "somebody else's session still runs"
    assert session(3, "b") == [StreamPaused()]
    assert stream(6) == [StreamResumed()]
    assert session(3, "b") == []
    assert session(5, "a") == [StreamPaused()]
    assert session(5, "b") == [StreamResumed()]


def test_sessions_are_told_when_they_change() -> None:
    peer = Peer()

    def told(number: int, **fields: Any) -> list[fx.Effect]:
        message = {"msg_type": 9, "rtms_session_id": "a", "state": number, "timestamp": T0}
        return peer.sends({**message, **fields})

    assert told(1) == [SessionChanged("a", "initialize", T0)]
    assert told(2) == [SessionChanged("a", "started", T0)]
    assert told(2) == []
    assert told(3, stop_reason="x") == [SessionChanged("a", "paused", T0), StreamPaused()]
    assert peer.sends({"msg_type": 8, "state": 6, "reason": 0, "timestamp": T0}) == [
        StreamResumed()
    ]
    assert told(4) == [SessionChanged("a", "resumed", T0)], "told by the stream, and now by itself"
    assert told(5, reason="HOST_TRIGGERED") == [SessionChanged("a", "stopped", T0)]
    assert told(5) == []
    assert faults(told(9)) == ["unknown_state"]
    assert faults(told(2, rtms_session_id="x" * 300)) == ["too_long"]


def test_answers_about_states_count_like_what_zoom_tells_by_itself() -> None:
    peer = Peer()

    def stream(number: int, **fields: Any) -> list[fx.Effect]:
        answer = {"msg_type": 20, "rtms_stream_id": "S1", "state": number, "timestamp": T0 // 1000}
        return peer.sends({**answer, **fields})

    def session(number: int, **fields: Any) -> list[fx.Effect]:
        answer = {"msg_type": 11, "rtms_session_id": "a", "state": number, "timestamp": T0}
        return peer.sends({**answer, **fields})

    assert stream(0) == stream(1) == stream(2) == []
    assert stream(5) == [StreamPaused()], "a pause that was missed"
    assert stream(1) == [StreamResumed()], "and a resumption"
    assert stream(5) + stream(6) == [StreamPaused(), StreamResumed()]
    assert session(2) == [SessionChanged("a", "started", T0)]
    assert session(2) == []
    assert session(3) == [SessionChanged("a", "paused", T0), StreamPaused()]
    assert stream(1) == [], "the stream is active, its only session is not"
    assert session(4) == [SessionChanged("a", "resumed", T0), StreamResumed()]
    assert stream(3) == [fx.Terminating(None)]
    assert stream(4) == [fx.Terminated(None)]
    assert faults(stream(77)) == faults(session(77)) == ["unknown_state"]
    assert faults(stream(4, status_code=2)) == ["query_refused"], "no reason to end"
    effects = session(0, status_code=40)
    assert (faults(effects), effects[1:]) == (
        ["query_refused"],
        [SessionChanged("a", "stopped", T0)],
    )
    assert faults(session(0, status=40)) == ["query_refused"]
    assert len(session(0, status=1)) == 1


def test_the_answer_to_a_close_and_to_a_video_subscription() -> None:
    peer = Peer()
    close = {"msg_type": 22, "rtms_stream_id": "S1", "status_code": 0, "reason": "OK"}
    assert peer.sends(close) == [fx.StreamClosed(0, "OK")]
    assert peer.sends({"msg_type": 22, "status": 2, "reason": "no"}) == [fx.StreamClosed(2, "no")]
    assert peer.sends({"msg_type": 22, "status": 10**30}) == [fx.StreamClosed(-1, "")]
    answer = {"msg_type": 29, "user_id": "16778240", "status_code": 44, "reason": "again"}
    assert peer.sends(answer) == [VideoSubscribed(16778240, 44, "again")]
    assert peer.sends({"msg_type": 29, "subscribe": "?"}) == [VideoSubscribed(None, 0, "")]
    assert faults(Peer(ready=False).sends(close)) == ["unexpected"]


def test_requests_are_the_documented_messages() -> None:
    standing = Standing()
    standing.session("a", 2, T0)
    standing.session("b", 5, T0)
    assert [json.loads(m.encode(q)) for q in state_queries("S1", standing.sessions())] == [
        {"msg_type": 19, "rtms_stream_id": "S1"},
        {"msg_type": 10, "rtms_session_id": "a"},
    ]
    assert json.loads(m.encode(close_request("S1"))) == {"msg_type": 21, "rtms_stream_id": "S1"}
    assert json.loads(m.encode(video_subscription(5, False, T0))) == {
        "msg_type": 28,
        "user_id": 5,
        "subscribe": False,
        "timestamp": T0,
    }


def test_sessions_of_a_stream_are_bounded_and_stopped_ones_make_room() -> None:
    standing = Standing()
    for number in range(1_500):
        standing.session(str(number), 2, T0)
    assert len(standing.sessions()) == 1_000
    standing.session("7", 5, T0)
    assert standing.session("new", 3, T0) == [SessionChanged("new", "paused", T0)]
    assert len(standing.sessions()) == 1_000
    assert standing.session("one more", 3, T0) == []


def test_what_does_not_belong_is_a_fault_and_nothing_else() -> None:
    peer = Peer(ready=False)
    assert faults(peer.event(2, user_id=5)) == ["unexpected"]
    assert faults(peer.sends({"msg_type": 8, "state": 4, "reason": 6, "timestamp": 1})) == [
        "unexpected"
    ]
    peer = Peer()
    audio = {"msg_type": 14, "content": {"data": "AAA=", "user_id": 5, "timestamp": T0}}
    assert faults(peer.sends(audio)) == ["wrong_socket"]
    assert faults(peer.sends({"msg_type": 1})) == ["unexpected"]
    assert faults(peer.sends({"msg_type": 2, "status_code": 0})) == ["unexpected"]
    assert faults(peer.sends(b"\x00\x01")) == ["bad_json"]
    assert faults(peer.sends({"msg_type": 99})) == ["unknown_type"]
    assert faults(peer.event(99)) == ["unknown_event"]
    assert faults(peer.sends({"msg_type": 24})) == ["reserved_type"]
    assert faults(peer.sends({"msg_type": 23, "interpreter": {}})) == ["wrong_socket"]


def test_the_first_unknown_type_and_event_of_each_number_comes_with_a_sample() -> None:
    peer = Peer()
    frame = json.dumps({"msg_type": 99, "text": "\u00e9" * 3000}, ensure_ascii=False)
    (fault,) = peer.sends(frame)
    assert isinstance(fault, ProtocolFault)
    assert frame.encode().startswith(fault.sample)
    assert 2040 < len(fault.sample) <= 2048
    assert peer.sends(frame) == []
    (other,) = peer.sends('{"msg_type": 98}')
    assert isinstance(other, ProtocolFault)
    assert (other.detail, other.sample) == ("message type 98", b'{"msg_type": 98}')
    (event,) = peer.event(99)
    assert isinstance(event, ProtocolFault)
    assert (event.reason, b"99" in event.sample) == ("unknown_event", True)
    assert peer.event(99) == []
    (code,) = peer.sends({"msg_type": 6, "event": {"event_code": 70021, "timestamp": T0}})
    assert isinstance(code, ProtocolFault)
    assert code.detail == "event code 70021 of protocol V2"


def test_only_the_first_faults_of_a_kind_are_told() -> None:
    peer = Peer()
    told = sum(len(peer.sends(b"{")) for _ in range(100))
    assert told == 5
    assert faults(peer.sends({"msg_type": 99})) == ["unknown_type"]


@pytest.mark.parametrize(
    "value", [-1, 2**31, 10**30, True, 6.0, None, [6], {"reason": 6}, "-1", "9999999999"]
)
def test_a_stop_reason_that_is_none_is_none(value: object) -> None:
    assert stop_reason(value) is None


def test_the_largest_stop_reason_is_one() -> None:
    assert stop_reason(2**31 - 1) == 2**31 - 1


def test_stop_reasons_by_name_and_number() -> None:
    assert [stop_reason(v) for v in (6, "6", "meeting_ended", "STOP_BC_HOST_TRIGGERED", "?")] == [
        6,
        6,
        6,
        1,
        None,
    ]
    assert stop_reason("STOP_BC_APP_DISABLED_BY_HOST") == 5
    assert stop_reason("MEETING_CONNECTION_INTERRUPTED") == 12
