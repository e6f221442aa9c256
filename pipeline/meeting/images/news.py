"""What the image stage is given, and what it tells: pictures and clips that are on the disk, and
the first image of a kind that cannot be used."""

from __future__ import annotations

import msgspec

from pipeline.model.happening import ImageMedia
from pipeline.rtms import outputs as out

Item = out.ImageReceived | out.ImageFormat | out.SharingStarted | out.SharingStopped | int
"""What goes through the queue of images; a number is a look at the (meeting's) time."""


class Who(msgspec.Struct, frozen=True):
    """Whose picture it is, as far as Zoom tells."""

    participant: str | None = None
    speaker: str | None = None

    def differs(self, other: Who) -> bool:
        """Whether these are two people, as far as both are known."""
        return None not in (self.participant, other.participant) and (
            self.participant != other.participant
        )


class PictureKept(msgspec.Struct, frozen=True, kw_only=True):
    """A keyframe and its small copy are durable."""

    media: ImageMedia
    at_ms: int
    file: str
    thumb: str
    width: int
    height: int
    who: Who


class ClipNews(msgspec.Struct, frozen=True, kw_only=True):
    """A clip was begun (``frames`` 0), or is complete."""

    media: ImageMedia
    codec: str
    file: str
    from_ms: int
    width: int
    height: int
    who: Who
    to_ms: int = 0
    frames: int = 0


News = PictureKept | ClipNews | out.ProtocolFault
