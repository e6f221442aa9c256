"""The client against a real HTTP server on loopback, with the faults of real ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pipeline.base.backoff import Backoff
from pipeline.base.clock import ManualClock, SystemClock
from pipeline.base.metrics import LLM_CALLS, LLM_TOKENS
from pipeline.base.secret import Secret
from pipeline.openai_client.answer import Message, Question
from pipeline.openai_client.client import ChatClient
from pipeline.openai_client.errors import CallFailed
from pipeline.openai_client.fake import FakeLlm, Says, Turn
from pipeline.openai_client.fake_faults import Drops, Endless, Fails, Hangs, Raw
from pipeline.openai_client.settings import LlmSettings

SECRET_WORDS = "the merger with Blue Heron is on"
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
QUESTION = Question(
    name="test",
    messages=(Message("system", "Answer with JSON."), Message("user", SECRET_WORDS)),
    schema=SCHEMA,
    temperature=0.0,
)


def number(value: Any) -> int:
    found = value.get("n")
    if isinstance(found, int):
        return found
    raise ValueError("n must be a number")


class RecordingClock(SystemClock):
    """Does not wait, and remembers how long it should have."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
async def llm() -> AsyncIterator[FakeLlm]:
    async with FakeLlm() as server:
        yield server


def client_of(llm: FakeLlm, clock: RecordingClock | None = None, **settings: Any) -> ChatClient:
    values = {"model": "fake-1", "api_key": Secret("sk-ours-123"), **settings}
    return ChatClient(LlmSettings(base_url=llm.base_url, **values), clock=clock or RecordingClock())


async def ask(client: ChatClient) -> int:
    try:
        return (await client.ask(QUESTION, number)).value
    finally:
        await client.close()


async def failure(client: ChatClient) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        await ask(client)
    return caught.value


async def test_an_answer_with_usage_and_the_schema_in_the_request(llm: FakeLlm) -> None:
    llm.turns = [Says({"n": 7}, tokens_in=50, tokens_cached=30, tokens_out=4)]
    cached = LLM_TOKENS.labels("cached")._value.get()
    client = client_of(llm)
    answer = await client.ask(QUESTION, number)
    await client.close()
    (attempt,) = answer.attempts
    assert answer.value == 7
    assert (attempt.usage.tokens_in, attempt.usage.tokens_cached) == (50, 30)
    assert attempt.outcome == "ok"
    assert attempt.bytes_in == len("Answer with JSON.") + len(SECRET_WORDS)
    assert LLM_TOKENS.labels("cached")._value.get() == cached + 30
    body = llm.asked[0].body
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert body["temperature"] == 0.0
    assert body["max_tokens"] == 2000
    assert body["model"] == "fake-1"


