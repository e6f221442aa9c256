"""One connection of a stream: how it comes about, and what goes out on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Literal

from pipeline.base.clock import Clock
from pipeline.base.errors import OutsideError, ZoomError
from pipeline.base.url_guard import Resolver, UrlGuard
from pipeline.rtms.media import Media
from pipeline.rtms.messages import Message, encode
from pipeline.rtms.settings import RtmsSettings
from pipeline.rtms.signaling import Signaling
from pipeline.rtms.transport import Connect, Transport

_ADDRESSES: Final = 4
"""So many addresses of a host are tried."""

Tap = Callable[[str, Literal["server", "client"], bytes], None]
"""Told every frame: the socket's name, who sent it, and its bytes. On the receiving callback: must
not block, and raises into the stream."""


class Link:
    """A connection that is shaking hands or up. ``gone``: it was let go of; what still comes on it
    is not listened to."""

    def __init__(
        self, socket: str, wire: Transport, machine: Signaling | Media, tap: Tap | None
    ) -> None:
        self.socket = socket
        self.wire = wire
        self.machine = machine
        self.gone = False
        self._tap = tap

    def send(self, message: Message) -> None:
        """Raises ConnectionEnded."""
        data = encode(message)
        if self._tap is not None:
            self._tap(self.socket, "client", data)
        self.wire.send(data)


async def dial(
    urls: tuple[str, ...],
    *,
    guard: UrlGuard,
    resolver: Resolver,
    connect: Connect,
    settings: RtmsSettings,
) -> Transport:
    """The first URL and address that takes a connection; only addresses that ``guard`` let pass
    are connected to. One address of each URL is tried before the others: a host that swallows
    packets must not use up Zoom's window. Raises an OutsideError, one that may pass if there is
    one."""
    errors: list[OutsideError] = []
    others: list[tuple[str, str]] = []

    async def taken(url: str, address: str) -> Transport | None:
        try:
            return await connect(url, address=address, settings=settings)
        except ZoomError as error:
            errors.append(error)
            return None

    for url in urls:
        try:
            addresses = await _looked_up(url, guard, resolver, settings.connect_timeout_s)
        except OutsideError as error:
            errors.append(error)
            continue
        others += [(url, address) for address in addresses[1:_ADDRESSES]]
        if addresses and (wire := await taken(url, addresses[0])) is not None:
            return wire
    for url, address in others:
        if (wire := await taken(url, address)) is not None:
            return wire
    raise next(
        (error for error in errors if error.retryable),
        errors[-1] if errors else ZoomError("no websocket URL", kind="no_url"),
    )


async def _looked_up(url: str, guard: UrlGuard, resolver: Resolver, timeout_s: float) -> list[str]:
    """In a thread of its own that nobody waits for: a resolver may hang for half a minute, and must
    hold up neither the threads that others share nor the end of the process."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def tell(addresses: list[str], error: BaseException | None) -> None:
        if found.done():
            return
        if error is not None:
            found.set_exception(error)
        else:
            found.set_result(addresses)

    def look() -> None:
        addresses: list[str] = []
        fault: BaseException | None = None
        try:
            addresses = guard.addresses(url, resolver)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            fault = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, addresses, fault)

    threading.Thread(target=look, name="look-up", daemon=True).start()
    try:
        async with asyncio.timeout(timeout_s):
            return await found
    except TimeoutError as error:
        text = f"the host's address was not found within {timeout_s:g} s"
        raise ZoomError(text, kind="dns", retryable=True) from error


async def until(clock: Clock, wake: asyncio.Event, at: float | None) -> None:
    """Wait for a time of the clock, or for something to change before."""
    waits: list[asyncio.Task[Any]] = [asyncio.create_task(wake.wait())]
    if at is not None:
        seconds = max(0.0, at - clock.monotonic())
        waits.append(asyncio.create_task(clock.sleep(seconds)))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
