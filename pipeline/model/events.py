"""The typed events of a meeting's log.

A meeting is the fold of its events; ``Event`` is the envelope the store gives them. The tag of
each body is its ``kind`` in the log and on the page's stream. Add kinds at the end; fields only
with defaults: old logs must stay readable.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pipeline.model.happening import Clip, Image
from pipeline.model.notes import Patch
from pipeline.model.speech import Gap, Message, Recording, Segment, Utterance

Product = Literal["meeting", "webinar", "session", "contact_center", "phone", "file"]
"""``file``: audio files that were transcribed as if they had been a meeting."""


class _Body(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    pass


class MeetingOpened(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="meeting_opened",
):
    """First event of every log. ``zoom_id`` is the id in the webhook (opaque). ``zone`` is the
    IANA zone dates are resolved in. ``engine``: where words come from, as ``--stt`` names it."""

    product: Product
    zoom_id: str
    started_ms: int
    zone: str = "UTC"
    title: str | None = None
    engine: str = "native"


class StreamOpened(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="stream_opened",
):
    """A stream was announced, or announced anew with other URLs (``cause``). ``id_key``: which key
    of the webhook held the meeting's id; ``number``: Zoom's numeric meeting id, if told."""

    stream: str
    server_urls: str
    announced_ms: int
    cause: Literal["webhook", "failover", "resume"] = "webhook"
    id_key: str = ""
    number: str = ""


class StreamChanged(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="stream_changed",
):
    """The stream's connection state, as people should see it."""

    stream: str
    state: Literal["connecting", "live", "interrupted", "paused"]
    at_ms: int
    detail: str = ""


class StreamEnded(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="stream_ended",
):
    """The stream is over. ``reason`` is Zoom's stop reason (reference 14.1), if one was given."""

    stream: str
    at_ms: int
    reason: int | None = None
    detail: str = ""


class ParticipantJoined(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="participant_joined",
):
    """Somebody is in the meeting; again with a new name if it changed."""

    participant: str
    name: str
    at_ms: int


class ParticipantLeft(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="participant_left",
):
    participant: str
    at_ms: int


class SegmentSpooled(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="segment_spooled",
):
    """A segment's audio is durable; it must now be transcribed exactly once."""

    segment: Segment


class SegmentClosed(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="segment_closed",
):
    """A segment is settled: ``text`` (its utterance is in the same commit), ``empty`` (the
    engine heard no words), ``failed`` (a gap is in the same commit) or ``merged`` (it was decoded
    with the segment before it, whose utterance covers both).

    ``doubt``: why the text may be made up; the segment's audio is kept until ``DoubtResolved``."""

    segment: str
    outcome: Literal["text", "empty", "failed", "merged"]
    detail: str = ""
    doubt: str = ""


class UtteranceSaid(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="utterance_said",
):
    """A new utterance, or a later revision of one."""

    utterance: Utterance


class MessageSaid(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="message_said",
):
    """A new chat message, or a later revision of one."""

    message: Message


class GapFound(_Body, frozen=True, kw_only=True, tag="gap_found"):
    """Something is missing; never hidden. The same id again replaces the earlier extent."""

    gap: Gap


class NotesPatched(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="notes_patched",
):
    """The notes changed. ``covered_seq``: every event up to this seq has been read for it."""

    patch: Patch
    covered_seq: int


class LlmCalled(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="llm_called",
):
    """One call to a language model, whatever came of it."""

    call: str
    prompt: str
    prompt_hash: str
    model: str
    outcome: str
    milliseconds: int
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0
    detail: str = ""


class StageChanged(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="stage_changed",
):
    """Health of a stage as shown in the meeting's state; written when it changes."""

    stage: Literal["stream", "transcribe", "summarize", "store", "images", "recording"]
    state: Literal["ok", "degraded", "failed"]
    at_ms: int
    error: str = ""
    detail: str = ""
    retryable: bool = False
    count: int = 0


class MeetingEnded(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="meeting_ended",
):
    """Nothing more arrives. Pending segments and the final pass may still follow."""

    at_ms: int
    detail: str = ""


class MeetingFinished(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="meeting_finished",
):
    """Everything that could be done is done; the notes are final. Last event of a log, unless
    somebody edits later."""

    at_ms: int


