"""Saving video and screen share: H.264 in Matroska, stills as single files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Protocol

import av
from av.container import OutputContainer
from av.stream import Stream

from pipeline.base.errors import StorageError
from pipeline.meeting.images.folder import ImageFolder, typed

_TIME_BASE = Fraction(1, 1000)
_OPTIONS = {"flush_packets": "1", "cluster_time_limit": "1000"}
"""A kill loses at most the last second: what is before it plays without an end of the file."""


class Writer(Protocol):
    """One file, or one folder of files, being written."""

    file: str
    """Its name inside the images folder."""
    frames: int
    size: int

    def add(self, at_ms: int, data: bytes, *, key: bool) -> None:
        """One message's frame. Raises StorageError; the writer is of no more use then."""

    def close(self) -> None:
        """Complete it. Raises StorageError."""


class Matroska:
    """H.264 (Annex B) as a playable file; times count from the first frame.

    The file can be played while it is written and after a kill. Begin with a key frame.
    """

    def __init__(
        self, folder: ImageFolder, name: str, *, start_ms: int, width: int, height: int, fps: int
    ) -> None:
        self.file = f"{name}.mkv"
        self.frames = 0
        self.size = 0
        self._start_ms = start_ms
        self._last = -1
        self._folder = folder
        path = folder.path / self.file
        with typed(f"writing {self.file}"):
            folder.make()
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with _muxing(self.file):
            self._container: OutputContainer = av.open(
                str(path), "w", format="matroska", options=_OPTIONS
            )
        self._stream: Stream = self._container.add_mux_stream(
            "h264", rate=fps, width=width, height=height, time_base=_TIME_BASE
        )

    def add(self, at_ms: int, data: bytes, *, key: bool) -> None:
        packet = av.Packet(data)
        # Matroska wants times that grow; two frames of one millisecond become neighbours.
        self._last = max(self._last + 1, at_ms - self._start_ms)
        packet.pts = packet.dts = self._last
        packet.time_base = _TIME_BASE
        packet.stream = self._stream
        packet.is_keyframe = key
        with _muxing(self.file):
            self._container.mux(packet)
        self.frames += 1
        self.size += len(data)

    def close(self) -> None:
        with _muxing(self.file):
            self._container.close()
            self._folder.sync(self.file)


class Stills:
    """JPEG or PNG images, as they came, in a folder; each is named by its meeting time."""

    def __init__(self, folder: ImageFolder, name: str, suffix: str) -> None:
        self.file = name
        self.frames = 0
        self.size = 0
        self._folder = folder
        self._suffix = suffix
        with typed(f"making {name}"):
            folder.make(name)

    def add(self, at_ms: int, data: bytes, *, key: bool) -> None:  # noqa: ARG002 - all are whole
        name = f"{self.file}/{max(0, at_ms):013d}-{self.frames:06d}.{self._suffix}"
        self._folder.write(name, data, durable=False)
        self.frames += 1
        self.size += len(data)

    def close(self) -> None:
        """Nothing is left to do."""


@contextmanager
def _muxing(file: str) -> Iterator[None]:
    """FFmpeg's errors come out as StorageError: what is written has been checked before."""
    try:
        with typed(f"writing {file}"):  # PyAV's errors of the system are OSErrors too
            yield
    except av.FFmpegError as error:
        raise StorageError(f"writing {file}: {error.strerror or error}", kind="mux") from error
