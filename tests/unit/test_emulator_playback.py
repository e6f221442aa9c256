"""Tapes unrolled in meeting time: which messages when, whatever is asked and whenever."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.base.errors import TapeError
from pipeline.emulator.lane import Lane, Sent
from pipeline.emulator.playback import END_PAUSE_MS, LOOP_PAUSE_MS, Ended, Lost, Playback, Said
from pipeline.emulator.rendering import AudioFormat
from pipeline.rtms.enums import MediaType
from pipeline.tapes import opus
from pipeline.tapes.build import build
from pipeline.tapes.coding import packet_decoder
from pipeline.tapes.header import TapeHeader
from pipeline.tapes.lines import LostMark, Packed, TapeAudio, TapeMessage
from pipeline.tapes.reader import TapeReader
from pipeline.tapes.script import Script
from pipeline.tapes.writer import TapeWriter

START = 1_782_896_400_000
MULTI = AudioFormat(rate=16_000, channels=1, send_rate_ms=100, mixed=False)
SCRIPT = {
    "title": "Tones",
    "zone": "Europe/London",
    "start": "2026-07-01T10:00:00",
    "participants": [
        {"id": "ada", "user_id": 1, "name": "Ada"},
        {"id": "bob", "user_id": 2, "name": "Bob"},
    ],
    "turns": [
        {"who": "ada", "say": "one"},
        {"who": "bob", "say": "two", "gap": -0.5},
        {"who": "ada", "chat": "three"},
        {"lost": 1, "media": "audio"},
        {"who": "ada", "say": "four", "gap": 2},
    ],
}


def tone(ms: int, hertz: float) -> NDArray[np.int16]:
    t = np.arange(ms * 16) / 16_000
    return (np.sin(2 * np.pi * hertz * t) * 6000).astype(np.int16)


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = msgspec.convert(SCRIPT, Script)
    header, lines = build(script, {0: tone(1530, 300), 1: tone(900, 500), 4: tone(700, 400)})
    path = tmp_path_factory.mktemp("tape") / "tones.rtms.zst"
    with TapeWriter(path, header) as writer:
        for line in lines:
            writer.write(line)
    return path


def play(path: Path, wanted: AudioFormat | None, *steps: int, **options: Any) -> Any:
    playback = Playback(path, **options)
    try:
        lane = playback.audio(wanted) if wanted else None
        due, sent = [], []
        place = 0
        for now in steps:
            due += playback.advance(now)
            if lane is not None:
                sent += lane.since(place)
                place = lane.end
        return due, sent, playback
    finally:
        playback.close()


def content(payload: bytes) -> dict[str, Any]:
    message = msgspec.json.decode(payload)
    assert message["msg_type"] == 14
    found: dict[str, Any] = message["content"]
    return found


def pcm(sent: list[Any], user: int) -> NDArray[np.int16]:
    parts = [content(row.payload) for row in sent]
    data = b"".join(base64.b64decode(p["data"]) for p in parts if p["user_id"] == user)
    return np.frombuffer(data, "<i2")


def test_packets_of_one_interval_each(tape: Path) -> None:
    _, sent, _ = play(tape, MULTI, 20_000)
    parts = [content(row.payload) for row in sent]
    assert {p["length"] for p in parts} == {3200}
    assert {len(base64.b64decode(p["data"])) for p in parts} == {3200}
    assert {(p["user_id"], p["user_name"]) for p in parts} == {(1, "Ada"), (2, "Bob")}
    for row, part in zip(sent, parts, strict=True):
        assert row.at == part["timestamp"] + 100 - START  # sent when its sound is over
    first = [p["timestamp"] for p in parts if p["user_id"] == 1][:19]
    assert first == [START + 2400 + 100 * n for n in range(19)]
    assert [row.at for row in sent] == sorted(row.at for row in sent)


def test_nobody_who_is_silent_sends(tape: Path) -> None:
    _, sent, _ = play(tape, MULTI, 20_000)
    stamps = [content(row.payload)["timestamp"] - START for row in sent]
    assert not [s for s in stamps if 5000 < s < 7000]


@pytest.mark.parametrize("rate", [8_000, 16_000, 32_000, 48_000])
@pytest.mark.parametrize("send_rate", [20, 100, 1000])
def test_the_tone_is_the_tone_at_every_rate(tape: Path, rate: int, send_rate: int) -> None:
    _, sent, _ = play(tape, AudioFormat(rate, 1, send_rate, mixed=False), 20_000)
    sound = pcm(sent, 2).astype(float)[int(rate * 0.2) : int(rate * 0.9)]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    peak = np.argmax(spectrum) * rate / len(sound)
    assert peak == pytest.approx(500, abs=3)


def test_it_is_what_opus_decodes_to(tape: Path) -> None:
    """At 48 kHz nothing is resampled: samples are exactly the decoder's."""
    _, sent, _ = play(tape, AudioFormat(48_000, 1, 20, mixed=False), 20_000)
    packets = [
        line.packed
        for line in _lines(tape)
        if isinstance(line, TapeAudio) and line.packed.user_id == 2
    ]
    decoder = packet_decoder(opus.CODING)
    expected = np.concatenate([decoder.decode(p.packets) for p in packets])
    got = pcm(sent, 2)
    assert np.array_equal(got[: len(expected)], expected)
    assert not got[len(expected) :].any()


