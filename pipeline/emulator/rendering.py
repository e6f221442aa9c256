"""A tape's audio as the wire messages one audio format asks for. Pure; no clock.

Audio on the tape is decoded, resampled and cut anew, so every client gets the rate, channels,
interval and layout it asked for, and the same tape gives the same messages.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import msgspec
import numpy as np
import soxr
from numpy.typing import NDArray

from pipeline.emulator.lane import Sent
from pipeline.rtms.enums import DataOption, MessageType, SampleRate
from pipeline.tapes.header import TapeHeader
from pipeline.tapes.lines import TapeAudio
from pipeline.tapes.opus import OpusDecoder

Float = NDArray[np.float32]

MIX_DELAY_MS: Final = 1_600
"""How far the tape must be read past an interval before its mix is complete."""


@dataclass(frozen=True)
class AudioFormat:
    """What ``media_params.audio`` settled on, as far as it changes the bytes. L16."""

    rate: int
    channels: int
    send_rate_ms: int
    mixed: bool

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """From effective parameters."""
        return cls(
            rate=SampleRate(params["sample_rate"]).hertz,
            channels=params["channel"],
            send_rate_ms=params["send_rate"],
            mixed=params["data_opt"] == DataOption.AUDIO_MIXED_STREAM,
        )

    @property
    def samples(self) -> int:
        """Samples of one packet and channel."""
        return self.rate * self.send_rate_ms // 1000


class Chunk(NamedTuple):
    """A line of packed audio and the time (Unix ms) its spurt began."""

    line: TapeAudio
    spurt_ms: int
    shift_ms: int = 0
    """Added to every time, when a tape is played again in a loop."""


class _Content(msgspec.Struct, omit_defaults=True):
    user_id: int | msgspec.UnsetType
    data: bytes
    length: int
    timestamp: int
    user_name: str | msgspec.UnsetType = msgspec.UNSET
    channel_id: str | msgspec.UnsetType = msgspec.UNSET


class _AudioMessage(msgspec.Struct):
    msg_type: int
    content: _Content


class _Voice:
    """One participant's decoder, resampler and what does not yet fill a packet."""

    def __init__(self, header: TapeHeader, chunk: Chunk, wanted: AudioFormat) -> None:
        packed = chunk.line.packed
        coding = header.audio[packed.coding]
        self.key = (packed.user_id, packed.channel_id)
        if not packed.first:  # joined in the middle: the run-up is behind us
            coding = msgspec.structs.replace(coding, skip=0)
        self._decoder = OpusDecoder(coding)
        self._resampler = (
            None
            if coding.sample_rate == wanted.rate
            else soxr.ResampleStream(coding.sample_rate, wanted.rate, 1, dtype="float32")
        )
        self.timestamp = packed.timestamp + chunk.shift_ms
        self.rest: Float = np.zeros(0, np.float32)
        self.heard = 0  # samples so far, for the mix
        late = (packed.timestamp - chunk.spurt_ms) % wanted.send_rate_ms
        if late and not wanted.mixed:  # wait for the spurt's own next packet border
            self._drop = (wanted.send_rate_ms - late) * wanted.rate // 1000
            self.timestamp += wanted.send_rate_ms - late
        else:
            self._drop = 0

    def feed(self, chunk: Chunk) -> Float:
        """The next samples at the format's rate."""
        packed = chunk.line.packed
        pcm: Float = self._decoder.decode(packed.packets).astype(np.float32) / np.float32(32768)
        if self._resampler is not None:
            pcm = self._resampler.resample_chunk(pcm, last=packed.last)
        cut = min(self._drop, len(pcm))
        self._drop -= cut
        return pcm[cut:]


