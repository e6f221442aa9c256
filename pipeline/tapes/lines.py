"""The lines of a tape after its header: messages, packed audio, marks (docs/tapes.md).

``t`` is milliseconds from the header's ``start_ms``; lines stand in order of ``t``. For a message
it is when it was sent; for packed audio when its first sample was spoken.
"""

from __future__ import annotations

from typing import Literal

import msgspec

SocketName = Literal["signaling", "audio", "video", "deskshare", "transcript", "chat", "all"]
"""What ``socket`` may say: signaling, or a key of ``server_urls``."""


class TapeMessage(msgspec.Struct, frozen=True, kw_only=True, rename={"sender": "from"}):
    """A wire message as it was, timestamps and all."""

    t: int
    socket: SocketName
    sender: Literal["server", "client"] = "server"
    msg: msgspec.Raw


class Packed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Consecutive codec packets of one participant.

    ``timestamp``: Unix ms of the first packet's first sample, after the encoder's run-up is cut.
    ``user_id`` 0 is the mixed stream. A *spurt* is sound without a break; the decoder starts anew
    with each.
    """

    coding: int = 0
    user_id: int
    channel_id: str | None = None
    timestamp: int
    first: bool = False
    last: bool = False
    packets: tuple[bytes, ...]


class TapeAudio(msgspec.Struct, frozen=True, kw_only=True, rename={"sender": "from"}):
    """Packed audio of one participant, at most a second or so a line."""

    t: int
    socket: Literal["audio"] = "audio"
    sender: Literal["server"] = "server"
    packed: Packed


class LostMark(msgspec.Struct, frozen=True, kw_only=True):
    """Media sockets are lost here for ``ms`` of meeting time; signaling stays.

    ``replay`` False: what was sent until a socket's return is gone (Zoom's own habit is to replay).
    ``close``: end the TCP connection with a close frame or without one.
    """

    t: int
    mark: Literal["lost"] = "lost"
    media: Literal["audio", "video", "deskshare", "transcript", "chat", "all"] = "all"
    ms: int
    replay: bool = True
    close: Literal["abrupt", "frame"] = "abrupt"


class EndMark(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of every tape; a tape without it was cut off. ``lines`` counts those between
    header and this one.
    """

    t: int
    mark: Literal["end"] = "end"
    lines: int


Line = TapeMessage | TapeAudio | LostMark
"""What a reader yields."""
