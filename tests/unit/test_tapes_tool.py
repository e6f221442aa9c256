"""The script that renders the bundled meeting, with flite where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.tapes.describe import describe

TOOL = Path(__file__).resolve().parents[2] / "tools" / "build_bundled_tape.py"
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

flite = pytest.mark.skipif(
    shutil.which("flite") is None and os.environ.get("CI") != "true",
    reason="flite is not installed",
)
"""A person may go without; where everything is installed its absence is a failure."""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@flite
def test_the_same_script_gives_the_same_bytes(tmp_path: Path) -> None:
    script = tmp_path / "two.yaml"
    script.write_text(SCRIPT)
    outs = [tmp_path / f"{name}.rtms.zst" for name in "ab"]
    for out in outs:
        done = run("--script", script, "--out", out)
        assert done.returncode == 0, done.stderr
    assert outs[0].read_bytes() == outs[1].read_bytes()
    found = describe(outs[0])
    assert found.messages["transcript"] == 2
    assert all(person.audio_ms > 500 for person in found.participants)


@flite
def test_a_missing_script_is_one_line(tmp_path: Path) -> None:
    done = run("--script", tmp_path / "gone.yaml", "--out", tmp_path / "a.rtms.zst")
    assert done.returncode == 1
    assert done.stderr.strip().endswith("no such script")
    assert len(done.stderr.strip().splitlines()) == 1
