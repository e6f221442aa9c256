"""The tape format: what is written is read, and what is broken is named."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import jsonschema
import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.base.errors import NotFound, TapeError
from pipeline.tapes.bundled import BUNDLED
from pipeline.tapes.describe import describe
from pipeline.tapes.header import AudioCoding, TapeHeader, TapeParticipant
from pipeline.tapes.lines import Line, LostMark, Packed, TapeAudio, TapeMessage
from pipeline.tapes.reader import TapeReader
from pipeline.tapes.writer import TapeWriter

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "schemas" / "tape.schema.json").read_text()
)
HEADER = TapeHeader(
    id="MU==",
    stream="S1",
    title="Tèst",
    start_ms=1_790_000_000_000,
    duration_ms=3000,
    participants=(TapeParticipant(user_id=7, user_name="Ada"),),
    audio=(AudioCoding(codec="opus", sample_rate=48_000, skip=312),),
)


def said(t: int, text: str = "hello") -> TapeMessage:
    raw = msgspec.json.encode({"msg_type": 17, "content": {"data": text, "user_id": 7}})
    return TapeMessage(t=t, socket="transcript", msg=msgspec.Raw(raw))


LINES: list[Line] = [
    said(0),
    TapeAudio(t=10, packed=Packed(user_id=7, timestamp=1_790_000_000_010, packets=(b"\x01",))),
    LostMark(t=20, media="audio", ms=500, replay=False, close="frame"),
    said(20, "twice at once"),
]


def write(path: Path, lines: list[Line] = LINES, header: TapeHeader = HEADER) -> Path:
    with TapeWriter(path, header, level=1) as tape:
        for line in lines:
            tape.write(line)
    return path


def compressed(path: Path, text: str) -> Path:
    path.write_bytes(zstandard.compress(text.encode()))
    return path


def read(path: Path) -> list[Line]:
    with TapeReader.open(path) as tape:
        return list(tape)


def plain(path: Path) -> list[str]:
    with path.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file)
        return reader.read().decode().splitlines()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rtms.zst")
    with TapeReader.open(path) as tape:
        assert tape.header == HEADER
        found = list(tape)
    assert len(found) == len(LINES)
    for one, other in zip(found, LINES, strict=True):
        assert msgspec.json.encode(one) == msgspec.json.encode(other)


def test_same_lines_same_bytes(tmp_path: Path) -> None:
    one = write(tmp_path / "a.rtms.zst")
    other = write(tmp_path / "b.rtms.zst")
    assert one.read_bytes() == other.read_bytes()


def test_every_line_follows_the_schema(tmp_path: Path) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for line in plain(write(tmp_path / "a.rtms.zst")):
        validator.validate(json.loads(line))


def test_the_bundled_tape_follows_the_schema() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for line in plain(BUNDLED):
        validator.validate(json.loads(line))


@pytest.mark.parametrize(
    "line",
    [
        {"t": 0, "socket": "moon", "msg": {"msg_type": 1}},
        {"t": 0, "socket": "audio", "msg": {"msg_type": 14}},
        {"t": -1, "socket": "chat", "msg": {"msg_type": 18}},
        {"t": 0, "mark": "found"},
        {"format": "rtms-notes-tape", "version": 2, "id": "a", "stream": "b", "start_ms": 0},
    ],
)
def test_the_schema_refuses(line: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(line, SCHEMA)


def test_lines_out_of_order_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "a.rtms.zst"
    with pytest.raises(TapeError, match="line at 5 ms after one at 9 ms"):
        write(path, [said(9), said(5)])
    assert list(tmp_path.iterdir()) == []  # nothing half-written stays


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone\.rtms\.zst: no such tape"):
        TapeReader.open(tmp_path / "gone.rtms.zst")


@pytest.mark.parametrize("content", [b"", b"not a tape at all\n", b"\x28\xb5\x2f\xfd", b"\0" * 99])
def test_not_a_tape(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.rtms.zst"
    path.write_bytes(content)
    with pytest.raises(TapeError, match=r"a\.rtms\.zst: not a tape"):
        TapeReader.open(path)


def test_a_folder_is_not_a_tape(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="directory"):
        TapeReader.open(tmp_path)


def test_other_json_is_not_a_tape(tmp_path: Path) -> None:
    path = compressed(tmp_path / "a.rtms.zst", '{"hello": 1}\n')
    with pytest.raises(TapeError, match="first line is no tape header"):
        TapeReader.open(path)


def test_another_version(tmp_path: Path) -> None:
    path = compressed(tmp_path / "a.rtms.zst", '{"format":"rtms-notes-tape","version":2}\n')
    with pytest.raises(TapeError, match="version 2; this program reads version 1"):
        TapeReader.open(path)


def test_a_header_that_lacks_something(tmp_path: Path) -> None:
    path = compressed(tmp_path / "a.rtms.zst", '{"format":"rtms-notes-tape","version":1}\n')
    with pytest.raises(TapeError, match=r"line 1: .*`id`"):
        TapeReader.open(path)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("nonsense", "JSON is malformed"),
        ("[]", "Expected `object`"),
        ('{"t":0,"socket":"moon","msg":{}}', "Invalid enum value 'moon'"),
        ('{"socket":"chat","msg":{}}', "`t`"),
        ('{"t":0,"mark":"found"}', "unknown mark 'found'"),
        ('{"t":0,"packed":{"coding":9,"user_id":1,"timestamp":1,"packets":[]}}', "coding 9"),
        ('{"t":0,"packed":{"user_id":1,"timestamp":1,"packets":["*"]}}', "base64"),
        ('{"t":0,"mark":"end","lines":7}', "7 lines were written, 1 are here"),
        ('{"t":0,"mark":"end","lines":1}\n{"t":0}', "more after the end mark"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, what: str) -> None:
    good = msgspec.json.encode(said(0)).decode()
    head = msgspec.json.encode(HEADER).decode()
    path = compressed(tmp_path / "a.rtms.zst", f"{head}\n{good}\n{line}\n")
    with pytest.raises(TapeError) as caught:
        read(path)
    message = str(caught.value)
    assert what in message
    assert "a.rtms.zst, line " in message
    assert "\n" not in message


def test_out_of_order_is_named(tmp_path: Path) -> None:
    head = msgspec.json.encode(HEADER).decode()
    rows = "\n".join(msgspec.json.encode(said(t)).decode() for t in (9, 5))
    path = compressed(tmp_path / "a.rtms.zst", f"{head}\n{rows}\n")
    with pytest.raises(TapeError, match=r"line 3: out of order: 5 ms after 9 ms"):
        read(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 0.999))
def test_a_tape_cut_anywhere_fails_in_one_line(tmp_path: Path, share: float) -> None:
    whole = BUNDLED.read_bytes()[:60_000]
    path = tmp_path / "cut.rtms.zst"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(TapeError) as caught:
        read(path)
    assert "\n" not in str(caught.value)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 0.9999), bit=st.integers(0, 7))
def test_a_flipped_bit_is_an_error_or_nothing(tmp_path: Path, place: float, bit: int) -> None:
    good = write(tmp_path / "a.rtms.zst")
    raw = bytearray(good.read_bytes())
    raw[int(len(raw) * place)] ^= 1 << bit
    bad = tmp_path / "b.rtms.zst"
    bad.write_bytes(raw)
    try:
        found = [msgspec.json.encode(line) for line in read(bad)]
    except TapeError as error:
        found = str(error).splitlines()
    assert found == [msgspec.json.encode(line) for line in LINES] or len(found) == 1


def test_reading_takes_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.rtms.zst"
    count = 40_000
    with TapeWriter(path, HEADER, level=1) as tape:
        for t in range(count):
            tape.write(said(t, f"{t} " * 60))
    tracemalloc.start()
    try:
        with TapeReader.open(path) as reader:
            assert sum(1 for _ in reader) == count
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000  # the lines are above 12 MB


def test_describe(tmp_path: Path) -> None:
    found = describe(write(tmp_path / "a.rtms.zst"))
    assert found.lines == 4
    assert found.messages == {"audio": 1, "transcript": 2}
    assert found.participants[0].audio_ms == 20
    assert found.lost[0].ms == 500
    assert found.start == "2026-09-21T14:13:20+00:00"
