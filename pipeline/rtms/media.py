"""A media socket as a state machine without I/O (reference sections 7, 9, 12)."""

from __future__ import annotations

from typing import Final, Literal

from pipeline.rtms.effects import Effect, MediaAccepted, Refused, Send
from pipeline.rtms.enums import (
    ChatOperation,
    Codec,
    DataAttribute,
    DataOption,
    MessageType,
    SampleRate,
    StreamState,
    is_known,
    language_tag,
)
from pipeline.rtms.messages import (
    AudioData,
    ChatContent,
    ChatData,
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
    chat_body,
    decode,
)
from pipeline.rtms.moments import Timeline
from pipeline.rtms.outputs import AudioFormat, AudioReceived, ChatReceived, TranscriptReceived
from pipeline.rtms.params import AUDIO_DEFAULTS, AudioParams
from pipeline.rtms.people import number_of
from pipeline.rtms.standing import Standing
from pipeline.rtms.tally import UNKNOWN, Tally
from pipeline.rtms.timing import Timing

ChatDone = Literal["new", "update", "delete", "other"]

_AUDIO: Final = int(MessageType.MEDIA_DATA_AUDIO)

_TRANSCRIPT_OPERATIONS: Final[dict[int | None, Literal["update", "delete"]]] = {
    DataAttribute.UPDATE: "update",
    DataAttribute.DELETE: "delete",
}
_CHAT_OPERATIONS: Final[dict[int | None, ChatDone]] = {
    None: "new",
    ChatOperation.NEW: "new",
    ChatOperation.UPDATE: "update",
    ChatOperation.DELETE: "delete",
}


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
        self._asked = hello.media_params.audio if hello.media_params is not None else None
        self._standing = standing
        self._keepalive_s = timing.keepalive
        self._timeline = Timeline(start_ms)
        self._refused = False
        self._sample_bytes = 1

    def receive(self, frame: bytes | str, now: float) -> list[Effect]:
        """What follows from one frame, in the order it is to be done."""
        message = decode(frame)
        if self.ready:
            self.deadline = now + self._keepalive_s
            if type(message) is AudioData:
                self.tally.count(_AUDIO, now)
                return self._audio(message.content)
        if isinstance(message, Unreadable):
            return [*self.tally.fault(message.reason, message.detail)]
        if isinstance(message, Unknown):
            return self._unknown(message, now)
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
        return self._rest(message, number)

    def _rest(self, message: Message, number: int) -> list[Effect]:
        if isinstance(message, TranscriptData):
            return [self._transcript(message.content)]
        if isinstance(message, ChatData):
            return [self._chat(message.content)]
        if isinstance(message, VideoData | ShareData):
            media = "video" if isinstance(message, VideoData) else "deskshare"
            self.tally.media(media, len(message.content.data))
            return []
        if isinstance(message, StreamStateUpdate):
            if not is_known(StreamState, message.state):
                return [*self.tally.fault("unknown_state", f"stream state {message.state}")]
            return self._standing.stream(message)
        if isinstance(message, SessionStateUpdate):
            return self._standing.session(message)
        name = MessageType(number).name
        return [*self.tally.fault("unexpected", f"{name} on a media socket")]

    def _answered(self, answer: MediaResponse, now: float) -> list[Effect]:
        if answer.status_code != 0:
            self._refused = True
            return [Refused(answer.status_code, answer.reason)]
        self.ready = True
        self.deadline = now + self._keepalive_s
        effects: list[Effect] = []
        if self._asked is not None:
            echoed = answer.media_params.audio if answer.media_params is not None else None
            given = echoed if echoed is not None else AudioParams()
            for reason, detail in differences(self._asked, given):
                effects += self.tally.fault(reason, detail)
            told = audio_format(self._asked, given)
            if told.codec == Codec.L16.name:
                self._sample_bytes = 2 * told.channels
            effects.append(told)
        effects.append(MediaAccepted())
        return effects

    def _audio(self, content: MediaContent) -> list[Effect]:
        data = content.data
        size = len(data)
        self.tally.media("audio", size)
        faults: list[Effect] = []
        if content.length is not None and content.length != size:
            faults += self.tally.fault(
                "bad_length", f"audio of {size} bytes is marked as {content.length}"
            )
        if size % self._sample_bytes:
            faults += self.tally.fault("bad_length", f"audio of {size} bytes is not whole samples")
            data = data[: size - size % self._sample_bytes]
        if not data:
            return faults
        speaker = number_of(content.user_id) or number_of(content.channel_id)
        audio = AudioReceived(
            speaker,
            content.user_name or None,
            self._timeline.read(content.timestamp),
            data,
        )
        return [*faults, audio] if faults else [audio]

    def _transcript(self, content: TranscriptContent) -> TranscriptReceived:
        at_ms = self._timeline.read(content.timestamp or content.start_time)
        start_ms = self._timeline.read(content.start_time or content.timestamp)
        end_ms = self._timeline.read(content.end_time or content.timestamp or content.start_time)
        return TranscriptReceived(
            user_id=number_of(content.user_id) or number_of(content.channel_id),
            user_name=content.user_name or None,
            start_ms=start_ms,
            end_ms=max(start_ms, end_ms),
            timestamp_ms=at_ms,
            text=content.data,
            language=language_tag(content.language),
            operation=_TRANSCRIPT_OPERATIONS.get(content.attribute, "new"),
        )

    def _chat(self, content: ChatContent) -> ChatReceived:
        body = chat_body(content.data)
        sender = body.sender
        operation = _CHAT_OPERATIONS.get(body.operation_type, "other")
        if operation == "new" and body.files and not body.data.strip():
            operation = "other"
        return ChatReceived(
            zoom_id=body.message_id,
            user_id=number_of(sender.user_id if sender is not None else content.user_id),
            user_name=(sender.user_name if sender is not None else content.user_name) or None,
            at_ms=self._timeline.read(content.timestamp),
            text=body.data,
            operation=operation,
        )

    def _unknown(self, message: Unknown, now: float) -> list[Effect]:
        if is_known(MessageType, message.msg_type):
            self.tally.count(message.msg_type, now)
            return []
        self.tally.count(UNKNOWN, now)
        return [*self.tally.fault("unknown_type", f"message type {message.msg_type}")]


