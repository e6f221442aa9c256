"""Files of all kinds as samples: lengths, times, holes, and files that are broken."""

from __future__ import annotations

import io
import os
import random
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio.media_file import MediaFile, look, read
from pipeline.audio.packet import Samples
from pipeline.base.errors import BadInput, NotFound
from tests.media_makers import encode, tone, write_wav


def whole(path: Path) -> Samples:
    return np.concatenate(list(read(path)))


def test_wav_at_16_khz_is_exact(tmp_path: Path) -> None:
    sound = tone(1.5)
    heard = whole(write_wav(tmp_path / "a.wav", sound))
    assert len(heard) == 24_000
    assert np.abs(heard - np.rint(sound * 32_767) / 32_768).max() < 1e-6


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_other_rates_keep_length_and_pitch(tmp_path: Path, rate: int) -> None:
    heard = whole(write_wav(tmp_path / "a.wav", tone(2.0, 1_000, rate), rate))
    assert abs(len(heard) - 32_000) <= 1
    inner, wanted = heard[1_600:-1_600], tone(2.0, 1_000)[1_600 : len(heard) - 1_600]
    assert np.abs(inner - wanted).max() < 2e-3


def test_stereo_is_mixed_down(tmp_path: Path) -> None:
    left = tone(1.0)
    heard = whole(write_wav(tmp_path / "a.wav", np.stack([left, np.zeros_like(left)], axis=1)))
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(np.sqrt(np.mean(left**2)) / 2, rel=0.01)


@pytest.mark.parametrize(
    ("name", "codec", "video"),
    [
        ("a.mp3", "libmp3lame", False),
        ("a.m4a", "aac", False),
        ("a.ogg", "libopus", False),
        ("a.webm", "libopus", False),
        ("a.flac", "flac", False),
        ("a.mp4", "aac", True),
        ("a.mkv", "libopus", True),
    ],
)
def test_common_forms(tmp_path: Path, name: str, codec: str, video: bool) -> None:
    path = encode(tmp_path / name, tone(3.0, rate=48_000), codec, video=video)
    info = look(path)
    assert info.rate == 48_000
    assert info.length_ms == pytest.approx(3_000, abs=120)
    with closing(MediaFile(path)) as media:
        heard = np.concatenate(list(media.read()))
        assert media.missing == []
        assert media.position == len(heard)
    assert len(heard) == pytest.approx(48_000, abs=1_600)  # encoders pad their last frame
    assert np.sqrt(np.mean(heard[8_000:40_000] ** 2)) == pytest.approx(0.177, rel=0.1)


def test_time_that_passes_without_packets_is_silence(tmp_path: Path) -> None:
    """A recorder that sends nothing for a pause (DTX): what follows keeps its time."""
    sound = tone(4.0, rate=48_000)
    path = encode(tmp_path / "a.mkv", sound, "flac", leave_out=(48_000, 144_000))
    with closing(MediaFile(path)) as media:
        heard = np.concatenate(list(media.read()))
        assert media.missing == []  # a pause, nothing lost
    assert len(heard) == pytest.approx(64_000, abs=800)
    silent = heard[17_600:46_400]
    assert np.abs(silent).max() < 1e-6
    assert np.abs(heard[:14_400]).max() > 0.2
    assert np.abs(heard[49_600:]).max() > 0.2


def test_metadata_tells_when(tmp_path: Path) -> None:
    path = encode(
        tmp_path / "a.mp4",
        tone(0.5, rate=48_000),
        "aac",
        metadata={"creation_time": "2026-03-02T09:00:00.000000Z"},
    )
    assert look(path).created_ms == 1_772_442_000_000


