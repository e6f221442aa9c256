"""How much sound a WAV file says it holds: FFmpeg tells only what is there."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, Final

_NOT_TOLD: Final = 0x7FFF0000
"""Programs that write into a pipe do not know the length; they leave 0, or about the most."""
_MOST_CHUNKS: Final = 100


def told_of_what_is_there(file: BinaryIO) -> float:
    """The length that the header tells, as a multiple of what the file holds: more than 1 for one
    that breaks off, 1 where that cannot be told. The file's position is as before."""
    before = file.tell()
    try:
        there = file.seek(0, os.SEEK_END)
        file.seek(0)
        return _ratio(file, there)
    finally:
        file.seek(before)


def _ratio(file: BinaryIO, there: int) -> float:
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return 1.0
    for _ in range(_MOST_CHUNKS):
        chunk = file.read(8)
        if len(chunk) < 8:
            return 1.0
        size = int(struct.unpack("<I", chunk[4:])[0])
        begin = file.tell()
        if chunk[:4] == b"data":
            held = there - begin
            return size / held if 0 < held < size < _NOT_TOLD else 1.0
        file.seek(begin + size + size % 2)
    return 1.0
