"""What a stream tells its shell to do, and how long things may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from pipeline.rtms.enums import StopReason

NORMAL: Final = 1000
GOING_AWAY: Final = 1001


class Send(msgspec.Struct, frozen=True, gc=False):
    """Put a message on a connection. ``kind``: ``audio``, ``video``, ``deskshare``, ``transcript``,
    ``chat``, ``event``, ``state``, ``keep_alive`` or ``protocol`` (answers)."""

    connection: int
    payload: bytes
    kind: str = "protocol"


class Close(msgspec.Struct, frozen=True, gc=False):
    """Close with a close frame, after what was sent before."""

    connection: int
    code: int = NORMAL


class Abort(msgspec.Struct, frozen=True, gc=False):
    """Drop the TCP connection without a close frame."""

    connection: int


class Notify(msgspec.Struct, frozen=True, gc=False):
    """Send a webhook. ``at``: its ``event_ts``, ms from the start."""

    what: Literal["started", "interrupted", "stopped"]
    at: int
    reason: StopReason | None = None


Action = Send | Close | Abort | Notify


@dataclass(frozen=True)
class Windows:
    """How long things may take, in ms of meeting time (reference sections 2.5, 9, 15)."""

    keepalive: int = 10_000
    misses: int = 3
    connect: int = 60_000
    signaling: int = 60_000
    media: int = 65_000