def differences(asked: AudioParams, given: AudioParams) -> list[tuple[str, str]]:
    """What Zoom gives instead of what was asked for, as (reason, detail). A field that is not
    echoed counts as given."""
    found = []
    for field in AudioParams.__struct_fields__:
        want, got = getattr(asked, field), getattr(given, field)
        if want is None or got is None or want == got:
            continue
        if field == "data_opt" and got == DataOption.AUDIO_MIXED_STREAM:
            found.append(
                ("mixed_audio", "asked for a stream per participant, got mixed audio: no speakers")
            )
        else:
            found.append(("params_changed", f"audio {field}: asked for {want}, got {got}"))
    return found


def audio_format(asked: AudioParams, given: AudioParams) -> AudioFormat:
    """The format audio will have: what was echoed, else asked for, else the default."""

    def effective(field: str) -> int:
        for params in (given, asked, AUDIO_DEFAULTS):
            value = getattr(params, field)
            if isinstance(value, int):
                return value
        raise AssertionError(field)

    codec, rate = effective("codec"), effective("sample_rate")
    return AudioFormat(
        codec=Codec(codec).name if is_known(Codec, codec) else f"codec {codec}",
        sample_rate=SampleRate(rate).hertz if is_known(SampleRate, rate) else 16_000,
        channels=2 if effective("channel") == 2 else 1,
        multi_stream=effective("data_opt") == DataOption.AUDIO_MULTI_STREAMS,
        send_rate_ms=effective("send_rate"),
    )
