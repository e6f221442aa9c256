"""Partials from open segments: shown while somebody looks, gone when the log has the words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from pipeline.audio.open_speech import OpenSpeech
from pipeline.audio.packet import Samples
from pipeline.base.clock import ManualClock
from pipeline.base.errors import EngineError
from pipeline.meeting.partials import BLOCK, EXCESS, FINAL_S, KEPT, UNLOGGED_S, Partials
from pipeline.model import events as ev
from pipeline.model.live import LiveWords, Partial
from pipeline.model.speech import Segment
from pipeline.store.memory import MemoryLog
from pipeline.transcribe.engine import NO_HINTS, Capabilities, Heard, Hints, Pcm, Transcription

START = 1_795_514_400_000


class HandStream:
    """A stream of speech that hears what the test says."""

    def __init__(self, hints: Hints) -> None:
        self.hints = hints
        self.sent: list[Pcm] = []
        self.finished = False
        self.closed = False
        self.news: asyncio.Queue[Heard | Exception] = asyncio.Queue()

    @property
    def samples(self) -> int:
        return sum(map(len, self.sent))

    async def send(self, pcm: Pcm) -> None:
        self.sent.append(pcm)

    async def finish(self) -> None:
        self.finished = True

    async def heard(self) -> AsyncIterator[Heard]:
        while True:
            news = await self.news.get()
            if isinstance(news, Exception):
                raise news
            yield news

    async def close(self) -> None:
        self.closed = True


class HandEngine:
    def __init__(self) -> None:
        self.capabilities = Capabilities(name="hand", streaming=True)
        self.opened: list[HandStream] = []
        self.refuses: EngineError | None = None

    async def open(self, hints: Hints = NO_HINTS) -> HandStream:
        if self.refuses is not None:
            raise self.refuses
        self.opened.append(HandStream(hints))
        return self.opened[-1]

    async def close(self) -> None:
        pass


class Room:
    """One meeting whose open segments the test grows and ends."""

    def __init__(self, *, finals: bool = False) -> None:
        self.clock = ManualClock()
        self.live = LiveWords()
        self.engine = HandEngine()
        self.asked: list[str] = []
        self.audio: dict[str, int] = {}
        self.starts: dict[str, int] = {}
        self.patches = 0
        self.speaker = "Anna"
        self.partials = Partials(
            "m",
            live=self.live,
            engine=self._engine,
            clock=self.clock,
            finals=finals,
            hints=lambda capabilities, key: Hints(terms=(capabilities.name,), key=key),
        )

        self.memory = MemoryLog("m")
        self.running = asyncio.create_task(self.partials.run(self.memory, 0))

    async def close(self) -> None:
        """The meeting is left."""
        self.running.cancel()
        await asyncio.wait({self.running})
        assert self.running.cancelled()
        assert self.live.current("m") == ()

    def _engine(self, file: str) -> HandEngine:
        self.asked.append(file)
        return self.engine

    async def grow(self, **samples: int) -> None:
        """These files are open now and so long; others are not."""
        await self.grow_in("s", samples)

    async def grow_in(self, stream: str, samples: dict[str, int]) -> None:
        self.audio = samples
        speaking = [
            OpenSpeech(
                file=file,
                participant="1",
                speaker=self.speaker,
                attribution="stream",
                start_ms=START + self.starts.get(file, 0),
                samples=length,
                patches=self.patches,
            )
            for file, length in samples.items()
        ]
        self.partials.show(stream, speaking, self._heard)
        await self.settle()

    def _heard(self, file: str, since: int = 0) -> Samples:
        return np.arange(since, self.audio[file], dtype=np.float32)

    async def says(self, committed: str, tentative: str = "", stream: int = -1) -> None:
        self.engine.opened[stream].news.put_nowait(Heard(committed, tentative))
        await self.settle()

    async def settle(self) -> None:
        await self.clock.advance(0)

    async def log(self, body: ev.Body) -> None:
        await self.memory.append(body)
        await self.settle()

    async def spooled(self, file: str, samples: int, segment: str = "s1") -> Segment:
        made = Segment(
            id=segment, stream="s", start_ms=START, end_ms=START + 1, file=file, samples=samples
        )
        await self.log(ev.SegmentSpooled(segment=made))
        return made

    @property
    def shown(self) -> list[tuple[str, str, str]]:
        return [(p.file, p.committed, p.tentative) for p in self.live.current("m")]


async def test_nothing_is_heard_while_nobody_looks_and_everything_once_somebody_does() -> None:
    room = Room()
    await room.grow(a=8_000)
    assert room.engine.opened == []
    with room.live.watch("m"):
        await room.grow(a=16_000)
        (stream,) = room.engine.opened
        assert stream.hints == Hints(terms=("hand",), key="a")
        assert room.asked == ["a"]
        assert stream.samples == 16_000  # from its beginning
        await room.grow(a=16_000 + BLOCK - 1)
        assert stream.samples == 16_000  # not worth a call yet
        await room.grow(a=16_000 + BLOCK)
        assert np.array_equal(np.concatenate(stream.sent), np.arange(16_000 + BLOCK))
    await room.close()
    assert stream.closed


async def test_words_stay_until_the_log_has_the_final_ones() -> None:
    room = Room()
    with room.live.watch("m"):
        await room.grow(a=8_000)
        await room.says("", "we ship")
        await room.says("we", "ship the")
        assert room.shown == [("a", "we", "ship the")]
        await room.grow()  # it has ended
        assert room.engine.opened[0].closed
        assert room.shown == [("a", "we", "ship the")]
        await room.spooled("a", 8_000)
        assert room.shown == [("a", "we", "ship the")]
        await room.log(ev.SegmentClosed(segment="s1", outcome="text"))
        assert room.shown == []


@pytest.mark.parametrize("outcome", ["text", "empty", "failed", "merged"])
async def test_a_settled_segment_is_never_shown_again(outcome: str) -> None:
    room = Room()
    with room.live.watch("m"):
        await room.grow(a=8_000)
        await room.says("we")
        await room.spooled("a", 8_000)
        await room.log(ev.SegmentClosed(segment="s1", outcome=outcome))  # type: ignore[arg-type]
        await room.says("we", "ship")
        assert room.shown == []
        await room.grow()
        assert room.shown == []


async def test_each_segment_has_a_stream_of_its_own_and_one_stream_does_not_end_anothers() -> None:
    room = Room()
    with room.live.watch("m"):
        await room.grow(a=8_000)
        await room.grow_in("other", {"b": 8_000})
        await room.says("one", stream=0)
        await room.says("two", stream=1)
        assert room.shown == [("a", "one", ""), ("b", "two", "")]
        await room.grow_in("other", {})
        assert [stream.closed for stream in room.engine.opened] == [False, True]
    await room.close()


async def test_who_speaks_may_become_clear_later() -> None:
    room = Room()
    with room.live.watch("m"):
        await room.grow(a=8_000)
        await room.says("we")
        room.speaker = "Ben"
        await room.grow(a=8_000)
        (partial,) = room.live.current("m")
        assert partial == Partial(
            file="a",
            stream="s",
            start_ms=START,
            participant="1",
            speaker="Ben",
            committed="we",
        )
    await room.close()


async def test_an_engine_that_fails_costs_only_the_partials() -> None:
    room = Room()
    room.engine.refuses = EngineError("no server", kind="connection", retryable=True)
    with room.live.watch("m"):
        await room.grow(a=8_000)
        room.engine.refuses = None
        await room.grow(a=16_000, b=8_000)
        assert len(room.engine.opened) == 1  # not again for the same segment
        await room.says("we")
        room.engine.opened[0].news.put_nowait(EngineError("cut off", kind="connection"))
        await room.settle()
        assert room.engine.opened[0].closed
        assert room.shown == [("b", "we", "")]
        await room.grow(c=8_000)
        room.engine.opened[1].news.put_nowait(ZeroDivisionError("a fault"))
        await room.settle()
        assert room.engine.opened[1].closed
    await room.close()
    assert room.live.current("m") == ()


async def test_audio_that_becomes_no_segment_takes_its_words_along() -> None:
    room = Room()
    with room.live.watch("m"):
        for file in "ab":
            await room.grow(**{file: 8_000})
            await room.says(file)
        await room.grow()
        await room.spooled("b", 8_000)
        await room.clock.advance(UNLOGGED_S)
        await room.grow()
        assert room.shown == [("a", "a", ""), ("b", "b", "")]
        await room.clock.advance(0.1)
        await room.grow()
        assert room.shown == [("b", "b", "")]  # that one is in the log, and pending
    await room.close()


async def test_only_so_many_await_their_words_in_sight() -> None:
    room = Room()
    with room.live.watch("m"):
        for n in range(KEPT + 3):
            await room.grow(**{f"f{n}": 8_000})
            await room.says(f"{n}")
        await room.grow()
        assert len(room.shown) == KEPT
        assert ("f0", "0", "") not in room.shown
    await room.close()


# -- engines that stream anyway ---------------------------------------------------------------


async def finals(room: Room, **lengths: int) -> HandStream:
    """A streamed segment that has ended, its final words not yet there."""
    await room.grow(**lengths)
    await room.grow()
    stream = room.engine.opened[0]
    assert stream.finished
    return stream


async def test_the_streams_own_final_words_serve_once_they_are_there() -> None:
    room = Room(finals=True)  # nobody looks: the final words are wanted nevertheless
    stream = await finals(room, a=16_000)
    segment = await room.spooled("a", 12_000)
    ready = asyncio.ensure_future(room.partials.ready(segment))
    await room.settle()
    assert not ready.done()
    stream.news.put_nowait(Heard("we ship", final=Transcription("We ship.")))
    await room.settle()
    assert ready.result() == Transcription("We ship.", engine="hand")
    assert stream.closed
    await room.close()


@pytest.mark.parametrize(
    ("heard", "served"),
    [(15_999, False), (16_000, True), (16_000 + EXCESS, True), (16_001 + EXCESS, False)],
)
async def test_only_when_it_heard_the_segment_and_hardly_more(heard: int, served: bool) -> None:
    room = Room(finals=True)
    stream = await finals(room, a=heard)
    stream.news.put_nowait(Heard("x", final=Transcription("x", engine="named")))
    await room.settle()
    found = await room.partials.ready(await room.spooled("a", 16_000))
    assert found == (Transcription("x", engine="named") if served else None)
    await room.close()


async def test_not_when_they_came_before_it_had_heard_all() -> None:
    room = Room(finals=True)
    await room.grow(a=8_000)
    room.engine.opened[0].news.put_nowait(Heard("we", final=Transcription("We.")))
    await room.settle()
    await room.grow(a=16_000)
    await room.grow()
    assert await room.partials.ready(await room.spooled("a", 16_000)) is None
    await room.close()


async def test_not_when_late_audio_took_the_place_of_silence_it_was_sent() -> None:
    room = Room(finals=True)
    await room.grow(a=8_000)
    room.patches = 1
    await room.grow(a=16_000)
    await room.grow()
    room.engine.opened[0].news.put_nowait(Heard("x", final=Transcription("x")))
    await room.settle()
    assert await room.partials.ready(await room.spooled("a", 16_000)) is None
    await room.close()


async def test_not_when_the_segment_was_cut_and_goes_on_in_another() -> None:
    room = Room(finals=True)
    room.starts = {"b": 900}  # within what the stream of a has heard
    await room.grow(a=16_000)
    await room.grow(b=1_600)
    room.engine.opened[0].news.put_nowait(Heard("x", final=Transcription("x y")))
    await room.settle()
    assert await room.partials.ready(await room.spooled("a", 14_400)) is None
    await room.close()


async def test_a_stream_that_keeps_silent_or_fails_leaves_the_segment_to_the_usual_way() -> None:
    room = Room(finals=True)
    stream = await finals(room, a=16_000)
    waiting = asyncio.ensure_future(room.partials.ready(await room.spooled("a", 16_000)))
    await room.clock.advance(FINAL_S + 0.1)
    assert await waiting is None
    assert stream.closed

    await room.grow(b=16_000)
    room.engine.opened[1].news.put_nowait(EngineError("closed", kind="closed"))
    await room.settle()
    await room.grow()
    assert await room.partials.ready(await room.spooled("b", 16_000, "s2")) is None
    unknown = Segment(id="s9", stream="s", start_ms=0, end_ms=1, file="z", samples=1)
    assert await room.partials.ready(unknown) is None
    await room.close()
