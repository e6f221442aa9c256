"""Messages 14 to 17 and 23: sound, pictures and words (reference section 12)."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.rtms.messages.parts import Id, Moment, Part, Tagged


class MediaContent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Audio, or one image. ``user_id`` 0: mixed. ``channel_id`` instead of it for voice products.
    ``length``: bytes before base64."""

    data: bytes
    user_id: Id | None = None
    user_name: str | None = None
    channel_id: Id | None = None
    length: int | None = None
    timestamp: int | None = None


class AudioData(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="msg_type", tag=14):
    content: MediaContent


class VideoData(Tagged, frozen=True, kw_only=True, tag=15):
    content: MediaContent


class ShareData(Tagged, frozen=True, kw_only=True, tag=16):
    content: MediaContent


class TranscriptContent(Part, frozen=True, kw_only=True):
    """Words of one speaker. ``language`` is an id, ``attribute`` a DataAttribute."""

    data: str
    user_id: Id | None = None
    user_name: str | None = None
    channel_id: Id | None = None
    start_time: int | None = None
    end_time: int | None = None
    timestamp: int | None = None
    language: int | None = None
    attribute: int | None = None


class TranscriptData(Tagged, frozen=True, kw_only=True, tag=17):
    content: TranscriptContent


class InterpreterData(Tagged, frozen=True, kw_only=True, tag=23):
    """Metadata of Zoom's AI interpreter (section 12.6). Only its keys are known, not their nesting,
    so nothing is read out of it."""

    content: Any = None
    interpreter: Any = None
    timestamp: Moment = None
