"""What a stream tells its sink. Times are Unix milliseconds of the meeting, already normalised.

Names and texts are untrusted data.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class StreamLive(msgspec.Struct, frozen=True):
    """All handshakes are done and the ready ack is sent; ``first`` only once a stream."""

    first: bool


class ConnectionLost(msgspec.Struct, frozen=True):
    """Media stops coming. ``media``: the URL key of its socket (``all``, ``audio``, ...); when
    signaling is lost, one of these for each socket."""

    media: str
    cause: Literal["media_lost", "signaling_lost"]
    detail: str


class ConnectionBack(msgspec.Struct, frozen=True):
    """What ``ConnectionLost`` named is there again."""

    media: str


class StreamPaused(msgspec.Struct, frozen=True):
    """Somebody paused the stream; Zoom sends no media until it is resumed."""


class StreamResumed(msgspec.Struct, frozen=True):
    """The stream goes on after a pause."""


class AudioReceived(msgspec.Struct, frozen=True, gc=False):
    """One audio message. ``user_id`` None: mixed audio. ``data``: bytes in the codec told."""

    user_id: int | None
    user_name: str | None
    timestamp_ms: int
    data: bytes


class AudioFormat(msgspec.Struct, frozen=True):
    """What audio will be, as Zoom echoed it. Told before audio, and again when it changed.

    ``codec``: ``L16`` (little-endian), ``G711`` (A-law), ``G722``, ``OPUS``. ``sample_rate`` in Hz.
    """

    codec: str
    sample_rate: int
    channels: int
    multi_stream: bool
    send_rate_ms: int


class TranscriptReceived(msgspec.Struct, frozen=True):
    """Words of one speaker by Zoom's own transcription. ``language``: BCP-47 tag."""

    user_id: int | None
    user_name: str | None
    start_ms: int
    end_ms: int
    timestamp_ms: int
    text: str
    language: str | None
    operation: Literal["new", "update", "delete"]


class ChatReceived(msgspec.Struct, frozen=True):
    """A chat message, its edit or deletion; ``other``: reactions and files."""

    zoom_id: str | None
    user_id: int | None
    user_name: str | None
    at_ms: int
    text: str
    operation: Literal["new", "update", "delete", "other"]


class PeopleJoined(msgspec.Struct, frozen=True):
    """People who are there, as (id, name); the first one lists everybody present."""

    people: tuple[tuple[str, str], ...]
    at_ms: int


class PeopleLeft(msgspec.Struct, frozen=True):
    """Ids of people who are gone."""

    participants: tuple[str, ...]
    at_ms: int


class SpeakerChanged(msgspec.Struct, frozen=True):
    """Zoom's active speaker."""

    user_id: int | None
    user_name: str | None
    at_ms: int


class FirstPacket(msgspec.Struct, frozen=True):
    """The time of the first packet Zoom has of this stream."""

    at_ms: int


class ProtocolFault(msgspec.Struct, frozen=True):
    """Something arrived that could not be used, or not as asked for. Counted in the metrics; only
    the first of a kind on a connection are told. ``reason`` is a short stable word."""

    socket: str
    reason: str
    detail: str


class StreamOver(msgspec.Struct, frozen=True):
    """The last output. ``reason``: Zoom's stop reason, if it gave one. ``retryable``: RTMS can be
    started again, which gives a new stream; ``detail`` says what to do."""

    reason: int | None
    detail: str
    retryable: bool


Output = (
    StreamLive
    | ConnectionLost
    | ConnectionBack
    | StreamPaused
    | StreamResumed
    | AudioReceived
    | AudioFormat
    | TranscriptReceived
    | ChatReceived
    | PeopleJoined
    | PeopleLeft
    | SpeakerChanged
    | FirstPacket
    | ProtocolFault
    | StreamOver
)
