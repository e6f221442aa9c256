"""The queue of images: audio and words never wait for it, and what it drops is said."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.base import metrics
from pipeline.meeting.images import intake
from pipeline.meeting.images.intake import ImageIntake
from pipeline.meeting.images.keeper import Keeper
from pipeline.meeting.recorder import Recorder
from pipeline.meeting.settings import MeetingSettings
from pipeline.model import events as ev
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out
from pipeline.store.memory import MemoryLog
from tests.image_makers import moving, slide, still

T0 = 1_790_000_000_000
SLIDES = [still(slide(n)) for n in range(3)]


class World:
    def __init__(self, folder: Path, **settings: Any) -> None:
        self.log = MemoryLog()
        self.intake = ImageIntake(
            stream="S",
            folder=folder / "images",
            settings=MeetingSettings(**settings),
            recorder=Recorder(MeetingState("m"), "native"),
            commit=self._commit,
        )

    async def _commit(self, bodies: list[ev.Body]) -> None:
        await self.log.append(*bodies)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ImageIntake]:
        async with asyncio.timeout(20):
            task = asyncio.create_task(self.intake.run())
            yield self.intake
            self.intake.close()
            await task

    @property
    def bodies(self) -> list[ev.Body]:
        return [event.body for event in self.log._events]


def shared(at_s: float, data: bytes = SLIDES[0]) -> out.ImageReceived:
    return out.ImageReceived("deskshare", 7, "Maya", T0 + round(at_s * 1000), data)


def dropped() -> float:
    return metrics.IMAGES.labels("dropped")._value.get()


async def test_pictures_reach_the_log_in_order(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as images:
        images.put(out.SharingStarted(7, "Maya", T0))
        images.put(out.ImageFormat("deskshare", "JPG", "FHD", 1))
        for s in range(30):
            images.put(shared(s, SLIDES[s // 10]))
    kept = [b.image for b in world.bodies if isinstance(b, ev.ImageKept)]
    assert [i.id for i in kept] == ["i1", "i2", "i3"]
    assert [i.speaker for i in kept] == ["Maya"] * 3
    assert all((tmp_path / "images" / i.file).is_file() for i in kept)


async def test_an_image_that_cannot_be_used_is_told_in_the_log(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as images:
        images.put(shared(1, b"<script>"))
        images.put(shared(2, b"<script>"))
    (fault,) = world.bodies
    assert isinstance(fault, ev.ProtocolFaulted)
    assert (fault.socket, fault.reason, fault.count) == ("deskshare", "image_not_an_image", 1)
    assert fault.at_ms == T0 + 1_000


async def test_who_shares_is_known_though_it_was_told_before_any_image(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as images:
        images.put(out.SharingStarted(7, "Maya", T0))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        images.put(out.ImageReceived("deskshare", None, None, T0 + 1, SLIDES[0]))
    (kept,) = [b.image for b in world.bodies if isinstance(b, ev.ImageKept)]
    assert kept.speaker == "Maya"


async def test_nothing_is_loaded_or_queued_that_nobody_wants(tmp_path: Path) -> None:
    world = World(tmp_path, keyframes=False)
    async with world.running() as images:
        images.put(shared(0))
        images.put(out.ImageReceived("video", 7, "Maya", T0, SLIDES[0]))
        assert len(images._waiting) == 0
    assert world.bodies == []


@pytest.mark.parametrize("by", ["count", "bytes"])
async def test_what_does_not_fit_is_dropped_counted_and_becomes_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    world = World(tmp_path)
    if by == "bytes":
        monkeypatch.setattr(intake, "BYTES", 10 * len(SLIDES[0]))
    room = 10 if by == "bytes" else intake.IMAGES
    before = dropped()
    for n in range(room + 5):  # nobody takes anything out: the disk stands still, say
        world.intake.put(shared(n))
    assert dropped() - before == 5
    async with world.running():
        pass
    (gap,) = [b.gap for b in world.bodies if isinstance(b, ev.GapFound)]
    assert (gap.media, gap.cause) == ("deskshare", "images_dropped")
    assert gap.detail.startswith("5 images")
    assert (gap.from_ms - T0, gap.to_ms - T0) == (room * 1000, (room + 4) * 1000 + 1)
    assert len([b for b in world.bodies if isinstance(b, ev.ImageKept)]) == 1


async def test_after_dropped_h264_a_file_goes_on_from_a_key_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = moving([slide(1)] * 60)
    world = World(tmp_path, save_share=True, keyframes=False)
    world.intake.put(out.ImageFormat("deskshare", "H264", "HD", 10))
    for n in range(30):
        world.intake.put(shared(n / 10, messages[n]))
    with monkeypatch.context() as tight:
        tight.setattr(intake, "BYTES", 0)
        world.intake.put(shared(3.0, messages[30]))
    for n in range(31, 60):
        world.intake.put(shared(n / 10, messages[n]))
    async with world.running():
        pass
    done = [b.clip for b in world.bodies if isinstance(b, ev.ClipKept) and b.clip.frames]
    assert [(c.from_ms - T0, c.frames) for c in done] == [(0, 30), (4_000, 20)]


async def test_a_slow_disk_never_makes_put_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, stuck = World(tmp_path), threading.Event()
    entered = asyncio.Event()
    loop = asyncio.get_running_loop()
    work = Keeper.work

    def slow(self: Keeper, items: Any) -> Any:
        loop.call_soon_threadsafe(entered.set)
        assert stuck.wait(20)
        return work(self, items)

    monkeypatch.setattr(Keeper, "work", slow)
    async with world.running() as images:
        images.put(shared(0))
        await entered.wait()
        for n in range(1, 50):  # the loop is free while the thread is not
            images.put(shared(n))
        stuck.set()
    assert [type(b) for b in world.bodies] == [ev.ImageKept]


async def test_a_fault_in_this_program_ends_pictures_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: Keeper, _items: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Keeper, "work", broken)
    world = World(tmp_path)
    async with world.running() as images:
        images.put(shared(0))
        await asyncio.sleep(0.01)
        images.put(shared(1))
    (changed,) = world.bodies
    assert isinstance(changed, ev.StageChanged)
    assert (changed.stage, changed.state, changed.error) == (
        "images",
        "failed",
        "ZeroDivisionError",
    )


async def test_a_full_disk_shows_in_the_state_and_so_does_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    world.intake.put(shared(0))
    (tmp_path / "images").write_text("a file is where the folder should be")
    async with world.running() as images:
        async for event in world.log.follow():
            assert isinstance(event.body, ev.StageChanged)
            assert (event.body.stage, event.body.state) == ("images", "degraded")
            break
        (tmp_path / "images").unlink()
        images.put(shared(20, SLIDES[1]))
    states = [b.state for b in world.bodies if isinstance(b, ev.StageChanged)]
    assert states == ["degraded", "ok"]
    assert any(isinstance(b, ev.ImageKept) for b in world.bodies)
