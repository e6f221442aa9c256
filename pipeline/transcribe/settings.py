"""Settings of speech-to-text on this machine. Each default has its figure beside it."""

from __future__ import annotations

import msgspec


class TranscribeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How segments become text. Raises ValueError for values that cannot work."""

    workers: int = 2
    """Decodes at a time. Two workers of one thread each beat one with two threads: a second
    thread costs 15-35 % more CPU and buys nothing under load (reference speech 3)."""
    timeout_s: float = 60.0
    """Machine time one decode may take. A 12 s segment takes about 1.5 CPU-s; the rest is load."""
    waiting: int = 512
    """Segments waiting in all meetings together; more callers wait before they may queue."""
    retry_wait_s: float = 0.5
    """Machine time before the one retry of a failure that says it can help."""

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= 64:
            raise ValueError("workers must be between 1 and 64")
        if self.timeout_s <= 0 or self.waiting < 1 or self.retry_wait_s < 0:
            raise ValueError("timeout_s and waiting must be positive, retry_wait_s not negative")
