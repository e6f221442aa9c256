"""The signaling socket as a state machine without I/O (reference sections 5, 8 to 11)."""

from __future__ import annotations

from pipeline.model.events import Product
from pipeline.rtms.effects import Effect, MediaInterrupted, Refused, Send, SignalingAccepted
from pipeline.rtms.enums import (
    EventType,
    MediaType,
    MessageType,
    StreamState,
    VoiceEventType,
    is_known,
)
from pipeline.rtms.messages import (
    AudioData,
    ChatData,
    EventBody,
    EventUpdate,
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
from pipeline.rtms.outputs import FirstPacket, PeopleJoined, PeopleLeft, SpeakerChanged
from pipeline.rtms.people import number_of, person_of
from pipeline.rtms.standing import Standing
from pipeline.rtms.tally import UNKNOWN, Tally
from pipeline.rtms.timing import Timing

_MEDIA = (AudioData, VideoData, ShareData, TranscriptData, ChatData)
_ANSWERS = (
    SessionStateResponse,
    StreamStateResponse,
    StreamCloseResponse,
    VideoSubscriptionResponse,
)
_JOINED = frozenset({VoiceEventType.CONSUMER_ANSWERED, VoiceEventType.USER_ANSWERED})
_LEFT = frozenset(
    {
        VoiceEventType.CONSUMER_END,
        VoiceEventType.USER_END,
        VoiceEventType.CONFERENCE_PARTICIPANT_LEFT,
    }
)


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
        self._product = product
        self._standing = standing
        self._keepalive_s = timing.keepalive
        self._timeline = Timeline(start_ms)
        self._refused = False

    def receive(self, frame: bytes | str, now: float) -> list[Effect]:
        """What follows from one frame, in the order it is to be done."""
        message = decode(frame)
        if isinstance(message, Unreadable):
            return [*self.tally.fault(message.reason, message.detail)]
        if isinstance(message, Unknown):
            return self._unknown(message, now)
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
            return self._event(message.event)
        if isinstance(message, StreamStateUpdate):
            if not is_known(StreamState, message.state):
                return [*self.tally.fault("unknown_state", f"stream state {message.state}")]
            return self._standing.stream(message)
        if isinstance(message, SessionStateUpdate):
            return self._standing.session(message)
        if isinstance(message, _ANSWERS):
            return []
        if isinstance(message, _MEDIA):
            return [*self.tally.fault("wrong_socket", f"{_name(number)} on signaling")]
        return self._unexpected(number, "from a server")

    def _answered(self, answer: SignalingResponse, now: float) -> list[Effect]:
        if answer.status_code != 0:
            self._refused = True
            return [Refused(answer.status_code, answer.reason)]
        self.ready = True
        self.deadline = now + self._keepalive_s
        server = answer.media_server
        return [SignalingAccepted(dict(server.server_urls) if server is not None else {})]

    def _event(self, event: EventBody) -> list[Effect]:
        if self._product == "contact_center" and event.event_type >= min(VoiceEventType):
            return self._voice_event(event)
        at_ms = self._timeline.read(event.timestamp or event.event_ts)
        match event.event_type:
            case EventType.FIRST_PACKET_TIMESTAMP:
                return [FirstPacket(at_ms)]
            case EventType.ACTIVE_SPEAKER_CHANGE:
                return [SpeakerChanged(number_of(event.user_id), event.user_name, at_ms)]
            case EventType.PARTICIPANT_JOIN:
                people = tuple(
                    (person, who.user_name)
                    for who in event.participants or ()
                    if (person := person_of(who.user_id)) and who.user_name
                )
                return [PeopleJoined(people, at_ms)] if people else []
            case EventType.PARTICIPANT_LEAVE:
                gone = tuple(
                    person for who in event.participants or () if (person := person_of(who.user_id))
                )
                return [PeopleLeft(gone, at_ms)] if gone else []
            case EventType.MEDIA_CONNECTION_INTERRUPTED:
                return [MediaInterrupted(_media_bits(event.media_type))]
        if is_known(EventType, event.event_type):
            return []
        return [*self.tally.fault("unknown_event", f"event type {event.event_type}")]

    def _voice_event(self, event: EventBody) -> list[Effect]:
        if not is_known(VoiceEventType, event.event_type):
            return [*self.tally.fault("unknown_event", f"voice event type {event.event_type}")]
        at_ms = self._timeline.read(event.event_ts or event.timestamp)
        who = event.participant_info or event.paticipant_info
        person = None if who is None else person_of(who.channel_id) or person_of(who.user_id)
        if who is None or person is None:
            return []
        if event.event_type in _JOINED:
            name = who.display_name or who.participant_mode
            return [PeopleJoined(((person, name),), at_ms)] if name else []
        return [PeopleLeft((person,), at_ms)] if event.event_type in _LEFT else []

    def _unknown(self, message: Unknown, now: float) -> list[Effect]:
        if is_known(MessageType, message.msg_type):
            self.tally.count(message.msg_type, now)
            return []
        self.tally.count(UNKNOWN, now)
        return [*self.tally.fault("unknown_type", f"message type {message.msg_type}")]

    def _unexpected(self, number: int, when: str) -> list[Effect]:
        return [*self.tally.fault("unexpected", f"{_name(number)} {when}")]


def _name(number: int) -> str:
    return MessageType(number).name


def _media_bits(value: int | None) -> MediaType:
    return MediaType(value) if value is not None and 0 < value <= 63 else MediaType.NONE
