from __future__ import annotations

import random

import numpy as np
import pytest

from pipeline.audio.codecs import CODECS
from pipeline.audio.notices import Notices
from pipeline.audio.rate_check import RateCheck
from pipeline.audio.soundness import ZeroWatch, is_clipped, level_db

RATES = CODECS["L16"][0]


def verdicts(told: int, packets: list[tuple[int, int]]) -> list[int | None]:
    check = RateCheck(told, RATES)
    return [check.saw(at, length) for at, length in packets]


@pytest.mark.parametrize("told", RATES)
@pytest.mark.parametrize("really", RATES)
@pytest.mark.parametrize("packet_ms", [20, 100])
def test_every_rate_is_known_by_its_timestamps(told: int, really: int, packet_ms: int) -> None:
    length = really * packet_ms // 1000
    found = verdicts(told, [(n * packet_ms, length) for n in range(9)])
    assert found == [None] * 8 + [really]


def test_mutes_disorder_repetition_and_jitter_mislead_nobody() -> None:
    rng = random.Random(5)
    times = [n * 20 + rng.choice((-1, 0, 1)) for n in range(60)]
    times = times[:20] + [at + 5_000 for at in times[20:]]  # a mute
    packets = [(at, 320) for at in times]
    for index in range(0, 58, 2):
        packets[index], packets[index + 1] = packets[index + 1], packets[index]
    packets = [packet for one in packets for packet in (one, one)]
    assert {v for v in verdicts(16_000, packets) if v is not None} == {16_000}


def test_what_has_no_order_is_taken_as_told() -> None:
    rng = random.Random(5)
    packets = [(rng.randint(0, 10**9), 320) for _ in range(40)]
    assert verdicts(16_000, packets)[32] == 16_000


def test_ten_seconds_of_zeros_are_told_once_each_time() -> None:
    watch = ZeroWatch()
    zeros, sound = np.zeros(512, np.float32), np.full(512, 0.001, np.float32)
    assert [n for n in range(700) if watch.saw(zeros)] == [312]
    assert not watch.saw(sound)
    assert [n for n in range(700) if watch.saw(zeros)] == [312]


def test_clipped_speech_is_known_and_whole_is_not() -> None:
    rng = np.random.default_rng(1)
    voice = (rng.standard_normal(32_000) * 0.2).astype(np.float32)
    assert not is_clipped(np.clip(voice, -1, 1))
    assert is_clipped(np.clip(voice * 4, -1, 32_767 / 32_768))
    assert not is_clipped(np.zeros(0, np.float32))


def test_level() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000).astype(np.float32)
    assert level_db(tone) == pytest.approx(-3.0, abs=0.1)
    assert level_db(tone / 10) == pytest.approx(-23.0, abs=0.1)
    assert level_db(np.zeros(10, np.float32)) == -96.0


def test_a_kind_is_told_once_for_each_participant() -> None:
    notices = Notices()
    for at_ms, participant in ((1, "7"), (2, "7"), (3, "8")):
        notices.tell("clipped", at_ms, participant)
    assert [(n.at_ms, n.participant) for n in notices.take()] == [(1, "7"), (3, "8")]
    notices.tell("clipped", 4, "7")
    assert notices.take() == []
