"""Strangers on real sockets: silent, slow, many, and not speaking HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import structlog
from aiohttp import web

from pipeline.base import metrics
from pipeline.base.clock import ManualClock
from pipeline.web.listener import Limits, Listener, start_listening

CANARY = "v0=c4nary"
PATIENT = 60.0
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Place:
    """A listener, and clients of it."""

    def __init__(self, port: int, listener: Listener, stack: AsyncExitStack) -> None:
        self.port = port
        self.listener = listener
        self.bad = 0
        self._stack = stack

    async def client(self, sends: bytes = b"") -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._stack.callback(writer.close)
        writer.write(sends)
        return reader, writer


@asynccontextmanager
async def place(limits: Limits) -> AsyncIterator[Place]:
    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def broken(_request: web.Request) -> web.Response:
        raise RuntimeError("a fault of ours")

    async def much(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 50_000_000)

    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/broken", broken)
    app.router.add_get("/much", much)

    def on_bad() -> None:
        here.bad += 1

    async with asyncio.timeout(20), AsyncExitStack() as stack:
        port, stop, listener = await start_listening(
            app,
            "127.0.0.1",
            0,
            name="test",
            limits=limits,
            clock=ManualClock(),
            on_bad_http=on_bad,
        )
        stack.push_async_callback(stop)
        here = Place(port, listener, stack)
        yield here


def refused(reason: str) -> float:
    return float(metrics.HTTP_REFUSED.labels("test", reason)._value.get())


async def until(true: Callable[[], bool]) -> None:
    """Let the loop run until the other side of a socket has noticed; ``place`` bounds it."""
    while not true():  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0)


async def ended(client: Client) -> bytes:
    """All that still comes, up to the end of the connection."""
    try:
        return await client[0].read()
    except ConnectionResetError:
        return b""


async def answer(client: Client) -> bytes:
    head = await client[0].readuntil(b"\r\n\r\n")
    assert b" 200 " in head
    return await client[0].readexactly(5)


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_silent_connections_make_room_for_one_that_asks() -> None:
    before = refused("full")
    async with place(Limits(connections=3, head_s=PATIENT)) as here:
        silent = [await here.client(b"GET / HT") for _ in range(3)]
        asking = await here.client(GET)
        assert await answer(asking) == b"hello"
        assert await ended(silent[0]) == b""  # the one that was silent for longest
        assert len(here.listener) == 3
        silent[1][1].write(b"TP/1.1\r\nHost: x\r\n\r\n")
        assert await answer(silent[1]) == b"hello"
    assert refused("full") == before + 1


async def test_no_more_than_the_limit_are_served_at_once() -> None:
    before = refused("full")
    async with place(Limits(connections=2, head_s=PATIENT)) as here:
        first, second = await here.client(GET), await here.client(GET)
        assert await answer(first) == await answer(second) == b"hello"
        assert await ended(await here.client(GET)) == b""
        assert refused("full") == before + 1
        first[1].write(GET)
        assert await answer(first) == b"hello"  # those that are in stay in
        second[1].close()
        await second[1].wait_closed()
        await until(lambda: len(here.listener) == 1)
        assert await answer(await here.client(GET)) == b"hello"


@pytest.mark.parametrize("sends", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "])
async def test_a_connection_without_a_whole_head_is_closed(sends: bytes) -> None:
    before = refused("no_request")
    with structlog.testing.capture_logs() as logs:
        async with place(Limits(connections=9, head_s=0.05)) as here:
            clients = [await here.client(sends) for _ in range(5)]
            assert [await ended(c) for c in clients] == [b""] * 5
            assert len(here.listener) == 0
    assert refused("no_request") == before + 5
    assert [line["event"] for line in logs] == ["http.refused"]  # once a second


async def test_a_head_that_drips_is_closed_too() -> None:
    async with place(Limits(connections=9, head_s=0.1)) as here:
        reader, writer = await here.client(b"GET / HTTP/1.1\r\n")

        async def drip() -> None:
            while True:
                writer.write(b"X: y\r\n")
                await asyncio.sleep(0)

        dripping = asyncio.create_task(drip())
        assert b" 200 " not in await ended((reader, writer))
        dripping.cancel()
        assert len(here.listener) == 0


async def test_one_that_was_answered_is_closed_when_it_asks_nothing_more() -> None:
    before = refused("no_request")
    async with place(Limits(connections=9, head_s=PATIENT, keepalive_s=0.05)) as here:
        client = await here.client(GET)
        assert await answer(client) == b"hello"
        assert await ended(client) == b""
    assert refused("no_request") == before  # nothing is wrong with that


async def test_one_that_takes_no_answer_is_closed() -> None:
    before = refused("stalled")
    async with place(Limits(connections=9, head_s=PATIENT, stalled_s=0.05)) as here:
        await here.client(GET.replace(b"/ ", b"/much ", 1))
        await until(lambda: refused("stalled") == before + 1)
        assert len(here.listener) == 0


@pytest.mark.parametrize(
    "sends",
    [
        f"{CANARY}\r\n\r\n".encode(),
        f"GET /{CANARY} HTTP/9.x\r\nx-zm-signature: {CANARY}\r\n\r\n".encode(),
        f"POST / HTTP/1.1\r\nbad header {CANARY}\r\n\r\n".encode(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    ],
)
async def test_what_is_not_http_is_counted_and_told_without_its_bytes(
    sends: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    before = refused("bad_http")
    with structlog.testing.capture_logs() as logs:
        async with place(Limits(connections=9)) as here:
            for _ in range(3):
                assert b" 400 " in await ended(await here.client(sends))
            assert here.bad == 3
    assert refused("bad_http") == before + 3
    assert logs == [
        {
            "event": "http.refused",
            "log_level": "warning",
            "listener": "test",
            "reason": "bad_http",
            "count": 1,
        }
    ]
    captured = capfd.readouterr()
    assert CANARY not in caplog.text + captured.out + captured.err + json.dumps(logs)


async def test_a_fault_of_ours_is_told_whole() -> None:
    with structlog.testing.capture_logs() as logs:
        async with place(Limits(connections=9)) as here:
            sends = b"GET /broken HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            assert b" 500 " in await ended(await here.client(sends))
            assert here.bad == 0
    [line] = logs
    assert (line["event"], str(line["exc_info"])) == ("http.fault", "a fault of ours")
