"""The samples of clips, and wav files of samples."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from pipeline.audio.media_file import read
from pipeline.audio.packet import Samples, encode_l16
from pipeline.audio.resample import RATE
from pipeline.base.errors import BadInput
from pipeline.evaluate.stt.manifest import Clip


def load(path: Path) -> Samples:
    """A whole file, 16 kHz mono. Raises NotFound, BadInput."""
    pieces = list(read(path))
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def load_clip(clip: Clip) -> Samples:
    """The samples of one clip, 16 kHz mono. Raises NotFound; BadInput for a file that cannot be
    read, or that ends before the clip begins."""
    samples = load(Path(clip.audio_filepath))
    begin = round(clip.offset * RATE)
    end = len(samples) if clip.duration is None else begin + round(clip.duration * RATE)
    if begin >= len(samples):
        raise BadInput(f"{clip.audio_filepath}: ends before {clip.offset:g} s")
    return samples[begin:end]


def save(path: Path, samples: Samples) -> None:
    """A 16-bit wav file, 16 kHz mono."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(encode_l16(samples))
