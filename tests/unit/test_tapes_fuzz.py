"""Whatever bytes a tape's file holds: its lines, a clean "cut off", or one TapeError."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.base.errors import BadInput, TapeError
from pipeline.tapes import flac
from pipeline.tapes.bundled import BUNDLED
from pipeline.tapes.coding import packet_decoder
from pipeline.tapes.cut import cut
from pipeline.tapes.describe import describe
from pipeline.tapes.header import AudioCoding, TapeHeader, TapeParticipant
from pipeline.tapes.join import join
from pipeline.tapes.lines import CodingMark, Line, LostMark, Packed, TapeAudio, TapeMessage
from pipeline.tapes.reader import MAX_LINE, TapeReader
from pipeline.tapes.writer import TapeWriter

START = 1_790_000_000_000
FLAC = flac.coding(16_000, 1, 20)
HEADER = TapeHeader(
    version=2,
    id="MU==",
    stream="S1",
    start_ms=START,
    participants=(TapeParticipant(user_id=7, user_name="Ada"),),
    audio=(FLAC,),
)
FLACS = tuple(flac.FlacEncoder().encode(np.zeros(320, np.int16), FLAC) for _ in range(3))
LINES: list[Line | CodingMark] = [
    TapeMessage(
        t=0,
        socket="signaling",
        msg=msgspec.Raw(b'{"msg_type":6,"event":{"event_type":3,"participants":[{"user_id":7}]}}'),
    ),
    TapeAudio(t=10, packed=Packed(user_id=7, timestamp=START + 10, first=True, packets=FLACS)),
    LostMark(t=20, media="audio", ms=500),
    CodingMark(t=20, coding=AudioCoding(codec="g711", sample_rate=8_000)),
    TapeAudio(
        t=80, packed=Packed(coding=1, user_id=8, timestamp=START, first=True, packets=(b"a" * 160,))
    ),
    TapeMessage(t=90, socket="chat", msg=msgspec.Raw(b'{"msg_type":18,"content":{}}')),
]
once = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A whole tape in several zstd frames, as a recorder leaves it."""
    path = tmp_path_factory.mktemp("tape") / "good.rtms.zst"
    with TapeWriter(path, HEADER, level=1, live=True) as tape:
        for line in LINES:
            tape.write(line)
            tape.flush()
    return path.read_bytes()


def one_line(error: Exception) -> None:
    assert str(error)
    assert "\n" not in str(error)


def used(path: Path) -> list[Line]:
    """Read it in every way; whatever happens is one line of ours."""
    found: list[Line] = []
    try:
        with TapeReader.open(path) as tape:
            found.extend(tape)
            table = tape.audio
        for line in found:
            if isinstance(line, TapeAudio):
                packet_decoder(table[line.packed.coding]).decode(line.packed.packets)
    except TapeError as error:
        one_line(error)
    made = path.with_name("made.rtms.zst")
    for work in (
        lambda: cut(path, made, start_ms=15, end_ms=85),
        lambda: join([path, path], made),
        lambda: describe(path),
    ):
        try:
            work()
        except BadInput as error:
            one_line(error)
        else:
            if made.exists():
                assert not describe(made).cut_off  # what we make can be read
                made.unlink()
    return found


@once
@given(st.floats(0, 0.9999))
def test_cut_anywhere(tmp_path: Path, good: bytes, share: float) -> None:
    path = tmp_path / "a.rtms.zst"
    path.write_bytes(good[: int(len(good) * share)])
    found = used(path)
    whole = [x for x in LINES if not isinstance(x, CodingMark)]
    encoded = [*map(msgspec.json.encode, found)]
    assert encoded == [*map(msgspec.json.encode, whole)][: len(encoded)]
    try:
        with TapeReader.open(path) as tape:
            count = len(list(tape))
            assert tape.cut_off or count == len(whole)  # in the last checksum nothing is missing
    except TapeError as error:
        assert "cut off at its start" in str(error)  # noqa: PT017 - either outcome is right


@once
@given(st.floats(0, 0.9999))
def test_the_bundled_tape_cut_anywhere(tmp_path: Path, share: float) -> None:
    whole = BUNDLED.read_bytes()
    path = tmp_path / "a.rtms.zst"
    path.write_bytes(whole[: int(len(whole) * share)])
    try:
        found = describe(path)
        assert found.cut_off
        assert found.duration_ms < 230_000
    except TapeError as error:
        assert "cut off at its start" in str(error)  # noqa: PT017 - either outcome is right


@once
@given(st.floats(0, 0.9999), st.integers(0, 7))
def test_flipped_bits(tmp_path: Path, good: bytes, place: float, bit: int) -> None:
    raw = bytearray(good)
    raw[int(len(raw) * place)] ^= 1 << bit
    path = tmp_path / "a.rtms.zst"
    path.write_bytes(raw)
    used(path)


