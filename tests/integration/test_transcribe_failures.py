"""`transcribe` when speech-to-text fails in the middle: what is told, kept, and gone on with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.base.errors import EngineError, OutsideError
from pipeline.cli import transcribe
from pipeline.cli.transcribe_order import order_of
from pipeline.config import Settings
from pipeline.meeting.file_stream import FileSource
from pipeline.meeting.parts import Parts
from pipeline.model.state import MeetingState
from pipeline.store.reader import Reader
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.scripted import ScriptedEngine
from pipeline.transcribe.settings import TranscribeSettings
from pipeline.wiring import open_parts
from tests.integration.processes import needs_local_engine
from tests.integration.test_transcribe_speech import speech
from tests.media_makers import write_wav

Run = Callable[[ScriptedEngine], Any]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Transcribe half a minute of speech with an engine of the test's."""
    needs_local_engine()  # its wheel has the recording
    path = write_wav(tmp_path / "anna.wav", speech("two_cities.wav", 30.0))

    async def once(engine: ScriptedEngine) -> MeetingState | None:
        async def parts(stack: AsyncExitStack, settings: Settings, **options: Any) -> Parts:
            made = await open_parts(stack, settings, **options)
            pool = DecodePool(
                lambda: engine, settings=TranscribeSettings(workers=1, retry_wait_s=0)
            )
            stack.push_async_callback(pool.close)
            return replace(made, pool=pool)

        monkeypatch.setattr(transcribe, "open_parts", parts)
        settings = transcribe._settings(None, {"general.home": str(home)}, None)
        order = order_of([path], ["Anna"], None, None, settings, again=False)
        assert [type(one) for one in order.sources] == [FileSource]
        return await transcribe._transcribe(settings, order)

    return once


def stored(home: Path) -> MeetingState:
    reader = Reader.open(home)
    try:
        [view] = reader.meetings()
        return reader.state(view.id)
    finally:
        reader.close()


async def test_what_only_an_installation_can_mend_keeps_everything(home: Path, run: Run) -> None:
    broken = ScriptedEngine(["one"], otherwise=EngineError("no model any more", kind="load"))
    with pytest.raises(EngineError, match=r"no model any more.*the same command goes on"):
        await run(broken)
    left = stored(home)
    assert left.finished is None
    assert [u.text for u in left.transcript()] == ["one"]
    state = await run(ScriptedEngine(otherwise="more"))  # the same command, once it is mended
    assert state is not None
    assert state.finished is not None
    assert state.meeting == left.meeting
    texts = [u.text for u in state.transcript()]
    assert texts[0] == "one"
    assert set(texts[1:]) == {"more"}
    assert {closed.outcome for closed in state.outcomes.values()} == {"text"}
    assert state.missing() == []
    transcribe._complain(state)  # has nothing to say


async def test_segments_that_fail_are_gaps_and_status_1(run: Run) -> None:
    state = await run(ScriptedEngine(["one"], otherwise=EngineError("it broke", kind="crash")))
    assert state is not None
    assert state.finished is not None
    outcomes = [closed.outcome for closed in state.outcomes.values()]
    assert outcomes.count("failed") == len(state.missing()) >= 1
    with pytest.raises(OutsideError, match=r"\d of \d segments could not be.*it broke"):
        transcribe._complain(state)
