"""Meetings made of single voices. Pure: same seed, same meeting.

Each speaker gets a track of her own, as multi-stream RTMS delivers it: her turns at her gain over a
faint noise of the room, silence of the others.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from pipeline.audio.packet import Samples
from pipeline.audio.resample import RATE

ROOM_DB = -66.0
"""Noise of a quiet room under every track: no microphone gives digital silence."""

LONGEST_PAUSE_S = 1.5
"""Between two turns that do not overlap: 0.2 s to this."""


class Line(msgspec.Struct, frozen=True):
    """What a voice can say in one turn."""

    samples: Samples
    text: str


class MixedTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn as it was placed; ``begin`` and ``length`` in samples."""

    speaker: str
    begin: int
    length: int
    text: str


class Mixed(msgspec.Struct, frozen=True, kw_only=True):
    """A meeting: turns by time, and a track of equal length for each speaker."""

    turns: tuple[MixedTurn, ...]
    tracks: Mapping[str, Samples]


def mix(
    voices: Mapping[str, Sequence[Line]],
    *,
    seed: int,
    turns: int,
    overlap: float = 0.0,
    gain_db: float = 6.0,
    music: tuple[str, Samples, float] | None = None,
) -> Mixed:
    """Nobody speaks twice in a row, no line comes twice before all of its voice have come.

    ``overlap``: greatest part of a turn that is said into the one before it (0..0.2); every second
    turn overlaps, the others follow a pause. ``gain_db``: each voice is louder or softer by up to
    so much. ``music``: whose track it sounds in, its samples, and how many dB below that voice.
    """
    rng = random.Random(seed)  # noqa: S311 - not a secret
    order: dict[str, list[Line]] = {name: [] for name in voices}
    placed: list[tuple[MixedTurn, Samples]] = []
    end, last = RATE // 2, ""
    for number in range(turns):
        speaker = rng.choice([name for name in voices if name != last])
        if not order[speaker]:
            order[speaker] = rng.sample(list(voices[speaker]), len(voices[speaker]))
        line = order[speaker].pop()
        begin = end + round(rng.uniform(0.2, LONGEST_PAUSE_S) * RATE)
        if number % 2 and overlap:
            previous = placed[-1][0].length
            begin = end - round(rng.uniform(0.0, overlap) * min(previous, len(line.samples)))
        free = [t.begin + t.length for t, _ in placed if t.speaker == speaker]
        begin = max(begin, *free, 0)
        length = len(line.samples)
        turn = MixedTurn(speaker=speaker, begin=begin, length=length, text=line.text)
        placed.append((turn, line.samples))
        end, last = max(end, begin + length), speaker
    tracks = _tracks(list(voices), placed, end + RATE, rng, gain_db)
    if music is not None:
        speaker, sound, below_db = music
        own = [t for t, _ in placed if t.speaker == speaker]
        tracks[speaker] = _with_music(tracks[speaker], own, sound, below_db)
    return Mixed(turns=tuple(turn for turn, _ in placed), tracks=tracks)


def loudness(samples: Samples) -> float:
    """RMS of full scale 1."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def pink(length: int, seed: int) -> Samples:
    """Noise with equal energy an octave, RMS 1."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum /= np.sqrt(np.maximum(1.0, np.arange(len(spectrum))))
    spectrum[0] = 0.0
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)), np.float32)


def decibels(value: float) -> float:
    """A ratio of amplitudes from dB."""
    return float(10.0 ** (value / 20.0))


def _tracks(
    names: Sequence[str],
    placed: Sequence[tuple[MixedTurn, Samples]],
    length: int,
    rng: random.Random,
    gain_db: float,
) -> dict[str, Samples]:
    tracks: dict[str, Samples] = {}
    for name in names:
        track = pink(length, rng.getrandbits(32)) * np.float32(decibels(ROOM_DB))
        gain = decibels(rng.uniform(-gain_db, gain_db))
        for turn, samples in placed:
            if turn.speaker == name:
                track[turn.begin : turn.begin + turn.length] += samples * np.float32(gain)
        tracks[name] = np.clip(track, -1.0, 1.0)
    return tracks


def _with_music(
    track: Samples, turns: Sequence[MixedTurn], music: Samples, below_db: float
) -> Samples:
    spoken = np.concatenate([track[t.begin : t.begin + t.length] for t in turns] or [track])
    sound = np.resize(music, len(track))
    level = loudness(spoken) * decibels(-below_db) / max(loudness(sound), 1e-9)
    return np.clip(track + sound * np.float32(level), -1.0, 1.0)
