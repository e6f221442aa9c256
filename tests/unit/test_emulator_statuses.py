"""Every status code of the table is given for its cause, and by an answer of its kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from emulator_client import WHO, Client, lines_tape, quiet

from pipeline.base.errors import BadInput
from pipeline.emulator.actions import Close
from pipeline.emulator.handshake import Identity
from pipeline.emulator.rules import Rules
from pipeline.emulator.statuses import GIVEN, IMPOSSIBLE, UNANSWERED
from pipeline.rtms.enums import EVERY_MEDIA, MediaType, StatusCode

Case = Callable[[Client], dict[str, Any]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return lines_tape(tmp_path, quiet(60_000))


def greeting(**changes: Any) -> Case:
    """The answer to a signaling handshake."""

    def run(client: Client) -> dict[str, Any]:
        number = client.connect()
        client.send(number, client.hello(1, **changes))
        return client.got[number][-1]

    return run


def media(bits: int = 1, path: MediaType | None = None, **changes: Any) -> Case:
    """The answer to a media handshake, once signaling is there."""

    def run(client: Client) -> dict[str, Any]:
        if client.stream.phase == "announced":
            client.signaling()
        number = client.connect(MediaType(bits) if path is None else path)
        client.send(number, client.hello(3, media_type=bits) | changes)
        return client.got[number][-1]

    return run


def params(bits: int, **fields: Any) -> Case:
    return media(bits, media_params=fields)


def one(bits: int, key: str, value: object, **more: Any) -> Case:
    name = {1: "audio", 2: "video", 4: "deskshare", 8: "transcript", 16: "chat"}[bits]
    return params(bits, **{name: {key: value, **more}})


def after(*cases: Case) -> Case:
    """The last one's answer."""

    def run(client: Client) -> dict[str, Any]:
        return [case(client) for case in cases][-1]

    return run


def asked(kind: int, **fields: Any) -> Case:
    """The answer to a message on signaling."""

    def run(client: Client) -> dict[str, Any]:
        signaling = client.signaling()
        client.media(2, video={"data_opt": 4})
        client.send(signaling, {"msg_type": kind, **fields})
        return client.of(signaling, kind + 1)[0]

    return run


def twice(client: Client) -> dict[str, Any]:
    signaling = client.signaling()
    client.media(2, video={"data_opt": 4})
    for _ in range(2):
        client.send(signaling, {"msg_type": 28, "user_id": 1, "subscribe": True})
    return client.got[signaling][-1]


def over(client: Client) -> dict[str, Any]:
    client.run(61)
    return greeting()(client)


def unscoped(media_type: MediaType) -> Case:
    def run(client: Client) -> dict[str, Any]:
        secret = WHO.client_secret
        poor = Identity("MU==", "S1", "cid", secret, frozenset(EVERY_MEDIA) - {media_type})
        other = Client(client.path, poor)
        return media(int(media_type))(other)

    return run


def media_alone(client: Client) -> dict[str, Any]:
    number = client.media()
    return client.got[number][-1]


STRANGER = "0" * 64
CASES: dict[int, list[Case]] = {
    0: [
        greeting(),
        media(),
        asked(19, rtms_stream_id="S1"),
        asked(10, rtms_session_id="S1"),
        asked(21, rtms_stream_id="S1"),
        asked(28, user_id=1, subscribe=True),
    ],
    1: [greeting(msg_type=3), greeting(msg_type=7), greeting(msg_type="1"), media(msg_type=1)],
    2: [
        greeting(rtms_stream_id="S2"),
        greeting(meeting_uuid="other"),
        over,
        media_alone,
        asked(19, rtms_stream_id="S2"),
        asked(21, rtms_stream_id="S2"),
    ],
    3: [greeting(signature=STRANGER), media(signature=STRANGER)],
    4: [
        greeting(protocol_version=2),
        greeting(signature=None),
        greeting(meeting_uuid=""),
        media(media_type="1"),
        media(media_type=None),
        asked(21),
        asked(28, user_id="x", subscribe=True),
    ],
    7: [media(8, MediaType.AUDIO), media(1, MediaType.CHAT)],
    8: [after(greeting(), greeting())],
    **{code: [unscoped(kind)] for code, kind in zip(range(9, 14), EVERY_MEDIA, strict=True)},
    14: [media(media_type=n) for n in (0, -1, 64, 33, 1 << 70)],
    15: [after(media(1), media(32)), after(media(32), media(8))],
    16: [after(media(1), media(1)), after(media(32), media(32)), after(media(9), media(8))],
    17: [media(media_params=7), media(media_params=[])],
    18: [params(1, audio="L16")],
    19: [one(1, "content_type", 5), one(1, "content_type", 1)],
    20: [one(1, "sample_rate", 9), one(1, "codec", 4)],
    21: [one(1, "channel", 0), one(1, "channel", 2, codec=2, sample_rate=0)],
    22: [one(1, "codec", 7)],
    23: [one(1, "data_opt", 4)],
    24: [one(1, "send_rate", 25), one(1, "send_rate", 40, codec=3)],
    25: [params(2, video=1)],
    26: [one(2, "content_type", 1)],
    27: [one(2, "codec", 1)],
    28: [one(2, "resolution", 5)],
    29: [
        one(2, "data_opt", 2),
        lambda client: asked(28, user_id=1, subscribe=True)(NoVideo(client.path)),
    ],
    30: [one(2, "fps", 31), one(2, "fps", 25, codec=6)],
    31: [params(4, deskshare=[])],
    32: [one(4, "content_type", 1)],
    33: [one(4, "codec", 4)],
    34: [one(4, "resolution", 0)],
    35: [one(4, "fps", 0), one(4, "fps", 5, codec=5)],
    36: [params(8, transcript=0.5), one(8, "enable_lid", "yes")],
    37: [one(8, "content_type", 2)],
    38: [params(16, chat=True)],
    39: [one(16, "content_type", 1)],
    40: [asked(10, rtms_session_id="nobody"), asked(10)],
    43: [one(8, "src_language", 37), one(8, "language", 99)],
    44: [twice],
}


