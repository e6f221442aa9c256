"""Any audio or video file that FFmpeg reads, as 16 kHz mono. Importing this loads FFmpeg.

The file is untrusted: it is read through a Python file, with containers that hold their own data
only, so that a playlist can make nothing else be opened, here or on the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import av
import msgspec
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from pipeline.audio.packet import Samples
from pipeline.audio.resample import RATE, Resampler
from pipeline.audio.wav_header import told_of_what_is_there
from pipeline.base.errors import BadInput, NotFound

CONTAINERS: Final = (
    "aac,ac3,aiff,amr,asf,au,avi,caf,eac3,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,"
    "mpegts,ogg,w64,wav,wv"
)
"""What is opened: everything common that does not point at other files (hls, concat, dash do)."""

_EXACT: Final = ("mov", "matroska", "ogg", "wav", "flac")
"""Containers whose stated length is no estimate."""

_SLACK: Final = RATE // 10
"""Frames may be so far from where the samples before them end: containers round to 1 ms."""

_UNKNOWN_HOLE: Final = 60 * RATE
"""Longest silence that a timestamp makes in a file that does not tell its length."""

_SILENCE: Final = RATE


class MediaInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of itself. ``length_ms`` may be an estimate (mp3 without an index), None
    when it is not told. ``created_ms``: Unix ms. ``rate`` in Hz, ``channels`` as stored."""

    name: str
    container: str
    codec: str
    rate: int
    channels: int
    length_ms: int | None = None
    created_ms: int | None = None


class Missing(NamedTuple):
    """Sound that could not be decoded: samples ``start <= position < end``, filled with silence;
    ``end`` of a file that breaks off is where it should have ended."""

    start: int
    end: int


