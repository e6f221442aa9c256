"""Websocket messages out of the bytes of a socket (RFC 6455), without I/O.

The usual frame, a whole text or binary message, is cut out here; every other one (control frames,
fragments, whatever breaks the rules) is given whole to the websockets library, which decides. That
halves the cost of a small message and leaves the rules in one place.
"""

from __future__ import annotations

import sys
from typing import Final

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode

_TEXT: Final = 0x81
_BINARY: Final = 0x82
_MASKED: Final = 0x80
_OPCODES: Final = frozenset(int(opcode) for opcode in Opcode)
_CONTENT: Final = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})


class Inbound:
    """Takes what arrives after the upgrade and gives whole messages.

    ``protocol`` is in its open state. A message may have at most ``limit`` bytes; so much is held
    back at most. ``answered`` is set when the protocol may have something to send or has changed
    its state; the caller resets it.
    """

    def __init__(self, protocol: ClientProtocol, limit: int) -> None:
        self.answered = False
        self._protocol = protocol
        self._limit = limit
        self._chunks: list[bytes] = []
        self._missing = 0
        self._parts: bytearray | None = None  # of a fragmented message
        self._over = False

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads of the messages that ``data`` completes, in order."""
        if self._is_over():
            self._give(data)
            return []
        if self._chunks:
            self._chunks.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return []
            data = b"".join(self._chunks)
            self._chunks.clear()
        messages: list[bytes] = []
        at, end = 0, len(data)
        while at < end and not self._is_over():
            head, length = _measured(data, at, end)
            if head and length > self._limit:
                self._give(data[at:])  # too big or broken, by its header alone
                break
            if not head or at + head + length > end:
                self._chunks.append(data[at:] if at else data)
                self._missing = at + head + length - end if head else 1
                break
            start, at = at, at + head + length
            if _TEXT <= data[start] <= _BINARY and self._parts is None:
                messages.append(data[start + head : at])
            else:
                self._slow(data[start:at], messages)
        if self._is_over() and at < end:
            self._give(data[at:])
        return messages

    def _slow(self, frame: bytes, messages: list[bytes]) -> None:
        self._give(frame)
        for event in self._protocol.events_received():
            if not isinstance(event, Frame):
                continue
            if event.opcode in _CONTENT:
                parts = self._parts if self._parts is not None else bytearray()
                parts += event.data
                self._parts = None if event.fin else parts
                if event.fin:
                    messages.append(bytes(parts))

    def _give(self, data: bytes) -> None:
        self.answered = True
        self._protocol.receive_data(data)
        # After a close frame or a broken rule it takes nothing more.
        protocol = self._protocol
        self._over = protocol.close_rcvd is not None or protocol.parser_exc is not None

    def _is_over(self) -> bool:
        return self._over


def _measured(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Bytes of the header and of the payload of the frame at ``at``; (0, 0) when that cannot be
    told yet. A frame that its first two bytes show to be broken is endless."""
    if end - at < 2:
        return 0, 0
    length = data[at + 1]
    if length >= _MASKED or data[at] & 0x0F not in _OPCODES:
        return 2, sys.maxsize
    if length < 126:
        return 2, length
    more = 2 if length == 126 else 8
    if end - at < 2 + more:
        return 0, 0
    return 2 + more, int.from_bytes(data[at + 2 : at + 2 + more], "big")
