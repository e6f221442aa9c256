"""One connection's way out: at once while the client keeps up, through a bounded queue if not."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from pipeline.emulator.frames import MAX_WAITING, Framer, frame

_DIRECT: Final = 64 << 10
"""Bytes the transport may hold before messages wait in our queue."""


class Peer:
    """Nobody waits for a slow client, and nothing is sent after a close."""

    def __init__(self, connection: ServerConnection, framer: Framer) -> None:
        self._connection = connection
        self._transport = connection.transport
        self._framer = framer
        self._rows: deque[bytes | int] = deque()  # frames, and the code of a close
        self._waiting = 0
        self._gone = False
        self._more = asyncio.Event()

    def send(self, payload: bytes) -> None:
        """One whole message."""
        self._put(self._framer(payload))

    def piece(self, payload: bytes, *, first: bool, last: bool) -> None:
        """A part of a message; nothing else may be sent before its last part."""
        self._put(frame(payload, text=self._framer.text, first=first, last=last))

    def close(self, code: int) -> None:
        """With a close frame, after what waits."""
        self._rows.append(code)
        self._more.set()

    def abort(self) -> None:
        """Without one, at once."""
        self._gone = True
        self._rows.clear()
        self._waiting = 0
        self._transport.abort()

    @property
    def waiting(self) -> int:
        """Bytes the client has not taken yet."""
        return self._waiting + self._transport.get_write_buffer_size()

    def _put(self, row: bytes) -> None:
        if self._gone:
            return
        if not self._rows and self._transport.get_write_buffer_size() < _DIRECT:
            # A frame is all websockets would make of it; its state only says whether one may.
            if self._connection.state is State.OPEN:
                self._transport.write(row)
            return
        self._rows.append(row)
        self._waiting += len(row)
        self._more.set()
        if self._waiting > MAX_WAITING:
            self.abort()

    async def write(self) -> None:
        """Send what had to wait, until cancelled or closed."""
        connection = self._connection
        try:
            while True:
                while self._rows:
                    row = self._rows[0]
                    if isinstance(row, int):
                        self._gone = True
                        await connection.close(row)
                        return
                    await connection.drain()
                    if not self._rows:  # aborted meanwhile
                        return
                    if connection.state is not State.OPEN:
                        return
                    self._rows.popleft()
                    self._waiting -= len(row)
                    self._transport.write(row)
                self._more.clear()
                await self._more.wait()
        except (ConnectionClosed, OSError):  # gone while it was waited for
            return
