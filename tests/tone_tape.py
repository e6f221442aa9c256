"""A short tape whose every sample is known: several voices, each a tone of its own.

The sound stands on the tape as plain L16 (version 2), so what a client that asks for L16 must hear
can be worked out without any of the emulator's code (``heard``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import soxr
from numpy.typing import NDArray

from pipeline.audio.codecs import encoder
from pipeline.model.events import Product
from pipeline.tapes.header import AudioCoding, TapeHeader, TapeParticipant
from pipeline.tapes.lines import Line, Packed, SocketName, TapeAudio, TapeMessage
from pipeline.tapes.writer import TapeWriter

START_MS: Final = 1_790_000_000_000
RATE: Final = 16_000
STREAM: Final = "5d1c0a7e9b3f4c6287aa51f0c2d9e4b1"
SESSION: Final = "0f5e3c7a91b24d6688ac10fe32ba4477"
ZOOM_ID: Final = "Zk9PqT2hRZyQ0Lr8s1uVwA=="
_PACKET_MS: Final = 20
_A_LINE: Final = 25
_VOICED: Final = ("contact_center", "phone")

Pcm = NDArray[np.int16]


class Person(NamedTuple):
    """Somebody with a voice of one pitch."""

    user_id: int
    name: str
    hertz: float


ADA: Final = Person(16_778_240, "Ada Lovelace", 443.0)
BOB: Final = Person(16_779_264, "Bob Żółć", 661.0)
CLEO: Final = Person(16_780_288, "Cleo 真理", 307.0)
"""Speaks all the time, so that every hole is in the middle of words."""
PEOPLE: Final = (ADA, BOB, CLEO)


class Spurt(NamedTuple):
    """Sound without a break. Times are ms from the start of the tape."""

    who: Person
    at: int
    ms: int

    @property
    def pcm(self) -> Pcm:
        """16 kHz mono: the tone, rising by a third so that no two packets are alike."""
        t = np.arange(self.ms * RATE // 1000) / RATE
        phase = 2 * np.pi * self.who.hertz * (t + t * t / (3 * max(t[-1], 1e-3)) / 2)
        return np.round(np.sin(phase) * (4_000 + self.who.hertz * 4)).astype(np.int16)


class Packet(NamedTuple):
    """One audio message as the client must get it. ``user_id`` None: mixed."""

    user_id: int | None
    timestamp_ms: int
    data: bytes


@dataclass
class ToneTape:
    """What is on it. ``said``: (who, start, end, text); ``extra``: more messages (t, socket, msg).

    ``end_ms`` None: the tape does not say how the stream ends.
    """

    product: Product = "meeting"
    spurts: Sequence[Spurt] = ()
    said: Sequence[tuple[Person, int, int, str]] = ()
    extra: Sequence[tuple[int, SocketName, dict[str, Any]]] = ()
    end_ms: int | None = None
    reason: int = 6
    path: Path = field(default=Path(), init=False)

    def write(self, path: Path) -> ToneTape:
        """Make the file; returns itself, with its ``path``."""
        header = TapeHeader(
            version=2,
            product=self.product,
            id=ZOOM_ID,
            stream=STREAM,
            title="Tones",
            start_ms=START_MS,
            participants=tuple(
                TapeParticipant(user_id=p.user_id, user_name=p.name, channel_id=self._channel(p))
                for p in PEOPLE
            ),
            audio=(AudioCoding(codec="l16", sample_rate=RATE, packet_ms=_PACKET_MS),),
        )
        with TapeWriter(path, header, level=3) as tape:
            for line in sorted(self._lines(), key=lambda line: line.t):
                tape.write(line)
        self.path = path
        return self

    def _lines(self) -> Iterator[Line]:
        yield self._state(0, 9, rtms_session_id=SESSION, state=2, reason=0, stop_reason=0)
        yield self._state(0, 8, state=1, reason=0)
        if self.product not in _VOICED:
            people = [{"user_id": p.user_id, "user_name": p.name} for p in PEOPLE]
            yield self._event(0, 3, participants=people)
        for spurt in self.spurts:
            yield from self._audio(spurt)
        for who, start, end, text in self.said:
            content = {
                **self._who(who),
                "start_time": START_MS + start,
                "end_time": START_MS + end,
                "timestamp": START_MS + end,
                "language": 9,
                "attribute": 1,
                "data": text,
            }
            yield message(end + 50, "transcript", {"msg_type": 17, "content": content})
        for t, socket, msg in self.extra:
            yield message(t, socket, msg)
        if self.end_ms is not None:
            reason = self.reason
            stopped = {"rtms_session_id": SESSION, "stop_reason": reason}
            yield self._state(self.end_ms, 9, state=5, reason=reason, **stopped)
            yield self._state(self.end_ms, 8, state=4, reason=reason)

    def _audio(self, spurt: Spurt) -> Iterator[Line]:
        size = RATE * _PACKET_MS // 1000
        pcm = spurt.pcm
        packets = [pcm[n : n + size].astype("<i2").tobytes() for n in range(0, len(pcm), size)]
        for number in range(0, len(packets), _A_LINE):
            at = spurt.at + number * _PACKET_MS
            yield TapeAudio(
                t=at,
                packed=Packed(
                    user_id=spurt.who.user_id,
                    user_name=spurt.who.name,
                    channel_id=self._channel(spurt.who),
                    timestamp=START_MS + at,
                    first=number == 0,
                    last=number + _A_LINE >= len(packets),
                    packets=tuple(packets[number : number + _A_LINE]),
                ),
            )

    def _channel(self, who: Person) -> str | None:
        return str(who.user_id) if self.product in _VOICED else None

    def _who(self, who: Person) -> dict[str, Any]:
        channel = self._channel(who)
        named = {"user_id": who.user_id} if channel is None else {"channel_id": channel}
        return {**named, "user_name": who.name}

    def _state(self, t: int, kind: int, **fields: Any) -> Line:
        return message(t, "signaling", {"msg_type": kind, "timestamp": START_MS + t, **fields})

    def _event(self, t: int, kind: int, **fields: Any) -> Line:
        return message(t, "signaling", event(t, kind, **fields))

    # -- what must be heard ------------------------------------------------------------------

    def heard(
        self, rate: int, channels: int, every_ms: int, *, codec: str = "L16", mixed: bool = False
    ) -> list[Packet]:
        """Every packet of the whole tape, by time and speaker. L16 is worked out from the tones;
        other codecs by an encoder of ours per spurt."""
        found = (
            self._mixed(rate, channels, every_ms)
            if mixed
            else self._single(rate, channels, every_ms, codec)
        )
        return sorted(found, key=lambda p: (p.timestamp_ms, p.user_id or 0))

    def _single(self, rate: int, channels: int, every_ms: int, codec: str) -> Iterator[Packet]:
        size = rate * every_ms // 1000
        for spurt in self.spurts:
            sound = _at_rate(spurt.pcm, rate)
            sound = np.concatenate([sound, np.zeros(-len(sound) % size, np.float32)])
            coder = encoder(codec, rate, channels)
            for n in range(0, len(sound), size):
                at = START_MS + spurt.at + n // size * every_ms
                data = coder.encode(_samples(sound[n : n + size], channels))
                yield Packet(spurt.who.user_id, at, data)

    def _mixed(self, rate: int, channels: int, every_ms: int) -> Iterator[Packet]:
        size = rate * every_ms // 1000
        end = self.end_ms or max(spurt.at + spurt.ms for spurt in self.spurts)
        mix = np.zeros(end // every_ms * size, np.float32)
        for spurt in self.spurts:
            sound = _at_rate(spurt.pcm, rate)
            place = spurt.at * rate // 1000
            mix[place : place + len(sound)] += sound[: len(mix) - place]
        for n in range(0, len(mix), size):
            at = START_MS + n // size * every_ms
            yield Packet(None, at, _samples(mix[n : n + size], channels).tobytes())


def message(t: int, socket: SocketName, msg: dict[str, Any]) -> Line:
    """A line of the tape."""
    return TapeMessage(t=t, socket=socket, msg=msgspec.Raw(msgspec.json.encode(msg)))


def event(t: int, kind: int, **fields: Any) -> dict[str, Any]:
    """Message 6."""
    return {"msg_type": 6, "event": {"event_type": kind, "timestamp": START_MS + t, **fields}}


def _at_rate(pcm: Pcm, rate: int) -> NDArray[np.float32]:
    sound = pcm.astype(np.float32) / np.float32(32768)
    if rate == RATE:
        return sound
    # The stream form, in one piece: soxr's two forms differ by rounding in the last bit.
    found: NDArray[np.float32] = soxr.ResampleStream(RATE, rate, 1, dtype="float32").resample_chunk(
        sound, last=True
    )
    return found


def _samples(sound: NDArray[np.float32], channels: int) -> Pcm:
    """(frames, channels), little-endian as on the wire."""
    samples = np.clip(np.round(sound * 32768), -32768, 32767).astype("<i2")
    return np.repeat(samples, channels).reshape(-1, channels)
