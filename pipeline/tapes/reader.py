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
from pipeline.tapes.header import FORMAT, VERSION, TapeHeader
from pipeline.tapes.lines import EndMark, Line, LostMark, TapeAudio, TapeMessage

MAX_LINE: Final = 32 << 20
"""Bytes; a QHD image in base64 fits, a bomb does not."""
_MAX_WINDOW: Final = 128 << 20

_HEADER = msgspec.json.Decoder(TapeHeader)
_MESSAGE = msgspec.json.Decoder(TapeMessage)
_AUDIO = msgspec.json.Decoder(TapeAudio)
_LOST = msgspec.json.Decoder(LostMark)
_END = msgspec.json.Decoder(EndMark)


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
    is wrong with it: not a tape, of another version, broken, cut off.
    """

    header: TapeHeader

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0
        self._last = 0
        try:
            self._file = path.open("rb")
        except FileNotFoundError:
            raise NotFound(f"{path}: no such tape") from None
        except OSError as error:
            raise TapeError(f"{path}: {error.strerror}") from error
        try:
            unpacker = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
            self._text = io.BufferedReader(
                unpacker.stream_reader(self._file, read_across_frames=True), 1 << 16
            )
            self.header = self._read_header()
        except BaseException:
            self._file.close()
            raise

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

    def __iter__(self) -> Iterator[Line]:
        count = 0
        while True:
            raw = self._next()
            if not raw:
                self._fail("the tape was cut off here (its end mark is missing)", line=False)
            line = self._parse(raw)
            if isinstance(line, EndMark):
                if line.lines != count:
                    self._fail(f"{line.lines} lines were written, {count} are here")
                if self._next():
                    self._fail("there is more after the end mark")
                return
            if line.t < self._last:
                self._fail(f"out of order: {line.t} ms after {self._last} ms")
            self._last = line.t
            count += 1
            yield line

    def _read_header(self) -> TapeHeader:
        try:
            raw = self._next()
            start = _START.decode(raw)
        except (TapeError, msgspec.DecodeError, UnicodeDecodeError):
            raise TapeError(f"{self._path}: not a tape, or one cut off at its start") from None
        if start.format != FORMAT:
            raise TapeError(f"{self._path}: not a tape (its first line is no tape header)")
        if start.version != VERSION:
            raise TapeError(
                f"{self._path}: version {start.version!r}; this program reads version {VERSION}"
            )
        try:
            return _HEADER.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._fail(str(error))

    def _parse(self, raw: bytes) -> Line | EndMark:
        try:
            shape = _SHAPE.decode(raw)
            match shape.mark:
                case "lost":
                    return _LOST.decode(raw)
                case "end":
                    return _END.decode(raw)
                case None:
                    pass
                case other:
                    self._fail(f"unknown mark {other!r}")
            if not bytes(shape.packed):
                return _MESSAGE.decode(raw)
            line = _AUDIO.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._fail(str(error))
        if not 0 <= line.packed.coding < len(self.header.audio):
            self._fail(f"coding {line.packed.coding} is not in the header's table")
        return line

    def _next(self) -> bytes:
        """The next line without its line feed; empty at the end."""
        self._number += 1
        try:
            raw = self._text.readline(MAX_LINE)
        except zstandard.ZstdError as error:
            self._fail(f"damaged ({error})")
        except OSError as error:
            self._fail(str(error.strerror))
        if len(raw) >= MAX_LINE:
            self._fail(f"longer than {MAX_LINE >> 20} MiB")
        if raw and not raw.endswith(b"\n"):
            self._fail("the tape was cut off here")
        return raw[:-1]

    def _fail(self, what: str, *, line: bool = True) -> NoReturn:
        number = self._number if line else self._number - 1
        raise TapeError(f"{self._path}, line {number}: {what}")
