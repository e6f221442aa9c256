"""The delays and windows of one stream, in seconds of this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from pipeline.base.backoff import ZOOM_DUPLICATE, ZOOM_RECONNECT, Backoff
from pipeline.rtms.settings import RtmsSettings

KEEPALIVE_FLOOR_S: Final = 15.0
"""However fast a replay is, a server is given so long to be heard."""

STALE_TRIGGER_S: Final = 10.0
"""An interruption told so soon after a reconnection is about the connection before it."""


@dataclass(frozen=True)
class Timing:
    """Zoom's times divided by the speed of a replay; connecting takes what it takes."""

    reconnect: Backoff
    duplicate: Backoff
    trigger_wait: float
    stale_trigger: float
    signaling_window: float
    media_window: float
    keepalive: float
    handshake: float
    drain: float

    @classmethod
    def of(cls, settings: RtmsSettings, speed: float = 1.0) -> Timing:
        """The times of ``settings`` at ``speed``."""
        floor = min(settings.keepalive_timeout_s, KEEPALIVE_FLOOR_S)
        return cls(
            reconnect=replace(ZOOM_RECONNECT, scale=1 / speed),
            duplicate=replace(ZOOM_DUPLICATE, scale=1 / speed),
            trigger_wait=settings.trigger_wait_s / speed,
            stale_trigger=STALE_TRIGGER_S / speed,
            signaling_window=settings.signaling_window_s / speed,
            media_window=settings.media_window_s / speed,
            keepalive=max(settings.keepalive_timeout_s / speed, floor),
            handshake=settings.handshake_timeout_s,
            drain=settings.drain_s,
        )
