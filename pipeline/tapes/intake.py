"""From the frames of a live stream to the lines of a tape. Pure: no clock, no file.

The time of a line is the highest time the server has stated so far: meeting time, right at any
speed, and the same whenever the same frames are taken in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast, get_args

import msgspec

from pipeline.tapes.flac import FlacEncoder
from pipeline.tapes.header import AudioCoding
from pipeline.tapes.lines import (
    BackMark,
    CodingMark,
    Line,
    LostMark,
    MissingMark,
    Packed,
    SocketName,
    TapeAudio,
    TapeMessage,
)
from pipeline.tapes.reader import MAX_CODINGS, MAX_LINE
from pipeline.tapes.redaction import Redactor
from pipeline.tapes.wire_audio import WireAudio, WireFormat, fits, packed, time_of, wire_audio

Sender = Literal["server", "client"]
SOCKETS: Final[tuple[SocketName, ...]] = get_args(SocketName)

LINE_MS: Final = 1_000
"""Of sound at most on one line, and of meeting time that a line is held open."""
_LINE_PACKETS: Final = 50
_SILENT_MS: Final = 1_500
"""Of meeting time without a packet, after which a spurt is over."""
_MOST_VOICES: Final = 1_024
_MOST_HELD: Final = 4 << 20
"""Bytes of packed audio in lines that are held open."""
_LONGEST_MEETING_MS: Final = 48 * 3_600_000
_LARGEST: Final = MAX_LINE - 4_096

_AUDIO, _MESSAGE_4, _MESSAGE_3, _MESSAGE_8, _EVENT = 14, 4, 3, 8, 6
_INTERRUPTED, _TERMINATED = 7, 4
_BITS: Final = {"audio": 1, "video": 2, "deskshare": 4, "transcript": 8, "chat": 16}
"""Of ``media_type`` (reference section 6)."""


class _Peek(msgspec.Struct):
    msg_type: int = -1


_PEEK: Final = msgspec.json.Decoder(_Peek)


@dataclass
class _Run:
    """A line of packed audio that is not finished yet."""

    t: int
    wire: WireAudio
    coding: int
    first: bool
    last: bool = False
    open: bool = True
    length: float = 0.0
    packets: list[bytes] = field(default_factory=list)

    def line(self) -> TapeAudio:
        wire = self.wire
        return TapeAudio(
            t=self.t,
            packed=Packed(
                coding=self.coding,
                user_id=wire.user_id,
                user_name=wire.user_name,
                channel_id=wire.channel_id,
                timestamp=wire.timestamp,
                first=self.first,
                last=self.last,
                packets=tuple(self.packets),
            ),
        )


@dataclass
class _Voice:
    """One participant's spurt: where it stands, and the line it is being written to."""

    run: _Run
    wire: WireFormat
    ends: float
    """Unix ms after its last packet."""
    heard: int
    """``t`` of its last packet."""


