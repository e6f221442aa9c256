"""Writes a tape, line by line."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import zstandard

from pipeline.base.errors import StorageError, TapeError
from pipeline.tapes.header import TapeHeader
from pipeline.tapes.lines import EndMark, Line

_ENCODER = msgspec.json.Encoder()


class TapeWriter:
    """``with TapeWriter(path, header) as tape: tape.write(line)``.

    The file appears under its name only when the block ends well. The same lines give the same
    bytes. ``level`` is zstandard's; lower it where writing must be cheap.
    """

    def __init__(self, path: Path, header: TapeHeader, *, level: int = 19) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._last = 0
        self._lines = 0
        try:
            self._file = self._part.open("wb")
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error
        self._zstd = zstandard.ZstdCompressor(level=level, write_checksum=True).stream_writer(
            self._file, closefd=False
        )
        self._put(_ENCODER.encode(header))

    def write(self, line: Line) -> None:
        """Append one line. Raises TapeError when it would stand out of order."""
        if line.t < self._last:
            raise TapeError(f"line at {line.t} ms after one at {self._last} ms")
        self._last = line.t
        self._lines += 1
        self._put(_ENCODER.encode(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._file.close()
            self._part.unlink(missing_ok=True)
            return
        self._put(_ENCODER.encode(EndMark(t=self._last, lines=self._lines)))
        try:
            self._zstd.flush(zstandard.FLUSH_FRAME)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._path)
        except OSError as failed:
            raise StorageError(f"cannot write {self._path}: {failed.strerror}") from failed

    def _put(self, line: bytes) -> None:
        try:
            self._zstd.write(line + b"\n")
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error.strerror}") from error
