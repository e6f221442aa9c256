"""Connections that break, by command and by themselves: what is told, kept, and let back in."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from emulator_client import Client, lines_tape, quiet, say, tape

from pipeline.base.errors import BadInput
from pipeline.emulator.actions import Abort, Close, Notify
from pipeline.emulator.rules import Rules
from pipeline.rtms.enums import MediaType, StopReason


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    turns = [say("ada", f"turn {n}", 1.0 if n else 0.0) for n in range(10)]
    return tape(tmp_path, *turns, {"silence": 200}, say("bob", "late", 0))


@pytest.fixture
def silent(tmp_path: Path) -> Path:
    return lines_tape(tmp_path, quiet(600_000))


def split(client: Client) -> tuple[int, int, int]:
    signaling = client.signaling()
    audio, words = client.media(1), client.media(8)
    client.ready(signaling)
    return signaling, audio, words


# -- drop --------------------------------------------------------------------------------------


@pytest.mark.parametrize("close", ["abrupt", "frame"])
@pytest.mark.parametrize("which", ["signaling", "all"])
def test_losing_signaling_is_losing_everything(plain: Path, which: str, close: str) -> None:
    client = Client(plain)
    signaling, audio, words = split(client)
    client.run(5)
    client.stream.drop(which, close, client.now)  # type: ignore[arg-type]
    client.take()
    numbers = (signaling, audio, words)
    ends = [Abort(n) if close == "abrupt" else Close(n, 1001) for n in numbers]
    assert [client.ended[n] for n in numbers] == ends
    assert client.webhooks == [Notify("interrupted", 5_000)]
    client.run(1)
    again, back, _ = split(client)
    assert client.status(again) == 0
    client.run(20)
    stamps = client.stamps(audio) + client.stamps(back)
    assert max(b - a for a, b in itertools.pairwise(stamps)) < 1_000
    client.vanish(again)
    client.run(61)
    assert client.webhooks[-1].reason is StopReason.AWAIT_RECONNECTION_TIMEOUT


def test_dropping_one_kind_of_media(plain: Path) -> None:
    client = Client(plain)
    signaling, audio, words = split(client)
    client.run(5)
    client.stream.drop("audio", "abrupt", client.now)
    client.take()
    assert client.ended == {audio: Abort(audio)}
    assert client.events(signaling, 7)[0]["media_type"] == 1
    assert client.states(signaling) == [(9, 2), (8, 1), (8, 2)]
    assert not client.stream.refuses(MediaType.AUDIO, client.now)
    assert client.status(client.media(1)) == 0
    assert client.states(signaling)[-1] == (8, 1)
    assert client.webhooks == []
    assert words not in client.ended


@pytest.mark.parametrize("replay", [True, False])
@pytest.mark.parametrize("which", ["media", "all"])
def test_what_is_sent_meanwhile_is_replayed_or_gone(plain: Path, which: str, replay: bool) -> None:
    client = Client(plain)
    _, audio, _ = split(client)
    client.run(5)
    client.stream.drop(which, "abrupt", client.now, replay)
    client.run(4)
    if which == "all":
        _, back, words = split(client)
    else:
        back, words = client.media(1), client.media(8)
    client.run(6)
    first = client.stamps(back)[0]
    assert (first == client.stamps(audio)[-1] + 100) == replay or first > 5_000
    assert (first >= 8_900) == (not replay)
    assert ("turn 1" in client.texts(words)) == replay


def test_words_nobody_knows(plain: Path) -> None:
    client = Client(plain)
    with pytest.raises(BadInput, match="no media 'sound'; there are audio, video"):
        client.stream.drop("sound", "abrupt", 0)
    with pytest.raises(BadInput, match="no media"):
        client.stream.lose("signaling", 100, True, 0)


def test_media_out_of_order_for_a_while(plain: Path) -> None:
    client = Client(plain)
    signaling, audio, words = split(client)
    client.run(5)
    client.stream.lose("audio", 3_000, False, client.now, "frame")
    client.take()
    assert client.ended == {audio: Close(audio, 1001)}
    assert client.stream.refuses(MediaType.AUDIO, client.now)
    assert client.stream.refuses(MediaType.ALL, client.now)
    assert not client.stream.refuses(MediaType.TRANSCRIPT, client.now)
    client.run(3)
    assert not client.stream.refuses(MediaType.AUDIO, client.now)
    back = client.media(1)
    client.run(5)
    assert min(client.stamps(back)) >= 7_900
    assert client.states(signaling)[-1] == (8, 1)
    assert client.texts(words)[:2] == ["turn 0", "turn 1"]


def test_media_that_a_new_client_does_not_want_is_not_waited_for(silent: Path) -> None:
    client = Client(silent)
    signaling, audio, _ = split(client)
    client.vanish(audio)
    client.vanish(signaling)
    client.run(1)
    again = client.signaling()
    client.media(8)
    client.ready(again)
    assert client.states(again) == [(9, 2), (8, 1)]
    client.run(100)
    assert client.stream.phase == "live"


# -- replay off --------------------------------------------------------------------------------


def test_without_replay_nobody_hears_what_was_before(plain: Path) -> None:
    client = Client(plain, rules=Rules(replay=False))
    client.run(8)
    _, audio, _ = split(client)
    client.run(2)
    assert min(client.stamps(audio)) >= 7_900
    client.vanish(audio)
    client.run(2)
    back = client.media(1)
    client.run(2)
    assert min(client.stamps(back)) >= 11_900
    client.vanish(back)
    client.stream.replay(True)
    client.run(1)
    new = client.media(1)
    assert min(client.stamps(new)) <= max(client.stamps(back)) + 1_500


# -- failover ----------------------------------------------------------------------------------


def test_another_server_takes_over(plain: Path) -> None:
    client = Client(plain)
    signaling, audio, words = split(client)
    client.run(5)
    client.stream.failover("ws://y/f1", client.now)
    client.take()
    assert set(client.ended.values()) == {Abort(signaling), Abort(audio), Abort(words)}
    assert client.webhooks == []  # the started webhook is sent again, by whoever caused it
    client.run(1)
    again, back, _ = split(client)
    urls = client.got[again][0]["media_server"]["server_urls"]
    assert urls["audio"] == "ws://y/f1/media/audio"
    client.run(10)
    stamps = client.stamps(audio) + client.stamps(back)
    assert len(stamps) == len(set(stamps))
    assert max(b - a for a, b in itertools.pairwise(stamps)) < 1_000


def test_nobody_follows_to_the_other_server(silent: Path) -> None:
    client = Client(silent)
    client.join()
    client.stream.failover("ws://y", client.now)
    client.run(61)
    assert client.webhooks[-1].reason is StopReason.CONNECTION_TIMEOUT


def test_a_server_that_fails_before_anybody_came(silent: Path) -> None:
    client = Client(silent)
    client.run(30)
    client.stream.failover("ws://y", client.now)
    signaling = client.signaling()
    urls = client.got[signaling][0]["media_server"]["server_urls"]
    assert urls["all"] == "ws://y/media/all"


# -- keep-alives -------------------------------------------------------------------------------


def test_a_media_socket_that_does_not_answer(silent: Path) -> None:
    client = Client(silent)
    signaling, media = client.join()
    client.silent.add(media)
    client.run(39.9)
    assert client.ended == {}
    client.run(0.2)
    assert client.ended == {media: Abort(media)}
    assert client.events(signaling, 7)[0]["media_type"] == 32
    assert client.of(signaling, 8)[-1]["reason"] == 14
    client.run(64.8)
    assert client.stream.phase == "live"
    client.run(0.2)
    assert client.stream.stopped is StopReason.KEEP_ALIVE_TIMEOUT
    assert client.of(signaling, 8)[-1]["reason"] == 24


def test_answers_may_come_twice_late_and_without_sequence(silent: Path) -> None:
    client = Client(silent)
    signaling, media = client.join()
    client.answers = False
    client.run(25)
    first = client.of(media, 12)[0]
    for number in (signaling, media):
        client.send(number, {"msg_type": 13, "timestamp": first["timestamp"]})
        client.send(number, {"msg_type": 13, "timestamp": first["timestamp"]})
    states = client.stream.describe()["connections"]
    assert [c["unanswered"] for c in states] == [1, 1]
    second = client.of(media, 12)[1]
    for number in (signaling, media):
        client.send(number, {"msg_type": 13, **{k: second[k] for k in ("sequence", "timestamp")}})
    client.run(30)
    assert client.ended == {}
    assert client.stream.faults == {}
    client.run(10)
    assert set(client.ended) == {signaling, media}


def test_an_answer_to_nothing_is_a_sign_of_life_and_counted(silent: Path) -> None:
    client = Client(silent)
    signaling, media = client.join()
    client.answers = False
    for _ in range(30):
        client.run(5)
        for number in (signaling, media):
            client.send(number, {"msg_type": 13, "sequence": "x", "timestamp": 5})
    assert client.ended == {}
    assert client.stream.faults == {"keep_alive_answer_of_none": 60}


def test_keep_alives_held_back(silent: Path) -> None:
    client = Client(silent)
    signaling, media = client.join()
    client.run(11)
    client.stream.hold_pings(60_000, client.now)
    client.run(48)
    assert [len(client.of(n, 12)) for n in (signaling, media)] == [1, 1]
    client.run(2)
    assert [len(client.of(n, 12)) for n in (signaling, media)] == [2, 2]
    client.stream.hold_pings(None, client.now)
    client.answers = False
    client.run(200)
    assert [len(client.of(n, 12)) for n in (signaling, media)] == [2, 2]
    assert client.ended == {}
    client.stream.hold_pings(0, client.now)
    client.run(11)
    assert [len(client.of(n, 12)) for n in (signaling, media)] == [3, 3]


def test_a_held_up_emulator_does_not_blame_its_client(silent: Path) -> None:
    """Steps of a minute: keep-alives that could not be sent in time are not made up for."""
    client = Client(silent)
    numbers = client.join()
    client.run(300, step=60_000)
    assert [len(client.of(n, 12)) for n in numbers] == [5, 5]
    client.run(9.9)
    assert [len(client.of(n, 12)) for n in numbers] == [5, 5]
    client.run(0.2)
    assert [len(client.of(n, 12)) for n in numbers] == [6, 6]
    assert client.ended == {}


# -- one connection ----------------------------------------------------------------------------


def test_a_second_client_kicks_the_first_out(plain: Path) -> None:
    client = Client(plain, rules=Rules(second="kick"))
    signaling, media = client.join()
    client.run(5)
    again, back = client.join()
    assert client.status(again) == client.status(back) == 0
    assert client.ended == {signaling: Close(signaling, 1001), media: Close(media, 1001)}
    assert client.webhooks == []
    client.vanish(signaling)
    client.vanish(media)
    assert client.stream.phase == "live"
    client.run(5)
    stamps = client.stamps(media) + client.stamps(back)
    assert len(stamps) == len(set(stamps)) > 50


def test_a_second_media_socket_kicks_the_first_out(plain: Path) -> None:
    client = Client(plain, rules=Rules(second="kick"))
    signaling = client.signaling()
    first = client.media(32)
    client.ready(signaling)
    second, third = client.media(1), client.media(8)
    assert client.status(second) == client.status(third) == 0
    assert client.ended == {first: Close(first, 1001)}
    assert client.events(signaling, 7) == []


def test_the_sdk_starts_anew_when_a_media_socket_breaks(plain: Path) -> None:
    """Within a second, with its old signaling connection still up (SDK observations, 6)."""
    client = Client(plain)
    signaling, audio, words = split(client)
    client.run(5)
    client.stream.drop("audio", "abrupt", client.now)
    client.run(1)
    again, back, _ = split(client)
    assert client.status(again) == client.status(back) == 0
    assert set(client.ended) == {signaling, audio, words}
    client.run(9)
    stamps = client.stamps(audio) + client.stamps(back)
    assert len(stamps) == len(set(stamps))
    assert max(b - a for a, b in itertools.pairwise(stamps)) < 1_000
    assert client.webhooks == []
    assert client.status(client.signaling()) == 8


def test_nothing_can_be_done_to_a_stream_that_is_over(silent: Path) -> None:
    client = Client(silent)
    client.join()
    client.stream.finish(StopReason.HOST_TRIGGERED, 0)
    client.take()
    stream = client.stream
    stream.pause(1)
    stream.resume(1)
    stream.failover("ws://y", 1)
    stream.drop("all", "abrupt", 1)
    stream.drop("media", "frame", 1)
    stream.lose("all", 5, True, 1)
    stream.hold_pings(None, 1)
    stream.camera(1, False, 1)
    stream.advance(1_000_000, [])
    assert stream.drain() == []
