"""Message 14 as it comes, and how its bytes are packed: what a recorder must know of both. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from pipeline.tapes import flac
from pipeline.tapes.flac import FlacEncoder
from pipeline.tapes.header import AudioCoding, Codec

_CODECS: Final[dict[int, Codec]] = {1: "l16", 2: "g711", 3: "g722", 4: "opus"}
"""MEDIA_PAYLOAD_TYPE (reference section 14)."""
_RATES: Final = {0: 8_000, 1: 16_000, 2: 32_000, 3: 48_000}
"""AUDIO_SAMPLE_RATE (reference section 14)."""
_TIMES: Final = (10**11, 10**14)
"""Unix milliseconds lie between (reference section 17)."""
_LONGEST_MS: Final = 1_000
_OPUS_MS: Final = ((10, 20, 40, 60), (10, 20), (2.5, 5, 10, 20))
"""Frame lengths of the TOC byte's configurations: SILK, hybrid, CELT (RFC 6716, 3.1)."""


class WireAudio(NamedTuple):
    """One packet. ``user_id`` 0 and no channel is the mixed stream."""

    user_id: int
    user_name: str | None
    channel_id: str | None
    timestamp: int
    data: bytes


class _Content(msgspec.Struct):
    user_id: int | str | None = None
    user_name: str | None = None
    channel_id: int | str | None = None
    data: bytes = b""
    timestamp: int | None = None


class _Message(_Content):
    content: _Content | bytes = b""


_DECODER: Final = msgspec.json.Decoder(_Message)


def wire_audio(frame: bytes) -> WireAudio | None:
    """The packet in a message 14, object or flat (reference section 12); None when something is
    missing or of another kind, so that it can only be kept as it stands."""
    try:
        message = _DECODER.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(message.content, bytes):
        content: _Content = message
        data = message.content
    else:
        content = message.content
        data = content.data
    user_id = content.user_id
    if isinstance(user_id, str):
        if not (user_id.isascii() and user_id.isdigit() and len(user_id) <= 10):
            return None
        user_id = int(user_id)
    time = content.timestamp
    if not data or time is None or not _TIMES[0] <= time < _TIMES[1]:
        return None
    if not 0 <= (user_id or 0) < 1 << 32:
        return None
    channel = content.channel_id
    if channel is not None:
        channel = str(channel)
    return WireAudio(user_id or 0, content.user_name or None, channel, time, data)


@dataclass(frozen=True)
class WireFormat:
    """What message 4 said audio is (reference section 7.2)."""

    codec: Codec
    sample_rate: int
    channels: int

    @classmethod
    def of(cls, params: object) -> WireFormat | None:
        """From ``media_params.audio``; None when it says nothing usable."""
        if not isinstance(params, Mapping):
            return None
        codec, rate, channels = (params.get(key) for key in ("codec", "sample_rate", "channel"))
        numbers = (codec, rate, channels)
        if not all(type(number) is int for number in numbers):
            return None
        if codec not in _CODECS or rate not in _RATES or channels not in (1, 2):
            return None
        return cls(_CODECS[codec], _RATES[rate], channels)

    def samples(self, data: bytes) -> int | None:
        """Samples of one channel in a packet; None when it cannot be a packet of this codec."""
        match self.codec:
            case "l16":
                count = len(data) / (2 * self.channels)
            case "g711":
                count = len(data)
            case "g722":
                count = len(data) * 2
            case _:
                count = _opus_ms(data) * self.sample_rate / 1000
        if not count or count != int(count) or count * 1000 > self.sample_rate * _LONGEST_MS:
            return None
        return int(count)

    def coding(self, samples: int) -> AudioCoding | None:
        """The table entry for packets of so many samples: lossless for L16, else as they are."""
        ms = -(-samples * 1000 // self.sample_rate)
        if self.codec == "l16":
            return flac.coding(self.sample_rate, self.channels, ms)
        if self.codec == "opus" and samples * 1000 % self.sample_rate:
            return None
        return AudioCoding(
            codec=self.codec,
            sample_rate=self.sample_rate,
            channels=2 if self.channels == 2 else 1,
            packet_ms=ms,
        )


def packed(encoder: FlacEncoder, data: bytes, wire: WireFormat, coding: AudioCoding) -> bytes:
    """The bytes that stand on the tape for one packet."""
    if coding.codec != "flac":
        return data
    pcm = np.frombuffer(data, "<i2").astype(np.int16, copy=False)
    return encoder.encode(pcm.reshape(-1, 2) if wire.channels == 2 else pcm, coding)


def fits(coding: AudioCoding, wire: WireFormat, samples: int) -> bool:
    """Whether a packet of so many samples can stand in this coding. Opus must be exact."""
    room = coding.sample_rate * coding.packet_ms // 1000
    name = "flac" if wire.codec == "l16" else wire.codec
    if (coding.codec, coding.sample_rate, coding.channels) != (
        name,
        wire.sample_rate,
        wire.channels,
    ):
        return False
    if coding.codec == "flac" and samples < flac.SHORTEST:
        return False
    return samples == room if coding.codec == "opus" else samples <= room


def _opus_ms(data: bytes) -> float:
    """How long an Opus packet lasts, by its first byte or two (RFC 6716, section 3)."""
    configuration, count = data[0] >> 3, data[0] & 3
    table = _OPUS_MS[0 if configuration < 12 else 1 if configuration < 16 else 2]
    one = table[
        configuration % 4 if configuration < 12 or configuration >= 16 else configuration % 2
    ]
    if count == 3:
        return one * (data[1] & 63) if len(data) > 1 else 0.0
    return one * (2 if count else 1)


def time_of(message: dict[str, Any]) -> int | None:
    """When the server says it sent a message, Unix ms; None when it does not."""
    places = (message, message.get("event"), message.get("content"))
    for place in places:
        if isinstance(place, dict):
            for key in ("timestamp", "event_ts"):
                time = place.get(key)
                if type(time) is int and _TIMES[0] <= time < _TIMES[1]:
                    return time
    return None