async def test_nothing_of_the_environment_is_used_or_sent(
    llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeLlm() as trap:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
        monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-canary")
        monkeypatch.setenv("OPENAI_BASE_URL", trap.base_url)
        monkeypatch.setenv("OPENAI_ORG_ID", "org-canary")
        monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-canary")
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer canary\nX-Leak: canary")
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
            monkeypatch.setenv(name, trap.base_url)
        llm.turns = [Says({"n": 1})]
        assert await ask(client_of(llm)) == 1
        assert trap.asked == []
    headers = llm.asked[0].headers
    assert headers["authorization"] == "Bearer sk-ours-123"
    assert "canary" not in str(headers)
    assert set(headers) <= {
        "host",
        "accept",
        "accept-encoding",
        "connection",
        "content-type",
        "content-length",
        "user-agent",
        "authorization",
    }


async def test_no_key_means_no_authorization_header(
    llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    llm.turns = [Says({"n": 1})]
    assert await ask(client_of(llm, api_key=Secret(""))) == 1
    assert "authorization" not in llm.asked[0].headers


async def test_a_server_without_schemas_is_stepped_down_once_and_remembered(llm: FakeLlm) -> None:
    llm.turns = [
        Fails(400, "response_format json_schema is not supported"),
        Fails(400, "response_format is not supported"),
        Says('Sure! ```json\n{"n": 3,}\n```'),
        Says('<think>{"n": 9}?</think> {"n": 4}'),
    ]
    client = client_of(llm)
    assert (await client.ask(QUESTION, number)).value == 3
    assert client.structured == "text"
    assert (await client.ask(QUESTION, number)).value == 4
    await client.close()
    forms = [a.body.get("response_format", {}).get("type") for a in llm.asked]
    assert forms == ["json_schema", "json_object", None, None]


async def test_a_bad_request_for_another_reason_is_not_remembered(llm: FakeLlm) -> None:
    llm.otherwise = Fails(400, "no such parameter: messages")
    client = client_of(llm)
    with pytest.raises(CallFailed, match="no such parameter") as caught:
        await client.ask(QUESTION, number)
    assert caught.value.kind == "bad_request"
    assert not caught.value.retryable
    assert client.structured == "schema"
    await client.close()


async def test_parameters_of_newer_models_are_learned(llm: FakeLlm) -> None:
    llm.turns = [
        Fails(400, "Unsupported parameter: use 'max_completion_tokens' instead"),
        Fails(400, "Unsupported value: 'temperature' does not support 0"),
        Says({"n": 2}),
    ]
    assert await ask(client_of(llm)) == 2
    last = llm.asked[-1].body
    assert "max_tokens" not in last
    assert last["max_completion_tokens"] == 2000
    assert "temperature" not in last


async def test_retry_after_is_obeyed_and_the_sdk_does_not_retry_by_itself(llm: FakeLlm) -> None:
    llm.turns = [
        Fails(429, "slow down", headers={"Retry-After": "7"}),
        Fails(500),
        Says({"n": 5}),
    ]
    clock = RecordingClock()
    assert await ask(client_of(llm, clock)) == 5
    assert len(llm.asked) == 3
    assert clock.slept[0] == 7.0
    assert 0 < clock.slept[1] <= 1.0


async def test_a_long_retry_after_is_handed_up_not_waited_for(llm: FakeLlm) -> None:
    llm.turns = [Fails(429, "slow down", headers={"Retry-After": "900"})]
    clock = RecordingClock()
    error = await failure(client_of(llm, clock))
    assert (error.kind, error.retryable, error.retry_after_s) == ("rate_limited", True, 900.0)
    assert clock.slept == []


@pytest.mark.parametrize(
    ("turn", "kind", "retryable", "tries"),
    [
        (Fails(401, "bad key sk-ours-123"), "auth", False, 1),
        (Fails(404, "model gone"), "not_found", False, 1),
        (Fails(429, "x", code="insufficient_quota"), "quota", False, 1),
        (Fails(400, "x", code="context_length_exceeded"), "context_exceeded", False, 1),
        (Fails(400, "request exceeds the available context size"), "context_exceeded", False, 1),
        (Fails(400, "x", code="content_filter"), "refused", False, 1),
        (Fails(307, headers={"Location": "http://127.0.0.1:9/v1"}), "redirected", False, 1),
        (Fails(503), "server", True, 3),
        (Raw(b"<html>gateway</html>"), "server", True, 3),
        (Raw(b'{"choices": []}'), "empty", True, 3),
        (Raw(b'{"choices": [{"message": {"content": null}}]}'), "empty", True, 3),
        (Raw(b"[1, 2"), "server", True, 3),
        (Raw(b"[" * 50_000), "server", True, 3),
        (Drops(), "connect", True, 3),
        (Says("", refusal="I cannot"), "refused", False, 1),
        (Says("", finish_reason="content_filter"), "refused", False, 1),
        (Says('{"n": 1, "words": "cut he', finish_reason="length"), "truncated", False, 1),
        (Says("", finish_reason="length"), "truncated", False, 1),
        (Says("I would rather not say."), "bad_output", True, 2),
        (Says({"m": 1}), "bad_output", True, 2),
        (Says('{"n": NaN}'), "bad_output", True, 2),
        (Says('{"n": ' * 30_000), "bad_output", True, 2),
    ],
)
async def test_every_fault_has_its_kind(
    llm: FakeLlm, turn: Turn, kind: str, retryable: bool, tries: int
) -> None:
    llm.otherwise = turn
    counted = LLM_CALLS.labels("test", kind)._value.get()
    error = await failure(client_of(llm))
    assert (error.kind, error.retryable) == (kind, retryable)
    assert len(llm.asked) == tries == len(error.attempts)
    assert {a.outcome for a in error.attempts} == {kind}
    assert LLM_CALLS.labels("test", kind)._value.get() == counted + tries
    assert SECRET_WORDS not in str(error)
    assert "sk-ours" not in str(error)
    assert "\n" not in str(error)


async def test_a_message_that_repeats_the_question_is_not_passed_on(llm: FakeLlm) -> None:
    llm.otherwise = Fails(422, f"cannot parse: {SECRET_WORDS}")
    error = await failure(client_of(llm))
    assert "Blue Heron" not in str(error)


async def test_one_repair_round_shows_what_was_wrong(llm: FakeLlm) -> None:
    llm.turns = [Says({"n": "seven"}), Says({"n": 7})]
    assert await ask(client_of(llm)) == 7
    repair = llm.asked[1].body["messages"]
    assert repair[:2] == llm.asked[0].body["messages"]
    assert repair[2] == {"role": "assistant", "content": '{"n": "seven"}'}
    assert "n must be a number" in repair[3]["content"]


async def test_a_complete_answer_counts_although_it_ended_at_the_limit(llm: FakeLlm) -> None:
    llm.turns = [Says({"n": 7}, finish_reason="length")]
    assert await ask(client_of(llm)) == 7


async def test_a_server_that_hangs_times_out_by_phase(llm: FakeLlm) -> None:
    llm.otherwise = Hangs()
    error = await failure(client_of(llm, read_timeout_s=0.05, retries=0))
    assert (error.kind, error.retryable) == ("timeout", True)


async def test_an_endless_answer_ends_by_size_or_by_time(llm: FakeLlm) -> None:
    llm.otherwise = Endless()
    error = await failure(client_of(llm, max_answer_bytes=100_000))
    assert (error.kind, len(llm.asked)) == ("too_long", 1)
    error = await failure(client_of(llm, call_timeout_s=0.1, max_answer_bytes=1 << 40, retries=0))
    assert error.kind == "timeout"


async def test_nobody_at_the_address(llm: FakeLlm) -> None:
    settings = LlmSettings(base_url="http://127.0.0.1:9/v1", model="m", retries=1)
    error = await failure(ChatClient(settings, clock=RecordingClock()))
    assert (error.kind, error.retryable, len(error.attempts)) == ("connect", True, 2)
    assert "127.0.0.1:9" in str(error)


async def test_the_only_model_of_a_server_needs_no_name(llm: FakeLlm) -> None:
    llm.turns = [Says({"n": 1})]
    assert await ask(client_of(llm, model="")) == 1
    assert llm.asked[0].body["model"] == "fake-1"
    async with FakeLlm(models=("a", "b")) as two:
        error = await failure(client_of(two, model=""))
    assert error.kind == "no_model"
    assert "a, b" in str(error)


async def test_calls_in_flight_are_bounded(llm: FakeLlm) -> None:
    llm.otherwise = Hangs()
    client = client_of(llm, parallel_calls=2)
    tasks = [asyncio.create_task(client.ask(QUESTION, number)) for _ in range(3)]
    await llm.wait_asked(2)
    await asyncio.sleep(0)
    assert len(llm.asked) == 2
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await client.close()


async def test_words_and_key_stay_out_of_the_logs(
    llm: FakeLlm, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_LOG", "debug")
    logging.getLogger("openai").setLevel(logging.DEBUG)  # as the SDK does at import with OPENAI_LOG
    caplog.set_level(logging.DEBUG)
    logging.getLogger("openai").setLevel(logging.DEBUG)
    llm.turns = [Fails(500), Says({"n": 1})]
    assert await ask(client_of(llm)) == 1
    assert "Blue Heron" not in caplog.text
    assert "sk-ours" not in caplog.text


async def test_waiting_uses_the_given_clock(llm: FakeLlm) -> None:
    llm.turns = [Fails(503), Says({"n": 1})]
    clock = ManualClock()
    settings = LlmSettings(base_url=llm.base_url, model="m", retry_base_s=3.0)
    client = ChatClient(settings, clock=clock)
    task = asyncio.create_task(client.ask(QUESTION, number))
    await llm.wait_asked(1)
    while not clock._sleepers:  # noqa: ASYNC110 - the clock has no event for it
        await asyncio.sleep(0)
    assert not task.done()
    await clock.advance(next(Backoff(base=3.0).delays()))
    assert (await task).value == 1
    await client.close()
