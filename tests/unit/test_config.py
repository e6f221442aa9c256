"""Where settings come from, what is refused in one line, and that secrets are never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.base.errors import ConfigError
from pipeline.config import load, rows

CANARY = "c4nary-value"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.touch()
    return path


def table(**sources: Any) -> dict[str, tuple[str, str]]:
    return {key: (value, source) for key, value, source in rows(load(**sources))}


def refused(**sources: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(**{"environ": {}, **sources})
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


SECRETS = ("zoom.client_secret", "zoom.secret_token", "llm.api_key")


def test_secrets_are_masked_wherever_they_come_from(file: Path) -> None:
    file.write_text(
        f'[zoom]\nclient_secret = "{CANARY}"\nsecret_token = "{CANARY}"\n'
        f'[llm]\napi_key = "{CANARY}"\n'
    )
    environ = {
        "ZOOM_CLIENT_SECRET": CANARY,
        "ZOOM_SECRET_TOKEN": CANARY,
        "RTMS_NOTES_LLM_API_KEY": CANARY,
    }
    prefixed = {
        "RTMS_NOTES_ZOOM_CLIENT_SECRET": CANARY,
        "RTMS_NOTES_ZOOM_SECRET_TOKEN": CANARY,
        "RTMS_NOTES_LLM_API_KEY": CANARY,
    }
    for sources in (
        {"file": file, "environ": {}},
        {"file": file, "environ": environ},
        {"file": file, "environ": prefixed},
        {"file": file, "environ": {}, "flags": dict.fromkeys(SECRETS, CANARY)},
    ):
        shown = table(**sources)
        assert CANARY not in str(shown)
        assert [shown[key][0] for key in SECRETS] == ["***"] * 3
    assert CANARY not in repr(load(file=file, environ=environ))


def test_a_secret_that_is_not_set_is_seen_to_be_empty(file: Path) -> None:
    assert [table(file=file, environ={})[key] for key in SECRETS] == [("", "default")] * 3


def test_a_secret_of_the_wrong_kind_is_not_repeated(file: Path) -> None:
    file.write_text(f'[llm]\napi_key = ["{CANARY}"]\n')
    message = refused(file=file)
    assert "llm.api_key" in message
    assert CANARY not in message


def test_each_value_names_its_source_and_flags_win(file: Path) -> None:
    file.write_text('[general]\nport = 1\nwebhook_port = 2\n[zoom]\nclient_id = "a"\n')
    environ = {
        "RTMS_NOTES_GENERAL_WEBHOOK_PORT": "3",
        "RTMS_NOTES_STT": "local",
        "ZOOM_CLIENT_ID": "b",
    }
    shown = table(file=file, environ=environ, flags={"general.stt": "both", "general.home": None})
    assert shown["general.port"] == ("1", str(file))
    assert shown["general.webhook_port"] == ("3", "RTMS_NOTES_GENERAL_WEBHOOK_PORT")
    assert shown["zoom.client_id"] == ("b", "ZOOM_CLIENT_ID")
    assert shown["general.stt"] == ("both", "--stt")
    assert shown["general.log_level"] == ("info", "default")
    assert shown["general.home"][1] == "default of this machine"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RTMS_NOTES_LLM_BASEURL", "http://localhost/v1"),
        ("RTMS_NOTES_NOTHING", "1"),
        ("RTMS_NOTES_NO_SUCH", "1"),
        ("RTMS_NOTES_LLM", "1"),
    ],
)
def test_an_unknown_environment_name_is_one_line(file: Path, name: str, value: str) -> None:
    assert name in refused(file=file, environ={name: value})


def test_what_the_environment_may_be_called_is_said(file: Path) -> None:
    message = refused(file=file, environ={"RTMS_NOTES_LLM_BASEURL": "x"})
    assert "base_url" in message


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[llm]\nbaseurl = 1", ("[llm]", "'baseurl'", "base_url")),
        ("[lllm]\nbase_url = 1", ("[lllm]", "llm")),
        ("llm = 1", ("llm", "table")),
        ("[llm", ("TOML",)),
        ("[llm]\nretries = 'x'", ("llm.retries",)),
        ("[llm]\nretries = -1", ("[llm]", "retries")),
        ("[llm]\nbase_url = 'http://x/v1?api_key=k'", ("[llm]", "query")),
    ],
)
def test_what_is_wrong_in_the_file_is_one_line(
    file: Path, text: str, names: tuple[str, ...]
) -> None:
    file.write_text(text)
    message = refused(file=file)
    assert str(file) in message
    assert all(name in message for name in names)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    assert "gone.toml" in refused(file=tmp_path / "gone.toml")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "\0", "Europe"])
def test_a_zone_that_does_not_exist_names_its_source(file: Path, zone: str) -> None:
    assert "RTMS_NOTES_ZONE" in refused(file=file, environ={"RTMS_NOTES_ZONE": zone})


def test_a_bad_choice_names_the_flag_and_the_choices(file: Path) -> None:
    message = refused(file=file, flags={"general.stt": "cloud"})
    assert "--stt" in message
    assert all(choice in message for choice in ("native", "local", "both"))


def test_a_shells_openai_variables_turn_nothing_on(file: Path) -> None:
    environ = {
        "OPENAI_API_KEY": CANARY,
        "OPENAI_BASE_URL": "https://api.openai.example/v1",
        "OPENAI_API_BASE": "https://api.openai.example/v1",
        "OPENAI_MODEL": "m",
    }
    with_them = load(file=file, environ=environ)
    assert with_them == load(file=file, environ={})
    assert not with_them.settings.llm.is_on


def test_the_rest_api_has_names_of_its_own_and_is_off_without_them(file: Path) -> None:
    assert not load(file=file, environ={}).settings.zoom_api.is_on
    environ = {
        "ZOOM_ACCOUNT_ID": "acc",
        "ZOOM_API_CLIENT_ID": "id",
        "RTMS_NOTES_ZOOM_API_CLIENT_SECRET": CANARY,
        "RTMS_NOTES_ZOOM_API_TRIES": "3",
    }
    loaded = load(file=file, environ=environ)
    api = loaded.settings.zoom_api
    assert (api.is_on, api.account_id, api.tries) == (True, "acc", 3)
    assert api.client_secret.reveal() == CANARY
    assert table(file=file, environ=environ)["zoom_api.client_secret"][0] == "***"
    assert CANARY not in str(rows(loaded))


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"ZOOM_ACCOUNT_ID": "a"}, "account_id needs client_id"),
        ({"ZOOM_API_CLIENT_ID": "a"}, "set together"),
        ({"RTMS_NOTES_ZOOM_API_TRIES": "0"}, "1..20"),
        ({"RTMS_NOTES_MEDIA": "audio,smell"}, "one of audio, video, share"),
        ({"RTMS_NOTES_RTMS_ON_SHUTDOWN": "maybe"}, "rtms.on_shutdown"),
        ({"RTMS_NOTES_RTMS_CODEC": "G711"}, "8000"),
    ],
)
def test_what_does_not_fit_together_is_told(file: Path, environ: dict[str, str], said: str) -> None:
    assert said in refused(file=file, environ=environ)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "TRANSCRIPT|CHAT"),
        ({"RTMS_NOTES_STT": "both"}, "AUDIO|TRANSCRIPT|CHAT"),
        ({"RTMS_NOTES_MEDIA": "share, audio"}, "AUDIO|DESKSHARE|TRANSCRIPT|CHAT"),
        ({"RTMS_NOTES_MEETING_SAVE_VIDEO": "true"}, "VIDEO|TRANSCRIPT|CHAT"),
        ({"RTMS_NOTES_MEETING_SAVE_SHARE": "true"}, "DESKSHARE|TRANSCRIPT|CHAT"),
    ],
)
def test_video_and_share_are_received_only_when_wanted(
    file: Path, environ: dict[str, str], expected: str
) -> None:
    from pipeline.wiring import wanted_media

    assert wanted_media(load(file=file, environ=environ).settings).name == expected
