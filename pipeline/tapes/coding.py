"""From packed audio back to samples, whatever codec a tape holds it in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, Protocol

import av
import msgspec
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from pipeline.audio.packet import UnusableAudio
from pipeline.base.errors import TapeError
from pipeline.tapes.header import AudioCoding, Codec

Pcm = NDArray[np.int16]
"""(frames,) when mono, (frames, 2) when stereo."""

_OPUS_RATE: Final = 48_000
"""libopus always decodes to this rate."""
RATES: Final[dict[Codec, tuple[int, ...]]] = {
    "opus": (_OPUS_RATE,),
    "flac": (8_000, 16_000, 32_000, 48_000),
    "l16": (8_000, 16_000, 32_000, 48_000),
    "g711": (8_000,),
    "g722": (16_000,),
}
"""Hz of the decoded samples (reference section 7.1)."""
_FRAMED: Final[dict[Codec, Literal["libopus", "flac"]]] = {"opus": "libopus", "flac": "flac"}


class PacketDecoder(Protocol):
    """Decodes the packets of one participant; start a new one with every spurt."""

    def decode(self, packets: Sequence[bytes]) -> Pcm:
        """The samples of the next packets, run-up cut. Raises TapeError for undecodable bytes."""
        ...


def check(coding: AudioCoding) -> None:
    """Raises TapeError for a coding no decoder exists for."""
    rates = RATES[coding.codec]
    if coding.sample_rate not in rates:
        allowed = ", ".join(map(str, rates))
        raise TapeError(f"{coding.codec} at {coding.sample_rate} Hz; it can be {allowed}")
    if coding.channels != 1 and coding.codec in ("g711", "g722"):
        raise TapeError(f"{coding.codec} is mono, not of {coding.channels} channels")


def packet_decoder(coding: AudioCoding) -> PacketDecoder:
    """A decoder for one spurt: int16, (frames,) or (frames, 2), at ``coding.sample_rate``.

    Raises TapeError for a coding that cannot be.
    """
    check(coding)
    decoder = _Framed(coding) if coding.codec in _FRAMED else _Wire(coding)
    return _Skipping(decoder, coding) if coding.skip else decoder


class _Skipping:
    """Throws the run-up away."""

    def __init__(self, inner: PacketDecoder, coding: AudioCoding) -> None:
        self._inner = inner
        self._skip = coding.skip

    def decode(self, packets: Sequence[bytes]) -> Pcm:
        pcm = self._inner.decode(packets)
        cut = min(self._skip, len(pcm))
        self._skip -= cut
        return pcm[cut:]


class _Framed:
    """Opus and FLAC, by PyAV."""

    def __init__(self, coding: AudioCoding) -> None:
        self._coding = coding
        self._most = coding.sample_rate * max(coding.packet_ms, 120) // 1000
        self._codec = AudioCodecContext.create(_FRAMED[coding.codec], "r")
        if coding.extradata is not msgspec.UNSET and coding.codec == "flac":
            if len(coding.extradata) != 34:  # FFmpeg reads it unchecked
                raise TapeError(f"flac's extradata has 34 bytes, this {len(coding.extradata)}")
            self._codec.extradata = coding.extradata
        self._codec.sample_rate = coding.sample_rate
        self._codec.layout = "stereo" if coding.channels == 2 else "mono"

    def decode(self, packets: Sequence[bytes]) -> Pcm:
        coding = self._coding
        found: list[Pcm] = []
        try:
            for packet in packets:
                if not packet:  # to FFmpeg an empty packet is the end of the stream
                    raise TapeError(f"an empty {coding.codec} packet")
                long = 0
                for frame in self._codec.decode(av.Packet(packet)):
                    if frame.sample_rate != coding.sample_rate or (
                        len(frame.layout.channels) != coding.channels
                    ):
                        raise TapeError(
                            f"{coding.codec} of {frame.sample_rate} Hz and"
                            f" {len(frame.layout.channels)} channels where the tape says"
                            f" {coding.sample_rate} and {coding.channels}"
                        )
                    long += frame.samples
                    if long > self._most:
                        raise TapeError(f"a {coding.codec} packet longer than the tape says")
                    found.append(_samples(frame, coding))
        except av.FFmpegError as error:
            raise TapeError(f"audio that is not {coding.codec} ({error.strerror})") from error
        return np.concatenate(found) if found else _nothing(coding.channels)


class _Wire:
    """What Zoom's own codecs are, by the audio room's decoders."""

    def __init__(self, coding: AudioCoding) -> None:
        from pipeline.audio.codecs import decoder

        self._coding = coding
        self._most = coding.sample_rate * coding.packet_ms // 1000
        self._decoder = decoder(coding.codec.upper(), coding.sample_rate, coding.channels)

    def decode(self, packets: Sequence[bytes]) -> Pcm:
        coding = self._coding
        found: list[Pcm] = []
        try:
            for packet in packets:
                pcm = self._decoder.decode(packet)
                if len(pcm) > self._most:
                    raise TapeError(f"a {coding.codec} packet longer than the tape says")
                found.append(pcm)
        except UnusableAudio as error:
            raise TapeError(f"audio that is not {coding.codec} ({error})") from error
        if not found:
            return _nothing(coding.channels)
        whole = np.concatenate(found)
        return whole if coding.channels == 2 else whole.reshape(-1)


def _samples(frame: av.AudioFrame, coding: AudioCoding) -> Pcm:
    values: Pcm = frame.to_ndarray()
    if values.dtype != np.int16:
        raise TapeError(f"{coding.codec} of {values.dtype} samples; a tape holds 16 bits")
    if coding.channels == 1:
        return values.reshape(-1)
    if len(values) == 1:  # interleaved
        return values.reshape(-1, coding.channels)
    return np.ascontiguousarray(values.T)


def _nothing(channels: int) -> Pcm:
    return np.zeros((0, 2) if channels == 2 else 0, np.int16)
