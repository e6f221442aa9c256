"""Our transcription server on a free port of this machine, for tests of it and against it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import SileroVad, Vad
from pipeline.base.clock import SystemClock
from pipeline.transcribe.engine import Engine
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.server import TranscriptionServer
from pipeline.transcribe.settings import TranscribeSettings
from pipeline.transcribe.upload import ServerLimits
from pipeline.web.guard import is_loopback
from pipeline.web.listener import Limits, start_listening


@asynccontextmanager
async def transcription_server(
    engine: Engine,
    *,
    limits: ServerLimits | None = None,
    vad: Callable[[], Vad] = SileroVad,
) -> AsyncIterator[str]:
    """Its base URL, ending in ``/v1``; ``engine`` decodes on a pool of one worker."""
    pool = DecodePool(lambda: engine, settings=TranscribeSettings(workers=1, retry_wait_s=0))
    server = TranscriptionServer(
        pool.transcribe,
        engine.capabilities,
        audio=AudioSettings(),
        is_ours=is_loopback,
        limits=limits or ServerLimits(),
        vad=vad,
    )
    port, stop, _ = await start_listening(
        server.application(),
        "127.0.0.1",
        0,
        name="stt",
        limits=Limits(connections=50),
        clock=SystemClock(),
    )
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        await stop()
        await pool.close()


def bursts(*spans: tuple[float, float], seconds: float) -> Any:
    """A tone during ``spans`` (from, to, in seconds) of so long a silence, 16 kHz."""
    import numpy as np

    from tests.media_makers import tone

    sound = np.zeros(round(seconds * 16_000), np.float32)
    for start, end in spans:
        piece = tone(end - start)
        sound[round(start * 16_000) : round(start * 16_000) + len(piece)] = piece
    return sound


def wav_bytes(folder: Path, sound: Any) -> bytes:
    """A wave file's content."""
    from tests.media_makers import write_wav

    return write_wav(folder / "sent.wav", sound).read_bytes()
