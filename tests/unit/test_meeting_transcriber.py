"""Segments of one meeting through the transcriber and the shared pool, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.base.errors import EngineError
from pipeline.meeting.naming import PLAIN, MeetingNaming, Naming, Plain
from pipeline.meeting.recorder import Recorder
from pipeline.meeting.transcribe_health import TranscribeHealth
from pipeline.meeting.transcriber import Transcriber
from pipeline.model import events as ev
from pipeline.model.speech import Correction, Segment, Word
from pipeline.model.state import MeetingState
from pipeline.store.memory import MemoryLog
from pipeline.transcribe.engine import Capabilities, HeardWord, Pcm, Transcription
from pipeline.transcribe.glossary import GlossaryLine
from pipeline.transcribe.load import Load
from pipeline.transcribe.pool import DecodePool
from pipeline.transcribe.scripted import Answer, ScriptedEngine
from pipeline.transcribe.settings import TranscribeSettings
from pipeline.transcribe.vocabulary import Vocabulary
from tests.idle_clock import IdleClock, run

T0 = 1_790_000_000_000
RATE = 16_000

Ready = Callable[[Segment], Awaitable[Transcription | None]]


def numbers(pcm: Pcm) -> list[int]:
    """Which segments the samples are of: each is full of its number."""
    values = np.rint(pcm * 32_768).astype(int)
    return [int(n) for n in dict.fromkeys(values.tolist()) if n]


def named(pcm: Pcm) -> str:
    return " ".join(f"word{n}" for n in numbers(pcm))


class World:
    """One meeting whose segments the test makes."""

    def __init__(
        self,
        clock: IdleClock,
        spool: Path,
        script: Callable[[Pcm], Answer] = named,
        *,
        settings: TranscribeSettings | None = None,
        rtf: float = 0.0,
        merges: bool = True,
        ready: Ready | None = None,
        naming: Naming | None = None,
        log: MemoryLog | None = None,
    ) -> None:
        self.clock = clock
        self.spool = spool
        self.log = log or MemoryLog()
        self.engine = ScriptedEngine(script, rtf=rtf, clock=clock)
        self.settings = settings or TranscribeSettings(workers=1, retry_wait_s=0.0)
        self.pool = DecodePool(lambda: self.engine, settings=self.settings, clock=clock)
        self.states: list[EngineError | None] = []
        self.recorder = Recorder(self.log.state(), "local")
        self.health = TranscribeHealth(None, self.settings, clock.now_ms)
        self.transcriber = Transcriber(
            meeting_log=self.log,
            recorder=self.recorder,
            pool=self.pool,
            spool=spool,
            clock=clock,
            on_state=self._state,
            on_load=self._load,
            merges=merges,
            ready=ready,
            naming=naming or PLAIN,
        )

    async def _state(self, error: EngineError | None) -> None:
        self.states.append(error)
        await self.log.append(*self.health.engine(error))

    async def _load(self, load: Load) -> None:
        await self.log.append(*self.health.load(load))

    async def segment(
        self,
        number: int,
        *,
        who: str | None = "7",
        start_ms: int = 0,
        seconds: float = 2.0,
        speech_ms: int | None = None,
        written: bool = True,
    ) -> Segment:
        """One more segment, in the log and on the disk."""
        samples = round(seconds * RATE)
        file = f"{T0 + start_ms:013d}-{number:04x}.pcm"
        if written:
            (self.spool / file).write_bytes(np.full(samples, number, "<i2").tobytes())
        segment, bodies = self.recorder.spooled(
            stream="S",
            participant=who,
            speaker=None if who is None else f"P{who}",
            start_ms=T0 + start_ms,
            end_ms=T0 + start_ms + round(seconds * 1000),
            file=file,
            samples=samples,
            speech_ms=speech_ms,
        )
        await self.log.append(*bodies)
        return segment

    async def all(self, *segments: Segment) -> MeetingState:
        """Transcribe these and no more."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.transcriber.run())
            for segment in segments:
                await self.transcriber.put(segment)
            await self.transcriber.close()
        await self.pool.close()
        return self.log.state()

    def files(self) -> set[str]:
        return {entry.name for entry in self.spool.iterdir()}


