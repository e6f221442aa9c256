"""What is on a tape, read through once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from pipeline.base.errors import TapeError
from pipeline.tapes.header import TapeHeader
from pipeline.tapes.lines import BackMark, Line, LostMark, MissingMark, Packed, TapeAudio
from pipeline.tapes.people import People
from pipeline.tapes.reader import TapeReader

MOST_LOST: Final = 1_000
"""Losses that are listed one by one."""

_NAMES: Final = {
    1: "handshakes",
    2: "handshakes",
    3: "handshakes",
    4: "handshakes",
    5: "subscriptions",
    6: "events",
    7: "ready",
    8: "stream states",
    9: "session states",
    10: "state queries",
    11: "state queries",
    12: "keep-alives",
    13: "keep-alives",
    14: "audio",
    15: "video",
    16: "share",
    17: "transcript",
    18: "chat",
    19: "state queries",
    20: "state queries",
    21: "goodbyes",
    22: "goodbyes",
    23: "audio metadata",
    28: "video subscriptions",
    29: "video subscriptions",
}


class Speech(msgspec.Struct, frozen=True):
    """A participant and how much sound of theirs is on the tape; ``user_id`` 0 is the mix."""

    user_id: int
    user_name: str
    audio_ms: int
    channel_id: str | None = None


class Coded(msgspec.Struct, frozen=True):
    """How much of the audio stands in one coding."""

    codec: str
    sample_rate: int
    channels: int
    packet_ms: int
    packets: int


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about a tape; ``messages`` counts by kind, audio in packets.

    ``cut_off``: its writer was killed; what is told is of the whole lines. ``missing``: frames the
    recorder could not keep, by cause. A loss that was recorded has the time until the return in
    ``ms``. ``more_lost`` counts losses beyond the ones listed.
    """

    file: str
    version: int
    bytes: int
    lines: int
    cut_off: bool
    product: str
    id: str
    stream: str
    title: str
    zone: str
    start: str
    start_ms: int
    duration_ms: int
    participants: list[Speech]
    audio: list[Coded]
    messages: dict[str, int]
    lost: list[LostMark]
    more_lost: int
    missing: dict[str, int]
    credits: str


def describe(path: Path, *, tell: Callable[[int], None] | None = None) -> Description:
    """Read the whole tape and check it on the way; ``tell`` hears the ms read so far.

    Raises TapeError, NotFound.
    """
    with TapeReader.open(path) as tape:
        count = _Count(tape.header)
        for line in tape:
            try:
                count.line(line, tape)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise TapeError(f"{tape.place}: not a wire message ({error})") from error
            if tell is not None:
                tell(line.t)
        header, cut_off = tape.header, tape.cut_off
        table = list(tape.audio)
    return Description(
        file=str(path),
        version=header.version,
        bytes=path.stat().st_size,
        lines=count.lines,
        cut_off=cut_off,
        product=header.product,
        id=header.id,
        stream=header.stream,
        title=header.title,
        zone=header.zone,
        start=_local(header.start_ms, header.zone),
        start_ms=header.start_ms,
        duration_ms=count.last if cut_off or header.duration_ms is None else header.duration_ms,
        participants=count.speech(),
        audio=[
            Coded(c.codec, c.sample_rate, c.channels, c.packet_ms, count.packets[place])
            for place, c in enumerate(table)
            if count.packets[place]
        ],
        messages=dict(sorted(count.messages.items())),
        lost=count.lost,
        more_lost=count.more_lost,
        missing=dict(sorted(count.missing.items())),
        credits=header.credits,
    )


class _Count:
    """What the lines add up to."""

    def __init__(self, header: TapeHeader) -> None:
        self.people = People(header.participants)
        self.messages: Counter[str] = Counter()
        self.packets: Counter[int] = Counter()
        self.sound: Counter[tuple[int, str | None]] = Counter()
        self.missing: Counter[str] = Counter()
        self.lost: list[LostMark] = []
        self.more_lost = 0
        self.last = 0
        self.lines = 0

    def line(self, line: Line, tape: TapeReader) -> None:
        """Count one line in."""
        self.lines += 1
        self.last = max(self.last, line.t)
        if isinstance(line, TapeAudio):
            self._audio(line.t, line.packed, tape.audio[line.packed.coding].packet_ms)
        elif isinstance(line, LostMark):
            if len(self.lost) < MOST_LOST:
                self.lost.append(line)
            else:
                self.more_lost += 1
        elif isinstance(line, BackMark):
            self._back(line)
        elif isinstance(line, MissingMark):
            self.missing[line.cause] += line.frames
        else:
            message: Any = msgspec.json.decode(bytes(line.msg))
            kind = message.get("msg_type") if isinstance(message, dict) else None
            self.messages[_name(kind)] += 1
            if line.sender == "server" and isinstance(message, dict):
                self.people.message(message)

    def speech(self) -> list[Speech]:
        """Everybody, with their sound; the mix last."""
        rows = [
            Speech(user_id, name, self.sound.pop((user_id, channel), 0), channel)
            for (user_id, channel), name in self.people.names.items()
        ]
        rest = sorted(self.sound.items(), key=str)
        return rows + [Speech(key[0], "", ms, key[1]) for key, ms in rest]

    def _audio(self, t: int, packed: Packed, packet_ms: int) -> None:
        count = len(packed.packets)
        key = (packed.user_id, packed.channel_id)
        self.people.audio(packed)
        if key in self.people.names or key in self.sound or len(self.sound) < People.MOST:
            self.sound[key] += count * packet_ms
        self.packets[packed.coding] += count
        self.messages["audio"] += count
        self.last = max(self.last, t + count * packet_ms)

    def _back(self, line: BackMark) -> None:
        for place in range(len(self.lost) - 1, -1, -1):
            mark = self.lost[place]
            if mark.media == line.media:
                if mark.ms == 0:
                    self.lost[place] = msgspec.structs.replace(mark, ms=line.t - mark.t)
                return


def _name(kind: object) -> str:
    if type(kind) is not int:
        return "other"
    return _NAMES.get(kind) or (f"type {kind}" if 0 <= kind < 100 else "other")


def _local(ms: int, zone: str) -> str:
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        place = ZoneInfo("UTC")
    try:
        return datetime.fromtimestamp(ms / 1000, place).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC).isoformat(timespec="seconds")
