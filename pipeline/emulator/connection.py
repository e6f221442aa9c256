"""One websocket as the protocol sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.emulator.lane import Lane
from pipeline.rtms.enums import MEDIA_URL_KEY, MediaType


@dataclass
class Connection:
    """``path`` None is signaling, else the media its URL is for. Times are ms from the start."""

    number: int
    path: MediaType | None
    greeted: bool = False
    """Its handshake was accepted."""
    media: MediaType = MediaType.NONE
    lanes: dict[MediaType, Lane] = field(default_factory=dict)
    params: dict[str, object] = field(default_factory=dict)
    next_ping: int = 0
    pings: int = 0
    unanswered: int = 0
    sent: int = 0

    def describe(self) -> dict[str, object]:
        """State for people and tests; plain JSON values."""
        return {
            "socket": self.name,
            "greeted": self.greeted,
            "media_type": int(self.media),
            "media_params": self.params,
            "sent": self.sent,
            "keep_alives": self.pings,
            "unanswered": self.unanswered,
        }

    @property
    def name(self) -> str:
        """``signaling`` or the URL key."""
        return "signaling" if self.path is None else MEDIA_URL_KEY[self.path]
