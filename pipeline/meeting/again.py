"""Starting RTMS again after a stream broke off: whether, how often, and what people are told."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from pipeline.base import metrics
from pipeline.base.clock import Clock
from pipeline.meeting.parts import Parts
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.model.state import MeetingState
from pipeline.rtms.enums import StopReason
from pipeline.rtms.outputs import StreamOver
from pipeline.rtms.products import Announcement
from pipeline.rtms.rest import RestError, start_path

log = structlog.get_logger()

SHOW_CREDENTIALS: Final = (
    "set ZOOM_ACCOUNT_ID, ZOOM_API_CLIENT_ID and ZOOM_API_CLIENT_SECRET to have it started again"
    " by itself (docs/zoom-setup.md)"
)

MOST: Final = 6
"""So many streams of a meeting are started again ..."""
WITHIN_S: Final = 900.0
"""... within so many seconds of this machine; whatever breaks them off is there to stay."""


class Allowance:
    """Which ends are answered by a new start. Reason 18 (AUTHENTICATION_FAILURE) usually means
    wrong credentials and is answered once a meeting."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._starts: deque[float] = deque()
        self._failed_login = False

    def refuse(self, over: StreamOver) -> str | None:
        """Why this end is not answered by a new start; None: it is, and that is counted."""
        if not over.retryable:
            return "a new start is of no use"
        if over.reason == StopReason.AUTHENTICATION_FAILURE:
            if self._failed_login:
                return "the credentials were refused again"
            self._failed_login = True
        now = self._clock.monotonic()
        while self._starts and now - self._starts[0] > WITHIN_S:
            self._starts.popleft()
        if len(self._starts) >= MOST:
            return f"it broke off {MOST} times within {WITHIN_S / 60:.0f} minutes"
        self._starts.append(now)
        return None


class Again:
    """Has RTMS of a meeting started again where that can be done, and says in the meeting's state
    what is done or what people can do. ``now`` is meeting time."""

    def __init__(
        self, *, meeting_log: MeetingLog, state: MeetingState, parts: Parts, now: Callable[[], int]
    ) -> None:
        self._log = meeting_log
        self._parts = parts
        self._now = now
        self._allowance = Allowance(parts.clock)
        health = state.stages.get("stream")
        self._well = health is None or health.state == "ok"

    async def wait(self, announcement: Announcement, over: StreamOver) -> None:
        """After a stream broke off: ask, then wait some time for the new one. Cancel it when that
        comes."""
        await self._ask(announcement, over)
        patience_s = self._parts.restart_grace_s / self._parts.speed
        if patience_s > 0:
            await self._parts.clock.sleep(patience_s)

    async def came(self) -> None:
        """Another stream was announced."""
        if not self._well:
            self._well = True
            await self._log.append(
                ev.StageChanged(
                    stage="stream",
                    state="ok",
                    at_ms=self._now(),
                    detail="another stream was announced",
                )
            )

    async def _ask(self, announcement: Announcement, over: StreamOver) -> None:
        try:
            start_path(announcement)
        except RestError as error:
            await self._tell(f"{over.detail}; {error}, so it has to be done in Zoom")
            return
        ask = self._parts.start_again
        if ask is None:
            await self._tell(f"{over.detail}; {SHOW_CREDENTIALS}")
            return
        refused = self._allowance.refuse(over)
        if refused is not None:
            await self._tell(f"{over.detail}; not started again: {refused}")
            return
        delays = self._parts.start_tries.delays()
        for count in itertools.count(1):
            text = f"{over.detail}; asking Zoom to start RTMS again (try {count})"
            await self._tell(text, retryable=True, count=count)
            try:
                await ask(announcement)
            except RestError as error:
                metrics.RESTARTS.labels(error.kind).inc()
                log.warning("meeting.restart_refused", meeting=self._log.meeting, error=str(error))
                delay = next(delays, None)
                if delay is None or not error.retryable:
                    text = f"{over.detail}; could not be started again: {error}"
                    await self._tell(text, kind=error.kind, count=count)
                    return
                wait_s = max(delay, error.retry_after_s) / self._parts.speed
                await self._parts.clock.sleep(wait_s)
            else:
                metrics.RESTARTS.labels("asked").inc()
                return

    async def _tell(
        self, detail: str, *, kind: str = "restart", retryable: bool = False, count: int = 0
    ) -> None:
        self._well = False
        await self._log.append(
            ev.StageChanged(
                stage="stream",
                state="degraded",
                at_ms=self._now(),
                error=kind,
                detail=detail,
                retryable=retryable,
                count=count,
            )
        )
