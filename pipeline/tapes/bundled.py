"""The meeting that comes with the package; ``tools/build_bundled_tape.py`` makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

BUNDLED: Final[Path] = Path(__file__).with_name("bundled.rtms.zst")
"""The bundled tape's file."""
