"""Which handshakes the fake Zoom accepts, with which parameters, and with which status not."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.secret import Secret
from pipeline.emulator.handshake import (
    Identity,
    check_identity,
    check_type,
    conflict,
    offered_urls,
)
from pipeline.emulator.params import Refused, effective, expand
from pipeline.rtms.enums import EVERY_MEDIA, MediaType, MessageType, StatusCode

WHO = Identity("MU==", "S1", "cid", Secret("csec"))
SIGNATURE = "761233933f0b393c0c7340179cf744e553aca40d41ccf5941f84770cd62c1fe8"  # reference 21


def hello(**changes: Any) -> dict[str, Any]:
    message = {
        "msg_type": 1,
        "protocol_version": 1,
        "meeting_uuid": "MU==",
        "rtms_stream_id": "S1",
        "signature": SIGNATURE,
        **changes,
    }
    return {key: value for key, value in message.items() if value is not None}


def status(message: dict[str, Any]) -> StatusCode:
    with pytest.raises(Refused) as caught:
        check_identity(message, MessageType.SIGNALING_HAND_SHAKE_REQ, WHO)
    return caught.value.status


@pytest.mark.parametrize(
    "key", ["meeting_uuid", "webinar_uuid", "session_id", "engagement_id", "call_id"]
)
def test_any_of_the_five_id_keys(key: str) -> None:
    message = hello(meeting_uuid=None) | {key: "MU=="}
    check_identity(message, MessageType.SIGNALING_HAND_SHAKE_REQ, WHO)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"msg_type": 3}, StatusCode.INVALID_MESSAGE_TYPE),
        ({"msg_type": "1"}, StatusCode.INVALID_MESSAGE_TYPE),
        ({"msg_type": None}, StatusCode.INVALID_MESSAGE_TYPE),
        ({"protocol_version": 2}, StatusCode.INVALID_PAYLOAD),
        ({"protocol_version": None}, StatusCode.INVALID_PAYLOAD),
        ({"meeting_uuid": None}, StatusCode.INVALID_PAYLOAD),
        ({"meeting_uuid": 7}, StatusCode.INVALID_PAYLOAD),
        ({"meeting_uuid": "other"}, StatusCode.INVALID_RTMS_STREAM_ID),
        ({"rtms_stream_id": "S2"}, StatusCode.INVALID_RTMS_STREAM_ID),
        ({"rtms_stream_id": ["S1"]}, StatusCode.INVALID_PAYLOAD),
        ({"rtms_stream_id": None}, StatusCode.INVALID_PAYLOAD),
        ({"signature": None}, StatusCode.INVALID_PAYLOAD),
        ({"signature": 1}, StatusCode.INVALID_PAYLOAD),
        ({"signature": SIGNATURE[:-1] + "9"}, StatusCode.INVALID_SIGNATURE),
        ({"signature": SIGNATURE.upper()}, StatusCode.INVALID_SIGNATURE),
        ({"signature": "\ud800"}, StatusCode.INVALID_SIGNATURE),
        ({"signature": ""}, StatusCode.INVALID_SIGNATURE),
    ],
)
def test_refused_with_the_status_of_the_table(
    changes: dict[str, Any], expected: StatusCode
) -> None:
    assert status(hello(**changes)) is expected


@pytest.mark.parametrize(
    ("value", "path", "expected"),
    [
        (0, MediaType.ALL, StatusCode.MEDIA_TYPE_INVALID_VALUE),
        (-1, MediaType.ALL, StatusCode.MEDIA_TYPE_INVALID_VALUE),
        (64, MediaType.ALL, StatusCode.MEDIA_TYPE_INVALID_VALUE),
        (33, MediaType.ALL, StatusCode.MEDIA_TYPE_INVALID_VALUE),
        ("1", MediaType.ALL, StatusCode.INVALID_PAYLOAD),
        (True, MediaType.ALL, StatusCode.INVALID_PAYLOAD),
        (None, MediaType.ALL, StatusCode.INVALID_PAYLOAD),
        (8, MediaType.AUDIO, StatusCode.INVALID_MEDIA_TYPE),
    ],
)
def test_media_types_that_cannot_be(value: object, path: MediaType, expected: StatusCode) -> None:
    with pytest.raises(Refused) as caught:
        check_type({"media_type": value}, path, WHO)
    assert caught.value.status is expected


@pytest.mark.parametrize(
    ("value", "path"),
    [(1, MediaType.AUDIO), (9, MediaType.AUDIO), (9, MediaType.ALL), (32, MediaType.ALL)],
)
def test_media_types_that_can_be(value: int, path: MediaType) -> None:
    assert check_type({"media_type": value}, path, WHO) == value


@pytest.mark.parametrize(
    ("media", "other", "code"),
    [(1, 1, 16), (9, 8, 16), (32, 32, 16), (32, 1, 15), (1, 32, 15), (1, 8, None), (6, 9, None)],
)
def test_what_excludes_what(media: int, other: int, code: int | None) -> None:
    found = conflict(MediaType(media), MediaType(other))
    assert (found and found.status) == code


@pytest.mark.parametrize(("media", "code"), [*zip(EVERY_MEDIA, range(9, 14), strict=True)])
def test_a_missing_scope_has_a_status_of_its_own(media: MediaType, code: int) -> None:
    poor = Identity("MU==", "S1", "cid", Secret("csec"), frozenset(EVERY_MEDIA) - {media})
    with pytest.raises(Refused) as caught:
        check_type({"media_type": int(media)}, MediaType.ALL, poor)
    assert caught.value.status == code
    assert check_type({"media_type": 32}, MediaType.ALL, poor) is MediaType.ALL


@pytest.mark.parametrize(("version", "good"), [(None, True), ("1", True), (2, False), ("2", False)])
def test_a_tolerant_server_does_without_the_version(version: object, good: bool) -> None:
    message = hello(protocol_version=version)
    kind = MessageType.SIGNALING_HAND_SHAKE_REQ
    if good:
        check_identity(message, kind, WHO, mode="tolerant")
    else:
        with pytest.raises(Refused):
            check_identity(message, kind, WHO, mode="tolerant")


@pytest.mark.parametrize("changes", [{"signature": "0" * 64}, {"rtms_stream_id": "S2"}])
def test_a_tolerant_server_is_no_open_one(changes: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        check_identity(hello(**changes), MessageType.SIGNALING_HAND_SHAKE_REQ, WHO, mode="tolerant")


@pytest.mark.parametrize(
    ("product", "urls", "expected"),
    [
        ("meeting", "both", ["audio", "chat", "all"]),
        ("meeting", "split", ["audio", "chat"]),
        ("meeting", "all", ["all"]),
        ("contact_center", "both", ["audio", "chat", "all"]),
        ("contact_center", "all", ["audio"]),
    ],
)
def test_urls_that_are_offered(product: Any, urls: Any, expected: list[str]) -> None:
    scopes = {MediaType.CHAT, MediaType.AUDIO}
    found = offered_urls("ws://x", product, scopes, urls)
    assert list(found) == expected
    assert all(url.startswith("ws://x/media/") for url in found.values())
    if expected == ["audio"]:  # contact center's name for the one socket
        assert found["audio"].endswith("/all")


# -- parameters ---------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [None, {}, {"audio": None}, {"audio": {}}, {"audio": {"x": 1}}])
def test_defaults_are_filled_in(asked: object) -> None:
    assert effective([MediaType.AUDIO], asked) == {
        "audio": {
            "content_type": 2,
            "sample_rate": 1,
            "channel": 1,
            "codec": 1,
            "data_opt": 1,
            "send_rate": 20,
        }
    }


def test_every_media_has_parameters() -> None:
    assert list(effective(EVERY_MEDIA, None)) == [
        "audio",
        "video",
        "deskshare",
        "transcript",
        "chat",
    ]


def audio(mode: Any = "strict", **fields: Any) -> dict[str, Any]:
    return effective([MediaType.AUDIO], {"audio": fields}, mode=mode)["audio"]


def test_send_rate_above_a_second_is_a_second() -> None:
    assert audio(send_rate=5000)["send_rate"] == 1000


OPUS = {"codec": 4, "sample_rate": 3}
G711 = {"codec": 2, "sample_rate": 0}
G722 = {"codec": 3, "sample_rate": 1}


@pytest.mark.parametrize(
    ("fields", "code", "given"),
    [
        ({"content_type": 3}, 19, {"content_type": 2}),
        ({"content_type": 1}, 19, {"content_type": 2}),  # RTP with L16
        ({"sample_rate": 4}, 20, {"sample_rate": 1}),
        ({"sample_rate": "1"}, 20, {"sample_rate": 1}),
        ({"channel": 3}, 21, {"channel": 1}),
        ({"channel": 0}, 21, {"channel": 1}),
        ({"codec": 5}, 22, {"codec": 1}),
        ({"codec": True}, 22, {"codec": 1}),
        ({"data_opt": 3}, 23, {"data_opt": 1}),
        ({"send_rate": 30}, 24, {"send_rate": 20}),
        ({"send_rate": 199}, 24, {"send_rate": 180}),
        ({"send_rate": 0}, 24, {"send_rate": 20}),
        ({"send_rate": 20.0}, 24, {"send_rate": 20}),
        ({"codec": 4}, 20, {"codec": 4, "sample_rate": 3}),
        ({"codec": 4, "sample_rate": 1}, 20, {"sample_rate": 3}),
        (OPUS | {"send_rate": 40}, 24, {"send_rate": 20}),
        (G711 | {"channel": 2}, 21, {"channel": 1}),
        (G711 | {"sample_rate": 1}, 20, {"sample_rate": 0}),
        (G722 | {"channel": 2}, 21, {"channel": 1}),
        (G722 | {"sample_rate": 0}, 20, {"sample_rate": 1}),
        (G722 | {"send_rate": 100}, 24, {"send_rate": 20}),
    ],
)
def test_audio_outside_the_matrix(fields: dict[str, Any], code: int, given: dict[str, int]) -> None:
    """Strict says no, tolerant gives the nearest thing and says what it is."""
    with pytest.raises(Refused) as caught:
        audio(**fields)
    assert caught.value.status == code
    got = audio("tolerant", **fields)
    assert {key: got[key] for key in given} == given
    assert audio(**got) == got  # and it is in the matrix


MATRIX = (
    [(2, 1, rate, channel, ms) for rate in range(4) for channel in (1, 2) for ms in (20, 40, 1000)]
    + [(content, 4, 3, channel, 20) for content in (1, 2) for channel in (1, 2)]
    + [(content, 2, 0, 1, 20) for content in (1, 2)]
    + [(content, 3, 1, 1, 20) for content in (1, 2)]
)


@given(
    *(st.sampled_from(values) for values in ([1, 2], [1, 2, 3, 4], range(4), [1, 2])),
    st.sampled_from([20, 40, 1000]),
    st.sampled_from([1, 2]),
)
def test_the_whole_matrix_and_nothing_else(
    content: int, codec: int, rate: int, channel: int, ms: int, option: int
) -> None:
    asked = {
        "content_type": content,
        "codec": codec,
        "sample_rate": rate,
        "channel": channel,
        "send_rate": ms,
        "data_opt": option,
    }
    if (content, codec, rate, channel, ms) in MATRIX:
        assert audio(**asked) == audio("tolerant", **asked) == asked
        return
    with pytest.raises(Refused) as caught:
        audio(**asked)
    assert caught.value.status in (19, 20, 21, 24)
    got = audio("tolerant", **asked)
    key = ("content_type", "codec", "sample_rate", "channel", "send_rate")
    assert tuple(got[name] for name in key) in MATRIX
    assert (got["codec"], got["data_opt"]) == (codec, option)


def test_a_tape_without_voices_apart_gives_the_mix_and_says_so() -> None:
    asked = {"audio": {"data_opt": 2}}
    for mode in ("strict", "tolerant"):
        got = effective([MediaType.AUDIO], asked, mode=mode, mixed_only=True)
        assert got["audio"]["data_opt"] == 1


def test_images_are_what_the_tape_holds_and_said_to_be() -> None:
    recorded = {"video": {"codec": 7, "fps": 25, "resolution": 3}, "deskshare": {"codec": "x"}}
    asked = {"video": {"codec": 5, "fps": 5, "data_opt": 4}}
    kinds = [MediaType.VIDEO, MediaType.DESKSHARE]
    got = effective(kinds, asked, recorded=recorded)
    assert got["video"] == {
        "content_type": 3,
        "codec": 7,
        "resolution": 3,
        "fps": 25,
        "data_opt": 4,
    }
    assert got["deskshare"] == effective(kinds, None)["deskshare"]


def test_the_older_name_of_the_language() -> None:
    got = effective([MediaType.TRANSCRIPT], {"transcript": {"language": 14}})["transcript"]
    assert got == {"content_type": 5, "src_language": 14, "enable_lid": True}


@pytest.mark.parametrize(
    ("media", "asked", "code", "given"),
    [
        (1, [], 17, {}),
        (1, {"audio": 1}, 18, {}),
        (2, {"video": "hd"}, 25, {"codec": 5}),
        (2, {"video": {"content_type": 1}}, 26, {"content_type": 3}),
        (2, {"video": {"codec": 4}}, 27, {"codec": 5}),
        (2, {"video": {"resolution": 0}}, 28, {"resolution": 2}),
        (2, {"video": {"data_opt": 5}}, 29, {"data_opt": 3}),
        (2, {"video": {"fps": 99}}, 30, {"fps": 5}),
        (2, {"video": {"codec": 5, "fps": 25}}, 30, {"fps": 5}),
        (2, {"video": {"codec": 6, "fps": 6}}, 30, {"fps": 5}),
        (2, {"video": {"codec": 7, "fps": 5}}, 30, {"fps": 6}),
        (4, {"deskshare": []}, 31, {}),
        (4, {"deskshare": {"content_type": 2}}, 32, {"content_type": 3}),
        (4, {"deskshare": {"codec": 1}}, 33, {"codec": 5}),
        (4, {"deskshare": {"resolution": 9}}, 34, {"resolution": 3}),
        (4, {"deskshare": {"codec": 5, "fps": 2}}, 35, {"fps": 1}),
        (4, {"deskshare": {"codec": 7, "fps": 31}}, 35, {"fps": 30}),
        (8, {"transcript": True}, 36, {}),
        (8, {"transcript": {"enable_lid": 1}}, 36, {"enable_lid": True}),
        (8, {"transcript": {"content_type": 4}}, 37, {"content_type": 5}),
        (8, {"transcript": {"src_language": 37}}, 43, {"src_language": 9}),
        (8, {"transcript": {"src_language": -2}}, 43, {"src_language": 9}),
        (16, {"chat": "x"}, 38, {}),
        (16, {"chat": {"content_type": 2}}, 39, {"content_type": 5}),
    ],
)
def test_other_parameters(media: int, asked: object, code: int, given: dict[str, Any]) -> None:
    kind = MediaType(media)
    with pytest.raises(Refused) as caught:
        effective([kind], asked)
    assert caught.value.status == code
    (got,) = effective([kind], asked, mode="tolerant").values()
    assert {key: got[key] for key in given} == given


@pytest.mark.parametrize(
    ("media", "fields", "fps"),
    [
        (2, {"fps": 25}, 5),  # without a codec it falls back to JPG
        (4, {"fps": 25}, 1),
        (2, {"codec": 7}, 25),
        (4, {"codec": 7, "fps": 30}, 30),
        (2, {"codec": 7, "fps": 6}, 6),
        (2, {"codec": 6, "fps": 5}, 5),
        (4, {"codec": 6}, 1),
    ],
)
def test_images_come_as_fast_as_their_codec_may(media: int, fields: Any, fps: int) -> None:
    key = "video" if media == 2 else "deskshare"
    assert effective([MediaType(media)], {key: fields})[key]["fps"] == fps


def test_a_reason_stays_short_whatever_was_asked() -> None:
    for value in ("x" * 100_000, [["y"] * 1000], 10**400, {"a": 1}):
        with pytest.raises(Refused) as caught:
            audio(codec=value)
        assert len(caught.value.reason) < 150


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 70) | st.text(max_size=3) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["audio", "video", "transcript", "codec", "channel", "send_rate", "fps"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@given(JSON, st.integers(1, 63))
def test_parameters_are_refused_or_complete(asked: object, media: int) -> None:
    wanted = expand(MediaType(media))
    with contextlib.suppress(Refused):
        assert len(effective(wanted, asked)) == len(wanted)


@given(JSON, st.integers(1, 63))
def test_a_tolerant_server_always_gives_something(asked: object, media: int) -> None:
    wanted = expand(MediaType(media))
    got = effective(wanted, asked, mode="tolerant")
    assert effective(wanted, got) == got  # which a strict one would give too


@given(
    st.dictionaries(
        st.sampled_from([*hello(), "media_type", "session_id"]),
        JSON | st.sampled_from([*hello().values()]),
    )
)
def test_strange_handshakes_never_break_anything(message: dict[str, Any]) -> None:
    with contextlib.suppress(Refused):
        check_identity(message, MessageType.SIGNALING_HAND_SHAKE_REQ, WHO)
        assert message["signature"] == SIGNATURE
        check_type(message, MediaType.ALL, WHO)
