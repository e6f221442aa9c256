"""As much of RFC 6455 as a client needs that looks at no frame. Pure."""

from __future__ import annotations

import os


def client_frame(payload: bytes, mask: bytes | None = None) -> bytes:
    """A whole text frame, masked as a client must. ``payload``: below 64 KiB."""
    mask = os.urandom(4) if mask is None else mask
    size = len(payload)
    head = (
        bytes((0x81, 0x80 | size))
        if size < 126
        else bytes((0x81, 0x80 | 126)) + size.to_bytes(2, "big")
    )
    pad = (mask * (size // 4 + 1))[:size]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")
    return head + mask + masked


def first_frame(data: bytes) -> tuple[int, int]:
    """Bytes of the head and of the payload of the unmasked frame ``data`` begins with; (0, 0) when
    the head is not there yet."""
    if len(data) < 2:
        return 0, 0
    length = data[1] & 0x7F
    if length < 126:
        return 2, length
    size = 2 if length == 126 else 8
    if len(data) < 2 + size:
        return 0, 0
    return 2 + size, int.from_bytes(data[2 : 2 + size], "big")
