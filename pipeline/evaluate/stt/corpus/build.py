"""``rtms-notes eval corpus``: manifests and the sound files they need, in one folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from pipeline.audio.resample import RATE
from pipeline.base.errors import BadInput
from pipeline.evaluate.stt.corpus import sources
from pipeline.evaluate.stt.corpus.mixer import Line, Mixed, decibels, loudness, mix, pink
from pipeline.evaluate.stt.manifest import Clip, write
from pipeline.evaluate.stt.sound import load_clip, save

_MUSIC_S: Final = 80.0
"""Of each of five pieces; with the noises and silences below ten minutes of nobody speaking."""

_NOISES: Final = ((-50.0, 40.0), (-35.0, 30.0), (-20.0, 30.0))
"""Level of pink noise in dB of full scale, and seconds of it."""

_SILENCES: Final = ((None, 70.0), (-80.0, 40.0))
"""Digital silence, and what the last bits of a good microphone hold."""

_TURNS: Final = 14
_MEETINGS: Final = ((1, 0.0, False), (2, 0.1, False), (3, 0.2, False), (4, 0.2, True))
"""Seed, overlap, and whether music sounds in one track."""

_MUSIC_BELOW_DB: Final = 10.0
_LEAST_WORDS: Final = 6
"""Of a prompt that serves as a turn."""


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest that was written; ``missing``: what would have been in it, and how to get it."""

    manifest: str
    clips: int
    seconds: float
    missing: tuple[str, ...] = ()


def build(folder: Path, wheel: Path | None, progress: Callable[[str], None]) -> list[Built]:
    """Everything that can be built here; see docs/transcription.md, "Corpus".

    Raises BadInput when the folder cannot be written, or nothing can be built.
    """
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _build(folder, wheel, progress)
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written ({error.strerror})") from error


def _build(folder: Path, wheel: Path | None, progress: Callable[[str], None]) -> list[Built]:
    parts: Sequence[tuple[str, Sequence[Callable[[], list[Clip]]]]] = (
        (
            "natural",
            (
                lambda: sources.pocketsphinx(folder),
                sources.moonshine,
                lambda: sources.pyannote(wheel, folder),
            ),
        ),
        ("prompts", (sources.prompts,)),
        ("nonspeech", (lambda: _nonspeech(folder), lambda: _music(folder))),
    )
    built = []
    for name, makers in parts:
        progress(name)
        built.append(_part(folder / f"{name}.jsonl", makers))
    progress("mixed")
    built += _meetings(folder)
    if not any(part.clips for part in built):
        raise BadInput("no corpus can be built: " + "; ".join(m for p in built for m in p.missing))
    return built


def _part(path: Path, makers: Sequence[Callable[[], list[Clip]]]) -> Built:
    clips: list[Clip] = []
    missing = []
    for make in makers:
        try:
            clips += make()
        except sources.NoSource as reason:
            missing.append(str(reason))
    return _written(path, clips, missing)


def _written(path: Path, clips: Sequence[Clip], missing: Sequence[str] = ()) -> Built:
    timed = [
        msgspec.structs.replace(clip, duration=round(len(load_clip(clip)) / RATE, 3))
        for clip in clips
    ]
    if timed:
        write(path, timed)
    return Built(
        manifest=str(path),
        clips=len(timed),
        seconds=round(sum(clip.duration or 0.0 for clip in timed), 1),
        missing=tuple(missing),
    )


def _nonspeech(folder: Path) -> list[Clip]:
    clips = []
    for number, (level, seconds) in enumerate((*_NOISES, *_SILENCES)):
        samples = np.zeros(round(seconds * RATE), np.float32)
        if level is not None:
            samples = pink(len(samples), number) * np.float32(decibels(level))
        path = folder / "nonspeech" / f"{number}.wav"
        save(path, samples)
        clips.append(Clip(audio_filepath=str(path), text=""))
    return clips


def _music(_folder: Path) -> list[Clip]:
    return [
        Clip(audio_filepath=str(path), text="", duration=_MUSIC_S, offset=0.0)
        for path in sources.music()
    ]


def _meetings(folder: Path) -> list[Built]:
    """``mixed``: meetings of four voices; ``voices``: the same turns, each alone and untouched."""
    try:
        spoken = {
            "Austen": [c for c in sources.pocketsphinx(folder) if c.speaker == "austen"],
            "Cards": [c for c in sources.pocketsphinx(folder) if c.speaker == "cards"],
            "Dickens": sources.dickens(),
            "Allison": [c for c in sources.prompts() if len(c.text.split()) >= _LEAST_WORDS],
        }
        music = sources.music()[0]
    except sources.NoSource as reason:
        path = folder / "mixed.jsonl"
        return [Built(manifest=str(path), clips=0, seconds=0.0, missing=(f"mixed: {reason}",))]
    lines = {name: [Line(load_clip(c), c.text) for c in clips] for name, clips in spoken.items()}
    origin = {(name, clip.text): clip for name, clips in spoken.items() for clip in clips}
    mixed: list[Clip] = []
    alone: list[Clip] = []
    tune = load_clip(Clip(audio_filepath=str(music), text=""))
    for seed, overlap, with_music in _MEETINGS:
        made = mix(
            {name: [_even(line) for line in own] for name, own in lines.items()},
            seed=seed,
            turns=_TURNS,
            overlap=overlap,
            music=("Dickens", tune, _MUSIC_BELOW_DB) if with_music else None,
        )
        mixed += _tracks(folder / "mixed", f"m{seed}", made)
        alone += [origin[turn.speaker, turn.text] for turn in made.turns]
    return [
        _written(folder / "mixed.jsonl", mixed),
        _written(folder / "voices.jsonl", alone),
    ]


def _even(line: Line) -> Line:
    """All voices equally loud before the mixer's gain: -26 dB, as telephony has it (ITU P.56)."""
    level = decibels(-26.0) / max(loudness(line.samples), 1e-9)
    return Line(np.clip(line.samples * np.float32(level), -1.0, 1.0), line.text)


def _tracks(folder: Path, name: str, made: Mixed) -> list[Clip]:
    paths = {speaker: folder / f"{name}-{speaker.lower()}.wav" for speaker in made.tracks}
    for speaker, samples in made.tracks.items():
        save(paths[speaker], samples)
    return [
        Clip(
            audio_filepath=str(paths[turn.speaker]),
            text=turn.text,
            offset=round(turn.begin / RATE, 4),
            duration=round(turn.length / RATE, 4),
            speaker=turn.speaker,
            meeting=name,
        )
        for turn in made.turns
    ]
