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


def test_a_hole_within_one_of_everything_is_told_once() -> None:
    meter = GapMeter()
    for media in ("deskshare", "all", "audio"):
        meter.lost(media, 10_000, "media_lost")
        meter.back(media, 20_000)
    assert [(h.media, h.from_ms, h.to_ms) for h in meter.seen("all", 20_100)] == [
        ("all", 10_000, 20_000)
    ]
    assert not meter.open
    meter.lost("all", 30_000, "media_lost")
    meter.lost("deskshare", 30_000, "media_lost")
    meter.back("all", 40_000)
    meter.back("deskshare", 50_000)  # longer away: its hole is not within the other
    told = [*meter.seen("all", 40_100), *meter.end(60_000)]
    assert [(h.media, h.to_ms) for h in told] == [("all", 40_000), ("deskshare", 50_000)]


def test_a_pause_is_a_hole_from_pause_to_resumption() -> None:
    meter = GapMeter()
    meter.paused(20_000)
    meter.paused(21_000)
    assert meter.resumed(28_000) == [hole(20_000, 28_000, "paused")]
    assert meter.resumed(29_000) == []


def test_a_pause_lasts_until_the_end_at_most() -> None:
    meter = GapMeter()
    meter.paused(20_000)
    assert meter.end(28_000) == [hole(20_000, 28_000, "paused")]
    assert meter.end(28_000) == []


def test_a_loss_within_a_pause_is_not_told_twice() -> None:
    meter = GapMeter()
    meter.paused(20_000)
    meter.lost("all", 21_000, "media_lost")
    meter.back("all", 23_000)
    assert meter.tick(29_000) == []
    assert meter.resumed(30_000) == [hole(20_000, 30_000, "paused")]
    assert meter.end(40_000) == []


def test_a_loss_within_a_pause_costs_what_comes_after_it() -> None:
    meter = GapMeter()
    meter.paused(20_000)
    meter.lost("all", 21_000, "media_lost")
    assert meter.resumed(30_000) == [hole(20_000, 30_000, "paused")]
    meter.back("all", 33_000)
    assert meter.seen("all", 33_020) == [hole(30_000, 33_000)]


def test_a_pause_seen_only_after_the_return_is_told_once() -> None:
    meter = GapMeter()
    meter.paused(20_000)
    meter.lost("all", 21_000, "media_lost")
    meter.back("all", 25_000)
    assert meter.seen("all", 25_020) == []
    assert meter.resumed(25_050) == [hole(20_000, 25_050, "paused")]


def test_a_long_packet_that_was_filled_after_the_return_is_no_sign_of_a_replay() -> None:
    meter = GapMeter(continues_ms=1_050)
    meter.lost("audio", 4_000, "media_lost")
    meter.back("audio", 7_000)
    (hole,) = meter.seen("audio", 6_400, lasts_ms=1_000)
    assert (hole.from_ms, hole.to_ms) == (4_000, 7_000)


def test_in_an_outage_shorter_than_a_packet_the_next_packet_proves_nothing() -> None:
    meter = GapMeter(continues_ms=1_050)
    meter.lost("audio", 4_000, "media_lost")
    meter.back("audio", 4_500)
    (hole,) = meter.seen("audio", 4_600, lasts_ms=1_000)
    assert (hole.from_ms, hole.to_ms) == (4_000, 4_500)
