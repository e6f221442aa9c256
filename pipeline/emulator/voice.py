"""One participant's spurt of packed audio as samples of the format a client asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
import soxr
from numpy.typing import NDArray

from pipeline.audio.codecs import DELAY, Encoder, encoder
from pipeline.rtms.enums import Codec, DataOption, SampleRate
from pipeline.tapes.coding import packet_decoder
from pipeline.tapes.header import AudioCoding
from pipeline.tapes.lines import TapeAudio

Float = NDArray[np.float32]
"""(frames, channels), -1 to 1."""


@dataclass(frozen=True)
class AudioFormat:
    """What ``media_params.audio`` settled on, as far as it changes the bytes.

    The content type does not: RTP is sent like raw audio (see ``params``).
    """

    rate: int
    channels: int
    send_rate_ms: int
    mixed: bool
    codec: str = "L16"

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """From effective parameters."""
        return cls(
            rate=SampleRate(params["sample_rate"]).hertz,
            channels=params["channel"],
            send_rate_ms=params["send_rate"],
            mixed=params["data_opt"] == DataOption.AUDIO_MIXED_STREAM,
            codec=Codec(params["codec"]).name,
        )

    @property
    def samples(self) -> int:
        """Samples of one packet and channel."""
        return self.rate * self.send_rate_ms // 1000

    def encoder(self) -> Encoder:
        """A fresh one."""
        return encoder(self.codec, self.rate, self.channels)


class Chunk(NamedTuple):
    """A line of packed audio, how it is packed, and the time (Unix ms) its spurt began."""

    line: TapeAudio
    coding: AudioCoding
    spurt_ms: int
    shift_ms: int = 0
    """Added to every time, when a tape is played again in a loop."""


class Voice:
    """Decoder, channels, resampler, encoder, and what does not yet fill a packet.

    ``passes``: the tape's packets are what the client asked for and go out as they are.
    """

    def __init__(self, chunk: Chunk, wanted: AudioFormat, *, mixes: bool) -> None:
        packed, coding = chunk.line.packed, chunk.coding
        self.packet_ms = coding.packet_ms
        self.passes = (
            not mixes
            and coding.codec == wanted.codec.lower()
            and coding.codec != "l16"  # decoded and cut anew it is the same, on any grid
            and coding.packet_ms == wanted.send_rate_ms
            and (coding.sample_rate, coding.channels) == (wanted.rate, wanted.channels)
            and coding.skip <= DELAY[wanted.codec]  # the run-up is what an encoder of ours adds
        )
        if not packed.first:  # joined in the middle: the run-up is behind us
            coding = msgspec.structs.replace(coding, skip=0)
        self._wanted = wanted
        self._decoder = packet_decoder(coding)
        self._resampler = (
            None
            if coding.sample_rate == wanted.rate
            else soxr.ResampleStream(
                coding.sample_rate, wanted.rate, wanted.channels, dtype="float32"
            )
        )
        self._exact = self._resampler is None and not chunk.coding.skip and not mixes
        self.encoder = None if mixes or self.passes else wanted.encoder()
        self.timestamp = packed.timestamp + chunk.shift_ms
        """Of the first sample in ``rest``, Unix ms."""
        self.rest: Float = np.zeros((0, wanted.channels), np.float32)
        self.late = 0
        """How long after it was spoken the first of ``rest`` came, ms."""
        self.heard = 0  # samples so far, for the mix
        late = (packed.timestamp - chunk.spurt_ms) % wanted.send_rate_ms
        if late and not mixes:  # wait for the spurt's own next packet border
            self._drop = (wanted.send_rate_ms - late) * wanted.rate // 1000
            self.timestamp += wanted.send_rate_ms - late
        else:
            self._drop = 0

    def feed(self, chunk: Chunk) -> Float:
        """The next samples in the format's rate and channels. Raises TapeError."""
        packed = chunk.line.packed
        if self._exact and not self._drop and not len(self.rest) and packed.packets:
            # On a live tape packets have the server's own jitter; where none waits, it is kept.
            self.timestamp = packed.timestamp + chunk.shift_ms
        pcm = self._decoder.decode(packed.packets).astype(np.float32) / np.float32(32768)
        pcm = _with_channels(pcm, self._wanted.channels)
        if self._resampler is not None:
            pcm = self._resampler.resample_chunk(pcm, last=packed.last)
        cut = min(self._drop, len(pcm))
        self._drop -= cut
        return pcm[cut:]


def _with_channels(pcm: Float, channels: int) -> Float:
    """Mono to both sides, or both sides to their mean; shape (frames, channels)."""
    if pcm.ndim == 1:
        pcm = pcm[:, None]
    if pcm.shape[1] == channels:
        return pcm
    if channels == 1:
        mean: Float = pcm.mean(axis=1, dtype=np.float32, keepdims=True)
        return mean
    return np.repeat(pcm, channels, axis=1)


def to_samples(pcm: Float) -> NDArray[np.int16]:
    """Clipped and rounded."""
    whole: NDArray[np.int16] = np.clip(np.round(pcm * 32768), -32768, 32767).astype(np.int16)
    return whole
