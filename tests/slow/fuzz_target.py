"""One atheris target in a process of its own: ``python fuzz_target.py TARGET CORPUS RUNS SEED``.

TARGET is ``frames`` (what Zoom may send our client), ``sockets`` (the bytes under it),
``requests`` (what a client may send the fake Zoom), ``webhooks`` or ``tapes``. Exits 0 after RUNS
inputs; an exception that escapes, an input that takes 10 s, or memory that grows ends it earlier
with another code and the input printed.
"""

from __future__ import annotations

import contextlib
import gc
import random
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import atheris

with atheris.instrument_imports(include=["pipeline"]):
    import zstandard
    from websockets.client import ClientProtocol
    from websockets.http11 import Request
    from websockets.server import ServerProtocol
    from websockets.uri import parse_uri

    from pipeline.base.clock import ManualClock
    from pipeline.base.errors import TapeError
    from pipeline.base.log import set_up
    from pipeline.base.secret import Secret
    from pipeline.emulator.handshake import Identity
    from pipeline.emulator.playback import Playback
    from pipeline.emulator.stream import Stream
    from pipeline.rtms import messages
    from pipeline.rtms.enums import MediaType
    from pipeline.rtms.frames import Inbound
    from pipeline.rtms.greeting import wanted_params
    from pipeline.rtms.media import Media
    from pipeline.rtms.settings import RtmsSettings
    from pipeline.rtms.signaling import Signaling
    from pipeline.rtms.signature import webhook_signature
    from pipeline.rtms.standing import Standing
    from pipeline.rtms.timing import Timing
    from pipeline.rtms.webhook import _Listener
    from pipeline.tapes.reader import TapeReader

START_MS: Final = 1_790_000_000_000
GROWTH: Final = 8 << 20
"""Bytes that may be held more than after the first tenth of the runs."""
_TIMING: Final = Timing.of(RtmsSettings())

Target = Callable[[bytes], None]


def frames() -> Target:
    """Every state machine of the client, fed with everything for its whole life."""
    standing = Standing()
    machines: list[Signaling | Media] = []
    for product in ("meeting", "contact_center", "phone"):
        for ready in (False, True):
            hello = messages.SignalingRequest()
            machines.append(
                Signaling(
                    hello,
                    product=product,
                    start_ms=START_MS,
                    standing=standing,
                    now=0.0,
                    timing=_TIMING,
                )
            )
            machines[-1].ready = ready
    for ready in (False, True):
        params = wanted_params(MediaType.ALL, RtmsSettings())
        request = messages.MediaRequest(media_params=params)
        machines.append(
            Media("all", request, start_ms=START_MS, standing=standing, now=0.0, timing=_TIMING)
        )
        machines[-1].ready = ready

    def one(data: bytes) -> None:
        messages.decode(data)
        for machine in machines:
            assert len(machine.receive(data, 1.0)) < 100

    return one


def sockets() -> Target:
    """The websocket frames, in two pieces."""

    def one(data: bytes) -> None:
        protocol = _upgraded()
        inbound = Inbound(protocol, 4096)
        cut = len(data) // 2
        for part in (data[:cut], data[cut:]):
            for message in inbound.feed(part):
                assert len(message) <= 4096
            protocol.data_to_send()

    return one


def _upgraded() -> ClientProtocol:
    """A connection on which the server has agreed to speak websocket."""
    client = ClientProtocol(parse_uri("ws://localhost/"), max_size=4096)
    server = ServerProtocol()
    client.send_request(client.connect())
    server.receive_data(b"".join(client.data_to_send()))
    (request,) = server.events_received()
    assert isinstance(request, Request)
    server.send_response(server.accept(request))
    client.receive_data(b"".join(server.data_to_send()))
    client.events_received()
    return client


def requests() -> Target:
    """The fake Zoom, as a client it has greeted and as one it has not."""
    from tests.tone_tape import CLEO, STREAM, ZOOM_ID, Spurt, ToneTape

    folder = Path(tempfile.mkdtemp())
    tape = ToneTape(spurts=[Spurt(CLEO, 0, 500)]).write(folder / "t.rtms.zst")
    who = Identity(zoom_id=ZOOM_ID, stream=STREAM, client_id="cid", client_secret=Secret("csec"))
    playback = Playback(tape.path)
    stream = Stream(who, playback, base="ws://localhost:1")
    number = 0

    def one(data: bytes) -> None:
        nonlocal number
        for path in (None, MediaType.ALL, MediaType.AUDIO):
            number += 1
            stream.opened(number, path)
            stream.received(number, data, 0)
            stream.received(number, data, 0)
            stream.closed(number, 0)
        stream.drain()

    return one


def webhooks() -> Target:
    """The listener, with a valid signature."""
    listener = _Listener(Secret("tok"), ManualClock(START_MS), lambda notice: None)
    at = str(START_MS // 1000)

    def one(data: bytes) -> None:
        for signature in (webhook_signature(Secret("tok"), at, data), None):
            reply = listener._judge(data, signature, at)
            assert reply.status in (200, 400, 401)
            assert "\n" not in reply.text

    return one


def tapes() -> Target:
    """A tape whose lines are the input, read and played; the bytes as they are, too."""
    path = Path(tempfile.mkdtemp()) / "t.rtms.zst"
    packer = zstandard.ZstdCompressor(level=1)

    def one(data: bytes) -> None:
        for content in (packer.compress(data), data):
            path.write_bytes(content)
            with contextlib.suppress(TapeError), TapeReader.open(path) as reader:
                for _ in reader:
                    pass
        path.write_bytes(packer.compress(data))
        with contextlib.suppress(TapeError):
            playback = Playback(path)
            try:
                for now in (0, 500, 2_000):
                    playback.advance(now)
            finally:
                playback.close()

    return one


TARGETS: Final[dict[str, Callable[[], Target]]] = {
    made.__name__: made for made in (frames, sockets, requests, webhooks, tapes)
}


class _Watched:
    """Counts inputs and compares what is held."""

    def __init__(self, target: Target, runs: int) -> None:
        self._target = target
        self._every = max(1, runs // 10)
        self._count = 0
        self._base: int | None = None

    def __call__(self, data: bytes) -> None:
        self._target(data)
        self._count += 1
        if self._count % self._every == 0:
            gc.collect()
            held, _ = tracemalloc.get_traced_memory()
            if self._base is None:
                self._base = held
            grown = held - self._base
            assert grown < GROWTH, f"{grown} bytes more than after the first {self._every} inputs"


def main(argv: list[str]) -> Any:
    name, corpus, runs, seed = argv
    set_up(level="critical")
    random.seed(int(seed))
    target = _Watched(TARGETS[name](), int(runs))
    tracemalloc.start()
    atheris.Setup(
        [
            *(sys.argv[0], f"-runs={runs}", f"-seed={seed}", "-max_len=4096", "-timeout=10"),
            *("-rss_limit_mb=1500", "-verbosity=0", corpus),
        ],
        target,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