def _lines(path: Path) -> list[Any]:
    with TapeReader.open(path) as reader:
        return list(reader)


def test_stereo_is_the_same_twice(tape: Path) -> None:
    _, mono, _ = play(tape, MULTI, 20_000)
    _, stereo, _ = play(tape, AudioFormat(16_000, 2, 100, mixed=False), 20_000)
    both = pcm(stereo, 1).reshape(-1, 2)
    assert np.array_equal(both[:, 0], both[:, 1])
    assert np.array_equal(both[:, 0], pcm(mono, 1))


def test_mixed_is_one_unbroken_stream_of_everybody(tape: Path) -> None:
    _, sent, _ = play(tape, AudioFormat(16_000, 1, 100, mixed=True), *range(0, 8_000, 50))
    parts = [content(row.payload) for row in sent]
    assert {p["user_id"] for p in parts} == {0}
    assert all("user_name" not in p for p in parts)
    stamps = [p["timestamp"] - START for p in parts]
    assert stamps == list(range(0, stamps[-1] + 1, 100))
    assert stamps[-1] >= 7_700
    whole = pcm(sent, 0).astype(int)
    _, single, _ = play(tape, MULTI, 20_000)
    expected = np.zeros(len(whole), int)
    for row in single:
        part = content(row.payload)
        samples = np.frombuffer(base64.b64decode(part["data"]), "<i2")
        place = (part["timestamp"] - START) * 16
        room = expected[place : place + len(samples)]
        room += samples[: len(room)]
    assert np.abs(whole - expected).max() <= 2  # rounding


@pytest.mark.parametrize("step", [1, 7, 50, 333, 5_000])
def test_the_step_changes_nothing(tape: Path, step: int) -> None:
    _, once, _ = play(tape, MULTI, 20_000)
    _, often, _ = play(tape, MULTI, *range(0, 20_001, step), 20_000)
    assert [row.payload for row in often] == [row.payload for row in once]


def test_nothing_comes_early(tape: Path) -> None:
    playback = Playback(tape)
    lane = playback.audio(MULTI)
    place = 0
    for now in range(0, 12_000, 37):
        due = playback.advance(now)
        assert all(item.at <= now for item in due)
        assert all(now - 37 < row.at <= now for row in lane.since(place))
        place = lane.end
    playback.close()


def test_a_late_format_gets_the_same_packets(tape: Path) -> None:
    """Whoever connects in the middle of a spurt gets packets on the spurt's own grid."""
    _, whole, _ = play(tape, MULTI, 20_000)
    stamps = {content(row.payload)["timestamp"] for row in whole}
    playback = Playback(tape, buffer_ms=400)
    for now in range(0, 3_701, 100):
        playback.advance(now)
    lane = playback.audio(MULTI)
    late = set()
    for now in range(3_750, 9_000, 50):
        playback.advance(now)
        late |= {content(row.payload)["timestamp"] for row in lane.since(0)}
    playback.close()
    assert late
    assert late <= stamps


def test_lanes_forget_after_the_buffer(tape: Path) -> None:
    playback = Playback(tape, buffer_ms=1000)
    lane = playback.audio(MULTI)
    playback.advance(4_000)
    playback.advance(4_001)
    assert all(row.at >= 3_000 for row in lane.since(0))
    assert lane.end > len(lane.since(0))
    playback.close()


def test_text_waits_in_its_lanes_and_events_are_due(tape: Path) -> None:
    due, _, playback = play(tape, None, *range(0, 20_000, 100))
    kinds = [item.message["msg_type"] for item in due if isinstance(item, Said)]
    assert set(kinds) == {6, 8, 9}
    texts = [msgspec.json.decode(r.payload) for r in playback.lanes[MediaType.TRANSCRIPT].since(0)]
    assert [t["content"]["data"] for t in texts] == ["one", "two", "four"]
    assert len(playback.lanes[MediaType.CHAT].since(0)) == 1
    assert [item.mark.ms for item in due if isinstance(item, Lost)] == [1000]
    assert isinstance(due[-1], Ended)


