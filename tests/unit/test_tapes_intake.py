"""From frames to lines: nothing is lost, times stay as they came, and the order holds."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audio.codecs import encoder
from pipeline.tapes.coding import packet_decoder
from pipeline.tapes.header import AudioCoding
from pipeline.tapes.intake import Intake
from pipeline.tapes.lines import (
    BackMark,
    CodingMark,
    Line,
    LostMark,
    MissingMark,
    TapeAudio,
    TapeMessage,
)

START = 1_790_000_000_000


def opened(codec: int = 1, rate: int = 1, channel: int = 1, **more: Any) -> bytes:
    params = {"audio": {"codec": codec, "sample_rate": rate, "channel": channel}}
    return json.dumps({"msg_type": 4, "status_code": 0, "media_params": params, **more}).encode()


def audio(data: bytes, at: int, user_id: Any = 7, **more: Any) -> bytes:
    text = base64.b64encode(data).decode()
    content = {"user_id": user_id, "data": text, "timestamp": START + at, **more}
    return json.dumps({"msg_type": 14, "content": content}).encode()


def ping(at: int) -> bytes:
    return json.dumps({"msg_type": 12, "sequence": 1, "timestamp": START + at}).encode()


def taken(*frames: bytes, socket: str = "audio") -> list[Line | CodingMark]:
    intake = Intake(start_ms=START)
    intake.take(socket, "server", opened())
    found = []
    for frame in frames:
        intake.take(socket, "server", frame)
        found += intake.ready()
    return found + intake.finish()


def spurts(lines: list[Line | CodingMark]) -> list[TapeAudio]:
    return [line for line in lines if isinstance(line, TapeAudio)]


def packets(lines: list[Line | CodingMark]) -> list[tuple[int, int, bytes]]:
    """(timestamp, user, samples) of every packet, decoded."""
    table: list[AudioCoding] = []
    decoders: dict[int, Any] = {}
    found = []
    for line in lines:
        if isinstance(line, CodingMark):
            table.append(line.coding)
        elif isinstance(line, TapeAudio):
            packed = line.packed
            coding = table[packed.coding]
            if packed.first:
                decoders[packed.user_id] = packet_decoder(coding)
            at = float(packed.timestamp)
            for packet in packed.packets:
                pcm = decoders[packed.user_id].decode([packet])
                found.append((round(at), packed.user_id, pcm.tobytes()))
                at += len(pcm) * 1000 / coding.sample_rate
    return found


def tone(samples: int, seed: int = 0) -> bytes:
    data: bytes = (np.random.default_rng(seed).normal(size=samples) * 900).astype("<i2").tobytes()
    return data


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2, 3]),
            st.sampled_from([320, 1600, 800, 16, 17]),
            st.one_of(st.just(None), st.integers(-3_000, 3_000), st.sampled_from([-1, 0, 1])),
        ),
        max_size=60,
    ),
    st.integers(1, 8),
)
def test_every_packet_is_there_with_its_time(rows: list[Any], every: int) -> None:
    """Gaps, jitter, repeats and out-of-order timestamps: whatever comes, the same comes back."""
    intake = Intake(start_ms=START)
    intake.take("audio", "server", opened())
    lines: list[Line | CodingMark] = []
    sent = []
    ends: dict[int, float] = {}
    for number, (user, size, off) in enumerate(rows):
        at = round(ends.get(user, 10_000.0)) + (off or 0)
        at = max(0, at)
        ends[user] = at + size / 16
        data = tone(size, number)
        sent.append((START + at, user, data))
        intake.take("audio", "server", audio(data, at, user))
        if number % every == 0:
            lines += intake.ready(everything=number % 2 == 0)
    lines += intake.finish()
    found = packets(lines)
    for user in (1, 2, 3):
        mine = [(at, data) for at, who, data in found if who == user]
        assert [data for _, data in mine] == [data for _, who, data in sent if who == user]
        wanted = [at for at, who, _ in sent if who == user]
        assert all(abs(a - b) <= 1 for (a, _), b in zip(mine, wanted, strict=True))
    times = [line.t for line in lines]
    assert times == sorted(times)
    for user in (1, 2, 3):
        marks = [(x.packed.first, x.packed.last) for x in spurts(lines) if x.packed.user_id == user]
        inside = False
        for first, last in marks:
            assert first != inside  # spurts neither nest nor begin in the middle
            inside = not last
        assert not inside


@pytest.mark.parametrize(
    ("codec", "name", "rate", "channels", "samples"),
    [(2, "G711", 8_000, 1, 160), (3, "G722", 16_000, 1, 320), (4, "OPUS", 48_000, 2, 960)],
)
def test_wire_packets_stand_as_they_came(
    codec: int, name: str, rate: int, channels: int, samples: int
) -> None:
    code = encoder(name, rate, channels)
    shape = (samples, channels)
    wire = [
        code.encode((np.random.default_rng(n).normal(size=shape) * 900).astype(np.int16))
        for n in range(10)
    ]
    number = {8_000: 0, 16_000: 1, 48_000: 3}[rate]
    intake = Intake(start_ms=START)
    intake.take("audio", "server", opened(codec, number, channels))
    for place, packet in enumerate(wire):
        intake.take("audio", "server", audio(packet, place * 20))
    lines = intake.finish()
    (coding,) = [line.coding for line in lines if isinstance(line, CodingMark)]
    assert (coding.codec, coding.sample_rate, coding.packet_ms) == (name.lower(), rate, 20)
    assert [p for line in spurts(lines) for p in line.packed.packets] == wire
    assert sum(len(data) for _, _, data in packets(lines)) == 10 * samples * channels * 2


def test_stereo_is_lossless() -> None:
    intake = Intake(start_ms=START)
    intake.take("audio", "server", opened(1, 3, 2))
    data = tone(960 * 2)
    intake.take("audio", "server", audio(data, 0))
    lines = intake.finish()
    assert packets(lines) == [(START, 7, data)]


@pytest.mark.parametrize(
    "message",
    [
        {"msg_type": 14, "content": base64.b64encode(tone(320)).decode(), "user_id": 7},
        {"msg_type": 14, "content": {"user_id": "seven", "data": "AAAA", "timestamp": START}},
        {"msg_type": 14, "content": {"user_id": 7, "data": "%%%", "timestamp": START}},
        {"msg_type": 14, "content": {"user_id": 7, "data": "AAAA", "timestamp": START * 1000}},
        {"msg_type": 14, "content": {"user_id": -1, "data": "AAAA", "timestamp": START}},
        {"msg_type": 14, "content": {"user_id": 7, "data": "", "timestamp": START}},
        {"msg_type": 14, "content": {"user_id": 7, "data": "AAA=", "timestamp": START}},
        {"msg_type": 14},
        {"msg_type": 99, "hello": [1, 2.5, None, True]},
        {"no": "type"},
    ],
)
def test_what_cannot_be_packed_stands_as_it_is(message: dict[str, Any]) -> None:
    lines = taken(json.dumps(message).encode())
    (line,) = [x for x in lines if isinstance(x, TapeMessage)][1:]
    assert msgspec.json.decode(line.msg) == message
    assert spurts(lines) == []


def test_flat_form_and_string_ids_are_packed() -> None:
    flat = {
        "msg_type": 14,
        "user_id": "7",
        "user_name": "Ada",
        "timestamp": START + 40,
        "content": base64.b64encode(tone(320)).decode(),
    }
    (line,) = spurts(taken(json.dumps(flat).encode()))
    packed = line.packed
    assert (packed.user_id, packed.user_name, packed.timestamp) == (7, "Ada", START + 40)


def test_calls_name_their_channel() -> None:
    content = {"channel_id": "c1", "data": base64.b64encode(tone(320)).decode()}
    frame = json.dumps({"msg_type": 14, "content": {**content, "timestamp": START}}).encode()
    (line,) = spurts(taken(frame))
    assert (line.packed.user_id, line.packed.channel_id) == (0, "c1")


def test_audio_without_a_handshake_stands_raw() -> None:
    intake = Intake(start_ms=START)
    intake.take("audio", "server", audio(tone(320), 0))
    (line,) = intake.finish()
    assert isinstance(line, TapeMessage)


def test_time_is_the_highest_the_server_stated() -> None:
    frames = [
        ping(1_000),
        ping(400),
        ping(10**12),
        ping(2_000),
        json.dumps({"msg_type": 2}).encode(),
    ]
    times = [line.t for line in taken(*frames)][1:]
    assert times == [1_000, 1_000, 1_000, 2_000, 2_000]


def test_what_the_client_says_moves_no_time() -> None:
    intake = Intake(start_ms=START)
    intake.take("signaling", "client", ping(5_000))
    assert intake.t == 0


@pytest.mark.parametrize(
    "frame", [b"", b"\xff\xfe", b"[]", b"12", b"{", b"[" * 100_000, b'{"a":\xff}']
)
def test_unreadable_frames_are_counted_not_kept(frame: bytes) -> None:
    lines = taken(frame, frame)
    marks = [line for line in lines if isinstance(line, MissingMark)]
    assert sum(mark.frames for mark in marks) == 2
    assert {mark.cause for mark in marks} == {"unreadable"}


def test_frames_of_other_sockets_are_not_kept() -> None:
    intake = Intake(start_ms=START)
    intake.take("moon", "server", ping(1))
    assert [type(line) for line in intake.finish()] == [MissingMark]


def test_a_loss_and_its_return() -> None:
    intake = Intake(start_ms=START)
    intake.take("audio", "server", opened())
    intake.take("signaling", "server", ping(1_000))
    intake.lost("audio", "frame")
    intake.lost("audio")  # told twice
    intake.take("signaling", "server", ping(4_000))
    intake.take("audio", "client", json.dumps({"msg_type": 3}).encode())
    intake.take("audio", "server", opened())
    marks = [x for x in intake.finish() if isinstance(x, LostMark | BackMark)]
    assert marks == [
        LostMark(t=1_000, media="audio", ms=0, close="frame"),
        BackMark(t=4_000, media="audio"),
    ]


def test_signaling_takes_all_media_with_it() -> None:
    intake = Intake(start_ms=START)
    intake.take("audio", "server", opened())
    intake.take("audio", "server", audio(tone(320), 0))
    intake.lost("signaling")
    intake.take("audio", "server", opened())
    lines = intake.finish()
    assert [x.media for x in lines if isinstance(x, LostMark | BackMark)] == ["all", "all"]
    assert spurts(lines)[-1].packed.last


def test_a_handshake_that_comes_again_tells_of_a_loss() -> None:
    intake = Intake(start_ms=START)
    for _ in range(2):
        intake.take("audio", "client", json.dumps({"msg_type": 3}).encode())
        intake.take("audio", "server", opened())
    marks = [type(x) for x in intake.finish() if isinstance(x, LostMark | BackMark)]
    assert marks == [LostMark, BackMark]


def test_the_server_tells_of_a_loss_first() -> None:
    intake = Intake(start_ms=START)
    for socket in ("audio", "transcript"):
        intake.take(socket, "server", opened())
    told = {"event_type": 7, "timestamp": START + 900, "media_type": 1}
    intake.take("signaling", "server", json.dumps({"msg_type": 6, "event": told}).encode())
    intake.lost("audio")  # the client finds out
    intake.take("audio", "server", opened())
    marks = [x for x in intake.finish() if isinstance(x, LostMark | BackMark)]
    assert marks == [LostMark(t=900, media="audio", ms=0), BackMark(t=900, media="audio")]


def test_what_closes_after_the_end_is_not_lost() -> None:
    intake = Intake(start_ms=START)
    intake.take("audio", "server", opened())
    over = {"msg_type": 8, "state": 4, "reason": 6, "timestamp": START + 900}
    intake.take("signaling", "server", json.dumps(over).encode())
    intake.lost("signaling", "frame")
    assert not [x for x in intake.finish() if isinstance(x, LostMark)]


def test_lines_do_not_wait_for_ever() -> None:
    """A voice holds its line open for a second of meeting time at most."""
    intake = Intake(start_ms=START)
    intake.take("audio", "server", opened())
    intake.take("audio", "server", audio(tone(320), 0))
    intake.take("signaling", "server", ping(500))
    assert not spurts(intake.ready())
    intake.take("signaling", "server", ping(1_000))
    assert len(spurts(intake.ready())) == 1
    intake.take("signaling", "server", ping(2_500))
    (end,) = spurts(intake.ready(everything=True))
    assert (end.packed.last, end.packed.packets) == (True, ())


def test_a_burst_of_voices_is_bounded() -> None:
    intake = Intake(start_ms=START)
    intake.take("audio", "server", opened())
    for user in range(5_000):
        intake.take("audio", "server", audio(tone(16), 0, user + 1))
        intake.ready()
    assert len(intake._voices) <= 1_024


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=80)), max_size=20))
def test_any_bytes_go_in_without_harm(frames: list[tuple[bool, bytes]]) -> None:
    intake = Intake(start_ms=START)
    intake.take("audio", "server", opened())
    for server, frame in frames:
        intake.take("audio", "server" if server else "client", frame)
    assert intake.finish()


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        ),
        max_leaves=12,
    ),
    st.sampled_from([3, 4, 6, 8, 9, 14, 17, 18, 99]),
)
def test_any_message_goes_in_without_harm(content: Any, kind: int) -> None:
    message = {
        "msg_type": kind,
        "content": content,
        "event": content,
        "media_params": content,
        "timestamp": content,
        "status_code": 0,
    }
    lines = taken(json.dumps(message).encode(), audio(tone(320), 0))
    assert all(line.t >= 0 for line in lines)
