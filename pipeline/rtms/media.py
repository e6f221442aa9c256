"""A media socket as a state machine without I/O (reference sections 7, 9, 12)."""

from __future__ import annotations

import re
from typing import Final, Literal

from pipeline.rtms.chat import chat_received
from pipeline.rtms.effects import Effect, MediaAccepted, Refused, Send
from pipeline.rtms.enums import (
    Codec,
    DataAttribute,
    MessageType,
    language_tag,
)
from pipeline.rtms.formats import audio_format, differences, image_format, is_rtp
from pipeline.rtms.happenings import KEPT_BYTES
from pipeline.rtms.messages import (
    AudioData,
    ChatContent,
    ChatData,
    InterpreterData,
    KeepAliveRequest,
    KeepAliveResponse,
    MediaContent,
    MediaRequest,
    MediaResponse,
    Message,
    SessionStateUpdate,
    ShareData,
    StreamStateUpdate,
    TranscriptContent,
    TranscriptData,
    Unknown,
    Unreadable,
    VideoData,
    decode,
)
from pipeline.rtms.moments import Timeline
from pipeline.rtms.outputs import (
    AudioReceived,
    ImageMedia,
    ImageReceived,
    InterpreterTold,
    TranscriptReceived,
    Unread,
)
from pipeline.rtms.params import MediaParams
from pipeline.rtms.people import speaker_of
from pipeline.rtms.rtp import payload
from pipeline.rtms.standing import Standing
from pipeline.rtms.states import session_told, status_of, stream_told
from pipeline.rtms.tally import Tally
from pipeline.rtms.timing import Timing

_TRANSCRIPT_OPERATIONS: Final[dict[int | None, Literal["update", "delete"]]] = {
    DataAttribute.UPDATE: "update",
    DataAttribute.DELETE: "delete",
}


_MEDIA: Final[dict[int, str]] = {
    MessageType.MEDIA_DATA_AUDIO: "audio",
    MessageType.MEDIA_DATA_VIDEO: "video",
    MessageType.MEDIA_DATA_SHARE: "deskshare",
    MessageType.MEDIA_DATA_TRANSCRIPT: "transcript",
    MessageType.MEDIA_DATA_CHAT: "chat",
}
_TYPE: Final = re.compile(rb'"msg_type"\s*:\s*"?(\d{1,4})')
_PEEKED: Final = 256


def lost_media(key: str, message: Unreadable, frame: bytes | str) -> str | None:
    """What a frame that could not be read held: by its type, which a broken frame may still tell
    near its beginning, else by its socket. None: nothing that people said or showed."""
    number = message.msg_type
    if number is None:
        head = frame[:_PEEKED]
        raw = head.encode("utf-8", "replace") if isinstance(head, str) else bytes(head)
        found = _TYPE.search(raw)
        number = None if found is None else int(found[1])
    return key if number is None else _MEDIA.get(number)


