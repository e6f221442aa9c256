"""A meeting's log in memory: the public fake to test stages with."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pipeline.base.clock import Clock, SystemClock
from pipeline.base.errors import StorageError
from pipeline.model.events import Body, Event, decode_body, encode_body
from pipeline.model.state import MeetingState
from pipeline.store.commits import Commits
from pipeline.store.follow import Follow


class MemoryLog:
    """Implements ``MeetingLog`` without a disk, with the store's own rules of order.

    ``refuse(error)`` makes the next append fail as a full disk would.
    """

    def __init__(self, meeting: str = "m", clock: Clock | None = None) -> None:
        self._meeting = meeting
        self._clock = clock or SystemClock()
        self._events: list[Event] = []
        self._commits = Commits()
        self._refusals: list[StorageError] = []

    @property
    def meeting(self) -> str:
        return self._meeting

    def refuse(self, error: StorageError, times: int = 1) -> None:
        """Let the next ``times`` appends raise ``error`` and commit nothing."""
        self._refusals += [error] * times

    def state(self) -> MeetingState:
        """The replay of everything appended so far."""
        return MeetingState.replay(self._meeting, self._events)

    async def append(self, *bodies: Body) -> list[Event]:
        if self._commits.closed:
            raise StorageError("the store is closed", kind="closed")
        if self._refusals:
            raise self._refusals.pop(0)
        first = len(self._events) + 1
        now = self._clock.now_ms()
        events = [
            Event(meeting=self._meeting, seq=seq, at_ms=now, body=decode_body(encode_body(body)))
            for seq, body in enumerate(bodies, first)
        ]
        if events:
            self._events += events
            self._commits.publish(self._meeting, events)
        return events

    async def events(self, after: int = 0) -> list[Event]:
        return self._events[max(0, after) :]

    def follow(self, after: int = 0) -> AsyncIterator[Event]:
        return Follow(self._meeting, after, self.events, self._commits)

    def close(self) -> None:
        """End what follows, as closing a store does."""
        self._commits.close()
