from __future__ import annotations

import itertools
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.meeting.images import annexb, frames, picture
from pipeline.meeting.images.frames import Limits, Moving
from pipeline.meeting.images.picker import HEIGHT, WIDTH, Gray, Picker, change
from pipeline.meeting.images.picture import Picture, UnusableImage
from tests.image_makers import moving, slide, still

LIMITS = Limits(max_bytes=4 << 20, max_pixels=1920 * 1080)
BOUNDS = {"max_bytes": 4 << 20, "max_pixels": 1920 * 1080}


# -- what an image claims to be ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mjpeg", "png"])
@pytest.mark.parametrize("size", [(640, 360), (17, 9), (1920, 1080)])
def test_size_is_read_before_anything_is_decoded(kind: str, size: tuple[int, int]) -> None:
    data = still(slide(1, *size), kind)  # type: ignore[arg-type]
    found = picture.read(data, **BOUNDS)
    assert found == Picture("jpg" if kind == "mjpeg" else "png", *size)


def test_the_first_bytes_decide_and_not_what_was_told() -> None:
    for data in (b"GIF89a" + bytes(90), b"<html>", b"", b"\xff\xd8", b"\xff\xd8\xff" + bytes(40)):
        with pytest.raises(UnusableImage) as caught:
            picture.read(data, **BOUNDS)
        assert caught.value.kind == "not_an_image"


def test_a_small_file_that_claims_many_pixels_is_not_decoded() -> None:
    bomb = bytearray(still(slide(1), "png"))
    bomb[16:24] = struct.pack(">II", 60_000, 60_000)
    with pytest.raises(UnusableImage) as caught:
        frames.still(bytes(bomb), LIMITS)
    assert caught.value.kind == "too_many_pixels"


@pytest.mark.parametrize("name", [b"iCCP", b"zTXt"])
def test_what_is_packed_in_a_png_beside_its_picture_is_not_unpacked(
    name: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = still(slide(1), "png")
    packed = b"x\0\0" + zlib.compress(bytes(64 << 20))
    mark = zlib.crc32(name + packed)
    bomb = struct.pack(">I", len(packed)) + name + packed + struct.pack(">I", mark)
    told: list[bytes] = []
    decode = frames._decode

    def watched(reader: VideoCodecContext, data: bytes) -> list[VideoFrame]:
        told.append(data)
        return decode(reader, data)

    monkeypatch.setattr(frames, "_decode", watched)
    seen = frames.still(whole[:33] + bomb + whole[33:], LIMITS)
    assert (seen.width, seen.height) == (640, 360)
    assert b"IDAT" in told[0]
    assert name not in told[0]


def test_a_large_file_is_not_even_read() -> None:
    with pytest.raises(UnusableImage) as caught:
        frames.still(still(slide(1)) + bytes(5 << 20), LIMITS)
    assert caught.value.kind == "too_large"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]))
def test_any_bytes_are_an_image_or_a_typed_error(data: bytes, magic: bytes) -> None:
    with suppress(UnusableImage):
        frames.still(magic + data, LIMITS)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["mjpeg", "png"]), st.data())
def test_a_broken_image_is_an_image_or_a_typed_error(kind: str, data: st.DataObject) -> None:
    whole = bytearray(still(slide(2, 160, 90), kind))  # type: ignore[arg-type]
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UnusableImage):
        frames.jpeg(frames.still(bytes(whole), LIMITS))


# -- H.264 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [(640, 360), (854, 480), (1280, 720), (1920, 1080), (2560, 1440), (322, 182)]
)
def test_size_and_key_frames_of_h264(size: tuple[int, int]) -> None:
    first, second = moving([slide(1, *size), slide(2, *size)])
    assert annexb.read(first) == annexb.Unit(key=True, size=size)
    assert annexb.read(second) == annexb.Unit(key=False, size=None)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_as_h264_without_raising(data: bytes) -> None:
    annexb.read(data)
    annexb.read(b"\x00\x00\x01\x67" + data)