class Media:
    """Frames in, effects out. Nothing a peer sends makes it raise.

    ``key``: the URL key the socket stands for. ``deadline`` as in ``Signaling``, but here every
    frame counts as a sign of life: Zoom may send no keep-alives while data flows (section 9).
    """

    def __init__(
        self,
        key: str,
        hello: MediaRequest,
        *,
        start_ms: int,
        standing: Standing,
        now: float,
        timing: Timing,
    ) -> None:
        self.hello: Message = hello
        self.ready = False
        self.deadline = now + timing.handshake
        self.tally = Tally(key)
        self._key = key
        self._asked = hello.media_params if hello.media_params is not None else MediaParams()
        self._standing = standing
        self._keepalive_s = timing.keepalive
        self._timeline = Timeline(start_ms)
        self._refused = False
        self._sample_bytes = 1  # a message of L16 holds whole samples of all channels
        self._rtp: str | None = None  # the codec, where audio comes in RTP packets

    def receive(self, frame: bytes | str, now: float) -> list[Effect]:
        """What follows from one frame, in the order it is to be done."""
        message = decode(frame)
        if self.ready:
            self.deadline = now + self._keepalive_s
            if type(message) is AudioData:
                return self._audio(message.content, now)
        if isinstance(message, Unreadable):
            faults = self.tally.fault(message.reason, message.detail)
            lost = lost_media(self._key, message, frame) if self.ready else None
            return [*faults] if lost is None else [*faults, Unread(lost)]
        if isinstance(message, Unknown):
            return [*self.tally.unknown_type(message.msg_type, frame, now)]
        number = int(type(message).__struct_config__.tag or 0)
        self.tally.count(number, now)
        if isinstance(message, KeepAliveRequest):
            answer = KeepAliveResponse(sequence=message.sequence, timestamp=message.timestamp)
            return [Send(answer)]
        if isinstance(message, MediaResponse) and not self.ready and not self._refused:
            return self._answered(message, now)
        if not self.ready:
            name = MessageType(number).name
            return [*self.tally.fault("unexpected", f"{name} before the handshake")]
        return self._rest(message, number, frame)

    def _rest(self, message: Message, number: int, frame: bytes | str) -> list[Effect]:
        if isinstance(message, TranscriptData):
            return [self._transcript(message.content)]
        if isinstance(message, VideoData):
            return self._image("video", message.content)
        if isinstance(message, ShareData):
            return self._image("deskshare", message.content)
        if isinstance(message, ChatData):
            return self._chat(message.content)
        if isinstance(message, StreamStateUpdate):
            return stream_told(message, self._standing, self.tally)
        if isinstance(message, SessionStateUpdate):
            return session_told(message, self._standing, self.tally, self._timeline)
        if isinstance(message, InterpreterData):
            return self._interpreter(frame)
        name = MessageType(number).name
        return [*self.tally.fault("unexpected", f"{name} on a media socket")]

    def _answered(self, answer: MediaResponse, now: float) -> list[Effect]:
        if answer.status_code != 0:
            self._refused = True
            return [Refused(status_of(answer.status_code), answer.reason)]
        self.ready = True
        self.deadline = now + self._keepalive_s
        asked = self._asked
        given = answer.media_params if answer.media_params is not None else MediaParams()
        effects: list[Effect] = []
        if answer.payload_encrypted:  # documents show it with plain data: told, and read as plain
            detail = "payload_encrypted: asked for false, got true"
            effects += self.tally.fault("params_changed", detail)
        for reason, detail in differences(asked, given):
            effects += self.tally.fault(reason, detail)
        if asked.audio is not None:
            told = audio_format(asked.audio, given.audio)
            self._sample_bytes = 2 * told.channels if told.codec == Codec.L16.name else 1
            self._rtp = told.codec if is_rtp(asked.audio, given.audio) else None
            effects.append(told)
        if asked.video is not None:
            effects.append(image_format("video", asked.video, given.video))
        if asked.deskshare is not None:
            effects.append(image_format("deskshare", asked.deskshare, given.deskshare))
        effects.append(MediaAccepted())
        return effects

    def _audio(self, content: MediaContent, now: float) -> list[Effect]:
        data = content.data
        size = len(data)
        self.tally.audio(size, now)
        faults: list[Effect] = []
        if content.length is not None and content.length != size:
            faults += self._wrong_length("audio", size, content.length)
        if self._rtp is not None:
            data = payload(self._rtp, data)
        elif size % self._sample_bytes:
            faults += self.tally.fault("bad_length", f"audio of {size} bytes is not whole samples")
            data = data[: size - size % self._sample_bytes]
        if not data:
            return faults
        audio = AudioReceived(
            speaker_of(content.user_id, content.channel_id),
            content.user_name or None,
            self._timeline.read(content.timestamp),
            data,
        )
        return [*faults, audio] if faults else [audio]

    def _image(self, media: ImageMedia, content: MediaContent) -> list[Effect]:
        data = content.data
        self.tally.media(media, len(data))
        effects: list[Effect] = []
        if content.length is not None and content.length != len(data):
            effects += self._wrong_length(media, len(data), content.length)
        if data:
            effects.append(
                ImageReceived(
                    media,
                    speaker_of(content.user_id, content.channel_id),
                    content.user_name or None,
                    self._timeline.read(content.timestamp),
                    data,
                )
            )
        return effects

    def _wrong_length(self, media: str, size: int, marked: int) -> list[Effect]:
        """The decoded bytes count (section 12)."""
        detail = f"{media} of {size} bytes is marked as {str(marked)[:20]}"
        return [*self.tally.fault("bad_length", detail)]

    def _transcript(self, content: TranscriptContent) -> TranscriptReceived:
        at_ms = self._timeline.read(content.timestamp or content.start_time)
        start_ms = self._timeline.read(content.start_time or content.timestamp)
        end_ms = self._timeline.read(content.end_time or content.timestamp or content.start_time)
        return TranscriptReceived(
            user_id=speaker_of(content.user_id, content.channel_id),
            user_name=content.user_name or None,
            start_ms=start_ms,
            end_ms=max(start_ms, end_ms),
            timestamp_ms=at_ms,
            text=content.data,
            language=language_tag(content.language),
            operation=_TRANSCRIPT_OPERATIONS.get(content.attribute, "new"),
        )

    def _chat(self, content: ChatContent) -> list[Effect]:
        found = chat_received(content, self._timeline.read(content.timestamp))
        return [*self.tally.fault("unknown_chat", found)] if isinstance(found, str) else [found]

    def _interpreter(self, frame: bytes | str) -> list[Effect]:
        raw = frame.encode("utf-8", "replace") if isinstance(frame, str) else bytes(frame)
        if len(raw) > KEPT_BYTES:
            return [*self.tally.fault("too_long", f"interpreter metadata of {len(raw)} bytes")]
        return [InterpreterTold(raw)]
