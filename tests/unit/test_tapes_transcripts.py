"""Transcripts of every form become the same words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.base.errors import BadInput, NotFound
from pipeline.tapes.transcripts import Words, read_transcript

EXPECTED = [
    Words("Ada Lee", "Good morning & hello.", 1_000, 2_500),
    Words("Bob", "Hi Ada.", 3_723_004, 3_725_000),
]


def read(tmp_path: Path, name: str, text: str) -> list[Words]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_transcript(path)


VTT = """\ufeffWEBVTT - a title

NOTE
a comment --- here

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start
<v.loud Ada Lee>Good <b>morning</b> &amp; <00:00:02.000>hello.</v>

01:02:03.004 --> 01:02:05.000
Bob: Hi Ada.
"""
SRT = """1
00:00:01,000 --> 00:00:02,500
Ada Lee: Good
morning & hello.

2
01:02:03,004 --> 01:02:05,000
[Bob]: <i>Hi</i> Ada.
"""


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("name", "text"), [("a.vtt", VTT), ("a.SRT", SRT)])
def test_subtitles(tmp_path: Path, name: str, text: str, end: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.replace("\n", end).encode())
    assert read_transcript(path) == EXPECTED


def test_our_export(tmp_path: Path) -> None:
    started = 1_790_000_000_000
    text = json.dumps(
        {
            "format": "rtms-notes/export",
            "meeting": {"started_ms": started},
            "participants": [{"id": "p1", "name": "Ada Lee"}],
            "transcript": [
                {"text": "gone", "deleted": True, "start_ms": started, "end_ms": started},
                {
                    "text": EXPECTED[0].text,
                    "participant": "p1",
                    "start_ms": started + 1_000,
                    "end_ms": started + 2_500,
                },
                {
                    "text": EXPECTED[1].text,
                    "speaker": "Bob",
                    "start_ms": started + 3_723_004,
                    "end_ms": started + 3_725_000,
                },
            ],
        }
    )
    assert read(tmp_path, "a.json", text) == EXPECTED


@pytest.mark.parametrize("key", ["segments", "utterances", None])
def test_whisper(tmp_path: Path, key: str | None) -> None:
    rows = [
        {"id": 0, "start": 1.0, "end": 2.5, "text": " Good morning & hello.", "speaker": "Ada Lee"},
        {"id": 1, "start": 3723.004, "end": 3725, "text": " Bob: Hi  Ada."},
        {"id": 2, "start": 1, "end": 2, "text": " "},
    ]
    text = json.dumps(rows if key is None else {"text": "...", key: rows})
    assert read(tmp_path, "a.json", text) == EXPECTED


def test_plain_lines(tmp_path: Path) -> None:
    text = "# said yesterday\nAda Lee: Good morning: we start.\n\nat nine\nBob: Hi.\n"
    assert read(tmp_path, "a.txt", text) == [
        Words("Ada Lee", "Good morning: we start."),
        Words("Ada Lee", "at nine"),
        Words("Bob", "Hi."),
    ]


def test_two_voices_in_one_cue(tmp_path: Path) -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ada>Yes.</v> <v Bob>No.</v>\n"
    found = read(tmp_path, "a.vtt", text)
    assert [(w.speaker, w.text) for w in found] == [("Ada", "Yes."), ("Bob", "No.")]


@pytest.mark.parametrize(
    "text",
    ["at 10:30 we start", "see https://x.org: a page", "The one thing to know about it is: no"],
)
def test_words_with_a_colon_name_nobody(tmp_path: Path, text: str) -> None:
    (words,) = read(tmp_path, "a.srt", f"1\n00:00:01,000 --> 00:00:02,000\n{text}\n")
    assert (words.speaker, words.text) == (None, text)


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.vtt", "WEBVTT\n", "no words"),
        ("a.vtt", "WEBVTT\n\n00:01 --> 00:02\nx", "line 3: not a cue's times"),
        ("a.srt", "1\n00:00:02,000 --> 00:00:01,000\nx", "line 2: ends before it begins"),
        ("a.json", "{", "a.json: "),
        ("a.json", "{}", "no list of words"),
        ("a.json", "[1]", "entry 1: not an object"),
        ("a.json", '[{"start": 1}]', "entry 1: no text"),
        ("a.json", '[{"text": "a", "start": "1"}]', "entry 1: start is not a number"),
        ("a.json", '[{"text": "a", "start": 1e30}]', "no time of a meeting"),
        ("a.json", '[{"text": "a", "start": 2, "end": 1}]', "ends before"),
        ("a.txt", "hello", "names nobody"),
        ("a.docx", "x", r"\.docx; a transcript is one of"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, text: str, what: str) -> None:
    with pytest.raises(BadInput, match=what):
        read(tmp_path, name, text)


def test_files_that_are_not_text(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_transcript(tmp_path / "gone.vtt")
    path = tmp_path / "a.vtt"
    path.write_bytes(b"WEBVTT\xff\xfe")
    with pytest.raises(BadInput, match="not UTF-8"):
        read_transcript(path)
    with pytest.raises(BadInput, match="directory"):
        read_transcript(tmp_path)


_PIECES = [
    *["\n", "00:01.000 --> 00:02.000", "<v ", "Ada>", "x: ", "[", "{", '"text":', '"a"', "}", "]"],
    *[",", '"start":', "1", "e", "9" * 30, "-->", "&#x110000;", "<", ">", "WEBVTT"],
]


@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(["a.vtt", "a.srt", "a.json", "a.txt"]),
    st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(_PIECES),
            max_size=30,
        ).map("".join),
    ),
)
def test_any_text_is_words_or_one_line(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        found = read_transcript(path)
    except BadInput as error:
        found = []
        message = str(error)
        assert message
    assert all(words.text.strip() for words in found)