class Intake:
    """``take`` frames in, ``ready`` gives lines in order of ``t``."""

    def __init__(
        self, *, start_ms: int, audio: Iterable[AudioCoding] = (), secrets: Iterable[str] = ()
    ) -> None:
        self._start = start_ms
        self._codings = list(audio)
        self._redactor = Redactor(secrets)
        self._flac = FlacEncoder()
        self._held: deque[_Run | Line | CodingMark] = deque()
        self._held_bytes = 0
        self._voices: dict[tuple[int, str | None], _Voice] = {}
        self._formats: dict[str, WireFormat] = {}
        self._up: set[str] = set()
        self._over = False  # the stream was terminated: what closes now is not lost
        self._lost: set[str] = set()
        self._names: dict[str, str] = {}
        self._looked = 0
        self.t = 0
        """Where the tape stands, ms from its start."""
        self.missing = 0
        """Frames that came and are not on the tape."""

    def take(self, socket: str, sender: Sender, frame: bytes) -> None:
        """One frame as it was on the wire."""
        if socket not in SOCKETS:
            return self.miss(1, "unreadable")
        if len(frame) > _LARGEST:
            return self.miss(1, "too_large")
        try:
            kind = _PEEK.decode(frame).msg_type
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            kind = -1
        if kind == _AUDIO and sender == "server" and self._audio(socket, frame):
            return None
        return self._message(socket, sender, frame)

    def lost(self, socket: str, close: Literal["abrupt", "frame"] = "abrupt") -> None:
        """A socket is gone unasked; signaling takes all media with it (reference section 15)."""
        media = "all" if socket == "signaling" else socket
        if media not in SOCKETS or media in self._lost or self._over:
            return
        self._lost.add(media)
        if media == "all":
            self._end_spurts(before=None)
        self._held.append(LostMark(t=self.t, media=cast(Any, media), ms=0, close=close))

    def miss(self, frames: int, cause: Literal["overflow", "unreadable", "too_large"]) -> None:
        """Frames that came here are not on the tape."""
        self.missing += frames
        newest = self._held[-1] if self._held else None
        if isinstance(newest, MissingMark) and newest.cause == cause:
            frames += newest.frames
            self._held.pop()
        self._held.append(MissingMark(t=self.t, frames=frames, cause=cause))

    def ready(self, *, everything: bool = False) -> list[Line | CodingMark]:
        """The lines that are finished; ``everything``: finish all of them now."""
        found: list[Line | CodingMark] = []
        force = everything or self._held_bytes > _MOST_HELD
        while self._held:
            front = self._held[0]
            if isinstance(front, _Run):
                if front.open and not force and self.t - front.t < LINE_MS:
                    break
                front.open = False
                self._held_bytes -= sum(map(len, front.packets))
                found.append(front.line())
            else:
                found.append(front)
            self._held.popleft()
        return found

    def finish(self) -> list[Line | CodingMark]:
        """The rest; every spurt is over."""
        self._end_spurts(before=None)
        return self.ready(everything=True)

    # -- messages -----------------------------------------------------------------------

    def _message(self, socket: SocketName, sender: Sender, frame: bytes) -> None:
        try:
            message = msgspec.json.decode(frame)
            if not isinstance(message, dict):
                return self.miss(1, "unreadable")
            if sender == "server":
                self._move(time_of(message))
            raw = msgspec.json.encode(self._redactor.message(message))
        except (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError):
            return self.miss(1, "unreadable")
        if len(raw) > _LARGEST:
            return self.miss(1, "too_large")
        self._held.append(TapeMessage(t=self.t, socket=socket, sender=sender, msg=msgspec.Raw(raw)))
        return self._handshake(socket, sender, message)

    def _handshake(self, socket: SocketName, sender: Sender, message: dict[str, Any]) -> None:
        kind = message.get("msg_type")
        if sender == "client" and kind == _MESSAGE_3:
            if socket in self._up and not {socket, "all"} & self._lost:
                self.lost(socket)  # nobody told, but who is connected does not ask again
        elif sender == "server" and kind == _MESSAGE_4 and message.get("status_code", 0) == 0:
            self._up.add(socket)
            params = message.get("media_params")
            audio = params.get("audio") if isinstance(params, dict) else None
            wire = WireFormat.of(audio)
            if wire is not None:
                self._formats[socket] = wire
            for media in sorted({socket, "all"} & self._lost):
                self._lost.discard(media)
                self._held.append(BackMark(t=self.t, media=cast(Any, media)))
        elif sender == "server" and kind == _MESSAGE_8 and message.get("state") == _TERMINATED:
            self._over = True
        elif sender == "server" and kind == _EVENT:
            self._interrupted(message.get("event"))

    def _interrupted(self, event: Any) -> None:
        """Event 7: the server knows of a loss before anybody else (reference section 10.1)."""
        if not isinstance(event, dict) or event.get("event_type") != _INTERRUPTED:
            return
        bits = event.get("media_type")
        for socket in sorted(self._up - {"signaling"}):
            if socket == "all" or (isinstance(bits, int) and bits & _BITS[socket]):
                self.lost(socket)

    def _move(self, time: int | None) -> None:
        if time is None:
            return
        t = time - self._start
        if self.t < t <= _LONGEST_MEETING_MS:
            self.t = t
            if t - self._looked >= _SILENT_MS // 2:
                self._looked = t
                self._end_spurts(before=t - _SILENT_MS)

    # -- audio --------------------------------------------------------------------------

    def _audio(self, socket: SocketName, frame: bytes) -> bool:
        """Pack a message 14; False when it must stand as it is."""
        wire = self._formats.get(socket)
        packet = wire_audio(frame)
        samples = None if wire is None or packet is None else wire.samples(packet.data)
        if wire is None or packet is None or samples is None:
            return False
        key = (packet.user_id, packet.channel_id)
        voice = self._voices.get(key)
        if voice is None and len(self._voices) >= _MOST_VOICES:
            return False
        coding = self._coding_of(wire, samples)
        if coding is None:
            return False
        self._move(packet.timestamp)
        packet = packet._replace(
            user_name=self._name(packet.user_name), channel_id=self._name(packet.channel_id)
        )
        room = self._codings[coding].packet_ms
        voice = self._voices.get(key)  # it may have ended meanwhile
        off = 0.0 if voice is None else packet.timestamp - voice.ends
        if voice is None or voice.wire != wire or voice.run.coding != coding or abs(off) >= room:
            if voice is not None:
                self._end(key)
            voice = self._begin(key, packet, coding, wire)
        elif off or self._full(voice.run) or packet.user_name != voice.run.wire.user_name:
            self._go_on(voice, packet)
        run = voice.run
        data = packed(self._flac, packet.data, wire, self._codings[coding])
        run.packets.append(data)
        self._held_bytes += len(data)
        run.length += samples * 1000 / wire.sample_rate
        voice.ends = run.wire.timestamp + run.length
        voice.heard = self.t
        return True

    def _begin(
        self, key: tuple[int, str | None], packet: WireAudio, coding: int, wire: WireFormat
    ) -> _Voice:
        run = _Run(self.t, packet, coding, first=True)
        self._held.append(run)
        voice = _Voice(run, wire, packet.timestamp, self.t)
        self._voices[key] = voice
        return voice

    def _go_on(self, voice: _Voice, packet: WireAudio) -> None:
        voice.run.open = False
        voice.run = _Run(self.t, packet, voice.run.coding, first=False)
        self._held.append(voice.run)

    @staticmethod
    def _full(run: _Run) -> bool:
        return not run.open or run.length >= LINE_MS or len(run.packets) >= _LINE_PACKETS

    def _end_spurts(self, before: int | None) -> None:
        over = [k for k, v in self._voices.items() if before is None or v.heard < before]
        for key in over:
            self._end(key)

    def _end(self, key: tuple[int, str | None]) -> None:
        voice = self._voices.pop(key)
        if not voice.run.open:  # written already: say it on a line of its own
            packet = voice.run.wire._replace(timestamp=round(voice.ends))
            voice.run = _Run(self.t, packet, voice.run.coding, first=False)
            self._held.append(voice.run)
        voice.run.last = True
        voice.run.open = False

    def _coding_of(self, wire: WireFormat, samples: int) -> int | None:
        fitting = [
            (coding.packet_ms, number)
            for number, coding in enumerate(self._codings)
            if fits(coding, wire, samples)
        ]
        if fitting:
            return min(fitting)[1]
        if len(self._codings) >= MAX_CODINGS:
            return None
        coding = wire.coding(samples)
        if coding is None or not fits(coding, wire, samples):
            return None
        self._codings.append(coding)
        self._held.append(CodingMark(t=self.t, coding=coding))
        return len(self._codings) - 1

    def _name(self, name: str | None) -> str | None:
        if name is None:
            return None
        if name not in self._names:
            if len(self._names) >= _MOST_VOICES:
                self._names.clear()
            self._names[name] = self._redactor.text(name)
        return self._names[name]