class MediaFile:
    """One file being read. ``read`` it once; ``position`` is how far that is (samples at 16 kHz),
    ``missing`` what could not be decoded so far.

    Raises NotFound and BadInput in one line that begins with ``name``.
    """

    def __init__(self, source: Path | BinaryIO, name: str | None = None) -> None:
        """``name``: what to call it in messages, by default its path."""
        self.name = name or str(source)
        self.position = 0
        self.missing: list[Missing] = []
        self._file = _file(source, self.name) if isinstance(source, Path) else source
        try:
            self._container = self._open()
        except BaseException:
            self._file.close()
            raise
        self._stream: AudioStream = self._container.streams.audio[0]
        self._broken = 0  # packets since the last good one
        self._refused = False  # the frames before this one could not be mixed
        self._zero: float | None = None
        self.info = self._look()

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()
        self._file.close()

    def read(self) -> Iterator[Samples]:
        """All of its first sound track, mixed down, in pieces: the sample at position p is what is
        heard p / 16,000 s after the file begins. Raises BadInput when nothing can be decoded."""
        decoded = False
        run: _Run | None = None
        for frame in self._frames():
            if self._zero is None:
                self._zero = self._beginning(frame)
            hole = self._hole(frame, self.position if run is None else run.end)
            if run is not None and (hole or run.form != _form(frame)):
                yield from self._told(run.finish())
                run = None
            if hole:
                yield from self._silence(hole)
            try:
                run = run or _Run(frame, self.position)
                samples = run.push(frame)
            except (av.FFmpegError, ValueError):  # a layout of channels that cannot be mixed
                self._refused = True
                continue
            decoded, self._refused = True, False
            yield from self._told(samples)
        if run is not None:
            yield from self._told(run.finish())
        if not decoded:
            raise BadInput(f"{self.name}: its sound cannot be decoded")
        self._end()

    # -- reading --------------------------------------------------------------------------

    def _open(self) -> InputContainer:
        try:
            container: InputContainer = av.open(
                self._file, "r", options={"format_whitelist": CONTAINERS}, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BadInput(f"{self.name}: cannot be read as audio or video ({reason})") from error
        if not container.streams.audio:
            container.close()
            raise BadInput(f"{self.name}: has no sound in it")
        known: object = container.streams.audio[0].codec_context
        if known is None:
            container.close()
            raise BadInput(f"{self.name}: its sound cannot be decoded (unknown codec)")
        return container

    def _look(self) -> MediaInfo:
        stream, container = self._stream, self._container
        length = container.duration
        if length is None and stream.duration is not None and stream.time_base is not None:
            length = int(stream.duration * stream.time_base * 1_000_000)
        if length and container.format.name == "wav":
            length = round(length * told_of_what_is_there(self._file))
        return MediaInfo(
            name=self.name,
            container=container.format.name,
            codec=stream.codec_context.name,
            rate=stream.codec_context.sample_rate or 0,
            channels=stream.codec_context.channels or 0,
            length_ms=None if length is None or length <= 0 else length // 1000,
            created_ms=_unix_ms(container.metadata.get("creation_time", "")),
        )

    def _frames(self) -> Iterator[AudioFrame]:
        """Decoded frames; packets that cannot be decoded are passed over."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.FFmpegError, OSError, ValueError):
                self._broken += 1  # the container itself breaks off: nothing more can be found
                return
            try:
                frames = packet.decode()
            except (av.FFmpegError, ValueError):
                self._broken += 1
                continue
            for frame in frames:
                if isinstance(frame, AudioFrame) and frame.samples and frame.sample_rate:
                    yield frame
                    self._broken = 0

    def _beginning(self, frame: AudioFrame) -> float:
        """Position 0 is where the file begins; its picture may begin before its sound."""
        began = (self._container.start_time or 0) / 1_000_000
        first = began if frame.time is None else frame.time
        late = round((first - began) * RATE)
        return first if late <= _SLACK or late > self._longest() else began

    def _hole(self, frame: AudioFrame, end: int) -> int:
        """Samples of silence before this frame, by its time; ``end``: of what was decoded."""
        if frame.time is None or self._zero is None:
            return 0
        at = round((frame.time - self._zero) * RATE)
        ahead = at - end
        if ahead <= _SLACK or at > self._longest() + _SLACK:
            return 0
        return ahead

    def _longest(self) -> int:
        if self.info.length_ms is None:
            return self.position + _UNKNOWN_HOLE
        return self.info.length_ms * RATE // 1000

    def _silence(self, count: int) -> Iterator[Samples]:
        if self._broken or self._refused:
            self.missing.append(Missing(self.position, self.position + count))
        while count > 0:
            yield from self._told(np.zeros(min(count, _SILENCE), np.float32))
            count -= _SILENCE

    def _told(self, samples: Samples) -> Iterator[Samples]:
        if len(samples):
            self.position += len(samples)
            yield samples

    def _end(self) -> None:
        """What the file says it holds and does not, is missing."""
        exact = any(name in self.info.container.split(",") for name in _EXACT)
        should = (self.info.length_ms or 0) * RATE // 1000
        if self._broken or self._refused or (exact and should - self.position > RATE):
            self.missing.append(Missing(self.position, max(should, self.position + 1)))


class _Run:
    """Frames of one form that follow one another, from position ``at`` on."""

    def __init__(self, first: AudioFrame, at: int) -> None:
        self.form = _form(first)
        self._rate = first.sample_rate
        self._at = at
        self._fed = 0
        # FFmpeg's mix of two to one may exceed full scale; its mix of more to two is made for it.
        self._channels = min(2, first.layout.nb_channels)
        layout = "mono" if self._channels == 1 else "stereo"
        self._mixer = AudioResampler(format="flt", layout=layout, rate=self._rate)
        self._resampler = Resampler(self._rate)

    @property
    def end(self) -> int:
        """Position after the last frame, though the resampler keeps some of it back."""
        return self._at + self._fed * RATE // self._rate

    def push(self, frame: AudioFrame) -> Samples:
        """What can be given out by now."""
        self._fed += frame.samples
        frame.pts = None  # the mixer must not repair times; ``MediaFile`` does
        made = [one.to_ndarray().reshape(-1, self._channels) for one in self._mixer.resample(frame)]
        if not made:
            return np.zeros(0, np.float32)
        mono = _finite(np.concatenate(made)).mean(axis=1, dtype=np.float32)
        return _finite(self._resampler.push(mono))  # the filter may overshoot

    def finish(self) -> Samples:
        """The rest."""
        return _finite(self._resampler.finish())


def _form(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def look(path: Path) -> MediaInfo:
    """What a file says of itself. Raises NotFound, BadInput."""
    with closing(MediaFile(path)) as media:
        return media.info


def read(path: Path) -> Iterator[Samples]:
    """A file's sound, 16 kHz mono, in pieces; what cannot be decoded is silence. Raises NotFound,
    BadInput."""
    with closing(MediaFile(path)) as media:
        yield from media.read()


def _file(path: Path, name: str) -> BinaryIO:
    if path.is_dir():
        raise BadInput(f"{name}: is a folder; name its files")
    if path.exists() and not path.is_file():
        raise BadInput(f"{name}: is no regular file")
    try:
        if path.stat().st_size == 0:
            raise BadInput(f"{name}: is empty")
        return path.open("rb")
    except FileNotFoundError:
        raise NotFound(f"{name}: no such file") from None
    except OSError as error:
        raise BadInput(f"{name}: cannot be read ({error.strerror})") from error


def _finite(samples: Samples) -> Samples:
    """Float files may hold anything; beyond full scale is clipped."""
    return np.clip(np.nan_to_num(samples, posinf=1.0, neginf=-1.0), -1.0, 1.0)


def _unix_ms(text: str) -> int | None:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    seconds = at.timestamp() if at.tzinfo is not None else 0.0
    return int(seconds * 1000) if seconds > 0 else None
