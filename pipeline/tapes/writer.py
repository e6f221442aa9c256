"""Writes a tape, line by line."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec
import zstandard

from pipeline.base.errors import StorageError, TapeError
from pipeline.tapes.header import VERSION, TapeHeader
from pipeline.tapes.lines import BackMark, CodingMark, EndMark, Line, MissingMark, TapeAudio
from pipeline.tapes.reader import MAX_LINE

SMALLEST: Final = 19
"""zstandard's level for what is made once and shipped."""
QUICK: Final = 9
"""For pieces and joins of what may be hours long; audio is packed already."""
_LATEST: Final = 1 << 42
_ENCODER = msgspec.json.Encoder()


class TapeWriter:
    """``with TapeWriter(path, header) as tape: tape.write(line)``.

    The file appears under its name only when the block ends well. The same lines give the same
    bytes. ``level`` is zstandard's; lower it where writing must be cheap.

    ``live``: the file stands under its name from the start (it must not exist yet) and stays there
    whatever happens; what was written before a ``flush`` can be read after a crash.
    """

    def __init__(
        self, path: Path, header: TapeHeader, *, level: int = SMALLEST, live: bool = False
    ) -> None:
        self._path = path
        self._live = live
        self._part = path if live else path.with_name(path.name + ".part")
        self._version = header.version
        self._last = 0
        self.lines = 0
        """Written so far."""
        try:
            self._file = self._part.open("xb" if live else "wb")
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error
        self._zstd = zstandard.ZstdCompressor(level=level, write_checksum=True).stream_writer(
            self._file, closefd=False
        )
        self._put(_ENCODER.encode(header))

    def write(self, line: Line | CodingMark) -> None:
        """Append one line. Raises TapeError when it would stand out of order or be too long."""
        if line.t < self._last:
            raise TapeError(f"line at {line.t} ms after one at {self._last} ms")
        if self._version == VERSION and isinstance(line, CodingMark | BackMark | MissingMark):
            raise TapeError(f"mark {line.mark!r} on a tape of version {VERSION}")
        times = (line.t, line.packed.timestamp) if isinstance(line, TapeAudio) else (line.t,)
        if min(times) < 0 or max(times) > _LATEST:
            raise TapeError(f"line at {line.t} ms: {times} is no time a tape can hold")
        raw = _ENCODER.encode(line)
        if len(raw) >= MAX_LINE:
            raise TapeError(f"line at {line.t} ms is longer than {MAX_LINE >> 20} MiB")
        self._last = line.t
        self.lines += 1
        self._put(raw)

    def flush(self) -> None:
        """End a zstd frame: all lines so far can be read, whatever happens to this process."""
        try:
            self._zstd.flush(zstandard.FLUSH_FRAME)
            self._file.flush()
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error.strerror}") from error

    def finish(self) -> None:
        """Write the end mark and put the file in place. Once."""
        self._put(_ENCODER.encode(EndMark(t=self._last, lines=self.lines)))
        self.flush()
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            if not self._live:
                self._part.replace(self._path)
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error.strerror}") from error

    def abandon(self) -> None:
        """Close the file as it is; unless ``live``, nothing stays of it."""
        try:
            self._file.close()
        except OSError:  # a full disk refuses the buffer's rest once more
            self._file.raw.close()
        if not self._live:
            self._part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.abandon()
            return
        try:
            self.finish()
        except StorageError:
            self.abandon()
            raise

    def _put(self, line: bytes) -> None:
        try:
            self._zstd.write(line + b"\n")
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error.strerror}") from error
