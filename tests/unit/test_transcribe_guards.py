from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import (
    Capabilities,
    HeardWord,
    Hints,
    Transcription,
)
from pipeline.transcribe.guards import LOW, Frame, Guarded, suspicion
from pipeline.transcribe.scripted import ScriptedEngine

LOOP = "I'm going to put it on the side. " * 14
PCM = np.full(5 * 16_000, 0.1, np.float32)
PEOPLE = ("Anna Schmidt", "Ben Weber", "Kubeflow", "Texas")


def judged(
    text: str,
    seconds: float = 5.0,
    *,
    speech_ms: int | None = None,
    terms: tuple[str, ...] = (),
    languages: tuple[str, ...] = (),
    heard: str | None = None,
) -> str | None:
    frame = Frame(seconds=seconds, speech_ms=speech_ms, terms=terms, languages=languages)
    return suspicion(Transcription(text, heard), frame)


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
        ("ご視聴ありがとうございました" * 5, 20.0, "loop"),
        ("明日の会議は十時から始めますのでよろしくお願いします", 5.0, None),
    ],
)
def test_structure_tells(text: str, seconds: float, reason: str | None) -> None:
    assert judged(text, seconds) == reason


def test_a_rate_counts_the_speech_not_the_silence_around_it() -> None:
    text = "We close the page tonight at six, then we see."
    assert judged(text, 4.0) is None
    assert judged(text, 4.0, speech_ms=3_000) is None
    assert judged(text, 4.0, speech_ms=300) == "rate"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Anna Schmidt, Ben Weber, Kubeflow.", "echo"),
        ("ben weber kubeflow texas", "echo"),
        ("Hm. Anna Schmidt, Ben Weber", "echo"),
        ("Anna Schmidt and Ben Weber will look at it.", None),
        ("Kubeflow", None),
        ("Texas, Kubeflow", None),
        ("We move Kubeflow Texas over next week.", None),
        ("Look: Anna Schmidt, Ben Weber, Kubeflow, Texas and some forty others are there.", None),
    ],
)
def test_the_prompt_repeated_is_an_echo(text: str, reason: str | None) -> None:
    assert judged(text, 12.0, terms=PEOPLE) == reason
    assert judged(text, 12.0) is None


