"""A tape's first line: what was recorded and how to read the rest (docs/tapes.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from pipeline.model.events import Product

FORMAT: Final = "rtms-notes-tape"
VERSION: Final = 1


class TapeParticipant(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is in the meeting at some time. ``user_id`` is Zoom's unsigned 32-bit id."""

    user_id: int
    user_name: str
    channel_id: str | None = None
    """Contact center and phone name streams by channel (reference section 12)."""


class AudioCoding(msgspec.Struct, frozen=True, kw_only=True):
    """One way audio stands packed on this tape; lines refer to it by its place in the table.

    ``sample_rate`` in Hz of the decoded samples; every packet holds ``packet_ms`` of sound. The
    first ``skip`` decoded samples of a spurt are the encoder's run-up and are thrown away.
    """

    codec: Literal["opus"]
    sample_rate: int
    channels: Literal[1] = 1
    packet_ms: int = 20
    skip: int = 0


class TapeHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a tape but its lines. ``start_ms`` is Unix milliseconds: line times count
    from it, and it is the ``event_ts`` of the started webhook.
    """

    format: Literal["rtms-notes-tape"] = FORMAT
    version: Literal[1] = VERSION
    product: Product = "meeting"
    id: str
    """The id of the webhook: ``meeting_uuid``, ``session_id``, ``engagement_id``, ..."""
    stream: str
    """``rtms_stream_id``."""
    title: str = ""
    zone: str = "UTC"
    """IANA time zone the meeting was held in."""
    start_ms: int
    duration_ms: int | None = None
    """None while it is not known, as in a tape recorded live."""
    participants: tuple[TapeParticipant, ...] = ()
    parameters: Mapping[str, Any] = {}
    """``media_params`` as in message 4 of the recorded stream; empty for a made tape."""
    audio: tuple[AudioCoding, ...] = ()
    credits: str = ""
    """Who made it, whose voices, under which terms."""
