"""From packets to segments in the log, with a detector that depends on loudness alone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio.chain import AudioChain
from pipeline.audio.gate import OpenGate
from pipeline.audio.open_speech import HeardSoFar, OpenSpeech
from pipeline.audio.packet import Samples
from pipeline.audio.settings import AudioSettings
from pipeline.audio.vad import LoudnessVad, Vad
from pipeline.base.clock import ManualClock
from pipeline.base.errors import EngineError
from pipeline.meeting import audio_intake
from pipeline.meeting.audio_intake import AudioIntake
from pipeline.meeting.recorder import Recorder
from pipeline.model import events as ev
from pipeline.model.speech import Segment
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out
from pipeline.store.memory import MemoryLog

T0 = 1_790_000_000_000
L16 = out.AudioFormat("L16", 16_000, 1, True, 20)


class Shown:
    """A feed of partial words that notes what it is shown, and when all that waited was taken."""

    def __init__(self) -> None:
        self.calls: list[list[tuple[str, int, int]]] = []
        self.waiting: Callable[[], int] = lambda: 0
        self.idle = asyncio.Event()

    def show(self, stream: str, speaking: Sequence[OpenSpeech], heard: HeardSoFar) -> None:
        assert stream == "S"
        self.calls.append([(one.file, one.samples, len(heard(one.file))) for one in speaking])
        if not self.waiting():
            self.idle.set()


class Kept:
    """A recording that counts samples."""

    def __init__(self) -> None:
        self.rates: list[int] = []
        self.samples: dict[str | None, int] = {}
        self.finished = False

    def format(self, sample_rate: int) -> None:
        self.rates.append(sample_rate)

    def tap(self, participant: str | None, at: int, samples: Samples) -> None:
        assert at >= T0 * 16
        assert not self.finished
        self.samples[participant] = self.samples.get(participant, 0) + len(samples)

    async def finish(self) -> None:
        self.finished = True


class Bench:
    """An intake that runs, its log and its clock."""

    def __init__(
        self, intake: AudioIntake, log: MemoryLog, clock: ManualClock, shown: Shown
    ) -> None:
        self.intake = intake
        self.shown = shown
        self.log = log
        self.clock = clock

    def send(self, values: np.ndarray, start_ms: int = 0, who: int | None = 7) -> int:
        """Packets of 20 ms; where they end."""
        for n, i in enumerate(range(0, len(values), 320)):
            data = values[i : i + 320].tobytes()
            at = T0 + start_ms + n * 20
            assert self.intake.put(out.AudioReceived(who, "Ada" if who else None, at, data))
        return start_ms + len(values) // 16

    async def settled(self) -> None:
        """Until everything that was just put is taken and in the log."""
        self.shown.idle.clear()
        await self.shown.idle.wait()

    async def tick(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        self.intake.tick()
        await self.settled()

    async def bodies(self, kind: type[ev._Body]) -> list[ev.Body]:
        return [e.body for e in await self.log.events() if isinstance(e.body, kind)]

    async def segments(self) -> list[Segment]:
        events = await self.log.events()
        return [e.body.segment for e in events if isinstance(e.body, ev.SegmentSpooled)]


@pytest.fixture(autouse=True)
def loud(monkeypatch: pytest.MonkeyPatch) -> None:
    made = partial(AudioChain, vad=LoudnessVad, gate=OpenGate)
    monkeypatch.setattr(audio_intake, "AudioChain", made)


@asynccontextmanager
async def running(
    spool: Path,
    *,
    shown: Shown | None = None,
    kept: Kept | None = None,
    hears: bool = True,
    speed: float = 1.0,
    told: out.AudioFormat = L16,
) -> AsyncIterator[Bench]:
    """The stream is over, and all of it in the log, when the block ends."""
    clock, log, shown = ManualClock(), MemoryLog("m"), shown or Shown()

    async def on_engine(error: EngineError | None) -> None:
        raise AssertionError(error)

    def refuse(cause: str, at_ms: int) -> None:
        raise AssertionError(cause)

    intake = AudioIntake(
        stream="S",
        spool=spool,
        settings=AudioSettings(hangover_ms=500, pre_roll_ms=256),
        recorder=Recorder(MeetingState("m"), "local"),
        meeting_log=log,
        machine=clock,
        speed=speed,
        now=lambda: T0,
        refuse=refuse,
        on_engine=on_engine,
        partials=shown,
        recording=kept,
        hears=hears,
    )
    task = asyncio.create_task(intake.run())
    shown.waiting = lambda: len(intake._waiting)
    intake.format(told)
    yield Bench(intake, log, clock, shown)
    intake.close()
    await task


def noise(*spans: tuple[float, int]) -> np.ndarray:
    rng = np.random.default_rng(5)
    parts = [np.clip(rng.standard_normal(ms * 16) * loud, -0.9, 0.9) for loud, ms in spans]
    return (np.concatenate(parts) * 32_000).astype("<i2")


async def test_a_process_that_stood_still_cuts_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        values = noise((0.1, 3_000), (0.0, 700))
        end = bench.send(values[: 16 * 1_500])
        await bench.settled()
        await bench.tick(0.2)
        for _ in range(8):
            await bench.tick(30.0)  # the loop was late by half a minute, eight times
        assert await bench.segments() == []
        bench.send(values[16 * 1_500 :], end)
    (segment,) = await bench.segments()
    assert (segment.start_ms, segment.speech_ms) == (T0, 3_008)


@pytest.mark.parametrize(("tail", "after"), [(200, 1.2), (0, 4.2)])
async def test_who_fell_silent_is_ended_by_the_clock(
    tmp_path: Path, tail: int, after: float
) -> None:
    async with running(tmp_path) as bench:
        bench.send(noise((0.1, 1_000), (0.0, tail)))
        await bench.settled()
        ticks = 0
        while not await bench.segments():
            await bench.tick(0.2)
            ticks += 1
        assert ticks * 0.2 == pytest.approx(after, abs=0.21)


async def test_time_stands_still_between_the_packets_of_a_file(tmp_path: Path) -> None:
    async with running(tmp_path, speed=0.0) as bench:
        bench.send(noise((0.1, 1_000)))
        await bench.settled()
        for _ in range(40):
            await bench.tick(1.0)
        assert await bench.segments() == []
    assert len(await bench.segments()) == 1


async def test_what_is_said_is_shown_while_it_is_said(tmp_path: Path) -> None:
    shown = Shown()
    async with running(tmp_path, shown=shown) as bench:
        bench.send(noise((0.1, 1_000)))
        await bench.settled()
        ((file, samples, heard),) = shown.calls[-1]
        assert heard == samples >= 15_000
        bench.send(noise((0.0, 800)), 1_000)
        await bench.settled()
        assert shown.calls[-1] == []
        assert [s.file for s in await bench.segments()] == [file]
    assert shown.calls[-1] == []
    lengths = [call[0][1] for call in shown.calls if call]
    assert lengths == sorted(lengths)


async def test_mixed_audio_gets_the_names_zoom_told(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        bench.intake.speaker(out.SpeakerChanged(16, "Ann", T0 - 500))
        end = bench.send(noise((0.1, 2_500), (0.0, 900)), who=None)
        bench.intake.speaker(out.SpeakerChanged(17, None, T0 + end + 700))
        end = bench.send(noise((0.1, 2_500), (0.0, 900)), end, who=None)
        bench.send(noise((0.1, 300), (0.0, 900)), end, who=None)
    found = await bench.segments()
    assert [(s.participant, s.speaker, s.attribution) for s in found] == [
        ("16", "Ann", "active_speaker"),
        ("17", None, "active_speaker"),
        (None, None, "unknown"),
    ]
    assert found[0].speaker_confidence == 1.0


async def test_what_is_recorded_only_is_not_cut(tmp_path: Path) -> None:
    kept = Kept()
    async with running(tmp_path, kept=kept, hears=False) as bench:
        bench.send(noise((0.1, 2_000)))
    assert kept.finished
    assert kept.rates == [16_000]
    assert kept.samples == {"7": 32_000}
    assert await bench.log.events() == []


async def test_odd_audio_is_told_in_the_meeting(tmp_path: Path) -> None:
    half = out.AudioFormat("L16", 32_000, 1, True, 20)
    async with running(tmp_path, told=half) as bench:
        bench.send(noise((0.1, 2_000), (0.0, 1_000)))
    (fault,) = await bench.bodies(ev.ProtocolFaulted)
    assert isinstance(fault, ev.ProtocolFaulted)
    assert (fault.socket, fault.reason, fault.stream) == ("audio", "wrong_rate", "S")
    assert "announced 32000, really 16000 Hz" in fault.detail
    (segment,) = await bench.segments()
    assert (segment.start_ms, segment.end_ms) == (T0, T0 + 2_000 + 208)


async def test_a_detector_that_does_not_load_degrades_the_meeting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Vad:
        raise EngineError("libsilero.so: cannot open", kind="vad")

    monkeypatch.setattr(audio_intake, "AudioChain", partial(AudioChain, vad=broken))
    async with running(tmp_path) as bench:
        bench.send(noise((0.0, 500), (0.1, 1_000), (0.0, 1_500)))
    (stage,) = await bench.bodies(ev.StageChanged)
    assert isinstance(stage, ev.StageChanged)
    assert (stage.stage, stage.state, stage.error) == ("stream", "degraded", "vad")
    assert "libsilero.so" in stage.detail


async def test_what_will_be_heard_again_is_no_segment_cut_in_a_word(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        bench.send(noise((0.1, 1_000), (0.0, 1_000), (0.1, 700)))
        await bench.settled()
        bench.intake.forget_open()
    (segment,) = await bench.segments()
    assert segment.speech_ms == pytest.approx(1_000, abs=40)
    assert sorted(os.listdir(tmp_path)) == [segment.file.replace(".pcm", ".json"), segment.file]  # noqa: PTH208
