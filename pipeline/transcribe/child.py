"""The other side of ``child_engine``: a process that holds one engine and decodes what it gets.

Run as ``python -m pipeline.transcribe.child``. Frames on stdin and stdout: four bytes of length
(big endian), then msgpack. It ends when stdin does, whatever it is doing then.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import IO

import msgspec
import numpy as np

from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import Capabilities, Engine, Hints, Transcription
from pipeline.transcribe.settings import TranscribeSettings


class Start(msgspec.Struct, frozen=True, tag="start"):
    """The first frame: which engine to open."""

    name: str
    settings: TranscribeSettings


class Job(msgspec.Struct, frozen=True, tag="job"):
    """``pcm``: float32, mono, 16 kHz, in the machine's byte order."""

    pcm: bytes
    hints: Hints


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The engine is open."""

    capabilities: Capabilities


class Done(msgspec.Struct, frozen=True, tag="done"):
    """Words of one job, and the CPU seconds it took."""

    heard: Transcription
    cpu_s: float


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """An EngineError, of opening or of a job."""

    message: str
    kind: str
    retryable: bool


Frame = Start | Job | Ready | Done | Failed

_decoder = msgspec.msgpack.Decoder(Frame)
_encoder = msgspec.msgpack.Encoder()


def send(pipe: IO[bytes], frame: Frame) -> None:
    """Raises OSError when nobody reads."""
    data = _encoder.encode(frame)
    pipe.write(len(data).to_bytes(4, "big") + data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Frame | None:
    """The next frame; None when the other side is gone."""
    head = pipe.read(4)
    if len(head) < 4:
        return None
    data = pipe.read(int.from_bytes(head, "big"))
    return _decoder.decode(data) if len(data) == int.from_bytes(head, "big") else None


def serve(open_engine: Callable[[str, TranscribeSettings], Engine]) -> None:
    """Decode until stdin ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand between our frames
    frames: queue.SimpleQueue[Frame] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(frames,), daemon=True).start()
    start = frames.get()
    assert isinstance(start, Start)
    with asyncio.Runner() as runner:
        try:
            engine = open_engine(start.name, start.settings)
        except EngineError as error:
            send(out, Failed(str(error), error.kind, error.retryable))
            return
        send(out, Ready(engine.capabilities))
        while True:
            job = frames.get()
            assert isinstance(job, Job)
            pcm = np.frombuffer(job.pcm, np.float32)
            answer: Frame
            started = time.process_time()
            try:
                heard = runner.run(engine.transcribe(pcm, job.hints))
                answer = Done(heard, time.process_time() - started)
            except EngineError as error:
                answer = Failed(str(error), error.kind, error.retryable)
            send(out, answer)


def _read(frames: queue.SimpleQueue[Frame]) -> None:
    while (frame := receive(sys.stdin.buffer)) is not None:
        frames.put(frame)
    os._exit(0)  # nobody is left to hear it, and a decode may hang


def _open(name: str, settings: TranscribeSettings) -> Engine:
    if name == "whisper":
        from pipeline.transcribe.whisper import WhisperEngine

        return WhisperEngine.open(settings)
    from pipeline.transcribe.local import LocalEngine

    return LocalEngine.open(settings)


if __name__ == "__main__":
    serve(_open)
