from __future__ import annotations

import re

from pipeline.base.ids import RandomIds, SequentialIds


def test_random_ids_are_safe_in_file_names_and_urls_and_do_not_repeat() -> None:
    ids = RandomIds()
    made = [ids.new() for _ in range(2_000)]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[0-9a-hjkmnp-tv-z]{12}", one) for one in made)
    assert len({one[:5] for one in made}) > 1_800  # short beginnings already tell apart


def test_sequential_ids_repeat_from_run_to_run() -> None:
    assert [SequentialIds().new() for _ in range(2)] == ["id0001", "id0001"]
    ids = SequentialIds("m")
    assert [ids.new(), ids.new()] == ["m0001", "m0002"]
