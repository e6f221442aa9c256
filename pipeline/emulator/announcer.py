"""One stream's webhooks: what they say, in which order they go out, how often they are tried."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from pipeline.emulator.hooks import Hook
from pipeline.emulator.settings import EmulatorSettings
from pipeline.emulator.webhook import WebhookFailed, WebhookSender
from pipeline.rtms.products import PRODUCTS
from pipeline.tapes.header import TapeHeader

_LOG = structlog.get_logger(__name__)
_Body = tuple[str, int, dict[str, Any]]
"""A webhook's name, its ``event_ts`` and its fields."""


class Announcer:
    """``sender`` None: nobody is told. ``failed`` hears of a vital webhook nobody took.

    Webhooks of one stream leave one after the other, so that their order is the one asked for;
    second tries do not hold up the next.
    """

    def __init__(
        self,
        sender: WebhookSender | None,
        settings: EmulatorSettings,
        header: TapeHeader,
        ids: tuple[str, str],
        failed: Callable[[Exception], None],
    ) -> None:
        self._sender = sender
        self._settings = settings
        self._header = header
        self._zoom_id, self._stream = ids
        self._failed = failed
        self._turn = asyncio.Lock()
        self._posts: dict[str, set[asyncio.Task[None]]] = {}
        self._again: dict[str, set[asyncio.Task[None]]] = {}  # those after their first try
        self._closing = False

    def tell(self, hook: Hook, urls: str, *, again: bool, vital: bool = False) -> None:
        """Send it now. ``urls``: the signaling URLs a started webhook names; ``again``: try it as
        often as Zoom does; ``vital``: when it is refused or nobody is there, ``failed`` is told."""
        what = hook.notify.what
        if what == "stopped":
            self.give_up("started")
            self.give_up("interrupted")
        prefixes = PRODUCTS[self._header.product].prefixes
        name = prefixes[-1 if self._settings.webhook_alias else 0] + what
        body = (name, self._header.start_ms + hook.notify.at, self._fields(hook, urls))
        self._start(what, body, nested=hook.nested, again=again, vital=vital)

    def limit(self, event: str, number: int, at_ms: int, *, nested: bool = False) -> None:
        """The account's webhook about too many streams (reference section 2.2). ``at_ms`` is Unix
        time."""
        fields = {
            "id_field": {self._id_key: self._zoom_id},
            "operator_id": "fake-zoom-operator",
            "concurrency_number": number,
        }
        body = (f"rtms.concurrency_{event}", at_ms, fields)
        self._start("concurrency", body, nested=nested, again=True, vital=False)

    def give_up(self, what: str) -> None:
        """No second tries of it: they would only mislead. A first one is not taken back."""
        for post in self._again.pop(what, ()):
            post.cancel()

    async def finished(self) -> None:
        """Until every webhook had its first try and stopped ones were heard or given up."""
        await asyncio.sleep(0)  # those just begun take their turn first
        async with self._turn:
            pass
        posts = self._posts.get("stopped")
        if posts:
            await asyncio.wait(posts)

    async def close(self) -> None:
        """Send nothing more."""
        self._closing = True
        posts = [post for found in self._posts.values() for post in found]
        for post in posts:
            post.cancel()
        await asyncio.gather(*posts, return_exceptions=True)

    def _start(self, what: str, body: _Body, *, nested: bool, again: bool, vital: bool) -> None:
        if self._sender is None or self._closing:
            return
        post = self._post(self._sender, body, what if again else None, nested=nested, vital=vital)
        task = asyncio.ensure_future(post)
        running = self._posts.setdefault(what, set())
        running.add(task)
        task.add_done_callback(running.discard)

    async def _post(
        self,
        sender: WebhookSender,
        body: _Body,
        what: str | None,
        *,
        nested: bool,
        vital: bool,
    ) -> None:
        """``what``: its kind, to be tried again; None: once."""
        try:
            async with self._turn:
                await sender.send(*body, nested=nested)
        except WebhookFailed as error:
            if vital and not error.busy:
                self._failed(error)
            elif what is None:
                _LOG.info("webhook failed", reason=str(error))
            else:
                await self._try_again(sender, body, what, error, nested=nested)

    async def _try_again(
        self, sender: WebhookSender, body: _Body, what: str, error: WebhookFailed, *, nested: bool
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        trying = self._again.setdefault(what, set())
        trying.add(task)
        try:
            await sender.send_again(*body, nested=nested, after=error)
        finally:
            trying.discard(task)

    @property
    def _id_key(self) -> str:
        return self._settings.id_key or PRODUCTS[self._header.product].id_keys[0]

    def _fields(self, hook: Hook, urls: str) -> dict[str, Any]:
        product = self._header.product
        fields: dict[str, Any] = {self._id_key: self._zoom_id, "rtms_stream_id": self._stream}
        if product == "session":
            fields["session_key"] = "rtms-notes"
        if hook.notify.reason is not None:
            fields["stop_reason"] = hook.notify.reason.value
        if hook.notify.what != "started":
            return fields
        fields["server_urls"] = urls
        if product in ("meeting", "webinar"):
            fields |= {
                "operator_id": "fake-zoom-operator",
                "account_id": "fake-zoom-account",
                "meeting_id": "81234567890",
                "is_original_host": True,
            }
        if product == "webinar":
            fields["webinar_id"] = "81234567890"
        if product == "session":
            fields["account_id"] = "fake-zoom-account"
        if self._header.title:
            fields["topic"] = self._header.title  # not in Zoom's payload; clients may ignore it
        return fields
