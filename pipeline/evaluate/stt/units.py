"""What is played to an engine in one go: a clip by itself, or a meeting of several voices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from pipeline.audio.packet import Samples, encode_l16
from pipeline.audio.resample import RATE
from pipeline.evaluate.stt.manifest import Clip
from pipeline.evaluate.stt.sound import load, load_clip
from pipeline.evaluate.stt.speakers import Turn

PACKET: Final = RATE // 50
"""Samples of 20 ms."""


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """``tracks``: samples of each voice, all from the unit's beginning on; the voice of a clip by
    itself is named after its speaker. ``turns``: what is said, ``start_ms`` from the beginning."""

    name: str
    tracks: Mapping[str, Samples]
    turns: tuple[Turn, ...]
    is_meeting: bool = False

    @property
    def text(self) -> str:
        """All that is said, by time."""
        return " ".join(t.text for t in sorted(self.turns, key=lambda t: t.start_ms))

    @property
    def length(self) -> int:
        """Samples until the last track ends."""
        return max(len(track) for track in self.tracks.values())

    @property
    def seconds(self) -> float:
        """Of audio, all voices together: what an engine has to look at."""
        return sum(len(track) for track in self.tracks.values()) / RATE

    def mixed(self) -> Samples:
        """All voices in one."""
        total = np.zeros(self.length, np.float32)
        for track in self.tracks.values():
            total[: len(track)] += track
        return np.clip(total, -1.0, 1.0)


class Packet(msgspec.Struct, frozen=True, gc=False):
    """20 ms of one voice (None: of all), ``at`` samples after the unit's beginning."""

    speaker: str | None
    at: int
    data: bytes


def units(clips: Sequence[Clip]) -> Iterator[Unit]:
    """One after another, their audio loaded; in the order of the manifest, a meeting in the place
    of its first clip. Raises NotFound, BadInput."""
    made: set[str] = set()
    for number, clip in enumerate(clips, start=1):
        if clip.meeting is None:
            yield _alone(number, clip)
        elif clip.meeting not in made:
            made.add(clip.meeting)
            yield _meeting(clip.meeting, [c for c in clips if c.meeting == clip.meeting])


def packets(unit: Unit, *, mixed: bool = False) -> Iterator[Packet]:
    """As RTMS sends them: every 20 ms one of each voice, or with ``mixed`` one of all. Signed
    16-bit little-endian, 16 kHz."""
    coded: dict[str | None, bytes] = {}
    if mixed:
        coded[None] = encode_l16(unit.mixed())
    else:
        coded.update({name: encode_l16(track) for name, track in unit.tracks.items()})
    for at in range(0, unit.length, PACKET):
        for name, data in coded.items():
            piece = data[at * 2 : (at + PACKET) * 2]
            if piece:
                yield Packet(name, at, piece)


def count(clips: Sequence[Clip]) -> int:
    """How many units there will be."""
    return sum(c.meeting is None for c in clips) + len({c.meeting for c in clips if c.meeting})


def _alone(number: int, clip: Clip) -> Unit:
    name = Path(clip.audio_filepath).stem
    if clip.offset:
        name = f"{name}@{clip.offset:g}"
    speaker = clip.speaker or f"voice {number}"
    return Unit(
        name=name,
        tracks={speaker: load_clip(clip)},
        turns=(Turn(speaker=speaker, start_ms=0, text=clip.text),),
    )


def _meeting(name: str, clips: Sequence[Clip]) -> Unit:
    files = {clip.speaker: clip.audio_filepath for clip in clips if clip.speaker is not None}
    return Unit(
        name=name,
        tracks={speaker: load(Path(file)) for speaker, file in files.items()},
        turns=tuple(
            Turn(speaker=clip.speaker, start_ms=round(clip.offset * 1000), text=clip.text)
            for clip in clips
        ),
        is_meeting=True,
    )
