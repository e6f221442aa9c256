"""What can go wrong on the fake Zoom's side, as data: one frozen struct a fault.

In JSON and YAML a fault is an object whose ``fault`` names it; ``at`` is the tape's time in
seconds, without it the fault begins at once. docs/emulator.md has the table.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Media = Literal["audio", "video", "deskshare", "transcript", "chat"]
AnyMedia = Literal["audio", "video", "deskshare", "transcript", "chat", "all"]
Socket = Literal["all", "signaling", "media", "audio", "video", "deskshare", "transcript", "chat"]
"""``media``: every media socket. A kind: the socket that carries it, also an all-in-one."""
Kind = Literal[
    "any", "audio", "video", "deskshare", "transcript", "chat", "event", "state", "keep_alive"
]
Happening = Literal["started", "interrupted", "stopped"]
Closing = Literal["abrupt", "frame"]

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class Fault(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="fault",
):
    """What all faults have. ``stream`` counts from 1; None: every stream."""

    at: Annotated[float, Meta(ge=0)] | None = None
    stream: Annotated[int, Meta(ge=1)] | None = None


# -- done by the stream's own servers ----------------------------------------------------------


class Drop(Fault, frozen=True, kw_only=True, tag="drop"):
    """A connection is lost, as Zoom sees it: event 7 or an interrupted webhook follow."""

    socket: Socket = "media"
    close: Closing = "abrupt"
    replay: bool = True
    """False: what is sent until the client is back is gone."""


class Outage(Fault, frozen=True, kw_only=True, tag="outage"):
    """Media sockets break and their URLs are out of order (HTTP 503) for a while."""

    media: AnyMedia = "all"
    length: Seconds = msgspec.field(name="for")
    close: Closing = "abrupt"
    replay: bool = True


class Replay(Fault, frozen=True, kw_only=True, tag="replay"):
    """Whether media is kept for a client that is not there, from now on."""

    keep: bool


class Failover(Fault, frozen=True, kw_only=True, tag="failover"):
    """The stream's server fails: everything is dropped and started is sent with a new URL."""

    dead_first: bool = False
    """The webhook names a dead URL before the new one."""


class Pause(Fault, frozen=True, kw_only=True, tag="pause"):
    """The session is paused (and resumed after ``for`` seconds)."""

    length: Seconds | None = msgspec.field(name="for", default=None)


class Resume(Fault, frozen=True, kw_only=True, tag="resume"):
    """A paused session goes on."""


class Camera(Fault, frozen=True, kw_only=True, tag="camera"):
    """A participant's camera is switched on or off."""

    user_id: int
    on: bool


class Refuse(Fault, frozen=True, kw_only=True, tag="refuse"):
    """The next handshakes are refused, with a status of the protocol or an HTTP status."""

    socket: Literal["signaling", "media"] = "signaling"
    status: Annotated[int, Meta(ge=1, le=47)] = 45
    http: Annotated[int, Meta(ge=400, le=599)] | None = None
    times: Count = 1


class MissingKeepAlives(Fault, frozen=True, kw_only=True, tag="missing_keep_alives"):
    """The server sends no keep-alives; it does not take the client for gone meanwhile."""

    length: Seconds = msgspec.field(name="for")


class Stop(Fault, frozen=True, kw_only=True, tag="stop"):
    """The stream ends with this stop reason (reference section 14.1)."""

    reason: Annotated[int, Meta(ge=0, le=26)] = 6


# -- done to messages on their way -------------------------------------------------------------


class Stall(Fault, frozen=True, kw_only=True, tag="stall"):
    """Sockets stay open and nothing is sent on them; then everything that waited."""

    socket: Socket = "all"
    length: Seconds = msgspec.field(name="for")


class Trickle(Fault, frozen=True, kw_only=True, tag="trickle"):
    """At most so many bytes a second on each socket; long messages come in fragments."""

    socket: Socket = "media"
    bytes_per_s: Annotated[int, Meta(ge=10)]
    length: Seconds = msgspec.field(name="for")


class LateKeepAlives(Fault, frozen=True, kw_only=True, tag="late_keep_alives"):
    """Keep-alives come so many seconds after they were due, all other messages in time."""

    late: Seconds
    length: Seconds | None = msgspec.field(name="for", default=None)


class LoseMedia(Fault, frozen=True, kw_only=True, tag="lose_media"):
    """A kind of media is never sent while its socket stays open."""

    media: AnyMedia = "all"
    length: Seconds = msgspec.field(name="for")


