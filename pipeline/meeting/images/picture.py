"""What an image from outside claims to be, read before anything decodes it. Pure."""

from __future__ import annotations

import struct
from typing import ClassVar, Literal

import msgspec

from pipeline.base.errors import OutsideError

_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_PICTURE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame


class UnusableImage(OutsideError):
    """An image that is not looked at: ``kind`` not_an_image, too_large, too_many_pixels,
    undecodable or no_keyframe."""

    source: ClassVar[str] = "image"


class Picture(msgspec.Struct, frozen=True):
    """A still image by its own bytes."""

    kind: Literal["jpg", "png"]
    width: int
    height: int


def read(data: bytes, *, max_bytes: int, max_pixels: int) -> Picture:
    """What the bytes are, by their first ones, whatever was told. Raises UnusableImage."""
    if len(data) > max_bytes:
        raise UnusableImage(f"an image of {len(data)} bytes", kind="too_large")
    found = _png(data) if data.startswith(_PNG) else _jpeg(data)
    if found is None or not found.width or not found.height:
        raise UnusableImage(f"{len(data)} bytes are no JPEG or PNG", kind="not_an_image")
    check_pixels(found.width, found.height, max_pixels)
    return found


def plain_png(data: bytes) -> bytes:
    """A PNG without what is not its picture. FFmpeg inflates colour profiles and texts as a whole:
    400 kB of them may be 400 MB. What is broken stays so, for the decoder to say."""
    parts = [_PNG]
    at = len(_PNG)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] in _PNG_PICTURE:
            parts.append(data[at:end])
        at = end
    return b"".join(parts)


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Raises UnusableImage for more pixels than are decoded."""
    if width * height > max_pixels:
        raise UnusableImage(f"an image of {width} x {height}", kind="too_many_pixels")


def _png(data: bytes) -> Picture | None:
    if len(data) < 33 or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return Picture("png", width, height)


def _jpeg(data: bytes) -> Picture | None:
    """Walks the segments up to the one that tells the size."""
    if not data.startswith(_JPEG):
        return None
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _SIZES:
            if at + 9 > len(data):
                return None
            height, width = struct.unpack_from(">HH", data, at + 5)
            return Picture("jpg", width, height)
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return None
