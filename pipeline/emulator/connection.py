"""One websocket as the protocol sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.emulator.keepalive import Pulse
from pipeline.rtms.enums import MEDIA_URL_KEY, MediaType

if TYPE_CHECKING:
    from pipeline.emulator.delivery import Feed
    from pipeline.emulator.rendering import AudioFormat


@dataclass(eq=False)
class Connection:
    """``path`` None is signaling, else the media its URL is for."""

    number: int
    path: MediaType | None
    greeted: bool = False
    """Its handshake was accepted."""
    media: MediaType = MediaType.NONE
    feeds: list[Feed] = field(default_factory=list)
    audio: AudioFormat | None = None
    """What its audio is rendered in."""
    params: dict[str, object] = field(default_factory=dict)
    pulse: Pulse = field(default_factory=Pulse)
    sent: int = 0

    def describe(self) -> dict[str, object]:
        """State for people and tests; plain JSON values."""
        return {
            "socket": self.name,
            "greeted": self.greeted,
            "media_type": int(self.media),
            "media_params": self.params,
            "sent": self.sent,
            "keep_alives": self.pulse.sent,
            "unanswered": self.pulse.unanswered,
        }

    @property
    def name(self) -> str:
        """``signaling`` or the URL key."""
        return "signaling" if self.path is None else MEDIA_URL_KEY[self.path]
