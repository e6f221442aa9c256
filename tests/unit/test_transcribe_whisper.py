"""The whisper engine without a model: what it asks the library for, and what it says is missing."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.base.errors import EngineError
from pipeline.transcribe.engine import HeardWord, Hints
from pipeline.transcribe.settings import TranscribeSettings
from pipeline.transcribe.whisper import MOST_TERMS, NEEDED, WhisperEngine

SPEECH = np.full(32_000, 0.1, np.float32)


def part(text: str, logprob: float, tokens: int, *words: tuple[str, float, float, float]) -> Any:
    found = [SimpleNamespace(word=w, start=a, end=b, probability=p) for w, a, b, p in words]
    return SimpleNamespace(text=text, avg_logprob=logprob, tokens=[0] * tokens, words=found)


class FakeModel:
    """Stands in for ``faster_whisper.WhisperModel``."""

    def __init__(self, *parts: Any, languages: tuple[str, ...] = ("en", "de", "pt")) -> None:
        self.supported_languages = list(languages)
        self.asked: list[dict[str, Any]] = []
        self._parts = parts

    def transcribe(self, audio: Any, **options: Any) -> tuple[Iterator[Any], Any]:
        self.asked.append(options)
        return self._all(), SimpleNamespace(language=options["language"] or "de")

    def _all(self) -> Iterator[Any]:
        """As the library's: lazy, so that its errors come while it is read."""
        for one in self._parts:
            if isinstance(one, Exception):
                raise one
            yield one


def engine(*parts: Any, language: str = "", **kwargs: Any) -> tuple[WhisperEngine, FakeModel]:
    model = FakeModel(*parts, **kwargs)
    return WhisperEngine(model, (RuntimeError,), TranscribeSettings(language=language)), model


async def test_words_have_times_and_confidence_within_the_segment() -> None:
    hearing, model = engine(
        part(" Guten", -0.1, 3, (" Guten", 0.1, 0.5, 0.9123)),
        part(" Morgen.", -0.5, 1, (" Morgen.", 0.5, 2.6, 0.8), (" ", 2.6, 2.7, 0.1)),
    )
    found = await hearing.transcribe(SPEECH)
    assert found.text == "Guten Morgen."
    assert found.words == (
        HeardWord("Guten", 100, 500, 0.912),
        HeardWord("Morgen.", 500, 2_000, 0.8),
    )
    assert found.confidence == round(math.exp(-0.2), 3)
    assert (found.language, found.engine) == ("de", "whisper")
    [asked] = model.asked
    assert asked["no_speech_threshold"] is None
    assert (asked["vad_filter"], asked["without_timestamps"]) == (False, False)
    assert asked["condition_on_previous_text"] is False
    assert (asked["beam_size"], asked["temperature"]) == (5, 0.0)
    assert (asked["hotwords"], asked["language"]) == (None, None)
    await hearing.close()


async def test_language_and_terms_are_handed_on_as_whisper_knows_them() -> None:
    hearing, model = engine()
    terms = tuple(f"T{n}" for n in range(90))
    for language in ("pt-BR", "tlh", ""):
        found = await hearing.transcribe(SPEECH, Hints(language=language, terms=terms))
        assert (found.text, found.language, found.confidence) == ("", None, None)
    await hearing.close()
    assert [asked["language"] for asked in model.asked] == ["pt", None, None]
    assert model.asked[0]["hotwords"].split(", ") == list(terms[:MOST_TERMS])
    fixed, model = engine(language="de-AT")
    await fixed.transcribe(SPEECH, Hints(language="en"))
    await fixed.close()
    assert model.asked[0]["language"] == "de"
    assert fixed.capabilities.languages == ("de",)


def test_capabilities_follow_model_and_language() -> None:
    for kwargs, languages, detects in (
        ({}, (), True),
        ({"language": "de"}, ("de",), False),
        ({"languages": ("en",)}, ("en",), False),
    ):
        hearing, _ = engine(**kwargs)
        known = hearing.capabilities
        assert (known.name, known.remote, known.partials) == ("whisper", False, False)
        assert (known.languages, known.detects_language) == (languages, detects)
        assert known.word_times
        assert known.most_terms == MOST_TERMS
    with pytest.raises(EngineError) as caught:
        engine(language="de", languages=("en",))
    assert (caught.value.kind, "RTMS_NOTES_TRANSCRIBE_LANGUAGE" in str(caught.value)) == (
        "language",
        True,
    )


async def test_what_holds_no_word_is_not_given_to_the_model() -> None:
    hearing, model = engine(part(" you", -1, 1))
    for nothing in (np.zeros(0), np.zeros(16_000), np.full(1_000, 0.1)):
        assert (await hearing.transcribe(nothing.astype(np.float32))).text == ""
    assert model.asked == []
    await hearing.close()


async def test_a_failing_decode_is_typed_and_a_closed_engine_says_so() -> None:
    hearing, _ = engine(part(" Half", -1, 1), RuntimeError("bad tensor"))
    with pytest.raises(EngineError) as caught:
        await hearing.transcribe(SPEECH)
    assert (caught.value.kind, caught.value.retryable) == ("decode", True)
    await hearing.close()
    with pytest.raises(EngineError) as caught:
        await hearing.transcribe(SPEECH)
    assert caught.value.kind == "closed"


# -- opening ----------------------------------------------------------------------------------


def refused(folder: str, **settings: Any) -> EngineError:
    with pytest.raises(EngineError) as caught:
        WhisperEngine.open(TranscribeSettings(whisper_model=folder, **settings))
    assert "\n" not in str(caught.value)
    return caught.value


def model_folder(tmp_path: Path) -> Path:
    for name in NEEDED:
        (tmp_path / name).write_bytes(b"not a model")
    return tmp_path


def test_no_folder_and_a_folder_without_a_model_are_told_with_the_setting(tmp_path: Path) -> None:
    assert "RTMS_NOTES_TRANSCRIBE_WHISPER_MODEL=FOLDER" in str(refused(""))
    assert "no such folder" in str(refused(str(tmp_path / "none")))
    assert "model.bin, config.json, tokenizer.json missing" in str(refused(str(tmp_path)))
    model_folder(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    assert "tokenizer.json missing" in str(refused(str(tmp_path))), "it would be looked for online"
    assert refused(str(tmp_path)).kind == "load"


def test_a_missing_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    error = refused(str(model_folder(tmp_path)))
    assert error.kind == "missing_extra"
    assert "pip install 'rtms-notes[whisper]'" in str(error)


def test_a_model_without_its_preprocessor_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []

    class Model(FakeModel):
        model = SimpleNamespace(n_mels=128)
        feature_extractor = SimpleNamespace(mel_filters=np.zeros((80, 201)))

        def __init__(self, name: str, **options: Any) -> None:
            super().__init__()
            made.append(options)

    fake = ModuleType("faster_whisper")
    fake.WhisperModel = Model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", fake)
    error = refused(str(model_folder(tmp_path)))
    assert (error.kind, "preprocessor_config.json" in str(error)) == ("load", True)
    assert made == [
        {
            "device": "cpu",
            "compute_type": "int8",
            "cpu_threads": 1,
            "num_workers": 1,
            "local_files_only": True,
        }
    ]


def test_files_that_are_no_model_do_not_load(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper", reason="the extra 'whisper' is not installed")
    error = refused(str(model_folder(tmp_path)))
    assert (error.kind, "not a model that faster-whisper can load" in str(error)) == ("load", True)
