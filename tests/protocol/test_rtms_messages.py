"""Decoding of frames: documented shape, variants seen in the field, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.rtms import messages as m
from pipeline.rtms.params import AudioParams, MediaParams, TranscriptParams


def decoded(message: dict[str, Any]) -> Any:
    text = json.dumps(message)
    as_text, as_bytes = m.decode(text), m.decode(text.encode())
    assert as_text == as_bytes
    return as_text


def test_audio_in_the_documented_shape_decodes_base64() -> None:
    found = m.decode(
        '{"msg_type":14,"content":{"user_id":16778240,"user_name":"Ada","data":"AAABAAIA",'
        '"length":6,"timestamp":1790000012345}}'
    )
    assert isinstance(found, m.AudioData)
    assert found.content.data == b"\x00\x00\x01\x00\x02\x00"
    assert (found.content.user_id, found.content.user_name) == (16778240, "Ada")
    assert (found.content.length, found.content.timestamp) == (6, 1790000012345)


def test_keys_in_any_order_tabs_and_unknown_keys() -> None:
    found = m.decode(
        b'{\n\t"content": {"zoom_new": [1, {"a": null}], "data": "AAA=", "event_code": 5},'
        b'\n\t"extra": true,\n\t"msg_type": 14\n}'
    )
    assert isinstance(found, m.AudioData)
    assert found.content.data == b"\x00\x00"


@pytest.mark.parametrize(
    "message",
    [
        {"msg_type": 14, "content": "AAABAAIA", "user_id": 7, "user_name": "Ada", "timestamp": 5},
        {
            "msg_type": "14",
            "content": {"data": "AAABAAIA", "user_id": "7", "user_name": "Ada", "timestamp": "5"},
        },
        {
            "msg_type": 14.0,
            "content": {"data": "AAABAAIA", "user_id": 7, "user_name": "Ada", "timestamp": 5.9},
        },
        {
            "msg_type": 14,
            "content": {
                "data": "AAABAAIA",
                "user_id": 7,
                "user_name": "Ada",
                "timestamp": 5,
                "length": "many",
                "language": [],
            },
        },
    ],
    ids=["flat", "strings", "fractions", "misfits"],
)
def test_audio_variants_give_the_same_message(message: dict[str, Any]) -> None:
    assert decoded(message) == m.AudioData(
        content=m.MediaContent(
            data=b"\x00\x00\x01\x00\x02\x00", user_id=7, user_name="Ada", timestamp=5
        )
    )


def test_transcript_variants() -> None:
    for message in (
        {"msg_type": 17, "content": {"data": "hi", "user_id": 1, "attribute": 2}},
        {"msg_type": 17, "content": {"text": "hi", "user_id": "1", "attribute": "2"}},
        {"msg_type": 17, "content": "hi", "user_id": 1, "attribute": 2},
    ):
        found = decoded(message)
        assert isinstance(found, m.TranscriptData)
        assert (found.content.data, found.content.user_id, found.content.attribute) == ("hi", 1, 2)


def test_status_is_an_alias_of_status_code() -> None:
    found = decoded({"msg_type": 2, "status": 3, "reason": "no"})
    assert found == m.SignalingResponse(
        protocol_version=1, sequence=0, status_code=3, reason="no", media_server=None
    )
    assert decoded({"msg_type": 4, "status": "8"}).status_code == 8


def test_a_handshake_answer_without_any_status_is_refused() -> None:
    found = decoded({"msg_type": 2, "reason": "?"})
    assert isinstance(found, m.Unreadable)
    assert (found.reason, found.msg_type) == ("bad_field", 2)


def test_media_answer_takes_either_encryption_flag_and_odd_params() -> None:
    found = decoded(
        {
            "msg_type": 4,
            "status_code": 0,
            "payload_encryption": True,
            "media_params": {"audio": {"codec": "1", "sample_rate": {}, "x": 1}, "chat": 5},
        }
    )
    assert found.payload_encrypted is True
    assert found.media_params == MediaParams(audio=AudioParams(codec=1))
    assert decoded({"msg_type": 4, "status_code": 0, "media_params": None}).media_params is None


def test_signaling_answer_tolerates_odd_urls() -> None:
    def urls(value: Any) -> Any:
        found = decoded({"msg_type": 2, "status_code": 0, "media_server": {"server_urls": value}})
        return found.media_server and found.media_server.server_urls

    assert urls({"all": "ws://a", "audio": 5}) == {"all": "ws://a"}
    assert urls("ws://a") == {"all": "ws://a"}
    assert urls(["ws://a"]) is None


def test_events_nested_flat_and_with_bare_ids() -> None:
    nested = decoded({"msg_type": 6, "event": {"event_type": 2, "timestamp": 9, "user_id": 5}})
    flat = decoded({"msg_type": 6, "event_type": 2, "timestamp": 9, "user_id": 5})
    assert nested == flat
    found = decoded(
        {
            "msg_type": 6,
            "event": {"event_type": 4, "event_ts": 9, "participants": [5, {"user_id": "6"}]},
        }
    ).event
    assert found.event_ts == 9
    assert [p.user_id for p in found.participants] == [5, 6]
    voice = decoded(
        {
            "msg_type": 6,
            "event": {
                "event_type": 8,
                "event_ts": 9,
                "paticipant_info": {"channel_id": "1", "queue_id": 4},
            },
        }
    ).event
    assert voice.participant_info == m.VoicePerson(channel_id=1, queue_id="4")
    info = {"channel_id": "1", "queue_id": "4"}
    plain = decoded({"msg_type": 6, "event": {"event_type": 8, "paticipant_info": info}}).event
    assert plain.paticipant_info == m.VoicePerson(channel_id="1", queue_id="4")


def test_stream_state_reason_may_be_a_name_or_missing() -> None:
    assert decoded(
        {"msg_type": 8, "state": 4, "reason": "MEETING_ENDED", "timestamp": 1}
    ).reason == ("MEETING_ENDED")
    assert decoded({"msg_type": 8, "state": "4"}).reason == 0


def test_keep_alive_keeps_whatever_is_to_be_echoed() -> None:
    for fields in (
        {"sequence": 7, "timestamp": 1790000010000},
        {"timestamp": 1790000010000},
        {"sequence": "x", "timestamp": 1.5},
        {},
    ):
        found = decoded({"msg_type": 12, **fields})
        answer = json.loads(
            m.encode(m.KeepAliveResponse(sequence=found.sequence, timestamp=found.timestamp))
        )
        assert answer == {"msg_type": 13, **fields}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"\xff\xfe", "bad_json"),
        (b'{"msg_type":"\xff"}', "bad_json"),
        ('{"msg_type":14,"x":"\ud800"}', "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b'{"msg_type":14,"x":' + b"[" * 100_000, "bad_json"),
        (b'{"msg_type":14,"content":{"data":"AA==","timestamp":' + b"9" * 5000 + b"}}", "bad_json"),
        (b"[1]", "not_an_object"),
        (b"5", "not_an_object"),
        (b"{}", "no_type"),
        (b'{"msg_type":true}', "no_type"),
        (b'{"msg_type":"x"}', "no_type"),
        (b'{"msg_type":14,"content":{"data":"AAABAAI"}}', "bad_base64"),
        (b'{"msg_type":14,"content":{"data":"AA*A"}}', "bad_base64"),
        (b'{"msg_type":14,"content":"AAABAAI"}', "bad_base64"),
        (b'{"msg_type":14,"content":{}}', "bad_field"),
        (b'{"msg_type":14}', "bad_field"),
        (b'{"msg_type":17,"content":{"data":5}}', "bad_field"),
        (b'{"msg_type":8,"state":"up"}', "bad_field"),
    ],
)
def test_what_is_no_message_says_why_in_a_word(frame: bytes | str, reason: str) -> None:
    found = m.decode(frame)
    assert isinstance(found, m.Unreadable)
    assert found.reason == reason
    assert len(found.detail) < 300


def test_unknown_types_are_told_apart_from_broken_ones() -> None:
    assert m.decode('{"msg_type":99,"x":1}') == m.Unknown(99)
    assert m.decode('{"msg_type":24,"interpreter":{}}') == m.Unknown(24)


def test_detail_never_shows_content() -> None:
    found = m.decode('{"msg_type":17,"content":{"data":5,"user_name":"canary"},"k":"canary"}')
    assert isinstance(found, m.Unreadable)
    assert "canary" not in found.detail


def test_a_client_leaves_out_what_it_does_not_say() -> None:
    hello = m.SignalingRequest(
        protocol_version=1, sequence=1, meeting_uuid="MU==", rtms_stream_id="S1", signature="ab"
    )
    assert json.loads(m.encode(hello)) == {
        "msg_type": 1,
        "protocol_version": 1,
        "sequence": 1,
        "meeting_uuid": "MU==",
        "rtms_stream_id": "S1",
        "signature": "ab",
    }


def test_a_server_writes_what_zooms_sdk_needs() -> None:
    """sdk-observations section 4: these keys must be there even when empty."""
    media = m.MediaResponse(
        protocol_version=1,
        sequence=0,
        status_code=0,
        reason="",
        payload_encrypted=False,
        media_params=None,
    )
    assert json.loads(m.encode(media)) == {
        "msg_type": 4,
        "protocol_version": 1,
        "sequence": 0,
        "status_code": 0,
        "reason": "",
        "payload_encrypted": False,
        "media_params": None,
    }
    state = json.loads(m.encode(m.StreamStateUpdate(state=1, reason=0, timestamp=5)))
    assert state == {"msg_type": 8, "state": 1, "reason": 0, "timestamp": 5}
    ping = json.loads(m.encode(m.KeepAliveRequest(sequence=0, timestamp=5)))
    assert ping == {"msg_type": 12, "sequence": 0, "timestamp": 5}
    stopped = m.SessionStateUpdate(
        rtms_session_id="s", state=5, timestamp=5, stop_reason=0, reason=0
    )
    assert json.loads(m.encode(stopped))["reason"] == 0


def test_every_message_survives_a_round_trip() -> None:
    audio = m.MediaContent(data=b"\x01\x02", user_id=5, user_name="Ada", length=2, timestamp=9)
    for message in (
        m.SignalingRequest(protocol_version=1, sequence=1, call_id="c", buffer_data=False),
        m.SignalingResponse(
            protocol_version=1,
            sequence=0,
            status_code=0,
            reason="",
            media_server=m.MediaServer(server_urls={"all": "ws://x"}),
        ),
        m.MediaRequest(
            protocol_version=1,
            session_id="s",
            media_type=9,
            media_params=MediaParams(transcript=TranscriptParams(enable_lid=False)),
        ),
        m.MediaResponse(
            protocol_version=1,
            sequence=0,
            status_code=0,
            reason="",
            payload_encrypted=False,
            media_params=MediaParams(audio=AudioParams(codec=1)),
        ),
        m.EventSubscription(events=[m.EventChoice(event_type=3, subscribe=True)]),
        m.EventUpdate(
            event=m.EventBody(event_type=3, timestamp=1, participants=[m.Person(user_id=1)])
        ),
        m.ReadyAck(rtms_stream_id="S1"),
        m.StreamStateUpdate(state=4, reason=6, timestamp=1),
        m.SessionStateUpdate(rtms_session_id="s", state=2, timestamp=1),
        m.SessionStateRequest(rtms_session_id="s"),
        m.SessionStateResponse(rtms_session_id="s", state=2, timestamp=1),
        m.KeepAliveRequest(sequence=1, timestamp=2),
        m.KeepAliveResponse(sequence=1, timestamp=2),
        m.AudioData(content=audio),
        m.VideoData(content=audio),
        m.ShareData(content=audio),
        m.TranscriptData(content=m.TranscriptContent(data="h\u00e9", user_id=5, start_time=1)),
        m.ChatData(content=m.ChatContent(data="plain")),
        m.ChatData(content=m.ChatContent(data=m.ChatBody(data="hi", message_id="1"))),
        m.StreamStateRequest(rtms_stream_id="S1"),
        m.StreamStateResponse(rtms_stream_id="S1", state=1, timestamp=1),
        m.StreamCloseRequest(rtms_stream_id="S1"),
        m.StreamCloseResponse(rtms_stream_id="S1", status_code=0, reason="", timestamp=1),
        m.VideoSubscriptionRequest(user_id=5, subscribe=True, timestamp=7),
        m.VideoSubscriptionResponse(user_id=5, status_code=0, reason="OK", timestamp=1),
        m.InterpreterData(interpreter={"target": [{"language": 9}]}, timestamp=1),
        m.EventUpdate(event=m.EventBody(event_type=8, event_code="v2", event_ts=1)),
    ):
        assert m.decode(m.encode(message)) == message


def test_the_sdks_handshake_is_read() -> None:
    found = m.decode(
        b'{\n\t"media_params": null,\n\t"media_type": 8,\n\t"meeting_uuid": "MU==",'
        b'\n\t"msg_type": 3,'
        b'\n\t"protocol_version": 1,\n\t"rtms_stream_id": "S1",\n\t"sequence": 490726,'
        b'\n\t"signature": "ab"\n}'
    )
    assert isinstance(found, m.MediaRequest)
    assert (found.zoom_id, found.media_type, found.media_params) == ("MU==", 8, None)


def test_chat_data_in_three_forms() -> None:
    body = {
        "data": "hi",
        "message_id": "9",
        "operation_type": 1,
        "sender": {"user_id": 5, "user_name": "Ada"},
    }
    for data in (body, json.dumps(body)):
        found = decoded({"msg_type": 18, "content": {"timestamp": 1, "data": data}})
        chat = m.chat_body(found.content.data)
        assert (chat.data, chat.message_id, chat.operation_type) == ("hi", "9", 1)
        assert chat.sender == m.Person(user_id=5, user_name="Ada")
    typed = ('{"a": 1}', '{"data": "what a person typed"}')
    for text in ("hi", *typed, "{not json", "[1]", "{" * 5000):
        assert m.chat_body(text) == m.ChatBody(data=text)


def test_odd_chat_objects_lose_only_what_is_odd() -> None:
    found = decoded(
        {
            "msg_type": 18,
            "content": {
                "data": {
                    "data": "hi",
                    "message_id": 9,
                    "operation_type": "3",
                    "sender": "?",
                    "files": [{"file_id": 1, "file_name": "a.txt", "file_size": "10"}, 5],
                    "delete_file_id_list": [1, None],
                    "chat_session": {"type": "1", "id": 2},
                }
            },
        }
    )
    chat = m.chat_body(found.content.data)
    assert (chat.message_id, chat.operation_type, chat.sender) == ("9", 3, None)
    assert chat.files == [m.ChatFile(file_id="1", file_name="a.txt", file_size=10)]
    assert chat.delete_file_id_list == ["1"]
    assert chat.chat_session == m.ChatSession(type=1, id="2")


def test_answers_are_read_without_what_they_may_leave_out() -> None:
    assert decoded({"msg_type": 22}) == m.StreamCloseResponse(
        rtms_stream_id="", status_code=0, reason="", timestamp=0
    )
    assert decoded({"msg_type": 29, "user_id": "7", "status": 44, "reason": 5}) == (
        m.VideoSubscriptionResponse(user_id=7, status_code=44, reason="5", timestamp=0)
    )
    refused = decoded({"msg_type": 11, "rtms_session_id": "a", "status_code": 40})
    assert (refused.status_code, refused.state) == (40, 0)
    assert decoded({"msg_type": 20, "state": "4", "timestamp": 1_790_000_000}).state == 4
    silent = decoded({"msg_type": 20, "rtms_stream_id": "S1"})
    assert isinstance(silent, m.Unreadable), "neither a state nor a refusal"


def test_events_by_name_by_code_and_about_one_person() -> None:
    def event(**fields: Any) -> m.EventBody:
        found = decoded({"msg_type": 6, "event": fields})
        assert isinstance(found, m.EventUpdate)
        return found.event

    assert event(event_type="PARTICIPANT_JOIN", participants={"user_id": 5}).participants == [
        m.Person(user_id=5)
    ]
    assert event(event_type="consumer_answered").event_type == 8
    assert (event(event_code=70021).event_type, event(event_code=70021).event_code) == (-1, 70021)
    assert event(event_type=3, event_code=70021).event_type == 3
    assert isinstance(decoded({"msg_type": 6, "event": {"event_type": "?"}}), m.Unreadable)
