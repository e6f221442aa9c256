"""Samples as a WAV file in memory: what a server takes without asking."""

from __future__ import annotations

import io
import wave

from pipeline.audio.packet import encode_l16
from pipeline.transcribe.engine import SAMPLE_RATE, Pcm


def wav_of(pcm: Pcm) -> bytes:
    """Signed 16-bit mono at 16 kHz; samples beyond -1..1 are clipped."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(encode_l16(pcm))
    return file.getvalue()
