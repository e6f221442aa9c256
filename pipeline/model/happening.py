"""What happened beside what was said: screens shared, calls put on hold, pictures kept, faults."""

from __future__ import annotations

from typing import Literal

import msgspec

HappeningKind = Literal["sharing_started", "sharing_stopped", "call"]

ImageMedia = Literal["video", "deskshare"]


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the transcript that nobody said. ``id`` is ``e`` and the seq of its event.

    ``what`` names a call event (``user_hold``, ``transfer_initiated``, ...); ``mode`` is the
    participant's part in the call (``caller``, ...), if told.
    """

    id: str
    kind: HappeningKind
    stream: str
    at_ms: int
    what: str = ""
    participant: str | None = None
    speaker: str | None = None
    mode: str | None = None


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of a shared screen that was kept. ``id`` is ``i1``, ``i2``, ...

    ``file`` and ``thumb`` are names inside the meeting's ``images`` folder, made by us; both are
    JPEG files that we wrote ourselves. ``at_ms`` is the meeting time of the frame.
    """

    id: str
    stream: str
    at_ms: int
    media: ImageMedia
    file: str
    thumb: str
    width: int
    height: int
    participant: str | None = None
    speaker: str | None = None


class Clip(msgspec.Struct, frozen=True, kw_only=True):
    """Saved video or screen share. ``id`` is ``v1``, ``v2``, ...; the same id again is news of it.

    ``file``: inside the meeting's ``images`` folder, a Matroska file (H264) or a folder of frames
    (JPG, PNG) named by their time. ``to_ms`` and ``frames`` stand at 0 while it is written.
    """

    id: str
    stream: str
    media: ImageMedia
    codec: str
    file: str
    from_ms: int
    width: int
    height: int
    participant: str | None = None
    speaker: str | None = None
    to_ms: int = 0
    frames: int = 0


class FaultSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of thing from Zoom that could not be used. ``count``: on so many connections."""

    socket: str
    reason: str
    detail: str
    first_ms: int
    last_ms: int
    count: int = 1
