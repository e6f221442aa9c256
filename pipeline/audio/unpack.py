"""Packets of one participant to mono samples: how long one lasts is known before it is decoded."""

from __future__ import annotations

from collections import deque

from pipeline.audio import packet
from pipeline.audio.codecs import Decoder, check_format, decoder
from pipeline.audio.packet import Samples

_OPUS_US = (
    (10_000, 20_000, 40_000, 60_000),  # SILK
    (10_000, 20_000),  # hybrid
    (2_500, 5_000, 10_000, 20_000),  # CELT
)
_OPUS_MOST_US = 120_000


_KEPT = 64
"""Packets kept of codecs with a memory: over a second of 20 ms each."""

_RUN_UP = 4
"""Packets after which such a decoder sounds as if it had heard everything: 80 ms, what RFC 7845
asks for."""


class Coding:
    """What the packets of a stream are. Raises UnusableAudio as ``codecs.check_format``."""

    def __init__(self, codec: str, sample_rate: int, channels: int) -> None:
        check_format(codec, sample_rate, channels)
        self.codec = codec.upper()
        self.rate = sample_rate
        self.channels = channels
        self.has_memory = self.codec in ("G722", "OPUS")
        self._frame_bytes = 2 * channels if self.codec == "L16" else 1

    def whole(self, data: bytes) -> bytes:
        """The data without what lies beyond the last whole frame (counted as ``odd_bytes``)."""
        over = len(data) % self._frame_bytes
        if over:
            packet.count("odd_bytes")
            return data[:-over]
        if not data:
            packet.count("empty")
        return data

    def frames(self, data: bytes) -> int:
        """How many frames the packet lasts; 0 for what cannot be a packet."""
        match self.codec:
            case "L16":
                return len(data) // self._frame_bytes
            case "G711":
                return len(data)
            case "G722":
                return 2 * len(data)
            case _:
                return opus_us(data) * self.rate // 1_000_000

    def decoder(self) -> Decoder:
        """A fresh decoder."""
        return decoder(self.codec, self.rate, self.channels)


class Unpacker:
    """Decodes the packets of one track, in the order of time. The decoder keeps its state while the
    audio goes on, and is a fresh one after a leap of more than ``bridge`` frames, as the sender's
    encoder is.
    """

    def __init__(self, coding: Coding, bridge: int) -> None:
        self._coding = coding
        self._bridge = bridge
        self._decoder: Decoder | None = None
        self._end = 0
        self._last: deque[tuple[int, bytes]] = deque(maxlen=_KEPT)

    def samples(self, at: int, data: bytes) -> Samples:
        """Mono samples of the packet at a position. Raises UnusableAudio (``kind`` packet)."""
        if self._decoder is None or abs(at - self._end) > self._bridge:
            self._decoder = self._coding.decoder()
        self._end = at + self._coding.frames(data)
        if self._coding.has_memory:
            self._last.append((at, data))
        return packet.mono(self._decoder.decode(data))

    def late(self, at: int, data: bytes) -> Samples:
        """Mono samples of a packet that came too late to be decoded in its place: a decoder of its
        own hears what came shortly before it. Raises UnusableAudio."""
        decoder = self._coding.decoder()
        for _, before in [kept for kept in self._last if kept[0] < at][-_RUN_UP:]:
            decoder.decode(before)
        return packet.mono(decoder.decode(data))


def opus_us(data: bytes) -> int:
    """Microseconds an Opus packet lasts by its first bytes (RFC 6716, 3.1 and 3.2); 0 if none."""
    if not data:
        return 0
    config, code = data[0] >> 3, data[0] & 3
    kind = 0 if config < 12 else 1 if config < 16 else 2
    lengths = _OPUS_US[kind]
    length = lengths[config % len(lengths)]
    told = data[1] & 63 if len(data) > 1 else 0
    total = length * (1, 2, 2, told)[code]
    return total if total <= _OPUS_MOST_US else 0