@pytest.mark.parametrize(
    ("text", "languages", "heard", "reason"),
    [
        ("Продолжение следует", ("en",), None, "language"),
        ("Продолжение следует", (), None, None),
        ("Продолжение следует", ("en", "ru"), None, None),
        ("Das Docker-Image läuft", ("ru",), None, None),  # Latin letters occur in every text
        ("The β test and the Ω value", ("en",), None, None),
        ("字幕由社区提供", ("de-DE",), None, "language"),
        ("字幕をつける", ("ja",), None, None),
        ("안녕하세요", ("ja",), None, "language"),
        ("Wir fangen an.", ("en",), "de", "language"),
        ("We begin.", ("en-GB",), "en-US", None),
        ("Vi begynner.", ("no",), "nb", None),
        ("We begin.", ("en",), "klingonish?", None),
        ("Продолжение следует", ("not a tag",), None, None),
        ("", ("en",), "de", None),
    ],
)
def test_another_language_than_can_be_is_doubted(
    text: str, languages: tuple[str, ...], heard: str | None, reason: str | None
) -> None:
    assert judged(text, languages=languages, heard=heard) == reason


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40), st.integers(1, 5), st.integers(8, 12))
def test_a_loop_is_found_wherever_it_starts(lead: list[str], length: int, times: int) -> None:
    phrase = [f"w{index}" for index in range(length)]
    words = lead[: length * times // 2] + phrase * times
    assert judged(" ".join(words), 1000.0) == "loop"


@given(st.text(max_size=200), st.floats(0.0, 20.0), st.lists(st.text(max_size=20), max_size=8))
def test_any_text_can_be_judged(text: str, seconds: float, terms: list[str]) -> None:
    found = judged(text, seconds, speech_ms=100, terms=tuple(terms), languages=("en", "ja"))
    assert found in (None, "loop", "rate", "echo", "language")


async def test_a_good_text_is_asked_for_once() -> None:
    engine = ScriptedEngine(["We close the page."])
    heard = await Guarded(engine).transcribe(PCM)
    assert heard == Transcription("We close the page.", engine="scripted")
    assert len(engine.heard) == 1


async def test_a_loop_is_asked_for_again_with_other_samples() -> None:
    engine = ScriptedEngine([LOOP, "We close the page."])
    assert (await Guarded(engine).transcribe(PCM)).text == "We close the page."
    assert len(engine.heard[1]) > len(engine.heard[0])


async def test_a_loop_that_stays_gets_low_confidence_and_says_why() -> None:
    engine = ScriptedEngine([Transcription(LOOP, "en"), LOOP])
    heard = await Guarded(engine).transcribe(PCM)
    assert heard == Transcription(LOOP, "en", LOW, doubt="loop", engine="scripted")
    assert len(engine.heard) == 2


async def test_an_echo_is_asked_for_without_the_terms_under_another_key() -> None:
    engine = ScriptedEngine(["Anna Schmidt, Ben Weber, Kubeflow", "Well."])
    engine.capabilities = Capabilities(name="prompted", terms=True, most_terms=10)
    hints = Hints(terms=PEOPLE, language="en", key="m/s1")
    heard = await Guarded(engine).transcribe(PCM, hints)
    assert (heard.text, heard.doubt) == ("Well.", None)
    assert engine.hints == [hints, Hints(language="en", key="m/s1-again")]


async def test_a_list_of_names_that_is_heard_without_the_terms_is_believed() -> None:
    said = "Anna Schmidt, Ben Weber, Kubeflow"
    engine = ScriptedEngine([said, said])
    engine.capabilities = Capabilities(name="prompted", terms=True, most_terms=10)
    heard = await Guarded(engine).transcribe(PCM, Hints(terms=PEOPLE))
    assert (heard.text, heard.doubt) == (said, None)


async def test_the_setting_or_else_the_engine_says_what_can_be_spoken() -> None:
    engine = ScriptedEngine(otherwise="Продолжение следует")
    assert (await Guarded(engine).transcribe(PCM)).doubt is None
    assert (await Guarded(engine).transcribe(PCM, Hints(language="en"))).doubt == "language"
    engine.capabilities = Capabilities(name="english", languages=("en",))
    assert (await Guarded(engine).transcribe(PCM)).doubt == "language"
    assert (await Guarded(engine).transcribe(PCM, Hints(language="ru"))).doubt is None


@pytest.mark.parametrize(
    ("answers", "text", "doubt"),
    [
        (["Yes.", "yes", "Say"], "Yes.", None),  # heard twice, and not backwards
        (["You", ""], "", None),  # gone with other frames: never said
        (["You", "Bye."], "You", "non_speech"),
        (["You", "You.", "you"], "You", "non_speech"),  # answered to anything
        (["", "never asked"], "", None),
    ],
)
async def test_words_from_hardly_any_speech_must_come_of_it(
    answers: list[str], text: str, doubt: str | None
) -> None:
    pcm = PCM[:9_600]
    engine = ScriptedEngine(answers)
    heard = await Guarded(engine).transcribe(pcm, Hints(key="m/s1"), speech_ms=160)
    assert (heard.text, heard.doubt) == (text, doubt)
    assert (heard.confidence == LOW) == (doubt is not None)
    assert len({hints.key for hints in engine.hints}) == len(engine.hints)
    for enough in (None, 250):
        engine = ScriptedEngine(answers)
        assert (await Guarded(engine).transcribe(pcm, speech_ms=enough)).text == answers[0]
        assert len(engine.heard) == 1


async def test_backwards_is_backwards() -> None:
    ramp = np.linspace(-0.5, 0.5, 9_600, dtype=np.float32)
    engine = ScriptedEngine(otherwise="You")
    await Guarded(engine).transcribe(ramp, speech_ms=160)
    assert np.array_equal(engine.heard[2], ramp[::-1])
    assert engine.heard[2].flags.c_contiguous


async def test_words_of_the_second_try_stand_at_their_times_in_the_segment() -> None:
    words = (HeardWord("Well", 100, 600), HeardWord("then", 700, 5_400, 0.5))
    engine = ScriptedEngine([LOOP, Transcription("Well then", words=words)])
    heard = await Guarded(engine).transcribe(PCM)
    assert heard.words == (HeardWord("Well", 0, 350), HeardWord("then", 450, 5_000, 0.5))


async def test_words_shown_meanwhile_are_asked_for_once() -> None:
    engine = ScriptedEngine([LOOP, "We close the page."])
    guarded = Guarded(engine)
    assert await guarded.once(PCM) is None
    assert (await guarded.once(PCM)) == Transcription("We close the page.", engine="scripted")


async def test_errors_and_close_pass_through() -> None:
    engine = ScriptedEngine([EngineError("broken", kind="decode")])
    guarded = Guarded(engine)
    with pytest.raises(EngineError, match="broken"):
        await guarded.transcribe(PCM)
    await guarded.close()
    assert engine.closed
    assert guarded.capabilities.name == "scripted"
