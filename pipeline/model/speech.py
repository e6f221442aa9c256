"""What was said and typed, who was there, and what is missing."""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["primary", "fill", "comparison"]
"""``primary`` and ``fill`` are shown; ``comparison`` is the other engine's view of the same words
(``--stt both``); ``fill`` is a comparison utterance that stands in a gap of the primary."""

SHOWN: tuple[Role, ...] = ("primary", "fill")

Source = Literal["native", "local", "import"]
"""Where words come from: ``native`` is Zoom's transcript, ``local`` our own speech-to-text from the
meeting's audio, whichever engine it ran on (``Utterance.engine``)."""

Attribution = Literal["stream", "active_speaker", "unknown"]
"""How it is known who spoke: ``stream``: the audio (or Zoom's transcript) was that person's own;
``active_speaker``: mixed audio, by what Zoom said of who spoke then; ``unknown``: mixed audio, and
nobody can be named with confidence."""


class Word(msgspec.Struct, frozen=True, array_like=True):
    """A word with its times (meeting time, Unix ms) and the engine's confidence (0..1), if told."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None = None


class Correction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A word that was replaced after the engine heard another. ``at``: characters before it in the
    utterance's text as it stands. ``source``: where ``now`` is known from. ``undone``: a person
    took it back; it must not be made again."""

    at: int
    was: str
    now: str
    source: Literal["roster", "glossary", "calendar"]
    why: str = ""
    undone: bool = False


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
    are None when nobody can be named with confidence. ``segment`` is the (first) audio segment it
    was made from, None for native transcript. ``language`` is a BCP-47 tag or None when unknown.
    ``speaker_confidence`` (0..1) is told for ``active_speaker``. ``doubt``: why the words may be
    made up (its audio is kept until that is resolved), None when nothing speaks against them.
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
    attribution: Attribution = "stream"
    speaker_confidence: float | None = None
    engine: str | None = None
    doubt: str | None = None
    words: tuple[Word, ...] = ()
    corrections: tuple[Correction, ...] = ()


class SharedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that a chat message names; its content is not ours. ``size`` in bytes, if told."""

    id: str | None = None
    name: str | None = None
    size: int | None = None


class Reaction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody's emoji on a chat message."""

    emoji: str
    participant: str | None = None
    speaker: str | None = None


Audience = Literal["everyone", "individual", "group", "hosts", "other"]
"""``other``: told, but unknown to this version."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A chat message. ``id`` is ``c1``, ``c2``, ... within the meeting; ``zoom_id`` is Zoom's.

    ``session`` is who it is for, None when not told; ``chat_group`` is a group's id or name,
    ``to_id`` and ``to_name`` the receiver of a direct message. ``parent``: Zoom's id of the
    message it answers. ``reactions`` are those that stand; they come from events of their own.
    """

    id: str
    stream: str
    at_ms: int
    text: str
    participant: str | None = None
    speaker: str | None = None
    zoom_id: str | None = None
    revision: int = 1
    deleted: bool = False
    session: Audience | None = None
    chat_group: str | None = None
    to_id: str | None = None
    to_name: str | None = None
    parent: str | None = None
    files: tuple[SharedFile, ...] = ()
    reactions: tuple[Reaction, ...] = ()

    @property
    def private(self) -> bool:
        """Not meant for everybody: marked wherever it is shown, and never read by the notes."""
        if self.session is None:
            return self.to_id is not None or self.to_name is not None
        return self.session != "everyone" or self.to_id is not None


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of one participant's speech whose audio is durable in the meeting's spool.

    ``id`` is ``s1``, ``s2``, ...; ``file`` is relative to the meeting's spool folder and holds
    signed 16-bit little-endian mono PCM at 16 kHz, ``samples`` of them. ``speech_ms``: how much of
    it the VAD took for speech; ``level_db``: its loudness (RMS, dB of full scale); ``joined``: it
    goes on, without a pause, where the segment before it of the same voice was cut.
    """

    id: str
    stream: str
    start_ms: int
    end_ms: int
    file: str
    samples: int
    participant: str | None = None
    speaker: str | None = None
    attribution: Attribution = "stream"
    speaker_confidence: float | None = None
    speech_ms: int | None = None
    level_db: float | None = None
    joined: bool = False


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """Kept audio of one participant (None: mixed) over one stream, opt-in. ``file`` is relative to
    the meeting's ``recordings`` folder; its first sample is at ``from_ms`` (meeting time), it has
    ``samples`` at ``sample_rate`` Hz, silence wherever nothing was heard. ``state``: ``open`` while
    it is written."""

    id: str
    stream: str
    file: str
    codec: Literal["flac", "opus"]
    from_ms: int
    sample_rate: int
    samples: int = 0
    participant: str | None = None
    speaker: str | None = None
    mixed: bool = False
    state: Literal["open", "complete"] = "open"


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the meeting something is missing from.

    ``media``: what is missing (``all``, ``audio``, ``transcript``, ``video``, ``deskshare``,
    ``notes``). ``cause``: one
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