class Corrupt(Fault, frozen=True, kw_only=True, tag="corrupt"):
    """The next messages of a kind are broken."""

    kind: Kind = "audio"
    how: Literal[
        "truncated", "not_json", "not_utf8", "empty", "bad_base64", "wrong_length", "wrong_types"
    ] = "truncated"
    times: Count = 1
    extra: bool = False
    """True: the good message follows the broken one."""


class Unknown(Fault, frozen=True, kw_only=True, tag="unknown"):
    """A message (or on signaling an event) of a type nobody knows."""

    what: Literal["message", "event"] = "message"
    number: Annotated[int, Meta(ge=30, le=65_535)] = 99
    socket: Socket = "all"


class Say(Fault, frozen=True, kw_only=True, tag="say"):
    """Any message, as it stands."""

    message: dict[str, Any]
    socket: Socket = "signaling"


class ClockJump(Fault, frozen=True, kw_only=True, tag="clock_jump"):
    """Times in messages are so many seconds off, from now on or for a while."""

    by: Annotated[float, Meta(ge=-1e9, le=1e9)]
    length: Seconds | None = msgspec.field(name="for", default=None)


class HugeImage(Fault, frozen=True, kw_only=True, tag="huge_image"):
    """One valid JPEG of so many MiB."""

    media: Literal["video", "deskshare"] = "deskshare"
    mib: Annotated[float, Meta(gt=0, le=256)] = 8.0
    user_id: int = 16_778_240


class FlatMedia(Fault, frozen=True, kw_only=True, tag="flat_media"):
    """``content`` of media is the data itself, as older servers sent it."""

    length: Seconds | None = msgspec.field(name="for", default=None)


class Repeat(Fault, frozen=True, kw_only=True, tag="repeat"):
    """Media messages are sent twice."""

    media: AnyMedia = "audio"
    length: Seconds = msgspec.field(name="for")


class Reorder(Fault, frozen=True, kw_only=True, tag="reorder"):
    """A media message is held back until ``by`` later ones of its kind were sent; then the next."""

    media: AnyMedia = "audio"
    by: Annotated[int, Meta(ge=1, le=100)] = 1
    length: Seconds = msgspec.field(name="for")


# -- done to webhooks --------------------------------------------------------------------------


class DuplicateWebhook(Fault, frozen=True, kw_only=True, tag="duplicate_webhook"):
    """A webhook is sent again: the last one of its kind, or else the next one twice."""

    event: Happening = "started"
    times: Annotated[int, Meta(ge=1, le=100)] = 1


class LoseWebhook(Fault, frozen=True, kw_only=True, tag="lose_webhook"):
    """The next webhooks of a kind are never sent."""

    event: Happening = "interrupted"
    times: Count = 1


class LateWebhook(Fault, frozen=True, kw_only=True, tag="late_webhook"):
    """The next webhook of a kind is sent so many seconds late."""

    event: Happening = "interrupted"
    late: Seconds


class ReorderWebhooks(Fault, frozen=True, kw_only=True, tag="reorder_webhooks"):
    """The next webhook of a kind is sent after the one that follows it."""

    event: Happening = "interrupted"


class NestedWebhooks(Fault, frozen=True, kw_only=True, tag="nested_webhooks"):
    """Webhooks carry their fields under ``payload.object``."""

    length: Seconds | None = msgspec.field(name="for", default=None)


class DeadUrl(Fault, frozen=True, kw_only=True, tag="dead_url"):
    """Started webhooks name a URL that refuses connections before the good one."""


class Concurrency(Fault, frozen=True, kw_only=True, tag="concurrency"):
    """The account's webhook about too many streams."""

    event: Literal["limited", "near_limit"] = "limited"
    number: Annotated[int, Meta(ge=0)] = 1


StreamFault = (
    Drop
    | Outage
    | Replay
    | Failover
    | Pause
    | Resume
    | Camera
    | Refuse
    | MissingKeepAlives
    | Stop
    | Concurrency
)
MessageFault = (
    Stall
    | Trickle
    | LateKeepAlives
    | LoseMedia
    | Corrupt
    | Unknown
    | Say
    | ClockJump
    | HugeImage
    | FlatMedia
    | Repeat
    | Reorder
)
WebhookFault = (
    DuplicateWebhook | LoseWebhook | LateWebhook | ReorderWebhooks | NestedWebhooks | DeadUrl
)
AnyFault = StreamFault | MessageFault | WebhookFault
