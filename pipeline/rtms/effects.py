"""What the state machines want done, beside the outputs they hand through."""

from __future__ import annotations

import msgspec

from pipeline.rtms.enums import MediaType
from pipeline.rtms.messages import Message
from pipeline.rtms.outputs import Output


class Send(msgspec.Struct, frozen=True):
    """Send this: by a machine on its own socket, by ``Recovery`` on signaling."""

    message: Message


class SignalingAccepted(msgspec.Struct, frozen=True):
    """Message 2 with status 0. ``urls`` by media key."""

    urls: dict[str, str]


class MediaAccepted(msgspec.Struct, frozen=True):
    """Message 4 with status 0."""


class Refused(msgspec.Struct, frozen=True):
    """Message 2 or 4 with another status; ``reason`` is Zoom's text."""

    status: int
    reason: str


class MediaInterrupted(msgspec.Struct, frozen=True):
    """Zoom lost media (event 7, or message 8 INTERRUPTED). NONE: it did not say which."""

    media: MediaType


class Terminating(msgspec.Struct, frozen=True):
    """The stream is about to end; keep reading (section 11.1)."""

    reason: int | None


class Terminated(msgspec.Struct, frozen=True):
    """The stream ended."""

    reason: int | None


class StreamClosed(msgspec.Struct, frozen=True):
    """Message 22: the answer to our wish to end the stream. Status 0: Zoom ends it now, and tells
    so by message 8; another: it goes on. ``reason`` is Zoom's text."""

    status: int
    reason: str


Control = (
    Send
    | SignalingAccepted
    | MediaAccepted
    | Refused
    | MediaInterrupted
    | Terminating
    | Terminated
    | StreamClosed
)

Effect = Control | Output
