"""Retry or fatal: what a status code of a handshake means for going on (reference section 13)."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal

from pipeline.rtms.enums import UNSUPPORTED_MEDIA, MediaType, StatusCode, name_of

Cause = Literal["signaling_first", "signaling_again", "media_first", "media_again"]
"""Which handshake was refused, and whether an earlier connection of ours may linger at Zoom."""


class Verdict(Enum):
    """What to do after a refusal."""

    RETRY = "again after Zoom's reconnection delays"
    RETRY_SOON = "again after the delays for a duplicate"
    WITHOUT = "go on without this media"
    FATAL = "the stream cannot be had"


_FATAL: Final = frozenset({2, 3, 4, *range(9, 44), 46})
_LINGERING: Final = frozenset({15, 16})
_ABOUT_THE_STREAM: Final = frozenset({2, 3})

_OF_2025: Final = {
    1: "CONNECTION_TIMEOUT",
    13: "SESSION_NOT_FOUND",
    15: "INVALID_SIGNATURE",
    17: "DUPLICATE_SIGNAL_REQUEST",
    31: "DUPLICATE_MEDIA_DATA_CONNECTION",
}
"""What these numbers meant before; named for people, never acted on."""

_MEANING: Final = {
    StatusCode.INVALID_RTMS_STREAM_ID: "the stream is over (Zoom does not know it any more)",
    StatusCode.INVALID_SIGNATURE: (
        "wrong credentials: check ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET of this app"
    ),
    StatusCode.DUPLICATE_SIGNAL_REQUEST: "another connection holds the stream",
}


def verdict(status: int, cause: Cause) -> Verdict:
    """Pure. 8 is a connection of ours that Zoom has not missed yet, or somebody else's: try again
    soon. So are 15 and 16, but only on a media connection we had before."""
    if status == StatusCode.DUPLICATE_SIGNAL_REQUEST:
        return Verdict.RETRY_SOON
    if status in _LINGERING and cause == "media_again":
        return Verdict.RETRY_SOON
    if media_refused(status) and cause.startswith("media"):
        return Verdict.WITHOUT
    return Verdict.FATAL if status in _FATAL else Verdict.RETRY


def media_refused(status: int) -> MediaType:
    """The media type that a status is about, which one can go on without: a missing scope (9 to
    13), or chat without a key (47). NONE: it is about something else."""
    if status == StatusCode.CHAT_SESSION_KEY_NOT_AVAILABLE:
        return MediaType.CHAT
    return UNSUPPORTED_MEDIA.get(status, MediaType.NONE)


def ends_the_stream(status: int) -> bool:
    """Whether a fatal refusal of one media socket is about the whole stream (its id, the
    credentials) rather than about what this socket asked for."""
    return status in _ABOUT_THE_STREAM


_SOCKETS: Final = {"all": "media", "deskshare": "screen share"}


def explained(socket: str, status: int, reason: str) -> str:
    """One line for people: what was refused and what it means. ``reason`` is Zoom's own text."""
    meaning = _MEANING.get(StatusCode(status)) if status in _MEANING else None
    said = f" ({' '.join(reason.split())[:120]})" if reason.strip() else ""
    old = f" [in 2025 this number was {_OF_2025[status]}]" if status in _OF_2025 else ""
    name = _SOCKETS.get(socket, socket)
    line = f"Zoom refused the {name} connection: status {name_of(StatusCode, status)}{old}{said}"
    return f"{line}: {meaning}" if meaning else line