@once
@given(st.binary(max_size=300))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.rtms.zst"
    path.write_bytes(content)
    assert used(path) == []
    path.write_bytes(zstandard.compress(content))
    assert used(path) == []


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["lost", "end", "coding", "server", "audio", "signaling", "AAAA", "\ud83d"])
    | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["t", "mark", "msg", "packed", "msg_type", "event"]), inner
        )
    ),
    max_leaves=8,
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "t": st.integers(0, 200) | values,
        "socket": st.sampled_from(["audio", "signaling", "chat"]) | values,
        "from": st.sampled_from(["server", "client"]) | values,
        "msg": values
        | st.fixed_dictionaries(
            {"msg_type": st.sampled_from([4, 6, 8, 9, 14, 17])},
            optional={
                "event": values,
                "content": values,
                "media_params": values,
                "state": st.integers(0, 6) | values,
                "rtms_session_id": st.text(max_size=3) | values,
                "timestamp": st.just(START) | values,
            },
        ),
        "mark": st.sampled_from(["lost", "back", "missing", "coding", "end"]) | values,
        "ms": st.integers(0, 100) | values,
        "lines": st.integers(0, 9) | values,
        "frames": values,
        "coding": values,
        "packed": values
        | st.fixed_dictionaries(
            {
                "user_id": st.integers(0, 9) | values,
                "timestamp": st.integers(START, START + 500) | values,
                "packets": st.lists(st.sampled_from(["AAAA", "", "AA=="]), max_size=4) | values,
            },
            optional={"first": values, "last": values, "coding": st.integers(-1, 3)},
        ),
    },
)


@settings(
    deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(fields, max_size=5))
def test_any_lines(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    path = tmp_path / "a.rtms.zst"
    text = [msgspec.json.encode(HEADER), *(json.dumps(row).encode() for row in rows)]
    path.write_bytes(zstandard.compress(b"\n".join(text) + b"\n"))
    used(path)


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.sampled_from(sorted(msgspec.structs.asdict(HEADER))), values))
def test_any_header(tmp_path: Path, changed: dict[str, Any]) -> None:
    path = tmp_path / "a.rtms.zst"
    header = {**msgspec.to_builtins(HEADER), **changed}
    rows = [json.dumps(header).encode(), msgspec.json.encode(LINES[0]), b'{"t":0,"mark":"x"}']
    path.write_bytes(zstandard.compress(b"\n".join(rows)))
    used(path)


@once
@given(st.sampled_from(["flac", "opus", "g711", "g722", "l16"]), st.lists(st.binary(max_size=60)))
def test_any_packets(codec: Any, packets: list[bytes]) -> None:
    rate = {"g711": 8_000, "g722": 16_000, "l16": 16_000}.get(codec, 48_000)
    extra = FLAC.extradata if codec == "flac" else msgspec.UNSET
    decoder = packet_decoder(AudioCoding(codec=codec, sample_rate=rate, extradata=extra))
    try:
        pcm = decoder.decode(packets)
    except TapeError as error:
        one_line(error)
    else:
        assert pcm.dtype == np.int16
        assert len(pcm) <= len(packets) * 48 * 120


def test_a_bomb_of_one_line_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.rtms.zst"
    with path.open("wb") as file:
        writer = zstandard.ZstdCompressor(level=1).stream_writer(file)
        writer.write(msgspec.json.encode(HEADER) + b"\n")
        for _ in range(400):
            writer.write(b" " * (1 << 20))
        writer.flush(zstandard.FLUSH_FRAME)
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    try:
        with (
            TapeReader.open(path) as tape,
            pytest.raises(TapeError, match=r"line 2 .*longer than 32 MiB"),
        ):
            list(tape)
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_LINE
    finally:
        tracemalloc.stop()


def test_a_window_too_large_for_us_is_refused(tmp_path: Path) -> None:
    """A frame may ask for gigabytes before its first byte."""
    out = io.BytesIO()
    params = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=False)
    with zstandard.ZstdCompressor(compression_params=params).stream_writer(out, closefd=False) as w:
        w.write(msgspec.json.encode(HEADER) + b"\n")
    path = tmp_path / "a.rtms.zst"
    path.write_bytes(out.getvalue())
    with pytest.raises(TapeError):
        TapeReader.open(path)


def test_a_line_of_very_many_packets_is_refused(tmp_path: Path) -> None:
    packed = {"user_id": 7, "timestamp": START, "packets": ["AAAA"] * 101}
    rows = [msgspec.json.encode(HEADER), json.dumps({"t": 0, "packed": packed}).encode()]
    path = tmp_path / "a.rtms.zst"
    path.write_bytes(zstandard.compress(b"\n".join(rows) + b"\n"))
    with TapeReader.open(path) as tape, pytest.raises(TapeError, match="length <= 100"):
        list(tape)


def test_flac_cannot_claim_more_than_its_coding() -> None:
    long = flac.coding(16_000, 1, 1_000)
    packet = flac.FlacEncoder().encode(np.zeros(16_000, np.int16), long)
    with pytest.raises(TapeError, match="not flac"):
        packet_decoder(FLAC).decode([packet])
    bare = msgspec.structs.replace(FLAC, extradata=msgspec.UNSET)
    with pytest.raises(TapeError, match="longer than the tape says"):
        packet_decoder(bare).decode([packet])


def test_extradata_is_checked_before_it_is_used() -> None:
    for extra in (b"", b"x" * 33, b"x" * 1000):
        with pytest.raises(TapeError, match="34 bytes"):
            packet_decoder(AudioCoding(codec="flac", sample_rate=16_000, extradata=extra))
