"""The tape format: what is written is read, and what is broken is named."""

from __future__ import annotations

import json
import re
import tracemalloc
from pathlib import Path

import jsonschema
import msgspec
import pytest
import zstandard

from pipeline.base.errors import NotFound, StorageError, TapeError
from pipeline.tapes.bundled import BUNDLED
from pipeline.tapes.describe import describe
from pipeline.tapes.header import AudioCoding, TapeHeader, TapeParticipant
from pipeline.tapes.lines import (
    BackMark,
    CodingMark,
    Line,
    LostMark,
    MissingMark,
    Packed,
    TapeAudio,
    TapeMessage,
)
from pipeline.tapes.reader import TapeReader
from pipeline.tapes.writer import TapeWriter

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "schemas" / "tape.schema.json").read_text()
)
START = 1_790_000_000_000
HEADER = TapeHeader(
    id="MU==",
    stream="S1",
    title="Tèst",
    start_ms=START,
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


def test_the_examples_in_the_documentation_follow_the_schema() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "tapes.md").read_text()
    blocks = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    blocks += re.findall(r"^`(\{\"t\":.*?\})`", page, re.DOTALL | re.MULTILINE)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert len(blocks) == 8
    for block in blocks:
        validator.validate(json.loads(block.replace('"..."', '"AAAA"')))


def test_the_bundled_tape_follows_the_schema() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for line in plain(BUNDLED):
        validator.validate(json.loads(line))


