"""Stream and session states: told, asked for, paused, closed; and what of a tape is passed on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emulator_client import START, Client, event, lines_tape, message, quiet, say, tape

from pipeline.base.secret import Secret
from pipeline.emulator.actions import Close
from pipeline.emulator.handshake import Identity
from pipeline.emulator.rules import Rules
from pipeline.rtms.enums import EVERY_MEDIA, MediaType, StopReason
from pipeline.tapes.lines import Packed, TapeAudio
from pipeline.tapes.opus import encode


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    turns = [say("ada", f"turn {n}", 1.0 if n else 0.0) for n in range(10)]
    return tape(tmp_path, *turns, {"silence": 200}, say("bob", "late", 0))


def session_of(client: Client, signaling: int) -> str:
    name = client.of(signaling, 9)[0]["rtms_session_id"]
    assert isinstance(name, str)
    return name


def ask(client: Client, signaling: int, kind: int, **fields: Any) -> dict[str, Any]:
    """The answer to a message."""
    client.send(signaling, {"msg_type": kind, **fields})
    return client.got[signaling][-1]


# -- queries (reference section 11.3) ----------------------------------------------------------


def test_the_state_of_the_stream(plain: Path) -> None:
    client = Client(plain)
    signaling = client.signaling()

    def state() -> int:
        answer = ask(client, signaling, 19, rtms_stream_id="S1")
        assert (answer["msg_type"], answer["rtms_stream_id"]) == (20, "S1")
        assert answer["status_code"] == 0
        assert answer["timestamp"] == client.playback.header.start_ms + client.now
        found = answer["state"]
        assert isinstance(found, int)
        return found

    assert state() == 0
    media = client.media()
    client.ready(signaling)
    assert state() == 1
    client.run(2)
    client.stream.pause(client.now)
    assert state() == 5
    client.stream.resume(client.now)
    assert state() == 1
    client.vanish(media)
    assert state() == 2
    client.media()
    assert state() == 1


def test_the_state_of_a_session(plain: Path) -> None:
    client = Client(plain)
    client.run(1)
    signaling, _ = client.join()
    name = session_of(client, signaling)
    answer = ask(client, signaling, 10, rtms_session_id=name)
    assert answer == {
        "msg_type": 11,
        "rtms_session_id": name,
        "state": 2,
        "timestamp": client.playback.header.start_ms + 1000,
        "status_code": 0,
        "reason": "",
    }
    client.stream.pause(client.now)
    assert ask(client, signaling, 10, rtms_session_id=name)["state"] == 3


@pytest.mark.parametrize("name", ["nobody", None, 7, ["S1"], "x" * 300, "\u00e4"])
def test_ids_that_nobody_has(plain: Path, name: object) -> None:
    client = Client(plain)
    signaling, _ = client.join()
    for kind, answer, key, code in ((10, 11, "session", 40), (19, 20, "stream", 2)):
        got = ask(client, signaling, kind, **{f"rtms_{key}_id": name})
        assert (got["msg_type"], got["status_code"]) == (answer, code)
        short = isinstance(name, str) and len(name) < 200
        assert got[f"rtms_{key}_id"] == (name if short else "")
        assert got["reason"]
    assert client.stream.phase == "live"


# -- graceful close (section 11.4) -------------------------------------------------------------


def test_a_client_closes_the_stream(plain: Path) -> None:
    client = Client(plain)
    signaling, media = client.join()
    client.run(3)
    before = len(client.got[signaling])
    client.send(signaling, {"msg_type": 21, "rtms_stream_id": "S1"})
    told = client.got[signaling][before:]
    assert [m["msg_type"] for m in told] == [22, 9, 8]
    assert (told[0]["status_code"], told[0]["rtms_stream_id"]) == (0, "S1")
    assert (told[1]["state"], told[1]["reason"], told[1]["stop_reason"]) == (5, 20, 20)
    assert (told[2]["state"], told[2]["reason"]) == (4, 20)
    assert list(client.ended.items()) == [(media, Close(media)), (signaling, Close(signaling))]
    assert [(w.what, w.reason) for w in client.webhooks] == [("stopped", 20)]
    assert client.stream.next_at(client.now) > 1 << 60


@pytest.mark.parametrize(("name", "code"), [("S2", 2), (None, 4), (3, 4)])
def test_another_stream_is_not_closed(plain: Path, name: object, code: int) -> None:
    client = Client(plain)
    signaling, _ = client.join()
    answer = ask(client, signaling, 21, rtms_stream_id=name)
    assert (answer["msg_type"], answer["status_code"]) == (22, code)
    assert client.stream.phase == "live"
    assert client.webhooks == []


def test_a_tolerant_server_knows_which_stream_is_meant(plain: Path) -> None:
    client = Client(plain, rules=Rules(mode="tolerant"))
    signaling, _ = client.join()
    client.send(signaling, {"msg_type": 21})
    assert client.stream.stopped is StopReason.RECEIVER_REQUEST_CLOSE


# -- pause (section 11.2) ----------------------------------------------------------------------


def test_what_is_said_in_a_pause_is_for_nobody(plain: Path) -> None:
    whole = Client(plain)
    _, all_of_it = whole.join()
    whole.run(20)
    client = Client(plain)
    signaling, media = client.join()
    client.run(5)
    client.stream.pause(client.now)
    client.take()
    before = len(client.got[media])
    pings = len(client.of(signaling, 12))
    client.run(6)
    assert [m["msg_type"] for m in client.got[media][before:]] == [12]
    assert len(client.of(signaling, 12)) == pings + 1
    client.stream.resume(client.now)
    client.take()
    assert client.states(signaling) == [(9, 2), (8, 1), (9, 3), (8, 5), (9, 4), (8, 6)]
    client.run(9)
    sent_at = [s for s in whole.stamps(all_of_it) if s + 100 <= 5_000 or s + 100 > 11_000]
    assert client.stamps(media) == sent_at
    assert set(client.texts(media)) < set(whole.texts(all_of_it))


def test_a_pause_outlasts_the_client(plain: Path) -> None:
    client = Client(plain)
    signaling, media = client.join()
    client.run(3)
    client.stream.pause(client.now)
    client.vanish(signaling)
    client.run(3)
    again, back = client.join()
    assert client.states(again) == [(9, 2), (9, 3), (8, 5)]
    client.run(1)
    client.vanish(back)
    client.stream.resume(client.now)
    client.run(0.5)
    new = client.media()
    heard = [s + 100 for s in client.stamps(media) + client.stamps(new)]
    assert client.stamps(back) == []
    assert not [at for at in heard if 3_000 < at <= 7_000]
    assert max(heard) > 7_000


def test_pausing_twice_is_pausing_once(plain: Path) -> None:
    client = Client(plain)
    signaling, _ = client.join()
    client.stream.resume(client.now)
    client.stream.pause(client.now)
    client.stream.pause(client.now)
    client.stream.resume(client.now)
    client.stream.resume(client.now)
    client.take()
    assert client.states(signaling) == [(9, 2), (8, 1), (9, 3), (8, 5), (9, 4), (8, 6)]


# -- what tapes say of states ------------------------------------------------------------------


def state(t: int, value: int, **fields: Any) -> Any:
    fields = {"reason": 0, "timestamp": START + t, **fields}
    return message(t, "signaling", 8, state=value, **fields)


def session(t: int, name: str, value: int) -> Any:
    fields = {"reason": 0, "stop_reason": 0, "timestamp": START + t}
    return message(t, "signaling", 9, rtms_session_id=name, state=value, **fields)


def test_sessions_of_a_tape_come_and_go(tmp_path: Path) -> None:
    path = lines_tape(
        tmp_path,
        session(0, "one", 2),
        session(2_000, "two", 2),
        session(4_000, "one", 5),
        session(6_000, "two", 3),
        session(8_000, "two", 4),
        session(9_000, "two", 5),
        state(9_000, 4, reason=6),
    )
    client = Client(path)
    client.run(1)
    signaling, _ = client.join()
    client.run(10)
    told = [(m["rtms_session_id"], m["state"]) for m in client.of(signaling, 9)]
    expected = [("one", 2), ("two", 2), ("one", 5), ("two", 3), ("two", 4), ("two", 5)]
    assert told == expected
    assert client.stream.stopped is StopReason.MEETING_ENDED
    late = Client(path)
    late.run(7)
    signaling, _ = late.join()
    told = [(m["rtms_session_id"], m["state"]) for m in late.of(signaling, 9)]
    assert told == [("two", 2), ("two", 3)]
    assert ask(late, signaling, 10, rtms_session_id="two")["state"] == 3
    assert ask(late, signaling, 10, rtms_session_id="three")["status_code"] == 40


def test_a_stream_without_a_session_on_the_tape_has_one(tmp_path: Path) -> None:
    client = Client(lines_tape(tmp_path, quiet(9_000)))
    signaling, _ = client.join()
    assert [m["rtms_session_id"] for m in client.of(signaling, 9)] == ["S1"]


def test_states_about_the_recorded_connection_are_not_passed_on(tmp_path: Path) -> None:
    path = lines_tape(
        tmp_path,
        state(500, 1),
        state(1_000, 2, reason=14),
        event(1_001, 7, media_type=1),
        state(2_000, 1),
        state(3_000, 5, rtms_stream_id="recorded"),
        state(4_000, 6),
        state(5_000, 3),
        quiet(9_000),
    )
    client = Client(path)
    signaling, _ = client.join()
    client.run(3.5)
    assert ask(client, signaling, 19, rtms_stream_id="S1")["state"] == 5
    client.run(5)
    assert client.states(signaling) == [(9, 2), (8, 1), (8, 5), (8, 6), (8, 3)]
    assert [m["rtms_stream_id"] for m in client.of(signaling, 8) if "rtms_stream_id" in m] == ["S1"]
    assert client.events(signaling, 7) == []


def test_answers_of_the_recorded_server_stay_on_the_tape(tmp_path: Path) -> None:
    kinds = (1, 2, 3, 4, 5, 7, 10, 11, 12, 13, 19, 20, 21, 22, 28, 29)
    rows = [message(n, "signaling", kind) for n, kind in enumerate(kinds)]
    rows += [message(n, "audio", kind) for n, kind in enumerate((4, 12))]
    client = Client(lines_tape(tmp_path, *rows, quiet(5_000)))
    signaling, media = client.join()
    client.run(2)
    assert [m["msg_type"] for m in client.got[signaling]] == [2, 9, 8]
    assert [m["msg_type"] for m in client.got[media]] == [4]


def test_metadata_and_unknown_types_come_on_their_sockets(tmp_path: Path) -> None:
    path = lines_tape(
        tmp_path,
        message(100, "audio", 23, interpreter={"target": []}, timestamp=1),
        message(150, "all", 88),
        message(200, "transcript", 26),
        message(300, "video", 24),
        message(400, "chat", 77, note="later"),
        message(500, "signaling", 99),
        quiet(9_000),
    )
    client = Client(path)
    signaling = client.signaling()
    sockets = {media: client.media(int(media)) for media in EVERY_MEDIA}
    client.ready(signaling)
    client.run(2)
    got = {media: [m["msg_type"] for m in client.got[n]][1:] for media, n in sockets.items()}
    assert got == {
        MediaType.AUDIO: [23, 88],
        MediaType.VIDEO: [24],
        MediaType.DESKSHARE: [],
        MediaType.TRANSCRIPT: [26],
        MediaType.CHAT: [77],
    }
    assert client.got[signaling][-1] == {"msg_type": 99}


# -- events ------------------------------------------------------------------------------------


def test_sharing_needs_its_scope(tmp_path: Path) -> None:
    path = lines_tape(
        tmp_path, event(1_000, 5, user_id=1, user_name="A"), event(2_000, 6), quiet(9_000)
    )
    client = Client(path)
    signaling, _ = client.join()
    client.subscribe(signaling, 5, 6)
    poor = Client(path, Identity("MU==", "S1", "cid", Secret("csec"), frozenset({MediaType.AUDIO})))
    other, _ = poor.join()
    poor.subscribe(other, 5, 6)
    assert poor.stream.faults == {"subscription_11_media_type_deskshare_not_support": 2}
    for one in (client, poor):
        one.run(3)
    assert len(client.events(signaling, 5)) == len(client.events(signaling, 6)) == 1
    assert poor.events(other, 5) == []


@pytest.mark.parametrize("number", [8, 14, 20, 34])
def test_calls_have_numbers_of_their_own(tmp_path: Path, number: int) -> None:
    info = {"channel_id": "c1", "participant_mode": "caller"}
    said = message(
        1_000,
        "signaling",
        6,
        event={"event_type": number, "event_ts": START + 1_000, "participant_info": info},
    )
    for product in ("contact_center", "phone", "meeting"):
        path = lines_tape(tmp_path, said, quiet(9_000), name=product, product=product)
        client = Client(path)
        signaling, _ = client.join()
        client.subscribe(signaling, number)
        client.run(2)
        heard = bool(client.events(signaling, number))
        assert heard == (product != "meeting" or number <= 14)
        if heard:
            assert client.events(signaling, number)[0]["participant_info"] == info


def test_nobody_is_present_in_a_call(tmp_path: Path) -> None:
    """Its numbers 8 and 9 are no cameras, and joins are not told again."""
    path = lines_tape(tmp_path, event(10, 9), quiet(9_000), product="contact_center")
    client = Client(path)
    client.run(1)
    signaling, _ = client.join()
    client.subscribe(signaling, 3, 8, 9)
    assert client.of(signaling, 6) == []


def test_the_first_join_lists_everybody(tmp_path: Path) -> None:
    people = [{"user_id": n, "user_name": f"P{n}"} for n in (1, 2, 3)]
    path = lines_tape(
        tmp_path,
        event(0, 3, participants=people[:2]),
        event(1_000, 3, participants=people[2:]),
        event(2_000, 4, participants=[{"user_id": 2}]),
        event(5_000, 3, participants=people[1:2]),
        quiet(9_000),
    )
    client = Client(path)
    client.run(3)
    signaling, _ = client.join()
    told = client.events(signaling, 3)
    assert [p["user_id"] for p in told[0]["participants"]] == [1, 3]
    client.run(3)
    told = client.events(signaling, 3)
    assert [len(e["participants"]) for e in told] == [2, 1]


def test_the_first_packet_is_told_though_the_tape_does_not(tmp_path: Path) -> None:
    packets = tuple(encode(np.zeros(16_000, np.int16)))
    packed = Packed(user_id=1, timestamp=START + 1_500, first=True, last=True, packets=packets)
    client = Client(lines_tape(tmp_path, TapeAudio(t=1_500, packed=packed), quiet(9_000)))
    signaling, _ = client.join()
    client.run(1)
    assert client.events(signaling, 1) == []
    client.run(1)
    assert [e["timestamp"] for e in client.events(signaling, 1)] == [START + 1_500]
    client.vanish(signaling)
    again, _ = client.join()
    assert len(client.events(again, 1)) == 1
