"""Images to frames and frames to our own JPEG, by PyAV. Importing this loads FFmpeg."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Final, Literal

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from pipeline.meeting.images import annexb, picture
from pipeline.meeting.images.picker import HEIGHT, WIDTH, Gray
from pipeline.meeting.images.picture import UnusableImage

_DECODERS: Final[dict[str, Literal["mjpeg", "png"]]] = {"jpg": "mjpeg", "png": "png"}
_QUALITY: Final = 4
"""Of FFmpeg's 2..31: text of an FHD slide stays sharp in about 250 kB."""
_SMALL_QUALITY: Final = 6
SMALL_WIDTH: Final = 320


class Limits:
    """How much of an image is looked at at most."""

    def __init__(self, *, max_bytes: int, max_pixels: int) -> None:
        self.max_bytes = max_bytes
        self.max_pixels = max_pixels


def still(data: bytes, limits: Limits) -> VideoFrame:
    """The frame of a JPEG or PNG image, by its own first bytes. Raises UnusableImage."""
    found = picture.read(data, max_bytes=limits.max_bytes, max_pixels=limits.max_pixels)
    frames = _decode(
        _reader(_DECODERS[found.kind], limits),
        picture.plain_png(data) if found.kind == "png" else data,
    )
    if not frames:
        raise UnusableImage(f"a {found.kind} image without a picture", kind="undecodable")
    return _checked(frames[0], limits)


class Moving:
    """Decodes H.264, message by message, from a key frame on. A broken message means waiting for
    the next key frame."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._reader: VideoCodecContext | None = None

    def frame(self, data: bytes) -> VideoFrame | None:
        """The newest frame the message completes, if it does. Raises UnusableImage."""
        if len(data) > self._limits.max_bytes:
            self._reader = None
            raise UnusableImage(f"an image of {len(data)} bytes", kind="too_large")
        unit = annexb.read(data)
        if unit is None:
            raise UnusableImage(f"{len(data)} bytes are no H.264", kind="not_an_image")
        if unit.size is not None:
            picture.check_pixels(*unit.size, self._limits.max_pixels)
        if self._reader is None:
            if not unit.key:
                return None
            self._reader = _reader("h264", self._limits)
        try:
            frames = _decode(self._reader, data)
        except UnusableImage:
            self._reader = None
            raise
        return _checked(frames[-1], self._limits) if frames else None

    def restart(self) -> None:
        """Messages are missing: wait for a key frame."""
        self._reader = None


def _reader(name: Literal["mjpeg", "png", "h264"], limits: Limits) -> VideoCodecContext:
    """Refuses by itself what turns out larger than its first bytes told."""
    reader = VideoCodecContext.create(name, "r")
    reader.thread_count = 1
    reader.options = {"max_pixels": str(limits.max_pixels)}
    return reader


def _decode(reader: VideoCodecContext, data: bytes) -> list[VideoFrame]:
    try:
        return reader.decode(av.Packet(data))
    except (av.FFmpegError, ValueError) as error:
        raise UnusableImage(
            f"{len(data)} bytes that {reader.name} cannot decode", kind="undecodable"
        ) from error


def _checked(frame: VideoFrame, limits: Limits) -> VideoFrame:
    picture.check_pixels(frame.width, frame.height, limits.max_pixels)
    return frame


def gray(frame: VideoFrame) -> Gray:
    """The frame as ``picker`` compares it. Raises UnusableImage."""
    with _usable(frame):
        small = frame.reformat(WIDTH, HEIGHT, "gray", interpolation="AREA")
        return np.asarray(small.to_ndarray(), np.uint8)


def jpeg(frame: VideoFrame, width: int | None = None) -> bytes:
    """The frame as JPEG, scaled down to ``width`` if it is wider. Nothing of the sender's file but
    its pixels is in it. Raises UnusableImage."""
    small = width is not None and frame.width > width
    wide = width if small and width is not None else frame.width
    high = max(1, frame.height * wide // frame.width)
    area = "AREA" if small else None
    with _usable(frame):
        made = frame.reformat(wide, high, "yuvj444p", dst_color_range="JPEG", interpolation=area)
        made.pts = 0
        writer = VideoCodecContext.create("mjpeg", "w")
        writer.width, writer.height, writer.pix_fmt = wide, high, "yuvj444p"
        writer.time_base = Fraction(1, 1000)
        writer.color_range = 2
        writer.qmin = writer.qmax = _SMALL_QUALITY if small else _QUALITY
        return b"".join(bytes(packet) for packet in [*writer.encode(made), *writer.encode(None)])


@contextmanager
def _usable(frame: VideoFrame) -> Iterator[None]:
    """A frame of a form that FFmpeg cannot convert is as good as none."""
    try:
        yield
    except (av.FFmpegError, ValueError) as error:
        raise UnusableImage(
            f"a frame of {frame.width} x {frame.height}, {frame.format.name}", kind="undecodable"
        ) from error
