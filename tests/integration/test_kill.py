"""`kill -9` of the service while the fake Zoom lives on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from pipeline.model.events import Event, UtteranceSaid
from pipeline.model.state import MeetingState
from pipeline.store.reader import Reader
from tests.integration.processes import Child, command, environment, finished, free_port

SPEED = "12"


def serve_words(webhook_port: int, stt: str) -> list[str]:
    return [
        *("serve", "--json", "--once", "--allow-loopback", "--speed", SPEED),
        *("--port", "0", "--webhook-port", str(webhook_port), "--stt", stt),
    ]


async def committed(home: Path, utterances: int) -> list[Event]:
    """The log as soon as it has so many utterances."""
    reader = Reader.open(home)
    found: list[Event] = []
    try:
        async with asyncio.timeout(60):
            while not reader.meetings():  # noqa: ASYNC110 - another process's store
                await asyncio.sleep(0.02)
            [view] = reader.meetings()
            async for event in reader.follow(view.id, 0):
                found.append(event)
                utterances -= isinstance(event.body, UtteranceSaid)
                if not utterances:
                    break
    finally:
        reader.close()
    return found


async def start(child: Child) -> None:
    await child.first_line()


@pytest.mark.parametrize("kill_after", [4, 17])
async def test_a_killed_service_reconnects_and_loses_nothing_committed(
    tmp_path: Path, kill_after: int
) -> None:
    home = tmp_path / "home"
    env = environment(home)
    port = free_port()
    emulate = [
        *("emulate", "--json", "--speed", SPEED, "--webhook", f"http://127.0.0.1:{port}/webhook"),
        *("--client-id", env["ZOOM_CLIENT_ID"], "--client-secret", env["ZOOM_CLIENT_SECRET"]),
        *("--secret-token", env["ZOOM_SECRET_TOKEN"]),
    ]
    async with command(*serve_words(port, "native"), env=env) as first:
        await start(first)
        async with command(*emulate, env=env) as zoom:
            before = await committed(home, kill_after)
            first.kill()
            await first.process.wait()
            async with command(*serve_words(port, "native"), env=env) as second:
                await start(second)
                status, errors = await second.ended()
                assert status == 0, errors
            status, errors = await zoom.ended()
            assert status == 0, errors

    reader = Reader.open(home)
    [view] = reader.meetings()
    events = reader.events(view.id)
    reader.close()
    assert view.state == "finished"
    assert events[: len(before)] == before, "a committed event was lost or changed"
    assert [e.seq for e in events] == list(range(1, len(events) + 1))

    state = MeetingState.replay(view.id, events)
    causes = [gap.cause for gap in state.missing()]
    assert "process_down" in causes, "the time without a service is not shown"
    said = [(u.participant, u.start_ms, u.text) for u in state.transcript()]
    assert len(said) == len(set(said)), "something is there twice"
    assert any("hair dryer" in u.text for u in state.transcript()[-4:]), "the end is missing"
    decisions = [i for i in state.notes.live() if i.kind == "decision"]
    assert len(decisions) == len({i.text for i in decisions}) == 2
    status, output, errors = await finished("verify", env=env)
    assert status == 0, output + errors
    status, output, _ = await finished("show", view.id, "--json", env=env)
    assert json.loads(output)
