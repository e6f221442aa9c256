"""How much of the meeting a lost connection cost. Pure: told what happened, says what is missing.

Participants who do not speak send nothing, so silence alone proves nothing. What is known: when a
connection was lost, when it came back, and the timestamp of the first media after that. Zoom
buffers media while a connection is away and delivers it on return (reference section 12.1); media
older than the return is the sign that it did.
"""

from __future__ import annotations

import msgspec

REPLAY_SIGN_MS = 500
"""Media at least this much older than the return was buffered, not live."""

CONTINUES_MS = 150
"""Media that begins so soon after the loss goes on where it broke off: a packet of 100 ms, and
50 ms for what the clock is worth. It proves the replay however short the outage was."""

SETTLE_MS = 5_000
"""So long after the return without any media, the outage is taken as not replayed."""


class Hole(msgspec.Struct, frozen=True, kw_only=True):
    """A measured loss, in meeting time."""

    media: str
    cause: str
    from_ms: int
    to_ms: int


class _Outage(msgspec.Struct, kw_only=True):
    cause: str
    lost_ms: int
    unsure_ms: int
    back_ms: int | None = None


class GapMeter:
    """Tracks outages by media kind (``all``, ``audio``, ``transcript``, ...) of one stream.

    ``buffer_ms``: how much Zoom replays at most (reference section 16: 60 s). ``continues_ms``
    can be set anew once the length of a packet is known.
    """

    def __init__(
        self,
        buffer_ms: int = 60_000,
        sign_ms: int = REPLAY_SIGN_MS,
        continues_ms: int = CONTINUES_MS,
    ) -> None:
        self.continues_ms = continues_ms
        self._buffer_ms = buffer_ms
        self._sign_ms = sign_ms
        self._outages: dict[str, _Outage] = {}

    @property
    def open(self) -> frozenset[str]:
        """Media kinds with an outage that is not settled yet."""
        return frozenset(self._outages)

    @property
    def away(self) -> bool:
        """Whether a connection is still gone."""
        return any(outage.back_ms is None for outage in self._outages.values())

    def lost(self, media: str, now_ms: int, cause: str, *, unsure_ms: int = 0) -> None:
        """A connection is gone since ``now_ms``.

        ``unsure_ms``: so much from then on may be missing even if the rest is replayed (a killed
        process had received it but not yet made it durable).
        """
        known = self._outages.get(media)
        if known is None:
            self._outages[media] = _Outage(cause=cause, lost_ms=now_ms, unsure_ms=unsure_ms)
        else:
            known.back_ms = None

    def back(self, media: str, now_ms: int) -> None:
        """The connection is there again; whether the loss is replayed shows in what follows."""
        outage = self._outages.get(media)
        if outage is not None:
            outage.back_ms = now_ms

    def seen(self, media: str, timestamp_ms: int) -> list[Hole]:
        """Media with this send time arrived."""
        outage = self._outages.get(media)
        if outage is None or outage.back_ms is None:
            return []
        del self._outages[media]
        sign_ms = min(self._sign_ms, (outage.back_ms - outage.lost_ms) // 2)
        continues = timestamp_ms <= outage.lost_ms + outage.unsure_ms + self.continues_ms
        if not continues and timestamp_ms > outage.back_ms - max(REPLAY_SIGN_MS, sign_ms):
            return _hole(media, outage, outage.back_ms)
        unsure_to = min(outage.lost_ms + outage.unsure_ms, timestamp_ms, outage.back_ms)
        not_kept_to = outage.back_ms - self._buffer_ms
        return _hole(media, outage, max(unsure_to, not_kept_to))

    def tick(self, now_ms: int) -> list[Hole]:
        """Settle outages that ended some time ago without anything arriving."""
        due = [
            media
            for media, outage in self._outages.items()
            if outage.back_ms is not None and now_ms >= outage.back_ms + SETTLE_MS
        ]
        return [hole for media in due for hole in _settle(media, self._outages.pop(media), now_ms)]

    def end(self, now_ms: int) -> list[Hole]:
        """The stream is over: whatever is still open was lost until now."""
        outages, self._outages = self._outages, {}
        return [
            hole for media, outage in outages.items() for hole in _settle(media, outage, now_ms)
        ]


def _settle(media: str, outage: _Outage, now_ms: int) -> list[Hole]:
    return _hole(media, outage, outage.back_ms if outage.back_ms is not None else now_ms)


def _hole(media: str, outage: _Outage, to_ms: int) -> list[Hole]:
    if to_ms <= outage.lost_ms:
        return []
    return [Hole(media=media, cause=outage.cause, from_ms=outage.lost_ms, to_ms=to_ms)]
