"""Settings, tolerant JSON, error classes: no network."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.clock import SystemClock
from pipeline.base.errors import ConfigError
from pipeline.config import load
from pipeline.openai_client.client import ChatClient
from pipeline.openai_client.errors import RETRYABLE, from_status
from pipeline.openai_client.loose_json import find_object
from pipeline.openai_client.settings import LlmSettings

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(value=st.dictionaries(st.text(), VALUES), indent=st.sampled_from([None, 2]))
def test_what_is_json_is_found_whatever_stands_around_it(
    value: dict[str, Any], indent: int | None
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if "</think" in text.lower():
        return
    assert find_object(text) == value
    assert find_object(f"Here you are:\n```json\n{text}\n```\nAnything else?") == value
    assert find_object(f"<think>Hm, {{not this}}</think>{text}") == value


@given(text=st.text())
def test_any_other_text_is_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(find_object(text), dict)


def test_trailing_commas_are_forgiven_outside_strings_only() -> None:
    assert find_object('{"a": [1, 2,], "b": "x,}",}') == {"a": [1, 2], "b": "x,}"}


@given(value=st.dictionaries(st.text(min_size=1), st.integers(), min_size=1))
def test_a_cut_object_is_never_taken_for_a_whole_one(value: dict[str, int]) -> None:
    text = json.dumps({"outer": value})
    with contextlib.suppress(ValueError):
        # What may be found is the inner object that was complete, which accept() refuses.
        assert find_object(text[:-1]) == value


@given(
    status=st.integers(300, 599),
    body=VALUES,
    retry_after=st.text(max_size=40),
)
def test_any_error_body_is_typed(status: int, body: Any, retry_after: str) -> None:
    error = from_status(status, body, {"retry-after": retry_after}, now_ms=0, sent=["secret"])
    assert error.retryable == (error.kind in RETRYABLE)
    assert "\n" not in str(error)
    assert error.retry_after_s is None or error.retry_after_s >= 0


def test_retry_after_may_be_a_date() -> None:
    headers = {"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}
    error = from_status(429, None, headers, now_ms=1_792_567_680_000, sent=[])
    assert error.retry_after_s == 30.0


def test_the_environment_turns_it_on_only_by_our_own_names() -> None:
    settings = load(environ={"OPENAI_API_KEY": "sk", "OPENAI_BASE_URL": "http://x/v1"}).settings
    assert not settings.llm.is_on
    settings = load(environ={"RTMS_NOTES_LLM_BASE_URL": "http://localhost:1/v1"}).settings
    assert settings.llm.is_on


@pytest.mark.parametrize(
    "fields",
    [
        {"base_url": "localhost:8080"},
        {"base_url": "ftp://x/v1"},
        {"base_url": "http://me:pw@x/v1"},
        {"base_url": "http://x/v1?api_key=k"},
        {"base_url": "http://x/v1?"},
        {"base_url": "http://x/v1#k"},
        {"max_output_tokens": 0},
        {"max_output_tokens": 20_000},
        {"retries": -1},
        {"read_timeout_s": 0.0},
    ],
)
def test_settings_that_cannot_be_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        LlmSettings(**fields)


def test_a_password_in_the_address_is_one_clear_line() -> None:
    with pytest.raises(ConfigError, match="api_key") as caught:
        load(environ={"RTMS_NOTES_LLM_BASE_URL": "http://me:hunter2@x/v1"})
    assert "hunter2" not in str(caught.value)


def test_without_an_address_there_is_no_client() -> None:
    with pytest.raises(ConfigError, match="RTMS_NOTES_LLM_BASE_URL"):
        ChatClient(LlmSettings(), clock=SystemClock())


def test_a_missing_certificate_file_is_named() -> None:
    settings = LlmSettings(base_url="https://x/v1", ca_file="/nonexistent.pem")
    with pytest.raises(ConfigError, match=r"nonexistent\.pem"):
        ChatClient(settings, clock=SystemClock())
