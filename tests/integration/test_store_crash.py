from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.base.clock import SystemClock
from pipeline.base.errors import InUse
from pipeline.base.ids import RandomIds
from pipeline.store.store import Store
from pipeline.store.verify import verify
from tests.integration import store_crash


def test_a_committed_event_survives_kill_9(tmp_path: Path) -> None:
    assert store_crash.run_rounds(tmp_path / "home", 3, random.Random(1)) >= 3


@pytest.mark.parametrize("limit", [400_000, 1_000_000])
def test_a_disk_that_is_really_full_refuses_and_takes_up_again(tmp_path: Path, limit: int) -> None:
    done = subprocess.run(
        [sys.executable, store_crash.__file__, str(tmp_path), "0", str(limit)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    refused = lines.index("refused disk_full True True")
    assert refused > 2
    seqs = [
        int(line.split()[1]) for line in lines if len(line.split()) == 2 and "trouble" not in line
    ]
    assert seqs == list(range(2, len(seqs) + 2))
    assert lines[-1] == "trouble None"
    assert len(lines) - refused == 4
    assert verify(tmp_path) == []


def test_another_process_that_writes_is_named(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, store_crash.__file__, str(tmp_path), "0"],
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            with pytest.raises(InUse, match=f"process {other.pid} writes here"):
                Store.open(tmp_path, clock=SystemClock(), ids=RandomIds())
        finally:
            other.kill()
            other.stdout.read()
