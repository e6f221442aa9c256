"""The recorder: what a live stream said is on the tape, whatever happens to the process."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest
import zstandard
from numpy.typing import NDArray

from pipeline.base.clock import ManualClock
from pipeline.base.errors import StorageError
from pipeline.tapes.coding import PacketDecoder, packet_decoder
from pipeline.tapes.describe import describe
from pipeline.tapes.lines import Line, MissingMark, TapeAudio, TapeMessage
from pipeline.tapes.reader import TapeReader
from pipeline.tapes.recording import Recorded, TapeRecorder

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "tape.schema.json"
START = 1_790_000_000_000


def recorder(path: Path, **more: Any) -> TapeRecorder:
    return TapeRecorder(
        path,
        product="meeting",
        id="MU==",
        stream="S1",
        start_ms=START,
        clock=ManualClock(),
        **more,
    )


def wire(**message: Any) -> bytes:
    return json.dumps(message).encode()


def opened(codec: int = 1, rate: int = 1, channel: int = 1) -> bytes:
    audio = {"codec": codec, "sample_rate": rate, "channel": channel, "send_rate": 100}
    return wire(msg_type=4, status_code=0, media_params={"audio": audio})


def audio(data: bytes, at: int, user_id: int = 7, name: str = "Ada") -> bytes:
    content = {
        "user_id": user_id,
        "user_name": name,
        "data": base64.b64encode(data).decode(),
        "length": len(data),
        "timestamp": START + at,
    }
    return wire(msg_type=14, content=content)


def read(path: Path) -> tuple[list[Line], dict[int, NDArray[np.int16]]]:
    """The lines, and everybody's sound."""
    lines, decoders, found = [], {}, {}
    with TapeReader.open(path) as tape:
        for line in tape:
            lines.append(line)
            if isinstance(line, TapeAudio):
                packed = line.packed
                if packed.first:
                    decoders[packed.user_id] = packet_decoder(tape.audio[packed.coding])
                pcm = _decoded(decoders[packed.user_id], packed.packets)
                found.setdefault(packed.user_id, []).append(pcm)
    return lines, {user: np.concatenate(parts) for user, parts in found.items()}


def _decoded(decoder: PacketDecoder, packets: tuple[bytes, ...]) -> NDArray[np.int16]:
    return decoder.decode(packets)


def noise(samples: int, seed: int = 0) -> NDArray[np.int16]:
    return (np.random.default_rng(seed).normal(size=samples) * 4000).astype("<i2")


def test_l16_comes_back_sample_by_sample(tmp_path: Path) -> None:
    tape = recorder(tmp_path / "deep" / "a.rtms.zst")
    tape.take("audio", "server", opened())
    pcm = noise(16_000 * 3)
    for number in range(30):
        packet = pcm[number * 1600 : (number + 1) * 1600].tobytes()
        tape.take("audio", "server", audio(packet, number * 100))
    done = tape.close()
    assert done == Recorded(tape.path, done.lines, tape.path.stat().st_size, 0, None)
    lines, sound = read(tape.path)
    assert np.array_equal(sound[7], pcm)
    packed = [line.packed for line in lines if isinstance(line, TapeAudio)]
    assert [line.first for line in packed] == [True, False, False]
    assert packed[-1].last
    assert {line.user_name for line in packed} == {"Ada"}
    found = describe(tape.path)
    assert (found.version, found.cut_off, found.participants[0].audio_ms) == (2, False, 3000)
    assert done.bytes < len(pcm) * 2 * 4 / 3  # smaller than the wire


def test_text_and_other_bytes_are_taken_alike(tmp_path: Path) -> None:
    tape = recorder(tmp_path / "a.rtms.zst")
    one = wire(msg_type=17, content={"data": "Grüße", "user_id": 1, "timestamp": START + 5})
    for frame in (one, bytearray(one), one.decode()):
        tape.take("transcript", "server", frame)
    tape.close()
    lines, _ = read(tape.path)
    texts = [
        msgspec.json.decode(x.msg)["content"]["data"] for x in lines if isinstance(x, TapeMessage)
    ]
    assert texts == ["Grüße"] * 3


def test_nothing_is_ever_written_over(tmp_path: Path) -> None:
    paths = []
    for _ in range(3):
        tape = recorder(tmp_path / "a.rtms.zst")
        paths.append(tape.path.name)
        tape.close()
    assert paths == ["a.rtms.zst", "a-2.rtms.zst", "a-3.rtms.zst"]
    assert all(describe(tmp_path / name).lines == 0 for name in paths)


def test_a_file_that_cannot_be_made_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot"):
        recorder(tmp_path / "file" / "a.rtms.zst")


