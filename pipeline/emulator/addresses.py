"""Which stream and which socket a URL of the fake Zoom belongs to.

``/signaling`` and ``/media/KEY`` are those of the first stream, ``/2/signaling`` the second's. A
stream that failed over K times has ``/fK`` before that: its older URLs are out of order.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pipeline.rtms.enums import MEDIA_URL_KEY, MediaType

_SOCKETS: Final[dict[str, MediaType | None]] = {
    "signaling": None,
    **{f"media/{key}": media for media, key in MEDIA_URL_KEY.items()},
}
_PATH: Final = re.compile(r"/(?:([1-9][0-9]{0,5})/)?(?:f([1-9][0-9]{0,5})/)?([a-z/]+)")


class Target(NamedTuple):
    """``stream`` counts from 1; ``turn``: after how many failovers; ``path`` None is signaling."""

    stream: int
    turn: int
    path: MediaType | None


def target(path: str) -> Target | None:
    """What a request's path leads to, whatever its query; None when to nothing."""
    found = _PATH.fullmatch(path.split("?", maxsplit=1)[0])
    if found is None or found[3] not in _SOCKETS:
        return None
    return Target(int(found[1] or 1), int(found[2] or 0), _SOCKETS[found[3]])


def prefix(stream: int, turn: int = 0) -> str:
    """What stands between the port and ``/signaling``."""
    return (f"/{stream}" if stream > 1 else "") + (f"/f{turn}" if turn else "")
