"""A process that receives streams with Zoom's SDK: one process, one ``EventLoop``.

More than one SDK thread in a process crashes (sdk-observations, section 1), so this is how it is
run with many meetings.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any, Final

from pipeline.evaluate.bench.child import Parent, serve_client
from pipeline.evaluate.bench.plan import ClientReport

_FIRST_AUDIO_S: Final = 60.0


class _Received:
    """What the callbacks count."""

    def __init__(self, delays: bool) -> None:
        self.messages = 0
        self.heard: set[int] = set()
        self.arrivals: list[float] | None = [] if delays else None
        self.problem = ""

    def listener(self, number: int, phase_ms: float) -> Callable[[bytes, int, int, object], None]:
        """The audio callback of one client."""

        def audio(_data: bytes, _size: int, timestamp: int, _who: object) -> None:
            self.messages += 1
            if self.arrivals is not None:
                self.arrivals.append(time.monotonic() * 1000 - timestamp - phase_ms)
            if number not in self.heard:
                self.heard.add(number)

        return audio

    def joined(self, code: int) -> None:
        """The join callback."""
        if code:
            self.problem = f"the SDK could not join: code {code}"


def _receive(parent: Parent) -> None:
    plan = parent.plan
    rtms: Any = importlib.import_module("rtms")  # has no types
    received = _Received(plan.delays)
    loop = rtms.EventLoop()
    clients = []  # kept: the library does not hold them
    for number, target in enumerate(plan.targets):
        client = rtms.Client()
        client.set_audio_params(
            rtms.AudioParams(
                content_type=2,
                codec=1,
                sample_rate=1,
                channel=1,
                data_opt=2,
                duration=20,
                frame_size=320,
            )
        )
        client.on_join_confirm(received.joined)
        client.on_audio_data(received.listener(number, target.phase_ms))
        loop.add(client)
        client.join(
            meeting_uuid=target.zoom_id,
            rtms_stream_id=target.stream,
            server_urls=target.signaling_url,
            client=plan.client_id,
            secret=plan.client_secret,
        )
        clients.append(client)
    loop.start()
    deadline = time.monotonic() + _FIRST_AUDIO_S
    while len(received.heard) < len(plan.targets):
        if received.problem or time.monotonic() > deadline:
            heard = f"{len(received.heard)} of {len(plan.targets)} clients heard audio"
            raise ConnectionError(received.problem or heard)
        time.sleep(0.1)
    parent.steady()
    time.sleep(plan.settle_s)
    if received.arrivals is not None:
        received.arrivals.clear()
    before, cpu, began = received.messages, time.process_time(), time.monotonic()
    time.sleep(plan.window_s)
    after, cpu_after, ended = received.messages, time.process_time(), time.monotonic()
    parent.report(
        ClientReport(
            messages=after - before,
            cpu_s=cpu_after - cpu,
            began=began,
            ended=ended,
            loop="rtms.EventLoop",
            arrivals=list(received.arrivals or ()),
        )
    )


if __name__ == "__main__":
    serve_client(_receive)
