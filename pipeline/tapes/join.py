"""Several tapes one after the other as one meeting.

Later tapes are moved behind the earlier ones: every time in their messages by the same amount, so
that words keep their distances. The goodbye of all but the last and the opening of all but the
first are left out; two people with the same id get different ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.base.errors import BadInput, TapeError
from pipeline.tapes.codings import CodingTable
from pipeline.tapes.header import TapeHeader, TapeParticipant, Version
from pipeline.tapes.lines import Line, TapeAudio, TapeMessage
from pipeline.tapes.people import People
from pipeline.tapes.reader import TapeReader
from pipeline.tapes.state import MeetingState, is_goodbye, is_opening, left, wire_line
from pipeline.tapes.writer import QUICK, TapeWriter

PAUSE_MS: Final = 1_000
"""Between two tapes."""
_LONGEST_MS: Final = 48 * 3_600_000
_ID_STEP: Final = 1_024  # Zoom's ids lie so far apart
_TIMES: Final = ("timestamp", "start_time", "end_time", "event_ts")
_UNIX_MS: Final = (10**11, 10**14)


@dataclass
class _Part:
    """One of the tapes and where it comes to stand."""

    path: Path
    header: TapeHeader
    people: People
    table: CodingTable
    length: int
    at: int = 0
    """``t`` of its beginning on the new tape."""
    ids: dict[int, int] = field(default_factory=dict)
    """New ids of people whose own is taken."""

    def moved_by(self, first: TapeHeader) -> int:
        """What is added to its times, ms."""
        return first.start_ms + self.at - self.header.start_ms


def join(tapes: Sequence[Path], out: Path, *, tell: Callable[[int], None] | None = None) -> None:
    """Write ``tapes`` to ``out``; ``tell`` hears the ms written.

    Raises BadInput for fewer than two or different products, NotFound, TapeError, StorageError.
    """
    if len(tapes) < 2:
        raise BadInput("give two tapes or more to put together")
    for tape in tapes:
        if out.exists() and tape.exists() and out.samefile(tape):
            raise BadInput(f"{out} is one of the tapes; give another --out")
    parts = [_surveyed(path) for path in tapes]
    for part in parts[1:]:
        if part.header.product != parts[0].header.product:
            raise BadInput(
                f"{part.path} is of a {part.header.product}, {parts[0].path} of a"
                f" {parts[0].header.product}; one tape has one product"
            )
    _place(parts)
    table = CodingTable()
    for part in parts:
        for coding in part.table.entries():
            table.place(coding)
    with TapeWriter(out, _header(parts, table), level=QUICK) as made:
        for line in _lines(parts, table):
            made.write(line)
            if tell is not None:
                tell(line.t)


def _surveyed(path: Path) -> _Part:
    with TapeReader.open(path) as tape:
        part = _Part(path, tape.header, People(tape.header.participants), CodingTable(), 0)
        for line in tape:
            part.length = max(part.length, line.t)
            if isinstance(line, TapeAudio):
                coding = tape.audio[line.packed.coding]
                part.table.place(coding)
                part.people.audio(line.packed)
                long = len(line.packed.packets) * coding.packet_ms
                part.length = max(part.length, line.t + long)
            elif isinstance(line, TapeMessage) and line.sender == "server":
                message = _decoded(line, tape)
                if isinstance(message, dict):
                    part.people.message(message)
        if not tape.cut_off:
            part.length = max(part.length, min(tape.header.duration_ms or 0, _LONGEST_MS))
    return part


def _place(parts: Sequence[_Part]) -> None:
    """Times and ids of every part."""
    owners: dict[int, str] = {}
    at = 0
    for part in parts:
        part.at = at
        at += part.length + PAUSE_MS
        for (user_id, _), name in part.people.names.items():
            if user_id and owners.setdefault(user_id, name) != name:
                part.ids[user_id] = _free(owners, part.people, user_id)
                owners[part.ids[user_id]] = name


def _free(owners: dict[int, str], people: People, user_id: int) -> int:
    own = {taken for taken, _ in people.names}
    free = user_id
    while free in owners or free in own:
        free = (free + _ID_STEP) % (1 << 32) or 1
    return free


def _header(parts: Sequence[_Part], table: CodingTable) -> TapeHeader:
    first = parts[0].header
    version: Version = 2 if any(part.header.version == 2 for part in parts) else 1
    people: dict[tuple[int, str | None], TapeParticipant] = {}
    for part in parts:
        for person in part.people.participants():
            new = part.ids.get(person.user_id, person.user_id)
            key = (new, person.channel_id)
            people.setdefault(key, msgspec.structs.replace(person, user_id=new))
    thanks = dict.fromkeys(part.header.credits for part in parts if part.header.credits)
    return msgspec.structs.replace(
        first,
        version=table.version(version),
        duration_ms=parts[-1].at + parts[-1].length,
        participants=tuple(people.values()),
        audio=table.entries(),
        credits=" / ".join(thanks),
    )


def _lines(parts: Sequence[_Part], table: CodingTable) -> Iterator[Line]:
    first = parts[0].header
    state = MeetingState(first.product)
    for number, part in enumerate(parts):
        if number:
            coming = {part.ids.get(u, u) for u, _ in part.people.names}
            gone = [user for user in state.present if user not in coming]
            if gone:
                goodbye = left(first.start_ms + part.at, gone)
                state.see(goodbye)
                yield wire_line(part.at, goodbye)
        yield from _part_lines(part, parts, state, table)


def _part_lines(
    part: _Part, parts: Sequence[_Part], state: MeetingState, table: CodingTable
) -> Iterator[Line]:
    first, last = part is parts[0], part is parts[-1]
    by = part.moved_by(parts[0].header)
    with TapeReader.open(part.path) as tape:
        for line in tape:
            if isinstance(line, TapeAudio):
                packed = line.packed
                place = table.place(tape.audio[packed.coding])
                yield msgspec.structs.replace(
                    line,
                    t=line.t + part.at,
                    packed=msgspec.structs.replace(
                        packed,
                        coding=place,
                        user_id=part.ids.get(packed.user_id, packed.user_id),
                        timestamp=packed.timestamp + by,
                    ),
                )
                continue
            if not isinstance(line, TapeMessage):
                yield msgspec.structs.replace(line, t=line.t + part.at)
                continue
            message = _decoded(line, tape)
            if isinstance(message, dict) and line.sender == "server":
                if (not last and is_goodbye(message)) or (not first and is_opening(message)):
                    continue
                session = state.session
                if not first and session is not None and "rtms_session_id" in message:
                    message["rtms_session_id"] = session
                _moved(message, by, part.ids)
                state.see(message)
            elif isinstance(message, dict):
                _moved(message, by, part.ids)
            raw = bytes(line.msg) if first else msgspec.json.encode(message)
            yield msgspec.structs.replace(line, t=line.t + part.at, msg=msgspec.Raw(raw))


def _decoded(line: TapeMessage, tape: TapeReader) -> Any:
    try:
        return msgspec.json.decode(bytes(line.msg))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TapeError(f"{tape.place}: not a wire message ({error})") from error


def _moved(value: Any, by: int, ids: dict[int, int]) -> None:
    """Move every Unix time in ms and give people their new ids, in place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if type(inner) is not int:
                _moved(inner, by, ids)
            elif key in _TIMES and _UNIX_MS[0] <= inner < _UNIX_MS[1]:
                value[key] = inner + by
            elif key == "user_id":
                value[key] = ids.get(inner, inner)
    elif isinstance(value, list):
        for inner in value:
            _moved(inner, by, ids)
