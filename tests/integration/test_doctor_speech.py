"""What the doctor says of speech-to-text, against servers that answer, refuse or are not there."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from pipeline.base.errors import EngineError
from pipeline.base.secret import Secret
from pipeline.cli.doctor_speech import engines, vocabulary
from pipeline.cli.finding import Finding
from pipeline.config import Settings
from pipeline.transcribe.fake_http import FakeTranscriptions
from tests.integration.test_doctor import settings

KEY = "sk-not-to-be-seen"


def told(found: list[Finding]) -> dict[str, tuple[str, str, str]]:
    assert KEY not in repr(found)
    return {one.check: (one.state, one.detail, one.advice) for one in found}


def remote(home: Path, url: str, **flags: Any) -> Settings:
    chosen = {"general.stt": "openai", "stt.base_url": url, "stt.api_key": Secret(KEY)}
    return settings(home, **{**chosen, **flags})


async def test_a_server_that_lists_its_only_model_is_ok(tmp_path: Path) -> None:
    async with FakeTranscriptions(key=KEY) as server:
        found = told(await engines(remote(tmp_path, server.base_url)))
        assert found == {
            "speech address": ("ok", "audio stays on this machine (127.0.0.1)", ""),
            "openai server": ("ok", "has the model fake-hearing", ""),
        }
        server.models = ("a", "b\x1b[31m")
        state, _, advice = told(await engines(remote(tmp_path, server.base_url)))["openai server"]
        assert (state, advice) == ("failed", "set RTMS_NOTES_STT_MODEL; listed: a, b[31m")
        named = remote(tmp_path, server.base_url, **{"stt.model": "c"})
        assert told(await engines(named))["openai server"][0] == "warning"
        wrong = remote(tmp_path, server.base_url, **{"stt.api_key": Secret("other")})
        state, _, advice = told(await engines(wrong))["openai server"]
        assert (state, advice) == ("failed", "check RTMS_NOTES_STT_API_KEY")


@pytest.mark.parametrize("name", ["openai", "openai-realtime", "deepgram"])
async def test_nobody_there_is_failed_with_what_to_do(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    chosen = remote(tmp_path, url, **{"general.stt": name, "stt.model": "m"})
    state, _, advice = told(await engines(chosen))[f"{name} server"]
    assert (state, "RTMS_NOTES_STT_BASE_URL" in advice) == ("failed", True)


async def test_an_address_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    chosen = remote(tmp_path, "http://speech.invalid/v1", **{"stt.connect_timeout_s": 0.5})
    state, detail, advice = told(await engines(chosen))["speech address"]
    assert (state, detail) == ("warning", "audio and key go to speech.invalid unencrypted")
    assert "https://" in advice


async def test_settings_that_cannot_work_are_one_finding(tmp_path: Path) -> None:
    [found] = await engines(settings(tmp_path, **{"general.stt": "deepgram"}))
    assert found.state == "failed"
    assert "RTMS_NOTES_STT_BASE_URL" in found.advice


async def test_engines_of_this_machine_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings(
        tmp_path,
        **{
            "general.stt": "whisper",
            "transcribe.whisper_model": str(tmp_path / "none"),
            "transcribe.partials": "off",
        },
    )
    state, detail, advice = told(await engines(chosen))["whisper engine"]
    assert (state, detail) == ("failed", "does not load")
    assert "no such folder" in advice

    def missing(*_: object, **__: object) -> None:
        raise EngineError("the local engine is not installed: pip install", kind="missing_extra")

    monkeypatch.setattr("pipeline.transcribe.child_engine.ChildEngine.__init__", missing)
    for stt, expected in (("native", "skipped"), ("local", "failed"), ("both", "failed")):
        found = told(await engines(settings(tmp_path, **{"general.stt": stt})))
        assert found["local engine"][:2] == (expected, "not installed")


async def test_glossary_and_calendar_are_read(tmp_path: Path) -> None:
    assert await vocabulary(settings(tmp_path)) == []
    good, bad = tmp_path / "terms.txt", tmp_path / "week.ics"
    good.write_text("Kubeflow\nSiobhan: shavon\n")
    bad.write_text("no calendar")
    files = {"transcribe.glossary": str(good), "transcribe.calendar": str(bad)}
    found = told(await vocabulary(settings(tmp_path, **files)))
    assert found["glossary"] == ("ok", "2 terms", "")
    state, _, advice = found["calendar"]
    assert state == "failed"
    assert "week.ics: not a calendar file" in advice
