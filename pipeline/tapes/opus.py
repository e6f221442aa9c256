"""Opus for tapes: a spurt of speech to packets and back, by PyAV's libopus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from pipeline.base.errors import TapeError
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


def encode(pcm: NDArray[np.int16]) -> list[bytes]:
    """Packets of 20 ms of a whole spurt, mono 16 kHz int16. The last is padded with silence.

    Decoding and throwing away ``CODING.skip`` samples gives at least ``len(pcm)`` samples back,
    in step with the input.
    """
    if not len(pcm):
        return []
    size = RATE * PACKET_MS // 1000
    run_up = _RUN_UP * RATE // DECODED_RATE
    missing = -(len(pcm) + run_up) % size
    padded = np.concatenate([pcm, np.zeros(run_up + missing, np.int16)])
    encoder = AudioCodecContext.create("libopus", "w")
    encoder.sample_rate = RATE
    encoder.layout = "mono"
    encoder.format = "s16"
    encoder.bit_rate = BIT_RATE
    encoder.options = {"application": "voip", "frame_duration": str(PACKET_MS), "vbr": "on"}
    packets: list[bytes] = []
    for start in range(0, len(padded), size):
        frame = av.AudioFrame.from_ndarray(
            padded[None, start : start + size], format="s16", layout="mono"
        )
        frame.sample_rate = RATE
        frame.pts = start
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    packets += [bytes(packet) for packet in encoder.encode(None)]
    return packets[: len(padded) // size]


class OpusDecoder:
    """Decodes the packets of one participant; start a new one with every spurt."""

    def __init__(self, coding: AudioCoding) -> None:
        self._skip = coding.skip
        self._codec = AudioCodecContext.create("libopus", "r")
        self._codec.sample_rate = DECODED_RATE
        self._codec.layout = "mono"

    def decode(self, packets: Sequence[bytes]) -> NDArray[np.int16]:
        """The samples (mono, 48 kHz) of the next packets, without the encoder's run-up.

        Raises TapeError for bytes that are not Opus.
        """
        found: list[NDArray[np.int16]] = []
        try:
            for packet in packets:
                for frame in self._codec.decode(av.Packet(packet)):
                    found.append(frame.to_ndarray().reshape(-1).astype(np.int16))  # noqa: PERF401 - the try spans it
        except av.FFmpegError as error:
            raise TapeError(f"audio that is not Opus ({error})") from error
        pcm = np.concatenate(found) if found else np.zeros(0, np.int16)
        cut, self._skip = min(self._skip, len(pcm)), max(0, self._skip - len(pcm))
        return pcm[cut:]
