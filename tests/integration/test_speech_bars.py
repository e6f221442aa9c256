"""What the project promises of its hearing, measured by its own commands on packaged recordings.

Without the pyannote sample, which is downloaded by hand (docs/transcription.md, "Corpus"). These
are bars, not the figures themselves: those are in the docs.
"""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app

_HERE = (
    importlib.util.find_spec("moonshine_voice") is not None
    and Path("/usr/share/pocketsphinx/test/data/librivox").is_dir()
    and Path("/usr/share/asterisk/moh").is_dir()
)
pytestmark = pytest.mark.skipif(
    not _HERE and not os.environ.get("CI"),
    reason="needs the extra 'local', pocketsphinx-testdata and asterisk-moh-opsound-wav",
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    found = CliRunner().invoke(app, ["eval", "corpus", str(folder)])
    assert found.exit_code == 0, found.output
    return folder


def figures(manifest: Path, *options: str) -> dict[str, Any]:
    words = ["eval", "stt", str(manifest), "--engine", "local", "--json", *options]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0, found.output
    report: dict[str, Any] = json.loads(found.stdout)
    return report


def test_natural_speech_is_understood_as_well_in_segments_as_whole(corpus: Path) -> None:
    ours = figures(corpus / "natural.jsonl")["summary"]
    whole = figures(corpus / "natural.jsonl", "--whole")["summary"]
    assert ours["wer"] <= 0.09
    assert ours["wer"] - whole["wer"] <= 0.02
    assert ours["added"] == 0, "a segment below a second added words"


def test_music_noise_and_silence_have_no_words(corpus: Path) -> None:
    found = figures(corpus / "nonspeech.jsonl")["summary"]
    assert found["silent_s"] >= 600
    assert (found["segments"], found["made_up"]) == (0, 0)


def test_meetings_are_understood_as_well_as_each_voice_alone(corpus: Path) -> None:
    meetings = figures(corpus / "mixed.jsonl")["summary"]
    voices = figures(corpus / "voices.jsonl")["summary"]
    assert meetings["cp_wer"] - voices["wer"] <= 0.03
    assert meetings["attribution"] == 1.0


def test_in_one_mixed_stream_hardly_a_word_has_a_wrong_name(corpus: Path) -> None:
    found = figures(corpus / "mixed.jsonl", "--mixed")["summary"]
    assert found["attribution"] >= 0.97
    assert found["attribution_unknown"] <= 0.35
