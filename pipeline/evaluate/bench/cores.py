"""Which core the fake Zoom runs on, and which one the clients."""

from __future__ import annotations

import os

import msgspec


class Cores(msgspec.Struct, frozen=True):
    """Core numbers, or None where processes cannot be kept to a core."""

    zoom: int | None
    clients: int | None

    @property
    def told(self) -> str:
        """For a figure's note."""
        if self.zoom is None:
            return "processes share the cores"
        return f"fake Zoom on core {self.zoom}, clients on core {self.clients}"


def assign(allowed: frozenset[int] | None) -> Cores:
    """Two different cores of those this process may use; none where there are fewer."""
    if allowed is None or len(allowed) < 2:
        return Cores(None, None)
    first, second, *_ = sorted(allowed)
    return Cores(zoom=first, clients=second)


def allowed() -> frozenset[int] | None:
    """The cores this process may use; None where the system does not tell."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return None


def keep_to(core: int | None) -> None:
    """Keep this process, and threads made later, to one core."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
