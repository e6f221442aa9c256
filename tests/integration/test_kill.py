"""`kill -9` of the service while the fake Zoom lives on."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from pipeline.model.events import Event, SegmentClosed, SegmentSpooled, UtteranceSaid
from pipeline.model.state import MeetingState
from pipeline.store.reader import Reader
from tests.integration import transcribe_kill
from tests.integration.processes import (
    command,
    environment,
    finished,
    free_port,
    needs_local_engine,
)

SPEED = "8"


def serve_words(webhook_port: int, stt: str) -> list[str]:
    return [
        *("serve", "--json", "--once", "--allow-loopback", "--speed", SPEED),
        *("--port", "0", "--webhook-port", str(webhook_port), "--stt", stt),
    ]


async def committed(home: Path, wanted: type, count: int) -> list[Event]:
    """The log as soon as it has so many events of a kind."""
    reader = Reader.open(home)
    found: list[Event] = []
    try:
        async with asyncio.timeout(60):
            while not reader.meetings():  # noqa: ASYNC110 - another process's store
                await asyncio.sleep(0.02)
            [view] = reader.meetings()
            async for event in reader.follow(view.id, 0):
                found.append(event)
                count -= isinstance(event.body, wanted)
                if not count:
                    break
    finally:
        reader.close()
    return found


async def killed_and_restarted(
    home: Path, stt: str, wanted: type, count: int
) -> tuple[list[Event], list[Event]]:
    """A meeting whose service is killed at some point and started again: the log at the kill and
    at the end."""
    env = environment(home)
    port = free_port()
    emulate = [
        *("emulate", "--json", "--speed", SPEED, "--webhook", f"http://127.0.0.1:{port}/webhook"),
        *("--client-id", env["ZOOM_CLIENT_ID"], "--client-secret", env["ZOOM_CLIENT_SECRET"]),
        *("--secret-token", env["ZOOM_SECRET_TOKEN"]),
    ]
    async with command(*serve_words(port, stt), env=env) as first:
        await first.first_line()
        async with command(*emulate, env=env) as zoom:
            before = await committed(home, wanted, count)
            first.kill()
            await first.process.wait()
            async with command(*serve_words(port, stt), env=env) as second:
                await second.first_line()
                status, errors = await second.ended()
                assert status == 0, errors
            status, errors = await zoom.ended()
            assert status == 0, errors
    reader = Reader.open(home)
    [view] = reader.meetings()
    after = reader.events(view.id)
    reader.close()
    assert view.state == "finished"
    assert after[: len(before)] == before, "a committed event was lost or changed"
    assert [e.seq for e in after] == list(range(1, len(after) + 1))
    status, output, errors = await finished("verify", env=env)
    assert status == 0, output + errors
    return before, after


@pytest.mark.parametrize("kill_after", [4, 17])
async def test_a_killed_service_reconnects_and_loses_nothing_committed(
    tmp_path: Path, kill_after: int
) -> None:
    _, events = await killed_and_restarted(tmp_path / "home", "native", UtteranceSaid, kill_after)
    state = MeetingState.replay(events[0].meeting, events)
    causes = [gap.cause for gap in state.missing()]
    assert "process_down" in causes, "the time without a service is not shown"
    said = [(u.participant, u.start_ms, u.text) for u in state.transcript()]
    assert len(said) == len(set(said)), "something is there twice"
    assert any("hair dryer" in u.text for u in state.transcript()[-4:]), "the end is missing"
    decisions = [i for i in state.notes.live() if i.kind == "decision"]
    assert len(decisions) == len({i.text for i in decisions}) == 2


async def test_audio_of_a_killed_service_is_transcribed_exactly_once(tmp_path: Path) -> None:
    needs_local_engine()
    home = tmp_path / "home"
    before, events = await killed_and_restarted(home, "local", SegmentSpooled, 9)
    state = MeetingState.replay(events[0].meeting, events)
    at_kill = MeetingState.replay(before[0].meeting, before)
    assert state.pending == []
    closed = [e.body.segment for e in events if isinstance(e.body, SegmentClosed)]
    assert sorted(closed) == sorted(state.segments), "a segment was settled twice or not at all"
    made_from = [u.segment for u in state.utterances.values()]
    assert len(made_from) == len(set(made_from))
    assert {s.id for s in at_kill.pending} <= set(closed)
    assert "process_down" in {gap.cause for gap in state.missing()}
    [meeting] = (home / "meetings").iterdir()
    assert list((meeting / "spool").iterdir()) == [], "audio was kept"


@pytest.mark.parametrize("seed", [1, 2])
def test_pending_segments_survive_kills_and_are_heard_exactly_once(
    tmp_path: Path, seed: int
) -> None:
    assert transcribe_kill.run_rounds(tmp_path / "home", 3, random.Random(seed)) > 20
