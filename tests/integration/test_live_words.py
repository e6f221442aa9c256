"""Real speech through a meeting's run: words appear while they are said and are never stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.audio.open_speech import HeardSoFar, OpenSpeech
from pipeline.base.clock import ManualClock, SystemClock
from pipeline.base.secret import Secret
from pipeline.meeting.partials import HintsFor, Partials
from pipeline.meeting.parts import Parts
from pipeline.model import events as ev
from pipeline.model.live import LiveWords, Watch
from pipeline.model.live import Partials as Shown
from pipeline.rtms import outputs as out
from pipeline.store.memory import MemoryLog
from pipeline.transcribe.as_stream import SegmentsAsStream
from pipeline.transcribe.deepgram import Deepgram
from pipeline.transcribe.engine import (
    NO_HINTS,
    Capabilities,
    Heard,
    Hints,
    Pcm,
    StreamEngine,
    Transcription,
)
from pipeline.transcribe.fake_deepgram import FakeDeepgram
from pipeline.transcribe.fake_sockets import Drops, Says, Turn
from pipeline.transcribe.settings import SttSettings, TranscribeSettings
from tests.integration.test_transcribe_speech import pytestmark, speech  # noqa: F401 - applies here
from tests.unit.test_meeting_run import T0, HandStream, World, begin

WORDS = [f"w{number}" for number in range(50)]
PACKET = 1_600
FORMAT = out.AudioFormat("L16", 16_000, 1, multi_stream=True, send_rate_ms=100)


def count(pcm: np.ndarray) -> str:
    """A word for each half second of sound."""
    return " ".join(WORDS[: len(pcm) // 8_000])


class LiveWorld(World):
    """A meeting whose open segments are heard by ``engine_for``."""

    def __init__(self, spool: Path) -> None:
        super().__init__(spool, MemoryLog())
        self.hears = "local"
        self.live = LiveWords()
        self.looks = ManualClock()
        self.finals: StreamEngine | None = None
        self.looked = asyncio.Event()  # the intake has shown what is open
        self.engine._answers = count  # the words of whole segments

    def parts(self) -> Parts:
        parts = super().parts()

        def partials(meeting: str, hints: HintsFor) -> Partials:
            def engine_for(file: str) -> StreamEngine:
                return self.finals or SegmentsAsStream(
                    partial(parts.pool.partial, meeting, file),
                    capabilities=parts.pool.capabilities,
                    every_s=0.5,
                    clock=self.looks,
                )

            return Noticed(
                self.looked,
                meeting,
                live=self.live,
                engine=engine_for,
                clock=self.looks,
                finals=self.finals is not None,
                hints=hints,
            )

        return replace(parts, live=self.live, partials=partials)


class Noticed(Partials):
    """Tells when it was shown what is open."""

    def __init__(self, looked: asyncio.Event, meeting: str, **options: Any) -> None:
        super().__init__(meeting, **options)
        self._looked = looked

    def show(self, stream: str, speaking: Sequence[OpenSpeech], heard: HeardSoFar) -> None:
        super().show(stream, speaking, heard)
        self._looked.set()


@pytest.fixture
async def world(tmp_path: Path) -> LiveWorld:
    made = LiveWorld(tmp_path)
    await made.log.append(
        ev.MeetingOpened(product="meeting", zoom_id="Z==", started_ms=T0, engine="local")
    )
    return made


def talk(stream: HandStream, samples: np.ndarray, begin: float, end: float) -> None:
    """Packets of 100 ms from second ``begin`` to second ``end``."""
    values = np.clip(np.rint(samples * 32_768), -32_768, 32_767).astype("<i2")
    for at in range(round(begin * 16_000), min(round(end * 16_000), len(values)), PACKET):
        data = values[at : at + PACKET].tobytes()
        stream.sink.put(out.AudioReceived(7, "Reader", T0 + at // 16, data))


async def talk_steadily(world: LiveWorld, stream: HandStream, samples: np.ndarray) -> None:
    """All of it as it comes in a meeting, not in one burst."""
    for tenth in range(0, len(samples) // PACKET, 2):
        world.looked.clear()
        talk(stream, samples, tenth / 10, (tenth + 2) / 10)
        async with asyncio.timeout(20):
            await world.looked.wait()


async def collect(watch: Watch, seen: list[Shown]) -> None:
    """Everything that is shown, until cancelled."""
    async for shown in watch:
        seen.append(shown)


async def look(world: LiveWorld, watch: Watch) -> Shown:
    """The next change of what is shown; time runs on for the looks meanwhile."""
    changed = asyncio.ensure_future(anext(watch))
    async with asyncio.timeout(20):
        while not changed.done():
            await world.looks.advance(0.1)
    return changed.result()


async def test_words_are_shown_while_they_are_said_and_only_the_final_ones_are_kept(
    world: LiveWorld,
) -> None:
    samples = speech("two_cities.wav", 24.2)
    _, task, stream = await begin(world)
    stream.sink.put(FORMAT)
    with world.live.watch("m") as watch:
        seen: list[Shown] = []
        for second in range(0, 6):
            talk(stream, samples, second, second + 1)
            if second >= 1:
                seen.append(await look(world, watch))
        files = {p.file for shown in seen for p in shown}
        assert files
        (first, *_) = [p for shown in seen for p in shown]
        assert (first.speaker, first.participant, first.stream) == ("Reader", "7", "S1")
        texts = [
            f"{p.committed} {p.tentative}".strip()
            for shown in seen
            for p in shown
            if p.file == first.file
        ]
        assert all(" ".join(WORDS).startswith(text) for text in texts)
        assert len(texts[-1]) > len(texts[0])

        talk(stream, samples, 6, 25)
        stream.over()
        async with asyncio.timeout(60):
            assert await task is True
    state = world.log.state()
    assert files <= {segment.file for segment in state.segments.values()}
    lengths = [segment.samples for segment in state.segments.values()]
    assert [u.text for u in state.transcript()] == [count(np.zeros(n)) for n in lengths]
    assert world.live.current("m") == ()
    assert b"tentative" not in b"".join(ev.encode_body(e.body) for e in world.log._events)


async def test_nothing_is_decoded_twice_while_nobody_looks(world: LiveWorld) -> None:
    samples = speech("beckett.wav", 9.9)
    _, task, stream = await begin(world)
    stream.sink.put(FORMAT)
    talk(stream, samples, 0, 10)
    stream.over()
    async with asyncio.timeout(60):
        assert await task is True
    assert len(world.engine.heard) == len(world.log.state().segments) > 2


# -- an engine that streams anyway ------------------------------------------------------------


class CountingStream:
    """Hears a word for each half second, as it comes."""

    def __init__(self) -> None:
        self.samples = 0
        self.news: asyncio.Queue[Heard] = asyncio.Queue()

    async def send(self, pcm: Pcm) -> None:
        self.samples += len(pcm)
        self.news.put_nowait(Heard(count(np.zeros(self.samples))))

    async def finish(self) -> None:
        text = f"streamed {self.samples}"
        self.news.put_nowait(Heard(text, final=Transcription(text)))

    async def heard(self) -> AsyncIterator[Heard]:
        while True:
            news = await self.news.get()
            yield news
            if news.final is not None:
                return

    async def close(self) -> None:
        pass


class CountingEngine:
    capabilities = Capabilities(name="counting", streaming=True)

    def __init__(self) -> None:
        self.opened: list[CountingStream] = []

    async def open(self, hints: Hints = NO_HINTS) -> CountingStream:
        self.opened.append(CountingStream())
        return self.opened[-1]

    async def close(self) -> None:
        pass


async def test_a_streams_own_final_words_are_each_segments_only_ones(world: LiveWorld) -> None:
    engine = CountingEngine()
    world.finals = engine
    samples = speech("beckett.wav", 9.9)
    _, task, stream = await begin(world)
    stream.sink.put(FORMAT)
    await talk_steadily(world, stream, samples)
    stream.over()
    async with asyncio.timeout(60):
        assert await task is True
    state = world.log.state()
    closed = [outcome.outcome for outcome in state.outcomes.values()]
    assert len(closed) == len(state.segments)
    assert closed.count("text") == len(state.utterances)
    streamed = [u for u in state.transcript() if u.text.startswith("streamed")]
    assert len(streamed) == len(state.utterances)  # each: none was heard in a burst
    assert {u.engine for u in streamed} == {"counting"}
    assert len(streamed) + len(world.engine.heard) == len(state.segments)  # nothing twice


async def test_a_server_that_drops_one_connection_costs_one_partial_and_no_words(
    world: LiveWorld,
) -> None:
    script: list[Turn] = [Says("Heard on the way."), Drops()]
    async with FakeDeepgram(script, otherwise=Says("Heard on the way.")) as server:
        settings = SttSettings(base_url=server.base_url, api_key=Secret("k"), parallel_calls=20)
        world.finals = Deepgram(settings, TranscribeSettings(), clock=SystemClock())
        _, task, stream = await begin(world)
        stream.sink.put(FORMAT)
        with world.live.watch("m") as watch:
            seen: list[Shown] = []
            watching = asyncio.create_task(collect(watch, seen))
            await talk_steadily(world, stream, speech("beckett.wav", 9.9))
            stream.over()
            async with asyncio.timeout(60):
                assert await task is True
            watching.cancel()
        assert any(p.tentative or p.committed for shown in seen for p in shown)
        await world.finals.close()
    state = world.log.state()
    assert {outcome.outcome for outcome in state.outcomes.values()} == {"text"}
    engines = [u.engine for u in state.transcript()]
    assert len(engines) == len(state.segments) == len(server.calls)
    assert engines.count("deepgram") == len(engines) - 1
    assert len(world.engine.heard) == 1  # the dropped one, the usual way
    (first, *_) = [u for u in state.transcript() if u.engine == "deepgram"]
    assert first.text == "Heard on the way."
    assert [word.text for word in first.words] == first.text.split()
    assert first.start_ms <= first.words[0].start_ms < first.words[-1].end_ms
