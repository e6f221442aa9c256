"""Whatever engines do and whenever a run is broken off: each segment is settled once, in order."""

from __future__ import annotations

import asyncio
import random
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.base.errors import EngineError
from pipeline.meeting.doubts import held, settled
from pipeline.meeting.naming import Plain
from pipeline.meeting.transcriber import Transcriber
from pipeline.model import events as ev
from pipeline.model.speech import Segment
from pipeline.store.memory import MemoryLog
from pipeline.transcribe.engine import Pcm, Transcription
from pipeline.transcribe.scripted import Answer
from pipeline.transcribe.settings import TranscribeSettings
from tests.idle_clock import IdleClock, run
from tests.unit.test_meeting_transcriber import T0, World, named

BAD: tuple[Answer, ...] = (
    "",
    " " * 500,
    "and so on " * 9,
    EngineError("no", kind="bad_request"),
    EngineError("busy", kind="busy", retryable=True),
    EngineError("busy", kind="busy", retryable=True, retry_after_s=30.0),
    EngineError("no key", kind="auth"),
    EngineError("over", kind="closing"),
)


class _Defect(Exception):
    pass


@pytest.mark.parametrize("seed", range(12))
def test_each_segment_is_settled_once_and_in_order(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(lambda clock: _broken_off_again_and_again(clock, Path(folder), seed), start_ms=T0)


async def _broken_off_again_and_again(clock: IdleClock, spool: Path, seed: int) -> None:
    rng = random.Random(seed)
    log = MemoryLog()

    def script(pcm: Pcm) -> Answer:
        odds = rng.random()
        if odds < 0.04:
            raise _Defect
        return rng.choice(BAD) if odds < 0.5 else named(pcm)

    async def ready(segment: Segment) -> Transcription | None:
        await clock.sleep(rng.choice((0.0, 0.5, 10.0)))
        return Transcription(f"ready {segment.id}") if rng.random() < 0.2 else None

    def world(*, well: bool = False) -> World:
        return World(
            clock,
            spool,
            named if well else script,
            settings=TranscribeSettings(
                workers=rng.choice((1, 2)), merge_after_s=3.0, retry_wait_s=0.1
            ),
            rtf=rng.choice((0.0, 0.5, 3.0)),
            ready=None if well else ready,
            naming=Plain(),
            log=log,
        )

    first = world()
    at = 0
    for number in range(1, 15):
        seconds = rng.choice((0.5, 2.0, 6.0))
        await first.segment(
            number,
            who=rng.choice(("7", "7", "8", None)),
            start_ms=at,
            seconds=seconds,
            written=rng.random() > 0.05,
        )
        at += round(seconds * 1000) + rng.choice((0, 300, 5_000))
    await first.pool.close()
    runs: list[int] = []
    for _ in range(4):
        broken = world()
        running = asyncio.create_task(_all(broken, log.state().pending))
        await asyncio.wait({running, asyncio.create_task(clock.sleep(rng.random() * 40.0))},
                           return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
        for _ in range(rng.randrange(5)):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running})
        assert running.cancelled() or running.exception() is None
        assert broken.pool.load(log.meeting).segments == 0
        await broken.pool.close()
        runs.append(len(log._events))
    await _all(last := world(well=True), log.state().pending)
    await last.pool.close()
    _check(log, spool)
    for begin, end in pairwise([0, *runs, len(log._events)]):
        _check_order([event.body for event in log._events[begin:end]])


async def _all(world: World, pending: list[Segment]) -> Transcriber:
    async with asyncio.TaskGroup() as group:
        group.create_task(world.transcriber.run())
        for segment in pending:
            await world.transcriber.put(segment)
        await world.transcriber.close()
    return world.transcriber


def _check(log: MemoryLog, spool: Path) -> None:
    state = log.state()
    assert state.pending == []
    bodies = [event.body for event in log._events]
    closed = [body.segment for body in bodies if isinstance(body, ev.SegmentClosed)]
    assert sorted(closed) == sorted(state.segments)  # each once
    spoken = [body.utterance for body in bodies if isinstance(body, ev.UtteranceSaid)]
    assert len({u.id for u in spoken}) == len(spoken)
    assert len({u.segment for u in spoken}) == len(spoken)
    for utterance in spoken:  # nothing said twice, nothing of others
        assert utterance.segment is not None
        together = {utterance.segment} | {
            c.segment for c in state.outcomes.values() if c.detail == utterance.segment
        }
        numbers = {
            int(word.removeprefix("word")) for word in utterance.text.split() if "word" in word
        }
        assert {f"s{n}" for n in numbers} <= together
    left = {entry.name for entry in spool.iterdir()}
    in_doubt = {s.file for s in state.segments.values() if s.id in held(state)}
    done_before_a_kill = {s.file for s in settled(state)}  # the next process deletes them
    assert left <= in_doubt | done_before_a_kill
    assert all(file in left for file in in_doubt)


def _check_order(bodies: list[ev.Body]) -> None:
    """What one run committed; a segment that it leaves to the next holds nobody up."""
    spoken = [body.utterance for body in bodies if isinstance(body, ev.UtteranceSaid)]
    for voice in {(u.stream, u.participant) for u in spoken}:
        of_voice = [u.start_ms for u in spoken if (u.stream, u.participant) == voice]
        assert of_voice == sorted(of_voice)
