"""Orders for the socket shell, and the connections they are about."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import msgspec

from pipeline.rtms.effects import Send
from pipeline.rtms.enums import MediaType
from pipeline.rtms.outputs import Output


class Open(msgspec.Struct, frozen=True):
    """Connect ``socket`` to the first of ``urls`` that answers and shake hands. Whatever was
    connected under this name before (for signaling: anything) must be closed first."""

    socket: str
    urls: tuple[str, ...]
    media: MediaType


class Close(msgspec.Struct, frozen=True):
    """Let go of the connection, whatever state it is in; nothing more of it is reported."""

    socket: str


Order = Open | Close | Send | Output


class Phase(Enum):
    """Where a connection stands."""

    IDLE = "not wanted now"
    WAITING = "to be opened at a time"
    OPENING = "connecting or shaking hands"
    UP = "handshake done"
    GONE = "given up"


class Socket(msgspec.Struct):
    """One connection as ``Recovery`` sees it. ``at``: next try; ``until``: end of Zoom's window;
    ``before``: an earlier connection of ours may linger at Zoom's side."""

    name: str
    urls: tuple[str, ...]
    media: MediaType
    phase: Phase = Phase.IDLE
    at: float = 0.0
    until: float = 0.0
    up_since: float = 0.0
    before: bool = False
    told_lost: bool = False
    reconnect: Iterator[float] | None = None
    duplicate: Iterator[float] | None = None
    why: str = ""
