"""The fake Zoom as a library: a tape, its sockets and its webhooks, paced by a clock."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import Any, Self, assert_never

import msgspec
import structlog

from pipeline.base.clock import Clock, SystemClock
from pipeline.base.loopback import require_loopback
from pipeline.emulator.actions import Abort, Close, Notify, Send, Windows
from pipeline.emulator.certificate import make_certificate
from pipeline.emulator.control import Control
from pipeline.emulator.handshake import Identity
from pipeline.emulator.listener import Listener
from pipeline.emulator.playback import Playback
from pipeline.emulator.settings import EmulatorSettings
from pipeline.emulator.stream import Stream
from pipeline.emulator.webhook import WebhookFailed, WebhookSender
from pipeline.rtms.enums import MEDIA_URL_KEY, MediaType, StopReason
from pipeline.rtms.products import PRODUCTS

_LOG = structlog.get_logger(__name__)
_GOODBYE_S = 3.0


class Where(msgspec.Struct, frozen=True):
    """What a client needs to know; the JSON line of ``rtms-notes emulate --json``."""

    signaling_url: str
    meeting_uuid: str
    rtms_stream_id: str
    client_id: str
    client_secret: str
    ca_file: str | None
    control_url: str


class Emulator:
    """Plays one tape to whoever connects.

    ``async with Emulator(tape, settings) as zoom`` listens; ``await zoom.run()`` plays to the end.
    The tape's clock starts when the started webhook is sent, or without a webhook when the first
    client has shaken hands on signaling.
    """

    where: Where

    def __init__(
        self, tape: Path, settings: EmulatorSettings | None = None, *, clock: Clock | None = None
    ) -> None:
        self._tape = tape
        self._settings = settings or EmulatorSettings()
        self._clock: Clock = clock or SystemClock()
        self._stack = contextlib.AsyncExitStack()
        self._wake = asyncio.Event()
        self._started: float | None = None
        self._failed: Exception | None = None
        self._closing = False
        self._sender: WebhookSender | None = None
        self._posts: dict[str, asyncio.Task[Any]] = {}
        self._listener = Listener(self, text=self._settings.frames == "text")
        self._control = Control(self.state)

    async def __aenter__(self) -> Self:
        """Listen. Raises TapeError, NotFound, InUse, BadInput, ConfigError (host)."""
        settings = self._settings
        require_loopback(settings.host, "--host", "a fake Zoom's secrets are known to everybody")
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._close_tape)
            self._playback = self._open_tape()
            context = ca_file = None
            if settings.tls:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rtms-notes-"))
                certificate = await asyncio.to_thread(make_certificate, Path(folder), settings.host)
                context, ca_file = certificate.context, str(certificate.ca_file)
            await self._listener.start(settings.host, settings.port, context)
            stack.push_async_callback(self._listener.stop)
            await self._control.start()
            stack.push_async_callback(self._control.stop)
            if settings.webhook is not None:
                self._sender = await stack.enter_async_context(
                    WebhookSender(settings.webhook, settings, self._clock)
                )
            self._stack = stack.pop_all()
        scheme = "wss" if settings.tls else "ws"
        host = "localhost" if settings.host in ("", "0.0.0.0", "::") else settings.host  # noqa: S104 - not bound here
        shown = f"[{host}]" if ":" in host else host
        self._base = f"{scheme}://{shown}:{self._listener.port}"
        header = self._playback.header
        self.where = Where(
            signaling_url=f"{self._base}/signaling",
            meeting_uuid=settings.meeting_uuid or header.id,
            rtms_stream_id=settings.stream_id or header.stream,
            client_id=settings.client_id,
            client_secret=settings.client_secret.reveal(),
            ca_file=ca_file,
            control_url=self._control.url,
        )
        self._stream = self._new_stream()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._closing = True  # sockets that end now are our own doing: no webhook
        for post in self._posts.values():
            post.cancel()
        await asyncio.gather(*self._posts.values(), return_exceptions=True)
        await self._stack.aclose()

    async def run(self) -> StopReason:
        """Announce, play to the end, say goodbye; with ``loop``, again until ``stop``.

        Raises WebhookFailed when the started webhook cannot be delivered and TapeError when the
        tape turns out to be broken.
        """
        while True:
            await self._announce()
            await self._play()
            await self._say_goodbye()
            assert self._stream.stopped is not None
            if not self._settings.loop or self._stream.stopped is StopReason.EXIT_SIGNAL:
                return self._stream.stopped
            self._close_tape()
            self._started = None
            self._playback = self._open_tape()
            self._stream = self._new_stream()

    def stop(self, reason: StopReason = StopReason.EXIT_SIGNAL) -> None:
        """End the stream now; ``run`` returns soon after."""
        self._stream.finish(reason, self._now())
        self._act()

    def state(self) -> dict[str, Any]:
        """What the control address tells."""
        return {
            "tape": self._tape.name,
            "title": self._playback.header.title,
            "speed": self._settings.speed,
            "started": self._started is not None,
            "webhooks": list(self._sender.delivered) if self._sender else [],
            **self._stream.describe(),
        }

    # -- what the sockets tell -------------------------------------------------------------

    def opened(self, number: int, path: MediaType | None) -> None:
        """See ``listener.Events``."""
        self._stream.opened(number, path)

    def received(self, number: int, data: bytes | str) -> None:
        """See ``listener.Events``."""
        self._stream.received(number, data, self._now())
        if self._started is None and self._stream.phase == "live":
            self._started = self._clock.monotonic()
        self._act()

    def closed(self, number: int) -> None:
        """See ``listener.Events``."""
        self._stream.closed(number, self._now())
        self._act()

    def refuses(self, path: MediaType) -> bool:
        """See ``listener.Events``."""
        return self._stream.refuses(path, self._now())

    def failed(self, error: Exception) -> None:
        """See ``listener.Events``: a tape whose audio cannot be read, or a fault of ours."""
        self._failed = error
        self._wake.set()

    # -- playing ---------------------------------------------------------------------------

    async def _announce(self) -> None:
        sender = self._sender
        if sender is None:
            while self._started is None and self._stream.phase != "over":
                await self._pause(None)
                self._check()
            return
        problem = await sender.challenge()
        if problem:
            _LOG.warning("webhook not validated", url=self._settings.webhook, reason=problem)
        self._started = self._clock.monotonic()
        header = self._playback.header
        fields = self._started_fields()
        first: asyncio.Task[None] = asyncio.create_task(
            sender.send(header.product, "started", header.start_ms, fields)
        )
        self._posts["started"] = first
        while not first.done():  # the meeting does not wait for the answer
            self._step()
            await self._pause(0.02)
        try:
            first.result()
        except WebhookFailed as error:
            if error.kind != "timeout" and not error.kind.startswith("http_5"):
                raise
            self._post("started", header.start_ms, fields, again=True)

    async def _play(self) -> None:
        while self._step():
            now = self._now()
            due = self._stream.next_at(now)
            await self._pause((due - now) / 1000 / self._settings.speed)

    def _step(self) -> bool:
        """Do what is due; False when the stream is over."""
        self._check()
        self._stream.advance(self._now())
        self._act()
        return self._stream.phase != "over"

    def _check(self) -> None:
        if self._failed is not None:
            raise self._failed

    async def _pause(self, seconds: float | None) -> None:
        """Wait for time or for something on a socket."""
        self._wake.clear()
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._wake.wait())]
        if seconds is not None:
            waits.append(asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _say_goodbye(self) -> None:
        """Let what was sent arrive, and the stopped webhook be answered."""
        await self._listener.emptied(_GOODBYE_S)
        last = self._posts.get("stopped")
        if last is not None:
            await last

    def _now(self) -> int:
        if self._started is None:
            return 0
        return int((self._clock.monotonic() - self._started) * self._settings.speed * 1000)

    def _act(self) -> None:
        for action in self._stream.drain():
            match action:
                case Send():
                    self._listener.send(action.connection, action.payload)
                case Close():
                    self._listener.close(action.connection, action.code)
                case Abort():
                    self._listener.abort(action.connection)
                case Notify():
                    self._notify(action)
                case _:
                    assert_never(action)
        if self._stream.phase == "live":
            interrupted = self._posts.pop("interrupted", None)
            if interrupted is not None:  # it is back; a late retry would only mislead
                interrupted.cancel()
        self._wake.set()

    # -- webhooks --------------------------------------------------------------------------

    def _notify(self, action: Notify) -> None:
        header = self._playback.header
        fields = self._ids()
        if action.reason is not None:
            fields["stop_reason"] = action.reason.value
        # Whoever was told in-band may have gone by now; whoever was not is told until it is heard.
        again = action.what == "interrupted" or not self._stream.told_in_band
        self._post(action.what, header.start_ms + action.at, fields, again=again)

    def _post(self, what: str, at_ms: int, fields: dict[str, Any], *, again: bool) -> None:
        sender = self._sender
        if sender is None or self._closing:
            return
        product = self._playback.header.product
        if what == "stopped":
            for name in ("started", "interrupted"):
                if name in self._posts:
                    self._posts.pop(name).cancel()

        async def post() -> None:
            if again and not self._stopping:
                await sender.send_until_heard(product, what, at_ms, fields)
                return
            try:
                await sender.send(product, what, at_ms, fields)
            except WebhookFailed as error:
                _LOG.info("webhook failed", reason=str(error))

        self._posts[what] = asyncio.ensure_future(post())

    @property
    def _stopping(self) -> bool:
        return self._stream.stopped is StopReason.EXIT_SIGNAL

    def _ids(self) -> dict[str, Any]:
        product = self._playback.header.product
        fields: dict[str, Any] = {
            PRODUCTS[product].id_keys[0]: self.where.meeting_uuid,
            "rtms_stream_id": self.where.rtms_stream_id,
        }
        if product == "session":
            fields["session_key"] = "rtms-notes"
        return fields

    def _started_fields(self) -> dict[str, Any]:
        header = self._playback.header
        fields = {**self._ids(), "server_urls": self.where.signaling_url}
        if header.product in ("meeting", "webinar"):
            fields |= {
                "operator_id": "fake-zoom-operator",
                "account_id": "fake-zoom-account",
                "meeting_id": "81234567890",
                "is_original_host": True,
            }
        if header.title:
            fields["topic"] = header.title  # not in Zoom's payload; clients may ignore it
        return fields

    # -- parts -----------------------------------------------------------------------------

    def _open_tape(self) -> Playback:
        return Playback(
            self._tape,
            loop=self._settings.loop,
            buffer_ms=round(self._settings.buffer_s * 1000),
        )

    def _close_tape(self) -> None:
        playback = getattr(self, "_playback", None)
        if playback is not None:
            playback.close()

    def _new_stream(self) -> Stream:
        settings = self._settings
        keys = {key: media for media, key in MEDIA_URL_KEY.items()}
        who = Identity(
            zoom_id=self.where.meeting_uuid,
            stream=self.where.rtms_stream_id,
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
        return Stream(who, self._playback, base=self._base, windows=windows)
