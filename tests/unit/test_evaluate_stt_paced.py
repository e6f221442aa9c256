"""Units through chain and pool, at once and in real time (on a clock that jumps)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio import chain as audio_chain
from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import LoudnessVad
from pipeline.evaluate.stt import offline
from pipeline.evaluate.stt.paced import heard, in_room, play, unit_outputs
from pipeline.evaluate.stt.speakers import Turn
from pipeline.evaluate.stt.units import Unit
from pipeline.model.events import MeetingOpened
from pipeline.store.memory import MemoryLog
from pipeline.transcribe.engine import NO_HINTS
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.scripted import ScriptedEngine
from tests.idle_clock import run
from tests.long_meeting import START_MS, meeting, parts_on


@pytest.fixture(autouse=True)
def _loudness(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tone is speech here."""
    defaults = audio_chain.AudioChain.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "vad", LoudnessVad)


def test_minutes_end_with_the_delay_and_memory_they_began_with(tmp_path: Path) -> None:
    """The short form of ``tests/slow/test_long_meeting.py``."""
    rows = run(lambda clock: meeting(clock, tmp_path, 4, 60), start_ms=START_MS, grace_s=0)
    assert all(row.utterances >= 18 for row in rows)  # two voices, a turn each 6 s
    assert max(row.delay_s for row in rows) - rows[0].delay_s < 0.05
    assert all(0.6 < row.delay_s < 2.0 for row in rows)
    assert rows[-1].memory_mb - rows[1].memory_mb < 5
    # A last turn that breaks off may be in doubt, and keeps its audio.
    assert len(list(tmp_path.glob("*.pcm"))) <= 2


def tone(seconds: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 300 * np.arange(round(seconds * 16_000)) / 16_000)).astype(
        np.float32
    )


def two_people() -> Unit:
    """Ada from 1 s to 3 s, Ben from 4 s to 5.5 s."""
    tracks = {name: np.zeros(16_000 * 7, np.float32) for name in ("Ada", "Ben")}
    tracks["Ada"][16_000:48_000] = tone(2.0)
    tracks["Ben"][64_000:88_000] = tone(1.5)
    turns = (
        Turn(speaker="Ada", start_ms=1_000, text="one"),
        Turn(speaker="Ben", start_ms=4_000, text="two"),
    )
    return Unit(name="talk", tracks=tracks, turns=turns, is_meeting=True)


@pytest.fixture
async def pool() -> AsyncIterator[DecodePool]:
    made = DecodePool(lambda: ScriptedEngine(lambda pcm: f"{len(pcm) / 16_000:.1f} s"))
    yield made
    await made.close()


async def test_segments_keep_their_speaker_and_time(pool: DecodePool) -> None:
    found = await offline.segmented(two_people(), pool, AudioSettings(), NO_HINTS)
    assert [h.speaker for h in found.heard] == ["Ada", "Ben"]
    ada, ben = found.heard
    assert 400 <= ada.start_ms <= 1_000
    assert 3_000 <= ada.end_ms <= 3_300
    assert 3_400 <= ben.start_ms <= 4_000
    assert ada.text == f"{ada.seconds:.1f} s"
    assert found.wall_s > 0
    assert found.cpu_s > 0
    assert ada.final_s is None


async def test_whole_clips_leave_the_chain_out(pool: DecodePool) -> None:
    found = await offline.whole(two_people(), pool, NO_HINTS)
    assert [(h.speaker, h.text) for h in found.heard] == [("Ada", "7.0 s"), ("Ben", "7.0 s")]


async def test_mixed_voices_come_in_one_stream(pool: DecodePool) -> None:
    found = await offline.segmented(two_people(), pool, AudioSettings(), NO_HINTS, mixed=True)
    assert len(found.heard) == 2
    assert all(h.attribution in ("active_speaker", "unknown") for h in found.heard)
    assert [h.speaker for h in found.heard if h.attribution == "active_speaker"] == [
        name
        for h, name in zip(found.heard, ("Ada", "Ben"), strict=True)
        if h.attribution == "active_speaker"
    ]


def test_zoom_tells_who_speaks_once_for_each_change() -> None:
    played = two_people()
    assert offline.speaker_changes(played) == [(1_300, "Ada"), (4_300, "Ben")]


def test_delays_are_measured_from_the_end_of_speech(tmp_path: Path) -> None:
    unit = in_room(two_people())

    async def played(clock):  # type: ignore[no-untyped-def]
        parts, made = parts_on(clock)
        log = MemoryLog("m", clock)
        opened = MeetingOpened(product="meeting", zoom_id="Z", started_ms=START_MS, engine="local")
        await log.append(opened)
        due = unit_outputs(unit, START_MS)
        found = await play(due, log=log, spool=tmp_path, parts=parts, start_ms=START_MS)
        await made.close()
        return found

    found = run(played, start_ms=START_MS, grace_s=0)
    assert found.lag_s < 0.001
    ada, ben = heard(found, unit, AudioSettings(), LoudnessVad)
    assert (ada.speaker, ben.speaker) == ("Ada", "Ben")
    for h in (ada, ben):
        # The silence that ends a segment, and a decode of 0.1 s and a tenth of its length.
        wait = AudioSettings().hangover_ms / 1000 + 0.1 + h.seconds / 10
        assert h.final_s is not None
        assert wait - 0.1 < h.final_s < wait + 0.15
        assert h.first_s is None  # nobody made partials


def test_a_room_follows_the_last_word() -> None:
    unit = two_people()
    longer = in_room(unit)
    assert longer.length == unit.length + 32_000
    assert 0 < np.abs(longer.tracks["Ada"][unit.length :]).max() < 0.01
    assert np.allclose(longer.tracks["Ada"][: unit.length], unit.tracks["Ada"], atol=0.01)
