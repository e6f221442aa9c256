"""A four-hour tape plays in constant memory, to clients that listen and to nobody."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from emulator_client import START, Client, message

from pipeline.audio.codecs import encoder
from pipeline.rtms.enums import MediaType
from pipeline.tapes.header import AudioCoding, TapeHeader
from pipeline.tapes.lines import Line, Packed, TapeAudio
from pipeline.tapes.writer import TapeWriter

HOUR = 3_600_000
LENGTH = 4 * HOUR


def lines() -> Iterator[Line]:
    """Two people take turns of 20 s with 10 s between; words every 5 s, an image every 2 s."""
    import numpy as np

    second = np.random.default_rng(3).integers(-3_000, 3_000, (8_000, 1)).astype(np.int16)
    packet = encoder("G711", 8_000, 1).encode(second)
    picture = "x" * 2_000
    for t in range(0, LENGTH, 1_000):
        place = t % 30_000 // 1_000
        user = 1 + t // 30_000 % 2
        if place < 20:
            yield TapeAudio(
                t=t,
                packed=Packed(
                    user_id=user,
                    timestamp=START + t,
                    first=place == 0,
                    last=place == 19,
                    packets=(packet,),
                ),
            )
        if t % 5_000 == 0:
            content = {"user_id": user, "data": f"words at {t}", "timestamp": START + t}
            yield message(t, "transcript", 17, content=content)
            event = {"event_type": 2, "timestamp": START + t, "user_id": user, "user_name": "x"}
            yield message(t, "signaling", 6, event=event)
        if t % 2_000 == 0:
            content = {"user_id": user, "data": picture, "timestamp": START + t}
            yield message(t, "video", 15, content=content)


@pytest.fixture(scope="module")
def four_hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.rtms.zst"
    coding = AudioCoding(codec="g711", sample_rate=8_000, packet_ms=1_000)
    header = TapeHeader(version=2, id="MU==", stream="S1", start_ms=START, audio=(coding,))
    with TapeWriter(path, header, level=1) as writer:
        for line in lines():
            writer.write(line)
    return path


class Counting(Client):
    """Forgets what it is told, but for how much it was."""

    heard = 0

    def take(self) -> None:
        super().take()
        for number, messages in self.got.items():
            if number > 1:
                self.heard += sum(m["msg_type"] == 14 for m in messages)
            messages.clear()


@pytest.mark.parametrize("present", [True, False], ids=["somebody", "nobody"])
def test_four_hours_in_constant_memory(four_hours: Path, present: bool) -> None:
    client = Counting(four_hours, connect=LENGTH * 2)
    if present:
        signaling = client.signaling()
        media = client.media(32, send_rate=1_000, sample_rate=0)
        client.ready(signaling)
        client.got = {signaling: [], media: []}
    sizes = []
    tracemalloc.start()
    try:
        for _ in range(8):
            client.run(LENGTH / 8 / 1_000 - 1, step=1_000)
            sizes.append(tracemalloc.get_traced_memory()[0])
            lanes = client.playback.lanes.values()
            assert max(len(lane.since(0)) for lane in lanes) <= 61
            assert len(client.playback._heard) <= 65
            assert len(client.playback._ahead) <= 10
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert client.stream.phase == ("live" if present else "announced")
    assert max(sizes[1:]) < sizes[0] + 500_000
    assert peak < 8_000_000
    if present:
        assert client.heard == pytest.approx(LENGTH / 1_000 * 2 / 3, rel=0.01)
    lane = client.playback.lanes[MediaType.TRANSCRIPT]
    assert msgspec.json.decode(lane.since(lane.end - 1)[0].payload)["msg_type"] == 17
    client.playback.close()
