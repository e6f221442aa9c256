"""What one audio message costs in the receiving task, without any socket."""

from __future__ import annotations

import base64
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipeline.evaluate.bench.figure import Figure, Progress, figure
from pipeline.evaluate.bench.receiver import receiver
from pipeline.rtms import outputs as out
from pipeline.rtms.messages import AudioData, decode

_RUNS = 7
_MESSAGES = 5_000


def audio_message(milliseconds: int = 20) -> bytes:
    """A message 14 with so much of L16 audio at 16 kHz, as Zoom writes it."""
    samples = (np.random.default_rng(1).standard_normal(16 * milliseconds) * 3_000).astype("<i2")
    content = {
        "user_id": 16_778_240,
        "user_name": "Ada Lovelace",
        "data": base64.b64encode(samples.tobytes()).decode(),
        "length": 32 * milliseconds,
        "timestamp": 1_790_000_012_345,
    }
    return json.dumps({"msg_type": 14, "content": content}).encode()


def _per_message(work: Callable[[], object], times: int = _MESSAGES) -> float:
    """Microseconds of processor time of one call."""
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times * 1e6


async def decoding(_: Progress) -> Sequence[Figure]:
    """Our decoder beside the standard library's."""
    frame = audio_message()

    def ours() -> object:
        message = decode(frame)
        assert isinstance(message, AudioData)
        return np.frombuffer(message.content.data, "<i2")

    def standard() -> object:
        message = json.loads(frame)
        return np.frombuffer(base64.b64decode(message["content"]["data"]), "<i2")

    values, floors = [], []
    for _run in range(_RUNS):
        floors.append(_per_message(standard))
        values.append(_per_message(ours))
    note = "a 20 ms audio message; floor: json + base64; wanted: 4 times faster"
    return [figure("decode", values, "us", floors, note)]


async def hand_over(_: Progress) -> Sequence[Figure]:
    """What the receiving task does with a decoded message: nothing but putting it in a queue."""
    frame = audio_message()
    output = out.AudioReceived(7, "Ada", 1_790_000_012_345, bytes(640))
    values, floors = [], []
    for _run in range(_RUNS):
        with tempfile.TemporaryDirectory() as folder:
            sink = receiver(Path(folder))
            floors.append(_per_message(lambda: decode(frame)))
            values.append(_per_message(lambda into=sink: into.put(output)))  # type: ignore[misc]
    note = "from decoded to queued; floor: decoding the same message"
    return [figure("hand_over", values, "us", floors, note)]