class NoVideo(Client):
    """Asks for the speaker's video where others ask for one participant's."""

    def media(self, *args: Any, **more: Any) -> int:
        more["video"] = {"data_opt": 3}
        return super().media(*args, **more)


def test_every_code_has_its_place() -> None:
    tables = (GIVEN, UNANSWERED, IMPOSSIBLE)
    listed = [code for table in tables for code in table]
    assert sorted(listed) == sorted(StatusCode)
    assert sorted(CASES) == sorted(GIVEN)
    assert all(reason for table in tables for reason in table.values())


@pytest.mark.parametrize(
    ("code", "number"), [(code, n) for code, cases in CASES.items() for n in range(len(cases))]
)
def test_the_status_of_the_cause(path: Path, code: int, number: int) -> None:
    client = Client(path)
    answer = CASES[code][number](client)
    assert answer["status_code"] == code
    if code:
        assert answer["reason"]
        causes = GIVEN[StatusCode(code)].split("; ")
        messages = [n for cause in causes for n in cause.split(":")[0].split(", ")]
        assert str(answer["msg_type"]) in messages


@pytest.mark.parametrize("code", range(1, 48))
def test_a_script_can_have_any_status(path: Path, code: int) -> None:
    client = Client(path)
    client.stream.deny(code, "signaling", 2)
    for _ in range(2):
        number = client.signaling()
        assert client.status(number) == code
        assert client.ended[number] == Close(number)
    client.signaling()
    client.stream.deny(code, "media", 1)
    assert client.status(client.media()) == code
    assert client.status(client.media()) == 0


@pytest.mark.parametrize("code", [0, -1, 48])
def test_no_status_at_all(path: Path, code: int) -> None:
    with pytest.raises(BadInput, match="not one of 1 to 47"):
        Client(path).stream.deny(code, "signaling", 1)


def test_denials_can_be_lifted(path: Path) -> None:
    client = Client(path)
    client.stream.deny(8, "signaling", 99)
    client.stream.deny(8, "signaling", 0)
    assert client.status(client.signaling()) == 0


def test_a_tolerant_server_refuses_only_strangers_and_doubles(path: Path) -> None:
    """Whatever is wrong with parameters becomes a fall-back."""
    codes = set(range(17, 40)) | {43}
    for code in sorted(codes):
        for case in CASES[code][: 1 if code == 29 else None]:
            client = Client(path, rules=Rules(mode="tolerant"))
            answer = case(client)
            assert answer["status_code"] == 0
            assert answer["media_params"]
    for code in (2, 3, 7, 8, 14, 15, 16):
        client = Client(path, rules=Rules(mode="tolerant"))
        assert CASES[code][0](client)["status_code"] == code


def test_a_second_handshake_on_a_socket(path: Path) -> None:
    """Refused with the status that says so, and nothing is lost by it."""
    client = Client(path)
    signaling, socket = client.join()
    for number, kind, answer, code in (
        (signaling, 1, 2, 8),
        (signaling, 3, 4, 1),
        (socket, 3, 4, 16),
        (socket, 1, 2, 1),
    ):
        client.send(number, client.hello(kind, media_type=32))
        got = client.got[number][-1]
        assert (got["msg_type"], got["status_code"]) == (answer, code)
    assert client.ended == {}
    assert client.stream.faults == {"repeated_handshake": 4}


def test_messages_on_the_wrong_socket_are_counted(path: Path) -> None:
    client = Client(path)
    signaling, socket = client.join()
    for kind in (5, 7, 10, 19, 21, 28):
        client.send(socket, {"msg_type": kind, "rtms_stream_id": "S1"})
    for kind in (0, 2, 4, 6, 8, 14, 22, 99):
        client.send(signaling, {"msg_type": kind})
    assert client.stream.faults == {"unexpected_message": 14}
    assert client.ended == {}
