"""The live stream of one meeting's page, as server-sent events.

The id of each event is the ``seq`` of the log it brings the page to; a browser that comes back with
``Last-Event-ID`` gets what it missed from the log, folded into one change. Only committed events
are ever read. Nothing queues per reader: the log is the queue, and a reader is served as fast as
its socket takes; one that takes nothing for ``send_timeout_s`` is cut off and resumes.

Events: ``change`` (a ``Change``), ``partial`` (a ``Said``: words before they are final, without an
id, for they are not in the log), ``reload`` (the page is from another log), ``end`` (the meeting is
finished, nothing follows), ``hello`` (nothing new yet).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Protocol

import msgspec
import structlog
from aiohttp import web
from aiohttp_sse import EventSourceResponse

from pipeline.base import metrics
from pipeline.base.errors import RtmsNotesError
from pipeline.model.events import Event
from pipeline.model.live import LiveWords, Watch
from pipeline.web.feed import Feed
from pipeline.web.settings import WebSettings

log = structlog.get_logger()

TOGETHER = 64
"""Events of one change: those of a commit belong together, a final line and the partial it settles
above all."""


class Source(Protocol):
    """What a stream needs of the store's Reader."""

    def events(self, meeting: str, after: int = 0) -> Sequence[Event]:
        """Committed events above ``after``."""
        ...

    def follow(self, meeting: str, after: int = 0) -> AsyncIterator[Event]:
        """The same, then each new one as it is committed."""
        ...


class Streams:
    """All open streams of a listener."""

    def __init__(self, source: Source, settings: WebSettings, live: LiveWords) -> None:
        self._source = source
        self._live = live
        self._settings = settings
        self._open: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    def close(self) -> None:
        """End every stream cleanly; browsers come back by themselves. No new ones are opened."""
        self._closed = True
        for running in self._open:
            running.cancel()

    async def serve(self, request: web.Request, meeting: str, after: int) -> web.StreamResponse:
        """Answer one request for the stream of ``meeting`` from ``after`` on.

        Raises HTTPServiceUnavailable when there are too many readers or the listener closes.
        """
        if self._closed or len(self._open) >= self._settings.max_streams:
            raise web.HTTPServiceUnavailable(
                text=f"{self._settings.max_streams} live pages are open; try again later",
                headers={"Retry-After": "5"},
            )
        feed = await asyncio.to_thread(_folded, self._source, meeting, after)
        if feed is not None and feed.state.finished and feed.state.last_seq <= after:
            return web.Response(status=204)  # tells a browser not to come back
        response = EventSourceResponse(
            sep="\n",
            ping_interval=self._settings.ping_s,
            send_timeout=self._settings.send_timeout_s,
        )
        response.headers["Cache-Control"] = "no-store"  # the library sets its own when it is made
        await response.prepare(request)
        async with response:
            await self._watched(response, self._pump(response, meeting, after, feed))
        return response

    async def _watched(
        self, response: EventSourceResponse, pump: Coroutine[Any, Any, None]
    ) -> None:
        """Run the pump until it is done, the reader has gone, or the listener closes."""
        running = asyncio.create_task(pump)
        gone = asyncio.create_task(response.wait())
        self._open.add(running)
        metrics.PAGE_READERS.inc()
        try:
            await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            metrics.PAGE_READERS.dec()
            self._open.discard(running)
            for task in (running, gone):
                task.cancel()
            results = await asyncio.gather(running, gone, return_exceptions=True)
        for result in results:
            match result:
                case None | asyncio.CancelledError() | ConnectionResetError() | TimeoutError():
                    pass  # done, closed, the reader went away, or took nothing for too long
                case RtmsNotesError():
                    log.warning("page_stream_ended", reason=str(result))
                case BaseException():
                    raise result

    async def _pump(
        self, response: EventSourceResponse, meeting: str, after: int, feed: Feed | None
    ) -> None:
        if feed is None:
            await response.send("{}", event="reload")
            return
        if feed.state.last_seq > after:
            await _send(response, feed, retry=self._settings.retry_ms)
        else:
            await response.send("{}", event="hello", retry=self._settings.retry_ms)
        if feed.state.finished:
            await response.send("{}", event="end")
            return
        follower = self._source.follow(meeting, feed.state.last_seq)
        try:
            with self._live.watch(meeting) as watch:
                await _follow(response, feed, follower, watch)
        finally:
            closing = getattr(follower, "aclose", None)
            if closing is not None:
                await closing()


async def _follow(
    response: EventSourceResponse, feed: Feed, follower: AsyncIterator[Event], watch: Watch
) -> None:
    """Send what is committed and what is being said until the meeting is finished."""
    event = asyncio.ensure_future(anext(follower, None))
    said = asyncio.ensure_future(anext(watch))
    try:
        while True:
            await asyncio.wait({event, said}, return_when=asyncio.FIRST_COMPLETED)
            folded = 0
            while event.done() and folded < TOGETHER:
                if (committed := event.result()) is None:
                    return  # the store is closed
                feed.fold(committed)
                folded += 1
                event = asyncio.ensure_future(anext(follower, None))
                await asyncio.sleep(0)  # what is there already is ready after this
            if folded:
                await _send(response, feed)
            if feed.state.finished:
                await response.send("{}", event="end")
                return
            if said.done():
                change = feed.said(said.result())
                said = asyncio.ensure_future(anext(watch))
                if change is not None:
                    await response.send(msgspec.json.encode(change).decode(), event="partial")
    finally:
        event.cancel()
        said.cancel()
        await asyncio.gather(event, said, return_exceptions=True)


def _folded(source: Source, meeting: str, after: int) -> Feed | None:
    """The feed of a reader whose page shows everything up to ``after``, with all that is there
    folded in; None when the log is shorter than that."""
    feed = Feed(meeting)
    events = source.events(meeting)
    if len(events) < after:
        return None
    for event in events[:after]:
        feed.fold(event)
    feed.settle()
    for event in events[after:]:
        feed.fold(event)
    return feed


async def _send(response: EventSourceResponse, feed: Feed, retry: int | None = None) -> None:
    change = feed.change()
    data = msgspec.json.encode(change).decode()
    await response.send(data, id=str(change.seq), event="change", retry=retry)
