"""Pictures and clips on the disk, and what a full or broken disk does to them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from pipeline.base.ids import SequentialIds
from pipeline.meeting.images import picture
from pipeline.meeting.images.clips import Matroska
from pipeline.meeting.images.folder import ImageFolder
from pipeline.meeting.images.keeper import Keeper
from pipeline.meeting.images.news import ClipNews, Item, News, PictureKept, Who
from pipeline.meeting.settings import MeetingSettings
from pipeline.rtms import outputs as out
from tests.image_makers import moving, played, slide, still

T0 = 1_790_000_000_000
SHARE = out.ImageFormat("deskshare", "JPG", "FHD", 1)
MOVIE = out.ImageFormat("deskshare", "H264", "HD", 10)
VIDEO = out.ImageFormat("video", "H264", "HD", 10)
EVERYTHING = {"save_video": True, "save_share": True}


def keeper(folder: Path, left: int = 100, **settings: Any) -> Keeper:
    made = ImageFolder(folder / "images", SequentialIds("x"))
    return Keeper(made, MeetingSettings(**settings), left, T0)


def shared(at_s: float, data: bytes, user: int | None = 7, name: str | None = "Maya") -> Item:
    return out.ImageReceived("deskshare", user, name, T0 + round(at_s * 1000), data)


def seen(at_s: float, data: bytes, user: int | None = 7) -> Item:
    return out.ImageReceived("video", user, f"P{user}", T0 + round(at_s * 1000), data)


def work(built: Keeper, *items: Item) -> list[News]:
    return built.work([(False, item) for item in items])


def now(at_s: float) -> int:
    return T0 + round(at_s * 1000)


SLIDES = [still(slide(n)) for n in range(4)]


def test_a_picture_of_each_screen_is_kept_with_its_small_copy(tmp_path: Path) -> None:
    built = keeper(tmp_path)
    items = [shared(s, SLIDES[s // 10]) for s in range(30)]
    kept = [n for n in work(built, SHARE, *items) if isinstance(n, PictureKept)]
    assert [(k.at_ms - T0) // 1000 for k in kept] == [0, 11, 21]
    assert {k.who for k in kept} == {Who("7", "Maya")}
    folder = tmp_path / "images"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for one in kept:
        for name, width in ((one.file, 640), (one.thumb, 320)):
            path = folder / name
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            found = picture.read(path.read_bytes(), max_bytes=1 << 20, max_pixels=1 << 20)
            assert (found.kind, found.width) == ("jpg", width)
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        name for k in kept for name in (k.file, k.thumb)
    )


def test_another_who_shares_is_another_screen_though_it_looks_the_same(tmp_path: Path) -> None:
    built = keeper(tmp_path)
    news = work(
        built,
        SHARE,
        out.SharingStarted(7, "Maya", now(0)),
        shared(0.5, SLIDES[0], None, None),
        out.SharingStopped(now(3)),
        out.SharingStarted(8, "Ben", now(3)),
        shared(3.5, SLIDES[0], None, None),
    )
    whose = [n.who for n in news if isinstance(n, PictureKept)]
    assert whose == [Who("7", "Maya"), Who("8", "Ben")]


def test_an_image_may_come_before_the_news_that_somebody_shares(tmp_path: Path) -> None:
    built = keeper(tmp_path)
    images = [shared(s, SLIDES[0]) for s in range(10)]
    news = work(built, SHARE, images[0], out.SharingStarted(7, "Maya", now(0)), *images[1:])
    assert len(news) == 1
    news = work(built, out.SharingStarted(8, "Ben", now(10)), shared(10, SLIDES[0], 8, "Ben"))
    assert [n.who.speaker for n in news if isinstance(n, PictureKept)] == ["Ben"]


def test_an_image_from_before_the_end_of_sharing_is_no_new_screen(tmp_path: Path) -> None:
    built = keeper(tmp_path)
    stopped = out.SharingStopped(now(3))
    assert len(work(built, SHARE, shared(0, SLIDES[0]), stopped, shared(2.9, SLIDES[0]))) == 1
    assert len(work(built, out.SharingStarted(7, "Maya", now(4)), shared(4, SLIDES[0]))) == 1


def test_what_stood_when_sharing_stopped_is_kept(tmp_path: Path) -> None:
    built = keeper(tmp_path)
    news = work(built, SHARE, shared(0, SLIDES[0]), shared(5, SLIDES[1]), now(8))
    news += work(built, shared(20, SLIDES[2]), now(22), out.SharingStopped(now(22)))
    news += built.finish()
    assert [(n.at_ms - T0) // 1000 for n in news if isinstance(n, PictureKept)] == [0, 5, 20]


def test_h264_share_gives_the_same_pictures(tmp_path: Path) -> None:
    built = keeper(tmp_path)
    messages = moving([slide(n // 100) for n in range(250)])
    news = work(built, MOVIE, *(shared(n / 10, m) for n, m in enumerate(messages)))
    kept = [(n.at_ms - T0) / 1000 for n in news if isinstance(n, PictureKept)]
    assert len(kept) == 3
    assert kept[0] == 0
    assert 10 <= kept[1] <= 11
    assert 20 <= kept[2] <= 21


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    built = keeper(tmp_path, left=2)
    news = work(built, SHARE, *(shared(s, SLIDES[s // 6 % 4]) for s in range(40)))
    assert len(news) == 2
    for full in (built, keeper(tmp_path, left=0)):  # also after a restart
        assert full.trouble is not None
        assert (full.trouble.kind, full.trouble.retryable) == ("budget", False)


def test_nothing_is_kept_that_was_not_asked_for(tmp_path: Path) -> None:
    built = keeper(tmp_path, keyframes=False)
    assert work(built, SHARE, VIDEO, shared(0, SLIDES[0]), seen(0, moving([slide(1)])[0])) == []
    assert built.finish() == []
    assert not (tmp_path / "images").exists()


def test_names_are_ours_whatever_the_peer_says(tmp_path: Path) -> None:
    built = keeper(tmp_path, **EVERYTHING)
    news = work(built, SHARE, shared(0, SLIDES[0], 7, "../../evil"), shared(-9e9, SLIDES[1]))
    built.finish()
    files = {Path(n.file) for n in news if not isinstance(n, out.ProtocolFault)}
    assert {file.parent for file in files} == {Path()}
    assert {p.parent for p in tmp_path.rglob("*.jpg")} >= {tmp_path / "images"}
    assert not any("evil" in str(p) for p in tmp_path.rglob("*"))


# -- saved files ------------------------------------------------------------------------------


def clips(news: list[News]) -> list[ClipNews]:
    return [n for n in news if isinstance(n, ClipNews)]


def test_h264_becomes_a_playable_file_with_the_times_of_the_messages(tmp_path: Path) -> None:
    built = keeper(tmp_path, **EVERYTHING)
    messages = moving([slide(n % 3) for n in range(40)])
    at = [n * 0.1 + (2.0 if n >= 30 else 0.0) for n in range(40)]  # nobody sent for two seconds
    news = work(built, VIDEO, *(seen(s, m) for s, m in zip(at, messages, strict=True)))
    begun, done = clips(news + built.finish())
    assert (begun.frames, begun.width, begun.height, begun.who) == (0, 640, 360, Who("7", "P7"))
    assert (done.file, done.frames, done.to_ms - done.from_ms) == (begun.file, 40, 5_900)
    path = tmp_path / "images" / done.file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    times, size = played(str(path))
    assert size == (640, 360)
    assert [round(t, 2) for t in times] == [round(s, 2) for s in at]


def test_another_size_and_another_person_begin_another_file(tmp_path: Path) -> None:
    built = keeper(tmp_path, **EVERYTHING)
    small, large = moving([slide(1)] * 40), moving([slide(1, 1280, 720)] * 20)
    items = [seen(n / 10, m) for n, m in enumerate(small[:20])]
    items += [seen(2 + n / 10, m) for n, m in enumerate(large)]
    items += [seen(4 + n / 10, m, 8) for n, m in enumerate(small[20:])]
    done = [n for n in clips(work(built, VIDEO, *items) + built.finish()) if n.frames]
    assert [(n.width, n.who.participant, n.frames) for n in done] == [
        (640, "7", 20),
        (1280, "7", 20),
        (640, "8", 20),
    ]
    for one in done:
        times, size = played(str(tmp_path / "images" / one.file))
        assert (len(times), size) == (20, (one.width, one.height))


def test_a_file_begins_at_a_key_frame_also_after_a_hole(tmp_path: Path) -> None:
    built = keeper(tmp_path, **EVERYTHING)
    messages = moving([slide(1)] * 60)
    items = [seen(n / 10, m) for n, m in enumerate(messages)]
    news = built.work([(False, VIDEO), *((False, i) for i in items[5:30])])
    news += built.work([(True, items[35]), *((False, i) for i in items[36:])])
    done = [n for n in clips(news + built.finish()) if n.frames]
    assert [((n.from_ms - T0) // 100, n.frames) for n in done] == [(20, 10), (40, 20)]


def test_h264_of_another_person_is_never_in_the_file_of_the_first(tmp_path: Path) -> None:
    built = keeper(tmp_path, **EVERYTHING)
    messages = moving([slide(1)] * 60)
    items = [seen(n / 10, m, 7 if n < 30 else 8) for n, m in enumerate(messages)]
    done = [n for n in clips(work(built, VIDEO, *items) + built.finish()) if n.frames]
    assert [(n.who.participant, n.frames) for n in done] == [("7", 30), ("8", 20)]
    assert done[1].from_ms == now(4)  # at the key frame


def test_h264_of_who_is_not_told_goes_on_in_the_same_file(tmp_path: Path) -> None:
    built = keeper(tmp_path, **EVERYTHING, keyframes=False)
    messages = moving([slide(1)] * 20)
    items = [shared(n / 10, m, None, None) for n, m in enumerate(messages)]
    items.insert(5, out.SharingStarted(7, "Maya", now(0.4)))
    done = [n for n in clips(work(built, MOVIE, *items) + built.finish()) if n.frames]
    assert [n.frames for n in done] == [20]


def test_a_killed_process_leaves_a_file_that_plays(tmp_path: Path) -> None:
    folder = ImageFolder(tmp_path / "images", SequentialIds())
    made = Matroska(folder, "video", start_ms=T0, width=640, height=360, fps=10)
    for n, message in enumerate(moving([slide(n % 3) for n in range(60)])):
        made.add(T0 + n * 100, message, key=n % 20 == 0)
    left = tmp_path / "left.mkv"  # what a reader of the disk sees now
    left.write_bytes((tmp_path / "images" / made.file).read_bytes())
    times, _ = played(str(left))
    assert len(times) >= 60 - 20  # all but the last cluster
    made.close()


@pytest.mark.parametrize("kind", ["mjpeg", "png"])
def test_stills_are_files_as_they_came_named_by_their_time(tmp_path: Path, kind: Any) -> None:
    built = keeper(tmp_path, **EVERYTHING)
    sent = [still(slide(n), kind) for n in range(3)]
    codec = "JPG" if kind == "mjpeg" else "PNG"
    told = out.ImageFormat("video", codec, "HD", 5)
    news = work(built, told, *(seen(n, data) for n, data in enumerate(sent)))
    _, done = clips(news + built.finish())
    assert (done.codec, done.frames) == (codec, 3)
    folder = tmp_path / "images" / done.file
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = sorted(folder.iterdir())
    assert [f.read_bytes() for f in files] == sent
    assert [int(f.name.split("-")[0]) - T0 for f in files] == [0, 1000, 2000]


def test_images_that_are_none_are_counted_and_never_written(tmp_path: Path) -> None:
    built = keeper(tmp_path, **EVERYTHING)
    bad = (b"", b"<script>", b"\xff\xd8\xff" + bytes(99), SLIDES[0][:200])
    news = work(built, SHARE, *(shared(n, data) for n, data in enumerate(bad[:3])))
    news += work(built, VIDEO, seen(0, b"\x00\x00\x01"), seen(1, bytes(5000)))
    faults = [n for n in news if isinstance(n, out.ProtocolFault)]
    assert faults == news
    told = [(n.socket, n.reason) for n in faults]  # the first of a kind
    assert told == [("deskshare", "image_not_an_image"), ("video", "image_not_an_image")]
    assert not list(tmp_path.rglob("*.*"))
    assert built.trouble is None


# -- a disk that refuses ----------------------------------------------------------------------


def full(*_args: object, **_kwargs: object) -> int:
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_typed_and_the_picture_is_kept_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = keeper(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    assert work(built, SHARE, shared(0, SLIDES[0]), shared(1, SLIDES[0])) == []
    assert built.trouble is not None
    assert (built.trouble.kind, built.trouble.retryable) == ("disk_full", True)
    assert "refuses to write" in str(built.trouble)
    assert not list(tmp_path.rglob("*.tmp"))
    monkeypatch.undo()
    assert work(built, now(5)) == []  # not yet: it is tried again after a while
    (kept,) = work(built, now(15))
    assert isinstance(kept, PictureKept)
    assert built.trouble is None


def test_a_full_disk_ends_a_file_and_another_begins_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = keeper(tmp_path, keyframes=False, save_share=True)
    items = [shared(n, SLIDES[0]) for n in range(40)]
    news = work(built, SHARE, *items[:3])
    real = os.open

    def refuse(path: Any, flags: int, mode: int = 0o777) -> int:
        return full() if str(path).endswith(".tmp") else real(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    news += work(built, *items[3:8])
    assert built.trouble is not None
    assert built.trouble.kind == "disk_full"
    monkeypatch.undo()
    news += work(built, *items[8:]) + built.finish()
    assert built.trouble is None
    assert [n.frames for n in clips(news) if n.frames] == [3, 40 - 13]


def test_saving_ends_at_its_bound_and_says_so(tmp_path: Path) -> None:
    room = 2.5 * len(SLIDES[0]) / (1 << 30)
    built = keeper(tmp_path, keyframes=False, save_share=True, max_saved_gb=room)
    news = clips(work(built, SHARE, *(shared(n, SLIDES[0]) for n in range(20))))
    assert [n.frames for n in news] == [0, 3]
    assert built.trouble is not None
    assert built.trouble.kind == "budget"
    assert not built.trouble.retryable
