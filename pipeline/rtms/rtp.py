"""The payload of an RTP packet (RFC 3550), for audio that was asked for as ``rtp``.

Whether Zoom puts whole packets into its messages is not documented (reference section 7.1), so both
forms are told apart by what they look like.
"""

from __future__ import annotations

from typing import Final

_HEADER: Final = 12
_DYNAMIC: Final = range(96, 128)
_STEP: Final = {"G711": 160, "G722": 160}
"""Bytes of 20 ms, where they are always the same: what is a multiple of it has no header."""


def payload(codec: str, data: bytes) -> bytes:
    """What is inside the packet; ``data`` itself where it is no packet.

    A bare Opus packet of 20 ms never starts like RTP with a dynamic payload type: its first byte
    would say 2.5 or 10 ms.
    """
    step = _STEP.get(codec)
    if step is not None and len(data) % step == 0:
        return data
    inside = _inside(data)
    if inside is None:
        return data
    if step is not None:
        return inside if inside and len(inside) % step == 0 else data
    return inside if data[1] & 0x7F in _DYNAMIC else data


def _inside(data: bytes) -> bytes | None:
    if len(data) < _HEADER or data[0] >> 6 != 2:
        return None
    start = _HEADER + 4 * (data[0] & 0x0F)
    if data[0] & 0x10:  # an extension: two bytes of profile, two of length in words
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = len(data)
    if data[0] & 0x20:  # padding: its length is the last byte
        end -= data[-1]
    return data[start:end] if start < end else None
