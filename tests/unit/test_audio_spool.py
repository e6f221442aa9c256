from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audio.spool import Head, OpenSegment, discard, load, recover
from pipeline.base.errors import StorageError
from pipeline.base.ids import SequentialIds

AT = 1_790_000_000_000 * 16
HEAD = Head(at=AT, participant="7", speaker="Ünal \u202e/../x")


def pcm(start: int, count: int) -> bytes:
    return (np.arange(start, start + count) % 30_000).astype("<i2").tobytes()


def test_a_finished_segment_can_be_read_back(tmp_path: Path) -> None:
    segment = OpenSegment(tmp_path, HEAD, SequentialIds())
    segment.append(pcm(0, 16_000))
    segment.sync()
    segment.append(pcm(16_000, 8_000))
    spoken = segment.finish(20_000)
    assert (spoken.participant, spoken.speaker) == ("7", HEAD.speaker)
    assert (spoken.start_ms, spoken.end_ms) == (1_790_000_000_000, 1_790_000_001_250)
    assert spoken.samples == 20_000
    heard = load(tmp_path, spoken.file)
    assert heard.dtype == np.float32
    assert (heard * 32_768).astype("<i2").tobytes() == pcm(0, 20_000)


@pytest.mark.parametrize("length", [1, 5_000, 16_000, 20_000])
def test_what_is_not_in_the_segment_is_cut_off_wherever_it_is(tmp_path: Path, length: int) -> None:
    segment = OpenSegment(tmp_path, HEAD, SequentialIds())
    segment.append(pcm(0, 16_000))
    segment.sync()
    segment.append(pcm(16_000, 8_000))
    spoken = segment.finish(length)
    assert (tmp_path / spoken.file).read_bytes() == pcm(0, length)


def test_names_are_ours_and_only_ours_are_read(tmp_path: Path) -> None:
    segment = OpenSegment(tmp_path, HEAD, SequentialIds())
    segment.append(pcm(0, 10))
    assert segment.finish(10).file == "1790000000000-id0001.pcm"
    for name in ("../secret.pcm", "/etc/passwd", "1-a.json", "1-a.pcm\n", ""):
        with pytest.raises(StorageError) as caught:
            load(tmp_path, name)
        assert caught.value.kind == "name"
        with pytest.raises(StorageError):
            discard(tmp_path, name)


def test_files_are_private(tmp_path: Path) -> None:
    segment = OpenSegment(tmp_path, HEAD, SequentialIds())
    segment.append(pcm(0, 10))
    segment.finish(10)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_missing_audio_is_typed(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        load(tmp_path, "1-a.pcm")
    assert (caught.value.kind, caught.value.retryable) == ("missing", False)


def test_discard_leaves_nothing_and_may_be_repeated(tmp_path: Path) -> None:
    segment = OpenSegment(tmp_path, HEAD, SequentialIds())
    segment.append(pcm(0, 10))
    spoken = segment.finish(10)
    discard(tmp_path, spoken.file)
    discard(tmp_path, spoken.file)
    assert list(tmp_path.iterdir()) == []


def test_open_segments_are_recovered_and_committed_ones_left_alone(tmp_path: Path) -> None:
    ids = SequentialIds()
    committed = OpenSegment(tmp_path, Head(at=AT, participant="1"), ids)
    committed.append(pcm(0, 100))
    known = committed.finish(100)
    left = OpenSegment(tmp_path, Head(at=AT + 16_000, participant="2", speaker="Mark"), ids)
    left.append(pcm(0, 100))
    left.sync()
    left.append(pcm(100, 100))  # never synced: it dies with the process
    (tmp_path / "somebody-elses.txt").write_text("kept")
    found = recover(tmp_path, {known.file})
    assert [(s.participant, s.speaker, s.start_ms, s.samples) for s in found] == [
        ("2", "Mark", 1_790_000_001_000, 100)
    ]
    assert load(tmp_path, known.file).size == 100
    assert (tmp_path / "somebody-elses.txt").exists()
    assert recover(tmp_path, {known.file, found[0].file}) == []


def test_both_parts_of_a_cut_segment_are_told_once(tmp_path: Path) -> None:
    ids = SequentialIds()
    first = OpenSegment(tmp_path, Head(at=AT, participant="1"), ids)
    first.append(pcm(0, 1000))
    first.sync()
    rest = OpenSegment(tmp_path, Head(at=AT + 600, participant="1", continues=first.file), ids)
    rest.append(pcm(600, 400))
    rest.sync()  # killed before the first was shortened
    found = recover(tmp_path, ())
    assert [s.samples for s in found] == [600, 400]
    heard = b"".join((tmp_path / s.file).read_bytes() for s in found)
    assert heard == pcm(0, 1000)


def test_a_lost_head_leaves_the_time_and_no_wrong_name(tmp_path: Path) -> None:
    segment = OpenSegment(tmp_path, HEAD, SequentialIds())
    segment.append(pcm(0, 100))
    spoken = segment.finish(100)
    (tmp_path / spoken.file).with_suffix(".json").write_bytes(b'{"at":17900')
    found = recover(tmp_path, ())
    assert [(s.participant, s.speaker, s.start_ms, s.samples) for s in found] == [
        (None, None, 1_790_000_000_000, 100)
    ]


def test_a_spool_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert recover(tmp_path / "none", ()) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2_000), st.integers(0, 200), st.sampled_from([".pcm", ".json", ".tmp"]))
def test_files_cut_at_any_byte_are_recovered(
    tmp_path_factory: pytest.TempPathFactory, keep: int, keep_head: int, victim: str
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    segment = OpenSegment(folder, HEAD, SequentialIds())
    segment.append(pcm(0, 1000))
    spoken = segment.finish(1000)
    path = folder / spoken.file
    if victim == ".tmp":  # killed while the head was written
        path.unlink()
        path.with_suffix(".json").replace(path.with_suffix(".tmp"))
    target = path.with_suffix(victim)
    target.write_bytes(target.read_bytes()[: keep if victim == ".pcm" else keep_head])
    found = recover(folder, ())
    whole = {".pcm": keep // 2, ".json": 1000, ".tmp": 0}[victim]
    assert [s.samples for s in found] == ([whole] if whole else [])
    for told in found:
        assert told.start_ms == 1_790_000_000_000
        assert (folder / told.file).read_bytes() == pcm(0, whole)
        assert len(load(folder, told.file)) == whole
    if not found:
        assert list(folder.iterdir()) == []
    shutil.rmtree(folder)


def test_after_a_refusal_everything_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = OpenSegment(tmp_path, HEAD, SequentialIds())
    segment.append(pcm(0, 1000))
    segment.sync()
    segment.append(pcm(1000, 1000))
    really = os.fsync

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError) as caught:
        segment.sync()
    assert (caught.value.kind, caught.value.retryable) == ("disk_full", True)
    assert segment.pending == 1000
    segment.append(pcm(2000, 500))
    with pytest.raises(StorageError):
        segment.finish(2200)
    monkeypatch.setattr(os, "fsync", really)
    spoken = segment.finish(2200)
    assert (tmp_path / spoken.file).read_bytes() == pcm(0, 2200)
