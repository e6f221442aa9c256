"""Pieces of tapes, and tapes put together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.base.errors import BadInput, NotFound, TapeError
from pipeline.tapes import flac, opus
from pipeline.tapes.bundled import BUNDLED
from pipeline.tapes.coding import packet_decoder
from pipeline.tapes.cut import cut
from pipeline.tapes.describe import describe
from pipeline.tapes.header import AudioCoding, TapeHeader, TapeParticipant
from pipeline.tapes.join import PAUSE_MS, join
from pipeline.tapes.lines import (
    BackMark,
    CodingMark,
    Line,
    LostMark,
    Packed,
    TapeAudio,
    TapeMessage,
)
from pipeline.tapes.reader import TapeReader
from pipeline.tapes.state import wire_line
from pipeline.tapes.writer import TapeWriter

START = 1_790_000_000_000
ADA = {"user_id": 1, "user_name": "Ada"}
BOB = {"user_id": 2, "user_name": "Bob"}


def header(**more: Any) -> TapeHeader:
    values = {"id": "MU==", "stream": "S1", "start_ms": START, "audio": (opus.CODING,), **more}
    return TapeHeader(**values)


def write(path: Path, lines: list[Any], head: TapeHeader | None = None) -> Path:
    with TapeWriter(path, head or header(), level=1) as tape:
        for line in lines:
            tape.write(line)
    return path


def read(path: Path) -> list[Line]:
    with TapeReader.open(path) as tape:
        return list(tape)


def messages(path: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(x.msg) for x in read(path) if isinstance(x, TapeMessage)]


def encoded(lines: list[Line]) -> list[bytes]:
    return [msgspec.json.encode(line) for line in lines]


def event(t: int, kind: int, **fields: Any) -> TapeMessage:
    inner = {"event_type": kind, "timestamp": START + t, **fields}
    return wire_line(t, {"msg_type": 6, "event": inner})


def state(t: int, kind: int, state: int, **fields: Any) -> TapeMessage:
    return wire_line(t, {"msg_type": kind, "state": state, "timestamp": START + t, **fields})


def heard(path: Path) -> dict[int, list[tuple[int, NDArray[np.int16]]]]:
    """By user: where each spurt begins (Unix ms) and its samples."""
    found: dict[int, list[tuple[int, list[NDArray[np.int16]]]]] = {}
    decoders = {}
    with TapeReader.open(path) as tape:
        for line in tape:
            if isinstance(line, TapeAudio):
                packed = line.packed
                if packed.first:
                    decoders[packed.user_id] = packet_decoder(tape.audio[packed.coding])
                    found.setdefault(packed.user_id, []).append((packed.timestamp, []))
                pcm = decoders[packed.user_id].decode(packed.packets)
                found[packed.user_id][-1][1].append(pcm)
    return {
        user: [(at, np.concatenate(parts)) for at, parts in spurts]
        for user, spurts in found.items()
    }


# -- cut -----------------------------------------------------------------------------------


def test_all_of_a_tape_is_the_tape(tmp_path: Path) -> None:
    out = tmp_path / "a.rtms.zst"
    cut(BUNDLED, out)
    assert encoded(read(out)) == encoded(read(BUNDLED))
    with TapeReader.open(out) as one, TapeReader.open(BUNDLED) as other:
        assert one.header == other.header


def test_the_same_piece_twice_is_the_same_file(tmp_path: Path) -> None:
    outs = [tmp_path / "a.rtms.zst", tmp_path / "b.rtms.zst"]
    for out in outs:
        cut(BUNDLED, out, start_ms=20_000, end_ms=50_000)
    assert outs[0].read_bytes() == outs[1].read_bytes()


@pytest.mark.parametrize("start", [2_500, 30_000, 30_007, 47_123, 60_000, 163_500])
def test_sound_at_a_cut_is_as_on_the_whole_tape(tmp_path: Path, start: int) -> None:
    """To the sample in place; in value once the decoder has settled."""
    out = tmp_path / "a.rtms.zst"
    cut(BUNDLED, out, start_ms=start, end_ms=start + 12_000)
    origin = describe(BUNDLED).start_ms
    whole, piece = heard(BUNDLED), heard(out)
    seen = 0
    for user, spurts in piece.items():
        for at, pcm in spurts:
            assert start <= at - origin < start + 12_000
            begin, sound = next((b, s) for b, s in whole[user] if b <= at < b + len(s) // 48 + 20)
            place = (at - begin) * 48
            same = min(len(pcm), len(sound) - place)
            assert same > 0
            off = np.abs(pcm[:same].astype(int) - sound[place : place + same])
            loud = np.abs(sound).max()
            assert off[: min(same, 9_600)].max() < loud * 0.1
            assert off[9_600:].max(initial=0) < loud * 0.02
            seen += same
    assert seen > 48_000


def test_lossless_sound_is_cut_exactly(tmp_path: Path) -> None:
    coding = flac.coding(16_000, 1, 100)
    pcm = (np.random.default_rng(1).normal(size=16_000 * 4) * 900).astype(np.int16)
    code = flac.FlacEncoder()
    packets = [code.encode(pcm[n * 1600 : (n + 1) * 1600], coding) for n in range(40)]
    lines = [
        TapeAudio(
            t=n * 1000,
            packed=Packed(
                user_id=1,
                timestamp=START + n * 1000,
                first=n == 0,
                last=n == 3,
                packets=tuple(packets[n * 10 : n * 10 + 10]),
            ),
        )
        for n in range(4)
    ]
    tape = write(tmp_path / "a.rtms.zst", lines, header(version=2, audio=(coding,)))
    cut(tape, tmp_path / "b.rtms.zst", start_ms=750, end_ms=2_650)
    ((at, sound),) = heard(tmp_path / "b.rtms.zst")[1]
    assert at == START + 800  # the packet border after the start
    assert np.array_equal(sound, pcm[800 * 16 : 2_700 * 16])
    found = read(tmp_path / "b.rtms.zst")
    audio = [line for line in found if isinstance(line, TapeAudio)]
    assert [(x.t, x.packed.first, x.packed.last) for x in audio] == [
        (0, True, False),
        (250, False, False),
        (1250, False, True),
    ]


def test_what_must_be_known_at_the_start_is_said_first(tmp_path: Path) -> None:
    lines = [
        state(0, 9, 2, rtms_session_id="s1"),
        state(0, 8, 1),
        event(0, 3, participants=[ADA, BOB]),
        event(10, 1),
        event(20, 2, **BOB),
        event(30, 5, **ADA),
        event(40, 8, participants=[{"user_id": 1}, {"user_id": 2}]),
        event(50, 4, participants=[{"user_id": 2}]),
        state(60, 9, 3, rtms_session_id="s1"),
        state(60, 8, 5),
        event(1_000, 3, participants=[BOB]),
    ]
    tape = write(tmp_path / "a.rtms.zst", lines)
    cut(tape, tmp_path / "b.rtms.zst", start_ms=500)
    found = messages(tmp_path / "b.rtms.zst")
    now = START + 500
    assert found[:-1] == [
        {
            "msg_type": 9,
            "rtms_session_id": "s1",
            "state": 2,
            "reason": 0,
            "stop_reason": 0,
            "timestamp": now,
        },
        {"msg_type": 8, "state": 1, "reason": 0, "timestamp": now},
        {"msg_type": 6, "event": {"event_type": 3, "timestamp": now, "participants": [ADA]}},
        {"msg_type": 6, "event": {"event_type": 1, "timestamp": now}},
        {
            "msg_type": 6,
            "event": {"event_type": 8, "timestamp": now, "participants": [{"user_id": 1}]},
        },
        {"msg_type": 6, "event": {"event_type": 5, "timestamp": now, **ADA}},
        {"msg_type": 6, "event": {"event_type": 2, "timestamp": now, **BOB}},
        {
            "msg_type": 9,
            "rtms_session_id": "s1",
            "state": 3,
            "reason": 0,
            "stop_reason": 0,
            "timestamp": now,
        },
        {"msg_type": 8, "state": 5, "reason": 0, "timestamp": now},
    ]
    head = describe(tmp_path / "b.rtms.zst")
    assert (head.start_ms, head.duration_ms) == (now, 500)
    assert [p.user_name for p in head.participants] == ["Ada", "Bob"]


def test_a_call_that_was_answered_is_told(tmp_path: Path) -> None:
    def info(channel: str) -> dict[str, Any]:
        return {"participant_info": {"channel_id": channel}}

    lines = [
        event(0, 8, **info("c1")),
        event(0, 10, **info("c2")),
        event(5, 9, **info("c1")),
        event(100, 12, **info("c2")),
    ]
    tape = write(tmp_path / "a.rtms.zst", lines, header(product="contact_center"))
    cut(tape, tmp_path / "b.rtms.zst", start_ms=50)
    kinds = [m["event"]["event_type"] for m in messages(tmp_path / "b.rtms.zst") if "event" in m]
    assert kinds == [10, 12]


def test_a_loss_that_is_going_on_goes_on(tmp_path: Path) -> None:
    lines: list[Any] = [LostMark(t=100, media="all", ms=8_000), event(500, 2, **ADA)]
    lines += [event(9_000, 2, **BOB)]
    tape = write(tmp_path / "a.rtms.zst", lines)
    cut(tape, tmp_path / "b.rtms.zst", start_ms=1_000, end_ms=9_500)
    (mark,) = [x for x in read(tmp_path / "b.rtms.zst") if isinstance(x, LostMark)]
    assert (mark.t, mark.ms) == (0, 7_100)
    cut(tape, tmp_path / "c.rtms.zst", end_ms=2_000)
    (mark,) = [x for x in read(tmp_path / "c.rtms.zst") if isinstance(x, LostMark)]
    assert (mark.t, mark.ms) == (100, 1_900)


def test_codings_learnt_on_the_way_stand_in_the_header(tmp_path: Path) -> None:
    g711 = AudioCoding(codec="g711", sample_rate=8_000)
    packet = b"\xd5" * 160
    lines: list[Any] = [
        CodingMark(t=0, coding=g711),
        TapeAudio(
            t=0,
            packed=Packed(
                coding=1, user_id=1, timestamp=START, first=True, last=True, packets=(packet,) * 5
            ),
        ),
        BackMark(t=10, media="audio"),
    ]
    tape = write(tmp_path / "a.rtms.zst", lines, header(version=2))
    cut(tape, tmp_path / "b.rtms.zst", start_ms=40)
    with TapeReader.open(tmp_path / "b.rtms.zst") as reader:
        assert reader.header.audio == (g711,)
        (line,) = [x for x in reader if isinstance(x, TapeAudio)]
    assert (line.packed.coding, len(line.packed.packets)) == (0, 3)


def test_parameters_of_the_handshake_come_to_the_header(tmp_path: Path) -> None:
    params = {"audio": {"codec": 1}}
    lines = [wire_line(0, {"msg_type": 4, "media_params": params}, "audio"), event(10, 1)]
    cut(write(tmp_path / "a.rtms.zst", lines), tmp_path / "b.rtms.zst")
    with TapeReader.open(tmp_path / "b.rtms.zst") as tape:
        assert tape.header.parameters == params


def test_a_tape_that_was_cut_off_is_mended(tmp_path: Path) -> None:
    broken = tmp_path / "a.rtms.zst"
    tape = TapeWriter(broken, header(version=2), live=True)
    for t in range(10):
        tape.write(event(t, 2, **ADA))
    tape.flush()
    tape.abandon()
    cut(broken, tmp_path / "b.rtms.zst")
    found = describe(tmp_path / "b.rtms.zst")
    assert (found.cut_off, found.lines) == (False, 10)
    assert encoded(read(broken)) == encoded(read(tmp_path / "b.rtms.zst"))


@pytest.mark.parametrize(
    ("start", "end", "what"),
    [
        (-1, None, "nothing lies between"),
        (5, 5, "nothing lies"),
        (999_000, None, "is only 221.95 s long"),
    ],
)
def test_pieces_that_cannot_be(tmp_path: Path, start: int, end: int | None, what: str) -> None:
    out = tmp_path / "a.rtms.zst"
    with pytest.raises(BadInput, match=what):
        cut(BUNDLED, out, start_ms=start, end_ms=end)
    assert list(tmp_path.iterdir()) == []


def test_a_tape_is_not_cut_onto_itself(tmp_path: Path) -> None:
    tape = write(tmp_path / "a.rtms.zst", [event(1, 1)])
    with pytest.raises(BadInput, match="the tape itself"):
        cut(tape, tape)
    with pytest.raises(NotFound):
        cut(tmp_path / "gone.rtms.zst", tmp_path / "b.rtms.zst")


# -- join ----------------------------------------------------------------------------------


def whole(path: Path, person: dict[str, Any], words: str, start: int = START) -> Path:
    """A small tape of a whole meeting with one person."""
    content = {**person, "data": words, "start_time": start + 100, "timestamp": start + 100}
    lines = [
        wire_line(0, {"msg_type": 9, "state": 2, "rtms_session_id": words, "timestamp": start}),
        wire_line(0, {"msg_type": 8, "state": 1, "timestamp": start}),
        wire_line(
            0,
            {
                "msg_type": 6,
                "event": {"event_type": 3, "timestamp": start, "participants": [person]},
            },
        ),
        TapeAudio(
            t=50,
            packed=Packed(
                user_id=person["user_id"],
                timestamp=start + 50,
                first=True,
                last=True,
                packets=tuple(opus.encode(np.zeros(3_200, np.int16))),
            ),
        ),
        wire_line(100, {"msg_type": 17, "content": content}, "transcript"),
        wire_line(200, {"msg_type": 9, "state": 5, "rtms_session_id": words}),
        wire_line(200, {"msg_type": 8, "state": 4, "reason": 6, "timestamp": start + 200}),
    ]
    who = TapeParticipant(**person)
    return write(path, lines, header(participants=(who,), start_ms=start, credits=words))


def test_tapes_follow_one_another(tmp_path: Path) -> None:
    one = whole(tmp_path / "a.rtms.zst", ADA, "one")
    two = whole(tmp_path / "b.rtms.zst", BOB, "two", START + 10**9)
    join([one, two], tmp_path / "c.rtms.zst")
    at = 270 + PAUSE_MS  # the sound of the first is its end
    found = messages(tmp_path / "c.rtms.zst")
    assert [(m["msg_type"], m.get("state")) for m in found] == [
        (9, 2),
        (8, 1),
        (6, None),
        (17, None),
        (6, None),
        (6, None),
        (17, None),
        (9, 5),
        (8, 4),
    ]
    assert found[4]["event"]["participants"] == [{"user_id": 1}]  # Ada is not on the second
    assert found[5]["event"] == {
        "event_type": 3,
        "timestamp": START + at,
        "participants": [BOB],
    }
    assert found[6]["content"]["start_time"] == START + at + 100
    assert found[7]["rtms_session_id"] == "one"
    sound = [x for x in read(tmp_path / "c.rtms.zst") if isinstance(x, TapeAudio)]
    assert [x.packed.timestamp - START - x.t for x in sound] == [0, 0]
    head = describe(tmp_path / "c.rtms.zst")
    assert [p.user_name for p in head.participants] == ["Ada", "Bob"]
    assert (head.version, head.credits) == (1, "one / two")


def test_two_people_with_one_id_get_two(tmp_path: Path) -> None:
    one = whole(tmp_path / "a.rtms.zst", ADA, "one")
    two = whole(tmp_path / "b.rtms.zst", {**BOB, "user_id": 1}, "two")
    join([one, two], tmp_path / "c.rtms.zst")
    people = {p.user_name: p.user_id for p in describe(tmp_path / "c.rtms.zst").participants}
    assert people["Ada"] == 1
    assert people["Bob"] != 1
    said = [m["content"] for m in messages(tmp_path / "c.rtms.zst") if m["msg_type"] == 17]
    assert [(c["user_id"], c["user_name"]) for c in said] == [(1, "Ada"), (people["Bob"], "Bob")]
    sound = [x.packed.user_id for x in read(tmp_path / "c.rtms.zst") if isinstance(x, TapeAudio)]
    assert sound == [1, people["Bob"]]


def test_pieces_put_together_say_what_the_whole_said(tmp_path: Path) -> None:
    pieces = [tmp_path / f"{n}.rtms.zst" for n in range(3)]
    for piece, (start, end) in zip(
        pieces, [(0, 61_000), (61_000, 130_000), (130_000, None)], strict=True
    ):
        cut(BUNDLED, piece, start_ms=start, end_ms=end)
    join(pieces, tmp_path / "all.rtms.zst")

    def texts(path: Path) -> list[str]:
        return [m["content"]["data"] for m in messages(path) if m["msg_type"] == 17]

    assert texts(tmp_path / "all.rtms.zst") == texts(BUNDLED)
    one, other = heard(BUNDLED), heard(tmp_path / "all.rtms.zst")
    for user, spurts in one.items():
        total = sum(len(pcm) for _, pcm in spurts)
        assert abs(sum(len(pcm) for _, pcm in other[user]) - total) < 4_800


def test_tapes_that_do_not_go_together(tmp_path: Path) -> None:
    one = whole(tmp_path / "a.rtms.zst", ADA, "one")
    with pytest.raises(BadInput, match="two tapes or more"):
        join([one], tmp_path / "c.rtms.zst")
    with pytest.raises(BadInput, match="is one of the tapes"):
        join([one, one], one)
    call = write(tmp_path / "b.rtms.zst", [], header(product="phone"))
    with pytest.raises(BadInput, match="one tape has one product"):
        join([one, call], tmp_path / "c.rtms.zst")
    bad = write(
        tmp_path / "d.rtms.zst", [TapeMessage(t=0, socket="chat", msg=msgspec.Raw(b'"\xff"'))]
    )
    with pytest.raises(TapeError, match=r"d\.rtms\.zst, line 2"):
        join([one, bad], tmp_path / "c.rtms.zst")
