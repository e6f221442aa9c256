"""What was said and typed, who was there, and what is missing."""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["primary", "fill", "comparison"]
"""``primary`` and ``fill`` are shown; ``comparison`` is the other engine's view of the same words
(``--stt both``); ``fill`` is a comparison utterance that stands in a gap of the primary."""

SHOWN: tuple[Role, ...] = ("primary", "fill")

Source = Literal["native", "local", "import"]


class Participant(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in the meeting, keyed by Zoom's ``user_id`` as text (names are not unique)."""

    id: str
    name: str
    joined_ms: int | None = None
    left_ms: int | None = None


class Utterance(msgspec.Struct, frozen=True, kw_only=True):
    """Final words of one speaker. Times are meeting time, Unix milliseconds.

    ``id`` is ``u1``, ``u2``, ... within the meeting and never changes; a correction is the same
    id with the next ``revision``; ``deleted`` is a revision too. ``participant`` and ``speaker``
    are None when nobody can be named with confidence. ``segment`` is the audio segment it was
    made from, None for native transcript. ``language`` is a BCP-47 tag or None when unknown.
    """

    id: str
    stream: str
    source: Source
    start_ms: int
    end_ms: int
    text: str
    participant: str | None = None
    speaker: str | None = None
    revision: int = 1
    role: Role = "primary"
    language: str | None = None
    confidence: float | None = None
    segment: str | None = None
    deleted: bool = False


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A chat message. ``id`` is ``c1``, ``c2``, ... within the meeting; ``zoom_id`` is Zoom's."""

    id: str
    stream: str
    at_ms: int
    text: str
    participant: str | None = None
    speaker: str | None = None
    zoom_id: str | None = None
    revision: int = 1
    deleted: bool = False


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of one participant's speech whose audio is durable in the meeting's spool.

    ``id`` is ``s1``, ``s2``, ...; ``file`` is relative to the meeting's spool folder and holds
    signed 16-bit little-endian mono PCM at 16 kHz, ``samples`` of them.
    """

    id: str
    stream: str
    start_ms: int
    end_ms: int
    file: str
    samples: int
    participant: str | None = None
    speaker: str | None = None


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the meeting something is missing from.

    ``media``: what is missing (``all``, ``audio``, ``transcript``, ``notes``). ``cause``: one
    stable word (``media_lost``, ``signaling_lost``, ``process_down``, ``between_streams``,
    ``stt_failed``, ``summary_skipped``, ...); ``detail`` is for people.
    """

    id: str
    from_ms: int
    to_ms: int
    media: str
    cause: str
    detail: str = ""
    stream: str | None = None
    participant: str | None = None
