"""The four codecs of RTMS audio (reference sections 7.1 and 12.1), packet by packet.

==== =========== ======== ============================= =======================================
 .   rate        channels packet of 20 ms               delay of decode(encode(x)) against x
==== =========== ======== ============================= =======================================
L16  8, 16, 32,  1 or 2   rate/50 x channels x 2 bytes  none, exact
     48 kHz
G711 8 kHz       1        160 bytes, A-law              none, to the step of the code
G722 16 kHz      1        160 bytes, 64 kbit/s          22 samples (1.4 ms)
OPUS 48 kHz      1 or 2   variable, no container        312 samples (6.5 ms)
==== =========== ======== ============================= =======================================

A decoder gives as many samples as the packet lasts, never fewer at the start: what a packet holds
lies ``delay`` later than its timestamp says. That is below what a timestamp of Zoom's is worth, so
nothing is shifted in live audio; who compares or re-encodes drops the first ``delay`` samples.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.audio import alaw
from pipeline.audio.packet import UnusableAudio

Pcm = NDArray[np.int16]
"""Samples of shape (frames, channels)."""

CODECS: Final[dict[str, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "L16": ((8_000, 16_000, 32_000, 48_000), (1, 2)),
    "G711": ((8_000,), (1,)),
    "G722": ((16_000,), (1,)),
    "OPUS": ((48_000,), (1, 2)),
}
"""Rates (Hz) and channel counts of each codec (reference section 7.1)."""

DELAY: Final = {"L16": 0, "G711": 0, "G722": 22, "OPUS": 312}
"""Samples by which what is decoded lies behind what was encoded."""


class Decoder(Protocol):
    """One participant's decoder; a new one where the audio does not continue."""

    frame_bytes: int
    """Bytes of one frame for codecs that have frames of fixed size, else 1."""

    def decode(self, data: bytes) -> Pcm:
        """Samples of one packet. Raises UnusableAudio (``kind`` packet) for bytes that are not a
        packet of the codec; the decoder can be used further."""


class Encoder(Protocol):
    """One participant's encoder."""

    def encode(self, pcm: Pcm) -> bytes:
        """One packet. G722 and OPUS packets last 20 ms: shorter input is padded with silence.
        Raises ValueError for longer input or another channel count."""


def check_format(codec: str, sample_rate: int, channels: int) -> None:
    """Raises UnusableAudio (``kind`` codec, rate or channels), naming the allowed values."""
    known = CODECS.get(codec.upper())
    if known is None:
        raise UnusableAudio(
            f"audio codec {codec[:20]!r} is not one of {', '.join(CODECS)}", kind="codec"
        )
    rates, counts = known
    if sample_rate not in rates:
        allowed = " or ".join(map(str, rates))
        raise UnusableAudio(
            f"sample rate {sample_rate} with {codec.upper()}: only {allowed} Hz", kind="rate"
        )
    if channels not in counts:
        allowed = " or ".join(map(str, counts))
        raise UnusableAudio(
            f"{channels} channels with {codec.upper()}: only {allowed}", kind="channels"
        )


def decoder(codec: str, sample_rate: int, channels: int) -> Decoder:
    """A fresh decoder. Raises UnusableAudio as ``check_format``."""
    check_format(codec, sample_rate, channels)
    match codec.upper():
        case "L16":
            return _L16(channels)
        case "G711":
            return _G711()
        case name:
            from pipeline.audio.av_codec import AvDecoder  # 100 ms of imports, only where needed

            return AvDecoder(name, sample_rate, channels)


def encoder(codec: str, sample_rate: int, channels: int) -> Encoder:
    """A fresh encoder. Raises UnusableAudio as ``check_format``."""
    check_format(codec, sample_rate, channels)
    match codec.upper():
        case "L16":
            return _L16(channels)
        case "G711":
            return _G711()
        case name:
            from pipeline.audio.av_codec import AvEncoder

            return AvEncoder(name, sample_rate, channels)


class _L16:
    """Signed 16-bit little-endian, interleaved."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self.frame_bytes = 2 * channels

    def decode(self, data: bytes) -> Pcm:
        if len(data) % self.frame_bytes:
            raise UnusableAudio(
                f"{len(data)} bytes of L16 are no whole frames of {self.frame_bytes}", kind="packet"
            )
        values = np.frombuffer(data, "<i2").astype(np.int16, copy=False)
        return values.reshape(-1, self._channels)

    def encode(self, pcm: Pcm) -> bytes:
        check_shape(pcm, self._channels)
        data: bytes = pcm.astype("<i2", copy=False).tobytes()
        return data


class _G711:
    """A-law, mono."""

    frame_bytes = 1

    def decode(self, data: bytes) -> Pcm:
        return alaw.decode(data).reshape(-1, 1)

    def encode(self, pcm: Pcm) -> bytes:
        check_shape(pcm, 1)
        return alaw.encode(pcm[:, 0])


def check_shape(pcm: Pcm, channels: int) -> None:
    """Raises ValueError unless ``pcm`` is (frames, channels)."""
    if pcm.ndim != 2 or pcm.shape[1] != channels:
        raise ValueError(f"samples of shape {pcm.shape} are not (frames, {channels})")
