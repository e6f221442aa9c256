"""Speech synthesis with what is installed: flite or espeak-ng, as commands."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from pipeline.base.errors import BadInput, NotFound
from pipeline.tapes.opus import RATE
from pipeline.tapes.script import Script

Pcm = NDArray[np.int16]
EngineName = Literal["flite", "espeak-ng"]

_TIMEOUT_S: Final = 60
_CREDITS: Final[dict[EngineName, str]] = {
    "flite": "Voices: flite by Carnegie Mellon University, synthetic speech.",
    "espeak-ng": "Voices: eSpeak NG (GPL-3.0-or-later), synthetic speech.",
}
_VOICES: Final[dict[EngineName, tuple[str, ...]]] = {
    "flite": ("slt", "rms", "awb", "kal16"),
    "espeak-ng": ("en-us+f3", "en-gb+m3", "en-us+m7", "en-gb-scotland+f2", "en-us+f5", "en-gb+m1"),
}
_WORDS_A_MINUTE: Final = 165


class Synthesizer:
    """One of the engines. Same text, same voice, same version: same samples."""

    def __init__(self, engine: EngineName) -> None:
        self._engine: EngineName = engine
        if shutil.which(engine) is None:
            raise NotFound(f"{engine} is not installed; on Debian: apt-get install {engine}")

    @property
    def credit(self) -> str:
        """For the tape's header."""
        return _CREDITS[self._engine]

    def voice_for(self, wanted: str, name: str, taken: int) -> str:
        """``wanted``, unless it is a voice of another engine; else one for the ``taken``-th."""
        others = {v for engine, names in _VOICES.items() if engine != self._engine for v in names}
        if wanted and wanted not in others:
            return wanted
        known = _VOICES[self._engine]
        if taken < len(known):
            return known[taken]
        return known[hashlib.sha256(name.encode()).digest()[0] % len(known)]

    def say(self, voice: str, text: str, pace: float = 1.0) -> Pcm:
        """Mono int16 at 16 kHz; ``pace`` above 1 is slower. Raises BadInput naming the text."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "turn.wav"
            command = self._command(voice, text, pace, out)
            try:
                done = subprocess.run(  # noqa: S603 - a fixed program, no shell
                    command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
                )
            except subprocess.TimeoutExpired:
                raise BadInput(f"{self._engine} took too long on {text[:40]!r}") from None
            except OSError as error:  # above all: more text than an argument may hold
                raise BadInput(
                    f"{self._engine} could not say {text[:40]!r} ({len(text)} characters):"
                    f" {error.strerror}; make it several turns"
                ) from None
            if done.returncode != 0 or not out.exists():
                why = " ".join(done.stderr.split())[:120] or f"status {done.returncode}"
                raise BadInput(f"{self._engine} could not say {text[:40]!r}: {why}")
            return _read(out)

    def _command(self, voice: str, text: str, pace: float, out: Path) -> list[str]:
        if self._engine == "flite":
            stretch = f"duration_stretch={pace}"
            return ["flite", "-voice", voice, "--setf", stretch, "-t", text, "-o", str(out)]
        speed = str(round(_WORDS_A_MINUTE / pace))
        return ["espeak-ng", "-v", voice, "-s", speed, "-w", str(out), "--", text]


def find_engine(wanted: EngineName | Literal["auto"]) -> Synthesizer:
    """The wanted engine, or the first one installed. Raises NotFound saying how to get one."""
    if wanted != "auto":
        return Synthesizer(wanted)
    for engine in _VOICES:
        if shutil.which(engine) is not None:
            return Synthesizer(engine)
    raise NotFound(
        "no speech synthesis is installed; on Debian: apt-get install flite, or build"
        " without sound: --voices none"
    )


def _read(path: Path) -> Pcm:
    with wave.open(str(path)) as sound:
        rate, channels = sound.getframerate(), sound.getnchannels()
        if channels != 1 or sound.getsampwidth() != 2:
            raise BadInput(f"{path}: not 16-bit mono")
        raw = sound.readframes(sound.getnframes())
    pcm: Pcm = np.frombuffer(raw, "<i2").astype(np.int16)
    if rate != RATE:
        pcm = soxr.resample(pcm, rate, RATE)
    return pcm


def render(
    engine: Synthesizer, script: Script, tell: Callable[[int], None] | None = None
) -> dict[int, Pcm]:
    """Every spoken turn of a script, by its index. ``tell`` hears how many are done."""
    voices = {
        actor.id: engine.voice_for(actor.voice, actor.name, number)
        for number, actor in enumerate(script.participants)
    }
    found = {}
    for index, turn in enumerate(script.turns):
        if turn.say is not None:
            found[index] = engine.say(voices[script.actor(turn.who).id], turn.say)
        if tell is not None:
            tell(index + 1)
    return found