class SharingStarted(_Body, frozen=True, kw_only=True, tag="sharing_started"):
    """Somebody shares the screen."""

    stream: str
    at_ms: int
    participant: str | None = None
    speaker: str | None = None


class SharingStopped(_Body, frozen=True, kw_only=True, tag="sharing_stopped"):
    """Nobody shares any more; the names are those of who did."""

    stream: str
    at_ms: int
    participant: str | None = None
    speaker: str | None = None


class CallHappened(_Body, frozen=True, kw_only=True, tag="call_happened"):
    """A contact center event (reference section 10.2): hold, transfer, conference, ..."""

    stream: str
    at_ms: int
    what: str
    participant: str | None = None
    speaker: str | None = None
    mode: str | None = None


class MessageReacted(_Body, frozen=True, kw_only=True, tag="message_reacted"):
    """An emoji was put on a chat message (``message`` is our id), or taken off it."""

    message: str
    emoji: str
    at_ms: int
    participant: str | None = None
    speaker: str | None = None
    removed: bool = False


class ChatGroupsChanged(_Body, frozen=True, kw_only=True, tag="chat_groups_changed"):
    """Chat groups or their members changed. ``raw``: Zoom's own JSON, whose fields are not
    documented, cut to 4 KiB; ``names``: what could be read of it, group ids to names."""

    stream: str
    at_ms: int
    change: str
    raw: str
    names: dict[str, str] = {}


class SessionChanged(_Body, frozen=True, kw_only=True, tag="session_changed"):
    """One session of a stream (normally one a user) is in another state."""

    stream: str
    session: str
    state: str
    at_ms: int


class ImageKept(_Body, frozen=True, kw_only=True, tag="image_kept"):
    """A picture of a shared screen is on the disk."""

    image: Image


class ClipKept(_Body, frozen=True, kw_only=True, tag="clip_kept"):
    """Video or screen share is being saved; the same id again once it is complete."""

    clip: Clip


class ProtocolFaulted(_Body, frozen=True, kw_only=True, tag="protocol_faulted"):
    """Something from Zoom could not be used, the first of its kind on a connection. ``count``: so
    many connections of this meeting have had it by now."""

    stream: str
    socket: str
    reason: str
    detail: str
    at_ms: int
    count: int = 1


class DoubtResolved(_Body, frozen=True, kw_only=True, tag="doubt_resolved"):
    """A doubtful segment is settled for good, and its audio is deleted: ``retranscribed`` (another
    try gave words without a doubt; the utterance's next revision is in the same commit),
    ``accepted`` or ``rejected`` by a person (rejected: the utterance is deleted)."""

    segment: str
    how: Literal["retranscribed", "accepted", "rejected"]
    at_ms: int
    detail: str = ""


class RecordingKept(_Body, frozen=True, kw_only=True, tag="recording_kept"):
    """Audio is being recorded; the same id again once its file is complete."""

    recording: Recording


Body = (
    MeetingOpened
    | StreamOpened
    | StreamChanged
    | StreamEnded
    | ParticipantJoined
    | ParticipantLeft
    | SegmentSpooled
    | SegmentClosed
    | UtteranceSaid
    | MessageSaid
    | GapFound
    | NotesPatched
    | LlmCalled
    | StageChanged
    | MeetingEnded
    | MeetingFinished
    | SharingStarted
    | SharingStopped
    | CallHappened
    | MessageReacted
    | ChatGroupsChanged
    | SessionChanged
    | ImageKept
    | ClipKept
    | ProtocolFaulted
    | DoubtResolved
    | RecordingKept
)


class Event(msgspec.Struct, frozen=True):
    """A committed event: ``seq`` is 1, 2, 3, ... without holes within ``meeting``; ``at_ms`` is
    the machine's time of the append."""

    meeting: str
    seq: int
    at_ms: int
    body: Body

    @property
    def kind(self) -> str:
        """The body's tag, as in the log."""
        return kind_of(self.body)


def kind_of(body: Body) -> str:
    """The tag of an event body."""
    tag = type(body).__struct_config__.tag
    assert isinstance(tag, str)
    return tag


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Body] = msgspec.json.Decoder(Body)


def encode_body(body: Body) -> bytes:
    """JSON of a body, tag included, in a stable field order."""
    return _encoder.encode(body)


def decode_body(data: bytes | str) -> Body:
    """The body of a JSON text. Raises msgspec.ValidationError when it is none of ours."""
    return _decoder.decode(data)
