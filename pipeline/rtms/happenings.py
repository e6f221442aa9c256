"""Events (message 6) as they are told; their numbers mean what the product says (section 10)."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from pipeline.model.events import Product
from pipeline.rtms.effects import Effect, MediaInterrupted
from pipeline.rtms.enums import EventType, MediaType, VoiceEventType, is_known
from pipeline.rtms.messages import EventBody, Person, VoicePerson
from pipeline.rtms.moments import Timeline
from pipeline.rtms.outputs import (
    CallEvent,
    CamerasChanged,
    ChatGroupChanged,
    FirstPacket,
    PeopleJoined,
    PeopleLeft,
    SharingStarted,
    SharingStopped,
    SpeakerChanged,
)
from pipeline.rtms.people import number_of, person_of
from pipeline.rtms.tally import Tally

VOICE: Final[frozenset[Product]] = frozenset({"contact_center", "phone"})
"""Products whose events from 8 on are those of calls. Zoom's phone sample reads 18 and 21 of them,
in the contact center's layout."""

KEPT_BYTES: Final = 64 * 1024
"""Longer JSON is not kept as it came."""

_UNNAMED: Final = range(30, 35)
"""Numbers of calls that exist but whose names are not known (section 10.2)."""

_JOINED: Final = frozenset({VoiceEventType.CONSUMER_ANSWERED, VoiceEventType.USER_ANSWERED})
_LEFT: Final = frozenset(
    {
        VoiceEventType.CONSUMER_END,
        VoiceEventType.USER_END,
        VoiceEventType.CONFERENCE_PARTICIPANT_LEFT,
    }
)
_MAX_CHANNELS: Final = 1_000

_GROUP_CHANGES: Final[
    dict[int, Literal["created", "deleted", "members_added", "members_removed", "member_status"]]
] = {
    EventType.CHAT_GROUP_CREATE: "created",
    EventType.CHAT_GROUP_DELETE: "deleted",
    EventType.CHAT_GROUP_MEMBERS_ADD: "members_added",
    EventType.CHAT_GROUP_MEMBERS_DELETE: "members_removed",
    EventType.CHAT_GROUP_MEMBER_STATUS_UPDATE: "member_status",
}


class _Outer(msgspec.Struct):
    event: msgspec.Raw


_outer: Final = msgspec.json.Decoder(_Outer)


class Happenings:
    """Reads the events of one connection. Nothing in them makes it raise."""

    def __init__(self, product: Product, timeline: Timeline, tally: Tally) -> None:
        self._voice = product in VOICE
        self._timeline = timeline
        self._tally = tally
        self._channels: dict[str, str] = {}  # of people in a call, by user id

    def read(self, event: EventBody, frame: bytes | str) -> list[Effect]:
        """What one event says. ``frame``: the message it came in."""
        if self._voice and event.event_type >= min(VoiceEventType):
            return self._call(event, frame)
        at_ms = self._timeline.read(event.timestamp or event.event_ts)
        people = _people(event)
        match event.event_type:
            case EventType.FIRST_PACKET_TIMESTAMP:
                return [FirstPacket(at_ms)]
            case EventType.ACTIVE_SPEAKER_CHANGE:
                return [SpeakerChanged(number_of(event.user_id), event.user_name or None, at_ms)]
            case EventType.PARTICIPANT_JOIN:
                named = tuple(
                    (person, who.user_name)
                    for who in people
                    if (person := person_of(who.user_id)) and who.user_name
                )
                return [PeopleJoined(named, at_ms)] if named else []
            case EventType.PARTICIPANT_LEAVE:
                gone = _ids(people)
                return [PeopleLeft(gone, at_ms)] if gone else []
            case EventType.SHARING_START:
                return [SharingStarted(number_of(event.user_id), event.user_name or None, at_ms)]
            case EventType.SHARING_STOP:
                return [SharingStopped(at_ms)]
            case EventType.MEDIA_CONNECTION_INTERRUPTED:
                return [MediaInterrupted(_media_bits(event.media_type))]
            case EventType.PARTICIPANT_VIDEO_ON | EventType.PARTICIPANT_VIDEO_OFF:
                on = event.event_type == EventType.PARTICIPANT_VIDEO_ON
                ids = _ids(people)
                return [CamerasChanged(ids, on, at_ms)] if ids else []
        change = _GROUP_CHANGES.get(event.event_type)
        if change is None:
            return self._unknown(event, frame)
        raw = _raw_event(frame)
        if len(raw) > KEPT_BYTES:
            return [*self._tally.fault("too_long", f"chat group event of {len(raw)} bytes")]
        return [ChatGroupChanged(change, at_ms, raw)]

    def _call(self, event: EventBody, frame: bytes | str) -> list[Effect]:
        """A contact center event; arrivals and departures are told as such beside it."""
        number = event.event_type
        named = is_known(VoiceEventType, number)
        if not named and number not in _UNNAMED:
            return self._unknown(event, frame)
        at_ms = self._timeline.read(event.event_ts or event.timestamp)
        who = event.participant_info or event.paticipant_info or VoicePerson()
        person = self._person(who, arriving=number in _JOINED)
        name = VoiceEventType(number).name.lower() if named else f"event_{number}"
        mode = who.participant_mode or None
        effects: list[Effect] = [CallEvent(name, person, who.display_name or None, mode, at_ms)]
        if person is not None and number in _JOINED:
            shown = who.display_name or who.participant_mode
            if shown:
                effects.append(PeopleJoined(((person, shown),), at_ms))
        elif person is not None and number in _LEFT:
            effects.append(PeopleLeft((person,), at_ms))
        return effects

    def _person(self, who: VoicePerson, *, arriving: bool) -> str | None:
        """Their channel, which is what media goes by. Some events carry the user id alone."""
        channel, user = person_of(who.channel_id), person_of(who.user_id)
        if arriving and channel and user and len(self._channels) < _MAX_CHANNELS:
            self._channels[user] = channel
        if channel is None and user is not None:
            channel = self._channels.get(user)
        return channel or user

    def _unknown(self, event: EventBody, frame: bytes | str) -> list[Effect]:
        if event.event_type < 0 and event.event_code is not None:
            number = number_of(event.event_code) or 0
            detail = f"event code {str(event.event_code)[:40]} of protocol V2"
        else:
            number, detail = event.event_type, f"event type {str(event.event_type)[:40]}"
        return [*self._tally.strange("unknown_event", number, detail, frame)]


def _people(event: EventBody) -> list[Person]:
    if event.participants is not None:
        return event.participants
    return (
        [] if event.user_id is None else [Person(user_id=event.user_id, user_name=event.user_name)]
    )


def _ids(people: list[Person]) -> tuple[str, ...]:
    return tuple(person for who in people if (person := person_of(who.user_id)))


def _raw_event(frame: bytes | str) -> bytes:
    """The JSON of the event alone, or of the whole message where its fields are at top level."""
    try:
        return bytes(_outer.decode(frame).event)
    except (ValueError, RecursionError):
        return frame.encode("utf-8", "replace") if isinstance(frame, str) else bytes(frame)


def _media_bits(value: Any) -> MediaType:
    return MediaType(value) if value is not None and 0 < value <= 63 else MediaType.NONE
