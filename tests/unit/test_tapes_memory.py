"""A four-hour tape is written, read, described, cut, put together and played in constant memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.emulator.playback import Playback
from pipeline.emulator.rendering import AudioFormat
from pipeline.tapes.cut import cut
from pipeline.tapes.describe import describe
from pipeline.tapes.header import AudioCoding, TapeHeader, TapeParticipant
from pipeline.tapes.join import join
from pipeline.tapes.lines import Packed, TapeAudio
from pipeline.tapes.reader import TapeReader
from pipeline.tapes.state import wire_line
from pipeline.tapes.writer import TapeWriter

START = 1_790_000_000_000
HOURS = 4
MOST = 6_000_000
"""Bytes at any time; the lines are above 150 MB."""


def write(path: Path) -> None:
    """Four people, one of them always speaking; little in each packet, to be quick."""
    header = TapeHeader(
        version=2,
        id="MU==",
        stream="S1",
        start_ms=START,
        participants=tuple(TapeParticipant(user_id=n, user_name=f"P{n}") for n in range(1, 5)),
        audio=(AudioCoding(codec="g711", sample_rate=8_000, packet_ms=1_000),),
    )
    packet = bytes(8_000)
    with TapeWriter(path, header, level=1) as tape:
        for second in range(HOURS * 3_600):
            t = second * 1000
            packed = Packed(
                user_id=1 + second // 10 % 4,
                timestamp=START + t,
                first=second % 10 == 0,
                last=second % 10 == 9,
                packets=(packet,),
            )
            tape.write(TapeAudio(t=t, packed=packed))
            content = {"user_id": 1, "data": f"{second} " * 40, "timestamp": START + t}
            tape.write(wire_line(t, {"msg_type": 17, "content": content}, "transcript"))


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.rtms.zst"
    write(path)
    return path


def peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_it_is_written(tmp_path: Path) -> None:
    assert peak(lambda: write(tmp_path / "a.rtms.zst")) < MOST


def test_it_is_read(long: Path) -> None:
    def read() -> None:
        with TapeReader.open(long) as tape:
            assert sum(1 for _ in tape) == HOURS * 3_600 * 2

    assert peak(read) < MOST


def test_it_is_described(long: Path) -> None:
    assert peak(lambda: describe(long)) < MOST
    assert describe(long).duration_ms == HOURS * 3_600_000


def test_it_is_cut(long: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.rtms.zst"
    assert peak(lambda: cut(long, out, start_ms=3_600_500)) < MOST
    assert describe(out).duration_ms == pytest.approx((HOURS - 1) * 3_600_000, abs=1_000)


def test_it_is_put_together(long: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.rtms.zst"
    assert peak(lambda: join([long, long], out)) < MOST
    assert describe(out).duration_ms == 2 * HOURS * 3_600_000 + 1_000


def test_it_is_played(long: Path) -> None:
    """An hour of it, at full speed; the emulator keeps a minute for clients that come back."""
    playback = Playback(long)
    wanted = AudioFormat(8_000, 1, 1_000, mixed=False, codec="L16")

    def play() -> None:
        lane = playback.audio(wanted)
        for now in range(0, 3_600_000, 1_000):
            playback.advance(now)
        assert lane.end > 3_500

    try:
        assert peak(play) < 2 * MOST
    finally:
        playback.close()
