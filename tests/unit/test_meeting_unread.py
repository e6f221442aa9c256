"""What messages that could not be read have cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.meeting.unread import LATE_MS, MOST_HOLES, Unreads
from pipeline.model.gaps import Hole


def audio_hole(who: str, from_ms: int, to_ms: int) -> Hole:
    return Hole(
        media="audio",
        cause="unreadable",
        from_ms=from_ms,
        to_ms=to_ms,
        participant=who,
        detail="audio from Zoom could not be read",
    )


def spans(holes: list[Hole]) -> list[tuple[str, int, int]]:
    return [(h.media, h.from_ms, h.to_ms) for h in holes]


def test_lost_audio_is_a_hole_of_one_participant_right_to_the_packet() -> None:
    unread = Unreads(100)
    for ms in range(10_000, 12_000, 100):
        unread.heard("8", ms)
        if 10_500 <= ms < 11_000:
            assert unread.lost("audio", ms) == []
        else:
            unread.heard("7", ms)
    assert unread.tick(12_000) == []
    assert unread.tick(16_000) == [audio_hole("7", 10_500, 11_000)]
    assert unread.end() == []


def test_a_message_of_unknown_kind_that_was_audio_costs_no_words() -> None:
    unread = Unreads(100)
    unread.heard("7", 10_000)
    unread.lost("all", 10_100)
    unread.heard("7", 10_200)
    assert unread.end() == [audio_hole("7", 10_100, 10_200)]


def test_a_pause_between_words_is_no_lost_audio() -> None:
    unread = Unreads(100)
    unread.heard("7", 10_000)
    unread.heard("8", 10_000)
    unread.lost("audio", 10_100)
    unread.heard("7", 10_100)
    unread.heard("8", 11_000)  # silent for 0.9 s: one message cannot be that
    [hole] = unread.end()
    assert (hole.media, hole.participant, hole.from_ms, hole.to_ms) == (
        "audio",
        None,
        10_000,
        10_101,
    )
    assert hole.detail == "1 message from Zoom could not be read; audio may be missing"


def test_lost_words_are_told_from_the_words_before_on() -> None:
    unread = Unreads(100)
    unread.said(24_000)
    assert unread.lost("transcript", 26_000) == []
    assert unread.lost("transcript", 30_000) == []
    assert unread.tick(30_000 + LATE_MS - 1) == []
    [hole] = unread.tick(30_000 + LATE_MS)
    assert spans([hole]) == [("transcript", 24_000, 30_001)]
    assert hole.detail == "2 messages from Zoom could not be read; words may be missing"


def test_what_is_far_apart_is_told_apart() -> None:
    unread = Unreads(100)
    unread.lost("transcript", 100_000)
    first = unread.lost("transcript", 130_000)
    assert spans(first) == [("transcript", 90_000, 100_001)]
    assert spans(unread.end()) == [("transcript", 120_000, 130_001)]


def test_gaps_of_words_do_not_overlap() -> None:
    unread = Unreads(100)
    for sec in range(0, 80, 5):  # for longer than is told at once
        unread.lost("transcript", 100_000 + sec * 1000)
        if sec == 55:
            first = unread.tick(160_000)
    [second] = unread.end()
    assert spans(first) == [("transcript", 90_000, 155_001)]
    assert second.from_ms == 155_000


def test_more_than_is_told_by_name_is_counted_still() -> None:
    unread = Unreads(100)
    for n in range(200):
        unread.lost("transcript", 100_000 + n * 20)
    [hole] = unread.end()
    assert hole.detail is not None
    assert hole.detail.startswith("200 messages")
    assert hole.to_ms == 103_981


@given(st.lists(st.tuples(st.sampled_from(["heard", "all", "audio"]), st.integers(0, 300))))
def test_holes_are_bounded_and_in_order(told: list[tuple[str, int]]) -> None:
    unread = Unreads(20)
    now = 1_000_000
    holes: list[Hole] = []
    for what, ms in told * 3:
        now += ms
        if what == "heard":
            unread.heard("7", now)
        else:
            holes += unread.lost(what, now)
    last = unread.end()
    assert len(last) <= 2 * (MOST_HOLES + 1)
    assert all(hole.from_ms < hole.to_ms <= now + 20 for hole in holes + last)
