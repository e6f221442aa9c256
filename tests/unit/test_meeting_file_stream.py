"""Files as a stream: samples and times, waiting, going on, and files that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from pipeline.base.errors import BadInput, NotFound
from pipeline.meeting.file_meeting import go_on, identity, opening, source
from pipeline.meeting.file_stream import READ_TO_THE_END, FileStream, heard_until
from pipeline.model import events as ev
from pipeline.model.gaps import Hole
from pipeline.model.speech import Segment
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out
from pipeline.rtms.products import Announcement
from pipeline.store.memory import MemoryLog
from tests.media_makers import encode, tone, write_wav

ZERO = 1_790_000_000_000


class Sink:
    """Keeps what it is given; ``open`` decides whether there is room."""

    def __init__(self) -> None:
        self.outputs: list[out.Output] = []
        self.holes: list[Hole] = []
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()

    def put(self, output: out.Output) -> None:
        self.outputs.append(output)

    def missing(self, hole: Hole) -> None:
        self.holes.append(hole)

    async def room(self) -> None:
        self.asked.set()
        await self.open.wait()

    def audio(self, user_id: int = 1) -> list[out.AudioReceived]:
        packets = (o for o in self.outputs if isinstance(o, out.AudioReceived))
        return [packet for packet in packets if packet.user_id == user_id]

    def samples(self, user_id: int = 1) -> np.ndarray:
        data = b"".join(packet.data for packet in self.audio(user_id))
        return np.frombuffer(data, "<i2")


async def meeting(*named: tuple[Path, str]) -> tuple[MemoryLog, MeetingState, Announcement]:
    """The log of a meeting of files that has just begun."""
    sources = tuple(source(path, name) for path, name in named)
    meeting_log = MemoryLog("m1")
    await meeting_log.append(
        *opening(sources, zoom_id="z", started_ms=ZERO, zone="UTC", title="t", engine="local")
    )
    state = MeetingState.replay("m1", await meeting_log.events())
    announcement = await go_on(meeting_log, state)
    assert announcement is not None
    return meeting_log, state, announcement


def stream(
    begun: tuple[MemoryLog, MeetingState, Announcement],
    sink: Sink,
    named: list[tuple[Path, str]],
    most_pending: int = 4,
) -> FileStream:
    meeting_log, state, _ = begun
    return FileStream(
        sink,
        sources=tuple(source(path, name) for path, name in named),
        zero_ms=ZERO,
        meeting_log=meeting_log,
        state=state,
        most_pending=most_pending,
    )


@asynccontextmanager
async def running(files: FileStream) -> AsyncIterator[None]:
    task = asyncio.create_task(files.run())
    try:
        yield
    finally:
        await files.close()
        await task


def segment(number: int, start_ms: int, samples: int, participant: str | None = "1") -> Segment:
    return Segment(
        id=f"s{number}",
        stream="files-1",
        start_ms=ZERO + start_ms,
        end_ms=ZERO + start_ms + samples // 16,
        file=f"{number}.pcm",
        samples=samples,
        participant=participant,
    )


async def test_two_files_side_by_side_to_the_sample(tmp_path: Path) -> None:
    anna, ben = tone(3.33), tone(1.2, 300)
    named = [
        (write_wav(tmp_path / "anna.wav", anna), "Anna"),
        (write_wav(tmp_path / "ben.wav", ben), "Ben"),
    ]
    sink = Sink()
    await stream(await meeting(*named), sink, named).run()
    assert out.PeopleJoined((("1", "Anna"), ("2", "Ben")), ZERO) in sink.outputs
    assert out.AudioFormat("L16", 16_000, 1, True, 100) in sink.outputs
    assert (sink.samples(1) == np.rint(anna * 32_767)).all()
    assert (sink.samples(2) == np.rint(ben * 32_767)).all()
    times = [o.timestamp_ms for o in sink.outputs if isinstance(o, out.AudioReceived)]
    assert times == sorted(times)  # as one meeting, not one file after the other
    assert [p.timestamp_ms - ZERO for p in sink.audio(1)] == list(range(0, 3_400, 100))
    assert sink.outputs[-1] == out.StreamOver(None, READ_TO_THE_END, False)


async def test_nobody_is_named_after_a_file(tmp_path: Path) -> None:
    """Without a name it is heard as mixed audio is, and goes on so."""
    named = [(write_wav(tmp_path / "meeting.wav", tone(3.0)), "")]
    sink = Sink()
    begun = await meeting(*named)
    await stream(begun, sink, named).run()
    packets = [o for o in sink.outputs if isinstance(o, out.AudioReceived)]
    assert {(packet.user_id, packet.user_name) for packet in packets} == {(None, None)}
    assert not any(isinstance(o, out.PeopleJoined) for o in sink.outputs)
    begun[1].segments["s1"] = segment(1, 500, 16_000, None)
    sink = Sink()
    await stream(begun, sink, named).run()
    first = next(o for o in sink.outputs if isinstance(o, out.AudioReceived))
    assert first.timestamp_ms == ZERO + 1_500


async def test_it_waits_while_the_chain_is_busy(tmp_path: Path) -> None:
    named = [(write_wav(tmp_path / "a.wav", tone(30.0)), "A")]
    sink = Sink()
    sink.open.clear()
    async with running(stream(await meeting(*named), sink, named)):
        await sink.asked.wait()
        assert len(sink.samples()) == 2 * 16_000
        sink.open.set()


async def test_it_waits_while_segments_wait_for_their_words(tmp_path: Path) -> None:
    named = [(write_wav(tmp_path / "a.wav", tone(30.0)), "A")]
    sink = Sink()
    begun = await meeting(*named)
    meeting_log, state, _ = begun
    for event in await meeting_log.append(ev.SegmentSpooled(segment=segment(1, 0, 16_000))):
        state.apply(event)
    files = stream(begun, sink, named, most_pending=1)
    task = asyncio.create_task(files.run())
    await sink.asked.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(sink.audio()) == 20  # nothing more than what is read in one go
    await meeting_log.append(ev.SegmentClosed(segment="s1", outcome="empty"))
    await task
    assert len(sink.samples()) == 29 * 16_000  # the first second was heard before


async def test_another_process_goes_on_right_behind_the_last_segment(tmp_path: Path) -> None:
    anna, ben = tone(5.0), tone(4.0, 300)
    named = [
        (write_wav(tmp_path / "anna.wav", anna), "Anna"),
        (write_wav(tmp_path / "ben.wav", ben), "Ben"),
    ]
    begun = await meeting(*named)
    meeting_log, state, first = begun
    for event in await meeting_log.append(
        ev.StreamChanged(stream=first.stream, state="live", at_ms=ZERO),
        ev.SegmentSpooled(segment=segment(1, 500, 24_800)),
        ev.SegmentSpooled(segment=segment(2, 0, 8_000, "2")),
    ):
        state.apply(event)
    again = await go_on(meeting_log, state)
    assert again is not None
    assert (again.stream, again.announced_ms) == ("files-2", ZERO + 500)
    assert state.streams["files-1"].state == "ended"
    sink = Sink()
    await stream((meeting_log, state, again), sink, named).run()
    assert (sink.samples(1) == np.rint(anna * 32_767)[32_800:]).all()
    assert (sink.samples(2) == np.rint(ben * 32_767)[8_000:]).all()
    assert sink.audio(1)[0].timestamp_ms == ZERO + 2_050
    # the next process finds the same, not one stream more for each that was never heard of
    state = MeetingState.replay("m1", await meeting_log.events())
    assert (await go_on(meeting_log, state)) == again


async def test_what_is_read_to_its_end_is_not_read_again(tmp_path: Path) -> None:
    named = [(write_wav(tmp_path / "a.wav", tone(1.0)), "A")]
    meeting_log, state, first = await meeting(*named)
    for event in await meeting_log.append(
        ev.StreamEnded(stream=first.stream, at_ms=ZERO, detail=READ_TO_THE_END)
    ):
        state.apply(event)
    assert await go_on(meeting_log, state) is None


async def test_closing_leaves_the_rest(tmp_path: Path) -> None:
    named = [(write_wav(tmp_path / "a.wav", tone(60.0)), "A")]
    sink = Sink()
    sink.open.clear()
    files = stream(await meeting(*named), sink, named)
    task = asyncio.create_task(files.run())
    await sink.asked.wait()
    await files.close()
    await task
    assert not any(isinstance(o, out.StreamOver) for o in sink.outputs)


async def test_a_file_that_changed_ends_the_stream(tmp_path: Path) -> None:
    named = [(write_wav(tmp_path / "a.wav", tone(1.0)), "A")]
    begun = await meeting(*named)
    sink = Sink()
    files = stream(begun, sink, named)
    write_wav(named[0][0], tone(2.0))
    await files.run()
    [over] = sink.outputs
    assert isinstance(over, out.StreamOver)
    assert "has changed since" in over.detail
    named[0][0].unlink()
    sink = Sink()
    gone = FileStream(
        sink,
        sources=files._sources,
        zero_ms=ZERO,
        meeting_log=begun[0],
        state=begun[1],
        most_pending=4,
    )
    await gone.run()
    assert "no such file" in str(sink.outputs[-1])


async def test_a_file_that_breaks_off_is_a_hole(tmp_path: Path) -> None:
    whole = encode(tmp_path / "w.mkv", tone(10.0, rate=48_000), "flac")
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    named = [(path, "A"), (write_wav(tmp_path / "b.wav", tone(12.0)), "B")]
    sink = Sink()
    await stream(await meeting(*named), sink, named).run()
    [hole] = sink.holes
    assert (hole.media, hole.participant, hole.cause) == ("audio", "1", "unusable_audio")
    assert hole.from_ms == ZERO + len(sink.samples(1)) * 1000 // 16_000
    assert hole.to_ms == pytest.approx(ZERO + 10_000, abs=100)
    assert "cut.mkv" in (hole.detail or "")
    assert len(sink.samples(2)) == 12 * 16_000  # the other file is read all the same


def test_identity_is_of_files_speakers_and_engine(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(0.5))
    one = (source(path, "Anna"),)
    assert identity(one, "local", 1) == identity((source(path, "Anna"),), "local", 1)
    others = {
        identity(one, "local", 2),
        identity(one, "whisper", 1),
        identity((source(path, "Ben"),), "local", 1),
    }
    write_wav(path, tone(0.6))
    others.add(identity((source(path, "Anna"),), "local", 1))
    assert len(others | {identity(one, "local", 1)}) == 5


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such file"):
        source(tmp_path / "none.wav", "A")
    with pytest.raises(BadInput, match="cannot be read"):
        source(write_wav(tmp_path / "a.wav", tone(0.1)) / "below.wav", "A")


def test_heard_until_counts_samples_of_each() -> None:
    state = MeetingState("m1")
    for found in (segment(1, 100, 1_600), segment(2, 900, 800), segment(3, 50, 160, "2")):
        state.segments[found.id] = found
    assert heard_until(state, ZERO) == {"1": 15_200, "2": 960}