def test_h264_is_decoded_from_a_key_frame_on_and_again_after_a_hole() -> None:
    messages = moving([slide(n // 10, 320, 180) for n in range(50)])
    reader = Moving(LIMITS)
    assert [reader.frame(m) is None for m in messages[15:20]] == [True] * 5
    assert all(reader.frame(m) is not None for m in messages[20:30])
    reader.restart()
    assert reader.frame(messages[33]) is None
    newest = reader.frame(messages[40])
    assert newest is not None
    assert change(frames.gray(newest), gray_of(slide(4, 320, 180))) < 0.03


def test_h264_that_claims_too_many_pixels_or_is_none_is_refused() -> None:
    small = Limits(max_bytes=1 << 20, max_pixels=1000)
    with pytest.raises(UnusableImage) as caught:
        Moving(small).frame(moving([slide(1)])[0])
    assert caught.value.kind == "too_many_pixels"
    with pytest.raises(UnusableImage) as caught:
        Moving(LIMITS).frame(b"no start code")
    assert caught.value.kind == "not_an_image"


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_broken_h264_gives_frames_or_typed_errors(data: st.DataObject) -> None:
    messages = moving([slide(n, 160, 90) for n in range(6)], key_every=3)
    reader = Moving(LIMITS)
    for message in messages:
        broken = bytearray(message)
        broken[data.draw(st.integers(0, len(broken) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        with suppress(UnusableImage):
            reader.frame(bytes(broken))


# -- our own JPEG -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mjpeg", "png"])
def test_what_is_kept_looks_like_what_was_sent_and_is_not_its_file(kind: str) -> None:
    pixels = slide(3)
    sent = still(pixels, kind) + b"<script>alert(1)</script>"  # type: ignore[arg-type]
    kept = frames.jpeg(frames.still(sent, LIMITS))
    assert kept.startswith(b"\xff\xd8\xff")
    assert kept.endswith(b"\xff\xd9")
    assert b"script" not in kept
    got = np.asarray(frames.still(kept, LIMITS).to_ndarray(format="rgb24"))
    assert got.shape == pixels.shape
    assert float(np.abs(got.astype(int) - pixels).mean()) < 6.0


def test_the_small_copy_is_small_and_has_the_same_form() -> None:
    small = frames.jpeg(frames.still(still(slide(3)), LIMITS), frames.SMALL_WIDTH)
    assert picture.read(small, **BOUNDS) == Picture("jpg", 320, 180)
    tiny = frames.jpeg(frames.still(still(slide(3, 40, 30)), LIMITS), frames.SMALL_WIDTH)
    assert picture.read(tiny, **BOUNDS) == Picture("jpg", 40, 30)


# -- which frames are kept --------------------------------------------------------------------


def gray_of(pixels: np.ndarray) -> Gray:
    return frames.gray(frames.still(still(pixels, "png"), LIMITS))


def test_a_codec_is_no_change_and_another_slide_is() -> None:
    one = gray_of(slide(1))
    assert one.shape == (HEIGHT, WIDTH)
    assert change(one, frames.gray(frames.still(still(slide(1)), LIMITS))) < 0.005
    assert min(change(gray_of(slide(a)), gray_of(slide(b))) for a, b in ((1, 2), (3, 4))) > 0.06


def flat(level: int) -> Gray:
    return np.full((HEIGHT, WIDTH), level, np.uint8)


def watch(
    frames_at: list[tuple[int, int]],
    ticks: list[int] | None = None,
    moments: list[int] | None = None,
) -> list[int]:
    """Times of what is kept of flat frames (time, level); ``moments`` gets when it was kept."""
    picker: Picker[int] = Picker(every_ms=4_000, threshold=0.03)
    kept = []
    events = [(at, level) for at, level in frames_at] + [(at, -1) for at in ticks or []]
    for at_ms, level in sorted(events):
        tick = level == -1
        if picker.due(at_ms) if tick else picker.look(at_ms, flat(level), at_ms) == "keep":
            waiting = picker.waiting
            assert waiting is not None
            kept.append(waiting[0])
            picker.kept(at_ms)
            if moments is not None:
                moments.append(at_ms)
    return kept


def test_the_first_frame_is_kept_and_the_same_screen_never_again() -> None:
    assert watch([(n * 1000, 100) for n in range(60)]) == [0]


def test_a_new_screen_is_kept_once_it_has_settled_and_not_too_soon() -> None:
    sent = [(n * 1000, 100) for n in range(10)] + [(n * 1000, 200) for n in range(10, 20)]
    assert watch(sent) == [0, 11_000]
    quick = [(0, 100), *((n * 1000, 200) for n in range(1, 20))]
    assert watch(quick) == [0, 4_000]


def test_a_screen_that_is_leafed_over_is_not_kept() -> None:
    sent = [(0, 100), (1000, 200), (2000, 50), *((n * 1000, 100) for n in range(3, 20))]
    assert watch(sent, list(range(0, 20_000, 500))) == [0]


def test_the_last_screen_is_kept_though_nothing_comes_after_it() -> None:
    assert watch([(0, 100), (1000, 200)], list(range(0, 10_000, 200))) == [0, 1_000]


def test_a_film_is_kept_now_and_then() -> None:
    sent = [(0, 0), *((n * 500, 60 + (n * 37) % 190) for n in range(1, 60))]
    kept = watch(sent)
    assert kept[:2] == [0, 8_500]


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 3)), max_size=60))
def test_kept_frames_are_never_closer_than_asked(sent: list[tuple[int, int]]) -> None:
    moments: list[int] = []
    ticks = list(range(0, 70_000, 1000))
    kept = watch([(at, level * 60) for at, level in sent], ticks, moments)
    assert all(b - a >= 4_000 for a, b in itertools.pairwise(moments))
    assert bool(kept) == bool(sent)
