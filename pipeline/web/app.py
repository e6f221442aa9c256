"""The page's listener as an aiohttp application.

====================  ==========================================================================
GET /                 all meetings
GET /m/{id}           the live page of one; any unique prefix of an id leads there
GET /m/{id}/events    its stream (server-sent events; resumes by ``Last-Event-ID`` or ``?after=``)
GET /m/{id}/images/F  a picture of a shared screen that is in the meeting's log
GET /search?q=        where words were said, typed or noted, as a page
GET /api/meetings     the list as JSON (what ``meetings --json`` prints)
GET /api/meetings/ID  one meeting as JSON (the JSON export)
GET /api/search?q=    hits as JSON; ``meeting=`` narrows it, ``limit=`` bounds it
GET /health           ``{"status": ...}``; 200 for ``ok`` and ``degraded``, 503 for anything else
GET /metrics          Prometheus
GET /static/...       style and script
====================  ==========================================================================

Reads only, and only for this machine: a request whose ``Host`` is not loopback gets 421. A
degraded service answers /health with 200 on purpose: whoever restarts on 503 would cut off
meetings that are being received while, say, the model is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import prometheus_client
from aiohttp import web

from pipeline.base.errors import BadInput, NotFound, RtmsNotesError
from pipeline.export.formats import FORMATS
from pipeline.model.live import LiveWords
from pipeline.web import pages
from pipeline.web.guard import HEADERS, PICTURE_CSP, is_loopback
from pipeline.web.pictures import read_picture
from pipeline.web.settings import WebSettings
from pipeline.web.stream import Streams

if TYPE_CHECKING:
    from pipeline.store.reader import Reader
    from pipeline.store.search import Hit

Health = Callable[[], Mapping[str, Any]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATIC = Path(__file__).parent / "static"
_DEFAULTS = WebSettings()
MAX_BODY = 1024
"""Nobody has anything to send here."""

_ID = "{id:[0-9A-Za-z_-]{1,64}}"
_FILE = "{file:[0-9a-z-]{1,100}[.]jpg}"


def page_app(
    *,
    reader: Reader,
    health: Health,
    settings: WebSettings = _DEFAULTS,
    live: LiveWords | None = None,
) -> web.Application:
    """Everything the page's listener serves; see the table above.

    ``health`` is asked at each /health; its ``status`` says how it is. ``live``: words that are
    being said, where this process receives meetings.
    """
    site = Site(reader, settings, health, live or LiveWords())
    app = web.Application(
        middlewares=[_loopback_only, _read_only, _errors], client_max_size=MAX_BODY
    )
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(site.close)
    app.add_routes(
        [
            web.get("/", site.meetings),
            web.get(f"/m/{_ID}", site.meeting),
            web.get(f"/m/{_ID}/events", site.events, allow_head=False),
            web.get(f"/m/{_ID}/images/{_FILE}", site.image),
            web.get("/search", site.search),
            web.get("/api/meetings", site.api_meetings),
            web.get(f"/api/meetings/{_ID}", site.api_meeting),
            web.get("/api/search", site.api_search),
            web.get("/health", site.health),
            web.get("/metrics", site.metrics),
            web.static("/static", STATIC),
        ]
    )
    return app


class Site:
    """The handlers. Reading and rendering run in a worker thread, off the receiving loop."""

    def __init__(
        self, reader: Reader, settings: WebSettings, health: Health, live: LiveWords
    ) -> None:
        self._reader = reader
        self._settings = settings
        self._health = health
        self._streams = Streams(reader, settings, live)

    async def close(self, _app: web.Application) -> None:
        """End the streams, so that the listener can stop."""
        self._streams.close()

    async def meetings(self, _request: web.Request) -> web.Response:
        """The list as a page."""
        return _html(await asyncio.to_thread(lambda: pages.list_page(self._reader.meetings())))

    async def meeting(self, request: web.Request) -> web.Response:
        """The live page."""
        meeting = await self._resolve(request)
        if meeting != request.match_info["id"]:
            raise web.HTTPFound(f"/m/{meeting}")
        return _html(
            await asyncio.to_thread(lambda: pages.meeting_page(self._reader.state(meeting)))
        )

    async def events(self, request: web.Request) -> web.StreamResponse:
        """The live page's stream."""
        meeting = await self._resolve(request)
        last = request.headers.get("Last-Event-ID") or request.query.get("after") or "0"
        return await self._streams.serve(request, meeting, _number("Last-Event-ID", last))

    async def image(self, request: web.Request) -> web.Response:
        """A picture or its small copy: a JPEG that we wrote, and only one the log knows of."""
        meeting = await self._resolve(request)
        name = request.match_info["file"]
        data = await asyncio.to_thread(read_picture, self._reader, meeting, name)
        return web.Response(
            body=data,
            content_type="image/jpeg",
            headers={
                "Cache-Control": "private, max-age=86400, immutable",
                "Content-Security-Policy": PICTURE_CSP,
            },
        )

    async def search(self, request: web.Request) -> web.Response:
        """Search results as a page."""

        def page() -> str:
            hits = self._found(request)
            heads = [self._reader.view(meeting) for meeting in {hit.meeting for hit in hits}]
            return pages.search_page(request.query.get("q", "").strip(), hits, heads)

        return _html(await asyncio.to_thread(page))

    async def api_meetings(self, _request: web.Request) -> web.Response:
        """The list as JSON."""
        return _json(await asyncio.to_thread(self._reader.meetings))

    async def api_meeting(self, request: web.Request) -> web.Response:
        """One meeting as its JSON export."""
        meeting = await self._resolve(request)
        text = await asyncio.to_thread(lambda: FORMATS["json"].render(self._reader.state(meeting)))
        return web.Response(text=text, content_type="application/json")

    async def api_search(self, request: web.Request) -> web.Response:
        """Search results as JSON."""
        return _json(await asyncio.to_thread(self._found, request))

    async def health(self, _request: web.Request) -> web.Response:
        """How the service is."""
        found = self._health()
        return _json(found, status=200 if found.get("status") in ("ok", "degraded") else 503)

    async def metrics(self, _request: web.Request) -> web.Response:
        """Counters of the process."""
        return web.Response(
            body=prometheus_client.generate_latest(),
            headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST},
        )

    async def _resolve(self, request: web.Request) -> str:
        return await asyncio.to_thread(self._reader.resolve, request.match_info["id"])

    def _found(self, request: web.Request) -> list[Hit]:
        query = request.query.get("q", "").strip()
        if len(query) > self._settings.max_query:
            raise BadInput(f"q: at most {self._settings.max_query} characters")
        if not query:
            return []
        named = request.query.get("meeting")
        limit = _number("limit", request.query.get("limit", "20"))
        return self._reader.search(
            query,
            meeting=self._reader.resolve(named) if named else None,
            limit=min(max(limit, 1), self._settings.max_hits),
        )


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise BadInput(f"{name}: not a number")
    return int(text)


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html")


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), status=status, content_type="application/json"
    )


@web.middleware
async def _loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not is_loopback(request.headers.getall("Host", [])):
        return web.Response(
            status=421,
            text="this page answers on this machine only: use http://127.0.0.1 or localhost\n",
        )
    return await handler(request)


@web.middleware
async def _read_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.method not in ("GET", "HEAD"):
        return web.Response(
            status=405, headers={"Allow": "GET, HEAD"}, text="this page can only be read\n"
        )
    return await handler(request)


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors as one clear line, in the form the asker reads."""
    try:
        return await handler(request)
    except RtmsNotesError as error:
        status = 404 if isinstance(error, NotFound) else 400 if isinstance(error, BadInput) else 503
        return _error(request, status, str(error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        found = "there is no such page" if error.status == 404 else error.text or error.reason
        response = _error(request, error.status, found)
        response.headers.update(
            {k: v for k, v in error.headers.items() if k in ("Allow", "Retry-After")}
        )
        return response


def _error(request: web.Request, status: int, text: str) -> web.Response:
    if request.path.startswith(("/api/", "/health", "/metrics")):
        return _json({"error": text}, status)
    return _html(pages.error_page(status, text), status)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    static = request.path.startswith("/static/")
    response.headers.setdefault("Cache-Control", "no-cache" if static else "no-store")
