"""Websocket frames as a server sends them: unmasked, so the same bytes for every client."""

from __future__ import annotations

import struct
from typing import Final

MAX_WAITING: Final = 64 << 20
"""Bytes a client may be behind; then its connection is dropped, as a lost one."""

_FIN: Final = 0x80
_CONTINUATION: Final = 0x0
_TEXT: Final = 0x1
_BINARY: Final = 0x2
_REMEMBERED: Final = 256
_LARGEST: Final = 64 << 10
"""Bytes of a payload worth remembering: images are not shared long enough to keep them."""


def frame(payload: bytes, *, text: bool, first: bool = True, last: bool = True) -> bytes:
    """One data frame (RFC 6455 section 5.2), or with ``first`` and ``last`` a part of a message."""
    opcode = (_TEXT if text else _BINARY) if first else _CONTINUATION
    head = opcode | (_FIN if last else 0)
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", head, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", head, 126, size) + payload
    return struct.pack("!BBQ", head, 127, size) + payload


class Framer:
    """Frames of whole messages, made once for a payload that goes to many connections.

    Payloads are told apart by identity: streams that play one tape share the object.
    """

    def __init__(self, *, text: bool) -> None:
        self.text = text
        self._made: dict[int, tuple[bytes, bytes]] = {}

    def __call__(self, payload: bytes) -> bytes:
        """The frame of one message."""
        found = self._made.get(id(payload))
        if found is not None and found[0] is payload:
            return found[1]
        made = frame(payload, text=self.text)
        if len(payload) > _LARGEST:
            return made
        if len(self._made) >= _REMEMBERED:
            self._made.clear()
        self._made[id(payload)] = (payload, made)  # held, so that its id is not given away
        return made
