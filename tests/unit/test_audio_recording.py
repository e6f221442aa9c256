"""Working files by position, and the FLAC and Opus files made of them."""

from __future__ import annotations

import errno
import os
import random
import threading
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.audio.packet import Samples
from pipeline.audio.recording import LEAD_S, LONGEST_HOLE_S, Codec, Track, leftovers
from pipeline.audio.recording_files import Stopped, encode
from pipeline.audio.recording_spans import Spans
from pipeline.audio.recording_stream import AHEAD_MS, StreamTracks
from pipeline.base.errors import StorageError
from pipeline.base.ids import SequentialIds

RATE = 16_000
T0 = 1_790_000_000_000
AT = T0 * 16


def noise(count: int, seed: int = 1) -> Samples:
    values = np.random.default_rng(seed).integers(-20_000, 20_000, count)
    return values.astype(np.float32) / np.float32(32_768)


def pcm(samples: Samples) -> NDArray[np.int16]:
    return np.rint(samples * 32_768).astype(np.int16)


def decoded(path: Path) -> tuple[NDArray[np.float32], int]:
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    parts = [frame.to_ndarray().reshape(-1) for frame in frames]
    values = np.concatenate(parts)
    if values.dtype == np.int16:
        values = values.astype(np.float32) / 32_768
    return values, frames[0].sample_rate


def track(
    folder: Path, *, rate: int = RATE, at: int = AT, name: str = "a", codec: Codec = "flac"
) -> Track:
    return Track.begin(folder, id=name, stream="s", participant="1", rate=rate, at=at, codec=codec)


# -- spans ------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=20))
def test_spans_are_the_set_of_what_was_added(added: list[tuple[int, int]]) -> None:
    spans, known = Spans(), set[int]()
    for start, length in added:
        spans.add(start, start + length)
        known |= set(range(start, start + length))
    assert {at for start, end in spans for at in range(start, end)} == known
    assert all(left[1] < right[0] for left, right in pairwise(spans))
    missing = {at for start, end in spans.holes(5, 50) for at in range(start, end)}
    assert missing == set(range(5, 50)) - known


# -- working files ------------------------------------------------------------------------------


def test_a_hole_is_silence_of_exactly_its_length(tmp_path: Path) -> None:
    first, second = noise(317), noise(1_001, 2)
    kept = track(tmp_path / "recordings")
    kept.write(AT, first)
    kept.write(AT + 317 + 12_345, second)
    end = AT + 317 + 12_345 + 1_001 + 77  # others were heard for 77 samples more
    target = tmp_path / "recordings" / "x.flac"
    assert encode([kept], first=AT, end=end, codec="flac", target=target) == (end - AT, RATE)
    heard, rate = decoded(target)
    expected = np.concatenate([first, np.zeros(12_345), second, np.zeros(77)])
    assert rate == RATE
    assert np.array_equal(heard, expected.astype(np.float32))


def test_late_audio_lands_in_its_place(tmp_path: Path) -> None:
    whole = noise(3_200)
    kept = track(tmp_path, at=AT + 1_600)
    kept.write(AT + 1_600, whole[1_600:2_400])
    kept.write(AT, whole[:1_600])  # before everything that was heard
    kept.write(AT + 2_400, whole[2_400:])
    assert (kept.first, kept.end, list(kept.spans)) == (AT, AT + 3_200, [(AT, AT + 3_200)])
    assert kept.read(AT - 5, 3_210) == bytes(10) + pcm(whole).tobytes() + bytes(10)


