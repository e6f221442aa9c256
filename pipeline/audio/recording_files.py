"""FLAC and Opus files of working files, of one voice or of all together. Loads FFmpeg."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.audio.recording import Codec, Track
from pipeline.audio.recording_disk import sync_folder, typed
from pipeline.base.errors import StorageError

Pcm = NDArray[np.int16]

_OPUS_RATES = {8_000: 16_000, 16_000: 16_000}
"""What libopus is fed; anything else becomes 48 kHz. At 8 kHz FFmpeg's libopus gives files of less
than 20 ms a wrong length."""
_OPUS_BITS = 32_000
"""A second, one voice: transparent for speech at 16 kHz; FLAC takes about 8 times as much."""
_OPUS_OPTIONS = {"application": "audio", "compression_level": "5", "frame_duration": "60"}
"""7 CPU-s an hour of noise and 3 of silence; the usual ``voip`` at level 10 takes 11 and 19."""
_CHUNK_S = 4


class Stopped(Exception):
    """Encoding was broken off as asked; nothing is left of it."""


def encode(
    tracks: Sequence[Track],
    *,
    first: int,
    end: int,
    codec: Codec,
    target: Path,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[int, int]:
    """Write ``first <= position < end`` of all tracks (of one rate) together to ``target``.

    The file is there whole and durable, or not at all. Returns samples and sample rate as they
    decode. Raises StorageError, or Stopped when ``stopped`` says so between two chunks.
    """
    rate = tracks[0].head.rate
    out_rate = rate if codec == "flac" else _OPUS_RATES.get(rate, 48_000)
    total = -(-(end - first) * out_rate // rate)
    fresh = target.with_name(f"{target.name}.tmp")
    try:
        with typed(f"writing {target.name}"):
            fresh.unlink(missing_ok=True)
            os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        chunks = _resampled(_mixed(tracks, first, end, stopped), rate, out_rate, total)
        _write(fresh, codec, out_rate, chunks)
        with typed(f"writing {target.name}"):
            handle = os.open(fresh, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            fresh.replace(target)
            sync_folder(target.parent)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return total, out_rate


def _mixed(
    tracks: Sequence[Track], first: int, end: int, stopped: Callable[[], bool]
) -> Iterator[Pcm]:
    """Chunks of the sum, held within 16 bits; one track alone passes unchanged."""
    size = _CHUNK_S * tracks[0].head.rate
    for at in range(first, end, size):
        if stopped():
            raise Stopped
        count = min(size, end - at)
        total = np.zeros(count, np.int32)
        for track in tracks:
            if track.first < at + count and track.end > at:
                total += np.frombuffer(track.read(at, count), "<i2")
        yield np.clip(total, -32_768, 32_767).astype(np.int16)


def _resampled(chunks: Iterator[Pcm], rate: int, out_rate: int, total: int) -> Iterator[Pcm]:
    """Exactly ``total`` samples at ``out_rate``."""
    if rate == out_rate:
        yield from chunks
        return
    import soxr  # only for rates that Opus does not have

    stream = soxr.ResampleStream(rate, out_rate, 1, dtype="int16", quality="HQ")
    missing = total
    for chunk in chunks:
        part = np.asarray(stream.resample_chunk(chunk), np.int16)[:missing]
        missing -= len(part)
        yield part
    rest = np.asarray(stream.resample_chunk(np.zeros(0, np.int16), last=True), np.int16)[:missing]
    yield np.concatenate((rest, np.zeros(missing - len(rest), np.int16)))


def _write(path: Path, codec: Codec, rate: int, chunks: Iterator[Pcm]) -> None:
    try:
        with (
            typed(f"writing {path.stem}"),  # PyAV's errors of the system are OSErrors too
            av.open(str(path), "w", format="flac" if codec == "flac" else "ogg") as container,
        ):
            stream = container.add_stream("flac" if codec == "flac" else "libopus", rate=rate)
            context = stream.codec_context
            context.layout = "mono"
            context.format = "s16"
            if codec == "opus":
                context.bit_rate = _OPUS_BITS
                context.options = _OPUS_OPTIONS
            context.open()
            at = 0
            for block in _blocks(chunks, context.frame_size):
                frame = av.AudioFrame.from_ndarray(block[None, :], format="s16", layout="mono")
                frame.sample_rate = rate
                frame.pts = at
                at += len(block)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        raise StorageError(f"writing {path.stem}: {error.strerror}", kind="codec") from error


def _blocks(chunks: Iterator[Pcm], size: int) -> Iterator[Pcm]:
    """The same samples in blocks of what the encoder takes; the last may be shorter."""
    rest = np.zeros(0, np.int16)
    for chunk in chunks:
        rest = np.concatenate((rest, chunk))
        whole = len(rest) - len(rest) % size
        for start in range(0, whole, size):
            yield rest[start : start + size]
        rest = rest[whole:]
    if len(rest):
        yield rest
