"""A media socket, without one."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pipeline.base import metrics
from pipeline.rtms import effects as fx
from pipeline.rtms import messages as m
from pipeline.rtms.enums import MediaType
from pipeline.rtms.greeting import wanted_params
from pipeline.rtms.media import Media
from pipeline.rtms.outputs import (
    AudioFormat,
    AudioReceived,
    ChatReceived,
    ImageFormat,
    ImageReceived,
    InterpreterTold,
    ProtocolFault,
    SessionChanged,
    StreamPaused,
    TranscriptReceived,
    Unread,
)
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.standing import Standing
from pipeline.rtms.timing import Timing

T0 = 1_790_000_000_000
GIVEN = {
    "content_type": 2,
    "sample_rate": 1,
    "channel": 1,
    "codec": 1,
    "data_opt": 2,
    "send_rate": 100,
}


SETTINGS = RtmsSettings()


class Peer:
    """A machine and the clock beside it."""

    def __init__(
        self,
        *,
        given: dict[str, Any] | None = None,
        ready: bool = True,
        media: MediaType = MediaType.AUDIO | MediaType.TRANSCRIPT | MediaType.CHAT,
        settings: RtmsSettings = SETTINGS,
        echoed: dict[str, Any] | None = None,
    ) -> None:
        self.now = 100.0
        self.machine = Media(
            "all",
            m.MediaRequest(media_type=int(media), media_params=wanted_params(media, settings)),
            start_ms=T0,
            standing=Standing(),
            now=self.now,
            timing=Timing.of(RtmsSettings()),
        )
        self.answer = {
            "msg_type": 4,
            "status_code": 0,
            "payload_encrypted": False,
            "media_params": echoed if echoed is not None else {"audio": {**GIVEN, **(given or {})}},
        }
        self.greeted = self.sends(self.answer) if ready else []

    def sends(self, message: dict[str, Any] | bytes | str) -> list[fx.Effect]:
        frame = json.dumps(message) if isinstance(message, dict) else message
        return self.machine.receive(frame, self.now)

    def audio(self, data: bytes = b"\x01\x00", **fields: Any) -> list[fx.Effect]:
        content = {"data": base64.b64encode(data).decode(), "user_id": 5, "timestamp": T0, **fields}
        return self.sends({"msg_type": 14, "content": content})

    def transcript(self, **fields: Any) -> list[fx.Effect]:
        return self.sends({"msg_type": 17, "content": {"data": "hi", "user_id": 5, **fields}})

    def chat(self, data: Any, **fields: Any) -> list[fx.Effect]:
        return self.sends({"msg_type": 18, "content": {"timestamp": T0, "data": data, **fields}})


def faults(effects: list[fx.Effect]) -> list[str]:
    return [e.reason for e in effects if isinstance(e, ProtocolFault)]


def test_a_good_answer_tells_the_format_before_any_audio() -> None:
    assert Peer().greeted == [AudioFormat("L16", 16_000, 1, True, 100), fx.MediaAccepted()]


def test_missing_echo_counts_as_what_was_asked_for() -> None:
    peer = Peer(ready=False)
    assert peer.sends({"msg_type": 4, "status_code": 0}) == [
        AudioFormat("L16", 16_000, 1, True, 100),
        fx.MediaAccepted(),
    ]


def test_a_silent_fall_back_to_mixed_audio_is_reported() -> None:
    fault, told, _ = Peer(given={"data_opt": 1}).greeted
    assert isinstance(fault, ProtocolFault)
    assert (fault.reason, "no speakers" in fault.detail) == ("mixed_audio", True)
    assert told == AudioFormat("L16", 16_000, 1, False, 100)


def test_encryption_nobody_asked_for_is_reported_and_the_data_read() -> None:
    peer = Peer(ready=False)
    effects = peer.sends({**peer.answer, "payload_encrypted": True})
    assert faults(effects) == ["params_changed"]
    assert peer.audio() == [AudioReceived(5, None, T0, b"\x01\x00")]


def test_other_differences_name_the_field_and_take_effect() -> None:
    greeted = Peer(given={"sample_rate": 3, "channel": 2, "codec": 4, "send_rate": 20}).greeted
    assert faults(greeted) == ["params_changed"] * 4
    assert greeted[-2] == AudioFormat("OPUS", 48_000, 2, True, 20)


def test_a_refusal_carries_status_and_reason() -> None:
    peer = Peer(ready=False)
    assert peer.sends({"msg_type": 4, "status_code": 22, "reason": "codec"}) == [
        fx.Refused(22, "codec")
    ]
    assert faults(peer.audio()) == ["unexpected"]
    assert faults(peer.sends(peer.answer)) == ["unexpected"]


def test_audio() -> None:
    peer = Peer()
    pcm = bytes(range(200))
    assert peer.audio(pcm, user_name="Ada", length=200) == [AudioReceived(5, "Ada", T0, pcm)]
    assert peer.audio(pcm, user_id=0) == [AudioReceived(None, None, T0, pcm)]
    assert peer.audio(pcm, user_id="16778240") == [AudioReceived(16778240, None, T0, pcm)]
    assert peer.audio(pcm, user_id=None, channel_id="2") == [AudioReceived(2, None, T0, pcm)]
    assert peer.audio(b"") == []
    flat = {"msg_type": 14, "content": "AQA=", "user_id": 5, "user_name": "Ada", "timestamp": T0}
    assert peer.sends(flat) == [AudioReceived(5, "Ada", T0, b"\x01\x00")]
    assert peer.sends(json.dumps(flat).encode()) == [AudioReceived(5, "Ada", T0, b"\x01\x00")]


def test_audio_times_in_any_unit_and_out_of_order() -> None:
    peer = Peer()
    at = [T0 + 100, T0 + 20, T0 // 1000, (T0 + 200) * 1000, None, 3]
    found = [
        e.timestamp_ms for t in at for e in peer.audio(timestamp=t) if isinstance(e, AudioReceived)
    ]
    assert found == [T0 + 100, T0 + 20, T0, T0 + 200, T0 + 200, T0 + 200]


def test_a_wrong_length_is_a_fault_and_the_bytes_are_kept() -> None:
    peer = Peer()
    effects = peer.audio(b"\x01\x00\x02\x00", length=6)
    assert faults(effects) == ["bad_length"]
    assert effects[-1] == AudioReceived(5, None, T0, b"\x01\x00\x02\x00")
    effects = peer.audio(b"\x01\x00\x02")
    assert faults(effects) == ["bad_length"]
    assert effects[-1] == AudioReceived(5, None, T0, b"\x01\x00")


@pytest.mark.parametrize("data", ["AQ", "AQA", "A*==", "\u00e9"])
def test_truncated_base64_is_a_fault_and_the_next_packet_arrives(data: str) -> None:
    peer = Peer()
    broken = {"msg_type": 14, "content": {"data": data, "user_id": 5, "timestamp": T0}}
    assert faults(peer.sends(broken)) == ["bad_base64"]
    assert peer.audio() == [AudioReceived(5, None, T0, b"\x01\x00")]


def test_transcript() -> None:
    peer = Peer()
    assert peer.transcript(
        user_name="Ada", start_time=T0, end_time=T0 + 2000, timestamp=T0 + 2345, language=9
    ) == [TranscriptReceived(5, "Ada", T0, T0 + 2000, T0 + 2345, "hi", "en", "new")]
    (plain,) = peer.transcript(timestamp=T0 + 9)
    assert plain == TranscriptReceived(5, None, T0 + 9, T0 + 9, T0 + 9, "hi", None, "new")
    (turned,) = peer.transcript(start_time=T0 + 50, end_time=T0 + 10, language=-1, attribute=1)
    assert isinstance(turned, TranscriptReceived)
    assert (turned.start_ms, turned.end_ms, turned.language) == (T0 + 50, T0 + 50, None)
    operations = [
        e.operation
        for attribute in (None, 0, 1, 2, 3, 9)
        for e in peer.transcript(attribute=attribute, timestamp=T0)
        if isinstance(e, TranscriptReceived)
    ]
    assert operations == ["new", "new", "new", "update", "delete", "new"]


def test_chat_as_object_json_text_and_plain_text() -> None:
    peer = Peer()
    body = {
        "data": "hello",
        "message_id": "m1",
        "operation_type": 1,
        "sender": {"user_id": 7, "user_name": "Bo"},
    }
    for data in (body, json.dumps(body)):
        assert peer.chat(data) == [ChatReceived("m1", 7, "Bo", T0, "hello", "new")]
    assert peer.chat("hello", user_id=7, user_name="Bo") == [
        ChatReceived(None, 7, "Bo", T0, "hello", "new")
    ]
    assert peer.sends({"msg_type": 18, "content": "hi", "user_id": 7, "timestamp": T0}) == [
        ChatReceived(None, 7, None, T0, "hi", "new")
    ]
    effects = peer.chat({**body, "operation_type": 9})
    assert faults(effects) == ["unknown_chat"]
    assert all(isinstance(e, ProtocolFault) and "hello" not in e.detail for e in effects)


IMAGES = MediaType.VIDEO | MediaType.DESKSHARE


def test_images_and_their_format() -> None:
    settings = RtmsSettings(video="individual", video_codec="H264", share_codec="PNG")
    peer = Peer(media=IMAGES, settings=settings, echoed={})
    assert peer.greeted == [
        ImageFormat("video", "H264", "HD", 25, individual=True),
        ImageFormat("deskshare", "PNG", "FHD", 1),
        fx.MediaAccepted(),
    ]
    content = {"data": "AQA=", "user_id": 5, "user_name": "Ada", "timestamp": T0, "length": 2}
    assert peer.sends({"msg_type": 15, "content": content}) == [
        ImageReceived("video", 5, "Ada", T0, b"\x01\x00")
    ]
    assert peer.sends({"msg_type": 16, "content": "AQA=", "user_id": "5", "timestamp": T0}) == [
        ImageReceived("deskshare", 5, None, T0, b"\x01\x00")
    ]
    effects = peer.sends({"msg_type": 16, "content": {**content, "length": 3}})
    assert faults(effects) == ["bad_length"]
    assert isinstance(effects[-1], ImageReceived)
    assert peer.sends({"msg_type": 15, "content": {"data": "", "timestamp": T0}}) == []


def test_a_silent_fall_back_of_any_media_is_reported() -> None:
    echoed = {
        "video": {"codec": 5, "fps": 5, "data_opt": 3, "resolution": 1},
        "deskshare": {"codec": 99, "fps": 0, "resolution": 9},
        "transcript": {"language": 14, "enable_lid": False},
        "chat": {"content_type": 4},
    }
    media = IMAGES | MediaType.TRANSCRIPT | MediaType.CHAT
    settings = RtmsSettings(video="individual", video_codec="H264", language="en")
    greeted = Peer(media=media, settings=settings, echoed=echoed).greeted
    assert faults(greeted) == ["params_changed"] * 5, "the first five are told"
    assert "video codec: asked for H264, got JPG" in [
        e.detail for e in greeted if isinstance(e, ProtocolFault)
    ]
    assert [e for e in greeted if isinstance(e, ImageFormat)] == [
        ImageFormat("video", "JPG", "SD", 5),
        ImageFormat("deskshare", "codec 99", "resolution 9", 1),
    ]
    words = Peer(media=MediaType.TRANSCRIPT, settings=settings, echoed=echoed).greeted
    assert faults(words) == ["params_changed"] * 2, "the language under its older name too"
    good = {"transcript": {"content_type": 5, "language": 9, "enable_lid": True}}
    assert faults(Peer(media=MediaType.TRANSCRIPT, settings=settings, echoed=good).greeted) == []


@pytest.mark.parametrize("rate", [0, -20, 10**30])
def test_an_interval_that_is_none_counts_as_the_one_asked_for(rate: int) -> None:
    told = Peer(given={"send_rate": rate}).greeted[-2]
    assert told == AudioFormat("L16", 16_000, 1, True, 100)
    given = {"content_type": 2, "codec": 1, "sample_rate": 1, "channel": 1, "data_opt": 2}
    assert Peer(echoed={"audio": given}).greeted[-2] == told


def test_stereo_samples_are_four_bytes_and_other_codecs_have_none() -> None:
    stereo = Peer(settings=RtmsSettings(channels=2), given={"channel": 2})
    assert faults(stereo.audio(b"\x00" * 8)) == []
    effects = stereo.audio(b"\x00" * 10)
    assert faults(effects) == ["bad_length"]
    assert effects[-1] == AudioReceived(5, None, T0, b"\x00" * 8)
    for codec, number, rate in (("G711", 2, 0), ("G722", 3, 1), ("OPUS", 4, 3)):
        hertz = (8000, 16000, 32000, 48000)[rate]
        settings = RtmsSettings(codec=codec, sample_rate=hertz)  # type: ignore[arg-type]
        given = {"codec": number, "sample_rate": rate, "send_rate": 20}
        peer = Peer(settings=settings, given=given)
        assert peer.greeted == [AudioFormat(codec, hertz, 1, True, 20), fx.MediaAccepted()]
        assert peer.audio(b"\x01\x02\x03", length=3) == [
            AudioReceived(5, None, T0, b"\x01\x02\x03")
        ]


def test_rtp_packets_are_opened_and_bare_ones_pass() -> None:
    settings = RtmsSettings(codec="G711", sample_rate=8000, content_type="rtp")
    given = {"codec": 2, "sample_rate": 0, "content_type": 1, "send_rate": 20}
    peer = Peer(settings=settings, given=given)
    assert faults(peer.greeted) == []
    packet = b"\x80\x08\x00\x01" + b"\x00" * 8 + b"\xd5" * 160
    for data in (packet, packet[12:]):
        assert peer.audio(data, length=len(data)) == [AudioReceived(5, None, T0, b"\xd5" * 160)]
    raw = Peer(settings=settings, given={**given, "content_type": 2})
    assert raw.audio(packet) == [AudioReceived(5, None, T0, packet)], "not where raw was echoed"


def test_who_speaks_is_told_by_number_then_channel_then_name() -> None:
    peer = Peer()

    def speaker(**fields: Any) -> int | None:
        (audio,) = peer.audio(**fields)
        assert isinstance(audio, AudioReceived)
        return audio.user_id

    assert speaker(user_id=5, channel_id="9") == speaker(user_id="5", channel_id=9) == 5
    assert speaker(user_id="agent-x", channel_id="9") == 9
    assert speaker(user_id=0, channel_id="123abc") == speaker(user_id=None, channel_id="123abc")
    assert speaker(user_id="agent-x") != speaker(user_id="agent-y")
    for odd in (-5, 2**63, 10**30):
        number = speaker(user_id=odd)
        assert number is not None
        assert 2**32 <= number < 2**63


def test_a_burst_of_buffered_audio_passes_unchanged() -> None:
    peer = Peer()
    times = [T0 - 60_000 + 20 * step for step in range(3_000)]
    times[100:200] = reversed(times[100:200])
    times[300:310] = [times[300]] * 10
    found = [e for at in times for e in peer.audio(timestamp=at)]
    assert [e.timestamp_ms for e in found if isinstance(e, AudioReceived)] == times
    assert len(found) == len(times)


def test_interpreter_metadata_is_kept_as_it_came() -> None:
    peer = Peer()
    frame = '{"msg_type": 23, "interpreter": {"target": [{"language": 9}]}, "timestamp": {}}'
    assert peer.sends(frame) == [InterpreterTold(frame.encode())]
    assert peer.sends(frame.encode()) == [InterpreterTold(frame.encode())]
    long = json.dumps({"msg_type": 23, "interpreter": "x" * 70_000})
    assert faults(peer.sends(long)) == ["too_long"]


def test_keep_alives_are_answered_and_every_frame_is_a_sign_of_life() -> None:
    peer = Peer()
    assert peer.machine.deadline == 165.0
    peer.now = 120.0
    assert peer.sends({"msg_type": 12, "sequence": 3, "timestamp": T0}) == [
        fx.Send(m.KeepAliveResponse(sequence=3, timestamp=T0))
    ]
    peer.now = 130.0
    peer.audio()
    assert peer.machine.deadline == 195.0


def test_states_may_come_on_a_media_socket() -> None:
    peer = Peer()
    assert peer.sends({"msg_type": 8, "state": 4, "reason": 6, "timestamp": T0}) == [
        fx.Terminated(6)
    ]
    paused = {"msg_type": 9, "rtms_session_id": "a", "state": 3, "timestamp": T0}
    assert peer.sends(paused) == [SessionChanged("a", "paused", T0), StreamPaused()]
    assert faults(peer.sends({**paused, "state": 77})) == ["unknown_state"]
    assert faults(peer.sends({**paused, "rtms_session_id": "x" * 300})) == ["too_long"]


def test_what_does_not_belong_is_a_fault_and_nothing_else() -> None:
    assert faults(Peer(ready=False).audio()) == ["unexpected"]
    peer = Peer()
    assert faults(peer.sends({"msg_type": 2, "status_code": 0})) == ["unexpected"]
    assert faults(peer.sends({"msg_type": 6, "event": {"event_type": 2}})) == ["unexpected"]
    assert faults(peer.sends({"msg_type": 77})) == ["unknown_type"]
    assert faults(peer.sends("nonsense")) == ["bad_json"]
    assert faults(peer.sends({"msg_type": 26, "content": {}})) == ["reserved_type"]
    assert faults(peer.sends({"msg_type": 26, "content": {}})) == [], "the first of its kind"


def test_messages_and_bytes_reach_the_metrics() -> None:
    counter = metrics.MESSAGES.labels("all", "media_data_audio")
    size = metrics.MEDIA_BYTES.labels("audio")
    before, bytes_before = counter._value.get(), size._value.get()
    peer = Peer()
    for _ in range(10):
        peer.audio(b"\x00\x00" * 320)
    peer.machine.tally.flush()
    assert counter._value.get() - before == 10
    assert size._value.get() - bytes_before == 6400


@pytest.mark.parametrize(
    ("key", "frame", "lost"),
    [
        ("all", b'{"msg_type":14,"content":{"data":"AA', "audio"),
        ("all", b'{"msg_type": 17, "content":{"data":"\xff\xfe"}}', "transcript"),
        ("all", '{"msg_type":18,"content":"\ud800"}', "chat"),
        ("all", b'{"msg_type":14,"content":{"data":"AA*A"}}', "audio"),
        ("all", b'{"msg_type":12,"sequence":', None),
        ("all", b"<html>", "all"),
        ("transcript", b"", "transcript"),
        ("audio", b"[]", "audio"),
    ],
)
def test_what_could_not_be_read_is_told_by_what_it_was(
    key: str, frame: bytes | str, lost: str | None
) -> None:
    peer = Peer()
    peer.machine._key = key
    for _ in range(7):  # more often than the fault is
        effects = peer.sends(frame)
        assert [e.media for e in effects if isinstance(e, Unread)] == ([lost] if lost else [])
    assert faults(effects) == []
