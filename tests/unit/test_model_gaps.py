from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.gaps import GapMeter, Hole


def hole(from_ms: int, to_ms: int, cause: str = "media_lost") -> Hole:
    return Hole(media="all", cause=cause, from_ms=from_ms, to_ms=to_ms)


def test_an_outage_that_is_not_replayed_is_a_hole_from_loss_to_return() -> None:
    meter = GapMeter()
    meter.lost("all", 10_000, "media_lost")
    meter.back("all", 18_000)
    assert meter.seen("all", 18_020) == [hole(10_000, 18_000)]
    assert meter.open == frozenset()


def test_buffered_media_after_the_return_means_nothing_is_missing() -> None:
    meter = GapMeter()
    meter.lost("all", 10_000, "media_lost")
    meter.back("all", 18_000)
    assert meter.seen("all", 11_300) == []
    assert meter.seen("all", 18_020) == []


def test_media_that_goes_on_where_it_broke_off_proves_the_replay_of_a_short_outage() -> None:
    meter = GapMeter()
    for away in (200, 400, 499):
        meter.lost("all", 10_000, "signaling_lost")
        meter.back("all", 10_000 + away)
        assert meter.seen("all", 10_100) == []
        meter.lost("all", 10_000, "signaling_lost")
        meter.back("all", 10_000 + away)
        assert meter.seen("all", 10_000 + away - 10) == [
            hole(10_000, 10_000 + away, "signaling_lost")
        ]


def test_what_went_into_a_silent_connection_is_missing_though_the_rest_is_replayed() -> None:
    meter = GapMeter()
    meter.lost("all", 10_000, "media_lost", unsure_ms=65_000)
    meter.back("all", 78_000)
    assert meter.seen("all", 75_020) == [hole(10_000, 75_000)]


def test_an_outage_longer_than_the_buffer_lost_its_beginning() -> None:
    meter = GapMeter(buffer_ms=60_000)
    meter.lost("all", 10_000, "signaling_lost")
    meter.back("all", 80_000)
    assert meter.seen("all", 20_500) == [hole(10_000, 20_000, "signaling_lost")]


def test_a_killed_process_is_unsure_of_its_last_second_even_when_replayed() -> None:
    meter = GapMeter()
    meter.lost("all", 10_000, "process_down", unsure_ms=1_500)
    meter.back("all", 18_000)
    assert meter.seen("all", 10_900) == [hole(10_000, 10_900, "process_down")]


def test_silence_after_the_return_settles_the_hole_without_media() -> None:
    meter = GapMeter()
    meter.lost("all", 10_000, "media_lost")
    meter.back("all", 18_000)
    assert meter.tick(22_999) == []
    assert meter.tick(23_000) == [hole(10_000, 18_000)]


def test_a_second_loss_before_settling_extends_the_first() -> None:
    meter = GapMeter()
    meter.lost("all", 10_000, "media_lost")
    meter.back("all", 12_000)
    meter.lost("all", 12_500, "media_lost")
    assert meter.seen("all", 12_400) == []
    meter.back("all", 20_000)
    assert meter.seen("all", 20_000) == [hole(10_000, 20_000)]


def test_a_stream_that_ends_while_away_is_missing_until_its_end() -> None:
    meter = GapMeter()
    meter.lost("all", 10_000, "media_lost")
    assert meter.end(30_000) == [hole(10_000, 30_000)]
    assert meter.end(31_000) == []


def test_media_without_an_outage_says_nothing() -> None:
    assert GapMeter().seen("audio", 5) == []


@given(
    lost=st.integers(0, 10**6),
    away=st.integers(0, 200_000),
    first=st.integers(-100_000, 100_000),
    unsure=st.integers(0, 5_000),
)
def test_holes_lie_within_the_outage(lost: int, away: int, first: int, unsure: int) -> None:
    meter = GapMeter()
    meter.lost("all", lost, "media_lost", unsure_ms=unsure)
    meter.back("all", lost + away)
    for found in meter.seen("all", lost + away + first):
        assert lost <= found.from_ms < found.to_ms <= lost + away
