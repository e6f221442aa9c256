"""Who is let in: handshakes of one stream, messages 1 and 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pipeline.base.errors import BadInput
from pipeline.emulator import wire
from pipeline.emulator.connection import Connection
from pipeline.emulator.connections import Connections
from pipeline.emulator.handshake import Identity, check_identity, check_type
from pipeline.emulator.params import Refused, effective, expand
from pipeline.emulator.playback import Playback
from pipeline.emulator.rules import Rules
from pipeline.rtms.enums import MediaType, MessageType, StatusCode, is_known

Socket = Literal["signaling", "media"]

_FIRST = MessageType.SIGNALING_HAND_SHAKE_REQ
_ANSWER = {
    MessageType.SIGNALING_HAND_SHAKE_REQ: MessageType.SIGNALING_HAND_SHAKE_RESP,
    MessageType.DATA_HAND_SHAKE_REQ: MessageType.DATA_HAND_SHAKE_RESP,
}


class Granted(NamedTuple):
    """What a media handshake came to. ``in_the_way``: live connections that must go for it."""

    media: MediaType
    kinds: list[MediaType]
    params: dict[str, dict[str, Any]]
    in_the_way: list[Connection]


class Reception:
    """Checks; it changes nothing but its own count of denials."""

    def __init__(
        self, who: Identity, rules: Rules, connections: Connections, playback: Playback
    ) -> None:
        self._playback = playback
        self._who = who
        self._rules = rules
        self._connections = connections
        self._denied: dict[Socket, tuple[StatusCode, int]] = {}

    def deny(self, status: int, socket: Socket, times: int) -> None:
        """The next handshakes get this status, whatever they say. Raises BadInput for a status
        that is none."""
        if not is_known(StatusCode, status) or status == StatusCode.OK:
            raise BadInput(f"status {status} is not one of 1 to {max(StatusCode).value}")
        self._denied[socket] = (StatusCode(status), times)

    def check_signaling(self, message: Mapping[str, Any], *, over: bool, lossy: bool) -> None:
        """Message 1. ``lossy``: a media connection is lost. Raises Refused.

        Zoom's SDK answers the loss of a media socket with a whole new start within a second, so
        then a second signaling connection replaces the first.
        """
        self._check_denied("signaling")
        check_identity(message, _FIRST, self._who, mode=self._rules.mode)
        if over:
            raise Refused(StatusCode.INVALID_RTMS_STREAM_ID, "the stream is over")
        refuses = self._rules.second == "refuse" and not lossy
        if self._connections.signaling is not None and refuses:
            raise Refused(
                StatusCode.DUPLICATE_SIGNAL_REQUEST, "this stream has a signaling connection"
            )

    def check_media(self, message: Mapping[str, Any], path: MediaType) -> Granted:
        """Message 3 on the URL for ``path``. Raises Refused."""
        self._check_denied("media")
        mode = self._rules.mode
        check_identity(message, MessageType.DATA_HAND_SHAKE_REQ, self._who, mode=mode)
        if self._connections.signaling is None:
            raise Refused(StatusCode.INVALID_RTMS_STREAM_ID, "signaling is not connected")
        media = check_type(message, path, self._who)
        in_the_way = self._connections.in_the_way(media)
        if in_the_way and self._rules.second == "refuse":
            raise in_the_way[0][1]
        kinds = [one for one in expand(media) if one in self._who.scopes]
        asked = message.get("media_params")
        playback = self._playback
        params = effective(
            kinds,
            asked,
            mode=mode,
            mixed_only=playback.premixed,
            recorded=playback.header.parameters,
        )
        return Granted(media, kinds, params, [other for other, _ in in_the_way])

    def _check_denied(self, socket: Socket) -> None:
        status, times = self._denied.pop(socket, (StatusCode.OK, 0))
        if times > 1:
            self._denied[socket] = (status, times - 1)
        if times > 0:
            raise Refused(status, "as a fault script told")


def refusal(connection: Connection, refused: Refused) -> bytes:
    """The answer to a handshake that is refused, or to something else in its place."""
    kind = _FIRST if connection.path is None else MessageType.DATA_HAND_SHAKE_REQ
    return wire.refusal(_ANSWER[kind], refused.status, refused.reason)


def repeated(connection: Connection, kind: MessageType) -> bytes:
    """The answer to a handshake on a connection that has had its own, or the wrong one."""
    if (connection.path is None) != (kind == _FIRST):
        status = StatusCode.INVALID_MESSAGE_TYPE
    elif connection.path is None:
        status = StatusCode.DUPLICATE_SIGNAL_REQUEST
    else:
        status = StatusCode.DUPLICATE_MEDIA_DATA_CONNECTION
    return wire.refusal(_ANSWER[kind], status, "this socket has shaken hands")
