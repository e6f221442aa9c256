"""A stream with screen share, video and rich chat: real store, real files, page and export."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pipeline.audio.settings import AudioSettings
from pipeline.base.clock import MeetingClock, SystemClock
from pipeline.base.ids import SequentialIds
from pipeline.cli import reading
from pipeline.export.formats import FORMATS
from pipeline.meeting.recorder import Recorder
from pipeline.meeting.settings import MeetingSettings
from pipeline.meeting.stream_run import StreamRun
from pipeline.model import events as ev
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out
from pipeline.rtms.products import Announcement
from pipeline.store.rebuild import rebuild
from pipeline.store.store import Store
from pipeline.store.verify import verify
from pipeline.web.pictures import read_picture
from tests.image_makers import moving, played, slide, still

T0 = 1_790_000_000_000


class HandStream:
    """Stands for RtmsStream: the test tells what Zoom does."""

    def __init__(self, sink: StreamRun, script: list[out.Output]) -> None:
        self._sink = sink
        self._script = script

    async def run(self) -> None:
        for output in self._script:
            self._sink.put(output)
            await asyncio.sleep(0)
        self._sink.put(out.StreamOver(6, "meeting ended", False))


async def received(home: Path, script: list[out.Output], **settings: Any) -> str:
    """Take a stream in as the service does; the meeting's id."""
    clock = SystemClock()
    store = Store.open(home, clock=clock, ids=SequentialIds("m"))
    try:
        opened = ev.MeetingOpened(product="meeting", zoom_id="Z==", started_ms=T0, title="Review")
        log = await store.create(
            opened, ev.StreamOpened(stream="S", server_urls="wss://x", announced_ms=T0)
        )
        state = MeetingState.replay(log.meeting, await log.events())

        async def no_engine(_error: object) -> None: ...

        run = StreamRun(
            Announcement("meeting", "Z==", "S", "wss://x.zoom.us/s", T0),
            meeting_log=log,
            state=state,
            recorder=Recorder(state, "native"),
            clock=MeetingClock(clock),
            machine=clock,
            speed=1.0,
            spool=store.spool(log.meeting),
            audio=AudioSettings(),
            open_stream=lambda _announcement, sink: HandStream(sink, script),  # type: ignore[arg-type, return-value]
            on_engine=no_engine,
            images=store.spool(log.meeting).parent / "images",
            meeting=MeetingSettings(**settings),
        )
        async with asyncio.timeout(60):
            await run.run()
        assert verify(home) == []
        return log.meeting
    finally:
        await store.close()


def shared(at_s: float, data: bytes) -> out.ImageReceived:
    return out.ImageReceived("deskshare", 16778240, "Maya", T0 + round(at_s * 1000), data)


