"""Reads a tape, line by line, in constant memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NoReturn, Self

import msgspec
import zstandard

from pipeline.base.errors import NotFound, TapeError
from pipeline.tapes.coding import check
from pipeline.tapes.header import FORMAT, VERSION, AudioCoding, TapeHeader
from pipeline.tapes.lines import (
    BackMark,
    CodingMark,
    EndMark,
    Line,
    LostMark,
    MissingMark,
    TapeAudio,
    TapeMessage,
)

MAX_LINE: Final = 32 << 20
"""Bytes; a QHD image in base64 fits, a bomb does not."""
_MAX_WINDOW: Final = 128 << 20

_HEADER = msgspec.json.Decoder(TapeHeader)
_MESSAGE = msgspec.json.Decoder(TapeMessage)
_AUDIO = msgspec.json.Decoder(TapeAudio)
_MARKS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    "lost": msgspec.json.Decoder(LostMark),
    "end": msgspec.json.Decoder(EndMark),
    "back": msgspec.json.Decoder(BackMark),
    "missing": msgspec.json.Decoder(MissingMark),
    "coding": msgspec.json.Decoder(CodingMark),
}
_OF_VERSION_1: Final = ("lost", "end")
MAX_CODINGS: Final = 64
_BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Shape(msgspec.Struct):
    """Just enough of a line to tell what it is; values stay unparsed."""

    packed: msgspec.Raw = msgspec.Raw()
    mark: Any = None


class _Start(msgspec.Struct):
    format: Any = None
    version: Any = None


_SHAPE = msgspec.json.Decoder(_Shape)
_START = msgspec.json.Decoder(_Start)


class TapeReader:
    """``with TapeReader.open(path) as tape: tape.header; for line in tape: ...`` (once through).

    Raises NotFound for no such file and TapeError, naming file and line, for anything else that
    is wrong with it: not a tape, of another version, broken. A tape that was cut off (its writer
    was killed) is read to its last whole line; ``cut_off`` is True then.
    """

    header: TapeHeader
    audio: list[AudioCoding]
    """The header's table and what the lines read so far have added to it."""
    cut_off: bool
    """Known once the lines are read: the end mark was missing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0
        self._last = 0
        self.cut_off = False
        try:
            self._file = path.open("rb")
        except FileNotFoundError:
            raise NotFound(f"{path}: no such tape") from None
        except (OSError, ValueError) as error:
            raise TapeError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
        try:
            unpacker = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
            self._text = io.BufferedReader(
                unpacker.stream_reader(self._file, read_across_frames=True), 1 << 16
            )
            self.header = self._read_header()
        except BaseException:
            self._file.close()
            raise
        self.audio = list(self.header.audio)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open and read the header."""
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @property
    def place(self) -> str:
        """Where reading stands, for an error about the line last read."""
        return f"{self._path}, line {self._number} (at {self._last / 1000:g} s)"

    def __iter__(self) -> Iterator[Line]:
        count = 0
        while True:
            raw = self._next()
            if raw is None:
                self.cut_off = True
                return
            line = self._parse(raw)
            if isinstance(line, EndMark):
                if line.lines != count:
                    self._fail(f"{line.lines} lines were written, {count} are here")
                if self._more():
                    self._fail("there is more after the end mark")
                return
            if line.t < self._last:
                self._fail(f"out of order: {line.t} ms after {self._last} ms")
            self._last = line.t
            count += 1
            if isinstance(line, CodingMark):
                self._learn(line.coding)
            else:
                yield line

    def _learn(self, coding: AudioCoding) -> None:
        if len(self.audio) >= MAX_CODINGS:
            self._fail(f"more than {MAX_CODINGS} codings")
        self._vet(coding)
        self.audio.append(coding)

    def _read_header(self) -> TapeHeader:
        try:
            raw = self._next() or b""
            start = _START.decode(raw)
        except (TapeError, *_BROKEN):
            raise TapeError(f"{self._path}: not a tape, or one cut off at its start") from None
        if start.format != FORMAT:
            raise TapeError(f"{self._path}: not a tape (its first line is no tape header)")
        if start.version not in (1, 2) or type(start.version) is not int:
            raise TapeError(
                f"{self._path}: version {str(start.version)[:40]!r}; this program reads versions"
                " 1 and 2"
            )
        try:
            header = _HEADER.decode(raw)
        except _BROKEN as error:
            self._fail(_reason(error))
        if len(header.audio) > MAX_CODINGS:
            self._fail(f"more than {MAX_CODINGS} codings")
        for coding in header.audio:
            if header.version == VERSION and (coding.codec, coding.channels) != ("opus", 1):
                self._fail(f"{coding.codec} of {coding.channels} channels needs version 2")
            self._vet(coding)
        return header

    def _vet(self, coding: AudioCoding) -> None:
        try:
            check(coding)
        except TapeError as error:
            self._fail(str(error))

    def _parse(self, raw: bytes) -> Line | CodingMark | EndMark:
        try:
            shape = _SHAPE.decode(raw)
            if shape.mark is not None:
                return self._mark(shape.mark, raw)
            if not bytes(shape.packed):
                return _MESSAGE.decode(raw)
            line = _AUDIO.decode(raw)
        except _BROKEN as error:
            self._fail(_reason(error))
        if line.packed.coding >= len(self.audio):
            self._fail(f"coding {line.packed.coding} is not in the tape's table")
        return line

    def _mark(self, name: Any, raw: bytes) -> Line | CodingMark | EndMark:
        decoder = _MARKS.get(name) if isinstance(name, str) else None
        if decoder is None:
            self._fail(f"unknown mark {str(name)[:40]!r}")
        if self.header.version == VERSION and name not in _OF_VERSION_1:
            self._fail(f"mark {name!r} needs version 2")
        found: Line | CodingMark | EndMark = decoder.decode(raw)
        return found

    def _next(self) -> bytes | None:
        """The next line without its line feed; None at the end, whole or cut off."""
        raw = self._read(MAX_LINE + 1)
        if len(raw) > MAX_LINE:
            self._fail(f"longer than {MAX_LINE >> 20} MiB")
        if not raw.endswith(b"\n"):  # nothing more, or a line its writer did not finish
            return None
        return raw[:-1]

    def _more(self) -> bool:
        return bool(self._read(1))

    def _read(self, most: int) -> bytes:
        self._number += 1
        try:
            return self._text.readline(most)
        except zstandard.ZstdError as error:
            self._fail(f"damaged ({error})")
        except OSError as error:
            self._fail(str(error.strerror))

    def _fail(self, what: str) -> NoReturn:
        at = f" (after {self._last / 1000:g} s)" if self._number > 1 else ""
        raise TapeError(f"{self._path}, line {self._number}{at}: {what}")


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
