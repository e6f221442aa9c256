"""The process: two listeners, the store, and one ``MeetingRun`` a meeting.

The webhook's listener serves nothing but the webhook; the page's answers loopback only. A fault in
one meeting ends that meeting's run, is logged and shown, and touches nothing else.
"""

from __future__ import annotations

import asyncio
import errno
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from aiohttp import web

from pipeline.account import Account
from pipeline.base import metrics
from pipeline.base.channel import Channel, Closed
from pipeline.base.clock import Clock, SystemClock
from pipeline.base.errors import BadInput, InUse, RtmsNotesError, StorageError
from pipeline.base.ids import Ids, RandomIds
from pipeline.base.loopback import require_loopback
from pipeline.config import Settings
from pipeline.meeting.file_meeting import for_files, go_on
from pipeline.meeting.parts import Parts
from pipeline.meeting.run import MeetingRun
from pipeline.meeting.streams import is_past
from pipeline.model.events import MeetingOpened, StreamOpened
from pipeline.model.live import LiveWords
from pipeline.model.log import MeetingLog
from pipeline.model.state import MeetingState
from pipeline.rtms.products import Announcement, Concurrency
from pipeline.rtms.webhook import Interrupted, Notice, Started, Stopped, webhook_app
from pipeline.store.reader import Reader
from pipeline.store.store import Store, StoredLog
from pipeline.transcribe.server import TranscriptionServer
from pipeline.web.app import page_app
from pipeline.web.guard import is_loopback
from pipeline.web.listener import Limits, start_listening
from pipeline.wiring import open_parts

log = structlog.get_logger()

NOTICES = 1_000
"""Webhooks that were answered and are not acted on yet. Overflow rule: refused and logged; Zoom
says nothing twice, but 1,000 meetings do not start in the milliseconds this takes."""

_SHUTDOWN_S = 30.0
_TAKEN_IN_S = 5.0
"""At a shutdown, for the webhooks that were answered: Zoom does not say them twice."""
_LIMITS = {
    "webhook": Limits(connections=200),
    "page": Limits(connections=256),
    "stt": Limits(connections=64),
}
"""Zoom opens a handful of connections; a page one for its stream and a few more."""


