"""Settings, products, times, ids, timing: the small pure parts."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.secret import Secret
from pipeline.rtms.credentials import Credentials
from pipeline.rtms.enums import MediaType, StopReason, is_known
from pipeline.rtms.greeting import Greeting, wanted_params
from pipeline.rtms.layout import media_sockets, single, total
from pipeline.rtms.moments import EARLIEST_MS, LATEST_MS, unix_ms
from pipeline.rtms.people import number_of, person_of
from pipeline.rtms.products import Announcement, announcement, signaling_url, url_list
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.timing import Timing

T0 = 1_790_000_000_000


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"send_rate_ms": 30}, "send_rate_ms"),
        ({"send_rate_ms": 0}, "send_rate_ms"),
        ({"send_rate_ms": 1020}, "send_rate_ms"),
        ({"language": "xx"}, "no such transcript language"),
        ({"max_message_bytes": 1000}, "max_message_bytes"),
        ({"keepalive_timeout_s": 0}, "keepalive_timeout_s"),
    ],
)
def test_settings_outside_zooms_table_are_refused(fields: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        RtmsSettings(**fields)  # type: ignore[arg-type]
    with pytest.raises(msgspec.ValidationError, match=word):
        msgspec.convert(fields, RtmsSettings)


def test_settings_have_the_defaults_of_the_design() -> None:
    settings = RtmsSettings()
    assert settings.allowed_domains == ("zoom.us",)
    assert (settings.allow_loopback, settings.layout, settings.send_rate_ms) == (False, "all", 100)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"unknown": 1}, RtmsSettings)


def test_the_first_websocket_url_of_several() -> None:
    assert signaling_url("srt://x, wss://a/s ,ws://b") == "wss://a/s"
    assert url_list(["wss://a", None, "wss://a", "WS://b"]) == ["wss://a", "WS://b"]
    assert url_list({"all": "wss://m", "signaling": "wss://s"}) == ["wss://s", "wss://m"]
    for bad in ("", "https://a", ","):
        with pytest.raises(ValueError, match="no ws"):
            signaling_url(bad)


def test_an_announcement_keeps_the_id_as_it_came() -> None:
    fields = {
        "meeting_uuid": "a/b+c==",
        "rtms_stream_id": "S",
        "server_urls": ["wss://a", "wss://b"],
    }
    assert announcement("webinar", fields, T0) == Announcement(
        "webinar", "a/b+c==", "S", "wss://a,wss://b", T0, id_key="meeting_uuid"
    )


def test_times_by_their_size() -> None:
    assert unix_ms(1_790_000_000) == T0
    assert unix_ms(T0) == T0
    assert unix_ms(T0 * 1000) == T0
    for none in (0, -5, 99, 10**18, 10**30):
        assert unix_ms(none) is None


@given(st.integers(min_value=EARLIEST_MS, max_value=LATEST_MS - 1))
def test_milliseconds_stay_what_they_are(value: int) -> None:
    assert unix_ms(value) == value
    assert unix_ms(value * 1000) == value
    assert unix_ms(value // 1000) == value // 1000 * 1000


def test_ids_of_people() -> None:
    assert number_of(16778240) == number_of("16778240") == 16778240
    assert number_of(0) is number_of("0") is number_of(None) is number_of(" ") is None
    named = number_of("agent-x")
    assert named is not None
    assert named > 2**32 - 1
    assert named == number_of("agent-x") != number_of("agent-y")
    assert (person_of("7"), person_of(None)) == ("7", None)


def test_masks() -> None:
    assert total(single(MediaType.ALL)) == 31
    assert single(MediaType(9)) == [MediaType.AUDIO, MediaType.TRANSCRIPT]
    assert single(MediaType.NONE) == []


def test_split_falls_back_to_one_socket_when_the_server_offers_only_that() -> None:
    sockets = media_sockets("split", "meeting", MediaType(9), {"all": "wss://m"})
    assert sockets == {"all": ("wss://m", MediaType(9))}


def test_a_fast_replay_scales_zooms_times_but_not_the_machines() -> None:
    usual, fast = Timing.of(RtmsSettings()), Timing.of(RtmsSettings(), 100)
    assert (usual.keepalive, usual.signaling_window, usual.trigger_wait) == (65, 60, 3)
    assert (fast.signaling_window, fast.media_window, fast.trigger_wait) == (0.6, 0.65, 0.03)
    assert fast.keepalive == 15, "a server is given time to be heard"
    assert fast.handshake == usual.handshake
    assert list(fast.duplicate.delays()) == [0.015, 0.03, 0.06]


@pytest.mark.parametrize(
    ("product", "key"),
    [
        ("meeting", "meeting_uuid"),
        ("webinar", "webinar_uuid"),
        ("session", "session_id"),
        ("contact_center", "engagement_id"),
        ("phone", "call_id"),
    ],
)
def test_handshakes_name_the_products_id(product: str, key: str) -> None:
    offer = Announcement(product, "MU==", "S1", "wss://a.zoom.us", T0)  # type: ignore[arg-type]
    greeting = Greeting(offer, Credentials("cid", Secret("csec")), RtmsSettings(buffer_data=False))
    hello = greeting.signaling()
    assert getattr(hello, key) == "MU=="
    assert (hello.zoom_id, hello.sequence, hello.buffer_data) == ("MU==", 1, False)
    media = greeting.media(MediaType.AUDIO)
    assert (
        media.signature
        == hello.signature
        == ("761233933f0b393c0c7340179cf744e553aca40d41ccf5941f84770cd62c1fe8")
    )
    assert media.sequence == 2


def test_a_webinar_is_greeted_by_the_key_it_was_announced_with() -> None:
    credentials = Credentials("cid", Secret("csec"))
    for key in ("webinar_uuid", "meeting_uuid"):
        fields = {key: "MU==", "rtms_stream_id": "S1", "server_urls": "wss://a.zoom.us"}
        offer = announcement("webinar", fields, T0)
        greeting = Greeting(offer, credentials, RtmsSettings())
        for hello in (greeting.signaling(), greeting.media(MediaType.AUDIO)):
            assert getattr(hello, key) == hello.zoom_id == "MU=="
            others = {"webinar_uuid", "meeting_uuid"} - {key}
            assert all(getattr(hello, other) is None for other in others)


def test_several_media_urls_in_one_text() -> None:
    urls = {"all": "srt://m, wss://m ,ws://n", "audio": "wss://a,wss://b"}
    assert media_sockets("all", "meeting", MediaType(9), urls)["all"][0] == "wss://m"
    assert media_sockets("split", "meeting", MediaType(9), urls)["audio"][0] == "wss://a"


def test_transcript_language_is_asked_for_by_number() -> None:
    asked = wanted_params(MediaType.TRANSCRIPT, RtmsSettings(language="de", detect_language=False))
    assert asked.audio is None
    assert asked.transcript is not None
    assert (asked.transcript.src_language, asked.transcript.enable_lid) == (14, False)
    usual = wanted_params(MediaType.TRANSCRIPT, RtmsSettings()).transcript
    assert usual is not None
    assert usual.src_language is None


def test_numbers_without_a_name_are_told_apart() -> None:
    assert is_known(StopReason, 26)
    assert not is_known(StopReason, 27)


def test_a_picture_as_png_may_be_longer_than_other_messages() -> None:
    assert RtmsSettings().message_limit == 4 << 20
    assert RtmsSettings(share_codec="PNG").message_limit == 32 << 20
    assert RtmsSettings(share_codec="PNG", max_message_bytes=1 << 20).message_limit == 1 << 20
