"""Four hours of a meeting leave neither delay nor memory behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.audio import chain as audio_chain
from pipeline.audio.vad import LoudnessVad
from tests.idle_clock import run
from tests.long_meeting import START_MS, meeting


def test_four_hours_end_with_the_delay_and_memory_they_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = audio_chain.AudioChain.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "vad", LoudnessVad)  # a tone is speech here
    rows = run(lambda clock: meeting(clock, tmp_path, 8, 1_800), start_ms=START_MS, grace_s=0)
    assert all(row.utterances >= 590 for row in rows)  # two voices, a turn each 6 s
    assert max(row.delay_s for row in rows) - rows[0].delay_s < 0.05
    # What grows is the log in memory (about 5,000 utterances), not what the stages hold.
    assert rows[-1].memory_mb - rows[1].memory_mb < 30
    # A last turn that breaks off may be in doubt, and keeps its audio.
    assert len(list(tmp_path.glob("*.pcm"))) <= 2