def test_a_full_queue_counts_and_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr("pipeline.tapes.recording.TapeRecorder._take_in", _held(gate))
    tape = recorder(tmp_path / "a.rtms.zst", limit=4_000)
    frame = wire(msg_type=12, timestamp=START + 1000, padding="x" * 900)
    for _ in range(10):
        tape.take("signaling", "server", frame)
    gate.set()
    assert tape.flush()
    tape.take("signaling", "server", frame)
    done = tape.close()
    lines, _ = read(tape.path)
    marks = [line for line in lines if isinstance(line, MissingMark)]
    assert [(m.frames, m.cause) for m in marks] == [(7, "overflow")]
    assert done.missing == 7
    assert len(lines) == 3 + 1 + 1
    assert describe(tape.path).missing == {"overflow": 7}


def _held(gate: threading.Event) -> Any:
    real = TapeRecorder._take_in

    def take_in(self: TapeRecorder) -> bool:
        gate.wait(10)
        return real(self)

    return take_in


def test_a_full_disk_ends_the_recording_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = recorder(tmp_path / "a.rtms.zst")
    tape.take("signaling", "server", wire(msg_type=12, timestamp=START + 1))
    assert tape.flush()

    def full(*_: object) -> None:
        raise StorageError("cannot write: No space left on device")

    monkeypatch.setattr("pipeline.tapes.writer.TapeWriter.write", full)
    tape.take("signaling", "server", wire(msg_type=12, timestamp=START + 2))
    assert tape.flush() is False
    for _ in range(100):
        tape.take("signaling", "server", b"{}")
    done = tape.close()
    assert done.error == "cannot write: No space left on device"
    assert tape.error == done.error
    found = describe(tape.path)  # what was flushed is there
    assert (found.cut_off, found.lines) == (True, 1)


def test_after_close_nothing_is_taken(tmp_path: Path) -> None:
    tape = recorder(tmp_path / "a.rtms.zst")
    one = tape.close()
    tape.take("signaling", "server", b"{}")
    tape.lost("signaling")
    assert tape.flush() is True
    assert tape.close() == one


_CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_tapes_recording import audio, noise, opened, recorder
tape = recorder(Path(sys.argv[1]))
tape.take("audio", "server", opened())
pcm = noise(16_000 * 5)
for number in range(50):
    packet = pcm[number * 1600 : (number + 1) * 1600].tobytes()
    tape.take("audio", "server", audio(packet, number * 100))
assert tape.flush(20)
for number in range(50, 60):
    tape.take("audio", "server", audio(pcm[:1600].tobytes(), number * 100))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_a_tape_that_plays(tmp_path: Path) -> None:
    path = tmp_path / "a.rtms.zst"
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", _CHILD, str(path), here], timeout=60)
    assert done.returncode == -signal.SIGKILL
    found = describe(path)
    assert found.cut_off
    _, sound = read(path)
    assert np.array_equal(sound[7][: 16_000 * 5], noise(16_000 * 5))


def test_a_tape_is_flushed_while_it_runs(tmp_path: Path) -> None:
    """Without anybody asking: the file grows once the clock says that a second has passed."""

    class Fast(ManualClock):
        seconds = 0.0

        def monotonic(self) -> float:
            Fast.seconds += 2.0
            return Fast.seconds

    flushed = threading.Event()
    tape = TapeRecorder(
        tmp_path / "a.rtms.zst",
        product="meeting",
        id="MU==",
        stream="S1",
        start_ms=START,
        clock=Fast(),
    )
    real = tape._flush

    def flush() -> None:
        real()
        flushed.set()

    tape._flush = flush  # type: ignore[method-assign]
    tape.take("signaling", "server", wire(msg_type=12, timestamp=START + 1))
    assert flushed.wait(10)
    assert describe(tape.path).lines == 1
    tape.close()


def test_taking_is_cheap(tmp_path: Path) -> None:
    tape = recorder(tmp_path / "a.rtms.zst")
    frame = audio(noise(320).tobytes(), 0)
    before = time.thread_time()
    for _ in range(20_000):
        tape.take("audio", "server", frame)
    assert time.thread_time() - before < 0.4  # half a microsecond each where it is quiet
    tape.close()


def test_every_line_follows_the_schema(tmp_path: Path) -> None:
    tape = recorder(tmp_path / "a.rtms.zst", limit=100_000)
    tape.take("signaling", "client", wire(msg_type=1, signature="abc"))
    tape.take("audio", "client", wire(msg_type=3))
    for codec, rate, channel, data in [(1, 1, 1, noise(320).tobytes()), (2, 0, 1, b"a" * 160)]:
        tape.take("audio", "server", opened(codec, rate, channel))
        for number in range(3):
            tape.take("audio", "server", audio(data, 100 * number))
    tape.take("audio", "server", audio(b"?", 500)[:-2])
    tape.take("audio", "server", wire(msg_type=14, content="%"))
    tape.take("video", "server", wire(msg_type=15, content={"data": "AAAA"}))
    tape.lost("signaling")
    tape.take("audio", "server", opened())
    tape.take("audio", "server", b"x" * 200_000)
    path = tape.close().path
    with path.open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    wanted = {"lost", "back", "coding", "missing", "end", "msg", "packed"}
    kinds = set()
    for line in text.splitlines():
        row = json.loads(line)
        validator.validate(row)
        kinds |= {row.get("mark"), *row} & wanted
    assert kinds == wanted
