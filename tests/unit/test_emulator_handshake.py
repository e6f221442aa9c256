"""Which handshakes the fake Zoom accepts, with which parameters, and with which status not."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.secret import Secret
from pipeline.emulator.handshake import Identity, check_identity, check_media
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
    ("value", "path", "taken", "expected"),
    [
        (0, MediaType.ALL, [], StatusCode.MEDIA_TYPE_INVALID_VALUE),
        (-1, MediaType.ALL, [], StatusCode.MEDIA_TYPE_INVALID_VALUE),
        (64, MediaType.ALL, [], StatusCode.MEDIA_TYPE_INVALID_VALUE),
        (33, MediaType.ALL, [], StatusCode.MEDIA_TYPE_INVALID_VALUE),
        ("1", MediaType.ALL, [], StatusCode.INVALID_PAYLOAD),
        (True, MediaType.ALL, [], StatusCode.INVALID_PAYLOAD),
        (None, MediaType.ALL, [], StatusCode.INVALID_PAYLOAD),
        (8, MediaType.AUDIO, [], StatusCode.INVALID_MEDIA_TYPE),
        (1, MediaType.AUDIO, [MediaType.AUDIO], StatusCode.DUPLICATE_MEDIA_DATA_CONNECTION),
        (9, MediaType.ALL, [MediaType.TRANSCRIPT], StatusCode.DUPLICATE_MEDIA_DATA_CONNECTION),
        (32, MediaType.ALL, [MediaType.ALL], StatusCode.DUPLICATE_MEDIA_DATA_CONNECTION),
        (32, MediaType.ALL, [MediaType.AUDIO], StatusCode.MEDIA_DATA_ALL_CONNECTION_EXIST),
        (1, MediaType.AUDIO, [MediaType.ALL], StatusCode.MEDIA_DATA_ALL_CONNECTION_EXIST),
    ],
)
def test_media_types_that_cannot_be(
    value: object, path: MediaType, taken: list[MediaType], expected: StatusCode
) -> None:
    with pytest.raises(Refused) as caught:
        check_media({"media_type": value}, path, WHO, taken)
    assert caught.value.status is expected


@pytest.mark.parametrize(
    ("value", "path"),
    [(1, MediaType.AUDIO), (9, MediaType.AUDIO), (9, MediaType.ALL), (32, MediaType.ALL)],
)
def test_media_types_that_can_be(value: int, path: MediaType) -> None:
    assert check_media({"media_type": value}, path, WHO, []) == value


@pytest.mark.parametrize(("media", "code"), [*zip(EVERY_MEDIA, range(9, 14), strict=True)])
def test_a_missing_scope_has_a_status_of_its_own(media: MediaType, code: int) -> None:
    poor = Identity("MU==", "S1", "cid", Secret("csec"), frozenset(EVERY_MEDIA) - {media})
    with pytest.raises(Refused) as caught:
        check_media({"media_type": int(media)}, MediaType.ALL, poor, [])
    assert caught.value.status == code
    assert check_media({"media_type": 32}, MediaType.ALL, poor, []) is MediaType.ALL


# -- parameters ---------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [None, {}, {"audio": None}, {"audio": {}}, {"audio": {"x": 1}}])
def test_defaults_are_filled_in(asked: object) -> None:
    assert effective(MediaType.AUDIO, asked) == {
        "audio": {
            "content_type": 2,
            "sample_rate": 1,
            "channel": 1,
            "codec": 1,
            "data_opt": 1,
            "send_rate": 20,
        }
    }


def test_all_has_every_media() -> None:
    assert list(effective(MediaType.ALL, None)) == [
        "audio",
        "video",
        "deskshare",
        "transcript",
        "chat",
    ]


def audio(**fields: Any) -> dict[str, Any]:
    return effective(MediaType.AUDIO, {"audio": fields})["audio"]


def test_send_rate_above_a_second_is_a_second() -> None:
    assert audio(send_rate=5000)["send_rate"] == 1000


def test_rtp_with_l16_is_raw_audio() -> None:
    assert audio(content_type=1)["content_type"] == 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"content_type": 3}, 19),
        ({"sample_rate": 4}, 20),
        ({"sample_rate": "1"}, 20),
        ({"channel": 3}, 21),
        ({"channel": 0}, 21),
        ({"codec": 5}, 22),
        ({"codec": True}, 22),
        ({"data_opt": 3}, 23),
        ({"send_rate": 30}, 24),
        ({"send_rate": 0}, 24),
        ({"send_rate": 20.0}, 24),
        ({"codec": 4, "sample_rate": 1}, 20),
        ({"codec": 2, "sample_rate": 0, "channel": 2}, 21),
        ({"codec": 3, "sample_rate": 1, "send_rate": 100}, 24),
        ({"codec": 4, "sample_rate": 3, "channel": 2}, 22),  # right, but not played yet
    ],
)
def test_audio_outside_the_matrix(fields: dict[str, Any], code: int) -> None:
    with pytest.raises(Refused) as caught:
        audio(**fields)
    assert caught.value.status == code


@given(
    st.sampled_from([0, 1, 2, 3]),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 2]),
    st.integers(1, 50).map(lambda n: n * 20),
)
def test_every_l16_of_the_matrix(rate: int, channel: int, option: int, send_rate: int) -> None:
    asked = {
        "content_type": 2,
        "codec": 1,
        "sample_rate": rate,
        "channel": channel,
        "data_opt": option,
        "send_rate": send_rate,
    }
    assert audio(**asked) == asked


def test_the_older_name_of_the_language() -> None:
    got = effective(MediaType.TRANSCRIPT, {"transcript": {"language": 14}})["transcript"]
    assert got == {"content_type": 5, "src_language": 14, "enable_lid": True}


@pytest.mark.parametrize(
    ("media", "asked", "code"),
    [
        (MediaType.AUDIO, [], 17),
        (MediaType.AUDIO, {"audio": 1}, 18),
        (MediaType.VIDEO, {"video": {"fps": 99}}, 30),
        (MediaType.VIDEO, {"video": "hd"}, 25),
        (MediaType.DESKSHARE, {"deskshare": {"resolution": 9}}, 34),
        (MediaType.TRANSCRIPT, {"transcript": {"src_language": 37}}, 43),
        (MediaType.TRANSCRIPT, {"transcript": {"enable_lid": 1}}, 36),
        (MediaType.CHAT, {"chat": {"content_type": 2}}, 39),
    ],
)
def test_other_parameters(media: MediaType, asked: object, code: int) -> None:
    with pytest.raises(Refused) as caught:
        effective(media, asked)
    assert caught.value.status == code


def test_high_fps_without_a_codec_falls_back() -> None:
    assert effective(MediaType.VIDEO, {"video": {"fps": 25}})["video"]["fps"] == 5


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
    wanted = MediaType(media)
    try:
        got = effective(wanted, asked)
    except Refused as refused:
        got = dict.fromkeys(expand(wanted)) if refused.status and refused.reason else {}
    assert len(got) == len(expand(wanted))


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
        check_media(message, MediaType.ALL, WHO, [])
