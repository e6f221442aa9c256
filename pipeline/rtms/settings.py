"""Settings of the connection to Zoom."""

from __future__ import annotations

from typing import Literal

import msgspec

from pipeline.rtms.enums import language_code


class RtmsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How streams are received. Seconds are Zoom's time; replays at N times speed divide them.

    Raises ValueError for values outside Zoom's table (reference section 7.1).
    """

    allowed_domains: tuple[str, ...] = ("zoom.us",)  # hosts that may be connected to
    allow_loopback: bool = False  # also ws:// and wss:// to this machine, for the fake Zoom
    ca_file: str = ""  # more certificate authorities (PEM); verification is never off
    layout: Literal["all", "split"] = "all"  # one media socket, or one for each type
    send_rate_ms: int = 100  # audio per message: 20..1000 in steps of 20
    language: str = ""  # BCP-47 tag of Zoom's transcript; empty: Zoom's default
    detect_language: bool = True  # Zoom may switch the transcript's language after 30 s
    buffer_data: bool = True  # ask for what was said before we connected (up to 60 s)
    connect_timeout_s: float = 10.0  # TCP, TLS and upgrade, for each address; never scaled
    handshake_timeout_s: float = 10.0  # from our first message to Zoom's answer; never scaled
    close_timeout_s: float = 1.0  # for the peer's close frame; never scaled
    drain_s: float = 1.0  # media still under way after the end of a stream; never scaled
    keepalive_timeout_s: float = 65.0  # silence after which a connection counts as lost
    signaling_window_s: float = 60.0  # Zoom waits so long for a lost signaling connection
    media_window_s: float = 65.0  # and so long for a lost media connection
    trigger_wait_s: float = 3.0  # for Zoom's own word after a socket closed without one
    max_message_bytes: int = 4 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.send_rate_ms % 20 or not 20 <= self.send_rate_ms <= 1000:
            raise ValueError("send_rate_ms must be 20..1000 in steps of 20")
        if self.language:
            language_code(self.language)
        if not self.max_message_bytes >= 64 * 1024:
            raise ValueError("max_message_bytes must be at least 65536")
        for name in ("keepalive_timeout_s", "signaling_window_s", "media_window_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")
