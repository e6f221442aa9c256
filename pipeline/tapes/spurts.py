"""Cuts packed audio on packet borders, with what a decoder needs to be right there. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from pipeline.tapes.codings import CodingTable
from pipeline.tapes.header import AudioCoding
from pipeline.tapes.lines import MAX_PACKETS, TapeAudio
from pipeline.tapes.people import Key, People

RUN_UP_MS: Final = 80
"""Of sound a decoder with memory needs before it is right (RFC 7845, section 4.6, for Opus)."""
_WITH_MEMORY: Final = ("opus", "g722")


class _Spurt:
    """One that is going on: its coding on the new tape, and its last packets before the start."""

    def __init__(self, coding: AudioCoding) -> None:
        most = -(-RUN_UP_MS // coding.packet_ms) if coding.codec in _WITH_MEMORY else 0
        self.coding = coding
        self.recent: deque[bytes] = deque(maxlen=most)
        self.cut = True


class Spurts:
    """Lines of packed audio in, those of the piece from ``start`` to ``end`` (ms) out."""

    def __init__(self, table: CodingTable, start: int, end: int | None) -> None:
        self._table = table
        self._start = start
        self._end = end
        self._going: dict[Key, _Spurt] = {}

    def before(self, line: TapeAudio, coding: AudioCoding) -> TapeAudio | None:
        """A line with ``t`` before the start; what of it lies after the start."""
        packed = line.packed
        spurt = self._spurt(line, coding)
        early = -(-(self._start - line.t) // coding.packet_ms)
        spurt.recent.extend(packed.packets[:early])
        if early < len(packed.packets):
            return self._led_in(line, spurt, early)
        if packed.last:
            del self._going[_key(line)]
        return None

    def inside(self, line: TapeAudio, coding: AudioCoding) -> TapeAudio:
        """A line with ``t`` at the start or after it, and before the end."""
        if line.packed.first or _key(line) not in self._going:
            spurt = self._spurt(line, coding)
            spurt.cut = False
        else:
            spurt = self._going[_key(line)]
        return self._led_in(line, spurt, 0)

    def _spurt(self, line: TapeAudio, coding: AudioCoding) -> _Spurt:
        key = _key(line)
        if line.packed.first or key not in self._going:
            self._going.pop(key, None)
            if len(self._going) >= People.MOST:
                del self._going[next(iter(self._going))]
            self._going[key] = _Spurt(coding)
        return self._going[key]

    def _led_in(self, line: TapeAudio, spurt: _Spurt, early: int) -> TapeAudio:
        packed, coding = line.packed, spurt.coding
        step = coding.packet_ms
        packets = packed.packets[early:]
        last = packed.last
        if self._end is not None and packets:
            here = line.t + early * step
            packets = packets[: -(-(self._end - here) // step)]
            last = last or line.t + len(packed.packets) * step >= self._end
        first = packed.first
        if spurt.cut:
            room = MAX_PACKETS - len(packets)
            recent = tuple(spurt.recent)[-room:] if room else ()
            samples = len(recent) * step * coding.sample_rate // 1000
            spurt.coding = msgspec.structs.replace(coding, skip=coding.skip + samples)
            spurt.cut = False
            packets = recent + packets
            first = True
        if last:
            self._going.pop(_key(line), None)
        return msgspec.structs.replace(
            line,
            t=max(0, line.t - self._start),
            packed=msgspec.structs.replace(
                packed,
                coding=self._table.place(spurt.coding),
                timestamp=packed.timestamp + early * step,
                first=first,
                last=last,
                packets=packets,
            ),
        )


def _key(line: TapeAudio) -> Key:
    return line.packed.user_id, line.packed.channel_id
