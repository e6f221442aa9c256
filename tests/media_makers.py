"""Audio and video files made by FFmpeg, from samples that are known."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]


def tone(seconds: float, hertz: float = 440.0, rate: int = 16_000) -> Sound:
    """A sine at a quarter of full scale."""
    at = np.arange(round(seconds * rate)) / rate
    return (0.25 * np.sin(2 * np.pi * hertz * at)).astype(np.float32)


def write_wav(path: Path, sound: Sound, rate: int = 16_000) -> Path:
    """A plain wave file, 16 bit; (frames,) or (frames, channels)."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if sound.ndim == 1 else sound.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.rint(sound * 32_767).astype("<i2").tobytes())
    return path


def encode(
    path: Path,
    sound: Sound,
    codec: str,
    rate: int = 48_000,
    *,
    video: bool = False,
    leave_out: tuple[int, int] = (0, 0),
    metadata: dict[str, str] | None = None,
) -> Path:
    """A file of the form its name tells; mono samples (frames,). ``video``: a black picture a
    second beside it. ``leave_out``: samples from, to that are not in it, though time passes."""
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate)
        stream.codec_context.layout = "mono"
        picture = None
        if video:
            picture = container.add_stream("mpeg4", rate=1)
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        form = stream.codec_context.codec.audio_formats[0].name
        mixer = av.AudioResampler(format=form, layout="mono", rate=rate)
        for start in range(0, len(sound), rate // 50):
            piece = sound[start : start + rate // 50]
            if leave_out[0] <= start < leave_out[1]:
                continue
            frame = av.AudioFrame.from_ndarray(piece.reshape(1, -1), format="flt", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            for made in mixer.resample(frame):
                container.mux(stream.encode(made))
            if picture is not None and start % rate == 0:
                black = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
                black.pts, black.time_base = start // rate, Fraction(1, 1)
                container.mux(picture.encode(black))
        container.mux(stream.encode(None))
        if picture is not None:
            container.mux(picture.encode(None))
    return path
