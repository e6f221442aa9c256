"""No secret of any message reaches a tape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.base.clock import ManualClock
from pipeline.tapes.recording import TapeRecorder
from pipeline.tapes.redaction import REMOVED, Redactor

START = 1_790_000_000_000
SECRET = "s3cr3t-0123456789abcdef"


def clean(message: dict[str, Any], *known: str) -> dict[str, Any]:
    return Redactor(known).message(message)


@pytest.mark.parametrize(
    "key",
    [
        "signature",
        "session_key",
        "srt_passphrase",
        "srtPassphrase",
        "clientSecret",
        "client_secret",
        "access_token",
        "accessToken",
        "ZAK_TOKEN",
        "apikey",
        "x-api-key",
        "password",
        "pwd",
        "Authorization",
        "payloadKeys",
        "encryption_key_id",
    ],
)
def test_values_under_such_keys_go(key: str) -> None:
    assert clean({"msg_type": 1, key: SECRET}) == {"msg_type": 1, key: REMOVED}
    deep = clean({"msg_type": 2, "media_server": [{"x": {key: {"a": [SECRET]}}}]})
    assert SECRET not in json.dumps(deep)


@pytest.mark.parametrize(
    "key", ["keyboard_layout", "monkeys", "tokenless", "user_name", "assignee", "passenger", "data"]
)
def test_other_keys_stay(key: str) -> None:
    assert clean({"msg_type": 6, key: "value"}) == {"msg_type": 6, key: "value"}


@pytest.mark.parametrize(
    ("url", "left"),
    [
        ("wss://h.zoom.us/a/b?token=abc&x=1", "wss://h.zoom.us/a/b"),
        ("wss://user:pass@h.zoom.us:8443/a", "wss://h.zoom.us:8443/a"),
        ("wss://u:p@h/a#frag", "wss://h/a"),
        ("wss://h/a;jsessionid=abc", "wss://h/a"),
        ("wss://a/x?t=1,2,wss://b/y?t=3", "wss://a/x,wss://b/y"),
        ("see https://h/a?b=c and ws://x/y", "see https://h/a and ws://x/y"),
        (f"wss://h/rtms/{'Ab9-' * 8}/audio", f"wss://h/rtms/{REMOVED}/audio"),
        ("srt://h:99?passphrase=xyz", "srt://h:99"),
    ],
)
def test_urls_lose_what_opens_them(url: str, left: str) -> None:
    assert clean({"msg_type": 2, "where": url}) == {"msg_type": 2, "where": left}


def test_an_address_without_a_scheme_under_a_url_key() -> None:
    assert clean({"audio_url": "h/a?token=x"}) == {"audio_url": "h/a"}
    assert clean({"server_urls": "h/a?x, h/b?y"}) == {"server_urls": "h/a"}


def test_words_of_people_keep_their_links() -> None:
    link = "https://example.org/doc?id=7#top"
    said = {"msg_type": 17, "content": {"data": f"look at {link}", "user_id": 1}}
    assert clean(said) == said
    chat = {"msg_type": 18, "content": {"data": {"data": link, "files": [{"url": link}]}}}
    found = clean(chat)["content"]["data"]
    assert found["data"] == link
    assert found["files"] == [{"url": "https://example.org/doc"}]


def test_an_object_in_a_string_is_looked_into() -> None:
    inner = json.dumps({"data": "hi", "files": [{"download_token": SECRET}]})
    found = clean({"msg_type": 18, "content": {"data": inner}})
    assert json.loads(found["content"]["data"]) == {
        "data": "hi",
        "files": [{"download_token": REMOVED}],
    }


def test_what_was_a_secret_once_is_one_everywhere() -> None:
    redactor = Redactor()
    redactor.message({"msg_type": 3, "signature": SECRET})
    found = redactor.message(
        {"msg_type": 4, "reason": f"bad {SECRET}!", SECRET: 1, "list": [f"x{SECRET}"]}
    )
    assert SECRET not in json.dumps(found)
    assert found["reason"] == f"bad {REMOVED}!"


def test_given_secrets_go_from_words_too() -> None:
    found = clean({"msg_type": 17, "content": {"data": f"it is {SECRET}"}}, SECRET)
    assert found["content"]["data"] == f"it is {REMOVED}"


def test_flags_and_nothing_stay() -> None:
    assert clean({"token": None, "has_key": True}) == {"token": None, "has_key": True}


# -- through the recorder, to the bytes of the file ---------------------------------------

secrets = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=8, max_size=16).map(
    lambda text: f"zq{text}qz"
)
names = st.sampled_from(["signature", "session_key", "token", "client_secret", "srt_passphrase"])
places = st.sampled_from(["audio", "reason", "x", "user_name", "data", "content"])


@st.composite
def planted(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A secret and a message that holds it, in one of the ways a message can."""
    secret = draw(secrets)
    leaf: Any = draw(
        st.sampled_from(
            [
                {"k": {draw(names): secret}},
                {"k": {draw(names): [{"a": secret}]}},
                {"k": {draw(names): [[secret]], "other": secret}},
                {"k": f"wss://h.zoom.us/p?{secret}"},
                {"k": f"wss://u:{secret}@h.zoom.us/p"},
                {"k": f"a, wss://h/p?x=y#{secret} b"},
                {"k": json.dumps({draw(names): secret})},
                {"k": json.dumps({"url": f"wss://h/?{secret}"})},
            ]
        )
    )
    for place in draw(st.lists(places, max_size=3)):
        leaf = {place: [leaf, 1] if draw(st.booleans()) else leaf}
    kind = draw(st.sampled_from([1, 2, 3, 4, 6, 8, 9, 12, 14, 15, 17, 18, 29, 77]))
    return secret, {"msg_type": kind, **leaf}


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(planted(), min_size=1, max_size=6), st.sampled_from(["server", "client"]))
def test_no_secret_of_any_message_reaches_the_file(
    tmp_path: Path, rows: list[tuple[str, dict[str, Any]]], sender: Any
) -> None:
    recorder = TapeRecorder(
        tmp_path / "a.rtms.zst",
        product="meeting",
        id="MU==",
        stream="S1",
        start_ms=START,
        clock=ManualClock(),
    )
    for _, message in rows:
        recorder.take("signaling", sender, json.dumps(message).encode())
        recorder.take("signaling", sender, json.dumps(message).encode()[:-1])  # not JSON
    done = recorder.close()
    assert done.error is None
    with done.path.open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    for secret, _ in rows:
        assert secret.encode() not in text
    assert text.count(b'"msg"') == len(rows)
