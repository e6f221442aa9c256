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
    participant: str | None = None
    detail: str | None = None


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
        self._paused_ms: int | None = None

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

    def paused(self, now_ms: int) -> None:
        """Nothing is sent from now on, connection or not (reference section 11.2)."""
        if self._paused_ms is None:
            self._paused_ms = now_ms

    def resumed(self, now_ms: int) -> list[Hole]:
        """The pause is over: one hole, whatever was lost within it. What is still away has cost
        something only since now."""
        since, self._paused_ms = self._paused_ms, None
        if since is None or now_ms <= since:
            return []
        for outage in self._outages.values():
            if outage.back_ms is None and outage.lost_ms >= since:
                outage.lost_ms = now_ms
        return self._told([Hole(media="all", cause="paused", from_ms=since, to_ms=now_ms)])

    def seen(self, media: str, timestamp_ms: int, *, lasts_ms: int = 0) -> list[Hole]:
        """Media of this time arrived, sent ``lasts_ms`` later (a packet goes out when full)."""
        outage = self._outages.get(media)
        if outage is None or outage.back_ms is None:
            return []
        del self._outages[media]
        return self._told(self._measured(media, outage, timestamp_ms, lasts_ms))

    def _measured(
        self, media: str, outage: _Outage, timestamp_ms: int, lasts_ms: int
    ) -> list[Hole]:
        assert outage.back_ms is not None
        sign_ms = min(self._sign_ms, (outage.back_ms - outage.lost_ms) // 2)
        away_ms = outage.back_ms - outage.lost_ms
        # In an outage shorter than a packet, media of anybody may be no more than what comes next.
        soon_ms = self.continues_ms if away_ms > self.continues_ms else CONTINUES_MS
        continues = timestamp_ms <= outage.lost_ms + outage.unsure_ms + min(
            soon_ms, self.continues_ms
        )
        sent_ms = timestamp_ms + lasts_ms
        if not continues and sent_ms > outage.back_ms - max(REPLAY_SIGN_MS, sign_ms):
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
        return self._told(
            [hole for media in due for hole in _settle(media, self._outages.pop(media), now_ms)]
        )

    def end(self, now_ms: int) -> list[Hole]:
        """The stream is over: whatever is still open was lost until now."""
        pause = self.resumed(now_ms)
        outages, self._outages = self._outages, {}
        return pause + self._told(
            [hole for media, outage in outages.items() for hole in _settle(media, outage, now_ms)]
        )

    def _told(self, holes: list[Hole]) -> list[Hole]:
        """The holes but for those within one of everything, or in a pause, which will be told;
        outages within one are settled."""
        since = self._paused_ms
        if since is not None:
            holes = [hole for hole in holes if hole.from_ms < since]
        everything = [hole for hole in holes if hole.media == "all"]
        for whole in everything:
            for media, outage in list(self._outages.items()):
                back_ms = outage.back_ms
                if back_ms is not None and _within(whole, outage.lost_ms, back_ms):
                    del self._outages[media]
        return [
            hole
            for hole in holes
            if hole in everything
            or not any(_within(whole, hole.from_ms, hole.to_ms) for whole in everything)
        ]


def _within(whole: Hole, from_ms: int, to_ms: int) -> bool:
    return whole.from_ms <= from_ms and to_ms <= whole.to_ms


def _settle(media: str, outage: _Outage, now_ms: int) -> list[Hole]:
    return _hole(media, outage, outage.back_ms if outage.back_ms is not None else now_ms)


def _hole(media: str, outage: _Outage, to_ms: int) -> list[Hole]:
    if to_ms <= outage.lost_ms:
        return []
    return [Hole(media=media, cause=outage.cause, from_ms=outage.lost_ms, to_ms=to_ms)]
