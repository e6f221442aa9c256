"""The fake Zoom as a library: a tape, its sockets and its webhooks, paced by a clock."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import structlog

from pipeline.base.clock import Clock, SystemClock
from pipeline.base.errors import RtmsNotesError
from pipeline.base.loopback import require_loopback
from pipeline.emulator.actions import Windows
from pipeline.emulator.addresses import Target
from pipeline.emulator.announcer import Announcer
from pipeline.emulator.certificate import make_certificate
from pipeline.emulator.control import Control
from pipeline.emulator.faults import AnyFault, Concurrency
from pipeline.emulator.groups import Group, grouped, lag_of
from pipeline.emulator.handshake import Identity
from pipeline.emulator.lateness import Lateness
from pipeline.emulator.listener import Listener
from pipeline.emulator.playback import Ended, Playback
from pipeline.emulator.rules import Rules
from pipeline.emulator.schedule import NEVER, Schedule, Scheduled
from pipeline.emulator.script import BadFault, faults_of
from pipeline.emulator.settings import EmulatorSettings, check_product, check_settings
from pipeline.emulator.station import Station, Tally
from pipeline.emulator.stream import Stream
from pipeline.emulator.webhook import WebhookSender
from pipeline.emulator.where import Addresses, Where
from pipeline.rtms.enums import MEDIA_URL_KEY, StopReason

__all__ = ["Emulator", "Where"]

_LOG = structlog.get_logger(__name__)
_GOODBYE_S: Final = 3.0
_MOST_FAULTS: Final = 10_000
_GRAIN_S: Final = 0.0006
"""Event loops round timers to whole ms, some of them down to nothing: a shorter wait would spin."""
_AFTER_MS: Final = 0.01
"""How far beyond the due time a wait aims, so that rounding does not end it just before."""


class Emulator:
    """Plays one tape to whoever connects, as one stream or as many.

    ``async with Emulator(tape, settings) as zoom`` listens; ``await zoom.run()`` plays to the end.
    The tape's clock starts when the started webhook is sent, or without a webhook when the first
    client (with ``start`` all: a client of every stream) has shaken hands on signaling.

    ``faults``: as structs or as plain values (docs/emulator.md); ``fault`` adds more while it runs.
    """

    where: Where
    wheres: list[Where]
    """One for each stream; ``where`` is the first."""
    phases: list[int]
    """How many ms of the tape each stream is served behind it."""

    def __init__(
        self,
        tape: Path | str,
        settings: EmulatorSettings | None = None,
        *,
        clock: Clock | None = None,
        faults: Iterable[AnyFault | Mapping[str, Any]] = (),
    ) -> None:
        """Raises BadFault."""
        self._tape = Path(tape)
        self._settings = settings or EmulatorSettings()
        self._clock: Clock = clock or SystemClock()
        self._grain = _GRAIN_S if isinstance(self._clock, SystemClock) else 0.0
        self._script = faults_of([_plain(fault) for fault in faults], "fault")
        self._stack = contextlib.AsyncExitStack()
        self._wake = asyncio.Event()
        self._started: float | None = None
        self._failed: Exception | None = None
        self._sender: WebhookSender | None = None
        self._lateness = Lateness()
        self._tally = Tally()
        self._targets: dict[int, Group] = {}
        self._groups: list[Group] = []
        self._stations: list[Station] = []
        self._by_connection: dict[int, Station] = {}
        self._addresses = Addresses(self._settings)
        self._listener = Listener(self, text=self._settings.frames == "text")
        self._control = Control(self)

    async def __aenter__(self) -> Self:
        """Listen. Raises TapeError, NotFound, InUse, BadInput, ConfigError (settings)."""
        settings = self._settings
        require_loopback(settings.host, "--host", "a fake Zoom's secrets are known to everybody")
        check_settings(settings)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._close_tape)
            self._playback = self._open_tape()
            check_product(settings, self._playback.header.product)
            for fault in self._script:
                self._check_stream(fault)
            context = ca_file = None
            if settings.tls:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rtms-notes-"))
                certificate = await asyncio.to_thread(make_certificate, Path(folder), settings.host)
                context, ca_file = certificate.context, str(certificate.ca_file)
            stack.push_async_callback(self._listener.stop)
            for port in (settings.port, 0):
                found = await self._listener.start(settings.host, port, context)
                self._addresses.ports.append(found)
            await self._control.start()
            stack.push_async_callback(self._control.stop)
            if settings.webhook is not None:
                self._sender = await stack.enter_async_context(
                    WebhookSender(settings.webhook, settings, self._clock)
                )
            stack.callback(self._addresses.close)
            self._stack = stack.pop_all()
        self.wheres = [
            self._addresses.where(
                number, self._playback.header, ca_file=ca_file, control_url=self._control.url
            )
            for number in range(1, settings.streams + 1)
        ]
        self.where = self.wheres[0]
        self._set_up()
        self.phases = [station.lag for station in self._stations]
        return self

    async def __aexit__(self, *exc: object) -> None:
        # Sockets that end now are our own doing: no webhook.
        await asyncio.gather(*(station.announcer.close() for station in self._stations))
        await self._stack.aclose()

    async def run(self) -> StopReason:
        """Announce, play to the end, say goodbye; with ``loop``, again until ``stop``. The reason
        is the first stream's.

        Raises WebhookFailed when a started webhook cannot be delivered and TapeError when the tape
        turns out to be broken.
        """
        while True:
            await self._announce()
            await self._play()
            await self._say_goodbye()
            reasons = [station.stream.stopped for station in self._stations]
            assert reasons[0] is not None
            if not self._settings.loop or StopReason.EXIT_SIGNAL in reasons:
                return reasons[0]
            await asyncio.gather(*(station.announcer.close() for station in self._stations))
            self._close_tape()
            self._started = None
            self._playback = self._open_tape()
            self._set_up()

    def stop(self, reason: StopReason = StopReason.EXIT_SIGNAL) -> None:
        """End all streams now; ``run`` returns soon after. With EXIT_SIGNAL webhooks of what was
        over before are not tried again."""
        now = self._now()
        for station in self._stations:
            if reason is StopReason.EXIT_SIGNAL:
                station.announcer.give_up("stopped")
            station.finish(reason, now)
        self._wake.set()

    def fault(self, fault: object) -> list[Scheduled]:
        """One fault or a list of them, as structs or plain values; begins at its ``at``, or now.

        Raises BadFault, also when one cannot be done now; those before it are done then.
        """
        found = faults_of(_plain(fault), "fault")
        for asked in found:
            self._check_stream(asked)
        if len(self._schedule.all) + len(found) > _MOST_FAULTS:
            raise BadFault(f"more than {_MOST_FAULTS} faults; start anew")
        now = self._now()
        added = [self._schedule.add(asked, now) for asked in found]
        self._begin_due(now)
        self._wake.set()
        for one in added:
            if one.problem:
                raise BadFault(f"fault {one.number}: {one.problem}")
        return added

    def faults(self) -> list[dict[str, Any]]:
        """Every fault so far, with what became of it; plain JSON values."""
        return [one.describe() for one in self._schedule.all]

    def measure(self) -> None:
        """Start the figures of lateness anew."""
        self._lateness = Lateness()

    def state(self) -> dict[str, Any]:
        """What the control address tells; docs/emulator.md lists it."""
        found = [station.describe() for station in self._stations]
        about = {
            "tape": self._tape.name,
            "title": self._playback.header.title,
            "product": self._playback.header.product,
            "speed": self._settings.speed,
            "started": self._started is not None,
            "started_at": self._started,
            "streams_live": sum(station.live for station in self._stations),
            "webhooks": list(self._sender.delivered) if self._sender else [],
            "sent_messages": self._tally.sent,
            "sent_audio": sum(station.stream.sent["audio"] for station in self._stations),
            "bytes_waiting": self._listener.waiting(),
            **self._lateness.describe(),
        }
        if len(found) == 1:
            return {**about, **found[0]}
        return {**about, "meeting_ms": self._playback.now, "streams": found}

    # -- what the sockets tell -------------------------------------------------------------

    def opened(self, number: int, target: Target) -> None:
        """See ``listener.Events``."""
        station = self._stations[target.stream - 1]
        self._by_connection[number] = station
        station.opened(number, target.path)

    def received(self, number: int, data: bytes | str) -> None:
        """See ``listener.Events``."""
        now = self._now()
        station = self._by_connection[number]
        station.received(number, data, now)
        if self._started is None and self._sender is None:
            awaited = self._stations if self._settings.start == "all" else [station]
            if all(one.live for one in awaited):
                self._started = self._clock.monotonic()
        self._tape_at = self._playback.next_at()
        self._touched(station, now)

    def closed(self, number: int) -> None:
        """See ``listener.Events``."""
        now = self._now()
        station = self._by_connection.pop(number)
        station.closed(number, now)
        self._touched(station, now)

    def refuses(self, target: Target) -> int | None:
        """See ``listener.Events``."""
        if target.stream > len(self._stations):
            return 404
        return self._stations[target.stream - 1].refuses(target, self._now())

    def failed(self, error: Exception) -> None:
        """See ``listener.Events``: a tape whose audio cannot be read, or a fault of ours."""
        self._failed = error
        self._wake.set()

    def _touched(self, station: Station, now: int) -> None:
        self._targets[station.number].touched(station, now)
        self._wake.set()

    # -- playing ---------------------------------------------------------------------------

    async def _announce(self) -> None:
        self._begin_due(0)
        sender = self._sender
        if sender is None:
            while self._started is None and not self._all_over():
                await self._pause(None)
                self._check()
            return
        problem = await sender.challenge()
        if problem:
            _LOG.warning("webhook not validated", url=self._settings.webhook, reason=problem)
        self._started = self._clock.monotonic()
        for station in self._stations:  # the meeting does not wait for the answer
            station.announce(0, vital=True)

    async def _play(self) -> None:
        while self._step():
            at = min(self._tape_at, self._schedule.next_at(), *(g.next_at() for g in self._groups))
            wait = (at - self._exactly() + _AFTER_MS) / 1000 / self._settings.speed
            if wait > 0:
                await self._pause(max(wait, self._grain))
            else:
                await asyncio.sleep(0)  # behind: but sockets are to be read as well

    def _step(self) -> bool:
        """Do what is due; False when all streams are over."""
        self._check()
        now = self._now()
        self._begin_due(now)
        if now >= self._tape_at:
            due = self._playback.advance(now)
            for group in self._groups:
                group.hand(due, self._tape_at)
            ended = any(isinstance(item, Ended) for item in due)
            self._tape_at = NEVER if ended else self._playback.next_at()
        for group in self._groups:
            if group.next_at() <= now:
                before = self._tally.sent
                planned = group.serve(now)
                sent = self._tally.sent - before
                if sent and planned is not None:
                    late = (self._exactly() - planned) / self._settings.speed
                    self._lateness.add(max(0.0, late), sent)
        return not self._all_over()

    def _begin_due(self, now: int) -> None:
        for one in self._schedule.due(now):
            wanted = one.fault.stream
            stations = self._stations if wanted is None else self._stations[wanted - 1 : wanted]
            if isinstance(one.fault, Concurrency):
                stations = stations[:1]  # the account is told once
            for station in stations:
                try:
                    station.begin(one.fault, now)
                except (RtmsNotesError, ValueError) as error:
                    one.problem = str(error)
                    _LOG.warning("fault failed", fault=one.number, reason=one.problem)
                self._targets[station.number].touched(station, now)

    def _all_over(self) -> bool:
        return all(station.over for station in self._stations)

    def _check(self) -> None:
        if self._failed is not None:
            raise self._failed

    async def _pause(self, seconds: float | None) -> None:
        """Wait for time or for something on a socket."""
        wake = self._wake
        if seconds is None:
            await wake.wait()
            wake.clear()
            return

        def ring(_: object) -> None:
            wake.set()

        timer = asyncio.ensure_future(self._clock.sleep(seconds))
        timer.add_done_callback(ring)
        try:
            await wake.wait()
        finally:
            timer.remove_done_callback(ring)
            timer.cancel()
            wake.clear()

    async def _say_goodbye(self) -> None:
        """Let what was sent arrive, and the stopped webhooks be answered."""
        await self._listener.emptied(_GOODBYE_S)
        for station in self._stations:
            await station.announcer.finished()
        self._check()

    def _now(self) -> int:
        return int(self._exactly())

    def _exactly(self) -> float:
        """ms of the tape."""
        if self._started is None:
            return 0.0
        return (self._clock.monotonic() - self._started) * self._settings.speed * 1000

    # -- parts -----------------------------------------------------------------------------

    def _check_stream(self, fault: AnyFault) -> None:
        if fault.stream is not None and fault.stream > self._settings.streams:
            raise BadFault(
                f"stream = {fault.stream}: there are streams 1 to {self._settings.streams}"
            )

    def _open_tape(self) -> Playback:
        return Playback(
            self._tape,
            loop=self._settings.loop,
            buffer_ms=round(self._settings.buffer_s * 1000),
            media_form=self._settings.media_form,
        )

    def _close_tape(self) -> None:
        playback = getattr(self, "_playback", None)
        if playback is not None:
            playback.close()

    def _set_up(self) -> None:
        """Streams that have not begun, and the script from its beginning."""
        self._tape_at = 0
        self._schedule = Schedule(self._script)
        self._stations = [self._station(n, w) for n, w in enumerate(self.wheres, 1)]
        self._groups = grouped(self._stations)
        self._targets = {s.number: group for group in self._groups for s in group.stations}

    def _station(self, number: int, where: Where) -> Station:
        settings, header = self._settings, self._playback.header
        keys = {key: media for media, key in MEDIA_URL_KEY.items()}
        who = Identity(
            zoom_id=where.meeting_uuid,
            stream=where.rtms_stream_id,
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            scopes=frozenset(keys[name] for name in settings.scopes),
        )
        windows = Windows(
            # Fast tapes must not make keep-alives a race: at least half a second of machine time.
            keepalive=round(max(settings.keepalive_s, settings.speed / 2) * 1000),
            misses=settings.misses,
            connect=round(settings.connect_window_s * 1000),
            signaling=round(settings.signaling_window_s * 1000),
            media=round(settings.media_window_s * 1000),
        )
        rules = Rules(settings.mode, settings.second, settings.urls, settings.replay)
        base = self._addresses.base(number)
        stream = Stream(who, self._playback, base=base, windows=windows, rules=rules)
        ids = (where.meeting_uuid, where.rtms_stream_id)
        announcer = Announcer(self._sender, settings, header, ids, self.failed)
        return Station(
            number,
            where,
            stream,
            announcer,
            self._listener,
            self._addresses,
            self._tally,
            start_ms=header.start_ms,
            lag=lag_of(number - 1, settings.streams, spread=settings.spread),
        )


def _plain(fault: object) -> object:
    return dict(fault) if isinstance(fault, Mapping) else fault