class Service:
    """Everything that runs; made by ``Service.open``.

    ``page_url``, ``webhook_url`` and ``stt_url`` (empty: not wanted) are where it listens;
    ``reader`` reads the store; ``first_finished`` is set when the first meeting of this process is
    done, well or not.
    """

    def __init__(self, settings: Settings, store: Store, parts: Parts, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._parts = parts
        self._clock = clock
        self._runs: dict[str, MeetingRun] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._later: dict[str, list[Announcement]] = {}
        self._notices: Channel[Notice] = Channel("notices", NOTICES)
        self._news = asyncio.Event()  # replaced each time a run begins
        self._faults: dict[str, str] = {}
        self._account = Account(clock)
        self._closing = False
        self._acting: asyncio.Task[None] | None = None
        self.first_finished = asyncio.Event()
        self.page_url = ""
        self.webhook_url = ""
        self.stt_url = ""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        *,
        speed: float = 1.0,
        page: bool = True,
        webhook: bool = True,
        clock: Clock | None = None,
        ids: Ids | None = None,
        rng: random.Random | None = None,
    ) -> AsyncIterator[Service]:
        """Start listening and go on with what the last process left; on leaving, stop: what is
        heard is committed, and running meetings resume next time.

        ``speed`` is that of the fake Zoom's tape. Without ``webhook`` nothing is received from
        Zoom, and its meetings wait in the store for a process that has credentials. Raises
        ConfigError, InUse (a port, or another process writes to this home), EngineError when the
        wanted engine does not load, and StorageError.
        """
        clock = clock or SystemClock()
        async with AsyncExitStack() as stack:
            store = Store.open(
                settings.home, clock=clock, ids=ids or RandomIds(), settings=settings.store
            )
            stack.push_async_callback(store.close)
            parts = await open_parts(
                stack,
                settings,
                find=lambda announced: store.find(announced.product, announced.zoom_id),
                clock=clock,
                speed=speed,
                ids=ids or RandomIds(),
                rng=rng or random.Random(),  # noqa: S311 - jitter
            )
            service = cls(settings, store, parts, clock)
            stack.push_async_callback(service._close)  # after both listeners
            if page:
                require_loopback(settings.general.host, "general.host", "the page has no log-in")
                application = page_app(
                    reader=store.reader,
                    settings=settings.web,
                    health=service.health,
                    live=parts.live,
                )
                service.page_url = await _listen(
                    stack,
                    application,
                    settings.general.host,
                    settings.general.port,
                    "--port",
                    clock,
                )
            if webhook:
                service.webhook_url = await _listen_webhook(stack, service, clock)
            if settings.general.stt_port is not None:
                service.stt_url = await _listen_stt(
                    stack, settings, parts, settings.general.stt_port, clock
                )
            service._acting = asyncio.create_task(service._act())
            await service._resume(zoom=webhook)
            yield service

    # -- for readers --------------------------------------------------------------------------

    @property
    def reader(self) -> Reader:
        """The store, for reading."""
        return self._store.reader

    @property
    def words(self) -> LiveWords:
        """What is being said, before the log has it."""
        return self._parts.live

    async def began(self, zoom_id: str) -> str:
        """Our id of the meeting with this id of Zoom's, as soon as its run has begun."""
        while True:
            news = self._news
            for meeting, run in self._runs.items():
                if run.zoom_id == zoom_id:
                    return meeting
            await news.wait()

    def live(self, meeting: str) -> MeetingRun | None:
        """The run of a meeting that is being received."""
        return self._runs.get(meeting)

    def fault(self, meeting: str) -> str | None:
        """What a meeting was stopped by, if it was."""
        return self._faults.get(meeting)

    async def over(self, meeting: str) -> None:
        """Until this process does nothing more for a meeting."""
        while (task := self._tasks.get(meeting)) is not None:
            await asyncio.wait({task})

    def health(self) -> Mapping[str, Any]:
        """``status`` is ``ok`` or ``degraded``, with the reasons; for ``/health``. ``account``:
        the last that Zoom said about the number of streams."""
        reasons = [f"meeting {meeting}: {fault}" for meeting, fault in self._faults.items()]
        if self._account.trouble is not None:
            reasons.append(self._account.trouble)
        if self._store.trouble is not None:
            reasons.append(f"store: {self._store.trouble}")
        for meeting, run in self._runs.items():
            degraded = [s for s in self.reader.view(meeting).stages if s.state != "ok"]
            reasons += [f"meeting {meeting}: {s.stage} {s.state}: {s.detail}" for s in degraded]
            if run.trouble is not None:
                reasons.append(f"meeting {meeting}: {run.trouble}")
        return {
            "status": "degraded" if reasons else "ok",
            "meetings": len(self._runs),
            "reasons": reasons,
            "account": self._account.said,
        }

    # -- webhooks -----------------------------------------------------------------------------

    def _on_notice(self, notice: Notice) -> None:
        if not self._notices.offer(notice):
            log.error("service.too_many_notices")

    async def _act(self) -> None:
        """Act on webhooks in the order in which they were answered."""
        while True:
            try:
                notice = await self._notices.get()
            except Closed:
                return
            try:
                await self._on(notice)
            except Exception as error:  # whatever it was, the next webhook must be acted on
                log.exception("service.notice_failed")
                self._faults["(new)"] = _first_line(error)
            else:
                self._faults.pop("(new)", None)

    async def _on(self, notice: Notice) -> None:
        match notice:
            case Started(announcement=announcement):
                await self._started(announcement)
            case Interrupted(stream=stream, at_ms=at_ms):
                run = self._run_of(notice)
                if run is not None:
                    run.interrupted(stream, at_ms)
            case Stopped(stream=stream, reason=reason):
                run = self._run_of(notice)
                if run is not None:
                    run.stopped(stream, reason)
            case Concurrency():
                self._account.take(notice)

    def _run_of(self, notice: Interrupted | Stopped) -> MeetingRun | None:
        """By the stream first: webhooks of one webinar may carry different ids of it."""
        run = next((run for run in self._runs.values() if run.receives(notice.stream)), None)
        if run is None:
            meeting = self._store.find(notice.product, notice.zoom_id)
            run = self._runs.get(meeting) if meeting is not None else None
        if run is None:
            log.info("service.unknown_stream", notice=type(notice).__name__)
        return run

    async def _started(self, announcement: Announcement) -> None:
        meeting = self._store.find(announcement.product, announcement.zoom_id)
        run = self._runs.get(meeting) if meeting is not None else None
        if run is not None and run.accepting:
            run.announce(announcement)
        elif meeting is not None and run is not None:
            # Its notes are being finished: Zoom waits 60 s for us, so they have to wait.
            self._later.setdefault(meeting, []).append(announcement)
            run.give_way()
        elif meeting is not None:
            if is_past(self.reader.state(meeting), announcement):
                log.info("service.announced_twice", meeting=meeting)
            else:
                self._go_on(meeting, [announcement])
        else:
            meeting_log = await self._created(
                MeetingOpened(
                    product=announcement.product,
                    zoom_id=announcement.zoom_id,
                    started_ms=announcement.announced_ms,
                    zone=self._settings.zone,
                    title=announcement.title,
                    engine=self._settings.general.stt,
                ),
                StreamOpened(
                    stream=announcement.stream,
                    server_urls=announcement.server_urls,
                    announced_ms=announcement.announced_ms,
                    id_key=announcement.id_key or "",
                    number=announcement.number or "",
                ),
            )
            state = MeetingState.replay(meeting_log.meeting, await meeting_log.events())
            run = self._made(meeting_log, state)
            run.announce(announcement)
            self._start(run)

    async def _created(self, opened: MeetingOpened, stream: StreamOpened) -> StoredLog:
        """A new meeting and its first stream in one commit, so that a kill right after it leaves
        an address to resume; while the disk is full, again as long as Zoom waits for us."""
        until = self._clock.monotonic() + self._settings.rtms.signaling_window_s / self._parts.speed
        for delay in self._parts.storage_retry.delays():
            try:
                return await self._store.create(opened, stream)
            except StorageError as error:
                if not error.retryable or self._clock.monotonic() + delay > until:
                    raise
                log.warning("service.create_refused", error=str(error))
            await self._clock.sleep(delay)
        raise AssertionError("delays without end")

    # -- meetings -----------------------------------------------------------------------------

    async def _resume(self, *, zoom: bool) -> None:
        for meeting in self._store.unfinished():
            if not zoom and self.reader.view(meeting).product != "file":
                log.warning("service.waits_for_credentials", meeting=meeting)
                continue
            log.info("service.resumes", meeting=meeting)
            try:
                await self._take_up(meeting)
            except (RtmsNotesError, ValueError) as error:  # one broken log must not stop the others
                log.exception("service.cannot_resume", meeting=meeting)
                self._faults[meeting] = f"cannot be resumed: {_first_line(error)}"

    async def _take_up(self, meeting: str) -> None:
        """Go on with what another process left. Files that a command was reading are read to their
        end here."""
        state = self.reader.state(meeting)
        if state.opened is None or state.opened.product != "file":
            self._go_on(meeting, [])
            return
        meeting_log = self._store.log(meeting)
        announcement = await go_on(meeting_log, state)
        run = self._made(meeting_log, state)
        if announcement is not None:
            run.announce(announcement)
        self._start(run)

    def _made(self, meeting_log: MeetingLog, state: MeetingState) -> MeetingRun:
        parts = self._parts
        if state.opened is not None and state.opened.product == "file":
            parts = for_files(parts, meeting_log, state)
        return MeetingRun(
            meeting_log=meeting_log,
            state=state,
            spool=self._store.spool(meeting_log.meeting),
            parts=parts,
        )

    def _go_on(self, meeting: str, announced: list[Announcement]) -> None:
        """Take a meeting up from its log, with streams that were announced since."""
        state = self.reader.state(meeting)
        run = self._made(self._store.log(meeting), state)
        if state.finished is None:
            run.resume()  # its streams that are open, and since when nothing was heard
        for announcement in announced:
            run.announce(announcement)
        self._start(run)

    def _start(self, run: MeetingRun) -> None:
        self._runs[run.meeting] = run
        self._faults.pop(run.meeting, None)
        self._tasks[run.meeting] = asyncio.create_task(self._watch(run.meeting, run))
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _watch(self, meeting: str, run: MeetingRun) -> None:
        """A meeting to its end; whatever goes wrong in it stays in it."""
        try:
            finished = await run.run()
        except Exception as error:
            log.exception("service.meeting_failed", meeting=meeting)
            self._faults[meeting] = (
                f"stopped by a fault ({_first_line(error)}); the log is whole,"
                " restart the service to go on"
            )
        else:
            if not finished and not self._closing and meeting not in self._later:
                self._faults[meeting] = "some audio could not be transcribed by this process"
        finally:
            self._runs.pop(meeting, None)
            self._tasks.pop(meeting, None)
        later = self._later.pop(meeting, [])
        if later:
            self._go_on(meeting, later)
            if self._closing:  # only to have it in the log, for the next process
                await self._runs[meeting].close()
        elif not self._closing:
            self.first_finished.set()

    async def _close(self) -> None:
        self._notices.close()
        if self._acting is not None:
            await asyncio.wait({self._acting}, timeout=_TAKEN_IN_S)
            self._acting.cancel()
        self._closing = True
        await asyncio.gather(*(run.close() for run in list(self._runs.values())))
        while tasks := list(self._tasks.values()):
            _, late = await asyncio.wait(tasks, timeout=_SHUTDOWN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def _first_line(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


async def _listen_webhook(stack: AsyncExitStack, service: Service, clock: Clock) -> str:
    settings = service._settings
    application = webhook_app(
        secret_token=settings.zoom.secret_token, clock=clock, on_notice=service._on_notice
    )
    general = settings.general
    address = await _listen(
        stack, application, general.webhook_host, general.webhook_port, "--webhook-port", clock
    )
    return address + "webhook"


async def _listen_stt(
    stack: AsyncExitStack, settings: Settings, parts: Parts, port: int, clock: Clock
) -> str:
    """Serve speech-to-text to programs of this machine; its base URL, as clients want it."""
    require_loopback(settings.general.host, "general.host", "the server has no log-in")
    assert parts.capabilities is not None, "an engine is open where there is an stt_port"
    server = TranscriptionServer(
        parts.pool.transcribe, parts.capabilities, audio=settings.audio, is_ours=is_loopback
    )
    address = await _listen(
        stack, server.application(), settings.general.host, port, "--stt-port", clock
    )
    return address + "v1"


_LISTENERS = {"--webhook-port": "webhook", "--port": "page", "--stt-port": "stt"}


async def _listen(
    stack: AsyncExitStack,
    application: web.Application,
    host: str,
    port: int,
    flag: str,
    clock: Clock,
) -> str:
    """Serve on a port until the stack unwinds; the URL, with a slash at its end."""
    name = _LISTENERS[flag]
    try:
        bound, stop, _ = await start_listening(
            application,
            host,
            port,
            name=name,
            limits=_LIMITS[name],
            clock=clock,
            on_bad_http=(lambda: metrics.WEBHOOKS.labels("bad_http").inc())
            if name == "webhook"
            else (lambda: None),
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InUse(
                f"port {port} on {host} is in use; stop what listens there or choose another"
                f" ({flag}; 0 takes any free one)"
            ) from error
        raise BadInput(f"cannot listen on {host}:{port} ({error.strerror})") from error
    stack.push_async_callback(stop)
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{bound}/"