class Rendering:
    """Feed lines in the tape's order, take messages as they fall due."""

    def __init__(self, header: TapeHeader, wanted: AudioFormat) -> None:
        self._header = header
        self._format = wanted
        self._names = {(p.user_id, p.channel_id): p.user_name for p in header.participants} | {
            (p.user_id, None): p.user_name for p in header.participants
        }
        self._voices: dict[tuple[int, str | None], _Voice] = {}
        self._due: list[tuple[int, int, bytes]] = []
        self._order = 0
        self._mix: Float = np.zeros(0, np.float32)
        self._mix_from = 0  # ms from the start; on the grid of send_rate
        self._encoder = msgspec.json.Encoder()

    def feed(self, chunk: Chunk) -> None:
        """Take one line in. Raises TapeError for audio that cannot be decoded."""
        packed = chunk.line.packed
        key = (packed.user_id, packed.channel_id)
        voice = self._voices.get(key)
        if voice is None or packed.first:
            voice = self._voices[key] = _Voice(self._header, chunk, self._format)
        pcm = voice.feed(chunk)
        if self._format.mixed:
            self._add(voice, pcm)
        else:
            self._cut(voice, pcm, last=packed.last)
        if packed.last:
            del self._voices[key]

    def begin(self, at: int) -> None:
        """Mixed audio starts at this time (ms from the start), on the grid."""
        self._mix_from = max(0, at) // self._format.send_rate_ms * self._format.send_rate_ms

    def mix_to(self, read: int) -> None:
        """Every line up to ``read`` (ms from the start) was fed: mixes before it are complete."""
        if not self._format.mixed:
            return
        step, size = self._format.send_rate_ms, self._format.samples
        while self._mix_from + step + MIX_DELAY_MS <= read:
            frame = self._mix[:size]
            self._mix = self._mix[size:]
            if len(frame) < size:
                frame = np.concatenate([frame, np.zeros(size - len(frame), np.float32)])
            self._send(0, None, None, self._header.start_ms + self._mix_from, frame)
            self._mix_from += step

    def take(self, now: int) -> list[Sent]:
        """What is due by ``now`` (ms from the start), in order."""
        found = []
        while self._due and self._due[0][0] <= now:
            at, _, payload = heapq.heappop(self._due)
            found.append(Sent(at, payload))
        return found

    def next_at(self) -> int | None:
        """When the next message falls due, as far as is known."""
        return self._due[0][0] if self._due else None

    def _cut(self, voice: _Voice, pcm: Float, *, last: bool) -> None:
        size = self._format.samples
        pcm = np.concatenate([voice.rest, pcm])
        if last and len(pcm) % size:
            pcm = np.concatenate([pcm, np.zeros(-len(pcm) % size, np.float32)])
        user_id, channel_id = voice.key
        whole = len(pcm) // size * size
        for start in range(0, whole, size):
            name = self._names.get(voice.key) if user_id else None
            self._send(user_id, name, channel_id, voice.timestamp, pcm[start : start + size])
            voice.timestamp += self._format.send_rate_ms
        voice.rest = pcm[whole:]

    def _add(self, voice: _Voice, pcm: Float) -> None:
        before = voice.timestamp - self._header.start_ms - self._mix_from
        place = before * self._format.rate // 1000 + voice.heard
        voice.heard += len(pcm)
        if place < 0:  # earlier than the mix began
            pcm, place = pcm[-place:], 0
        short = place + len(pcm) - len(self._mix)
        if short > 0:
            self._mix = np.concatenate([self._mix, np.zeros(short, np.float32)])
        self._mix[place : place + len(pcm)] += pcm

    def _send(
        self, user_id: int, name: str | None, channel_id: str | None, timestamp: int, pcm: Float
    ) -> None:
        samples = np.clip(np.round(pcm * 32768), -32768, 32767).astype("<i2")
        if self._format.channels > 1:
            samples = np.repeat(samples, self._format.channels)
        data = samples.tobytes()
        content = _Content(
            user_id=user_id if channel_id is None else msgspec.UNSET,
            data=data,
            length=len(data),
            timestamp=timestamp,
            user_name=name if name else msgspec.UNSET,
            channel_id=channel_id if channel_id else msgspec.UNSET,
        )
        payload = self._encoder.encode(_AudioMessage(MessageType.MEDIA_DATA_AUDIO.value, content))
        at = timestamp + self._format.send_rate_ms - self._header.start_ms
        heapq.heappush(self._due, (at, self._order, payload))
        self._order += 1
