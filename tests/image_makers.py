"""Pictures and video as Zoom would send them, made by FFmpeg's own encoders."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def slide(number: int, width: int = 640, height: int = 360) -> Pixels:
    """A slide of text-like marks; another one for each number."""
    rng = np.random.default_rng(number)
    pixels = np.full((height, width, 3), 245, np.uint8)
    for top in range(height // 12, height - height // 10, height // 14 or 1):
        left = width // 20
        while left < width * int(rng.integers(4, 10)) // 10:
            wide = int(rng.integers(width // 100 + 1, width // 30 + 2))
            pixels[top : top + height // 36 + 1, left : left + wide] = rng.integers(0, 90, 3)
            left += wide + width // 120 + 1
    return pixels


def still(pixels: Pixels, kind: Literal["mjpeg", "png"] = "mjpeg") -> bytes:
    """One JPEG or PNG image."""
    pix_fmt = "yuvj420p" if kind == "mjpeg" else "rgb24"
    writer = VideoCodecContext.create(kind, "w")
    writer.height, writer.width = pixels.shape[:2]
    writer.pix_fmt, writer.time_base, writer.color_range = pix_fmt, Fraction(1, 25), 2
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format=pix_fmt, dst_color_range="JPEG"
    )
    frame.pts = 0
    return b"".join(bytes(p) for p in [*writer.encode(frame), *writer.encode(None)])


def moving(pictures: list[Pixels], *, fps: int = 10, key_every: int = 20) -> list[bytes]:
    """H.264 in Annex B, one message a picture, parameter sets before each key frame."""
    writer = VideoCodecContext.create("libx264", "w")
    writer.height, writer.width = pictures[0].shape[:2]
    writer.pix_fmt, writer.time_base, writer.framerate = "yuv420p", Fraction(1, fps), Fraction(fps)
    params = f"keyint={key_every}:min-keyint={key_every}:scenecut=0:repeat-headers=1:annexb=1"
    writer.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": params}
    messages: list[bytes] = []
    for number, pixels in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
        frame.pts = number
        messages += [bytes(packet) for packet in writer.encode(frame)]
    messages += [bytes(packet) for packet in writer.encode(None)]
    assert len(messages) == len(pictures)
    return messages


def played(path: str) -> tuple[list[float], tuple[int, int]]:
    """Times (s) of all frames of a video file, and its size."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        times = [float(frame.time or 0.0) for frame in container.decode(stream)]
        return times, (stream.codec_context.width, stream.codec_context.height)
