"""Settings of the fake Zoom."""

from __future__ import annotations

from typing import Literal

import msgspec

from pipeline.base.secret import Secret


class EmulatorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the fake Zoom behaves. Times are meeting time: they pass ``speed`` times faster."""

    host: str = "localhost"
    port: int = 0
    """0: any free one."""
    tls: bool = False
    client_id: str = "cid"
    client_secret: Secret = Secret("csec")
    secret_token: Secret = Secret("tok")
    meeting_uuid: str | None = None
    """The webhook's id, whatever the product; None: the tape's."""
    stream_id: str | None = None
    webhook: str | None = None
    """Announce the stream here; None: wait for a client to connect."""
    speed: float = 1.0
    loop: bool = False
    scopes: tuple[str, ...] = ("audio", "video", "deskshare", "transcript", "chat")
    """Media the app may have; others are refused with status 9..13."""
    frames: Literal["text", "binary"] = "text"
    """What the server sends; clients must take both (reference section 22)."""
    keepalive_s: float = 10.0
    misses: int = 3
    """Unanswered keep-alives before a connection counts as lost (section 9)."""
    connect_window_s: float = 60.0
    """From the started webhook to the first handshake; then stop reason 11."""
    signaling_window_s: float = 60.0
    media_window_s: float = 65.0
    buffer_s: float = 60.0
    """How much media is kept for a client that is not there (section 12.1)."""
    webhook_timeout_s: float = 3.0
    """Machine time."""
    webhook_retries_s: tuple[float, ...] = (300.0, 1200.0, 3600.0)
    """Zoom's second, third and fourth try (section 2.5)."""
