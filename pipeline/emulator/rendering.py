"""A tape's audio as the wire messages one audio format asks for. Pure; no clock.

Audio on the tape is decoded, resampled, cut and encoded anew, so every client gets the codec, rate,
channels, interval and layout it asked for, and the same tape gives the same messages. Packets that
are already what was asked for go out as they are.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
import numpy as np

from pipeline.emulator.lane import Sent
from pipeline.emulator.subscription import is_call
from pipeline.emulator.voice import AudioFormat, Chunk, Float, Voice, to_samples
from pipeline.rtms.enums import DataOption, MessageType
from pipeline.tapes.header import TapeHeader

__all__ = ["AudioFormat", "Chunk", "Rendering"]

MIX_DELAY_MS: Final = 1_600
"""How far the tape must be read past an interval before its mix is complete."""
_MOST_VOICES: Final = 512
"""Spurts open at a time; of more, the one not heard for longest is forgotten."""
_FURTHEST_MS: Final = 150_000
"""From when a line stands on the tape to what its timestamps say; wilder ones are not believed."""

MediaForm = Literal["object", "flat"]


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


class _FlatMessage(msgspec.Struct, omit_defaults=True):
    msg_type: int
    user_id: int | msgspec.UnsetType
    timestamp: int
    content: bytes
    user_name: str | msgspec.UnsetType = msgspec.UNSET
    channel_id: str | msgspec.UnsetType = msgspec.UNSET


_AUDIO: Final = MessageType.MEDIA_DATA_AUDIO.value


def _whole(content: _Content) -> msgspec.Struct:
    return _AudioMessage(_AUDIO, content)


def _flat(content: _Content) -> msgspec.Struct:
    return _FlatMessage(
        _AUDIO,
        content.user_id,
        content.timestamp,
        content.data,
        content.user_name,
        content.channel_id,
    )


def is_premixed(parameters: object) -> bool:
    """Whether a tape with these ``media_params`` holds mixed audio only."""
    audio = parameters.get("audio") if isinstance(parameters, dict) else None
    option = audio.get("data_opt") if isinstance(audio, dict) else None
    return bool(option == DataOption.AUDIO_MIXED_STREAM)


class Rendering:
    """Feed lines in the tape's order, take messages as they fall due."""

    def __init__(self, header: TapeHeader, wanted: AudioFormat, form: MediaForm = "object") -> None:
        self._start = header.start_ms
        self._format = wanted
        self._names = {(p.user_id, p.channel_id): p.user_name for p in header.participants} | {
            (p.user_id, None): p.user_name for p in header.participants
        }
        self._channels: dict[int, str] | None = None
        """For products that name streams by channel, those of people without one on the line."""
        if is_call(header.product):
            self._channels = {p.user_id: p.channel_id for p in header.participants if p.channel_id}
        self._voices: dict[tuple[int, str | None], Voice] = {}
        self._due: list[tuple[int, int, bytes]] = []
        self._order = 0
        self._premixed = is_premixed(dict(header.parameters))
        self._mix: Float = np.zeros((0, wanted.channels), np.float32)
        self._mix_from = 0  # ms from the start; on the grid of send_rate
        self._mix_encoder = wanted.encoder() if wanted.mixed else None
        self._message: Callable[[_Content], Any] = _whole if form == "object" else _flat
        self._encode = msgspec.json.Encoder().encode

    def feed(self, chunk: Chunk) -> None:
        """Take one line in. Raises TapeError for audio that cannot be decoded."""
        packed = chunk.line.packed
        key = (packed.user_id, packed.channel_id)
        if not packed.user_id and packed.channel_id is None:
            self._premixed = True
        mixes = self._format.mixed and not self._premixed
        if self._format.mixed and not mixes and packed.user_id:
            return  # the tape has a mix of its own, and this is in it
        voice = self._voices.pop(key, None)
        if voice is not None and packed.first:  # the end of its spurt is not on the tape
            self._cut_rest(voice, chunk)
            voice = None
        if voice is None:
            voice = Voice(chunk, self._format, mixes=mixes)
        if not packed.last:
            self._voices[key] = voice  # now the youngest
            if len(self._voices) > _MOST_VOICES:
                del self._voices[next(iter(self._voices))]
        if voice.passes:
            self._pass(voice, chunk)
        elif mixes:
            self._add(voice, voice.feed(chunk), chunk)
        else:
            self._cut(voice, chunk)

    def begin(self, at: int) -> None:
        """Mixed audio starts at this time (ms from the start), on the grid."""
        self._mix_from = max(0, at) // self._format.send_rate_ms * self._format.send_rate_ms

    def mix_to(self, read: int) -> None:
        """Every line up to ``read`` (ms from the start) was fed: mixes before it are complete."""
        if self._mix_encoder is None or self._premixed:
            return
        step, size = self._format.send_rate_ms, self._format.samples
        while self._mix_from + step + MIX_DELAY_MS <= read:
            frame = self._mix[:size]
            self._mix = self._mix[size:]
            if len(frame) < size:
                frame = _padded(frame, size)
            data = self._mix_encoder.encode(to_samples(frame))
            content = _Content(0, data, len(data), self._start + self._mix_from)
            self._send(content, 0, self._mix_from)
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

    def _pass(self, voice: Voice, chunk: Chunk) -> None:
        packed = chunk.line.packed
        timestamp = packed.timestamp + chunk.shift_ms
        late, line_at = self._late(chunk), chunk.line.t + chunk.shift_ms
        for packet in packed.packets:
            self._send(self._content(chunk, timestamp, packet), late, line_at)
            timestamp += voice.packet_ms

    def _cut(self, voice: Voice, chunk: Chunk) -> None:
        new = voice.feed(chunk)
        pcm = np.concatenate([voice.rest, new]) if len(voice.rest) else new
        if chunk.line.packed.last and len(pcm) % self._format.samples:
            pcm = _padded(pcm, len(pcm) + -len(pcm) % self._format.samples)
        self._send_whole(voice, chunk, pcm)

    def _cut_rest(self, voice: Voice, chunk: Chunk) -> None:
        if len(voice.rest):
            self._send_whole(voice, chunk, _padded(voice.rest, self._format.samples))

    def _send_whole(self, voice: Voice, chunk: Chunk, pcm: Float) -> None:
        """As many packets as are full; the rest waits."""
        assert voice.encoder is not None
        size = self._format.samples
        whole = len(pcm) // size * size
        samples = to_samples(pcm[:whole])
        late, line_at = self._late(chunk), chunk.line.t + chunk.shift_ms
        first_late = voice.late if len(voice.rest) else late
        for start in range(0, whole, size):
            data = voice.encoder.encode(samples[start : start + size])
            content = self._content(chunk, voice.timestamp, data)
            self._send(content, late if start else first_late, line_at)
            voice.timestamp += self._format.send_rate_ms
        voice.late = late if whole or not len(voice.rest) else voice.late
        voice.rest = pcm[whole:]

    def _late(self, chunk: Chunk) -> int:
        """How long after it was spoken a line's sound came; 0 on a made tape."""
        packed = chunk.line.packed
        return max(0, chunk.line.t - (packed.timestamp - self._start))

    def _add(self, voice: Voice, pcm: Float, chunk: Chunk) -> None:
        before = voice.timestamp - self._start - self._mix_from
        place = before * self._format.rate // 1000 + voice.heard
        voice.heard += len(pcm)
        if place < 0:  # earlier than the mix began
            pcm, place = pcm[-place:], 0
        room = (chunk.line.t + chunk.shift_ms + _FURTHEST_MS - self._mix_from) * self._format.rate
        if place + len(pcm) > room // 1000:
            return
        if place + len(pcm) > len(self._mix):
            self._mix = _padded(self._mix, place + len(pcm))
        self._mix[place : place + len(pcm)] += pcm

    def _content(self, chunk: Chunk, timestamp: int, data: bytes) -> _Content:
        packed = chunk.line.packed
        user, channel = packed.user_id, packed.channel_id
        name = packed.user_name or self._names.get((user, channel)) if user else None
        if self._channels is not None and channel is None and user:
            channel = self._channels.get(user, str(user))
        return _Content(
            user_id=user if channel is None else msgspec.UNSET,
            data=data,
            length=len(data),
            timestamp=timestamp,
            user_name=name or msgspec.UNSET,
            channel_id=channel or msgspec.UNSET,
        )

    def _send(self, content: _Content, late: int, line_at: int) -> None:
        """Due when its sound is over or, on a live tape, as late after it as it came."""
        payload = self._encode(self._message(content))
        at = content.timestamp - self._start + max(self._format.send_rate_ms, late)
        heapq.heappush(self._due, (min(at, line_at + _FURTHEST_MS), self._order, payload))
        self._order += 1


def _padded(pcm: Float, length: int) -> Float:
    """With silence at the end."""
    more = np.zeros((length - len(pcm), pcm.shape[1]), np.float32)
    return np.concatenate([pcm, more])
