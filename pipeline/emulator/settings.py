"""Settings of the fake Zoom."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from pipeline.base.errors import ConfigError
from pipeline.base.secret import Secret
from pipeline.model.events import Product
from pipeline.rtms.products import PRODUCTS

MOST_STREAMS: Final = 10_000
MOST_SECONDS: Final = 1_000_000
"""Of a window, eleven days: for ever, and still a number that clocks can count with."""
_MEDIA: Final = ("audio", "video", "deskshare", "transcript", "chat")


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
    streams: int = 1
    """How many meetings play the tape at once, on one clock. The ids of the n-th end in ``-n``;
    several streams of a contact-center tape are streams of one engagement."""
    spread: bool = True
    """With several streams, each lags a fixed part of 20 ms behind the tape, as real meetings are
    not in step; else all of them are sent to in one burst."""
    start: Literal["first", "all"] = "first"
    """Without a webhook the tape's clock starts when the first client, or the clients of all
    streams, have shaken hands on signaling."""
    id_key: str | None = None
    """The key of that id in webhooks (a webinar's may be ``meeting_uuid``); None: the product's
    first."""
    webhook: str | None = None
    """Announce the stream here; None: wait for a client to connect."""
    speed: float = 1.0
    loop: bool = False
    scopes: tuple[str, ...] = _MEDIA
    """Media the app may have; others are refused with status 9..13."""
    mode: Literal["strict", "tolerant"] = "strict"
    """Tolerant: what a real server might let pass is clamped or ignored, not refused."""
    second: Literal["refuse", "kick"] = "refuse"
    """What happens to a second connection of a stream: it is refused with status 8, 15 or 16, or
    it takes the first one's place (reference section 16)."""
    urls: Literal["both", "all", "split"] = "both"
    """Which media URLs message 2 offers: one for everything, one for each kind, or both."""
    media_form: Literal["object", "flat"] = "object"
    """Flat: ``content`` is the data and its fields stand beside it, as older servers sent it."""
    webhook_form: Literal["flat", "nested"] = "flat"
    """Nested: the fields stand under ``payload.object`` (section 2.2)."""
    webhook_alias: bool = False
    """Use the product's older event names where it has some (phone: ``phone.call_rtms_*``)."""
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
    replay: bool = True
    """False: nothing is kept for a client that is not there."""
    webhook_timeout_s: float = 3.0
    """Machine time."""
    webhook_retries_s: tuple[float, ...] = (300.0, 1200.0, 3600.0)
    """Zoom's second, third and fourth try (section 2.5)."""


def check_settings(settings: EmulatorSettings) -> None:
    """Raises ConfigError, which names the setting and what it may be."""
    if not 1 <= settings.streams <= MOST_STREAMS:
        raise ConfigError(f"streams = {settings.streams}: allowed are 1 to {MOST_STREAMS}")
    for name in ("speed", "keepalive_s", "webhook_timeout_s"):
        value = getattr(settings, name)
        if not 0 < value <= MOST_SECONDS:
            raise ConfigError(f"{name} = {value:g}: must be more than 0, at most {MOST_SECONDS}")
    for name in ("connect_window_s", "signaling_window_s", "media_window_s", "buffer_s"):
        value = getattr(settings, name)
        if not 0 <= value <= MOST_SECONDS:
            raise ConfigError(f"{name} = {value:g}: allowed are 0 to {MOST_SECONDS}")
    for scope in settings.scopes:
        if scope not in _MEDIA:
            raise ConfigError(f"scopes: {scope!r} is not one of {', '.join(_MEDIA)}")


def check_product(settings: EmulatorSettings, product: Product) -> None:
    """Whether the tape's product can be played so. Raises ConfigError."""
    keys = PRODUCTS[product].id_keys
    if settings.id_key not in (None, *keys):
        raise ConfigError(f"id_key = {settings.id_key!r}: a {product} has {' or '.join(keys)}")