def test_who_is_present_is_remembered(tape: Path) -> None:
    playback = Playback(tape)
    playback.advance(100)
    assert playback.scene.present == {
        1: {"user_id": 1, "user_name": "Ada"},
        2: {"user_id": 2, "user_name": "Bob"},
    }
    assert playback.scene.first_packet is None
    playback.advance(2_500)
    assert playback.scene.first_packet is not None
    playback.advance(20_000)
    assert playback.scene.present == {}
    playback.close()


def test_a_loop_goes_on_with_later_times(tape: Path) -> None:
    ends = [item.at for item in play(tape, None, 60_000)[0] if isinstance(item, Ended)]
    period = ends[0] + LOOP_PAUSE_MS
    due, sent, playback = play(
        tape, MULTI, *range(0, period * 3, 100), loop=True, buffer_ms=period * 4
    )
    assert not [item for item in due if isinstance(item, Ended)]
    stamps = [content(row.payload)["timestamp"] - START for row in sent]
    assert [s for s in stamps if period <= s < 2 * period] == [
        s + period for s in stamps if s < period
    ]
    texts = [msgspec.json.decode(r.payload) for r in playback.lanes[MediaType.TRANSCRIPT].since(0)]
    starts = [t["content"]["start_time"] - START for t in texts]
    assert starts[3] == starts[0] + period
    assert starts[6] == starts[0] + 2 * period


def broken(tmp_path: Path, *lines: Any) -> Path:
    path = tmp_path / "broken.rtms.zst"
    header = TapeHeader(id="M", stream="S", start_ms=START, audio=(opus.CODING,))
    with TapeWriter(path, header) as writer:
        for line in lines:
            writer.write(line)
    return path


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (TapeMessage(t=5, socket="signaling", msg=msgspec.Raw(b"[1]")), "not a wire message"),
        (TapeMessage(t=5, socket="signaling", msg=msgspec.Raw(b"{}")), "not a wire message"),
        (TapeMessage(t=5, socket="audio", msg=msgspec.Raw(b'{"msg_type":14}')), "stands packed"),
        (
            TapeAudio(t=5, packed=Packed(user_id=1, timestamp=START, packets=(b"\xff" * 9,))),
            "not opus",
        ),
    ],
)
def test_what_cannot_be_played_is_named(tmp_path: Path, line: Any, what: str) -> None:
    with pytest.raises(TapeError, match=rf"broken\.rtms\.zst, at 5 ms: .*{what}"):
        play(broken(tmp_path, line), MULTI, 10_000)


def test_an_empty_tape_ends(tmp_path: Path) -> None:
    for loop in (False, True):
        due, _, _ = play(broken(tmp_path), None, 0, END_PAUSE_MS, loop=loop)
        assert due == [Ended(0)]


def test_long_silence_costs_no_memory(tmp_path: Path) -> None:
    """Hours without a word: the mixed stream is made as it is needed, not ahead."""
    hours = 4 * 3_600_000
    path = broken(tmp_path, LostMark(t=0, ms=1), LostMark(t=hours, ms=1))
    playback = Playback(path)
    lane = playback.audio(AudioFormat(16_000, 1, 1000, mixed=True))
    for now in range(0, 200_000, 500):
        playback.advance(now)
        assert len(lane.since(0)) <= 62
    playback.close()


def test_a_lane_reads_from_any_place() -> None:
    lane = Lane()
    for at in range(10):
        lane.append(Sent(at, b"%d" % at))
    assert [row.at for row in lane.since(7)] == [7, 8, 9]
    lane.trim(5)
    assert [row.at for row in lane.since(0)] == [5, 6, 7, 8, 9]
    assert lane.since(lane.end) == []
    assert lane.place_after(-1) == 5
    assert lane.place_after(7) == 8
    assert lane.place_after(99) == lane.end == 10


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("send_rate", [20, 60, 100])
def test_packets_of_a_made_tape_fall_due_when_their_sound_is_over(
    tape: Path, rate: int, send_rate: int
) -> None:
    """Also where a packet spans two lines, though the second is read later."""
    _, sent, _ = play(tape, AudioFormat(rate, 1, send_rate, mixed=False), *range(0, 20_000, 1))
    dues = [row.at - (content(row.payload)["timestamp"] - START) for row in sent]
    assert set(dues) == {send_rate}
    assert len(dues) > 3_000 // send_rate


def test_every_time_is_on_time_to_the_next(tape: Path) -> None:
    """``next_at`` never sleeps through something: stepping by it gives every packet on time."""
    playback = Playback(tape)
    lane = playback.audio(MULTI)
    now = place = 0
    for _ in itertools.repeat(None, 2_000):
        due = playback.advance(now)
        assert all(row.at == now for row in lane.since(place))
        place = lane.end
        if any(isinstance(item, Ended) for item in due):
            break
        now = max(now + 1, playback.next_at())
    else:
        pytest.fail("the tape did not end")
    playback.close()
    assert place > 30
