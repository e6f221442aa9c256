"""What Zoom says about the account as a whole: how many streams may run (reference section 16)."""

from __future__ import annotations

from typing import Final

import structlog

from pipeline.base import metrics
from pipeline.base.clock import Clock
from pipeline.rtms.products import Concurrency

log = structlog.get_logger()

SHOWN_S: Final = 600.0
"""So long a refused stream counts as trouble; Zoom never says that it is over."""


class Account:
    """Keeps the last ``rtms.concurrency_*`` webhook for people to see."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: Concurrency | None = None
        self._at = 0.0

    def take(self, notice: Concurrency) -> None:
        """Log, count and keep it."""
        self._last, self._at = notice, self._clock.monotonic()
        metrics.CONCURRENCY.labels("limited" if notice.limited else "near_limit").inc()
        if notice.number is not None:
            metrics.CONCURRENT_STREAMS.set(notice.number)
        log.warning("zoom.concurrency", limited=notice.limited, streams=notice.number)

    @property
    def said(self) -> str | None:
        """One line about the last such webhook; None: there was none."""
        if self._last is None:
            return None
        number = "an unknown number of" if self._last.number is None else str(self._last.number)
        if self._last.limited:
            return (
                f"Zoom started no stream for a meeting: {number} streams of the account run,"
                " which is its limit; end one, or raise the limit with Zoom"
            )
        return f"the account nears its limit of streams: {number} are running"

    @property
    def trouble(self) -> str | None:
        """``said``, while a stream was refused not long ago."""
        recent = self._clock.monotonic() - self._at < SHOWN_S
        return self.said if self._last is not None and self._last.limited and recent else None