def test_broken_packets_become_silence_and_are_told(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 48_000 * 6).astype(np.float32)
    path = encode(tmp_path / "a.m4a", noise, "aac")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2_000] = random.Random(1).randbytes(2_000)
    path.write_bytes(data)
    with closing(MediaFile(path)) as media:
        heard = np.concatenate(list(media.read()))
        missing = media.missing
    assert len(missing) >= 1
    for start, end in missing:
        assert 40_000 < start < end < 60_000
        assert np.abs(heard[start:end]).max() == 0.0
    assert len(heard) == pytest.approx(96_000, abs=1_600)  # what follows keeps its time


def test_a_file_that_breaks_off_says_what_is_missing(tmp_path: Path) -> None:
    whole_file = encode(tmp_path / "a.mkv", tone(10.0, rate=48_000), "flac")
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole_file.read_bytes()[: whole_file.stat().st_size // 2])
    with closing(MediaFile(path)) as media:
        heard = sum(len(piece) for piece in media.read())
        assert media.missing[-1].start == heard
        assert media.missing[-1].end == pytest.approx(160_000, abs=1_600)


def test_a_wave_file_that_breaks_off_says_what_is_missing(tmp_path: Path) -> None:
    whole = write_wav(tmp_path / "a.wav", tone(10.0)).read_bytes()
    path = tmp_path / "cut.wav"
    path.write_bytes(whole[: len(whole) // 4])
    with closing(MediaFile(path)) as media:
        heard = sum(len(piece) for piece in media.read())
        assert heard == pytest.approx(40_000, abs=100)
        assert media.missing == [(heard, pytest.approx(160_000, abs=160))]


def test_channels_that_cannot_be_mixed_are_one_clear_line(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.zeros((16_000, 124), np.float32))
    with closing(MediaFile(path)) as media, pytest.raises(BadInput, match="cannot be decoded"):
        list(media.read())


def test_an_unknown_codec_is_one_clear_line(tmp_path: Path) -> None:
    data = bytearray(write_wav(tmp_path / "a.wav", tone(2.0)).read_bytes())
    data[20:22] = b"\xde\xad"  # the format tag
    path = tmp_path / "odd.wav"
    path.write_bytes(data)
    with pytest.raises(BadInput, match="unknown codec"):
        MediaFile(path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.wav", b"", "is empty"),
        ("a.mp4", b"\x00" * 4_000, "cannot be read as audio or video"),
        ("a.wav", b"hello, this is a text file\n" * 100, "cannot be read as audio or video"),
        ("a.m3u8", b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n#EXT-X-ENDLIST\n", "cannot be read"),
        ("a.txt", b"ffconcat version 1.0\nfile /etc/hostname\n", "cannot be read"),
    ],
)
def test_not_audio_is_one_clear_line(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=says) as caught:
        list(read(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_folder_and_pipe(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such file"):
        look(tmp_path / "none.wav")
    with pytest.raises(BadInput, match="is a folder"):
        look(tmp_path)
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(BadInput, match="no regular file"):
        look(tmp_path / "pipe.wav")


def test_a_video_without_sound(tmp_path: Path) -> None:
    import av

    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=1)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        black = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        container.mux(picture.encode(black))
        container.mux(picture.encode(None))
    with pytest.raises(BadInput, match="has no sound in it"):
        look(path)


def test_a_playlist_opens_nothing_else(tmp_path: Path) -> None:
    """An upload is untrusted: a playlist in it must not make FFmpeg read other files."""
    secret = write_wav(tmp_path / "secret.wav", tone(1.0))
    playlist = f"#EXTM3U\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n".encode()
    with pytest.raises(BadInput, match="the upload: cannot be read"):
        MediaFile(io.BytesIO(playlist), "the upload")


def test_values_beyond_full_scale_and_no_numbers(tmp_path: Path) -> None:
    import av

    path = tmp_path / "f.wav"
    values = np.array([[0.5, np.nan, np.inf, -np.inf, 4.0, -4.0] * 400], np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=16_000)
        stream.codec_context.layout = "mono"
        frame = av.AudioFrame.from_ndarray(values, format="flt", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    heard = whole(path)
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= 1.0
