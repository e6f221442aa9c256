from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audio.settings import AudioSettings
from pipeline.audio.timeline import Block, Coverage, Timeline

RATE = 16_000
T0 = 1_790_000_000_000 * 16


def samples(start: int, length: int) -> np.ndarray:
    """Each sample tells its own position."""
    return np.arange(start, start + length, dtype=np.float32) + 1


class Runs:
    """Joins blocks to (position, samples) runs."""

    def __init__(self, **settings: int) -> None:
        self.line: Timeline[np.ndarray] = Timeline(
            RATE, AudioSettings(**settings), Coverage(), lambda _, packet: packet
        )
        self.runs: list[tuple[int, np.ndarray]] = []

    def take(self, blocks: list[Block]) -> None:
        for block in blocks:
            if block.fresh:
                self.runs.append((block.at - T0, block.samples))
            else:
                at, before = self.runs[-1]
                assert block.at - T0 == at + len(before)
                self.runs[-1] = (at, np.concatenate((before, block.samples)))

    def push(self, ms: int, length_ms: int = 100, *, late_by: int = 0) -> str:
        at, length = T0 + ms * 16, length_ms * 16
        place = self.line.place(at + late_by * 16, length)
        if place == "ahead":
            self.take(self.line.push(at + late_by * 16, length, samples(ms * 16, length)))
        return place

    def finish(self) -> list[tuple[int, int]]:
        self.take(self.line.finish())
        return [(at // 16, len(found) // 16) for at, found in self.runs]


def test_continuous_packets_are_one_run() -> None:
    runs = Runs()
    for ms in range(0, 1000, 100):
        assert runs.push(ms) == "ahead"
    assert runs.finish() == [(0, 1000)]
    assert runs.runs[0][1].tolist() == samples(0, 16_000).tolist()


def test_swapped_packets_are_put_in_order() -> None:
    runs = Runs()
    for ms in (100, 0, 300, 200, 400):
        assert runs.push(ms) == "ahead"
    assert runs.finish() == [(0, 500)]
    assert runs.runs[0][1].tolist() == samples(0, 8_000).tolist()


def test_repeated_packets_are_known() -> None:
    runs = Runs()
    places = [runs.push(ms) for ms in (0, 0, 100, 0, 200, 100, 300, 300)]
    assert places == ["ahead", "known", "ahead", "known", "ahead", "known", "ahead", "known"]
    assert runs.finish() == [(0, 400)]


def test_a_short_hole_is_filled_with_silence_of_its_length() -> None:
    runs = Runs()
    for ms in (0, 100, 300, 400, 500):
        runs.push(ms)
    assert runs.finish() == [(0, 600)]
    found = runs.runs[0][1]
    assert not found[3200:4800].any()
    assert found[4800:].tolist() == samples(4800, 4800).tolist()


def test_a_long_hole_starts_a_fresh_run() -> None:
    runs = Runs()
    for ms in (0, 100, 5_000, 5_100):
        runs.push(ms)
    assert runs.finish() == [(0, 200), (5_000, 200)]


def test_one_lost_20_ms_packet_is_seen() -> None:
    runs = Runs()
    for ms in (0, 20, 60, 80):
        runs.push(ms, 20)
    assert runs.finish() == [(0, 100)]
    assert not runs.runs[0][1][640:960].any()


@pytest.mark.parametrize("jitter", [14, -14])
def test_jitter_moves_and_loses_nothing(jitter: int) -> None:
    runs = Runs()
    for index in range(10):
        runs.push(index * 20, 20, late_by=jitter if index % 2 else 0)
    assert runs.finish() == [(0, 200)]
    assert runs.runs[0][1].tolist() == samples(0, 3200).tolist()


def test_what_is_missing_is_waited_for_and_then_not() -> None:
    runs = Runs()
    runs.push(0)
    runs.push(200)
    runs.take(runs.line.settle(T0 + 499 * 16))
    assert runs.line.waiting
    runs.take(runs.line.settle(T0 + 500 * 16))
    assert not runs.line.waiting
    assert runs.finish() == [(0, 300)]


def test_recut_packets_lose_only_what_overlaps() -> None:
    runs = Runs()
    runs.push(0)
    runs.push(100)
    assert runs.push(120, 180) == "ahead"
    assert runs.finish() == [(0, 300)]
    assert runs.runs[0][1].tolist() == samples(0, 4800).tolist()


def test_older_audio_that_is_news_is_behind() -> None:
    runs = Runs()
    for ms in (10_000, 10_100, 10_200):
        runs.push(ms)
    assert runs.push(5_000) == "behind"
    assert runs.push(10_100) == "known"


def test_a_wild_timestamp_does_not_stop_the_rest() -> None:
    runs = Runs()
    runs.push(0)
    runs.push(3_000_000_000)
    for ms in range(100, 1000, 100):
        assert runs.push(ms) == "ahead"
    assert runs.finish() == [(0, 1000), (3_000_000_000, 100)]


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 60)), max_size=40))
def test_coverage_equals_a_set_of_positions(spans: list[tuple[int, int]]) -> None:
    coverage, known = Coverage(), set()
    for start, length in spans:
        coverage.add(start, start + length)
        known |= set(range(start, start + length))
    for start in range(0, 520, 37):
        expected = len(known & set(range(start, start + 40))) / 40
        assert coverage.share(start, start + 40) == expected


@given(st.data())
def test_any_cut_with_repetitions_gives_the_same_samples(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, 99), max_size=12)))
    edges = [0, *(cut * 10 for cut in cuts), 1000]
    runs = Runs()
    sent: list[tuple[int, int]] = []
    for start, end in pairwise(edges):
        sent.append((start, end - start))
        assert runs.push(start, end - start) == "ahead"
        for again in data.draw(st.lists(st.sampled_from(sent), max_size=2)):
            assert runs.push(*again) == "known"
    assert runs.finish() == [(0, 1000)]
    assert runs.runs[0][1].tolist() == samples(0, 16_000).tolist()


@given(st.sampled_from([20, 40, 100, 1000]), st.data())
def test_neighbours_in_any_order_give_the_same_samples(length: int, data: st.DataObject) -> None:
    order = list(range(12))
    index = 0
    while index < 11:  # swap disjoint neighbours
        if data.draw(st.booleans()):
            order[index], order[index + 1] = order[index + 1], order[index]
            index += 1
        index += 1
    runs = Runs()
    for number in order:
        assert runs.push(number * length, length) == "ahead"
    assert runs.finish() == [(0, 12 * length)]
    assert runs.runs[0][1].tolist() == samples(0, 12 * length * 16).tolist()
