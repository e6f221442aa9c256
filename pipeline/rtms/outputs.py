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
    signaling is lost, one of these for each socket. ``silent_ms``: so long before this was noticed
    nothing, not even a keep-alive, had come on it (Zoom's time); 0: it was heard until now."""

    media: str
    cause: Literal["media_lost", "signaling_lost"]
    detail: str
    silent_ms: int = 0


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


class SharedFile(msgspec.Struct, frozen=True):
    """A file named in a chat message; Zoom does not stream its content."""

    id: str | None
    name: str | None
    size: int | None


ChatOperation = Literal[
    "new", "update", "delete", "reaction_added", "reaction_removed", "files_deleted"
]


class ChatReceived(msgspec.Struct, frozen=True):
    """A chat message, its edit or deletion, a reaction, or files (reference section 12.3).

    ``session``: who the message is for (``other``: a kind that is not known here); ``group`` names
    the chat group. ``to_*``: the receiver of a direct message. ``parent``: Zoom's id of the message
    it answers or reacts to. ``text`` of a reaction is the emoji.
    """

    zoom_id: str | None
    user_id: int | None
    user_name: str | None
    at_ms: int
    text: str
    operation: ChatOperation
    session: Literal["everyone", "individual", "group", "hosts", "other"] | None = None
    group: str | None = None
    to_id: int | None = None
    to_name: str | None = None
    parent: str | None = None
    files: tuple[SharedFile, ...] = ()
    deleted_files: tuple[str, ...] = ()


ImageMedia = Literal["video", "deskshare"]


class ImageFormat(msgspec.Struct, frozen=True):
    """What video or screen share will be, as Zoom echoed it; told before images and when changed.

    ``codec``: ``JPG``, ``PNG`` (one image a message) or ``H264`` (Annex B). ``resolution``: ``SD``,
    ``HD``, ``FHD``, ``QHD``; frames may still change size. ``individual``: one participant at a
    time, by subscription.
    """

    media: ImageMedia
    codec: str
    resolution: str
    fps: int
    individual: bool = False


class ImageReceived(msgspec.Struct, frozen=True, gc=False):
    """One image, or the H.264 units of one frame. ``user_id`` None: not told."""

    media: ImageMedia
    user_id: int | None
    user_name: str | None
    timestamp_ms: int
    data: bytes


class SharingStarted(msgspec.Struct, frozen=True):
    """Somebody shares the screen."""

    user_id: int | None
    user_name: str | None
    at_ms: int


class SharingStopped(msgspec.Struct, frozen=True):
    """Nobody shares any more."""

    at_ms: int


class CamerasChanged(msgspec.Struct, frozen=True):
    """Cameras of these participants (ids as text) went on or off (events 8 and 9)."""

    participants: tuple[str, ...]
    on: bool
    at_ms: int


class VideoSubscribed(msgspec.Struct, frozen=True):
    """Zoom's answer to a subscription (message 29). ``status`` 0: done."""

    user_id: int | None
    status: int
    reason: str


class ChatGroupChanged(msgspec.Struct, frozen=True):
    """Events 10 to 14. ``detail``: names and ids for people to read; the fields are not documented
    beyond their names, so the event's own JSON is kept in ``raw``."""

    change: Literal["created", "deleted", "members_added", "members_removed", "member_status"]
    at_ms: int
    raw: bytes


class CallEvent(msgspec.Struct, frozen=True):
    """A contact center event (section 10.2), ``name`` as in VoiceEventType, lower case, or
    ``event_31`` for a number without a name. Arrivals and departures come as People* beside it."""

    name: str
    participant: str | None
    who: str | None
    mode: str | None
    at_ms: int


class SessionChanged(msgspec.Struct, frozen=True):
    """State of one session of the stream (message 9 or 11), lower-case name of SessionState."""

    session: str
    state: str
    at_ms: int


class InterpreterTold(msgspec.Struct, frozen=True):
    """Metadata of Zoom's AI interpreter (message 23), kept as it came."""

    raw: bytes


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
    sample: bytes = b""
    """The frame, cut to 2 KiB, for an unknown type or event; empty where it may hold content."""


class Unread(msgspec.Struct, frozen=True):
    """A message on a media socket could not be read: what it held is lost. Told of every one.
    ``media``: what it was, by its type, else by its socket (``all``: it cannot be told)."""

    media: str


class StreamOver(msgspec.Struct, frozen=True):
    """The last output. ``reason``: Zoom's stop reason, if it gave one. ``retryable``: RTMS can be
    started again, which gives a new stream; ``detail`` says what to do. ``forgotten``: Zoom
    does not know the stream any more."""

    reason: int | None
    detail: str
    retryable: bool
    forgotten: bool = False


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
    | ImageFormat
    | ImageReceived
    | SharingStarted
    | SharingStopped
    | CamerasChanged
    | VideoSubscribed
    | ChatGroupChanged
    | CallEvent
    | SessionChanged
    | InterpreterTold
    | PeopleJoined
    | PeopleLeft
    | SpeakerChanged
    | FirstPacket
    | ProtocolFault
    | Unread
    | StreamOver
)
