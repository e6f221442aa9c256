#!/usr/bin/env python3
"""Render prompts/cases/bundled.yaml to pipeline/tapes/bundled.rtms.zst with flite's voices.

Needs Debian's `flite`. The same script gives the same bytes (same flite, libopus and zstd).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from pipeline.base.errors import RtmsNotesError
from pipeline.tapes.build import Pcm, build
from pipeline.tapes.bundled import BUNDLED
from pipeline.tapes.script import Script, load_script
from pipeline.tapes.voices import Synthesizer
from pipeline.tapes.writer import TapeWriter

SCRIPT = Path(__file__).resolve().parent.parent / "prompts" / "cases" / "bundled.yaml"
CREDITS = (
    "Script: rtms-notes (MIT). Voices: flite by Carnegie Mellon University"
    " (slt, rms, awb: CMU ARCTIC; kal16), synthetic speech, free to use with credit."
)
PACE = {"slt": 1.1, "awb": 1.2, "kal16": 1.15, "rms": 1.05}
"""flite's duration_stretch by voice: above 1 is slower. Chosen among seven by the word error rate
of the local engine (slt 8, awb 12, kal16 6, rms 5 %)."""
TURN_PACE = {"t14": 0.9, "t23": 1.15, "t24": 0.9, "t27": 1.0}
"""Lines the notes hang on, at the pace at which the engine mishears them least."""
LIMIT = 3_000_000  # bytes


def voices(engine: Synthesizer, script: Script, paces: Mapping[str, float]) -> dict[int, Pcm]:
    """Every spoken turn, by its index. ``paces`` by turn id; other turns take their voice's."""
    found = {}
    for index, turn in enumerate(script.turns):
        if turn.say is not None:
            voice = script.actor(turn.who).voice
            found[index] = engine.say(
                voice, turn.say, paces.get(turn.id or "", PACE.get(voice, 1.0))
            )
    return found


def main() -> int:
    """Build and say how long and how large the tape is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--script", type=Path, default=SCRIPT)
    parser.add_argument("--out", type=Path, default=BUNDLED)
    options = parser.parse_args()
    try:
        engine = Synthesizer("flite")
        script = load_script(options.script)
        paces = TURN_PACE if options.script == SCRIPT else {}
        header, lines = build(script, voices(engine, script, paces), credit=CREDITS)
        with TapeWriter(options.out, header) as tape:
            for line in lines:
                tape.write(line)
    except RtmsNotesError as error:
        print(error, file=sys.stderr)
        return 1
    size = options.out.stat().st_size
    seconds = (header.duration_ms or 0) / 1000
    print(f"{options.out}: {seconds:.1f} s, {len(lines)} lines, {size / 1e6:.2f} MB")
    if size > LIMIT:
        print(f"larger than {LIMIT / 1e6:.0f} MB", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
