from __future__ import annotations

from pathlib import Path

from pipeline.base.clock import ManualClock
from pipeline.meeting import heartbeat
from pipeline.meeting.heartbeat import Heartbeat


async def test_meeting_time_runs_on_while_nobody_ran(tmp_path: Path) -> None:
    clock = ManualClock()
    heartbeat.write(tmp_path, Heartbeat(50_000, clock.now_ms()))
    await clock.advance(3)
    beat = heartbeat.read(tmp_path)
    assert beat is not None
    assert beat.now_ms(clock, speed=4) == 62_000


def test_a_missing_or_torn_heartbeat_is_none(tmp_path: Path) -> None:
    assert heartbeat.read(tmp_path) is None
    (tmp_path / "heard.json").write_bytes(b'{"meeting_ms":')
    assert heartbeat.read(tmp_path) is None


def test_only_the_owner_can_read_it_and_it_goes(tmp_path: Path) -> None:
    heartbeat.write(tmp_path, Heartbeat(1, 2))
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    heartbeat.remove(tmp_path)
    heartbeat.remove(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_refusing_disk_is_no_fault(tmp_path: Path) -> None:
    heartbeat.write(tmp_path / "nowhere", Heartbeat(1, 2))
