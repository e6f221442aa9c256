"""Settings of the store."""

from __future__ import annotations

import msgspec


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How events are committed and followed. Raises ValueError for values that cannot work."""

    group_events: int = 50  # at most so many events in one commit, a larger append excepted
    group_ms: int = 50  # at most so long are events gathered; one that is alone does not wait
    busy_ms: int = 5_000  # wait for another program that holds the database
    tail_events: int = 512  # newest events of each open meeting kept in memory for followers

    def __post_init__(self) -> None:
        for name in ("group_events", "group_ms", "tail_events"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        if self.busy_ms < 0:
            raise ValueError("busy_ms must not be negative")
