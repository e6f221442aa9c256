"""``rtms-notes eval stt`` and ``eval corpus`` as people call them, with a scripted engine."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.audio import chain as audio_chain
from pipeline.audio.vad import LoudnessVad
from pipeline.cli.app import app
from pipeline.config import Settings
from pipeline.evaluate.stt import runner
from pipeline.evaluate.stt.corpus import sources
from pipeline.evaluate.stt.sound import save
from pipeline.meeting.parts import Parts
from pipeline.transcribe.engine import Pcm
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.scripted import ScriptedEngine
from tests.idle_clock import IdleClock
from tests.long_meeting import parts_on


def say(pcm: Pcm) -> str:
    return "hello there" if np.abs(pcm).max() > 0.2 else "hello"


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A loud and a soft tone; the engine hears words by loudness."""
    at = np.arange(16_000 * 2) / 16_000
    tone = np.sin(2 * np.pi * 300 * at).astype(np.float32)
    for name, gain in (("loud", 0.5), ("soft", 0.1)):
        save(tmp_path / f"{name}.wav", tone * np.float32(gain))
    path = tmp_path / "m.jsonl"
    lines = [{"audio_filepath": f"{name}.wav", "text": "Hello there!"} for name in ("loud", "soft")]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    async def parts_of(stack: AsyncExitStack, settings: Settings) -> Parts:
        pool = DecodePool(lambda: ScriptedEngine(say))
        stack.push_async_callback(pool.close)
        parts, unused = parts_on(IdleClock())
        await unused.close()
        object.__setattr__(parts, "pool", pool)
        return parts

    defaults = audio_chain.AudioChain.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "vad", LoudnessVad)
    monkeypatch.setattr(runner, "parts_of", parts_of)
    return path


def test_a_manifest_is_scored(manifest: Path) -> None:
    found = CliRunner().invoke(app, ["eval", "stt", str(manifest), "--engine", "local"])
    assert found.exit_code == 0, found.output
    assert "WER" in found.output
    assert "25.0%" in found.output


def test_json_holds_the_figures_and_every_recording(manifest: Path) -> None:
    found = CliRunner().invoke(app, ["eval", "stt", str(manifest), "--json", "--whole"])
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told["engine"] == "local"
    assert told["mode"] == "whole"
    assert told["summary"]["wer"] == 0.25
    assert [r["name"] for r in told["results"]] == ["loud", "soft"]
    assert told["settings"]["audio"]["hangover_ms"] > 0


def test_reports_are_written_and_compared(manifest: Path, tmp_path: Path) -> None:
    first = CliRunner().invoke(app, ["eval", "stt", str(manifest), "--out", str(tmp_path / "o")])
    assert first.exit_code == 0, first.output
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == [
        "report.json",
        "report.md",
        "words.png",
    ]
    report = tmp_path / "o" / "report.json"
    again = CliRunner().invoke(app, ["eval", "stt", str(manifest), "--against", str(report)])
    assert again.exit_code == 0, again.output
    assert "before" in again.output


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--engine", "native"], "name one engine"),
        (["--engine", "nonsense"], "nonsense"),
        (["--whole", "--paced"], "--whole leaves our chain out"),
        (["--against", "none.json"], "no report none.json"),
    ],
)
def test_what_cannot_be_is_one_line(manifest: Path, arguments: list[str], why: str) -> None:
    found = CliRunner().invoke(app, ["eval", "stt", str(manifest), *arguments])
    assert found.exit_code == 1
    assert why in found.stderr
    assert found.stderr.count("\n") == 1


def test_a_bad_manifest_is_one_line_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text("{}\n")
    found = CliRunner().invoke(app, ["eval", "stt", str(tmp_path / "m.jsonl")])
    assert found.exit_code == 1
    assert f"{tmp_path / 'm.jsonl'}:1: " in found.stderr
    assert found.stderr.count("\n") == 1


def test_no_corpus_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> Path:
        raise sources.NoSource("moonshine's recordings: pip install moonshine-voice==0.1.0")

    for name in ("POCKETSPHINX", "PROMPTS", "MUSIC"):
        monkeypatch.setattr(sources, name, tmp_path / "none")
    monkeypatch.setattr(sources, "_assets", gone)
    found = CliRunner().invoke(app, ["eval", "corpus", str(tmp_path / "c"), "--json"])
    assert found.exit_code == 0  # noise and silence need no package
    built = {Path(part["manifest"]).stem: part for part in json.loads(found.stdout)}
    assert built["natural"]["clips"] == 0
    assert len(built["natural"]["missing"]) == 3
    assert built["nonspeech"]["clips"] == 5
