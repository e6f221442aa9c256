"""A recorded tape, played by the fake Zoom, says what was recorded: the same bytes of audio, the
same words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from pipeline.base.clock import ManualClock
from pipeline.emulator.playback import Ended, Playback, Said
from pipeline.emulator.rendering import AudioFormat
from pipeline.rtms.enums import MEDIA_URL_KEY
from pipeline.tapes.bundled import BUNDLED
from pipeline.tapes.cut import cut
from pipeline.tapes.describe import describe
from pipeline.tapes.recording import TapeRecorder

STEP_MS = 100
CODECS = {"L16": 1, "G711": 2, "G722": 3, "OPUS": 4}
RATES = {8_000: 0, 16_000: 1, 32_000: 2, 48_000: 3}


class Frame(NamedTuple):
    """A wire message, when and where it was sent."""

    at: int
    socket: str
    payload: bytes


def played(path: Path, wanted: AudioFormat, until: int) -> list[Frame]:
    """Everything the tape says to a client with this audio format."""
    playback = Playback(path)
    frames: list[Frame] = []
    try:
        audio = playback.audio(wanted)
        lanes = {MEDIA_URL_KEY[media]: lane for media, lane in playback.lanes.items()}
        places = dict.fromkeys([*lanes, "audio*"], 0)
        for now in range(0, until, STEP_MS):
            due = playback.advance(now)
            frames += [Frame(x.at, "signaling", x.payload) for x in due if isinstance(x, Said)]
            for name, lane in [*lanes.items(), ("audio*", audio)]:
                rows = lane.since(places[name])
                places[name] = lane.end
                frames += [Frame(r.at, name.removesuffix("*"), r.payload) for r in rows]
            if any(isinstance(x, Ended) for x in due):
                break
    finally:
        playback.close()
    return sorted(frames, key=lambda frame: frame.at)


def recorded(path: Path, frames: list[Frame], wanted: AudioFormat) -> Path:
    """The same frames through the recorder, as a client that was connected all the time."""
    head = describe(BUNDLED)
    recorder = TapeRecorder(
        path,
        product="meeting",
        id=head.id,
        stream=head.stream,
        start_ms=head.start_ms,
        clock=ManualClock(),
    )
    params = {
        "content_type": 2,
        "codec": CODECS[wanted.codec],
        "sample_rate": RATES[wanted.rate],
        "channel": wanted.channels,
        "send_rate": wanted.send_rate_ms,
        "data_opt": 1 if wanted.mixed else 2,
    }
    answer = {"msg_type": 4, "status_code": 0, "media_params": {"audio": params}}
    recorder.take("audio", "server", json.dumps(answer).encode())
    for frame in frames:
        recorder.take(frame.socket, "server", frame.payload)
    done = recorder.close()
    assert (done.error, done.missing) == (None, 0)
    return done.path


def audio(frames: list[Frame]) -> dict[Any, list[tuple[int, str, Any]]]:
    """By user: (timestamp, samples as they stand on the wire, name), in order."""
    found: dict[Any, list[tuple[int, str, Any]]] = {}
    for frame in frames:
        message = msgspec.json.decode(frame.payload)
        if message["msg_type"] == 14:
            content = message["content"]
            row = (content["timestamp"], content["data"], content.get("user_name"))
            found.setdefault(content["user_id"], []).append(row)
    return found


def others(frames: list[Frame], *kinds: int) -> list[Any]:
    decoded = [msgspec.json.decode(frame.payload) for frame in frames]
    return [message for message in decoded if message["msg_type"] in kinds]


@pytest.mark.parametrize(
    "wanted",
    [
        AudioFormat(16_000, 1, 100, mixed=False),
        AudioFormat(16_000, 1, 20, mixed=False),
        AudioFormat(8_000, 1, 1_000, mixed=False),
        AudioFormat(48_000, 2, 20, mixed=False),
        AudioFormat(16_000, 1, 100, mixed=True),
        AudioFormat(8_000, 1, 20, mixed=False, codec="G711"),
        AudioFormat(16_000, 1, 20, mixed=False, codec="G722"),
        AudioFormat(48_000, 1, 20, mixed=False, codec="OPUS"),
        AudioFormat(48_000, 2, 20, mixed=True, codec="OPUS"),
    ],
    ids=str,
)
def test_what_was_recorded_is_what_is_played(tmp_path: Path, wanted: AudioFormat) -> None:
    until = 60_000
    piece = tmp_path / "piece.rtms.zst"
    cut(BUNDLED, piece, end_ms=until)
    sent = played(piece, wanted, until + 10_000)
    tape = recorded(tmp_path / "live.rtms.zst", sent, wanted)
    again = played(tape, wanted, until + 20_000)
    one, other = audio(sent), audio(again)
    assert one.keys() == other.keys()
    assert sum(map(len, one.values())) > 30
    for user, rows in one.items():
        assert other[user] == rows
    assert others(again, 17, 18) == others(sent, 17, 18)
    assert others(again, 6, 8, 9) == others(sent, 6, 8, 9)
    assert len(others(again, 17)) > 5


def test_another_format_can_be_asked_of_a_recorded_tape(tmp_path: Path) -> None:
    """Recorded at 16 kHz, played at 8 kHz: as long, and everybody is there."""
    wanted = AudioFormat(16_000, 1, 100, mixed=False)
    piece = tmp_path / "piece.rtms.zst"
    cut(BUNDLED, piece, end_ms=30_000)
    sent = played(piece, wanted, 40_000)
    tape = recorded(tmp_path / "live.rtms.zst", sent, wanted)
    low = audio(played(tape, AudioFormat(8_000, 1, 20, mixed=False), 40_000))
    for user, rows in audio(sent).items():
        assert len(low[user]) == pytest.approx(len(rows) * 5, abs=10)


def test_a_recorded_tape_plays_from_a_cut(tmp_path: Path) -> None:
    wanted = AudioFormat(16_000, 1, 100, mixed=False)
    piece = tmp_path / "piece.rtms.zst"
    cut(BUNDLED, piece, end_ms=40_000)
    sent = played(piece, wanted, 50_000)
    tape = recorded(tmp_path / "live.rtms.zst", sent, wanted)
    cut(tape, tmp_path / "late.rtms.zst", start_ms=20_000)
    late = audio(played(tmp_path / "late.rtms.zst", wanted, 40_000))
    border = describe(BUNDLED).start_ms + 20_000
    for user, rows in audio(sent).items():
        after = [row for row in rows if row[0] >= border]
        assert [row for row in late.get(user, []) if row[0] >= border] == after
