"""A process that receives streams with nothing but sockets: the floor of ``receive``.

It does Zoom's handshakes, then a bare ``asyncio.Protocol`` counts the bytes that arrive. No frame
is looked at any more, no message decoded, no keep-alive answered.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from pipeline.base.secret import Secret
from pipeline.evaluate.bench.child import Parent, serve_client
from pipeline.evaluate.bench.frames import client_frame, first_frame
from pipeline.evaluate.bench.plan import ClientPlan, Target
from pipeline.evaluate.bench.window import measured, run_loop
from pipeline.rtms.enums import MediaType, MessageType
from pipeline.rtms.signature import handshake_signature

_AT_ONCE: Final = 20
"""Handshakes at a time."""
_FIRST_AUDIO_S: Final = 60.0
_AUDIO: Final = {
    "content_type": 2,
    "sample_rate": 1,
    "channel": 1,
    "codec": 1,
    "data_opt": 2,
    "send_rate": 20,
}


class _Counter(asyncio.Protocol):
    """Counts bytes; the first frame tells how long every frame is."""

    def __init__(self) -> None:
        self.bytes = 0
        self.frame = 0
        self.first = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)
        if not self.frame:
            self._learn(data)

    def _learn(self, data: bytes) -> None:
        """All audio of a tape made for the bench is of one length, and comes in single frames."""
        head, length = first_frame(data)
        if head:
            self.frame = head + length
            self.first.set()


class _Socket:
    """A websocket during its handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, message: dict[str, Any]) -> None:
        """One message in a masked text frame."""
        self.writer.write(client_frame(msgspec.json.encode(message)))

    async def message(self) -> dict[str, Any]:
        """The next message, which must come in one frame."""
        head = await self.reader.readexactly(2)
        length = head[1] & 0x7F
        if length == 126:
            length = int.from_bytes(await self.reader.readexactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await self.reader.readexactly(8), "big")
        found: dict[str, Any] = msgspec.json.decode(await self.reader.readexactly(length))
        return found

    def count(self, counter: asyncio.Protocol) -> None:
        """Hand what comes from now on to another protocol."""
        self.writer.transport.set_protocol(counter)


async def _open(url: str, context: ssl.SSLContext | None) -> _Socket:
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port or 443
    reader, writer = await asyncio.open_connection(
        host, port, ssl=context if parts.scheme == "wss" else None
    )
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in head.split(b"\r\n", maxsplit=1)[0]:
        raise ConnectionError(head.decode(errors="replace").splitlines()[0])
    return _Socket(reader, writer)


async def _connect(
    plan: ClientPlan, target: Target, context: ssl.SSLContext | None
) -> tuple[_Counter, list[asyncio.StreamWriter]]:
    """Both sockets of one stream, up to the ready ack."""
    ids = {
        "protocol_version": 1,
        "sequence": 1,
        "meeting_uuid": target.zoom_id,
        "rtms_stream_id": target.stream,
        "signature": handshake_signature(
            plan.client_id, target.zoom_id, target.stream, Secret(plan.client_secret)
        ),
    }
    signaling = await _open(target.signaling_url, context)
    signaling.send({"msg_type": MessageType.SIGNALING_HAND_SHAKE_REQ, **ids})
    answer = await signaling.message()
    _accepted(answer)
    media = await _open(answer["media_server"]["server_urls"]["audio"], context)
    media.send(
        {
            "msg_type": MessageType.DATA_HAND_SHAKE_REQ,
            **ids,
            "media_type": int(MediaType.AUDIO),
            "media_params": {"audio": _AUDIO},
        }
    )
    _accepted(await media.message())
    counter = _Counter()
    media.count(counter)
    signaling.send({"msg_type": MessageType.CLIENT_READY_ACK, "rtms_stream_id": target.stream})
    signaling.count(_Counter())
    return counter, [signaling.writer, media.writer]


def _accepted(answer: dict[str, Any]) -> None:
    if answer.get("status_code") != 0:
        raise ConnectionError(f"refused: {answer}")


async def _receive(parent: Parent) -> None:
    plan = parent.plan
    context = ssl.create_default_context(cafile=plan.ca_file) if plan.ca_file else None
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(target: Target) -> tuple[_Counter, list[asyncio.StreamWriter]]:
        async with gate:
            return await _connect(plan, target, context)

    open_now = await asyncio.gather(*(one(target) for target in plan.targets))
    counters = [counter for counter, _ in open_now]
    async with asyncio.timeout(_FIRST_AUDIO_S):
        for counter in counters:
            await counter.first.wait()

    parent.steady()

    def count() -> float:
        return sum(counter.bytes / counter.frame for counter in counters)

    await asyncio.to_thread(parent.report, await measured(plan, count))


if __name__ == "__main__":
    serve_client(lambda parent: run_loop(_receive(parent)))
