"""Tapes from scripts: when things happen, what is heard, and the meeting that we ship."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml

from pipeline.base.errors import BadInput, NotFound
from pipeline.tapes import opus
from pipeline.tapes.build import LEAD_MS, Pcm, build, levelled, trimmed
from pipeline.tapes.bundled import BUNDLED
from pipeline.tapes.coding import packet_decoder
from pipeline.tapes.lines import Line, LostMark, TapeAudio, TapeMessage
from pipeline.tapes.reader import TapeReader
from pipeline.tapes.schedule import schedule
from pipeline.tapes.script import Script, load_script

CASES = Path(__file__).resolve().parents[2] / "prompts" / "cases"


def script(*turns: dict[str, object]) -> Script:
    return msgspec.convert(
        {
            "title": "Test",
            "zone": "Europe/London",
            "start": "2026-07-01T10:00:00",
            "participants": [
                {"id": "ada", "user_id": 1, "name": "Ada"},
                {"id": "bob", "user_id": 2, "name": "Bob"},
            ],
            "turns": turns,
        },
        Script,
    )


def say(who: str, text: str = "words", **more: object) -> dict[str, object]:
    return {"who": who, "say": text, **more}


def tone(ms: int, hertz: float = 300.0, level: float = 0.2) -> Pcm:
    t = np.arange(ms * 16) / 16_000
    return (np.sin(2 * np.pi * hertz * t) * level * 32767).astype(np.int16)


def made(*turns: dict[str, object], ms: int = 1000) -> list[Line]:
    one = script(*turns)
    voices = {i: tone(ms) for i, turn in enumerate(one.turns) if turn.say is not None}
    return build(one, voices)[1]


def messages(lines: list[Line], kind: int) -> list[dict[str, object]]:
    found = [msgspec.json.decode(line.msg) for line in lines if isinstance(line, TapeMessage)]
    return [message for message in found if message["msg_type"] == kind]


def events(lines: list[Line], kind: int) -> list[dict[str, object]]:
    found = [message["event"] for message in messages(lines, 6)]
    return [event for event in found if event["event_type"] == kind]  # type: ignore[index, call-overload]


def test_gaps_count_from_the_previous_end() -> None:
    placed = schedule(
        script(say("ada"), say("bob", gap=0.5), say("ada", gap=-0.2)), {0: 1000, 1: 2000, 2: 400}
    )
    assert [(p.start, p.end) for p in placed] == [(2500, 3500), (4000, 6000), (5800, 6200)]


def test_an_interjection_does_not_pull_time_back() -> None:
    placed = schedule(
        script(say("ada"), say("bob", gap=-0.9), say("ada", gap=0.5)), {0: 1000, 1: 200, 2: 100}
    )
    assert placed[2].start == 4000  # half a second after Ada, not after Bob


def test_natural_gaps_are_the_same_every_time() -> None:
    one = script(*[say(who) for who in ("ada", "bob") * 5])
    lengths = dict.fromkeys(range(10), 500)
    assert schedule(one, lengths) == schedule(one, lengths)
    starts = [p.start for p in schedule(one, lengths)]
    gaps = {b - a - 500 for a, b in itertools.pairwise(starts)}
    assert len(gaps) > 3
    assert all(680 <= gap <= 1300 for gap in gaps)


def test_silence_passes() -> None:
    placed = schedule(script(say("ada"), {"silence": 20}, say("bob", gap=0)), {0: 1000, 2: 500})
    assert placed[2].start - placed[0].end == 20_000


def test_nobody_speaks_over_themselves() -> None:
    with pytest.raises(BadInput, match="ada is still speaking"):
        schedule(script(say("ada"), say("ada", gap=-0.5)), {0: 1000, 1: 1000})


@pytest.mark.parametrize(
    "turn",
    [{}, {"who": "ada"}, {"say": "a", "chat": "b", "who": "ada"}, {"who": "eve", "say": "a"}],
)
def test_a_turn_that_makes_no_sense(turn: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        schedule(script(turn), {0: 100})


def test_scripts_are_read_and_broken_ones_named(tmp_path: Path) -> None:
    assert len(load_script(CASES / "bundled.yaml").participants) == 4
    with pytest.raises(NotFound, match="no such script"):
        load_script(tmp_path / "x.yaml")
    broken = tmp_path / "x.yaml"
    broken.write_text("turns: [{say: [")
    with pytest.raises(BadInput, match=r"x\.yaml"):
        load_script(broken)
    broken.write_text("title: a")
    with pytest.raises(BadInput, match=r"x\.yaml.*zone"):
        load_script(broken)


def test_start_is_local_time() -> None:
    assert script().start_ms == 1_782_896_400_000  # 2026-07-01 09:00 UTC: British summer time


def test_a_turn_becomes_sound_and_transcript() -> None:
    lines = made(say("ada", "Good morning."))
    (content,) = [m["content"] for m in messages(lines, 17)]
    assert content == {
        "user_id": 1,
        "user_name": "Ada",
        "start_time": script().start_ms + 2500,
        "end_time": script().start_ms + 3500,
        "timestamp": script().start_ms + 4300,
        "language": 9,
        "attribute": 1,
        "data": "Good morning.",
    }
    audio = [line for line in lines if isinstance(line, TapeAudio)]
    assert [line.packed.first for line in audio] == [True, False, False]
    assert [line.packed.last for line in audio] == [False, False, True]
    assert audio[0].packed.timestamp == script().start_ms + 2500 - LEAD_MS
    assert audio[1].packed.timestamp - audio[0].packed.timestamp == 500


def test_muted_words_are_nowhere() -> None:
    lines = made(say("ada"), {"mute": "bob"}, say("bob", "secret"), {"unmute": "bob"}, say("bob"))
    texts = [m["content"]["data"] for m in messages(lines, 17)]  # type: ignore[index]
    assert texts == ["words", "words"]
    spurts = [x.packed.user_id for x in lines if isinstance(x, TapeAudio) and x.packed.first]
    assert spurts == [1, 2]
    assert [e["user_id"] for e in events(lines, 2)] == [1, 2]
    assert events(lines, 2)[1]["timestamp"] > script().start_ms + 5000  # type: ignore[operator]


def test_lost_words_are_in_no_transcript() -> None:
    lost = {"lost": 3, "media": "all"}
    lines = made(
        say("ada", "before"), lost, say("bob", "gone", gap=0.3), say("ada", "after", gap=5)
    )
    texts = [m["content"]["data"] for m in messages(lines, 17)]  # type: ignore[index]
    assert texts == ["before", "after"]
    (mark,) = [line for line in lines if isinstance(line, LostMark)]
    assert (mark.ms, mark.replay, mark.media) == (3000, False, "all")
    before = next(m for m in lines if isinstance(m, TapeMessage) and m.socket == "transcript")
    assert before.t < mark.t  # the last words before the loss still arrive
    replayed = made(say("ada"), {**lost, "replay": True}, say("bob", "kept", gap=0.3))
    assert messages(replayed, 17)[1]["content"]["data"] == "kept"  # type: ignore[index]


def test_people_come_and_go() -> None:
    lines = made(say("ada"), {"join": "bob"}, say("bob"), {"leave": "ada"}, say("bob"))
    joined = [event["participants"] for event in events(lines, 3)]
    assert joined == [
        [{"user_id": 1, "user_name": "Ada"}],
        [{"user_id": 2, "user_name": "Bob"}],
    ]
    assert [event["participants"] for event in events(lines, 4)] == [
        [{"user_id": 1}],
        [{"user_id": 2}],
    ]
    assert events(lines, 1)[0]["timestamp"] == script().start_ms + 2400
    assert messages(lines, 8)[-1]["reason"] == 6
    assert messages(lines, 9)[-1]["state"] == 5


def test_chat_has_an_object_inside() -> None:
    (message,) = messages(made(say("ada"), {"who": "bob", "chat": "hi", "id": "c1"}), 18)
    data = message["content"]["data"]  # type: ignore[index]
    assert data["data"] == "hi"
    assert data["operation_type"] == 1
    assert data["sender"] == {"user_id": 2, "user_name": "Bob"}
    assert len(data["message_id"]) == 32


def test_building_twice_gives_the_same() -> None:
    turns = (say("ada"), {"chat": "x", "who": "ada"}, say("bob"))
    one, other = made(*turns), made(*turns)
    assert [msgspec.json.encode(a) for a in one] == [msgspec.json.encode(b) for b in other]


def test_silence_around_a_turn_is_cut() -> None:
    quiet = np.zeros(1600, np.int16)
    assert abs(len(trimmed(np.concatenate([quiet, tone(500), quiet]))) - 8000) <= 160
    with pytest.raises(BadInput, match="silence"):
        trimmed(quiet)


@pytest.mark.parametrize("level", [0.01, 0.1, 0.9])
def test_every_voice_is_equally_loud(level: float) -> None:
    loud = levelled(tone(1000, level=level)).astype(float) / 32768
    assert 20 * np.log10(np.sqrt((loud**2).mean())) == pytest.approx(-22, abs=0.3)
    assert np.abs(loud).max() < 10 ** (-1 / 20)


def test_opus_stays_in_step() -> None:
    rng = np.random.default_rng(1)
    pcm = (np.convolve(rng.normal(size=16_000), np.ones(8) / 8, "same") * 6000).astype(np.int16)
    packets = opus.encode(pcm)
    decoder = packet_decoder(opus.CODING)
    heard = np.concatenate([decoder.decode(packets[:7]), decoder.decode(packets[7:])])
    assert len(heard) >= len(pcm) * 3
    down = heard[: len(pcm) * 3 : 3].astype(float)
    lags = range(-40, 41)
    scores = [np.dot(np.roll(down, lag), pcm) for lag in lags]
    assert abs(lags[int(np.argmax(scores))]) <= 1


def test_no_sound_no_packets() -> None:
    assert opus.encode(np.zeros(0, np.int16)) == []


# -- the bundled tape -------------------------------------------------------------------


def bundled() -> list[Line]:
    with TapeReader.open(BUNDLED) as tape:
        return list(tape)


def test_the_bundled_tape_is_small_and_about_four_minutes() -> None:
    assert BUNDLED.stat().st_size <= 3_000_000
    with TapeReader.open(BUNDLED) as tape:
        assert 200_000 <= (tape.header.duration_ms or 0) <= 270_000
        assert tape.header.credits


def test_the_bundled_tape_says_what_the_script_says() -> None:
    turns = yaml.safe_load((CASES / "bundled.yaml").read_text())["turns"]
    silent = {"t18", "t28"}  # muted, lost
    expected = {turn["say"] for turn in turns if "say" in turn and turn["id"] not in silent}
    lines = bundled()
    assert {m["content"]["data"] for m in messages(lines, 17)} == expected  # type: ignore[index]
    chats = [m["content"]["data"]["data"] for m in messages(lines, 18)]  # type: ignore[index]
    assert chats == [turn["chat"] for turn in turns if "chat" in turn]


def test_the_bundled_loss_takes_one_utterance_and_leaves_time_to_return() -> None:
    lines = bundled()
    (mark,) = [line for line in lines if isinstance(line, LostMark)]
    assert (mark.media, mark.ms, mark.replay) == ("all", 8000, False)
    spurts: dict[int, list[int]] = {}
    for line in lines:
        if isinstance(line, TapeAudio):
            if line.packed.first:
                spurts[line.t] = [line.t, 0]
            start = max(s for s in spurts if s <= line.t)
            spurts[start][1] = line.t + 20 * len(line.packed.packets)
    inside = [end for begin, end in spurts.values() if mark.t <= begin < mark.t + mark.ms]
    assert len(inside) == 1
    assert inside[0] <= mark.t + mark.ms + 600  # the words themselves end inside
    back = min(begin for begin, _ in spurts.values() if begin > mark.t + mark.ms)
    assert back >= mark.t + 9_000 + 2_000  # back-offs of 3 and 6 s, and room for slow machines
    last = max(
        line.t
        for line in lines
        if isinstance(line, TapeMessage) and line.t < mark.t and line.socket == "transcript"
    )
    assert mark.t - last >= 500
