"""What is on a tape, read through once."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from pipeline.base.errors import TapeError
from pipeline.tapes.lines import LostMark, TapeAudio
from pipeline.tapes.reader import TapeReader

_NAMES = {
    6: "events",
    8: "stream states",
    9: "session states",
    14: "audio",
    15: "video",
    16: "share",
    17: "transcript",
    18: "chat",
}


class Speech(msgspec.Struct, frozen=True):
    """A participant and how much sound of theirs is on the tape."""

    user_id: int
    user_name: str
    audio_ms: int


class Description(msgspec.Struct, frozen=True):
    """Facts about a tape; ``messages`` counts by kind, audio in packets."""

    file: str
    version: int
    bytes: int
    lines: int
    product: str
    id: str
    stream: str
    title: str
    zone: str
    start: str
    start_ms: int
    duration_ms: int
    participants: list[Speech]
    messages: dict[str, int]
    lost: list[LostMark]
    credits: str


class _Kind(msgspec.Struct):
    msg_type: int = 0


def describe(path: Path) -> Description:
    """Read the whole tape and check it on the way. Raises TapeError, NotFound."""
    kinds = msgspec.json.Decoder(_Kind)
    counts: Counter[str] = Counter()
    audio: Counter[int] = Counter()
    lost = []
    number = last = 0
    with TapeReader.open(path) as tape:
        header = tape.header
        for number, line in enumerate(tape, start=1):
            last = line.t
            if isinstance(line, LostMark):
                lost.append(line)
            elif isinstance(line, TapeAudio):
                packets = len(line.packed.packets)
                counts["audio"] += packets
                audio[line.packed.user_id] += packets * header.audio[line.packed.coding].packet_ms
            else:
                try:
                    kind = kinds.decode(bytes(line.msg)).msg_type
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise TapeError(f"{path}, line {number + 1}: {error}") from error
                counts[_NAMES.get(kind, f"type {kind}")] += 1
    return Description(
        file=str(path),
        version=header.version,
        bytes=path.stat().st_size,
        lines=number,
        product=header.product,
        id=header.id,
        stream=header.stream,
        title=header.title,
        zone=header.zone,
        start=_local(header.start_ms, header.zone),
        start_ms=header.start_ms,
        duration_ms=header.duration_ms if header.duration_ms is not None else last,
        participants=[
            Speech(p.user_id, p.user_name, audio[p.user_id]) for p in header.participants
        ],
        messages=dict(sorted(counts.items())),
        lost=lost,
        credits=header.credits,
    )


def _local(ms: int, zone: str) -> str:
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        place = ZoneInfo("UTC")
    return datetime.fromtimestamp(ms / 1000, place).isoformat(timespec="seconds")
