"""Messages 28 and 29: whose camera to send (reference section 12.4)."""

from __future__ import annotations

from pipeline.rtms.messages.parts import Id, Moment, Tagged


class VideoSubscriptionRequest(Tagged, frozen=True, kw_only=True, tag=28):
    """Client asks for one participant's video (section 12.4)."""

    user_id: Id
    subscribe: bool
    timestamp: Moment = None


class VideoSubscriptionResponse(Tagged, frozen=True, kw_only=True, tag=29):
    """Answer to 28."""

    user_id: Id
    status_code: int
    reason: str
    timestamp: int
    subscribe: bool | None = None
