"""The media connections of a stream as ``Recovery`` sees them, and what is told of their loss."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from pipeline.rtms.enums import MEDIA_URL_KEY, MediaType
from pipeline.rtms.layout import single, total
from pipeline.rtms.orders import Close, Order, Phase, Socket
from pipeline.rtms.outputs import ConnectionBack, ConnectionLost, ProtocolFault


class MediaSet:
    """``sockets`` by name; ``live`` once the stream was: before that there is nothing to lose.

    A loss is told once, and its end once, whatever happens between.
    """

    def __init__(self) -> None:
        self.sockets: dict[str, Socket] = {}
        self.live = False

    @property
    def any_up(self) -> bool:
        """Whether media comes on one of them."""
        return any(socket.phase is Phase.UP for socket in self.sockets.values())

    def plan(self, planned: Mapping[str, tuple[str, MediaType]]) -> list[Order]:
        """New sockets, after a signaling handshake. What was told lost of a socket with the same
        name is still lost; under a name that is used no more it is as good as back."""
        before = self.sockets
        self.sockets = {name: Socket(name, (url,), media) for name, (url, media) in planned.items()}
        for name, socket in self.sockets.items():
            known = before.pop(name, None)
            if known is not None:
                socket.before, socket.told_lost = known.before, known.told_lost
        return [ConnectionBack(name) for name, socket in before.items() if socket.told_lost]

    def others(self, socket: Socket) -> bool:
        """Whether there is, or may be, media without this one."""
        return any(
            other.phase in (Phase.UP, Phase.OPENING, Phase.WAITING)
            for other in self.sockets.values()
            if other is not socket
        )

    def concerned(self, media: MediaType) -> list[Socket]:
        """Those that carry these types; not told which: those that are down, or all."""
        sockets = list(self.sockets.values())
        if media:
            bits = total(single(media))
            return [socket for socket in sockets if total(single(socket.media)) & bits]
        down = [s for s in sockets if s.phase in (Phase.WAITING, Phase.OPENING)]
        return down or sockets

    def rest(self, detail: str) -> list[Order]:
        """Signaling is gone: media that is not up waits for it, media that is up goes on."""
        orders: list[Order] = []
        for socket in self.sockets.values():
            if socket.phase is Phase.OPENING:
                orders.append(Close(socket.name))
            if socket.phase in (Phase.OPENING, Phase.WAITING):
                socket.phase = Phase.IDLE
        return orders if self.any_up else [*orders, *self._tell_all_lost(detail)]

    def close(self, detail: str) -> list[Order]:
        """Let go of all of them."""
        orders: list[Order] = []
        for socket in self.sockets.values():
            if socket.phase in (Phase.UP, Phase.OPENING):
                orders.append(Close(socket.name))
            if socket.phase is not Phase.GONE:
                socket.phase = Phase.IDLE
        return orders + self._tell_all_lost(detail)

    def tell_lost(
        self, socket: Socket, cause: Literal["media_lost", "signaling_lost"], detail: str
    ) -> list[Order]:
        """The loss of one, unless it is known."""
        if socket.told_lost or not self.live:
            return []
        socket.told_lost = True
        return [ConnectionLost(socket.name, cause, detail)]

    def tell_back(self) -> list[Order]:
        """What was lost and is up."""
        back = [s for s in self.sockets.values() if s.phase is Phase.UP and s.told_lost]
        for socket in back:
            socket.told_lost = False
        return [ConnectionBack(socket.name) for socket in back]

    def _tell_all_lost(self, detail: str) -> list[Order]:
        return [
            order
            for socket in self.sockets.values()
            if socket.phase is not Phase.GONE
            for order in self.tell_lost(socket, "signaling_lost", detail)
        ]


def unoffered(wanted: MediaType, planned: Collection[str]) -> list[Order]:
    """What is told of media types that have no URL."""
    if "all" in planned:
        return []
    return [
        ProtocolFault(name, "media_refused", "no URL for it: the app may lack the scope")
        for one in single(wanted)
        if (name := MEDIA_URL_KEY[one]) not in planned
    ]
