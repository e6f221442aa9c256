"""FLAC for tapes: packets of 16-bit samples to as many FLAC frames, lossless."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from pipeline.tapes.header import AudioCoding

_MOST_CONTEXTS: Final = 4
SHORTEST: Final = 16
"""Samples; FLAC has no smaller block."""


def coding(sample_rate: int, channels: int, packet_ms: int) -> AudioCoding:
    """The table entry for packets of so many ms."""
    context = _context(sample_rate, channels, sample_rate * packet_ms // 1000)
    context.open()
    return AudioCoding(
        codec="flac",
        sample_rate=sample_rate,
        channels=2 if channels == 2 else 1,
        packet_ms=packet_ms,
        extradata=bytes(context.extradata or b""),
    )


class FlacEncoder:
    """Makes one frame of one packet; every frame can be decoded by itself, so that one encoder
    serves everybody."""

    def __init__(self) -> None:
        # FFmpeg's encoder takes 7 MB whatever the frame's size, so few are kept.
        self._contexts: OrderedDict[tuple[int, int, int], AudioCodecContext] = OrderedDict()

    def encode(self, pcm: NDArray[np.int16], coding: AudioCoding) -> bytes:
        """``pcm``: (frames,) or (frames, 2), from 16 samples to ``packet_ms``."""
        key = (coding.sample_rate, coding.channels, len(pcm))
        context = self._contexts.pop(key, None)
        if context is None:
            if len(self._contexts) >= _MOST_CONTEXTS:
                self._contexts.popitem(last=False)
            context = _context(*key)
        self._contexts[key] = context
        return _encoded(context, pcm, coding)


def _context(sample_rate: int, channels: int, samples: int) -> AudioCodecContext:
    context = AudioCodecContext.create("flac", "w")
    context.sample_rate = sample_rate
    context.layout = "stereo" if channels == 2 else "mono"
    context.format = "s16"
    context.options = {"frame_size": str(samples), "compression_level": "5"}
    return context


def _encoded(context: AudioCodecContext, pcm: NDArray[np.int16], coding: AudioCoding) -> bytes:
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(pcm, np.int16).reshape(1, -1),
        format="s16",
        layout="stereo" if coding.channels == 2 else "mono",
    )
    frame.sample_rate = coding.sample_rate
    return b"".join(bytes(packet) for packet in context.encode(frame))


class FlacPacker:
    """One spurt fed piece by piece, as ``OpusEncoder``; lossless."""

    def __init__(self, coding: AudioCoding, encoder: FlacEncoder) -> None:
        self.coding = coding
        self._encoder = encoder
        self._size = coding.sample_rate * coding.packet_ms // 1000
        shape = (0, 2) if coding.channels == 2 else 0
        self._rest: NDArray[np.int16] = np.zeros(shape, np.int16)

    def feed(self, pcm: NDArray[np.int16]) -> list[bytes]:
        """The packets that are complete now."""
        whole = np.concatenate([self._rest, pcm])
        most = len(whole) // self._size * self._size
        self._rest = whole[most:]
        return [
            self._encoder.encode(whole[start : start + self._size], self.coding)
            for start in range(0, most, self._size)
        ]

    def finish(self) -> list[bytes]:
        """The rest; a few samples are padded to the shortest frame FLAC has."""
        rest, self._rest = self._rest, self._rest[:0]
        if not len(rest):
            return []
        short = max(0, SHORTEST - len(rest))
        padded = np.concatenate([rest, np.zeros((short, *rest.shape[1:]), np.int16)])
        return [self._encoder.encode(padded, self.coding)]