def closings(log: MemoryLog) -> list[tuple[str, str]]:
    return [
        (e.body.segment, e.body.outcome)
        for e in log._events
        if isinstance(e.body, ev.SegmentClosed)
    ]


def test_words_are_committed_with_all_that_is_known_of_them(tmp_path: Path) -> None:
    def script(_: Pcm) -> Transcription:
        words = (HeardWord("Hi", 100, 300, 0.9), HeardWord("there.", 400, 9_000))
        return Transcription(" Hi there. ", "en", 0.8, words)

    async def main(clock: IdleClock) -> None:
        world = World(clock, tmp_path, script)
        state = await world.all(await world.segment(1, start_ms=5_000, speech_ms=900))
        [said] = state.transcript()
        assert (said.text, said.language, said.confidence) == ("Hi there.", "en", 0.8)
        assert (said.segment, said.engine, said.doubt) == ("s1", "scripted", None)
        assert (said.attribution, said.speaker) == ("stream", "P7")
        assert said.words == (
            Word("Hi", T0 + 5_100, T0 + 5_300, 0.9),
            Word("there.", T0 + 5_400, T0 + 7_000),  # no later than its segment
        )
        assert world.files() == set()
        assert world.engine.hints[0].key == "m/s1"
        assert world.states == [None]

    run(main, start_ms=T0)


def test_a_speaker_s_words_keep_their_order_and_hold_nobody_else_up(tmp_path: Path) -> None:
    tries = 0

    def script(pcm: Pcm) -> Answer:
        nonlocal tries
        if numbers(pcm) == [1]:
            tries += 1
            if tries <= 4:
                return EngineError("busy", kind="busy", retryable=True)
        return named(pcm)

    async def main(clock: IdleClock) -> None:
        world = World(clock, tmp_path, script, merges=False)
        state = await world.all(
            await world.segment(1, who="7"),
            await world.segment(2, who="8"),
            await world.segment(3, who="7", start_ms=3_000),
            *[await world.segment(n, who="8", start_ms=1_000 * n) for n in range(4, 9)],
        )
        order = [u.text for u in state.utterances.values()]
        assert order == [f"word{n}" for n in (2, 4, 5, 6, 7, 8, 1, 3)]
        assert [e is None for e in world.states].count(False) == 2  # two tries each time
        assert world.files() == set()

    run(main, start_ms=T0)


def test_many_of_one_speaker_are_decoded_at_the_same_time_in_order(tmp_path: Path) -> None:
    async def main(clock: IdleClock) -> None:
        settings = TranscribeSettings(workers=2)
        world = World(clock, tmp_path, settings=settings, rtf=1.0, merges=False)
        started = clock.monotonic()
        state = await world.all(
            *[
                await world.segment(n, start_ms=4_000 * n, seconds=4.0 if n % 2 else 1.0)
                for n in range(1, 9)
            ]
        )
        assert clock.monotonic() - started < 12.0  # 20 s of decodes on two workers
        assert [u.text for u in state.utterances.values()] == [f"word{n}" for n in range(1, 9)]

    run(main, start_ms=T0)


