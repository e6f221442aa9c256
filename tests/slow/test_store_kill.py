"""The long form of tests/integration/test_store_crash.py: many rounds, other moments each time."""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.integration import store_crash


def test_forty_kills_lose_nothing(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    assert store_crash.run_rounds(tmp_path / "home", 40, random.Random(seed)) > 500
