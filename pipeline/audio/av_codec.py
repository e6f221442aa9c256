"""G.722 and Opus by PyAV, one packet at a time. Importing this loads FFmpeg."""

from __future__ import annotations

from typing import Final, Literal

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from pipeline.audio.codecs import Pcm, check_shape
from pipeline.audio.packet import UnusableAudio

PACKET_MS: Final = 20

_NAMES: Final[dict[str, Literal["g722", "libopus"]]] = {"G722": "g722", "OPUS": "libopus"}
_BIT_RATE: Final = 64_000
"""A channel: G.722's only rate here (reference section 7.1); for Opus transparent for speech."""

_LONGEST_OPUS: Final = 5_760
"""Samples of 120 ms, the longest packet of RFC 6716."""


def _context(name: str, mode: Literal["r", "w"], rate: int, channels: int) -> AudioCodecContext:
    context = AudioCodecContext.create(_NAMES[name], mode)
    context.sample_rate = rate
    context.layout = "stereo" if channels == 2 else "mono"
    return context


class AvDecoder:
    """Stateful: packets of one participant, in order."""

    frame_bytes = 1

    def __init__(self, name: str, rate: int, channels: int) -> None:
        self._name = name
        self._channels = channels
        self._context = _context(name, "r", rate, channels)

    def decode(self, data: bytes) -> Pcm:
        """See ``codecs.Decoder``."""
        if not data:  # to FFmpeg an empty packet means the end, for good
            raise UnusableAudio(f"an empty packet of {self._name}", kind="packet")
        try:
            frames = self._context.decode(av.Packet(data))
        except av.FFmpegError as error:
            raise UnusableAudio(
                f"{len(data)} bytes are no packet of {self._name}", kind="packet"
            ) from error
        parts = [frame.to_ndarray().reshape(-1, self._channels) for frame in frames]
        pcm = np.concatenate(parts) if parts else np.zeros((0, self._channels), np.int16)
        if self._name == "OPUS" and len(pcm) > _LONGEST_OPUS:
            raise UnusableAudio("a packet of OPUS longer than 120 ms", kind="packet")
        return np.ascontiguousarray(pcm, np.int16)


class AvEncoder:
    """Stateful: packets of ``PACKET_MS``."""

    def __init__(self, name: str, rate: int, channels: int) -> None:
        self._rate = rate
        self._channels = channels
        self._size = rate * PACKET_MS // 1000
        self._at = 0
        self._context = _context(name, "w", rate, channels)
        self._context.format = "s16"
        self._context.bit_rate = _BIT_RATE * channels
        if name == "OPUS":
            self._context.options = {"application": "audio", "frame_duration": str(PACKET_MS)}

    def encode(self, pcm: Pcm) -> bytes:
        """See ``codecs.Encoder``."""
        check_shape(pcm, self._channels)
        if len(pcm) > self._size:
            raise ValueError(f"{len(pcm)} frames: a packet holds {self._size} ({PACKET_MS} ms)")
        samples = np.zeros((self._size, self._channels), np.int16)
        samples[: len(pcm)] = pcm
        frame = av.AudioFrame.from_ndarray(
            samples.reshape(1, -1),
            format="s16",
            layout="stereo" if self._channels == 2 else "mono",
        )
        frame.sample_rate = self._rate
        frame.pts = self._at
        self._at += self._size
        return b"".join(bytes(packet) for packet in self._context.encode(frame))
