"""A segment engine hears open speech by looking at it again and again; on virtual time."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from pipeline.base.clock import ManualClock
from pipeline.base.errors import EngineError
from pipeline.transcribe.as_stream import Decode, SegmentsAsStream
from pipeline.transcribe.engine import Capabilities, Heard, Hints, Pcm, SpeechStream, Transcription

SECOND = np.zeros(16_000, np.float32)
WORDS = ["we", "ship", "the", "first", "boxes", "on", "monday"]


class Decoder:
    """One word for each half second, taking ``takes_s`` each time; or what ``answers`` say."""

    def __init__(self, clock: ManualClock, takes_s: float = 0.1) -> None:
        self.clock = clock
        self.takes_s = takes_s
        self.asked: list[tuple[float, int]] = []
        self.answers: list[Transcription | EngineError | None] = []

    async def __call__(self, pcm: Pcm, hints: Hints) -> Transcription | None:
        assert hints.language == "en"
        self.asked.append((round(self.clock.monotonic(), 3), len(pcm)))
        await self.clock.sleep(self.takes_s)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, EngineError):
                raise answer
            return answer
        return Transcription(" ".join(WORDS[: len(pcm) // 8_000]))


def stream_engine(decode: Decode, clock: ManualClock) -> SegmentsAsStream:
    behind = Capabilities(name="e", terms=True)
    return SegmentsAsStream(decode, capabilities=behind, every_s=0.5, clock=clock)


class Listener:
    """Collects what a stream says."""

    def __init__(self, stream: SpeechStream) -> None:
        self.heard: list[Heard] = []
        self.error: Exception | None = None
        self.task = asyncio.create_task(self._listen(stream))

    async def _listen(self, stream: SpeechStream) -> None:
        try:
            async for heard in stream.heard():
                self.heard.append(heard)
        except EngineError as error:
            self.error = error

    @property
    def texts(self) -> list[tuple[str, str]]:
        return [(h.committed, h.tentative) for h in self.heard]


async def begin(decode: Decoder) -> tuple[SpeechStream, Listener]:
    engine = stream_engine(decode, decode.clock)
    assert engine.capabilities == Capabilities(name="e", terms=True, streaming=True, partials=True)
    stream = await engine.open(Hints(language="en"))
    return stream, Listener(stream)


async def test_words_come_while_speech_grows_and_are_committed_when_two_looks_agree() -> None:
    decode = Decoder(clock := ManualClock())
    stream, listener = await begin(decode)
    for _ in range(4):
        await stream.send(SECOND[:8_000])
        await clock.advance(0.5)
    await stream.send(SECOND[:8_000])
    await stream.finish()
    await clock.advance(1)
    assert [samples for _, samples in decode.asked] == [8_000, 16_000, 24_000, 32_000, 40_000]
    assert listener.texts == [
        ("", "we"),
        ("we", "ship"),
        ("we ship", "the"),
        ("we ship the", "first"),
        ("we ship the first boxes", ""),
    ]
    final = listener.heard[-1].final
    assert final is not None
    assert final.text == "we ship the first boxes"
    assert listener.task.done()


async def test_a_slow_engine_is_asked_less_often_and_not_at_all_without_new_speech() -> None:
    decode = Decoder(clock := ManualClock(), takes_s=1.0)
    stream, _ = await begin(decode)
    await stream.send(SECOND)
    await clock.advance(1.6)  # asked at 0.5, answered at 1.5
    await clock.advance(5)  # nothing new
    assert len(decode.asked) == 1
    await stream.send(SECOND)
    await clock.advance(1.1)
    for _ in range(20):
        await stream.send(SECOND[:1_600])
        await clock.advance(0.1)
    starts = [at for at, _ in decode.asked]
    assert starts == [0.5, 6.6, 8.6]  # two seconds apart: twice what a look takes
    await stream.close()


async def test_no_time_and_doubtful_and_failed_looks_show_nothing_and_the_next_goes_on() -> None:
    decode = Decoder(clock := ManualClock())
    decode.answers = [
        None,
        Transcription("You you you you", doubt="loop"),
        EngineError("away", kind="connection", retryable=True),
    ]
    stream, listener = await begin(decode)
    for _ in range(4):
        await stream.send(SECOND[:8_000])
        await clock.advance(0.5)
    await clock.advance(0.5)
    assert listener.texts == [("", "we ship the first")]
    await stream.close()
    await asyncio.wait_for(listener.task, 1)


async def test_what_cannot_be_mended_is_told_and_ends_it() -> None:
    decode = Decoder(clock := ManualClock())
    decode.answers = [EngineError("no model", kind="load")]
    stream, listener = await begin(decode)
    await stream.send(SECOND)
    await clock.advance(1)
    await asyncio.wait_for(listener.task, 1)
    assert isinstance(listener.error, EngineError)
    assert listener.error.kind == "load"
    await stream.close()


async def test_no_time_for_the_final_words_is_an_error_that_may_be_tried_again() -> None:
    decode = Decoder(clock := ManualClock())
    decode.answers = [None]
    stream, listener = await begin(decode)
    await stream.send(SECOND)
    await stream.finish()
    await clock.advance(1)
    assert isinstance(listener.error, EngineError)
    assert (listener.error.kind, listener.error.retryable) == ("shed", True)


async def test_closing_the_engine_ends_every_stream_and_gives_up_what_is_under_way() -> None:
    decode = Decoder(clock := ManualClock(), takes_s=60)
    engine = stream_engine(decode, clock)
    streams = [await engine.open(Hints(language="en")) for _ in range(2)]
    listeners = [Listener(stream) for stream in streams]
    await streams[0].send(SECOND)
    await clock.advance(1)
    assert len(decode.asked) == 1
    await engine.close()
    for listener in listeners:
        await asyncio.wait_for(listener.task, 1)
        assert listener.heard == []
        assert listener.error is None


async def test_a_fault_in_the_engine_is_not_swallowed() -> None:
    clock = ManualClock()

    async def broken(pcm: Pcm, hints: Hints) -> Transcription | None:
        raise ZeroDivisionError

    stream = await stream_engine(broken, clock).open()
    await stream.send(SECOND)
    await clock.advance(1)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(anext(aiter(stream.heard())), 1)
    await stream.close()
