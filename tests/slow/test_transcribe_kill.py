"""The long form of the kills in tests/integration/test_kill.py: other moments each time."""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.integration import transcribe_kill


def test_forty_kills_while_segments_are_pending(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    assert transcribe_kill.run_rounds(tmp_path / "home", 40, random.Random(seed)) > 400