def test_files_are_private_and_silence_takes_no_room(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    kept = track(folder)
    kept.write(AT, noise(1_600))
    kept.write(AT + 3_600 * RATE, noise(1_600))  # an hour later
    kept.sync()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    data = folder / f"{kept.name}.pcm"
    assert data.stat().st_size > 110_000_000
    assert data.stat().st_blocks * 512 < 1_000_000


def test_a_killed_process_leaves_all_that_it_wrote(tmp_path: Path) -> None:
    """Nothing is closed here, and half of it was never synced."""
    whole = noise(1_600)
    before = track(tmp_path)
    before.write(AT, whole[:400])
    before.write(AT + 800, whole[800:1_200])
    before.sync()
    before.write(AT + 1_200, whole[1_200:])
    with (tmp_path / f"{before.name}.spans").open("a") as spans:
        spans.write("1790000")  # torn by a power cut
    (found,) = leftovers(tmp_path)
    assert found.head == before.head
    assert list(found.spans) == [(AT, AT + 400), (AT + 800, AT + 1_600)]
    found.write(AT + 400, whole[400:800])  # the next process goes on
    assert found.read(AT, 1_600) == pcm(whole).tobytes()
    found.sync()
    assert list(leftovers(tmp_path)[0].spans) == [(AT, AT + 1_600)]


def test_a_kill_before_the_first_sync_loses_nothing(tmp_path: Path) -> None:
    track(tmp_path).write(AT, noise(500))
    (found,) = leftovers(tmp_path)
    assert list(found.spans) == [(AT, AT + 500)]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_order_and_any_kill_give_the_same_audio(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("recordings")
    rng = random.Random(data.draw(st.integers(0, 10**6)))
    whole = pcm(noise(5_000))
    pieces = [(at, min(5_000, at + rng.randint(1, 700))) for at in range(0, 5_000, 700)]
    expected = np.zeros(5_000, np.int16)
    rng.shuffle(pieces)
    kept = track(folder, at=AT + pieces[0][0])
    for start, end in pieces:
        kept.write(AT + start, whole[start:end].astype(np.float32) / 32_768)
        expected[start:end] = whole[start:end]
        action = rng.randrange(3)
        if action == 0:
            kept.sync()
        elif action == 1:
            kept.sync()
            (kept,) = leftovers(folder)
    assert kept.read(AT, 5_000) == expected.tobytes()
    first, end = min(pieces)[0], max(end for _, end in pieces)
    assert (kept.first, kept.end) == (AT + first, AT + end)


def test_what_is_no_working_file_is_left_alone(tmp_path: Path) -> None:
    assert leftovers(tmp_path / "none") == []
    for name in ("0001790000000-a.pcm", "notes.pcm", "index.json", "x.flac"):
        (tmp_path / name).write_bytes(b"??")
    assert leftovers(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 4


def test_a_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    kept = track(tmp_path / "recordings")
    (tmp_path / "recordings").mkdir()
    (tmp_path / "elsewhere").write_bytes(b"mine")
    (tmp_path / "recordings" / f"{kept.name}.pcm").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        kept.write(AT, noise(100))
    assert (tmp_path / "elsewhere").read_bytes() == b"mine"


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8_000, 16_000, 32_000, 48_000])
@pytest.mark.parametrize("count", [1, 15, 17, 4_609, 100_003])
@pytest.mark.parametrize("codec", ["flac", "opus"])
def test_length_is_exact_to_the_sample(tmp_path: Path, rate: int, count: int, codec: Codec) -> None:
    at = T0 * rate // 1000
    kept = track(tmp_path, rate=rate, at=at)
    kept.write(at, noise(count))
    target = tmp_path / f"x.{codec}"
    samples, told = encode([kept], first=at, end=at + count, codec=codec, target=target)
    heard, heard_rate = decoded(target)
    assert len(heard) * told == samples * heard_rate
    assert samples == -(-count * told // rate)
    assert samples / told == pytest.approx(count / rate, abs=1 / told)
    if codec == "flac":
        assert np.array_equal(pcm(heard), pcm(noise(count)))
    assert target.stat().st_mode & 0o777 == 0o600


def test_opus_is_in_step_with_what_was_said(tmp_path: Path) -> None:
    """Its run-up is taken off: a tone burst is where it was, in a file of silence."""
    tone = (0.5 * np.sin(np.arange(8_000) * 2 * np.pi * 440 / RATE)).astype(np.float32)
    kept = track(tmp_path)
    kept.write(AT, np.zeros(10, np.float32))
    kept.write(AT + 40_000, tone)
    target = tmp_path / "x.opus"
    encode([kept], first=AT, end=AT + 60_000, codec="opus", target=target)
    heard, rate = decoded(target)
    signal = np.zeros(60_000, np.float32)
    signal[40_000:48_000] = tone
    ours = heard[:: rate // RATE]
    shift = int(np.argmax(np.correlate(ours, signal[39_000:49_000], "valid"))) - 39_000
    assert abs(shift) <= 2
    assert np.abs(ours[:39_000]).max() < 0.01


def test_mixed_is_everybody_at_once_held_within_16_bits(tmp_path: Path) -> None:
    anna, ben = track(tmp_path, name="a"), track(tmp_path, name="b", at=AT + 50)
    anna.write(AT, np.full(200, 0.75, np.float32))
    ben.write(AT + 50, np.full(100, 0.5, np.float32))
    target = tmp_path / "x.flac"
    encode([anna, ben], first=AT, end=AT + 250, codec="flac", target=target)
    heard, _ = decoded(target)
    expected = np.zeros(250)
    expected[:200] = 0.75
    expected[50:150] = 32_767 / 32_768
    assert np.allclose(heard, expected)


def test_broken_off_leaves_nothing(tmp_path: Path) -> None:
    kept = track(tmp_path)
    kept.write(AT, noise(RATE * 9))
    looks = iter([False, True])
    target = tmp_path / "x.flac"
    with pytest.raises(Stopped):
        encode(
            [kept],
            first=AT,
            end=kept.end,
            codec="flac",
            target=target,
            stopped=lambda: next(looks),
        )
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("x.")]
    encode([kept], first=AT, end=kept.end, codec="flac", target=target)
    assert len(decoded(target)[0]) == RATE * 9


def test_a_folder_that_cannot_be_written_is_typed(tmp_path: Path) -> None:
    kept = track(tmp_path)
    kept.write(AT, noise(100))
    target = tmp_path / "missing" / "x.flac"
    with pytest.raises(StorageError, match=r"x\.flac"):
        encode([kept], first=AT, end=kept.end, codec="flac", target=target)


# -- a stream -----------------------------------------------------------------------------------


def stream(tmp_path: Path, now_ms: int | None = T0) -> StreamTracks:
    return StreamTracks("s", tmp_path, "flac", ids=SequentialIds(), now=lambda: now_ms)


def test_each_voice_and_each_rate_has_a_file(tmp_path: Path) -> None:
    feed = stream(tmp_path)
    for participant in ("1", "2", None, "1"):
        feed.tap(participant, AT, noise(10))
    feed.format(8_000)
    feed.tap("1", T0 * 8, noise(10))
    found = [(t.head.participant, t.head.rate) for t in feed.tracks]
    assert found == [("1", 16_000), ("2", 16_000), (None, 16_000), ("1", 8_000)]


def test_a_clock_that_jumps_is_not_recorded(tmp_path: Path) -> None:
    feed = stream(tmp_path)
    feed.tap("1", AT, noise(10))
    feed.tap("1", AT + (AHEAD_MS + 1) * 16, noise(10))
    assert [list(t.spans) for t in feed.tracks] == [[(AT, AT + 10)]]


def test_what_is_behind_the_meetings_time_is_recorded(tmp_path: Path) -> None:
    feed = stream(tmp_path, T0 + 10**9)
    feed.tap("1", AT, noise(10))
    assert [list(t.spans) for t in feed.tracks] == [[(AT, AT + 10)]]


def test_a_silence_too_long_begins_another_file(tmp_path: Path) -> None:
    feed = stream(tmp_path, None)
    feed.tap("1", AT, noise(10))
    feed.tap("1", AT + (LONGEST_HOLE_S + 1) * RATE, noise(10))
    feed.tap("1", AT + 10, noise(10))
    feed.tap("1", AT - (LEAD_S + 1) * RATE, noise(10))
    assert [t.end - t.first for t in feed.tracks] == [20, 10, 10]


def test_a_full_disk_is_told_and_what_it_refused_is_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = stream(tmp_path)
    whole = noise(480)
    feed.tap("1", AT, whole[:160])
    real = os.pwrite

    def full(handle: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    feed.tap("1", AT + 160, whole[160:320])
    feed.sync()
    assert feed.trouble is not None
    assert (feed.trouble.kind, feed.trouble.retryable, feed.lost_ms) == ("disk_full", True, 10)
    monkeypatch.setattr(os, "pwrite", real)
    feed.tap("1", AT + 320, whole[320:])
    assert feed.trouble is None
    (kept,) = feed.tracks
    assert list(kept.spans) == [(AT, AT + 160), (AT + 320, AT + 480)]
    assert kept.read(AT + 160, 160) == bytes(320)


def test_a_refused_sync_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = stream(tmp_path)
    feed.tap("1", AT, noise(160))
    real = os.fdatasync

    def broken(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    feed.sync()
    feed.tap("1", AT + 160, noise(160))
    assert feed.trouble is not None
    assert feed.trouble.kind == "io"
    assert (tmp_path / f"{feed.tracks[0].name}.spans").read_text().split() == [
        str(AT),
        str(AT + 160),
    ]
    monkeypatch.setattr(os, "fdatasync", real)
    feed.sync()
    assert feed.trouble is None
    assert (tmp_path / f"{feed.tracks[0].name}.spans").read_text().split()[2:] == [
        str(AT),
        str(AT + 320),
    ]


def test_who_is_silent_holds_no_file_open(tmp_path: Path) -> None:
    feed = stream(tmp_path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for number in range(40):
        feed.tap(str(number), AT, noise(10))
    feed.sync()
    assert len(os.listdir("/proc/self/fd")) == before + 40  # noqa: PTH208
    feed.sync()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    feed.tap("3", AT + 10, noise(10))
    assert feed.tracks[3].end == AT + 20
    feed.close()


def test_two_syncs_at_once_do_not_close_the_file_under_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``finish`` of a stream may come while the meeting makes durable what is there."""
    feed = stream(tmp_path)
    feed.tap("1", AT, noise(160))
    real, begun, go_on = os.fdatasync, threading.Event(), threading.Event()

    files: list[int] = []

    def slow(handle: int) -> None:
        files.append(os.fstat(handle).st_ino)
        begun.set()
        assert go_on.wait(10)
        files.append(os.fstat(handle).st_ino)
        real(handle)

    monkeypatch.setattr(os, "fdatasync", slow)
    first = threading.Thread(target=feed.sync)
    first.start()
    assert begun.wait(10)
    others = [threading.Thread(target=feed.sync), threading.Thread(target=feed.close)]
    for other in others:
        other.start()
        other.join(0.2)
    feed.tap("2", AT, noise(160))  # whoever speaks waits for none of them
    go_on.set()
    for thread in (first, *others):
        thread.join(10)
    assert feed.trouble is None
    assert files[0] == files[1]