@pytest.mark.parametrize(
    "line",
    [
        {"t": 0, "socket": "moon", "msg": {"msg_type": 1}},
        {"t": -1, "socket": "chat", "msg": {"msg_type": 18}},
        {"t": 0, "mark": "found"},
        {"format": "rtms-notes-tape", "version": 3, "id": "a", "stream": "b", "start_ms": 0},
        {"format": "rtms-notes-tape", "version": 1, "id": "a", "stream": "b"},
        {"t": 0, "mark": "missing", "frames": 0, "cause": "overflow"},
        {"t": 0, "mark": "missing", "frames": 1, "cause": "laziness"},
        {"t": 0, "mark": "coding", "coding": {"codec": "mp3", "sample_rate": 48000}},
        {"t": 0, "mark": "coding", "coding": {"codec": "g711", "sample_rate": 16000}},
        {
            "t": 0,
            "mark": "coding",
            "coding": {"codec": "opus", "sample_rate": 48000, "channels": 3},
        },
        {"t": 0, "mark": "back", "media": "moon"},
        {"t": 0, "packed": {"user_id": -1, "timestamp": 0, "packets": []}},
        {"t": 0, "packed": {"user_id": 1, "timestamp": 0, "packets": ["AA=="] * 101}},
        {"t": 0, "packed": {"user_id": 1, "packets": []}},
        {"t": 0, "socket": "chat", "msg": [18]},
        {"t": 0.5, "socket": "chat", "msg": {}},
        {"mark": "end", "lines": 1},
        [],
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


@pytest.mark.parametrize("version", ["3", "0", '"2"', "true", "null", "2.0"])
def test_another_version(tmp_path: Path, version: str) -> None:
    text = '{"format":"rtms-notes-tape","version":' + version + "}\n"
    with pytest.raises(TapeError, match="this program reads versions 1 and 2"):
        TapeReader.open(compressed(tmp_path / "a.rtms.zst", text))


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
    with pytest.raises(
        TapeError, match=r"line 3 \(after 0\.009 s\): out of order: 5 ms after 9 ms"
    ):
        read(path)


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


WIDE = msgspec.structs.replace(
    HEADER,
    version=2,
    audio=(
        AudioCoding(codec="flac", sample_rate=16_000, extradata=bytes(34)),
        AudioCoding(codec="opus", sample_rate=48_000, channels=2),
        AudioCoding(codec="g722", sample_rate=16_000),
        AudioCoding(codec="g711", sample_rate=8_000),
        AudioCoding(codec="l16", sample_rate=32_000, channels=2, packet_ms=100),
    ),
)
WIDE_LINES: list[Line | CodingMark] = [
    said(0),
    CodingMark(t=0, coding=AudioCoding(codec="opus", sample_rate=48_000, skip=4_152)),
    TapeAudio(
        t=10,
        packed=Packed(
            coding=5, user_id=0, user_name="Ada", channel_id="c", timestamp=START, packets=(b"x",)
        ),
    ),
    TapeAudio(t=11, packed=Packed(user_id=0, timestamp=START, last=True, packets=())),
    BackMark(t=20, media="audio"),
    MissingMark(t=30, frames=3, cause="overflow"),
    TapeMessage(t=31, socket="audio", msg=msgspec.Raw(b'{"msg_type":14,"content":"%%"}')),
    TapeMessage(t=32, socket="deskshare", msg=msgspec.Raw(b'{"no":"type"}')),
]


def test_version_2(tmp_path: Path) -> None:
    path = tmp_path / "a.rtms.zst"
    with TapeWriter(path, WIDE, level=1) as tape:
        for line in WIDE_LINES:
            tape.write(line)
    with TapeReader.open(path) as reader:
        assert reader.header == WIDE
        found = list(reader)
        assert len(reader.audio) == 6
        assert not reader.cut_off
    kept = [line for line in WIDE_LINES if not isinstance(line, CodingMark)]
    assert [*map(msgspec.json.encode, found)] == [*map(msgspec.json.encode, kept)]
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for text in plain(path):
        validator.validate(json.loads(text))


@pytest.mark.parametrize("line", [WIDE_LINES[1], WIDE_LINES[4], WIDE_LINES[5]])
def test_marks_of_version_2_are_none_of_version_1(tmp_path: Path, line: Line) -> None:
    with pytest.raises(TapeError, match="version 1"):
        write(tmp_path / "a.rtms.zst", [line])
    head = msgspec.json.encode(HEADER).decode()
    path = compressed(tmp_path / "b.rtms.zst", f"{head}\n{msgspec.json.encode(line).decode()}\n")
    with pytest.raises(TapeError, match="needs version 2"):
        read(path)


@pytest.mark.parametrize("coding", WIDE.audio)
def test_codings_of_version_2_are_none_of_version_1(tmp_path: Path, coding: AudioCoding) -> None:
    header = msgspec.structs.replace(HEADER, audio=(coding,))
    with pytest.raises(TapeError, match="needs version 2"):
        TapeReader.open(write(tmp_path / "a.rtms.zst", [], header))


def test_codings_that_cannot_be(tmp_path: Path) -> None:
    for coding, what in [
        (AudioCoding(codec="g711", sample_rate=16_000), "it can be 8000"),
        (AudioCoding(codec="g722", sample_rate=16_000, channels=2), "mono"),
        (AudioCoding(codec="flac", sample_rate=44_100), "44100 Hz"),
    ]:
        header = msgspec.structs.replace(WIDE, audio=(coding,))
        with pytest.raises(TapeError, match=f"line 1: .*{what}"):
            TapeReader.open(write(tmp_path / "a.rtms.zst", [], header))


def test_a_tape_that_was_cut_off_is_read_to_its_last_line(tmp_path: Path) -> None:
    head = msgspec.json.encode(HEADER).decode()
    rows = "\n".join(msgspec.json.encode(said(t)).decode() for t in (1, 2, 3))
    path = compressed(tmp_path / "a.rtms.zst", f"{head}\n{rows}")
    with TapeReader.open(path) as tape:
        assert [line.t for line in tape] == [1, 2]  # the third lacks its line feed
        assert tape.cut_off
    found = describe(path)
    assert (found.cut_off, found.lines, found.duration_ms) == (True, 2, 2)


def test_more_after_the_end_is_an_error(tmp_path: Path) -> None:
    head = msgspec.json.encode(HEADER).decode()
    path = compressed(tmp_path / "a.rtms.zst", head + '\n{"t":0,"mark":"end","lines":0}\nx')
    with pytest.raises(TapeError, match="more after the end mark"):
        read(path)


def test_a_live_tape_stays_whatever_happens(tmp_path: Path) -> None:
    path = tmp_path / "a.rtms.zst"
    tape = TapeWriter(path, WIDE, live=True)
    tape.write(said(1))
    tape.flush()
    tape.write(said(2))
    tape.abandon()
    found = describe(path)
    assert found.cut_off
    assert found.lines >= 1
    with pytest.raises(StorageError, match="File exists"):
        TapeWriter(path, WIDE, live=True)


def test_describe_counts_everything(tmp_path: Path) -> None:
    path = tmp_path / "a.rtms.zst"
    rows: list[Line | CodingMark] = [
        *WIDE_LINES,
        LostMark(t=100, media="audio", ms=0),
        BackMark(t=2_600, media="audio"),
        TapeMessage(t=2_600, socket="video", msg=msgspec.Raw(b'{"msg_type":15,"content":{}}')),
        TapeMessage(t=2_600, socket="video", msg=msgspec.Raw(b'{"msg_type":77}')),
        MissingMark(t=2_700, frames=2, cause="overflow"),
    ]
    with TapeWriter(path, WIDE, level=1) as tape:
        for line in rows:
            tape.write(line)
    found = describe(path)
    assert found.missing == {"overflow": 5}
    assert [(m.media, m.ms) for m in found.lost] == [("audio", 2_500)]
    assert found.messages == {"audio": 2, "other": 1, "transcript": 1, "type 77": 1, "video": 1}
    assert [(c.codec, c.packets) for c in found.audio] == [("opus", 1)]
    assert [(p.user_id, p.user_name, p.channel_id) for p in found.participants] == [
        (7, "Ada", None),
        (0, "Ada", "c"),
        (0, "", None),
    ]


def test_describe(tmp_path: Path) -> None:
    found = describe(write(tmp_path / "a.rtms.zst"))
    assert found.lines == 4
    assert found.messages == {"audio": 1, "transcript": 2}
    assert found.participants[0].audio_ms == 20
    assert found.lost[0].ms == 500
    assert found.start == "2026-09-21T14:13:20+00:00"
