"""The signaling socket as a state machine without I/O (reference sections 5, 8 to 12.4)."""

from __future__ import annotations

from typing import Final

from pipeline.model.events import Product
from pipeline.rtms.effects import Effect, Refused, Send, SignalingAccepted, StreamClosed
from pipeline.rtms.enums import MessageType
from pipeline.rtms.happenings import Happenings
from pipeline.rtms.messages import (
    AudioData,
    ChatData,
    EventUpdate,
    InterpreterData,
    KeepAliveRequest,
    KeepAliveResponse,
    Message,
    SessionStateResponse,
    SessionStateUpdate,
    ShareData,
    SignalingRequest,
    SignalingResponse,
    StreamCloseResponse,
    StreamStateResponse,
    StreamStateUpdate,
    TranscriptData,
    Unknown,
    Unreadable,
    VideoData,
    VideoSubscriptionResponse,
    decode,
)
from pipeline.rtms.moments import Timeline
from pipeline.rtms.outputs import VideoSubscribed
from pipeline.rtms.people import number_of
from pipeline.rtms.standing import Standing
from pipeline.rtms.states import (
    session_answered,
    session_told,
    status_of,
    stream_answered,
    stream_told,
)
from pipeline.rtms.tally import Tally
from pipeline.rtms.timing import Timing

_MEDIA: Final = (AudioData, VideoData, ShareData, TranscriptData, ChatData, InterpreterData)


class Signaling:
    """Frames in, effects out. Nothing a peer sends makes it raise.

    ``deadline`` is a timer as data: by then the peer must have been heard, else the connection
    counts as lost. ``now`` is monotonic seconds everywhere.
    """

    def __init__(
        self,
        hello: SignalingRequest,
        *,
        product: Product,
        start_ms: int,
        standing: Standing,
        now: float,
        timing: Timing,
    ) -> None:
        self.hello: Message = hello
        self.ready = False
        self.deadline = now + timing.handshake
        self.tally = Tally("signaling")
        self._standing = standing
        self._keepalive_s = timing.keepalive
        self._timeline = Timeline(start_ms)
        self._happenings = Happenings(product, self._timeline, self.tally)
        self._refused = False

    def receive(self, frame: bytes | str, now: float) -> list[Effect]:
        """What follows from one frame, in the order it is to be done."""
        message = decode(frame)
        if isinstance(message, Unreadable):
            return [*self.tally.fault(message.reason, message.detail)]
        if isinstance(message, Unknown):
            return [*self.tally.unknown_type(message.msg_type, frame, now)]
        number = int(type(message).__struct_config__.tag or 0)
        self.tally.count(number, now)
        if isinstance(message, KeepAliveRequest):
            if self.ready:
                self.deadline = now + self._keepalive_s
            answer = KeepAliveResponse(sequence=message.sequence, timestamp=message.timestamp)
            return [Send(answer)]
        if isinstance(message, SignalingResponse) and not self.ready and not self._refused:
            return self._answered(message, now)
        if not self.ready:
            return self._unexpected(number, "before the handshake")
        if isinstance(message, EventUpdate):
            return self._happenings.read(message.event, frame)
        return self._states(message, number)

    def _states(self, message: Message, number: int) -> list[Effect]:
        standing, tally = self._standing, self.tally
        match message:
            case StreamStateUpdate():
                return stream_told(message, standing, tally)
            case SessionStateUpdate():
                return session_told(message, standing, tally, self._timeline)
            case StreamStateResponse():
                return stream_answered(message, standing, tally)
            case SessionStateResponse():
                return session_answered(message, standing, tally, self._timeline)
            case StreamCloseResponse():
                return [StreamClosed(status_of(message.status_code), message.reason)]
            case VideoSubscriptionResponse():
                user, status = number_of(message.user_id), status_of(message.status_code)
                return [VideoSubscribed(user, status, message.reason)]
        if isinstance(message, _MEDIA):
            return [*tally.fault("wrong_socket", f"{_name(number)} on signaling")]
        return self._unexpected(number, "from a server")

    def _answered(self, answer: SignalingResponse, now: float) -> list[Effect]:
        if answer.status_code != 0:
            self._refused = True
            return [Refused(status_of(answer.status_code), answer.reason)]
        self.ready = True
        self.deadline = now + self._keepalive_s
        server = answer.media_server
        return [SignalingAccepted(dict(server.server_urls) if server is not None else {})]

    def _unexpected(self, number: int, when: str) -> list[Effect]:
        return [*self.tally.fault("unexpected", f"{_name(number)} {when}")]


def _name(number: int) -> str:
    return MessageType(number).name