def test_words_that_are_late_are_decoded_together_and_stay_where_they_were(tmp_path: Path) -> None:
    def script(pcm: Pcm) -> Transcription:
        starts = [int(np.argmax(np.rint(pcm * 32_768) == n)) * 1000 // RATE for n in numbers(pcm)]
        ends = [*starts[1:], len(pcm) * 1000 // RATE]
        words = [
            HeardWord(f"word{n}", a, b) for n, a, b in zip(numbers(pcm), starts, ends, strict=True)
        ]
        return Transcription(named(pcm), words=tuple(words))

    async def main(clock: IdleClock) -> None:
        settings = TranscribeSettings(workers=1, merge_after_s=3.0)
        world = World(clock, tmp_path, script, settings=settings, rtf=2.0)
        segments = [
            await world.segment(n, start_ms=at, seconds=2.0, speech_ms=1_500)
            for n, at in [(1, 0), (2, 2_500), (3, 5_000), (4, 7_500), (5, 10_000), (6, 60_000)]
        ]
        state = await world.all(*segments)
        # Two are under way before words are late; the rest, up to a pause, goes together.
        assert [(u.text, u.segment) for u in state.transcript()] == [
            ("word1", "s1"),
            ("word2", "s2"),
            ("word3 word4 word5", "s3"),
            ("word6", "s6"),
        ]
        last = state.transcript()[2]
        assert last.end_ms == T0 + 12_000
        assert last.words[-1] == Word("word5", T0 + 10_000, T0 + 12_000)
        assert last.words[-2] == Word("word4", T0 + 7_500, T0 + 9_500)
        assert [outcome for _, outcome in closings(world.log)][2:5] == ["text", "merged", "merged"]
        assert sorted(s for s, _ in closings(world.log)) == [f"s{n}" for n in range(1, 7)]
        # One commit: what a kill may fall between is all or nothing.
        kinds = [
            (e.kind, e.body.segment if isinstance(e.body, ev.SegmentClosed) else "")
            for e in world.log._events
            if isinstance(e.body, ev.SegmentClosed | ev.UtteranceSaid)
        ]
        at = kinds.index(("segment_closed", "s5"))
        assert kinds[at - 1] == ("segment_closed", "s4")
        assert state.outcomes["s5"].detail == last.segment
        assert world.files() == set()

    run(main, start_ms=T0)


@pytest.mark.parametrize(
    ("second", "seconds"),
    [({"who": "8"}, 2.0), ({"start_ms": 9_200}, 2.0), ({"start_ms": 7_500}, 11.0)],
)
def test_only_what_belongs_together_is_merged(
    tmp_path: Path, second: dict[str, object], seconds: float
) -> None:
    async def main(clock: IdleClock) -> None:
        settings = TranscribeSettings(workers=1, shed_after_s=0.1, merge_after_s=0.1)
        world = World(clock, tmp_path, settings=settings, rtf=1.0)
        first = [await world.segment(n, start_ms=2_500 * n, seconds=2.0) for n in (0x10, 0x11)]
        state = await world.all(
            *first,
            await world.segment(1, start_ms=5_000),
            await world.segment(2, **{"start_ms": 7_200, "seconds": seconds, **second}),  # type: ignore[arg-type]
        )
        assert sorted(u.text for u in state.transcript())[:2] == ["word1", "word16"]

    run(main, start_ms=T0)


def test_one_bad_segment_takes_no_others_with_it(tmp_path: Path) -> None:
    def script(pcm: Pcm) -> Answer:
        if 4 in numbers(pcm):
            return EngineError("cannot read this", kind="decode")
        return named(pcm)

    async def main(clock: IdleClock) -> None:
        settings = TranscribeSettings(workers=1, shed_after_s=1.0, merge_after_s=1.0)
        world = World(clock, tmp_path, script, settings=settings, rtf=1.0)
        segments = [await world.segment(n, start_ms=2_100 * n) for n in range(1, 6)]
        state = await world.all(*segments)
        assert [u.text for u in state.transcript()] == ["word1", "word2", "word3", "word5"]
        [gap] = state.missing()
        assert (gap.cause, gap.from_ms) == ("stt_failed", T0 + 8_400)
        assert state.outcomes["s4"].outcome == "failed"
        assert state.pending == []

    run(main, start_ms=T0)


def test_lost_audio_is_a_gap_and_others_go_on(tmp_path: Path) -> None:
    async def main(clock: IdleClock) -> None:
        world = World(clock, tmp_path)
        state = await world.all(
            await world.segment(1), await world.segment(2, written=False), await world.segment(3)
        )
        assert [u.text for u in state.transcript()] == ["word1", "word3"]
        assert [g.cause for g in state.missing()] == ["spool_lost"]

    run(main, start_ms=T0)


def test_a_meeting_that_cannot_keep_up_sheds_merges_defers_and_catches_up(tmp_path: Path) -> None:
    """Three minutes of talk on an engine that needs twice as long as it lasts for short pieces."""

    def script(pcm: Pcm) -> str:
        return named(pcm)

    async def main(clock: IdleClock) -> None:
        settings = TranscribeSettings(workers=1, timeout_s=600.0)
        world = World(clock, tmp_path, script, settings=settings)
        world.engine._delay_s = 3.0  # whatever the length: merging pays
        shed: list[bool] = []
        worst = 0.0
        async with asyncio.TaskGroup() as group:
            group.create_task(world.transcriber.run())
            for n in range(1, 91):
                await clock.sleep(2.0)
                await world.transcriber.put(await world.segment(n, start_ms=2_000 * n, seconds=1.9))
                load = world.pool.load(world.log.meeting)
                worst = max(worst, load.lag_s)
                look = await world.pool.partial(
                    world.log.meeting, "open", np.ones(1_600, np.float32)
                ) if load.lag_s > settings.shed_after_s else "asked"  # fmt: skip
                shed.append(look is None)
            await world.transcriber.close()
        assert any(shed)
        assert settings.merge_after_s < worst < 2 * settings.merge_after_s + 6.0
        state = world.log.state()
        assert state.pending == []
        assert sorted(s for s, _ in closings(world.log)) == sorted(f"s{n}" for n in range(1, 91))
        heard = " ".join(u.text for u in state.transcript()).split()
        assert heard == [f"word{n}" for n in range(1, 91)]
        assert 0 < len(state.transcript()) < 80
        assert world.pool.load(world.log.meeting) == Load()
        await world.pool.close()

    run(main, start_ms=T0)


def test_people_are_told_that_words_come_later_and_when_they_have_caught_up(tmp_path: Path) -> None:
    async def main(clock: IdleClock) -> None:
        settings = TranscribeSettings(workers=1, timeout_s=600.0)
        world = World(clock, tmp_path, settings=settings, rtf=10.0)
        await world.all(
            *[await world.segment(n, start_ms=60_000 * n, seconds=2.0) for n in range(1, 5)]
        )
        told = [e.body for e in world.log._events if isinstance(e.body, ev.StageChanged)]
        assert [(t.state, t.error) for t in told] == [
            ("degraded", "behind"),
            ("degraded", "behind"),  # twice as late by then
            ("ok", ""),
        ]
        assert told[0].retryable
        assert told[0].detail.startswith("words come 31 s after they are said; 3 segments wait")
        assert world.log.state().stages["transcribe"].state == "ok"

    run(main, start_ms=T0)


def test_a_doubtful_text_keeps_its_audio(tmp_path: Path) -> None:
    def script(pcm: Pcm) -> str:
        return "and so on " * 9 if 2 in numbers(pcm) else named(pcm)

    async def main(clock: IdleClock) -> None:
        world = World(clock, tmp_path, script)
        doubtful = await world.segment(2, seconds=9.0)
        state = await world.all(await world.segment(1), doubtful, await world.segment(3))
        said = {u.segment: u for u in state.transcript()}
        assert said[doubtful.id].doubt == "loop"
        assert (said[doubtful.id].confidence or 1) < 0.5
        assert state.doubts == {doubtful.id: "loop"}
        assert world.files() == {doubtful.file}
        assert len(world.engine.heard) == 4  # once more, differently

    run(main, start_ms=T0)


@pytest.mark.parametrize(
    ("given", "text", "decodes"),
    [
        (Transcription("From the stream.", engine="far"), "From the stream.", 0),
        (Transcription("and so on " * 9, engine="far"), "word1", 1),
        (None, "word1", 1),
    ],
)
def test_words_that_are_ready_are_taken_if_they_can_have_been_said(
    tmp_path: Path, given: Transcription | None, text: str, decodes: int
) -> None:
    async def main(clock: IdleClock) -> None:
        async def ready(segment: Segment) -> Transcription | None:
            await clock.sleep(0.3)
            return given

        world = World(clock, tmp_path, ready=ready)
        state = await world.all(await world.segment(1))
        assert [u.text for u in state.transcript()] == [text]
        assert len(world.engine.heard) == decodes
        assert state.transcript()[0].engine == ("far" if not decodes else "scripted")
        assert world.files() == set()

    run(main, start_ms=T0)


def test_a_server_that_asks_for_time_gets_it(tmp_path: Path) -> None:
    answers: Iterator[Answer] = iter(
        [EngineError("slow down", kind="busy", retryable=True, retry_after_s=40.0), "Good."]
    )

    async def main(clock: IdleClock) -> None:
        world = World(clock, tmp_path, lambda _: next(answers))
        world.engine.capabilities = Capabilities(name="far", remote=True)
        state = await world.all(await world.segment(1))
        assert [u.text for u in state.transcript()] == ["Good."]
        assert 40.0 <= clock.monotonic() < 42.0
        assert [h.key for h in world.engine.hints] == [f"{world.log.meeting}/s1"] * 2

    run(main, start_ms=T0)


def test_no_server_can_hold_a_meeting_up_for_days(tmp_path: Path) -> None:
    answers: Iterator[Answer] = iter(
        [EngineError("slow down", kind="busy", retryable=True, retry_after_s=1e9), "Good."]
    )

    async def main(clock: IdleClock) -> None:
        world = World(clock, tmp_path, lambda _: next(answers))
        world.engine.capabilities = Capabilities(name="far", remote=True)
        state = await world.all(await world.segment(1))
        assert [u.text for u in state.transcript()] == ["Good."]
        assert 200.0 < clock.monotonic() < 1_000.0

    run(main, start_ms=T0)


@pytest.mark.parametrize("kind", ["missing_extra", "load", "hangs", "auth", "closing"])
def test_what_only_people_can_mend_leaves_the_audio_for_later(tmp_path: Path, kind: str) -> None:
    async def main(clock: IdleClock) -> None:
        world = World(clock, tmp_path, lambda _: EngineError("no", kind=kind))
        state = await world.all(await world.segment(1), await world.segment(2, who="8"))
        assert len(state.pending) == world.transcriber.kept == 2
        assert len(world.files()) == 2
        assert state.stages["transcribe"].error == kind

    run(main, start_ms=T0)


def test_an_outage_is_waited_out_while_the_meeting_goes_on(tmp_path: Path) -> None:
    async def main(clock: IdleClock) -> None:
        def script(pcm: Pcm) -> Answer:
            if clock.monotonic() < 1_800.0:
                return EngineError("nobody answers", kind="connect", retryable=True)
            return named(pcm)

        world = World(clock, tmp_path, script, merges=False)
        async with asyncio.TaskGroup() as group:
            group.create_task(world.transcriber.run())
            for n in range(1, 8):
                await world.transcriber.put(await world.segment(n, start_ms=3_000 * n))
            await clock.sleep(2_000.0)
            await world.transcriber.close()
        state = world.log.state()
        assert [u.text for u in state.transcript()] == [f"word{n}" for n in range(1, 8)]
        assert state.missing() == []
        assert state.stages["transcribe"].state == "ok"
        await world.pool.close()

    run(main, start_ms=T0)


def test_what_an_outage_at_the_end_leaves_is_kept(tmp_path: Path) -> None:
    async def main(clock: IdleClock) -> None:
        down = EngineError("nobody answers", kind="connect", retryable=True)
        world = World(clock, tmp_path, lambda _: down)
        state = await world.all(await world.segment(1))
        assert world.transcriber.kept == len(state.pending) == len(world.files()) == 1
        assert 100.0 < clock.monotonic() < 300.0

    run(main, start_ms=T0)


def test_one_segment_that_always_fails_is_a_gap(tmp_path: Path) -> None:
    async def main(clock: IdleClock) -> None:
        def script(pcm: Pcm) -> Answer:
            return (
                EngineError("500", kind="server", retryable=True) if 1 in numbers(pcm) else "Yes."
            )

        world = World(clock, tmp_path, script)
        state = await world.all(await world.segment(1), await world.segment(2, who="8"))
        assert [g.cause for g in state.missing()] == ["stt_failed"]
        assert state.pending == []

    run(main, start_ms=T0)


def test_what_a_broken_off_run_left_is_done_by_the_next(tmp_path: Path) -> None:
    async def main(clock: IdleClock) -> None:
        world = World(clock, tmp_path, rtf=1.0)
        segments = [await world.segment(n, start_ms=2_500 * n) for n in range(1, 9)]
        task = asyncio.create_task(world.transcriber.run())
        for segment in segments:
            await world.transcriber.put(segment)
        await clock.sleep(5.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert 0 < len(world.log.state().pending) < 8
        assert world.pool.load(world.log.meeting) == Load()
        again = World(clock, tmp_path, log=world.log)
        state = await again.all(*world.log.state().pending)
        assert [u.text for u in state.transcript()] == [f"word{n}" for n in range(1, 9)]
        assert sorted(closings(world.log)) == [(f"s{n}", "text") for n in range(1, 9)]
        assert again.files() == set()
        await world.pool.close()

    run(main, start_ms=T0)


def test_words_of_this_meeting_are_hinted_at_and_put_right(tmp_path: Path) -> None:
    async def main(clock: IdleClock) -> None:
        vocabulary = Vocabulary([GlossaryLine("Kubeflow", ("cube flow",))])
        naming = MeetingNaming(
            vocabulary, TranscribeSettings(language="en"), people=lambda: ("Anna",), at_ms=T0
        )
        world = World(clock, tmp_path, lambda _: "We use cube flow here. ", naming=naming)
        world.engine.capabilities = Capabilities(name="prompted", terms=True, most_terms=5)
        state = await world.all(await world.segment(1))
        [said] = state.transcript()
        assert said.text == "We use Kubeflow here."
        [fixed] = said.corrections
        assert isinstance(fixed, Correction)
        assert (fixed.was, fixed.now, said.text[fixed.at : fixed.at + 8]) == (
            "cube flow",
            "Kubeflow",
            "Kubeflow",
        )
        assert world.engine.hints[-1].terms == ("Anna", "Kubeflow")
        assert world.engine.hints[-1].language == "en"

    run(main, start_ms=T0)


def test_a_defect_of_an_engine_does_not_end_the_meeting(tmp_path: Path) -> None:
    def script(pcm: Pcm) -> str:
        if 1 in numbers(pcm):
            raise ZeroDivisionError
        return named(pcm)

    async def main(clock: IdleClock) -> None:
        world = World(clock, tmp_path, script, merges=False)
        state = await world.all(await world.segment(1), await world.segment(2, who="8"))
        assert [u.text for u in state.transcript()] == ["word2"]
        assert [g.cause for g in state.missing()] == ["stt_failed"]

    run(main, start_ms=T0)


def test_segments_tried_together_in_an_outage_are_kept_without_trying_each(tmp_path: Path) -> None:
    async def main(clock: IdleClock) -> None:
        down = EngineError("nobody answers", kind="connect", retryable=True)
        world = World(clock, tmp_path, lambda _: down)
        segments = [await world.segment(n, start_ms=1_000 * n, seconds=1.0) for n in range(1, 9)]
        first = asyncio.create_task(world.transcriber.run())
        for segment in segments:
            await world.transcriber.put(segment)
        await clock.sleep(1_000.0)  # late: the next are taken together
        await world.transcriber.close()
        began = clock.monotonic()
        await first
        assert world.transcriber.kept == len(world.log.state().pending) == 8
        assert clock.monotonic() - began < 600.0
        await world.pool.close()

    run(main, start_ms=T0)


def test_words_of_which_nothing_can_be_shown_leave_no_audio(tmp_path: Path) -> None:
    async def main(clock: IdleClock) -> None:
        world = World(clock, tmp_path, lambda _: " " * 400)  # "faster than anybody speaks"
        state = await world.all(await world.segment(1))
        assert closings(world.log) == [("s1", "empty")]
        assert state.doubts == {}
        assert world.files() == set()

    run(main, start_ms=T0)


def test_a_run_broken_off_at_any_moment_leaves_nothing_counted(tmp_path: Path) -> None:
    async def main(clock: IdleClock) -> None:
        for steps in range(1, 14):
            folder = tmp_path / str(steps)
            folder.mkdir()
            world = World(clock, folder, rtf=1.0)
            task = asyncio.create_task(world.transcriber.run())
            for n in range(1, 4):
                await world.transcriber.put(await world.segment(n, start_ms=2_500 * n))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert world.pool.load(world.log.meeting) == Load(), steps
            await world.pool.close()

    run(main, start_ms=T0)


@pytest.mark.parametrize(
    ("given", "speech_ms"),
    [
        (Transcription("Это совсем другой язык.", language="ru", engine="far"), 1_500),
        (Transcription("You.", engine="far"), 100),  # from hardly any speech
    ],
)
def test_ready_words_stand_the_same_tests_as_others(
    tmp_path: Path, given: Transcription, speech_ms: int
) -> None:
    async def main(clock: IdleClock) -> None:
        async def ready(segment: Segment) -> Transcription | None:
            return given

        world = World(clock, tmp_path, ready=ready, naming=Plain("en"))
        await world.all(await world.segment(1, speech_ms=speech_ms))
        assert world.engine.heard

    run(main, start_ms=T0)
