"""Opus for tapes: a spurt of speech to packets and back, by PyAV's libopus."""

from __future__ import annotations

from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from pipeline.tapes.header import AudioCoding

DECODED_RATE: Final = 48_000
"""libopus always decodes to this rate."""
RATE: Final = 16_000
"""What we encode: wide band is all a meeting voice has."""
PACKET_MS: Final = 20
BIT_RATE: Final = 24_000
_RUN_UP: Final = 312  # samples at 48 kHz; the encoder states it in its header (OpusHead)

CODING: Final = AudioCoding(codec="opus", sample_rate=DECODED_RATE, skip=_RUN_UP)
"""The table entry for what ``encode`` makes."""


class OpusEncoder:
    """One spurt, mono 16 kHz int16, fed piece by piece. Makes packets of ``CODING``."""

    coding: AudioCoding = CODING

    def __init__(self) -> None:
        self._context = AudioCodecContext.create("libopus", "w")
        self._context.sample_rate = RATE
        self._context.layout = "mono"
        self._context.format = "s16"
        self._context.bit_rate = BIT_RATE
        self._context.options = {
            "application": "voip",
            "frame_duration": str(PACKET_MS),
            "vbr": "on",
        }
        self._rest: NDArray[np.int16] = np.zeros(0, np.int16)
        self._at = 0
        self._made = 0

    def feed(self, pcm: NDArray[np.int16]) -> list[bytes]:
        """The packets that are complete now."""
        whole = np.concatenate([self._rest, pcm])
        size = RATE * PACKET_MS // 1000
        packets: list[bytes] = []
        for start in range(0, len(whole) - size + 1, size):
            frame = av.AudioFrame.from_ndarray(
                whole[None, start : start + size], format="s16", layout="mono"
            )
            frame.sample_rate = RATE
            frame.pts = self._at
            self._at += size
            packets += [bytes(packet) for packet in self._context.encode(frame)]
        self._rest = whole[len(whole) // size * size :]
        self._made += len(packets)
        return packets

    def finish(self) -> list[bytes]:
        """The rest, padded with silence so that nothing is lost to the decoder's run-up."""
        if not self._at and not len(self._rest):
            return []
        size = RATE * PACKET_MS // 1000
        run_up = _RUN_UP * RATE // DECODED_RATE
        missing = -(len(self._rest) + run_up) % size
        packets = self.feed(np.zeros(run_up + missing, np.int16))
        before = self._made - len(packets)
        packets += [bytes(packet) for packet in self._context.encode(None)]
        return packets[: self._at // size - before]


def encode(pcm: NDArray[np.int16]) -> list[bytes]:
    """Packets of 20 ms of a whole spurt, mono 16 kHz int16. The last is padded with silence.

    Decoding and throwing away ``CODING.skip`` samples gives at least ``len(pcm)`` samples back,
    in step with the input.
    """
    encoder = OpusEncoder()
    return encoder.feed(pcm) + encoder.finish()
