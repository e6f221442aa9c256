"""`rtms-notes tape info|cut|build`: what people type, and what they read."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from pipeline.base.errors import BadInput
from pipeline.cli.app import app
from pipeline.cli.tape import moment
from pipeline.tapes.bundled import BUNDLED
from pipeline.tapes.header import TapeHeader
from pipeline.tapes.state import wire_line
from pipeline.tapes.writer import TapeWriter

SCRIPT = """
title: "Two lines"
zone: Europe/London
start: "2026-11-24T10:00:00"
participants:
  - {id: a, user_id: 1, name: "Ada", voice: slt}
  - {id: b, user_id: 2, name: "Bob", voice: rms}
turns:
  - {who: a, id: t1, say: "Good morning."}
  - {who: b, id: t2, say: "Hello Ada."}
"""
VTT = """WEBVTT

00:00.500 --> 00:01.500
<v Ada>Good morning.

00:02.000 --> 00:03.000
<v Bob>Hello Ada.
"""


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["tape", *map(str, words)])


def told(*words: str | Path) -> dict[str, Any]:
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def failed(*words: str | Path) -> str:
    done = run(*words)
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    return str(line)


def wav(path: Path, seconds: float) -> Path:
    t = np.arange(int(seconds * 16_000)) / 16_000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((np.sin(t * 2_000) * 6_000).astype("<i2").tobytes())
    return path


@pytest.mark.parametrize(
    ("text", "ms"), [("75", 75_000), ("75.5", 75_500), ("1:15", 75_000), ("1:02:03.25", 3_723_250)]
)
def test_times(text: str, ms: int) -> None:
    assert moment(text) == ms


@pytest.mark.parametrize("text", ["", "-1", "a", "1:2:3:4", "1e5", "1.2345", " 1"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BadInput, match="write seconds, or H:MM:SS"):
        moment(text)


def test_info_of_the_bundled_tape() -> None:
    found = told("info", BUNDLED)
    assert (found["version"], found["cut_off"], found["duration_ms"]) == (1, False, 221_950)
    shown = run("info", BUNDLED).stdout
    assert "Anna Miller" in shown
    assert "opus, 48000 Hz mono, 8500 packets of 20 ms" in shown
    assert "all for 8 s at 162.9 s" in shown


def test_info_is_honest_on_a_tape_that_was_cut_off(tmp_path: Path) -> None:
    broken = tmp_path / "a.rtms.zst"
    header = TapeHeader(version=2, id="MU==", stream="S1", start_ms=1_790_000_000_000)
    tape = TapeWriter(broken, header, live=True)
    tape.write(
        wire_line(5, {"msg_type": 15, "content": {"user_name": "\x1b[31mEve", "user_id": 3}})
    )
    tape.flush()
    tape.abandon()
    found = told("info", broken)
    assert (found["cut_off"], found["messages"]) == (True, {"video": 1})
    shown = run("info", broken).stdout
    assert "its end is missing" in shown
    assert "\x1b" not in shown
    mended = told("cut", broken, "--out", tmp_path / "b.rtms.zst")
    assert (mended["cut_off"], mended["lines"]) == (False, 1)


def test_cut(tmp_path: Path) -> None:
    out = tmp_path / "piece.rtms.zst"
    found = told("cut", BUNDLED, "--from", "0:30", "--to", "45.5", "--out", out)
    assert found["start_ms"] == 1_795_514_400_000 + 30_000
    assert found["duration_ms"] == 15_500
    assert run("cut", BUNDLED, "--to", "9", "-o", out).stdout.startswith(f"{out}: ")


def test_cut_says_what_is_wrong(tmp_path: Path) -> None:
    out = tmp_path / "a.rtms.zst"
    assert "is only 221.95 s long" in failed("cut", BUNDLED, "--from", "400", "--out", out)
    assert "no such tape" in failed("cut", tmp_path / "x.rtms.zst", "--out", out)
    assert "ends in .rtms.zst" in failed("cut", BUNDLED, "--out", tmp_path / "a.wav")
    assert "no such folder" in failed("cut", BUNDLED, "--out", tmp_path / "x" / "a.rtms.zst")
    assert not list(tmp_path.iterdir())


def test_build_from_sound_and_words(tmp_path: Path) -> None:
    (tmp_path / "m.vtt").write_text(VTT)
    ada, bob = wav(tmp_path / "ada.wav", 2), wav(tmp_path / "x.wav", 3)
    out = tmp_path / "a.rtms.zst"
    named = f"Bob={bob}"
    found = told("build", ada, named, tmp_path / "m.vtt", "--out", out, "--title", "Hm")
    assert [(p["user_name"], p["audio_ms"] > 1_900) for p in found["participants"]] == [
        ("Ada", True),
        ("Bob", True),
    ]
    assert (found["title"], found["messages"]["transcript"]) == ("Hm", 2)
    first = out.read_bytes()
    told("build", ada, named, "--transcript", tmp_path / "m.vtt", "-o", out, "--title", "Hm")
    assert out.read_bytes() == first


def test_one_file_and_two_speakers_is_the_mix(tmp_path: Path) -> None:
    (tmp_path / "m.vtt").write_text(VTT)
    out = tmp_path / "a.rtms.zst"
    sound = wav(tmp_path / "meeting.wav", 3)
    found = told("build", sound, tmp_path / "m.vtt", "--lossless", "-o", out)
    assert found["version"] == 2
    assert [p["user_name"] for p in found["participants"]] == ["Ada", "Bob", ""]
    assert found["participants"][2]["audio_ms"] == 3_000
    assert "everybody, mixed" in run("info", out).stdout


def test_build_from_a_script_and_from_tapes(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCRIPT)
    one, two = tmp_path / "1.rtms.zst", tmp_path / "2.rtms.zst"
    found = told("build", tmp_path / "s.yaml", "--voices", "none", "--out", one)
    assert (found["title"], found["audio"], found["messages"]["transcript"]) == (
        "Two lines",
        [],
        2,
    )
    both = told("build", one, one, "--out", two)
    assert both["messages"]["transcript"] == 4
    assert both["duration_ms"] == 2 * found["duration_ms"] + 1_000


def test_build_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.vtt").write_text(VTT)
    (tmp_path / "s.yaml").write_text(SCRIPT)
    sound = wav(tmp_path / "a.wav", 1)
    out = ("--out", tmp_path / "o.rtms.zst")
    vtt, script = tmp_path / "m.vtt", tmp_path / "s.yaml"
    assert "only be put together with other tapes" in failed("build", BUNDLED, vtt, *out)
    assert "two tapes or more" in failed("build", BUNDLED, *out)
    assert "--title cannot be given" in failed("build", BUNDLED, BUNDLED, "--title", "x", *out)
    assert "built by itself" in failed("build", script, vtt, *out)
    assert "--mixed cannot be given" in failed("build", script, "--mixed", *out)
    assert "one transcript at most" in failed("build", vtt, "--transcript", vtt, *out)
    assert "exactly one sound file" in failed("build", vtt, "--mixed", *out)
    assert "there is sound already" in failed("build", sound, "--voices", "flite", *out)
    assert "IMAGE@SECONDS" in failed("build", sound, "--share", "x.png", *out)
    assert "no such image" in failed("build", sound, "--share", tmp_path / "x.png@1", *out)
    assert "no IANA time zone" in failed("build", sound, "--zone", "Mars", *out)
    assert "write 2026-11-24T10:00" in failed("build", sound, "--start", "noon", *out)
    assert "before 1974" in failed("build", sound, "--start", "1970-01-01T00:00", *out)
    assert "write NAME=FILE" in failed("build", "=x.wav", *out)
    assert "one of the inputs" in failed("build", out[1], *out)
    monkeypatch.setenv("PATH", "/nowhere")
    assert "--voices none" in failed("build", script, *out)
    assert run("build", script, "--voices", "opera", *out).exit_code == 2
    assert not out[1].exists()
