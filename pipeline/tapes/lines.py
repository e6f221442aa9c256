"""The lines of a tape after its header: messages, packed audio, marks (docs/tapes.md).

``t`` is milliseconds from the header's ``start_ms``; lines stand in order of ``t``. For a message
it is when it was sent; for packed audio when its first packet was sent or, on a made tape, when its
first sample was spoken.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from pipeline.tapes.header import AudioCoding, Ms

MAX_PACKETS: Final = 100
"""Of one line; writers stay near a second."""

UserId = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]

SocketName = Literal["signaling", "audio", "video", "deskshare", "transcript", "chat", "all"]
"""What ``socket`` may say: signaling, or a key of ``server_urls``."""


class TapeMessage(msgspec.Struct, frozen=True, kw_only=True, rename={"sender": "from"}):
    """A wire message as it was, timestamps and all."""

    t: Ms
    socket: SocketName
    sender: Literal["server", "client"] = "server"
    msg: msgspec.Raw


class Packed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Consecutive codec packets of one participant.

    ``timestamp``: Unix ms of the first packet's first sample, after the encoder's run-up is cut.
    ``user_id`` 0 is the mixed stream. A *spurt* is sound without a break; the decoder starts anew
    with each. In version 2 a line that is not ``first`` may stand a little off the end of the one
    before (the server's own jitter), ``last`` may come in a line without packets, and
    ``user_name`` says what the messages said.
    """

    coding: Annotated[int, msgspec.Meta(ge=0)] = 0
    user_id: UserId
    user_name: str | None = None
    channel_id: str | None = None
    timestamp: Ms
    first: bool = False
    last: bool = False
    packets: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=MAX_PACKETS)]


class TapeAudio(msgspec.Struct, frozen=True, kw_only=True, rename={"sender": "from"}):
    """Packed audio of one participant, at most a second or so a line."""

    t: Ms
    socket: Literal["audio"] = "audio"
    sender: Literal["server"] = "server"
    packed: Packed


class LostMark(msgspec.Struct, frozen=True, kw_only=True):
    """Media sockets are lost here for ``ms`` of meeting time; signaling stays.

    ``replay`` False: what was sent until a socket's return is gone (Zoom's own habit is to replay).
    ``close``: end the TCP connection with a close frame or without one. On a recorded tape ``ms``
    is 0, the client may return at once, and a ``BackMark`` tells when the recorded one did.
    """

    t: Ms
    mark: Literal["lost"] = "lost"
    media: Literal["audio", "video", "deskshare", "transcript", "chat", "all"] = "all"
    ms: Ms
    replay: bool = True
    close: Literal["abrupt", "frame"] = "abrupt"


class BackMark(msgspec.Struct, frozen=True, kw_only=True):
    """The recorded client had this socket back (version 2). A player passes it over."""

    t: Ms
    mark: Literal["back"] = "back"
    media: Literal["audio", "video", "deskshare", "transcript", "chat", "all"] = "all"


class MissingMark(msgspec.Struct, frozen=True, kw_only=True):
    """Frames came here that are not on the tape (version 2): ``overflow``, the recorder could not
    keep up; ``unreadable``, no JSON object, so no secret could be removed; ``too_large``.
    """

    t: Ms
    mark: Literal["missing"] = "missing"
    frames: Annotated[int, msgspec.Meta(ge=1)]
    cause: Literal["overflow", "unreadable", "too_large"]


class CodingMark(msgspec.Struct, frozen=True, kw_only=True):
    """One more entry of the header's ``audio`` table, from here on (version 2): a recorder learns
    only from message 4 what comes. The reader keeps the table and does not yield these.
    """

    t: Ms
    mark: Literal["coding"] = "coding"
    coding: AudioCoding


class EndMark(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of every tape; a tape without it was cut off. ``lines`` counts those between
    header and this one.
    """

    t: Ms
    mark: Literal["end"] = "end"
    lines: int


Line = TapeMessage | TapeAudio | LostMark | BackMark | MissingMark
"""What a reader yields."""
