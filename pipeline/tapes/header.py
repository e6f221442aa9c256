"""A tape's first line: what was recorded and how to read the rest (docs/tapes.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

from pipeline.model.events import Product

FORMAT: Final = "rtms-notes-tape"
VERSION: Final = 1
"""What made tapes are: messages, mono Opus, marks. Every reader takes it."""
LIVE_VERSION: Final = 2
"""What recorded, lossless and stereo tapes are: more codecs, names and codings in the lines."""

Ms = Annotated[int, msgspec.Meta(ge=0, le=1 << 42)]
"""Milliseconds, up to the year 2109 as Unix time."""
Version = Literal[1, 2]
Codec = Literal["opus", "flac", "g711", "g722", "l16"]
"""g711 is A-law; opus, g711 and g722 are wire packets (reference section 12.1) or made ones."""


class TapeParticipant(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is in the meeting at some time. ``user_id`` is Zoom's unsigned 32-bit id."""

    user_id: int
    user_name: str
    channel_id: str | None = None
    """Contact center and phone name streams by channel (reference section 12)."""


class AudioCoding(msgspec.Struct, frozen=True, kw_only=True):
    """One way audio stands packed on this tape; lines refer to it by its place in the table.

    ``sample_rate`` in Hz of the decoded samples; every packet holds ``packet_ms`` of sound (flac
    and l16: at most that). The first ``skip`` decoded samples of a spurt are run-up and are thrown
    away. Version 1 knows only mono opus.
    """

    codec: Codec
    sample_rate: Annotated[int, msgspec.Meta(ge=8_000, le=48_000)]
    channels: Literal[1, 2] = 1
    packet_ms: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 20
    skip: Annotated[int, msgspec.Meta(ge=0, le=96_000)] = 0
    extradata: bytes | msgspec.UnsetType = msgspec.UNSET
    """What the decoder must be told first: flac's STREAMINFO (34 bytes)."""


class TapeHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a tape but its lines. ``start_ms`` is Unix milliseconds: line times count
    from it, and it is the ``event_ts`` of the started webhook.
    """

    format: Literal["rtms-notes-tape"] = FORMAT
    version: Version = VERSION
    product: Product = "meeting"
    id: str
    """The id of the webhook: ``meeting_uuid``, ``session_id``, ``engagement_id``, ..."""
    stream: str
    """``rtms_stream_id``."""
    title: str = ""
    zone: str = "UTC"
    """IANA time zone the meeting was held in."""
    start_ms: Ms
    duration_ms: Ms | None = None
    """None while it is not known, as in a tape recorded live."""
    participants: tuple[TapeParticipant, ...] = ()
    parameters: Mapping[str, Any] = {}
    """``media_params`` as in message 4 of the recorded stream; empty for a made tape."""
    audio: tuple[AudioCoding, ...] = ()
    credits: str = ""
    """Who made it, whose voices, under which terms."""
