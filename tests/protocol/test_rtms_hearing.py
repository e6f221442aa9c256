"""What silence means, and what is past by Zoom's clock."""

from __future__ import annotations

import pytest

from pipeline.rtms.hearing import Hearing

T0 = 1_790_000_000_000


@pytest.mark.parametrize(
    ("speed", "silence", "expected"),
    [
        (1, 9.0, 0),  # nobody speaks, and the next keep-alive is not due yet
        (1, 19.9, 0),
        (1, 20.0, 20_000),
        (1, 65.0, 65_000),
        (10, 1.9, 0),  # a busy machine
        (10, 2.0, 20_000),
        (100, 2.5, 250_000),
    ],
)
def test_silence_counts_when_keep_alives_are_missing(
    speed: float, silence: float, expected: int
) -> None:
    hearing = Hearing(keepalive=65.0, speed=speed)
    hearing.heard("all", 100.0)
    assert hearing.silent_ms("all", 100.0 + silence) == expected
    assert hearing.silent_ms("audio", 500.0) == 0, "never heard: nothing was lost by silence"


def test_a_shorter_watchdog_counts_what_it_waited_for() -> None:
    hearing = Hearing(keepalive=0.5, speed=1)
    hearing.heard("all", 0.0)
    assert hearing.silent_ms("all", 0.24) == 0
    assert hearing.silent_ms("all", 0.5) == 500


def test_the_past_is_told_by_zooms_clock_not_ours() -> None:
    hearing = Hearing(keepalive=65.0, speed=1)
    assert hearing.was_before(T0, 50.0) is None, "no keep-alive yet: nothing is known"
    hearing.clock(T0 + 20_000, 60.0)  # so at 50 it was T0 + 10 s there
    assert hearing.was_before(T0 + 9_999, 50.0)
    assert hearing.was_before(T0 + 11_999, 50.0), "keep-alives travel too"
    assert hearing.was_before(T0 + 12_000, 50.0) is False
    assert hearing.was_before(T0, None) is None, "there is no connection"
    assert hearing.was_before(None, 50.0) is None, "the webhook says no time"


def test_a_replay_runs_faster() -> None:
    hearing = Hearing(keepalive=65.0, speed=10)
    hearing.clock(T0 + 100_000, 60.0)
    assert hearing.was_before(T0 + 1_999, 50.0)
    assert hearing.was_before(T0 + 2_000, 50.0) is False


@pytest.mark.parametrize("timestamp", [None, "x", 1.5, True, -1, 10**20])
def test_what_is_no_time_changes_nothing(timestamp: object) -> None:
    hearing = Hearing(keepalive=65.0, speed=1)
    hearing.clock(T0, 10.0)
    hearing.clock(timestamp, 20.0)
    assert hearing.was_before(T0 + 1_999, 10.0)
    assert hearing.was_before(T0 + 2_000, 10.0) is False
