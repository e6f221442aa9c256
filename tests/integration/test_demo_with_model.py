"""`make demo` with an OpenAI-compatible endpoint configured: the same command uses it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pipeline.model.state import MeetingState
from pipeline.openai_client.fake import NO_CHANGE, FakeLlm, Says, Turn
from pipeline.openai_client.fake_faults import Fails
from pipeline.store.reader import Reader
from tests.integration.processes import environment, finished

EMPTY = {"owner": None, "due_words": None, "due_date": None}

# What a perfect reader notes when it meets these words: (words, kind, text, more).
NOTICED = (
    ("We close the order page tonight at six", "decision", "Close the order page at six", {}),
    (
        "Then let us go with the school oven, for eight nights",
        "decision",
        "Rent the school oven for eight nights",
        {},
    ),
    (
        "I will put a waiting list on the website by Friday",
        "action",
        "Put a waiting list on the website",
        {"owner": "David", "due_words": "by Friday", "due_date": "2026-11-27"},
    ),
    (
        "I will order two hundred tins by tomorrow",
        "action",
        "Order two hundred tins",
        {"owner": "Tom Carter", "due_words": "by tomorrow", "due_date": "2026-11-25"},
    ),
    # An invention: nobody said so. It must be shown as unverified.
    ("Too late. It is already warm", "action", "Zoe pays 999 euros", {"owner": "Zoe Bell"}),
)
WITHDRAWS = "Then I will not order any tins"


def block(text: str, name: str) -> list[dict[str, Any]]:
    found = re.findall(rf"<{name}>\n(.*?)\n</{name}>", text, re.DOTALL)
    return [json.loads(line) for line in found[-1].splitlines() if line.startswith("{")]


def perfect_reader(body: dict[str, Any]) -> Turn:
    text = "\n".join(message["content"] for message in body["messages"])
    final = "<transcript>" in text
    lines = block(text, "transcript" if final else "new_lines")
    items = block(text, "items")
    answer: dict[str, list[Any]] = {key: [] for key in NO_CHANGE}
    noted = {item["text"] for item in items}
    for line in lines:
        for words, kind, says, more in NOTICED:
            if words in line["says"] and says not in noted:
                evidence = [{"ref": line["id"], "quote": words}]
                answer["add"].append(
                    {"kind": kind, "text": says, "evidence": evidence, **EMPTY, **more}
                )
        if WITHDRAWS in line["says"]:
            answer["retract"] += [
                {"id": item["id"], "evidence": [{"ref": line["id"], "quote": WITHDRAWS}]}
                for item in items
                if item["text"] == "Order two hundred tins" and item.get("status") != "retracted"
            ]
    if final and not any(item["kind"] == "overview" for item in items):
        first = lines[0]
        evidence = [{"ref": first["id"], "quote": first["says"][:40]}]
        says = "The bakery has a problem with its holiday boxes."
        answer["add"].append({"kind": "overview", "text": says, "evidence": evidence, **EMPTY})
    return Says(answer, tokens_in=900, tokens_cached=600, tokens_out=60)


async def play(tmp_path: Path, llm: FakeLlm, **extra: str) -> tuple[MeetingState, str]:
    home = tmp_path / "out"
    env = environment(
        home,
        {
            "RTMS_NOTES_LLM_BASE_URL": llm.base_url,
            "RTMS_NOTES_LLM_MODEL": "fake-1",
            "RTMS_NOTES_LLM_API_KEY": "sk-canary-91aa",
            "RTMS_NOTES_LLM_RETRIES": "0",
            **extra,
        },
    )
    words = ("demo", "--speed", "12", "--no-page", "--out", home)
    status, output, errors = await finished(*words, env=env)
    assert status == 0, errors
    assert "sk-canary-91aa" not in output + errors
    reader = Reader.open(home)
    [view] = reader.meetings()
    state = reader.state(view.id)
    reader.close()
    [markdown] = home.glob("*.md")
    return state, markdown.read_text(encoding="utf-8")


async def test_a_configured_model_writes_the_notes_and_its_inventions_are_marked(
    tmp_path: Path,
) -> None:
    async with FakeLlm(perfect_reader) as llm:
        state, markdown = await play(tmp_path, llm, OPENAI_BASE_URL="http://127.0.0.1:9/v1")
        assert len(llm.asked) >= 4
        assert {asked.headers["authorization"] for asked in llm.asked} == {"Bearer sk-canary-91aa"}
    items = {item.text: item for item in state.notes.live()}
    tins = items["Order two hundred tins"]
    assert (tins.status, tins.owner, tins.due) == ("retracted", "Tom Carter", "2026-11-25")
    website = items["Put a waiting list on the website"]
    assert (website.owner, website.due, website.check.state) == (
        "David Reed",
        "2026-11-27",
        "verified",
    )
    decided = [i for i in items.values() if i.kind == "decision"]
    assert [(i.author, i.check.state) for i in decided] == [("model", "verified")] * 2
    invented = items["Zoe pays 999 euros"]
    assert invented.check.state == "unverified"
    reasons = " ".join(invented.check.reasons)
    assert "999" in reasons
    assert "Zoe" in reasons
    assert "unverified" in markdown.lower()
    assert "extracted, not written" not in markdown
    assert state.calls
    assert {call.outcome for call in state.calls} == {"ok"}
    assert all(call.tokens_in and call.prompt_hash for call in state.calls)
    assert state.final


async def test_a_model_that_is_down_leaves_extracted_notes_and_says_so(tmp_path: Path) -> None:
    async with FakeLlm(otherwise=Fails(503)) as llm:
        state, markdown = await play(tmp_path, llm, RTMS_NOTES_SUMMARIZE_FINAL_PATIENCE_S="0")
    decisions = [i for i in state.notes.live() if i.kind == "decision"]
    assert [i.author for i in decisions] == ["extractive", "extractive"]
    assert state.stages["summarize"].state == "degraded"
    assert state.stages["summarize"].retryable
    assert "extracted, not written" in markdown
    assert {call.outcome for call in state.calls} != {"ok"}
