"""Messages 5 and 6: what happens in a meeting or call (reference section 10)."""

from __future__ import annotations

from typing import Any

from pipeline.rtms.messages.parts import Id, Part, Person, Tagged


class EventChoice(Part, frozen=True, kw_only=True):
    """One entry of a subscription."""

    event_type: int
    subscribe: bool


class EventSubscription(Tagged, frozen=True, kw_only=True, tag=5):
    """Client to signaling; never answered."""

    events: list[EventChoice]


class VoicePerson(Part, frozen=True, kw_only=True):
    """``participant_info`` of contact center events (section 10.2)."""

    channel_id: Id | None = None
    participant_mode: str | None = None
    user_id: Id | None = None
    display_name: str | None = None
    queue_id: str | None = None
    queue_name: str | None = None
    account_id: str | None = None
    division_id: str | None = None
    phone_number: str | None = None


class EventBody(Part, frozen=True, kw_only=True):
    """What happened; which fields are there depends on ``event_type``."""

    event_type: int
    event_code: Id | None = None  # of protocol V2, which has no event_type (section 19)
    timestamp: int | None = None
    event_ts: int | None = None
    user_id: Id | None = None
    user_name: str | None = None
    participants: list[Person] | None = None
    media_type: int | None = None
    participant_info: VoicePerson | None = None
    paticipant_info: VoicePerson | None = None  # as one public sample spells it
    chat_groups: Any = None
    members_update_list: Any = None
    member_status_update_list: Any = None


class EventUpdate(Tagged, frozen=True, kw_only=True, tag=6):
    """Signaling to client."""

    event: EventBody
