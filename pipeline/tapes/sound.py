"""Any audio or video file as samples, piece by piece; and where somebody speaks in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.base.errors import BadInput, NotFound

Pcm = NDArray[np.int16]
"""(frames,) or (frames, 2)."""

FRAME_MS: Final = 20
LEAD_MS: Final = 100
HANG_MS: Final = 300
"""Zoom's gate opens a little before the voice and closes a little after it."""
_QUIET: Final = 60.0
"""RMS of a frame, of 32768: below it nobody speaks."""


class SoundFile(NamedTuple):
    """What a file holds. ``rate`` in Hz."""

    path: Path
    rate: int
    channels: int


def look(path: Path) -> SoundFile:
    """Rate and channels of the first audio stream. Raises NotFound, BadInput naming the file."""
    with _opened(path) as container:
        stream = container.streams.audio[0]
        return SoundFile(path, stream.rate or 0, stream.channels)


def samples(path: Path, rate: int, channels: int) -> Iterator[Pcm]:
    """Pieces of the file at this rate, mono or stereo. Raises NotFound, BadInput."""
    layout = "stereo" if channels == 2 else "mono"
    with _opened(path) as container:
        resampler = av.AudioResampler(format="s16", layout=layout, rate=rate)
        try:
            for frame in container.decode(container.streams.audio[0]):
                for made in resampler.resample(frame):
                    yield _pcm(made, channels)
            for made in resampler.resample(None):
                yield _pcm(made, channels)
        except av.FFmpegError as error:
            raise BadInput(f"{path}: its sound cannot be decoded ({error.strerror})") from error


class Piece(NamedTuple):
    """Sound that begins at sample ``at`` of the file; ``first`` and ``last`` of its spurt."""

    at: int
    pcm: Pcm
    first: bool
    last: bool


def spurts(pieces: Iterator[Pcm], rate: int) -> Iterator[Piece]:
    """Only where somebody speaks: as Zoom, which sends nothing of people who are silent."""
    size = rate * FRAME_MS // 1000
    before: deque[Pcm] = deque(maxlen=LEAD_MS // FRAME_MS)
    held: list[Pcm] = []  # of the open spurt, to give the last piece its mark
    at = 0
    quiet = 0
    first = True
    for number, frame in enumerate(_frames(pieces, size)):
        loud = float(np.sqrt(np.mean(frame.astype(np.float64) ** 2))) > _QUIET
        if not held and first:
            if not loud:
                before.append(frame)
                continue
            held = [*before, frame]
            at = (number - len(before)) * size
            before.clear()
            quiet = 0
            continue
        held.append(frame)
        quiet = 0 if loud else quiet + FRAME_MS
        if quiet >= HANG_MS:
            yield Piece(at, np.concatenate(held), first, last=True)
            held, first = [], True
        elif len(held) * FRAME_MS >= 1_000:
            # the newest frame is kept back, so that something is left for the last piece
            yield Piece(at, np.concatenate(held[:-1]), first, last=False)
            at += (len(held) - 1) * size
            held, first = held[-1:], False
    if held:
        yield Piece(at, np.concatenate(held), first, last=True)


def whole(pieces: Iterator[Pcm], rate: int) -> Iterator[Piece]:
    """All of it as one spurt: the mix of a meeting never pauses."""
    at = 0
    newest: Pcm | None = None
    for frame in _frames(pieces, rate):
        if newest is not None:
            yield Piece(at, newest, first=at == 0, last=False)
            at += len(newest)
        newest = frame
    if newest is not None:
        yield Piece(at, newest, first=at == 0, last=True)


def _frames(pieces: Iterator[Pcm], size: int) -> Iterator[Pcm]:
    """Cut anew to ``size`` frames; the last may be shorter."""
    rest: list[Pcm] = []
    count = 0
    for piece in pieces:
        rest.append(piece)
        count += len(piece)
        if count < size:
            continue
        joined = np.concatenate(rest)
        for start in range(0, count - size + 1, size):
            yield joined[start : start + size]
        rest = [joined[count // size * size :]]
        count = len(rest[0])
    if count:
        yield np.concatenate(rest)


def _opened(path: Path) -> av.container.InputContainer:
    try:
        container = av.open(str(path), "r")
    except FileNotFoundError:
        raise NotFound(f"{path}: no such file") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"{path}: cannot be read as audio ({reason})") from error
    if not container.streams.audio:
        container.close()
        raise BadInput(f"{path}: has no sound in it")
    return container


def _pcm(frame: av.AudioFrame, channels: int) -> Pcm:
    values: Pcm = frame.to_ndarray().reshape(-1)
    return values.reshape(-1, 2) if channels == 2 else values
