"""A piece of a tape as a tape of its own; also what mends one that was cut off.

The tape is gone through twice, first to know who is on the piece and how its audio is packed, so
that memory does not grow with its length.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from pipeline.base.errors import BadInput, TapeError
from pipeline.tapes.codings import CodingTable
from pipeline.tapes.header import TapeHeader
from pipeline.tapes.lines import Line, LostMark, TapeAudio, TapeMessage
from pipeline.tapes.people import People
from pipeline.tapes.reader import TapeReader
from pipeline.tapes.spurts import Spurts
from pipeline.tapes.state import MeetingState, wire_line
from pipeline.tapes.writer import QUICK, TapeWriter

Tell = Callable[[int], None]
"""Hears how many ms of tape were gone through, of both passes."""


def cut(
    tape: Path, out: Path, *, start_ms: int = 0, end_ms: int | None = None, tell: Tell | None = None
) -> None:
    """Write the lines with ``start_ms <= t < end_ms`` (from the tape's start) to ``out``.

    Who is present and how the session stands is said first. Audio is cut on packet borders; where
    that is inside a spurt, earlier packets go before as run-up for the decoder. Times in messages
    stay as they are. Raises NotFound, TapeError, BadInput for an empty piece, StorageError.
    """
    if start_ms < 0 or (end_ms is not None and end_ms <= start_ms):
        raise BadInput(f"nothing lies between {start_ms / 1000:g} s and {(end_ms or 0) / 1000:g} s")
    _differs(tape, out)
    piece = _Piece(tape, start_ms, end_ms)
    facts = _Facts(piece)
    for line in piece.lines(facts.table):
        facts.line(line)
        _told(tell, line.t)
    if piece.length <= start_ms:
        raise BadInput(f"{tape}: is only {piece.length / 1000:g} s long")
    with TapeWriter(out, facts.header(), level=QUICK) as made:
        for line in piece.lines(facts.table):
            made.write(line)
            _told(tell, facts.last + line.t)


def _told(tell: Tell | None, ms: int) -> None:
    if tell is not None:
        tell(ms)


def _differs(tape: Path, out: Path) -> None:
    if out.exists() and tape.exists() and out.samefile(tape):
        raise BadInput(f"{out} is the tape itself; give another --out")


class _Facts:
    """The header of the piece, from its lines."""

    def __init__(self, piece: _Piece) -> None:
        self._piece = piece
        self.table = CodingTable()
        self._people = People()
        self._parameters: Any = {}
        self.last = 0

    def line(self, line: Line) -> None:
        self.last = max(self.last, line.t)
        if isinstance(line, TapeAudio):
            self._people.audio(line.packed)
            coding = self.table.entries()[line.packed.coding]
            self.last = max(self.last, line.t + len(line.packed.packets) * coding.packet_ms)
        elif isinstance(line, TapeMessage) and line.sender == "server":
            message = msgspec.json.decode(bytes(line.msg))
            if isinstance(message, dict):
                self._people.message(message)

    def header(self) -> TapeHeader:
        whole = self._piece.header
        named = {(p.user_id, p.channel_id): p.user_name for p in whole.participants}
        return msgspec.structs.replace(
            whole,
            version=self.table.version(whole.version),
            start_ms=whole.start_ms + self._piece.start,
            duration_ms=max(self.last, self._piece.duration),
            participants=tuple(
                msgspec.structs.replace(
                    p, user_name=p.user_name or named.get((p.user_id, p.channel_id), "")
                )
                for p in self._people.participants()
            ),
            parameters=self._piece.parameters or whole.parameters,
            audio=self.table.entries(),
        )


class _Piece:
    """The lines of a piece, as often as they are asked for."""

    def __init__(self, path: Path, start: int, end: int | None) -> None:
        self._path = path
        self.start = start
        self._end = end
        with TapeReader.open(path) as tape:
            self.header = tape.header
        self.parameters: dict[str, Any] = {}
        """The last ``media_params`` of a message 4 before the end of the piece."""
        self.length = 0
        """Of the tape, as far as it was read."""

    @property
    def duration(self) -> int:
        """Of the piece, with its silence."""
        end = self.length if self._end is None else min(self._end, self.length)
        return end - self.start

    def lines(self, table: CodingTable) -> Iterator[Line]:
        """Moved to begin at 0."""
        spurts = Spurts(table, self.start, self._end)
        with TapeReader.open(self._path) as tape:
            lines = iter(tape)
            following = None
            if self.start:
                following = yield from self._before(tape, lines, spurts)
            for line in chain(() if following is None else (following,), lines):
                self._reach(line, tape)
                if self._end is not None and line.t >= self._end:
                    return
                if isinstance(line, TapeAudio):
                    yield spurts.inside(line, tape.audio[line.packed.coding])
                    continue
                if isinstance(line, TapeMessage):
                    self._see(line, tape)
                elif isinstance(line, LostMark) and self._end is not None:
                    line = msgspec.structs.replace(line, ms=min(line.ms, self._end - line.t))
                yield msgspec.structs.replace(line, t=line.t - self.start)

    def _before(
        self, tape: TapeReader, lines: Iterator[Line], spurts: Spurts
    ) -> Generator[Line, None, Line | None]:
        """Read up to the start and say what must be known there; returns the line after it."""
        state = MeetingState(self.header.product)
        going_on: list[TapeAudio] = []
        lost: dict[str, LostMark] = {}
        following: Line | None = None
        for line in lines:
            if line.t >= self.start:
                following = line
                break
            self._reach(line, tape)
            if isinstance(line, TapeAudio):
                reaching = spurts.before(line, tape.audio[line.packed.coding])
                if reaching is not None:
                    going_on.append(reaching)
            elif isinstance(line, TapeMessage):
                message = self._see(line, tape)
                if message is not None and line.sender == "server":
                    state.see(message)
            elif isinstance(line, LostMark):
                lost[line.media] = line
        if following is None and not going_on:
            return None
        now = self.header.start_ms + self.start
        yield from (wire_line(0, message) for message in state.opening(now))
        for mark in lost.values():
            rest = mark.t + mark.ms - self.start
            if rest > 0:
                yield msgspec.structs.replace(mark, t=0, ms=rest)
        yield from going_on
        return following

    def _reach(self, line: Line, tape: TapeReader) -> None:
        end = line.t
        if isinstance(line, TapeAudio):
            coding = tape.audio[line.packed.coding]
            end += len(line.packed.packets) * coding.packet_ms
        self.length = max(self.length, end)

    def _see(self, line: TapeMessage, tape: TapeReader) -> dict[str, Any] | None:
        try:
            message = msgspec.json.decode(bytes(line.msg))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise TapeError(f"{tape.place}: not a wire message ({error})") from error
        if not isinstance(message, dict):
            return None
        parameters = message.get("media_params")
        if message.get("msg_type") == 4 and isinstance(parameters, dict):
            self.parameters |= parameters
        return message
