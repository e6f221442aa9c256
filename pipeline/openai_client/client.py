"""One client for any OpenAI-compatible server.

Importing this module loads the SDK (about half a second); do it only when a server is configured.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx2
import msgspec
import openai

from pipeline.base import metrics
from pipeline.base.backoff import Backoff
from pipeline.base.clock import Clock
from pipeline.base.errors import ConfigError
from pipeline.openai_client.answer import Answer, Attempt, Message, Question, Usage
from pipeline.openai_client.errors import CallFailed, from_status
from pipeline.openai_client.loose_json import find_object
from pipeline.openai_client.reply import Reply, read_reply
from pipeline.openai_client.settings import LlmSettings
from pipeline.openai_client.wire import AnswerTooLong, open_http

T = TypeVar("T")

_STEPS = ("schema", "json", "text")
_QUOTED = 2_000
"""So much of an unusable answer is shown to the model when it is asked to repair it."""

_REPAIR = (
    "That answer could not be used: {reason}. Answer the request again with one JSON object in "
    "the form it asks for, and nothing else."
)


class ChatClient:
    """Asks one model for JSON. Shared by all meetings of an event loop.

    What a server turned out not to understand (JSON schema, JSON mode, ``max_tokens``,
    ``temperature``) is remembered for as long as the client lives.
    """

    def __init__(
        self,
        settings: LlmSettings,
        *,
        clock: Clock,
        rng: random.Random | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """``transport`` replaces the network. Raises ConfigError without a ``base_url`` or when
        ``ca_file`` cannot be read."""
        if not settings.is_on:
            raise ConfigError("no language model is configured (RTMS_NOTES_LLM_BASE_URL)")
        self.settings = settings
        self._clock = clock
        self._rng = rng
        try:
            http = open_http(
                api_key=settings.api_key,
                timeout=httpx2.Timeout(
                    connect=settings.connect_timeout_s,
                    read=settings.read_timeout_s,
                    write=settings.write_timeout_s,
                    pool=settings.pool_timeout_s,
                ),
                max_answer_bytes=settings.max_answer_bytes,
                ca_file=settings.ca_file,
                transport=transport,
            )
        except OSError as error:
            raise ConfigError(f"llm.ca_file: {settings.ca_file}: {error.strerror}") from error
        # Every argument with an environment variable behind it is given, or it would be read;
        # what is left of them is dropped in wire.py.
        self._sdk = openai.AsyncOpenAI(
            api_key="set in wire.py",
            admin_api_key="",
            organization="",
            project="",
            webhook_secret="",
            base_url=settings.base_url,
            max_retries=0,
            http_client=http,
        )
        logging.getLogger("openai").setLevel(logging.WARNING)  # OPENAI_LOG would print the words
        self._model = settings.model
        self._step = 0 if settings.structured == "auto" else _STEPS.index(settings.structured)
        self._limit_name = "max_tokens"
        self._takes_temperature = True
        self._calls = asyncio.Semaphore(settings.parallel_calls)

    @property
    def model(self) -> str:
        """The model's name; empty until the first call when the server is to name it."""
        return self._model

    @property
    def structured(self) -> str:
        """How JSON is asked for at present: ``schema``, ``json`` or ``text``."""
        return _STEPS[self._step]

    async def close(self) -> None:
        """Close connections."""
        await self._sdk.close()

    async def ask(self, question: Question, accept: Callable[[Any], T]) -> Answer[T]:
        """The answer as ``accept`` makes it out of the JSON object; ``accept`` raises ValueError
        (one line) for an object it cannot use, and the model may then repair it once.

        Raises CallFailed, whose ``attempts`` are all tries made.
        """
        attempts: list[Attempt] = []
        try:
            value = await self._until_usable(question, accept, attempts)
        except CallFailed as error:
            error.attempts = tuple(attempts)
            raise
        return Answer(value=value, attempts=tuple(attempts))

    async def _until_usable(
        self, question: Question, accept: Callable[[Any], T], attempts: list[Attempt]
    ) -> T:
        step = self._step
        messages = question.messages
        repaired = False
        delays = self._backoff().delays(self._rng)
        while True:
            asked = msgspec.structs.replace(question, messages=messages)
            started = self._clock.monotonic()
            reply: Reply | None = None
            try:
                reply = await self._post(asked, step)
                reply.raise_for_refusal()
                value = accept(find_object(reply.text))
            except asyncio.CancelledError:
                self._note(attempts, asked, "cancelled", started, reply)
                raise
            except CallFailed as error:
                self._note(attempts, asked, error.kind, started, reply)
                if self._adapt(error, asked):
                    continue
                if error.kind == "bad_request" and self._may_step_down(step):
                    step += 1
                    continue
                await self._wait_or_raise(error, next(delays, None))
            except ValueError as error:
                kind = "truncated" if reply is not None and reply.cut else "bad_output"
                self._note(attempts, asked, kind, started, reply)
                if kind == "truncated":
                    raise CallFailed(
                        "the answer was cut at the token limit (llm.max_output_tokens)", kind=kind
                    ) from error
                if repaired or reply is None:
                    raise CallFailed(
                        f"the model's answer is unusable: {error}", kind=kind
                    ) from error
                repaired = True
                messages = (
                    *question.messages,
                    Message("assistant", reply.text[:_QUOTED]),
                    Message("user", _REPAIR.format(reason=error)),
                )
            else:
                self._note(attempts, asked, "ok", started, reply)
                self._step = max(self._step, step)
                return value

    def _backoff(self) -> Backoff:
        return Backoff(
            base=self.settings.retry_base_s,
            cap=self.settings.retry_cap_s,
            attempts=self.settings.retries,
            jitter=0.3,
        )

    async def _wait_or_raise(self, error: CallFailed, delay: float | None) -> None:
        if not error.retryable or delay is None:
            raise error
        wait = max(delay, error.retry_after_s or 0.0)
        if wait > self.settings.retry_cap_s:
            raise error
        await self._clock.sleep(wait)

    def _may_step_down(self, step: int) -> bool:
        return self.settings.structured == "auto" and step < len(_STEPS) - 1

    def _adapt(self, error: CallFailed, asked: Question) -> bool:
        """Learn from a refused parameter; whether the same question is worth another try."""
        if error.kind != "bad_request":
            return False
        if "max_completion_tokens" in error.server_words and self._limit_name == "max_tokens":
            self._limit_name = "max_completion_tokens"
            return True
        if (
            "temperature" in error.server_words
            and self._takes_temperature
            and asked.temperature is not None
        ):
            self._takes_temperature = False
            return True
        return False

    def _note(
        self,
        attempts: list[Attempt],
        asked: Question,
        outcome: str,
        started: float,
        reply: Reply | None,
    ) -> None:
        seconds = self._clock.monotonic() - started
        usage = reply.usage if reply is not None else Usage()
        metrics.LLM_CALLS.labels(asked.name, outcome).inc()
        metrics.LLM_SECONDS.observe(seconds)
        for kind, count in (
            ("in", usage.tokens_in),
            ("cached", usage.tokens_cached),
            ("out", usage.tokens_out),
        ):
            metrics.LLM_TOKENS.labels(kind).inc(count)
        attempts.append(
            Attempt(
                outcome=outcome,
                model=self._model,
                milliseconds=round(seconds * 1000),
                usage=usage,
                bytes_in=sum(len(m.content.encode()) for m in asked.messages),
            )
        )

    # -- the network ----------------------------------------------------------------------

    async def _post(self, asked: Question, step: int) -> Reply:
        sent = [m.content for m in asked.messages]
        async with self._calls:
            try:
                async with asyncio.timeout(self.settings.call_timeout_s):
                    if not self._model:
                        self._model = await self._only_model()
                    response = await self._sdk.chat.completions.with_raw_response.create(
                        **self._body(asked, step)
                    )
                    return read_reply(response.http_response.content)
            except TimeoutError as error:
                raise CallFailed(
                    f"no answer within {self.settings.call_timeout_s:g} s", kind="timeout"
                ) from error
            except AnswerTooLong as error:
                raise CallFailed("the server's answer does not end", kind="too_long") from error
            except openai.APIStatusError as error:
                raise self._failed(error, sent) from error
            except openai.APITimeoutError as error:
                raise CallFailed("the server did not answer in time", kind="timeout") from error
            except (openai.APIConnectionError, httpx2.HTTPError) as error:
                cause = type(error.__cause__ or error).__name__
                raise CallFailed(
                    f"no connection to {self.settings.base_url} ({cause})", kind="connect"
                ) from error

    def _failed(self, error: openai.APIStatusError, sent: list[str]) -> CallFailed:
        body = error.body if error.body is not None else error.response.text
        # The SDK unwraps {"error": ...}; from_status takes either form.
        return from_status(
            error.status_code,
            body,
            error.response.headers,
            now_ms=self._clock.now_ms(),
            sent=[*sent, *([key] if (key := self.settings.api_key.reveal()) else [])],
        )

    async def _only_model(self) -> str:
        page = await self._sdk.models.with_raw_response.list()
        try:
            names = [model.id for model in _models.decode(page.http_response.content).data]
        except msgspec.DecodeError as error:
            raise CallFailed("the server lists no models", kind="no_model") from error
        if len(names) != 1:
            known = ", ".join(names[:5]) or "none"
            raise CallFailed(f"set RTMS_NOTES_LLM_MODEL; the server has: {known}", kind="no_model")
        return names[0]

    def _body(self, asked: Question, step: int) -> Mapping[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": m.role, "content": m.content} for m in asked.messages],
            self._limit_name: asked.max_output_tokens or self.settings.max_output_tokens,
        }
        if asked.temperature is not None and self._takes_temperature:
            body["temperature"] = asked.temperature
        if _STEPS[step] == "schema":
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": asked.schema},
            }
        elif _STEPS[step] == "json":
            body["response_format"] = {"type": "json_object"}
        return body


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


_models = msgspec.json.Decoder(_Models)
