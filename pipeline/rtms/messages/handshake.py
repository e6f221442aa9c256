"""Messages 1 to 4: a connection is made (reference sections 5, 7)."""

from __future__ import annotations

import msgspec

from pipeline.rtms.messages.parts import Part, Tagged
from pipeline.rtms.params import MediaParams


class _Handshake(Tagged, frozen=True, kw_only=True):
    protocol_version: int = 0
    sequence: int = 0
    meeting_uuid: str | None = None
    webinar_uuid: str | None = None
    session_id: str | None = None
    engagement_id: str | None = None
    call_id: str | None = None
    rtms_stream_id: str = ""
    signature: str = ""

    @property
    def zoom_id(self) -> str | None:
        """The id, under whichever of the five keys it came."""
        return (
            self.meeting_uuid
            or self.webinar_uuid
            or self.session_id
            or self.engagement_id
            or self.call_id
        )


class SignalingRequest(_Handshake, frozen=True, kw_only=True, tag=1):
    """Client to signaling, first message."""

    buffer_data: bool | None = None
    rtms_client_agent: str | None = None


class MediaServer(Part, frozen=True, kw_only=True):
    """Where media is. ``server_urls`` by media key: ``audio`` ... ``all``."""

    server_urls: dict[str, str] = msgspec.field(default_factory=dict)


class SignalingResponse(Tagged, frozen=True, kw_only=True, tag=2):
    """Answer to 1; ``media_server`` only on success."""

    protocol_version: int
    sequence: int
    status_code: int
    reason: str
    media_server: MediaServer | None = None


class MediaRequest(_Handshake, frozen=True, kw_only=True, tag=3):
    """Client to media, first message on each media socket. ``media_type``: bits."""

    media_type: int = 0
    payload_encryption: bool | None = None
    media_params: MediaParams | None = None


class MediaResponse(Tagged, frozen=True, kw_only=True, tag=4):
    """Answer to 3 with the effective parameters."""

    protocol_version: int
    sequence: int
    status_code: int
    reason: str
    payload_encrypted: bool
    media_params: MediaParams | None
