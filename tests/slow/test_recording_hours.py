"""Four hours of two people: packets lost, late, twice and held up, three kills on the way.

The files are as long as the meeting, to the sample, and hold every sample in its place.
"""

from __future__ import annotations

import random
import resource
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.audio.recording import Track, leftovers
from pipeline.audio.recording_files import encode
from pipeline.audio.recording_stream import StreamTracks
from pipeline.base.ids import SequentialIds

T0 = 1_790_000_000_000
AT = T0 * 16
PACKET = 1_600
PACKETS = 4 * 36_000
KILLED = (20_011, 70_007, 130_003)

pytestmark = pytest.mark.timeout(600)


def packet(who: int, number: int) -> NDArray[np.int16]:
    """What somebody says, told apart by person and place."""
    ramp = (np.arange(PACKET) * (3 + who) + number * 31) % 4_001 - 2_000
    return ramp.astype(np.int16)


def plan(who: int) -> NDArray[np.bool_]:
    """Which packets arrive at all: people talk and are muted for minutes, some packets are lost."""
    rng = random.Random(who)
    there = np.zeros(PACKETS, bool)
    at = 5 + who * 17
    while at < PACKETS:
        talk = rng.randint(20, 900)
        there[at : at + talk] = True
        at += talk + rng.randint(10, 4_000)
    for _ in range(400):
        there[rng.randrange(PACKETS)] = False
    return there


def sent(there: NDArray[np.bool_], who: int) -> Iterator[int]:
    """Packets in the order of arrival: now and then some come late, or twice."""
    rng = random.Random(100 + who)
    held: list[int] = []
    for number in np.flatnonzero(there):
        if rng.random() < 0.01:
            held.append(int(number))
            continue
        yield int(number)
        if rng.random() < 0.01:
            yield int(number)
        if held and number - held[0] > 100:
            yield from held
            held.clear()
    yield from held


def feed(folder: Path) -> StreamTracks:
    left = leftovers(folder)
    ids = SequentialIds(f"p{len(left)}")
    return StreamTracks("S", folder, "flac", ids=ids, now=lambda: None, left=left)


def test_four_hours_are_four_hours_to_the_sample(tmp_path: Path) -> None:
    plans = [plan(0), plan(1)]
    arrivals = sorted(
        (number, who) for who, there in enumerate(plans) for number in np.flatnonzero(there)
    )
    order = {who: sent(there, who) for who, there in enumerate(plans)}
    stream, kills = feed(tmp_path), list(KILLED)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, who in arrivals:
        tapped = next(order[who], None)
        if tapped is not None:
            values = packet(who, tapped).astype(np.float32) / 32_768
            stream.tap(str(who), AT + tapped * PACKET, values)
        if number % 600 == 0:
            stream.sync()
        if kills and number >= kills[0]:
            kills.pop(0)
            stream = feed(tmp_path)  # as after kill -9: nothing was closed or synced
    for who, rest in order.items():
        for tapped in rest:
            values = packet(who, tapped).astype(np.float32) / 32_768
            stream.tap(str(who), AT + tapped * PACKET, values)
    stream.sync()
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    tracks = {int(track.head.participant or 0): track for track in stream.tracks}
    end = max(track.end for track in tracks.values())
    assert len(tracks) == len(stream.tracks) == 2
    assert end == AT + (int(max(np.flatnonzero(p)[-1] for p in plans)) + 1) * PACKET
    assert grown_mb < 40
    for who, track in tracks.items():
        check(track, plans[who], who, end, tmp_path / f"{who}.flac")


def check(track: Track, there: NDArray[np.bool_], who: int, end: int, target: Path) -> None:
    first = AT + int(np.flatnonzero(there)[0]) * PACKET
    assert track.first == first
    samples, _ = encode([track], first=first, end=end, codec="flac", target=target)
    assert samples == end - first
    holes = sum(stop - start for start, stop in track.spans.holes(first, end))
    assert holes == end - first - int(there.sum()) * PACKET
    number, rest = (first - AT) // PACKET, np.zeros(0, np.int16)
    total = 0
    with av.open(str(target)) as container:
        for frame in container.decode(audio=0):
            rest = np.concatenate((rest, frame.to_ndarray().reshape(-1)))
            total += frame.samples
            while len(rest) >= PACKET:
                expected = packet(who, number) if there[number] else np.zeros(PACKET, np.int16)
                assert np.array_equal(rest[:PACKET], expected), number
                number, rest = number + 1, rest[PACKET:]
    assert total == samples
    assert not len(rest)
