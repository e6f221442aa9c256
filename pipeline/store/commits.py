"""What has just been committed: keeps the newest events in memory and wakes who follows."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Sequence

from pipeline.model.events import Event, MeetingFinished

_KEPT = 32  # finished meetings


class Commits:
    """The hand-over from the writer to followers of the same process. Thread-safe.

    The newest ``tail`` events of each open meeting stay in memory, and those of the meetings
    finished last, so that whoever follows them sees their end even while the store is closing.
    """

    def __init__(self, tail: int = 512) -> None:
        self._limit = tail
        self._lock = threading.Lock()
        self._tails: dict[str, deque[Event]] = {}
        self._finished: deque[str] = deque()
        self._newest: dict[str, int] = defaultdict(int)
        self._waiting: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}
        self._closed = False

    @property
    def closed(self) -> bool:
        """Nothing more will be committed."""
        return self._closed

    def publish(self, meeting: str, events: Sequence[Event]) -> None:
        """These events of one meeting are durable now."""
        with self._lock:
            self._newest[meeting] = events[-1].seq
            self._tails.setdefault(meeting, deque(maxlen=self._limit)).extend(events)
            if any(isinstance(event.body, MeetingFinished) for event in events):
                self._retire(meeting)
            self._wake(self._waiting.pop(meeting, ()))

    def since(self, meeting: str, after: int) -> list[Event] | None:
        """Committed events above ``after``, or None when memory does not reach back so far."""
        with self._lock:
            tail = self._tails.get(meeting)
            if not tail or tail[0].seq > after + 1:
                return None
            return [event for event in tail if event.seq > after]

    def newest(self, meeting: str) -> int:
        """Seq of the newest event published here; take it before reading, then ``newer``."""
        with self._lock:
            return self._newest[meeting]

    async def newer(self, meeting: str, than: int) -> bool:
        """Wait until something newer than ``than`` was published; False once closed."""
        woken = asyncio.Event()
        entry = (asyncio.get_running_loop(), woken)
        with self._lock:
            if self._newest[meeting] > than:
                return True
            if self._closed:
                return False
            self._waiting.setdefault(meeting, set()).add(entry)
        try:
            await woken.wait()
        finally:
            with self._lock:
                waiting = self._waiting.get(meeting)
                if waiting is not None:
                    waiting.discard(entry)
                    if not waiting:
                        del self._waiting[meeting]
        with self._lock:
            return self._newest[meeting] > than or not self._closed

    def close(self) -> None:
        """Let everybody who waits go."""
        with self._lock:
            self._closed = True
            for waiting in self._waiting.values():
                self._wake(waiting)
            self._waiting.clear()

    def _retire(self, meeting: str) -> None:
        if meeting in self._finished:
            self._finished.remove(meeting)
        self._finished.append(meeting)
        if len(self._finished) > _KEPT:
            self._tails.pop(self._finished.popleft(), None)

    @staticmethod
    def _wake(waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] | tuple[()]) -> None:
        for loop, woken in waiting:
            try:
                loop.call_soon_threadsafe(woken.set)
            except RuntimeError:  # that loop is closed, nobody waits any more
                continue
