"""Each fault of messages and webhooks: its exact effect on a stream's actions. No sockets."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.emulator.actions import Abort, Action, Close, Notify, Send
from pipeline.emulator.faults import (
    ClockJump,
    Corrupt,
    DeadUrl,
    DuplicateWebhook,
    FlatMedia,
    HugeImage,
    LateKeepAlives,
    LateWebhook,
    LoseMedia,
    LoseWebhook,
    NestedWebhooks,
    Reorder,
    ReorderWebhooks,
    Repeat,
    Say,
    Stall,
    Trickle,
    Unknown,
)
from pipeline.emulator.frames import MAX_WAITING
from pipeline.emulator.gate import Piece
from pipeline.emulator.hooks import HELD_MS, Hook
from pipeline.emulator.meddler import Meddler, Out, selects
from pipeline.emulator.schedule import NEVER
from pipeline.rtms.enums import MediaType, StopReason

START = 1_790_000_000_000
SIGNALING, AUDIO, ALL = 1, 2, 3


def audio(number: int, connection: int = AUDIO) -> Send:
    return Send(connection, media(14, number), "audio")


def media(kind: int, number: int) -> bytes:
    data = base64.b64encode(bytes([number] * 8)).decode()
    content = {"user_id": 1, "user_name": "A", "data": data, "length": 8, "timestamp": START}
    return json.dumps({"msg_type": kind, "content": content}).encode()


def ping(number: int, connection: int = SIGNALING) -> Send:
    message = {"msg_type": 12, "sequence": number, "timestamp": START}
    return Send(connection, json.dumps(message).encode(), "keep_alive")


def joined() -> Meddler:
    """Signaling and an audio socket, greeted and ready."""
    found = Meddler(START)
    found.opened(SIGNALING, None)
    found.opened(AUDIO, MediaType.AUDIO)
    hello = [Send(SIGNALING, b"{}"), Send(AUDIO, b"{}"), Send(SIGNALING, b"{}", "state")]
    assert found.meddle(hello, 0) == hello
    assert found.idle
    assert found.resting
    return found


def sent(out: list[Out]) -> list[Any]:
    return [json.loads(row.payload) for row in out if isinstance(row, Send)]


def stop(reason: StopReason = StopReason.MEETING_ENDED) -> Notify:
    return Notify("stopped", 9, reason)


# -- stall, trickle, late ----------------------------------------------------------------------


def test_a_stall_holds_everything_and_lets_it_out_in_order() -> None:
    meddler = joined()
    assert meddler.begin(Stall(socket="audio", length=2), 1_000) == []
    assert not meddler.idle
    rows: list[Action] = [audio(1), ping(1, AUDIO), audio(2)]
    assert meddler.meddle([*rows, ping(1)], 1_500) == [ping(1)]
    assert meddler.next_at(1_500) == 3_000
    assert meddler.release(2_999) == []
    assert meddler.meddle([Close(AUDIO)], 2_999) == []
    assert meddler.release(3_000) == [*rows, Close(AUDIO)]
    assert meddler.resting


def test_a_connection_opened_during_a_stall_is_stalled_too() -> None:
    meddler = joined()
    meddler.begin(Stall(length=2), 0)
    meddler.opened(9, MediaType.ALL)
    assert meddler.meddle([Send(9, b"{}")], 1) == []
    assert meddler.release(2_000) == [Send(9, b"{}")]


def test_what_is_aborted_or_gone_is_not_waited_for() -> None:
    meddler = joined()
    meddler.begin(Stall(length=2), 0)
    assert meddler.meddle([audio(1), Abort(AUDIO)], 1) == [Abort(AUDIO)]
    assert meddler.meddle([ping(1)], 1) == []
    meddler.closed(SIGNALING)
    assert meddler.release(2_000) == []
    assert meddler.resting


def test_more_than_a_client_may_be_behind_drops_it() -> None:
    meddler = joined()
    meddler.begin(Stall(length=2), 0)
    big = Send(AUDIO, bytes(MAX_WAITING // 2 + 1), "audio")
    assert meddler.meddle([big], 1) == []
    assert meddler.meddle([big], 1) == [Abort(AUDIO)]
    assert meddler.release(2_000) == []


def test_a_trickle_counts_bytes_and_cuts_long_messages() -> None:
    meddler = joined()
    meddler.begin(Trickle(socket="media", bytes_per_s=100, length=60), 0)
    first, second = Send(AUDIO, b"a" * 25, "audio"), Send(AUDIO, b"b" * 3, "audio")
    assert meddler.meddle([first], 0) == [Piece(AUDIO, b"a" * 10, first=True, last=False)]
    assert meddler.meddle([second, ping(1)], 50) == [ping(1)]
    assert meddler.next_at(50) == 100
    assert meddler.release(100) == [Piece(AUDIO, b"a" * 10, first=False, last=False)]
    assert meddler.release(200) == [Piece(AUDIO, b"a" * 5, first=False, last=True), second]
    assert meddler.release(60_000) == []
    assert meddler.resting


def test_the_end_of_a_trickle_lets_the_rest_out() -> None:
    meddler = joined()
    meddler.begin(Trickle(bytes_per_s=100, length=1), 0)
    meddler.meddle([Send(AUDIO, b"a" * 50, "audio"), audio(1), Close(AUDIO)], 0)
    assert meddler.release(1_000) == [
        Piece(AUDIO, b"a" * 40, first=False, last=True),
        audio(1),
        Close(AUDIO),
    ]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=20), st.integers(10, 400))
def test_a_trickle_loses_nothing_and_keeps_its_pace(sizes: list[int], rate: int) -> None:
    meddler = joined()
    meddler.begin(Trickle(bytes_per_s=rate, length=86_400), 0)
    rows = [Send(AUDIO, bytes([n % 256]) * size, "audio") for n, size in enumerate(sizes)]
    out: list[Out] = meddler.meddle(rows, 0)
    now, total, budget = 0, sum(sizes), max(1, rate // 10)
    while meddler._gates and meddler._gates[AUDIO]:
        now = meddler.next_at(now)
        part = meddler.release(now)
        assert sum(len(row.payload) for row in part if isinstance(row, Send | Piece)) <= budget
        out += part
    assert now <= (total // budget + len(sizes) + 1) * 100
    whole: list[bytes] = []
    open_message = False
    for row in out:
        if isinstance(row, Send):
            assert not open_message
            whole.append(row.payload)
        else:
            assert isinstance(row, Piece)
            assert row.first is not open_message
            whole = [*whole, row.payload] if row.first else [*whole[:-1], whole[-1] + row.payload]
            open_message = not row.last
    assert whole == [row.payload for row in rows]


def test_late_keep_alives_come_late_and_alone() -> None:
    meddler = joined()
    meddler.begin(LateKeepAlives(late=7, length=20), 0)
    assert meddler.meddle([ping(1), audio(1)], 10_000) == [audio(1)]
    assert meddler.next_at(10_000) == 17_000
    assert meddler.release(16_999) == []
    assert meddler.release(17_000) == [ping(1)]
    assert meddler.meddle([ping(2)], 20_000) == [ping(2)]


# -- messages lost, broken, moved ----------------------------------------------------------------


def test_lost_media_is_never_sent_while_all_else_is() -> None:
    meddler = joined()
    meddler.begin(LoseMedia(media="audio", length=1), 0)
    words = Send(AUDIO, media(17, 1), "transcript")
    assert meddler.meddle([audio(1), words, ping(1, AUDIO)], 999) == [words, ping(1, AUDIO)]
    assert meddler.meddle([audio(2)], 1_000) == [audio(2)]
    assert meddler.idle


@pytest.mark.parametrize(
    ("how", "broken"),
    [
        ("truncated", lambda p: p[: len(p) // 2]),
        ("not_json", lambda p: b"<html>502 Bad Gateway</html>"),
        ("not_utf8", lambda p: p[:-1] + b"\xff\xfe" + p[-1:]),
        ("empty", lambda p: b""),
    ],
)
def test_broken_bytes(how: Any, broken: Any) -> None:
    meddler = joined()
    meddler.begin(Corrupt(kind="audio", how=how, times=2), 0)
    words = Send(AUDIO, media(17, 1), "transcript")
    out = meddler.meddle([words, audio(1), audio(2), audio(3)], 0)
    assert out[0] == words
    assert out[1:3] == [Send(AUDIO, broken(audio(n).payload), "audio") for n in (1, 2)]
    assert out[3] == audio(3)
    assert meddler.idle


def test_broken_content() -> None:
    meddler = joined()
    for how in ("bad_base64", "wrong_length", "wrong_types"):
        meddler.begin(Corrupt(how=how), 0)  # type: ignore[arg-type]
    first, second, third, good = sent(meddler.meddle([audio(n) for n in range(4)], 0))
    with pytest.raises(ValueError):
        base64.b64decode(first["content"]["data"], validate=True)
    assert first["content"]["length"] == 8
    assert second["content"]["length"] == 15
    assert base64.b64decode(second["content"]["data"]) == bytes([1] * 8)
    assert third["msg_type"] == 14
    assert third["content"] == {
        "user_id": "soon",
        "user_name": 1,
        "data": 12,
        "length": "soon",
        "timestamp": "soon",
    }
    assert good == json.loads(audio(3).payload)


def test_a_broken_message_beside_the_good_one() -> None:
    meddler = joined()
    meddler.begin(Corrupt(kind="any", how="not_json", extra=True), 0)
    answer = Send(SIGNALING, b"{}", "protocol")
    out = meddler.meddle([answer, ping(1)], 0)
    assert out == [answer, Send(SIGNALING, b"<html>502 Bad Gateway</html>", "keep_alive"), ping(1)]


def test_a_clock_jump_moves_every_time_and_nothing_else() -> None:
    meddler = joined()
    meddler.begin(ClockJump(by=-3.5, length=10), 0)
    message = {
        "msg_type": 6,
        "event": {"timestamp": START, "participants": [{"end_time": START, "name": "timestamp"}]},
    }
    (found,) = sent(meddler.meddle([Send(SIGNALING, json.dumps(message).encode(), "event")], 0))
    moved = START - 3_500
    assert found == {
        "msg_type": 6,
        "event": {"timestamp": moved, "participants": [{"end_time": moved, "name": "timestamp"}]},
    }
    assert meddler.meddle([ping(1)], 10_000) == [ping(1)]


def test_flat_media() -> None:
    meddler = joined()
    meddler.begin(FlatMedia(), 0)
    meddler.begin(Corrupt(how="bad_base64"), 0)
    first, second, third = sent(meddler.meddle([audio(1), audio(2), ping(1)], 99_999))
    assert first["content"] == "?not base64?"
    assert second["content"] == base64.b64encode(bytes([2] * 8)).decode()
    assert (second["user_id"], second["user_name"], second["timestamp"]) == (1, "A", START)
    assert third == json.loads(ping(1).payload)


def test_repeated_and_reordered_packets() -> None:
    meddler = joined()
    meddler.begin(Repeat(length=1), 0)
    assert meddler.meddle([audio(1), audio(2)], 0) == [audio(1), audio(1), audio(2), audio(2)]
    assert meddler.meddle([audio(1)], 1_000) == [audio(1)]
    meddler.begin(Reorder(length=1, by=2), 1_000)
    out = meddler.meddle([audio(1), ping(1), audio(2), audio(3), audio(4)], 1_500)
    assert out == [ping(1), audio(2), audio(3), audio(1)]
    assert meddler.next_at(1_500) == 2_000
    assert meddler.release(2_000) == [audio(4)]
    assert meddler.resting


def test_what_is_held_back_comes_before_the_close() -> None:
    meddler = joined()
    meddler.begin(Reorder(length=1), 0)
    assert meddler.meddle([audio(1), Close(AUDIO)], 0) == [audio(1), Close(AUDIO)]


# -- messages of its own -------------------------------------------------------------------------


def test_unknown_messages_and_events() -> None:
    meddler = joined()
    out = meddler.begin(Unknown(number=77), 5_000)
    assert [row.connection for row in out if isinstance(row, Send)] == [SIGNALING, AUDIO]
    assert [m["msg_type"] for m in sent(out)] == [77, 77]
    (event,) = sent(meddler.begin(Unknown(what="event", number=88), 5_000))
    assert event["msg_type"] == 6
    assert event["event"] == {"event_type": 88, "timestamp": START + 5_000, "what": "?"}
    assert meddler.idle


def test_any_message() -> None:
    meddler = joined()
    message = {"msg_type": 8, "state": 3, "reason": 0}
    assert sent(meddler.begin(Say(message=message), 0)) == [message]


def test_nobody_there_is_waited_for() -> None:
    meddler = Meddler(START)
    assert meddler.begin(Say(message={"msg_type": 99}, socket="all"), 0) == []
    meddler.opened(1, None)
    meddler.opened(2, MediaType.ALL)
    refused: list[Action] = [Send(1, b"{}"), Close(1)]
    assert meddler.meddle(refused, 0) == refused
    meddler.opened(3, None)
    out = meddler.meddle([Send(3, b"{}")], 0)
    assert [row.connection for row in out if isinstance(row, Send)] == [3, 3]
    assert meddler.idle


def test_a_huge_image_is_a_whole_jpeg() -> None:
    meddler = joined()
    meddler.begin(HugeImage(mib=2, user_id=7), 1_000)
    assert not meddler.idle  # no socket carries images
    meddler.opened(ALL, MediaType.ALL)
    out = meddler.meddle([Send(ALL, b"{}")], 1_000)
    image = sent(out)[1]
    assert (image["msg_type"], image["content"]["user_id"]) == (16, 7)
    assert image["content"]["timestamp"] == START + 1_000
    data = base64.b64decode(image["content"]["data"])
    assert len(data) == image["content"]["length"] == pytest.approx(2 << 20, abs=8)
    with av.open(io.BytesIO(data), format="mjpeg") as picture:
        frame = next(picture.decode(video=0))
    assert (frame.width, frame.height) == (16, 16)


@pytest.mark.parametrize(
    ("socket", "paths"),
    [
        ("all", {None, MediaType.ALL, MediaType.AUDIO, MediaType.CHAT}),
        ("signaling", {None}),
        ("media", {MediaType.ALL, MediaType.AUDIO, MediaType.CHAT}),
        ("audio", {MediaType.ALL, MediaType.AUDIO}),
    ],
)
def test_which_sockets_a_word_means(socket: str, paths: set[MediaType | None]) -> None:
    every = (None, MediaType.ALL, MediaType.AUDIO, MediaType.CHAT)
    assert {path for path in every if selects(socket, path)} == paths


# -- webhooks --------------------------------------------------------------------------------------


INTERRUPTED = Notify("interrupted", 5)


def test_webhooks_pass_unchanged() -> None:
    meddler = joined()
    assert meddler.meddle([INTERRUPTED, stop()], 0) == [Hook(INTERRUPTED), Hook(stop())]


def test_a_duplicate_of_the_last_or_of_the_next() -> None:
    meddler = joined()
    assert meddler.begin(DuplicateWebhook(event="interrupted", times=2), 0) == []
    assert meddler.meddle([INTERRUPTED], 0) == [Hook(INTERRUPTED)] * 3
    again = meddler.begin(DuplicateWebhook(event="interrupted"), 9)
    assert again == [Hook(INTERRUPTED)]
    assert meddler.resting


def test_a_lost_webhook() -> None:
    meddler = joined()
    meddler.begin(LoseWebhook(event="interrupted"), 0)
    assert meddler.meddle([INTERRUPTED, stop()], 0) == [Hook(stop())]
    assert meddler.meddle([INTERRUPTED], 0) == [Hook(INTERRUPTED)]


def test_a_late_webhook() -> None:
    meddler = joined()
    meddler.begin(LateWebhook(event="stopped", late=3), 0)
    assert meddler.meddle([stop()], 1_000) == []
    assert meddler.waiting
    assert meddler.idle
    assert not meddler.resting
    assert meddler.next_at(1_000) == 4_000
    assert meddler.release(3_999) == []
    assert meddler.release(4_000) == [Hook(stop())]
    assert meddler.resting


def test_stopped_before_interrupted() -> None:
    meddler = joined()
    meddler.begin(ReorderWebhooks(), 0)
    assert meddler.meddle([INTERRUPTED], 0) == []
    assert meddler.meddle([stop()], 9) == [Hook(stop()), Hook(INTERRUPTED)]


def test_one_that_waits_for_another_does_not_wait_for_ever() -> None:
    meddler = joined()
    meddler.begin(ReorderWebhooks(), 0)
    meddler.meddle([INTERRUPTED], 100)
    assert meddler.next_at(100) == 100 + HELD_MS
    assert meddler.release(100 + HELD_MS) == [Hook(INTERRUPTED)]
    meddler.begin(ReorderWebhooks(event="stopped"), 0)
    meddler.meddle([stop()], 100)
    assert meddler.finish(200) == [Hook(stop())]
    assert meddler.resting


def test_the_form_and_the_dead_url() -> None:
    meddler = joined()
    meddler.begin(NestedWebhooks(length=1), 0)
    assert meddler.meddle([INTERRUPTED], 0) == [Hook(INTERRUPTED, nested=True)]
    assert meddler.meddle([INTERRUPTED], 1_000) == [Hook(INTERRUPTED)]
    started = Notify("started", 0)
    assert meddler.meddle([started], 1_000, dead_first=True) == [Hook(started, dead_first=True)]
    meddler.begin(DeadUrl(), 0)
    assert meddler.meddle([started], 1_000) == [Hook(started, dead_first=True)]


# -- the end ---------------------------------------------------------------------------------------


def test_letting_go_of_everything() -> None:
    meddler = joined()
    meddler.begin(Stall(socket="audio", length=60), 0)
    meddler.begin(LateKeepAlives(late=60), 0)
    meddler.begin(LateWebhook(event="stopped", late=60), 0)
    meddler.meddle([audio(1), ping(1), stop()], 0)
    assert sorted(meddler.let_go(1), key=str) == sorted([audio(1), ping(1), Hook(stop())], key=str)
    assert meddler.resting
    assert meddler.next_at(1) == NEVER


faults = st.sampled_from(
    [
        Stall(length=2),
        Trickle(bytes_per_s=200, length=3),
        LateKeepAlives(late=1, length=5),
        LoseMedia(length=1),
        Corrupt(how="truncated", times=3),
        Corrupt(how="bad_base64", extra=True),
        ClockJump(by=5, length=2),
        FlatMedia(length=1),
        Repeat(length=2),
        Reorder(length=2, by=3),
        Unknown(),
        ReorderWebhooks(),
        LateWebhook(late=2),
        DuplicateWebhook(event="interrupted"),
    ]
)
acts = st.lists(
    st.one_of(faults, st.sampled_from(["audio", "ping", "hook", "time", "new", "gone"])),
    max_size=40,
)


@given(acts)
def test_any_mixture_ends_at_rest_and_closes_last(script: list[Any]) -> None:
    """Whatever faults run: time alone brings everything out, and nothing after a close."""
    meddler = joined()
    now, out, number = 0, [], AUDIO
    for act in script:
        match act:
            case "audio":
                out += meddler.meddle([audio(now % 251, number)], now)
            case "ping":
                out += meddler.meddle([ping(1, number)], now)
            case "hook":
                out += meddler.meddle([INTERRUPTED], now)
            case "time":
                now += 700
                out += meddler.release(now)
            case "new":
                number += 1
                meddler.opened(number, MediaType.AUDIO)
            case "gone":
                out += meddler.meddle([Abort(number)], now)
                meddler.closed(number)
                number += 1
                meddler.opened(number, MediaType.AUDIO)
            case _:
                out += meddler.begin(act, now)
    out += meddler.meddle([Close(number)], now)
    meddler._corrupting, meddler._injecting = [], []
    while (at := meddler.next_at(now)) != NEVER:
        assert at >= now
        now = max(at, now + 1)
        assert now < 600_000
        out += meddler.release(now)
    rows = [row for row in out if not isinstance(row, Hook) and row.connection == number]
    assert rows[-1] == Close(number)
    assert rows.count(Close(number)) == 1
    assert not meddler.waiting