def the_meeting() -> list[out.Output]:
    slides = [still(slide(n)) for n in range(3)]
    video = moving([slide(9, 320, 180)] * 40)
    return [
        out.StreamLive(True),
        out.PeopleJoined((("16778240", "Maya"), ("16778241", "Ben")), T0),
        out.ImageFormat("deskshare", "JPG", "FHD", 1),
        out.ImageFormat("video", "H264", "HD", 10),
        out.SharingStarted(16778240, "Maya", T0 + 1_000),
        *(shared(1 + s, slides[s // 10]) for s in range(30)),
        *(
            out.ImageReceived("video", 16778241, "Ben", T0 + 5_000 + n * 100, data)
            for n, data in enumerate(video)
        ),
        out.ChatReceived("z1", 16778241, "Ben", T0 + 12_000, "nice", "new", "everyone"),
        out.ChatReceived(
            "z2", 16778241, "Ben", T0 + 13_000, "psst", "new", "individual", None, 16778240, "Maya"
        ),
        out.ChatReceived("z1", 16778240, "Maya", T0 + 14_000, "👍", "reaction_added"),
        out.SharingStopped(T0 + 32_000),
        out.CallEvent("user_hold", "16778241", "Ben", "agent", T0 + 33_000),
        out.SessionChanged("sess", "started", T0 + 34_000),
        out.ProtocolFault("audio", "bad_base64", "content is not base64"),
        out.VideoSubscribed(16778241, 44, "DUPLICATE_VIDEO_SUBSCRIPTION"),
    ]


async def test_a_whole_meeting_of_pictures_and_chat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    meeting = await received(home, the_meeting(), save_video=True)
    store = Store.open(home, clock=SystemClock(), ids=SequentialIds())
    reader = store.reader
    state = reader.state(meeting)
    images = reader.images(meeting)
    assert [(i.at_ms - T0) // 1000 for i in images] == [1, 12, 22]
    assert {i.speaker for i in images} == {"Maya"}
    assert read_picture(reader, meeting, images[0].file).startswith(b"\xff\xd8\xff")

    (clip,) = reader.clips(meeting)
    assert (clip.media, clip.frames, clip.speaker) == ("video", 40, "Ben")
    times, size = played(str(home / "meetings" / meeting / "images" / clip.file))
    assert (len(times), size) == (40, (320, 180))

    assert [h.kind for h in reader.happenings(meeting)] == [
        "sharing_started",
        "sharing_stopped",
        "call",
    ]
    assert [(f.reason, f.count) for f in reader.faults(meeting)] == [
        ("bad_base64", 1),
        ("video_subscription", 1),
    ]
    open_chat, private = reader.chat(meeting)
    assert [r.speaker for r in open_chat.reactions] == ["Maya"]
    assert (private.private, private.to_name) == (True, "Maya")
    assert state.sessions == {"sess": "started"}
    assert state.missing() == []
    await store.close()

    target = tmp_path / "exports"
    target.mkdir()
    reading.export(meeting=meeting, format="md", out=target / "review.md", home=home)
    text = (target / "review.md").read_text(encoding="utf-8")
    (first, *_) = [line for line in text.splitlines() if "Screen of Maya" in line]
    link = first.split("](")[-1].split(")")[0]
    assert (target / link).resolve().is_file()
    assert "psst" in text
    assert "private, to Maya" in text
    assert FORMATS["json"].render(state).count('"file": "screen-') == 3
    capsys.readouterr()
    reading.show(meeting=meeting, transcript=True, json=False, home=home)
    shown = capsys.readouterr().out
    assert "Maya shares the screen" in shown
    assert "audio: bad base64, content is not base64" in shown
    assert "Ben (chat, private, to Maya): psst" in shown

    assert rebuild(home) == 1
    assert verify(home) == []


async def test_without_being_asked_nothing_but_keyframes_is_kept(tmp_path: Path) -> None:
    meeting = await received(tmp_path, the_meeting(), keyframes=False)
    assert not (tmp_path / "meetings" / meeting / "images").exists()


async def test_words_and_audio_go_on_while_the_disk_of_images_fails(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "meetings" / "m0001").mkdir(parents=True)
    (home / "meetings" / "m0001" / "images").write_text("in the way")
    meeting = await received(home, the_meeting(), save_share=True)
    assert meeting == "m0001"
    store = Store.open(home, clock=SystemClock(), ids=SequentialIds())
    state = store.reader.state(meeting)
    await store.close()
    assert len(state.chat()) == 2
    assert state.images == {}
    assert (state.stages["images"].state, state.stages["images"].retryable) == ("degraded", True)


@pytest.mark.parametrize(
    ("replayed", "shares", "lost"),
    [
        (True, True, [("deskshare", "media_lost")]),  # words come again, images do not
        (False, True, [("all", "media_lost")]),  # one loss is told once
        (True, False, []),
    ],
)
async def test_what_was_shown_while_the_connection_was_away_is_missing(
    tmp_path: Path, replayed: bool, shares: bool, lost: list[tuple[str, str]]
) -> None:
    def said(at_s: float) -> out.TranscriptReceived:
        at_ms = T0 + round(at_s * 1000)
        return out.TranscriptReceived(1, "Ben", at_ms - 500, at_ms, at_ms, f"{at_s}", "en", "new")

    screen = still(slide(1))
    script: list[out.Output] = [
        out.StreamLive(True),
        out.ImageFormat("deskshare", "JPG", "FHD", 1),
        out.SharingStarted(7, "Maya", T0 + 1_000),
        *(shared(s, screen) for s in range(1, 10)),
        *([] if shares else [out.SharingStopped(T0 + 9_000)]),
        said(10),
        out.ConnectionLost("all", "media_lost", "dropped"),
        out.CamerasChanged(("7",), True, T0 + 20_000),
        out.ConnectionBack("all"),
        *([said(12)] if replayed else []),
        *([shared(21, screen)] if shares else []),
        said(22),
        *([shared(22, screen)] if shares else []),
    ]
    meeting = await received(tmp_path, script)
    store = Store.open(tmp_path, clock=SystemClock(), ids=SequentialIds())
    gaps = store.reader.state(meeting).missing()
    await store.close()
    assert [(gap.media, gap.cause) for gap in gaps] == lost
    for gap in gaps:
        assert 10_000 <= gap.from_ms - T0 <= 10_500
        assert 20_000 <= gap.to_ms - T0 <= 20_500
