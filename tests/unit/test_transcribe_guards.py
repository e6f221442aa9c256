from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import Transcription
from pipeline.transcribe.guards import LOW, Guarded, suspicion
from pipeline.transcribe.scripted import ScriptedEngine

LOOP = "I'm going to put it on the side. " * 14
PCM = np.full(5 * 16_000, 0.1, np.float32)


@pytest.mark.parametrize(
    ("text", "seconds", "reason"),
    [
        ("", 5.0, None),
        ("Yes.", 0.3, None),
        ("No, no, no, no.", 2.0, None),
        ("I do not know. I do not know. I do not know.", 4.0, None),
        ("We close the page tonight at six, and then we will see about the oven.", 4.0, None),
        (LOOP, 60.0, "loop"),
        ("no " * 30, 20.0, "loop"),
        ("And then it was the and the and the and the and the and the", 8.0, "loop"),
        ("Thank you. Thank you. Thank you. Thank you. Thank you.", 12.0, "loop"),
        ("You know, it is, you know, a thing we, you know, all like, you know.", 6.0, None),
        ("We close the page tonight at six, and then we will see about it.", 1.0, "rate"),
    ],
)
def test_structure_tells(text: str, seconds: float, reason: str | None) -> None:
    assert suspicion(text, seconds) == reason


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40), st.integers(1, 5), st.integers(8, 12))
def test_a_loop_is_found_wherever_it_starts(lead: list[str], length: int, times: int) -> None:
    phrase = [f"w{index}" for index in range(length)]
    words = lead[: length * times // 2] + phrase * times
    assert suspicion(" ".join(words), 1000.0) == "loop"


@given(st.text(max_size=200), st.floats(0.0, 20.0))
def test_any_text_can_be_judged(text: str, seconds: float) -> None:
    assert suspicion(text, seconds) in (None, "loop", "rate")


async def test_a_good_text_is_asked_for_once() -> None:
    engine = ScriptedEngine(["We close the page."])
    assert await Guarded(engine).transcribe(PCM) == Transcription("We close the page.")
    assert len(engine.heard) == 1


async def test_a_loop_is_asked_for_again_with_other_samples() -> None:
    engine = ScriptedEngine([LOOP, "We close the page."])
    assert (await Guarded(engine).transcribe(PCM)).text == "We close the page."
    assert len(engine.heard[1]) > len(engine.heard[0])


async def test_a_loop_that_stays_gets_low_confidence() -> None:
    engine = ScriptedEngine([Transcription(LOOP, "en"), LOOP])
    assert await Guarded(engine).transcribe(PCM) == Transcription(LOOP, "en", LOW)
    assert len(engine.heard) == 2


async def test_errors_and_close_pass_through() -> None:
    engine = ScriptedEngine([EngineError("broken", kind="decode")])
    guarded = Guarded(engine)
    with pytest.raises(EngineError, match="broken"):
        await guarded.transcribe(PCM)
    await guarded.close()
    assert engine.closed
    assert guarded.capabilities.name == "scripted"
